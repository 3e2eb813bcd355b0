//! A host: one EC2 instance from the decision to buy it to its end.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::{Hazard, PoolId};
use crate::class::JobClass;
use crate::gpu::GpuKind;
use crate::id::{ContainerInstanceArn, HostId, InstanceId, LaunchId};
use crate::market::{Arch, HostTraits};
use crate::money::{MicroUsd, MicroUsdPerHour};
use crate::quantity::Resources;

/// An instance that EC2 has named. It is paid from `launched_at`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Instance {
    /// EC2's id. The only key by which a machine is known: addresses and names are reused.
    pub id: InstanceId,
    /// EC2's `launchTime`, or when its id was first seen.
    pub launched_at: Timestamp,
}

/// Where a host stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum HostState {
    /// To be bought: its launch has not been answered yet.
    Requested,
    /// Bought, and paid for; the ECS agent has not registered yet.
    Launched {
        /// The instance.
        instance: Instance,
    },
    /// In the cluster; takes tasks.
    Registered {
        /// The instance.
        instance: Instance,
        /// ECS's name for it.
        container_instance: ContainerInstanceArn,
        /// When it registered.
        at: Timestamp,
    },
    /// Takes no new task; tasks on it may go on.
    Draining {
        /// The instance.
        instance: Instance,
        /// ECS's name for it, if it ever registered.
        container_instance: Option<ContainerInstanceArn>,
        /// Since when.
        since: Timestamp,
        /// Why.
        cause: DrainCause,
    },
    /// Being ended; EC2 has not shown it terminated yet.
    Terminating {
        /// The instance.
        instance: Instance,
        /// ECS's name for it, if it ever registered.
        container_instance: Option<ContainerInstanceArn>,
        /// Since when.
        since: Timestamp,
        /// Why.
        cause: DrainCause,
    },
    /// Nobody answers for it: its agent is away or EC2 does not show it. Its tasks may still be running.
    Lost {
        /// The instance.
        instance: Instance,
        /// ECS's name for it, if it ever registered.
        container_instance: Option<ContainerInstanceArn>,
        /// Since when.
        since: Timestamp,
    },
    /// Over. EC2 showed it terminated, or it never came to be.
    Gone {
        /// The instance, if it ever was.
        instance: Option<Instance>,
        /// When.
        at: Timestamp,
        /// Why.
        cause: DrainCause,
        /// All it cost, from launch to end.
        bill: MicroUsd,
    },
}

/// Why a host is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrainCause {
    /// It had nothing to do.
    Idle,
    /// EC2 reclaims it.
    SpotInterruption,
    /// It never registered.
    NeverRegistered,
    /// Its agent went away and stayed away, nobody can say whether a task runs on it, or one there ends on no signal.
    AgentLost,
    /// It carries our tag, and no work is known for it.
    Stray,
    /// EC2 ended it, for a reason not told.
    External,
    /// EC2 had none.
    NoCapacity,
    /// It registered with less than it was bought for.
    Unfit,
    /// An operator asked.
    Requested,
}

impl fmt::Display for DrainCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::SpotInterruption => "spot interruption",
            Self::NeverRegistered => "never registered",
            Self::AgentLost => "agent lost",
            Self::Stray => "stray",
            Self::External => "ended by EC2",
            Self::NoCapacity => "no capacity",
            Self::Unfit => "registered too small",
            Self::Requested => "requested",
        })
    }
}

/// The name of a [`HostState`], without what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostStatus {
    /// See [`HostState::Requested`].
    Requested,
    /// See [`HostState::Launched`].
    Launched,
    /// See [`HostState::Registered`].
    Registered,
    /// See [`HostState::Draining`].
    Draining,
    /// See [`HostState::Terminating`].
    Terminating,
    /// See [`HostState::Lost`].
    Lost,
    /// See [`HostState::Gone`].
    Gone,
}

