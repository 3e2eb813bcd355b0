//! Why jobs are in no host of a plan, each reason with its numbers.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::catalog::InstanceType;
use crate::gpu::GpuKinds;
use crate::market::{Arch, MarketRule};
use crate::mix::MixRule;
use crate::quantity::{Dimension, Resources};
use crate::quota::Quota;

/// Why jobs of a group are in no host of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum WaitReason {
    /// Nothing on offer is large enough.
    TooLarge(NoFit),
    /// All that would do is cooling down after "insufficient capacity".
    CoolingDown {
        /// How many pools that is.
        n_pools: u32,
        /// When the first of them is tried again.
        until: Timestamp,
    },
    /// A limit of ours leaves no room for another host.
    LimitReached {
        /// Which limit.
        limit: LimitKind,
    },
    /// There is no catalog yet.
    NoCatalog,
    /// Room that comes free on a host we have or buy is cheaper than another host, and in time.
    RoomExpected {
        /// When the first of them is expected to start, in seconds from the plan.
        in_secs: u32,
    },
    /// More jobs wait than can be started before those that start first have ended: more hosts would stand idle.
    StartRate {
        /// So many tasks are started in a second at most.
        per_sec: u32,
    },
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// `max-hosts`.
    Hosts,
    /// `max-vcpus`.
    Vcpus,
    /// `max-price-per-hour`.
    Price,
    /// `approve-over`: what is dearer waits until somebody approves it.
    Approval,
    /// One of `vcpu-quotas`.
    Quota(Quota),
    /// A rule of the mix.
    Mix(MixRule),
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts => f.pad("max-hosts"),
            Self::Vcpus => f.pad("max-vcpus"),
            Self::Price => f.pad("max-price-per-hour"),
            Self::Approval => f.pad("approve-over"),
            Self::Mix(rule) => rule.fmt(f),
            Self::Quota(quota) => f.pad(&format!("vcpu-quotas {quota}")),
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(no_fit) => no_fit.fmt(f),
            Self::CoolingDown { n_pools, until } => write!(
                f,
                "all {n_pools} pools that would do are cooling down after a lack of capacity; next try at {until}"
            ),
            Self::LimitReached { limit } => {
                write!(f, "the limit {limit} leaves no room for another host")
            }
            Self::NoCatalog => f.write_str("no prices have been read yet"),
            Self::StartRate { per_sec } => write!(
                f,
                "ECS starts {per_sec} tasks a second at most: more hosts than there are or are planned would stand idle"
            ),
            Self::RoomExpected { in_secs } => {
                let span = SignedDuration::from_secs(i64::from(*in_secs));
                write!(
                    f,
                    "room for it is expected to come free on a host in {span:#}, in time and cheaper than another host"
                )
            }
        }
    }
}

/// Why a job fits nothing that is on offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoFit {
    /// No offering has the architecture and market at all.
    NoOffering {
        /// The architecture asked for.
        arch: Option<Arch>,
        /// The market asked for.
        market: MarketRule,
        /// The kinds of GPU asked for.
        #[serde(default, skip_serializing_if = "GpuKinds::is_any")]
        gpu_kinds: GpuKinds,
    },
    /// One dimension binds, on the offering that comes nearest.
    Exceeds {
        /// The dimension.
        dimension: Dimension,
        /// What the job needs.
        need: Resources,
        /// The type that comes nearest.
        nearest: InstanceType,
        /// What tasks can use on it.
        nearest_has: Resources,
    },
}

impl fmt::Display for NoFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOffering { arch, market, gpu_kinds } => {
                let arch = arch.map_or("any architecture".to_owned(), |a| a.to_string());
                write!(f, "no instance type is on offer for {arch} in market {market}")?;
                if gpu_kinds.is_any() { Ok(()) } else { write!(f, " with GPU {gpu_kinds}") }
            }
            Self::Exceeds { dimension, need, nearest, nearest_has } => {
                let show = |r: &Resources| match dimension {
                    Dimension::Cpu => format!("{} vCPU", r.cpu),
                    Dimension::Memory => r.memory.to_string(),
                    Dimension::Gpu => format!("{} GPU", r.gpus),
                };
                let (need, has) = (show(need), show(nearest_has));
                write!(
                    f,
                    "{dimension}: needs {need}, the nearest type {nearest} has {has} for tasks"
                )
            }
        }
    }
}
