//! The planner's question and its answer, as values.
//!
//! Demand is counted by shape, not listed by job: a million jobs of five hundred shapes are five hundred lines.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, InstanceType, PoolId};
use crate::id::HostId;
use crate::launch::PoolChoice;
use crate::market::{Arch, Market, MarketRule};
use crate::money::MicroUsdPerHour;
use crate::quantity::{CpuUnits, Dimension, Resources};

/// What makes two jobs the same to the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DemandKey {
    /// What each needs.
    pub need: Resources,
    /// The architecture; `None` runs on either.
    pub arch: Option<Arch>,
    /// The markets it may run in.
    pub market: MarketRule,
    /// The expected duration in seconds, rounded up to the end of its [bucket](crate::durations), which is a quarter wide;
    /// `None` if nobody knows.
    pub expected_secs: Option<u32>,
    /// How long it may yet wait for a cheaper place, in seconds, rounded down; 0 starts it as soon as can be.
    pub patience_secs: u32,
}

impl DemandKey {
    /// Whether such a job may run on a host of this architecture and market.
    pub fn allows(&self, arch: Arch, market: Market) -> bool {
        self.arch.is_none_or(|wanted| wanted == arch) && self.market.allows(market)
    }
}

impl fmt::Display for DemandKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.need)?;
        if let Some(arch) = self.arch {
            write!(f, ", {arch}")?;
        }
        if self.market != MarketRule::Any {
            write!(f, ", {} only", self.market)?;
        }
        Ok(())
    }
}

/// So many equal jobs that may run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Demand {
    /// What they are.
    pub key: DemandKey,
    /// How many, at least 1.
    pub count: u32,
    /// How long the one that has waited longest has waited beyond its patience, in seconds; 0 while `patience_secs` is
    /// not.
    pub waited_secs: u32,
}

impl Demand {
    /// Jobs that have only just come.
    pub const fn new(key: DemandKey, count: u32) -> Self {
        Self { key, count, waited_secs: 0 }
    }
}

/// Tasks on a host that need the same and are expected to end at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Busy {
    /// When they are expected to end, in seconds from now, at least 1.
    pub ends_in_secs: u32,
    /// What each of them holds.
    pub need: Resources,
    /// How many, at least 1.
    pub count: u32,
}

/// A host we have or have asked for, as the planner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostView {
    /// Its id.
    pub id: HostId,
    /// Its architecture.
    pub arch: Arch,
    /// Its market.
    pub market: Market,
    /// What it costs while it runs.
    pub price: MicroUsdPerHour,
    /// What is free on it now, or will be when it has registered.
    pub free: Resources,
    /// What runs on it, soonest end first.
    pub busy: Vec<Busy>,
    /// The work it was bought for that is not on it yet. Honoured before anything else is placed there.
    pub reserved: Vec<(DemandKey, u32)>,
    /// Whether a task can be started on it now. Work planned for a host that is not ready is kept for it.
    pub ready: bool,
    /// When a task can be expected to start on it, in seconds from now; 0 where it is ready.
    pub ready_in_secs: u32,
}

/// What may still be bought. `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headroom {
    /// Hosts.
    pub hosts: Option<u32>,
    /// CPU over all new hosts.
    pub cpu: Option<CpuUnits>,
    /// Dollars per hour over all new hosts.
    pub price: Option<MicroUsdPerHour>,
}

/// Everything the planner may know. It learns the time only here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanInput {
    /// The time.
    pub now: Timestamp,
    /// The jobs that may run now, each key once.
    pub demands: Vec<Demand>,
    /// The hosts we have.
    pub hosts: Vec<HostView>,
    /// What can be bought.
    pub catalog: Arc<Catalog>,
    /// Pools that are left alone, and until when.
    pub cooling: BTreeMap<PoolId, Timestamp>,
    /// How much may be bought.
    pub headroom: Headroom,
}

/// How much thought goes into a plan. Counted in steps, never in time: a plan is the same on every machine.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Up to about a second for a hundred shapes, ten for thousands.
    #[default]
    Default,
    /// Up to about a minute. Never a dearer plan than the default's.
    High,
}

/// How to plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanPolicy {
    /// No host larger than this, so that one interruption does not take everything. `None` is no limit.
    pub host_cpu_max: Option<CpuUnits>,
    /// At most this many pools are named in one launch, 1 to 300.
    pub choices_max: usize,
    /// An alternative pool may cost this much more than the planned one, in percent.
    pub choice_premium_percent: u32,
    /// How much thought goes into it.
    #[serde(default)]
    pub effort: Effort,
    /// From the call that buys a host to its first task, in seconds: it is paid for and does nothing.
    #[serde(default = "boot_secs_default")]
    pub boot_secs: u32,
    /// How long a job of unknown duration is taken to run, in seconds.
    #[serde(default = "prior_secs_default")]
    pub prior_secs: u32,
}

/// From CreateFleet to a registered ECS agent takes 60 to 120 s with the ECS-optimized AMI.
const BOOT_SECS_DEFAULT: u32 = 90;

/// Nothing is known: most batch jobs run for minutes, not for seconds or hours.
const PRIOR_SECS_DEFAULT: u32 = 600;

const fn boot_secs_default() -> u32 {
    BOOT_SECS_DEFAULT
}

const fn prior_secs_default() -> u32 {
    PRIOR_SECS_DEFAULT
}

impl Default for PlanPolicy {
    fn default() -> Self {
        Self {
            host_cpu_max: None,
            choices_max: 20,
            choice_premium_percent: 10,
            effort: Effort::Default,
            boot_secs: BOOT_SECS_DEFAULT,
            prior_secs: PRIOR_SECS_DEFAULT,
        }
    }
}

