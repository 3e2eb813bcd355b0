//! Why a job that could run is not offered to the planner, in words and numbers.

use std::fmt;

use serde::Serialize;
use spillway_core::{Breaker, BreakerId, ConsumableName, PoolName, QueueName, ShareId};

use crate::budgets::SpentBudget;
use crate::config::CapKind;

/// Why a job that could run is not offered to the planner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HeldBack {
    /// Its queue is paused.
    QueuePaused {
        /// The queue.
        queue: QueueName,
    },
    /// All pools of its queue that could have a host for it are.
    PoolsPaused {
        /// The queue.
        queue: QueueName,
        /// The pools, in the queue's order.
        pools: Vec<PoolName>,
    },
    /// Its queue holds as much as it may.
    QueueCap {
        /// The queue.
        queue: QueueName,
        /// Which cap.
        cap: CapKind,
    },
    /// Its share does.
    ShareCap {
        /// The queue.
        queue: QueueName,
        /// The share.
        share: ShareId,
        /// Which cap.
        cap: CapKind,
    },
    /// The rest of the queue's vCPUs is kept for shares that have no jobs now.
    ComputeReservation {
        /// The queue.
        queue: QueueName,
    },
    /// What it needs is left alone after failures, but for a probe.
    BreakerOpen {
        /// What.
        target: BreakerId,
        /// How that stands.
        breaker: Breaker,
    },
    /// What may be spent in this period is spent.
    Budget(Box<SpentBudget>),
    /// There is not enough of a consumable resource.
    Consumable {
        /// Which.
        name: ConsumableName,
        /// How much it needs.
        needed: u64,
        /// How much is free, or is kept for those who go before it.
        free: u64,
        /// How much there is.
        total: u64,
    },
    /// Nodes of its last attempt have still to end.
    NodesToEnd,
    /// The limits leave no room for it and all that go before it.
    NoRoom,
    /// Room is being made for it: what comes free on some hosts is kept for it.
    MakingRoom,
}

impl HeldBack {
    /// A word that scripts can go by.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::QueuePaused { .. } => "queue-paused",
            Self::PoolsPaused { .. } => "pool-paused",
            Self::QueueCap { .. } => "queue-cap",
            Self::ShareCap { .. } => "share-cap",
            Self::ComputeReservation { .. } => "compute-reservation",
            Self::BreakerOpen { .. } => "breaker-open",
            Self::Budget(_) => "budget",
            Self::Consumable { .. } => "consumable-resource",
            Self::NodesToEnd => "nodes-to-end",
            Self::NoRoom => "limit-reached",
            Self::MakingRoom => "making-room",
        }
    }
}

impl fmt::Display for HeldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueuePaused { queue } => write!(f, "queue {queue} is paused"),
            Self::PoolsPaused { queue, pools } => {
                let names: Vec<&str> = pools.iter().map(PoolName::as_str).collect();
                let names = names.join(", ");
                write!(f, "all pools of queue {queue} that could hold it are paused: {names}")
            }
            Self::QueueCap { queue, cap } => write!(f, "{cap} of queue {queue} is reached"),
            Self::ShareCap { queue, share, cap } => {
                write!(f, "{cap} of share {share} of queue {queue} is reached")
            }
            Self::ComputeReservation { queue } => {
                write!(f, "compute-reservation of queue {queue} is kept for shares without jobs")
            }
            Self::BreakerOpen { target, breaker } => write!(f, "{target} {breaker}"),
            Self::Budget(spent) => spent.fmt(f),
            Self::Consumable { name, total: 0, .. } => {
                write!(f, "there is no consumable resource {name}")
            }
            Self::Consumable { name, needed, free, total } => {
                write!(f, "consumable resource {name}: needs {needed}, {free} of {total} are free")
            }
            Self::NodesToEnd => {
                f.write_str("nodes of its last attempt have still to end before it is tried again")
            }
            Self::NoRoom => {
                f.write_str("the limits leave no room for it beside those that go before it")
            }
            Self::MakingRoom => f.write_str(
                "the limits leave no room for it; what comes free on some hosts is kept for it",
            ),
        }
    }
}
