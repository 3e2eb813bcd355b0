//! Multi-node jobs in the planner's question and its answer: all nodes at once, each on a host of its own, or none.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{DemandKey, PlannedLaunch, WaitReason};
use crate::id::{HostId, JobId};

/// A multi-node job that may run now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GangDemand {
    /// The job.
    pub job: JobId,
    /// Its nodes by what they need, each key once, with how many there are.
    pub nodes: Vec<(DemandKey, u32)>,
    /// For how long room may be kept for it from now, until there is enough for all its nodes. With 0 nothing is bought for it
    /// either: it starts where there is room for all of them now, or not at all.
    pub hold_secs: u32,
}

impl GangDemand {
    /// How many nodes it has.
    pub fn n_nodes(&self) -> u32 {
        self.nodes.iter().fold(0, |n, (_, count)| n.saturating_add(*count))
    }
}

/// All there is to say of multi-node jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gangs {
    /// Those that may run now, in the order in which they are served.
    pub waiting: Vec<GangDemand>,
    /// Hosts that have a node on them: a host has one at a time, since nodes share its network.
    pub hosts: BTreeSet<HostId>,
}

/// Room for one node on a host there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GangSeat {
    /// The host.
    pub host: HostId,
    /// Which of the job's nodes it is for.
    pub key: DemandKey,
}

/// What becomes of a multi-node job now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GangVerdict {
    /// Every node starts now: each has a seat on a host that is ready.
    Start,
    /// Nothing starts. The seats are kept for it until there is room for the others, in so many seconds.
    Hold {
        /// When it is expected to start.
        in_secs: u32,
    },
    /// Nothing is kept for it.
    Wait {
        /// Why.
        reason: WaitReason,
    },
    /// It may not hold anything now, and there is no room for all its nodes at once.
    Paused,
}

/// The plan for one multi-node job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GangPlan {
    /// The job.
    pub job: JobId,
    /// What becomes of it.
    pub verdict: GangVerdict,
    /// Room on hosts there are, in the order of keys and hosts.
    pub seats: Vec<GangSeat>,
    /// What is bought for it: each host for one node.
    pub launches: Vec<PlannedLaunch>,
}
