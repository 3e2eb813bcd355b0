//! A job's place among others: its share of the queue, its priority, and what it takes of things that there are only so many
//! of. Only what is said and what is remembered; who goes first is decided by the control loop.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ConsumableName, PoolName, QueueName, ShareId};

/// The highest scheduling priority (AWS Batch API reference, `RegisterJobDefinition.schedulingPriority`).
pub const PRIORITY_MAX: u16 = 9_999;

/// What a job says of its place among others.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scheduling {
    /// Its share of the queue; none is [`ShareId::default`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareId>,
    /// Among the jobs of its share, 0 to [`PRIORITY_MAX`]; higher goes first.
    #[serde(default)]
    pub priority: u16,
    /// How much it takes of each consumable resource, at least 1, from its placement to the end of the attempt.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consumes: BTreeMap<ConsumableName, u64>,
}

impl Scheduling {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What can be paused: it starts nothing until it is resumed. What runs goes on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "kebab-case")]
pub enum Pausable {
    /// A job queue.
    Queue(QueueName),
    /// A pool of offerings.
    Pool(PoolName),
}

impl fmt::Display for Pausable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(name) => write!(f, "queue {name}"),
            Self::Pool(name) => write!(f, "pool {name}"),
        }
    }
}

/// The newest order to pause or resume something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gate {
    /// Whether it is paused.
    pub is_paused: bool,
    /// When the order was sent: an older one that comes later changes nothing.
    pub ordered_at: Timestamp,
}

/// What a share of a queue has used, as far as it is still remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ShareUse {
    /// In 1/1024 vCPU times seconds.
    pub used: u64,
    /// Up to when it is counted, in seconds since 1970. What runs since is not in it.
    pub as_of_sec: i64,
}
