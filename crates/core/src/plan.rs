//! The planner's question and its answer, as values.
//!
//! Demand is counted by shape, not listed by job: a million jobs of five hundred shapes are five hundred lines.

mod filter;
mod gang;
mod reason;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, PoolId};
use crate::gpu::{GpuKind, GpuKinds};
use crate::id::HostId;
use crate::launch::PoolChoice;
use crate::market::{Arch, HostTraits, Market, MarketRule};
use crate::mix::MixRules;
use crate::money::MicroUsdPerHour;
use crate::quantity::{CpuUnits, Resources};
use crate::quota::Quotas;
use crate::variant::Way;

pub use filter::{FilterKind, FilterSet};
pub use gang::{GangDemand, GangPlan, GangSeat, GangVerdict, Gangs};
pub use reason::{LimitKind, NoFit, WaitReason};

/// What makes two jobs the same to the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DemandKey {
    /// What each needs.
    pub need: Resources,
    /// The architecture; `None` runs on either.
    pub arch: Option<Arch>,
    /// The kinds of GPU it accepts.
    #[serde(default, skip_serializing_if = "GpuKinds::is_any")]
    pub gpu_kinds: GpuKinds,
    /// The markets it may run in.
    pub market: MarketRule,
    /// The expected duration in seconds, rounded up to the end of its [bucket](crate::durations), which is a quarter wide;
    /// `None` if nobody knows.
    pub expected_secs: Option<u32>,
    /// How long it may yet wait for a cheaper place, in seconds, rounded down; 0 starts it as soon as can be.
    pub patience_secs: u32,
    /// Where the jobs have alternatives, which of them this is. Demands that are alternatives of the same are as many and the
    /// same jobs: each is run as one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
}

impl DemandKey {
    /// Whether such a job may run on such a host.
    pub fn allows(&self, host: HostTraits) -> bool {
        self.arch.is_none_or(|wanted| wanted == host.arch)
            && self.market.allows(host.market)
            && self.gpu_kinds.allows(host.gpu)
    }
}

impl fmt::Display for DemandKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.need)?;
        if let Some(arch) = self.arch {
            write!(f, ", {arch}")?;
        }
        if !self.gpu_kinds.is_any() {
            write!(f, ", {}", self.gpu_kinds)?;
        }
        if self.market != MarketRule::Any {
            write!(f, ", {} only", self.market)?;
        }
        if let Some(way) = self.way {
            write!(f, ", variant {}", way.ord)?;
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
    /// How many of them have been on a host before: they say nothing of what will come.
    #[serde(default)]
    pub n_again: u32,
}

impl Demand {
    /// Jobs that have only just come.
    pub const fn new(key: DemandKey, count: u32) -> Self {
        Self { key, count, waited_secs: 0, n_again: 0 }
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
    /// The kind of its GPUs; none without any, or if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuKind>,
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

impl HostView {
    /// What jobs may insist on.
    pub const fn traits(&self) -> HostTraits {
        HostTraits { arch: self.arch, market: self.market, gpu: self.gpu }
    }
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
    /// Whether `price` is what may be spent before somebody approves more, and not a limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_price_until_approved: bool,
    /// CPU over the new hosts that each of EC2's quotas counts.
    #[serde(default, skip_serializing_if = "Quotas::is_none")]
    pub quotas: Quotas,
    /// CPU over new On-Demand hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand: Option<CpuUnits>,
    /// CPU over new Spot hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<CpuUnits>,
}

impl Headroom {
    /// Leaves no more than this for new hosts.
    pub fn bound_price(&mut self, max: Option<MicroUsdPerHour>) {
        if let Some(max) = max
            && self.price.is_none_or(|price| max < price)
        {
            self.price = Some(max);
            self.is_price_until_approved = false;
        }
    }

    /// What `price` is.
    pub const fn price_limit(&self) -> LimitKind {
        if self.is_price_until_approved { LimitKind::Approval } else { LimitKind::Price }
    }
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
    /// What the rules of the mix count: the CPU of all hosts that are paid for or asked for, by pool. Those that take no more
    /// work count too. Empty where there are no rules.
    pub fleet: BTreeMap<PoolId, CpuUnits>,
    /// The multi-node jobs that may run now, and where others run.
    pub gangs: Gangs,
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
    /// How the fleet is to be mixed.
    #[serde(default)]
    pub mix: MixRules,
    /// How much thought goes into it.
    #[serde(default)]
    pub effort: Effort,
    /// From the call that buys a host to its first task, in seconds: it is paid for and does nothing.
    #[serde(default = "boot_secs_default")]
    pub boot_secs: u32,
    /// How long a job of unknown duration is taken to run, in seconds.
    #[serde(default = "prior_secs_default")]
    pub prior_secs: u32,
    /// So many tasks are started in a second at most: nothing is bought for more than can be started while it runs.
    /// `None` is no limit.
    #[serde(default)]
    pub task_starts_per_sec: Option<NonZeroU32>,
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
            mix: MixRules::NONE,
            choices_max: 20,
            choice_premium_percent: 10,
            effort: Effort::Default,
            boot_secs: BOOT_SECS_DEFAULT,
            prior_secs: PRIOR_SECS_DEFAULT,
            task_starts_per_sec: None,
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
    /// One line for each multi-node job, in the order they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gangs: Vec<GangPlan>,
}

impl Plan {
    /// What all launches cost per hour.
    pub fn price(&self) -> MicroUsdPerHour {
        self.all_launches().map(PlannedLaunch::price).sum()
    }

    /// How many hosts are bought.
    pub fn n_hosts(&self) -> u32 {
        self.all_launches().map(|l| l.count).sum()
    }

    /// What is bought, for multi-node jobs too.
    pub fn all_launches(&self) -> impl Iterator<Item = &PlannedLaunch> {
        self.launches.iter().chain(self.gangs.iter().flat_map(|gang| &gang.launches))
    }

    /// Whether there is nothing to do. To go on keeping room is nothing.
    pub fn is_empty(&self) -> bool {
        let starts = |gang: &GangPlan| gang.verdict == GangVerdict::Start;
        let is_at_rest = self.placements.is_empty() && self.give_back.is_empty();
        is_at_rest && self.all_launches().next().is_none() && !self.gangs.iter().any(starts)
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

    /// Whether what hosts of one type registered is to be taken for a sign of what types that were not seen yet will
    /// ([`Catalog::with_learned_of_others`]).
    fn learns_across_types(&self) -> bool {
        true
    }
}