/// So many jobs of one group on one host that exists already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The host.
    pub host: HostId,
    /// The group.
    pub key: DemandKey,
    /// How many, at least 1.
    pub count: u32,
}

/// So many equal new hosts, each with the same contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedLaunch {
    /// The pool to buy from first, then near-equal ones that hold the same contents, cheapest first. One market,
    /// one architecture.
    pub choices: Vec<PoolChoice>,
    /// The architecture.
    pub arch: Arch,
    /// What the first choice offers to tasks.
    pub capacity: Resources,
    /// How many hosts, at least 1.
    pub count: u32,
    /// What goes on each of them.
    pub contents: Vec<(DemandKey, u32)>,
}

impl PlannedLaunch {
    /// The market of all its choices.
    pub fn market(&self) -> Option<Market> {
        self.choices.first().map(|c| c.pool.market)
    }

    /// What all its hosts cost per hour in the first choice.
    pub fn price(&self) -> MicroUsdPerHour {
        let each = self.choices.first().map_or(MicroUsdPerHour::ZERO, |c| c.price);
        each.checked_mul(self.count).unwrap_or(MicroUsdPerHour::new(u64::MAX))
    }
}

/// What to do: where work goes on the hosts there are, and what to buy for the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Work for hosts we have. On a host that is not ready it is a reservation.
    pub placements: Vec<Placement>,
    /// What to buy.
    pub launches: Vec<PlannedLaunch>,
    /// Ready hosts with nothing on them that are not worth what they cost until work comes that they are wanted for.
    pub give_back: Vec<HostId>,
}

impl Plan {
    /// What all launches cost per hour.
    pub fn price(&self) -> MicroUsdPerHour {
        self.launches.iter().map(PlannedLaunch::price).sum()
    }

    /// How many hosts are bought.
    pub fn n_hosts(&self) -> u32 {
        self.launches.iter().map(|l| l.count).sum()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.placements.is_empty() && self.launches.is_empty() && self.give_back.is_empty()
    }
}

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
        /// Which limit: `hosts`, `vcpus` or `price`.
        limit: LimitKind,
    },
    /// There is no catalog yet.
    NoCatalog,
    /// Room that comes free on a host we have or buy is cheaper than another host, and in time.
    RoomExpected {
        /// When the first of them is expected to start, in seconds from the plan.
        in_secs: u32,
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
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hosts => "max-hosts",
            Self::Vcpus => "max-vcpus",
            Self::Price => "max-price-per-hour",
        })
    }
}

/// A list of the configuration that says what may be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FilterKind {
    /// `offerings.instance-types`.
    InstanceTypes,
    /// `offerings.zones`.
    Zones,
    /// `offerings.markets`.
    Markets,
    /// `offerings.architectures`.
    Architectures,
}

impl FilterKind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::InstanceTypes, Self::Zones, Self::Markets, Self::Architectures];

    const fn bit(self) -> u8 {
        match self {
            Self::InstanceTypes => 1,
            Self::Zones => 2,
            Self::Markets => 4,
            Self::Architectures => 8,
        }
    }
}

impl fmt::Display for FilterKind {
    /// The key of the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::InstanceTypes => "offerings.instance-types",
            Self::Zones => "offerings.zones",
            Self::Markets => "offerings.markets",
            Self::Architectures => "offerings.architectures",
        })
    }
}

/// The lists that leave an offering out, each for itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilterSet(u8);

impl FilterSet {
    /// None: it may be bought.
    pub const EMPTY: Self = Self(0);

    /// With one more.
    #[must_use]
    pub const fn with(self, kind: FilterKind) -> Self {
        Self(self.0 | kind.bit())
    }

    /// Without one.
    #[must_use]
    pub const fn without(self, kind: FilterKind) -> Self {
        Self(self.0 & !kind.bit())
    }

    /// Whether none leaves it out.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The first in the order of [`FilterKind::ALL`].
    pub fn first(self) -> Option<FilterKind> {
        FilterKind::ALL.into_iter().find(|kind| self.0 & kind.bit() != 0)
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
            Self::NoOffering { arch, market } => {
                let arch = arch.map_or("any architecture".to_owned(), |a| a.to_string());
                write!(f, "no instance type is on offer for {arch} in market {market}")
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

/// Jobs that are in no host of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The group.
    pub key: DemandKey,
    /// How many of it.
    pub count: u32,
    /// Why.
    pub reason: WaitReason,
}

/// Why the plan is as it is. An unread report is not actionable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Jobs that stay waiting, each key at most once.
    pub waiting: Vec<Waiting>,
    /// A proven lower bound on the hourly price of any set of new hosts that holds what the plan's launches hold.
    pub bound: MicroUsdPerHour,
    /// How many offerings could be bought from.
    pub n_offerings: u32,
    /// How many of them no other dominates.
    pub n_undominated: u32,
}

/// A plan and why it is so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a plan that nobody executes and a report that nobody reads are waste"]
pub struct Planned {
    /// What to do.
    pub plan: Plan,
    /// Why.
    pub report: Report,
}

/// Whoever answers the planner's question. The control loop asks whichever it was given: ours, or in a simulation
/// the way somebody else would decide.
///
/// An implementation is deterministic: the same questions in the same order have the same answers. What it remembers
/// between them may save it work; it must not be needed for a sensible answer, since a restart forgets it.
pub trait Planner: fmt::Debug + Send {
    /// Decides where work goes and what to buy for the rest. Total: what fits nothing is a line in the report.
    fn plan(&mut self, input: &PlanInput, policy: &PlanPolicy) -> Planned;
}