impl fmt::Display for HostStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Requested => "requested",
            Self::Launched => "launched",
            Self::Registered => "registered",
            Self::Draining => "draining",
            Self::Terminating => "terminating",
            Self::Lost => "lost",
            Self::Gone => "gone",
        })
    }
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Host {
    /// Its id.
    pub id: HostId,
    /// The launch it was bought in; none for an adopted one.
    pub launch: Option<LaunchId>,
    /// Type, zone and market: what was planned until EC2 answers, then what it is.
    pub pool: PoolId,
    /// Its architecture.
    pub arch: Arch,
    /// The kind of its GPUs; none without any, or if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuKind>,
    /// What it costs while it runs, as known at its launch.
    pub price: MicroUsdPerHour,
    /// How much of that is not its instance's but that of its root volume and its public address ([`crate::Extras`]).
    #[serde(default, skip_serializing_if = "MicroUsdPerHour::is_zero")]
    pub extras: MicroUsdPerHour,
    /// What its type cost On-Demand in the cheapest zone at its launch, if that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand_price: Option<MicroUsdPerHour>,
    /// What tasks can use: expected until it registers, then what ECS registered.
    pub capacity: Resources,
    /// How often such a host was expected to be interrupted, as known at its launch.
    #[serde(default)]
    pub hazard: Hazard,
    /// The work it was bought for and that has not been placed on it yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<(JobClass, u32)>,
    /// When it first registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Timestamp>,
    /// When it first began to be given back: since then it takes no new work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_at: Option<Timestamp>,
    /// Where it stands.
    pub state: HostState,
}

impl Host {
    /// Moves it to where it stands now, and keeps what that state tells of its course.
    pub fn move_to(&mut self, state: HostState) {
        match &state {
            HostState::Registered { at, .. } => {
                self.registered_at.get_or_insert(*at);
            }
            HostState::Draining { since, .. } | HostState::Terminating { since, .. } => {
                self.drained_at.get_or_insert(*since);
            }
            HostState::Requested
            | HostState::Launched { .. }
            | HostState::Lost { .. }
            | HostState::Gone { .. } => {}
        }
        self.state = state;
    }

    /// What jobs may insist on.
    pub const fn traits(&self) -> HostTraits {
        HostTraits { arch: self.arch, market: self.pool.market, gpu: self.gpu }
    }

    /// The EC2 instance, as soon as there is one.
    pub const fn instance(&self) -> Option<&Instance> {
        match &self.state {
            HostState::Requested => None,
            HostState::Launched { instance }
            | HostState::Registered { instance, .. }
            | HostState::Draining { instance, .. }
            | HostState::Terminating { instance, .. }
            | HostState::Lost { instance, .. } => Some(instance),
            HostState::Gone { instance, .. } => instance.as_ref(),
        }
    }

    /// ECS's name for it.
    pub const fn container_instance(&self) -> Option<&ContainerInstanceArn> {
        match &self.state {
            HostState::Registered { container_instance, .. } => Some(container_instance),
            HostState::Draining { container_instance, .. }
            | HostState::Terminating { container_instance, .. }
            | HostState::Lost { container_instance, .. } => container_instance.as_ref(),
            HostState::Requested | HostState::Launched { .. } | HostState::Gone { .. } => None,
        }
    }

    /// The name of the state.
    pub const fn status(&self) -> HostStatus {
        match self.state {
            HostState::Requested => HostStatus::Requested,
            HostState::Launched { .. } => HostStatus::Launched,
            HostState::Registered { .. } => HostStatus::Registered,
            HostState::Draining { .. } => HostStatus::Draining,
            HostState::Terminating { .. } => HostStatus::Terminating,
            HostState::Lost { .. } => HostStatus::Lost,
            HostState::Gone { .. } => HostStatus::Gone,
        }
    }

    /// Whether work may be planned for it: it takes tasks now or will once it has registered.
    pub const fn takes_work(&self) -> bool {
        matches!(
            self.status(),
            HostStatus::Requested | HostStatus::Launched | HostStatus::Registered
        )
    }

    /// What it has cost up to `now`, or in all if it is gone.
    pub fn bill(&self, now: Timestamp) -> MicroUsd {
        match (&self.state, self.instance()) {
            (HostState::Gone { bill, .. }, _) => *bill,
            (_, Some(instance)) => crate::cost::bill(self.price, instance.launched_at, now),
            (_, None) => MicroUsd::ZERO,
        }
    }
}
