//! What the operator decides about the control loop. Resolved before it starts; no field is optional by accident.

mod budgets;
mod queues;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use spillway_core::catalog::Offering;
use spillway_core::plan::{FilterKind, FilterSet, PlanPolicy};
use spillway_core::{Arch, CpuUnits, Market, MicroUsd, MicroUsdPerHour, PoolId, QueueName, Quotas};

use crate::limits;
use crate::policy::{JobPolicy, matches};

pub use budgets::{BudgetRules, BudgetScope, WARN_PERCENT_DEFAULT};
pub use queues::{
    CapKind, Caps, Consumables, FairShare, PoolRules, QueueRules, SHARE_DECAY_DEFAULT,
    SharePattern, ShareRules, Weight,
};

/// How much may run at once. `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Hosts.
    pub hosts_max: Option<u32>,
    /// CPU over all hosts.
    pub cpu_max: Option<CpuUnits>,
    /// Dollars per hour over all hosts.
    pub price_max: Option<MicroUsdPerHour>,
    /// CPU over the hosts that each of EC2's vCPU quotas counts.
    #[serde(default)]
    pub quotas: Quotas,
    /// Dollars per hour over all hosts that may be spent without being asked: what is dearer waits until somebody approves it.
    #[serde(default)]
    pub approve_over: Option<MicroUsdPerHour>,
    /// SQS's `SenderId` of those who may approve more; a trailing `*` matches the rest. Empty is everybody who may send orders.
    #[serde(default)]
    pub approvers: Vec<String>,
}

/// What may be bought. An empty list allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferingFilter {
    /// Instance types; a trailing `*` matches the rest (`c7*`, `m5.large`).
    pub instance_types: Vec<String>,
    /// Availability zones.
    pub zones: Vec<String>,
    /// Markets.
    pub markets: Vec<Market>,
    /// Architectures.
    pub archs: Vec<Arch>,
}

impl OfferingFilter {
    /// Whether this may be bought.
    pub fn allows(&self, offering: &Offering) -> bool {
        self.left_out_by(offering).is_empty()
    }

    /// Whether what this pool of EC2's sells may be bought.
    pub fn allows_pool(&self, pool: &PoolId, arch: Arch) -> bool {
        self.left_out(pool, arch).is_empty()
    }

    /// The lists that leave it out, each for itself.
    pub fn left_out_by(&self, offering: &Offering) -> FilterSet {
        self.left_out(&offering.pool, offering.arch)
    }

    fn left_out(&self, pool: &PoolId, arch: Arch) -> FilterSet {
        let type_allowed = self.instance_types.is_empty()
            || self.instance_types.iter().any(|pattern| matches(pattern, &pool.instance_type));
        let zone_allowed =
            self.zones.is_empty() || self.zones.iter().any(|z| z == pool.zone.as_str());
        let market_allowed = self.markets.is_empty() || self.markets.contains(&pool.market);
        let arch_allowed = self.archs.is_empty() || self.archs.contains(&arch);
        let allowed = [
            (FilterKind::InstanceTypes, type_allowed),
            (FilterKind::Zones, zone_allowed),
            (FilterKind::Markets, market_allowed),
            (FilterKind::Architectures, arch_allowed),
        ];
        let left_out = allowed.into_iter().filter(|(_, allowed)| !allowed);
        left_out.fold(FilterSet::EMPTY, |set, (kind, _)| set.with(kind))
    }
}

/// How long jobs may wait to be run cheaply if they do not say it themselves. More patience, smaller bills.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// In every queue that is not listed.
    pub default: SignedDuration,
    /// In these queues.
    pub of_queue: BTreeMap<QueueName, SignedDuration>,
}

impl Patience {
    /// In this queue.
    pub fn of(&self, queue: &QueueName) -> SignedDuration {
        self.of_queue.get(queue).copied().unwrap_or(self.default)
    }
}

/// Everything the control loop is told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineConfig {
    /// The queues whose jobs are taken. A job for another one is a dead letter.
    pub queues: Vec<QueueName>,
    /// What is said of single queues.
    #[serde(default)]
    pub queue_rules: BTreeMap<QueueName, QueueRules>,
    /// Parts of what may be bought, each with its own limits. None: all is one.
    #[serde(default)]
    pub pools: Vec<PoolRules>,
    /// Things that there are only so many of, and how many.
    #[serde(default)]
    pub consumables: Consumables,
    /// How much may be spent in a day, a week or a month.
    #[serde(default)]
    pub budgets: Vec<BudgetRules>,
    /// From how much money on that is paid in vain a breaker opens; none never does. See [`limits::SPEND_WINDOW`].
    #[serde(default)]
    pub surge_floor: Option<MicroUsd>,
    /// How much may run at once.
    pub limits: Limits,
    /// What may be bought.
    pub offerings: OfferingFilter,
    /// What a job may ask for.
    pub jobs: JobPolicy,
    /// How to plan.
    pub plan: PlanPolicy,
    /// How long jobs may wait to be run cheaply.
    pub patience: Patience,
    /// How long a job waits for the message of one that it depends on.
    pub arrival_timeout: SignedDuration,
    /// How long a host may have nothing to do before it is given back.
    pub idle_timeout: SignedDuration,
    /// A plan waits until no job has arrived for so long ...
    pub batch_idle: SignedDuration,
    /// ... but no longer than this after the first.
    pub batch_max: SignedDuration,
    /// How long a bought host may take to register.
    pub register_timeout: SignedDuration,
    /// How long a task may take from its placement to RUNNING; image pull is part of it.
    pub start_timeout: SignedDuration,
    /// How often the fleet is looked at, whatever the events say.
    pub observe_every: SignedDuration,
    /// How often offerings and prices are read again.
    pub catalog_every: SignedDuration,
    /// Whether children of an array may share tasks where it asks for that. Else each has its own.
    pub shares_tasks: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            queues: Vec::new(),
            queue_rules: BTreeMap::new(),
            pools: Vec::new(),
            consumables: BTreeMap::new(),
            budgets: Vec::new(),
            surge_floor: Some(limits::SPEND_SURGE_FLOOR_DEFAULT),
            limits: Limits {
                hosts_max: Some(limits::HOSTS_MAX_DEFAULT),
                cpu_max: Some(limits::CPU_MAX_DEFAULT),
                price_max: None,
                quotas: Quotas::NONE,
                approve_over: None,
                approvers: Vec::new(),
            },
            offerings: OfferingFilter::default(),
            jobs: JobPolicy::default(),
            plan: PlanPolicy::default(),
            patience: Patience::default(),
            arrival_timeout: limits::ARRIVAL_TIMEOUT_DEFAULT,
            idle_timeout: limits::IDLE_TIMEOUT_DEFAULT,
            batch_idle: limits::BATCH_IDLE_DEFAULT,
            batch_max: limits::BATCH_MAX_DEFAULT,
            register_timeout: limits::REGISTER_TIMEOUT_DEFAULT,
            start_timeout: limits::START_TIMEOUT_DEFAULT,
            observe_every: limits::OBSERVE_EVERY_DEFAULT,
            catalog_every: limits::CATALOG_EVERY_DEFAULT,
            shares_tasks: true,
        }
    }
}
