//! The configuration: built-in values, then a file, then `SPILLWAY_*` variables, then flags. Resolved once.
//!
//! The structs here are the only list of the keys: names, defaults, help and JSON Schema all come from them.

mod budgets;
mod events;
mod hosts;
mod jobs;
pub mod layers;
mod ledger;
mod queues;
pub mod values;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillway_core::id::DeploymentName;
use spillway_core::{Arch, Market, MixRules, QueueName, Quotas};
use spillway_engine::limits as engine_limits;
use spillway_engine::{EngineConfig, Limits, OfferingFilter, Patience};

pub use budgets::BudgetConfig;
pub use events::EventsConfig;
pub use hosts::HostsConfig;
pub use jobs::{JobsConfig, JobsException};
pub use ledger::{LedgerPlace, LedgerPlaceError};
pub use queues::{PoolConfig, QueueConfig, ShareConfig};

pub use layers::{
    ConfigError, Environment, Key, Origin, Override, Resolved, keys, resolve, schema,
};
use values::{Cap, ConsumableTotal, Count, Dollars, Price, QueuePatience, Span, VcpuQuota, Vcpus};

/// Everything that can be configured. Keys are written in kebab-case, nested ones with a dot: `limits.max-hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    /// The name of this installation; every machine it buys carries it as a tag.
    #[schemars(with = "String")]
    pub deployment: DeploymentName,
    /// The job queues whose jobs are taken (a job's `jobQueue`). The first is the default of `submit`.
    #[schemars(with = "Vec<String>")]
    pub queues: Vec<QueueName>,
    /// What is said of single queues, as `[[queue]]`.
    pub queue: Vec<QueueConfig>,
    /// Parts of what may be bought, as `[[pool]]`, each with its own limits. None: all is one.
    pub pool: Vec<PoolConfig>,
    /// How much may be spent in a day, a week or a month, as `[[budget]]`.
    pub budget: Vec<BudgetConfig>,
    /// Things that jobs take and give back and that there are only so many of (`consumableResourceProperties`):
    /// `["licences=10"]`.
    #[schemars(with = "Vec<String>")]
    pub consumable_resources: Vec<ConsumableTotal>,
    /// The ledger: a SQLite file on this machine, or `dynamodb:TABLE` for a table that dispatchers on several machines share.
    pub ledger: LedgerPlace,
    /// Where this machine keeps its copy of a ledger in a table; no two dispatchers may share one.
    pub ledger_copy: PathBuf,

    /// The profile of the AWS configuration; none leaves it to AWS's own rules (`AWS_PROFILE`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The AWS region; none leaves it to AWS's own rules (`AWS_REGION`, the profile).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Where all AWS calls go instead of AWS, for an emulator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,

    /// The SQS queue that jobs are sent to.
    pub job_queue_name: String,
    /// Its URL; none looks it up by name. `file:FOLDER` is a folder that stands in for it beside `serve --world`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_queue_url: Option<String>,
    /// The SQS queue for messages that can never be a job.
    pub dead_letter_queue: String,
    /// The SQS queue that EventBridge sends news of tasks and instances to.
    pub event_queue: String,
    /// The ECS cluster.
    pub cluster: String,
    /// The subnets that hosts are launched in, one or more per zone.
    pub subnets: Vec<String>,
    /// The security groups of hosts; empty takes the VPC's default.
    pub security_groups: Vec<String>,
    /// The instance profile of hosts; it lets the ECS agent register.
    pub instance_profile: String,
    /// The machine images of hosts.
    pub ami: AmiConfig,
    /// The log group of jobs in Amazon `CloudWatch` Logs; none writes no logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
    /// The role with which ECS pulls images and writes logs for jobs that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_role: Option<String>,
    /// The image that brings the runner of shared tasks (`spillway.coalesce`); with `log-group`, where their reports are read. None
    /// gives every child a task of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_image: Option<String>,
    /// What hosts have beside their instances, and what that costs.
    pub hosts: HostsConfig,
    /// A file with prices that takes the place of AWS's price list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices_file: Option<PathBuf>,

    /// How much may run at once.
    pub limits: LimitsConfig,
    /// What may be bought.
    pub offerings: OfferingsConfig,
    /// What a job may ask for.
    pub jobs: JobsConfig,
    /// How to plan.
    pub plan: PlanConfig,
    /// News of jobs for others.
    pub job_events: EventsConfig,

    /// How long a host may have nothing to do before it is given back.
    pub idle_timeout: Span,
    /// A plan waits until no job has arrived for so long ...
    pub batch_idle: Span,
    /// ... but no longer than this after the first.
    pub batch_max: Span,
    /// How long a bought host may take to register.
    pub register_timeout: Span,
    /// How long a task may take from its placement to RUNNING; image pull is part of it.
    pub start_timeout: Span,
    /// How long a job waits for the message of one that it depends on.
    pub arrival_timeout: Span,
    /// How often the fleet is looked at, whatever the events say.
    pub observe_every: Span,
    /// How often offerings and prices are read again.
    pub prices_every: Span,
    /// Where `serve` answers `/metrics` and `/healthz`, such as `127.0.0.1:9464`; none opens no port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub metrics_address: Option<std::net::SocketAddr>,
}

/// The machine images of hosts: an AMI id, or the name of an SSM parameter that holds one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct AmiConfig {
    /// For `x86_64`; none takes Amazon's newest ECS-optimized Amazon Linux 2023.
    #[serde(skip_serializing_if = "Option::is_none", rename = "x86_64")]
    pub x86_64: Option<String>,
    /// For arm64; none takes Amazon's newest ECS-optimized Amazon Linux 2023.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm64: Option<String>,
    /// For types with GPUs; none takes Amazon's newest with NVIDIA's drivers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
}

/// How much may run at once. `"none"` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct LimitsConfig {
    /// Hosts.
    pub max_hosts: Cap<Count>,
    /// vCPUs over all hosts.
    pub max_vcpus: Cap<Vcpus>,
    /// Dollars per hour over all hosts.
    pub max_price_per_hour: Cap<Price>,
    /// Dollars per hour over all hosts that may be spent without being asked. What would cost more is held until somebody approves it
    /// with `spillway approve`; up to here hosts are bought as ever.
    pub approve_over: Cap<Price>,
    /// SQS's `SenderId` of those who may approve more (`AROAEXAMPLE:*` for a role); a trailing `*` matches the rest. Empty is
    /// everybody who may send to the queue.
    pub approvers: Vec<String>,
    /// Nothing but a single probe is bought when at least so many dollars, and at least half of all that was paid within half an hour,
    /// went to hosts that were gone again and had run nothing to its end.
    pub spend_surge_floor: Cap<Dollars>,
    /// vCPUs over the hosts that one of EC2's quotas counts: `["on-demand/standard=256", "spot/g=64"]`. The groups of families are
    /// standard (A, C, D, H, I, M, R, T, Z), g (G and VT), p, f, x, inf, trn, dl, hpc and u. What is not named is not limited.
    #[schemars(with = "Vec<String>")]
    pub vcpu_quotas: Vec<VcpuQuota>,
    /// No Spot is bought before On-Demand hosts have so many vCPUs.
    pub on_demand_base_vcpus: Vcpus,
    /// Spot is bought only up to this part of the fleet's vCPUs, in percent.
    pub max_spot_percent: Cap<Count>,
    /// On-Demand beyond the base is bought only while Spot has this part of the fleet's vCPUs, in percent; at most
    /// `max-spot-percent` counts. 0 is no limit.
    pub min_spot_percent: Count,
    /// A pool (type, zone and market) is bought from only up to this part of the fleet's vCPUs, in percent.
    pub max_pool_percent: Cap<Count>,
    /// The same for a zone.
    pub max_zone_percent: Cap<Count>,
    /// A pool and a zone may have so many vCPUs whatever their part: a small fleet cannot be spread.
    pub spread_above_vcpus: Vcpus,
}

/// What may be bought. An empty list allows everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct OfferingsConfig {
    /// Instance types; a trailing `*` matches the rest: `["c7*", "m5.large"]`.
    pub instance_types: Vec<String>,
    /// Availability zones.
    pub zones: Vec<String>,
    /// `spot` and `on-demand`.
    #[schemars(with = "Vec<String>")]
    pub markets: Vec<Market>,
    /// `x86_64` and `arm64`.
    #[schemars(with = "Vec<String>")]
    pub architectures: Vec<Arch>,
}

/// How to plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default)]
pub struct PlanConfig {
    /// No host larger than this, so that one interruption does not take everything.
    pub max_host_vcpus: Cap<Vcpus>,
    /// At most this many pools are named in one launch, 1 to 300.
    pub max_choices: Count,
    /// An alternative pool may cost this much more than the planned one, in percent.
    pub choice_premium_percent: Count,
    /// How long a job may wait to be run cheaply, unless it says itself (`spillway.patienceSeconds`, `spillway.deadline`). More
    /// patience, fewer and fuller hosts.
    pub patience: Span,
    /// The same for single queues: `["nightly=6h"]`.
    #[schemars(with = "Vec<String>")]
    pub queue_patience: Vec<QueuePatience>,
}

impl Default for Config {
    fn default() -> Self {
        let name = |text: &str| text.to_owned();
        Self {
            deployment: fixed("spillway"),
            queues: vec![fixed("default")],
            queue: Vec::new(),
            pool: Vec::new(),
            budget: Vec::new(),
            consumable_resources: Vec::new(),
            ledger: LedgerPlace::File(PathBuf::from("spillway.db")),
            ledger_copy: PathBuf::from("spillway-copy.db"),
            profile: None,
            region: None,
            endpoint_url: None,
            job_queue_name: name("spillway-jobs"),
            job_queue_url: None,
            dead_letter_queue: name("spillway-jobs-dlq"),
            event_queue: name("spillway-events"),
            cluster: name("spillway"),
            subnets: Vec::new(),
            security_groups: Vec::new(),
            instance_profile: name("spillway-host"),
            ami: AmiConfig::default(),
            log_group: None,
            execution_role: None,
            runner_image: None,
            hosts: HostsConfig::default(),
            prices_file: None,
            limits: LimitsConfig::default(),
            offerings: OfferingsConfig::default(),
            jobs: JobsConfig::default(),
            plan: PlanConfig::default(),
            job_events: EventsConfig::default(),
            idle_timeout: Span(engine_limits::IDLE_TIMEOUT_DEFAULT),
            batch_idle: Span(engine_limits::BATCH_IDLE_DEFAULT),
            batch_max: Span(engine_limits::BATCH_MAX_DEFAULT),
            register_timeout: Span(engine_limits::REGISTER_TIMEOUT_DEFAULT),
            start_timeout: Span(engine_limits::START_TIMEOUT_DEFAULT),
            arrival_timeout: Span(engine_limits::ARRIVAL_TIMEOUT_DEFAULT),
            observe_every: Span(engine_limits::OBSERVE_EVERY_DEFAULT),
            prices_every: Span(engine_limits::CATALOG_EVERY_DEFAULT),
            metrics_address: None,
        }
    }
}

/// A name that is written in this file.
#[expect(clippy::expect_used, reason = "the built-in names are valid; a test resolves them all")]
fn fixed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &'static str) -> T {
    text.parse().expect("a built-in name is valid")
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            max_hosts: Cap::At(Count(engine_limits::HOSTS_MAX_DEFAULT)),
            max_vcpus: Cap::At(Vcpus(engine_limits::CPU_MAX_DEFAULT)),
            max_price_per_hour: Cap::None,
            approve_over: Cap::None,
            approvers: Vec::new(),
            spend_surge_floor: Cap::At(Dollars(engine_limits::SPEND_SURGE_FLOOR_DEFAULT)),
            vcpu_quotas: Vec::new(),
            on_demand_base_vcpus: Vcpus(MixRules::NONE.on_demand_base),
            max_spot_percent: Cap::None,
            min_spot_percent: Count(0),
            max_pool_percent: Cap::None,
            max_zone_percent: Cap::None,
            spread_above_vcpus: Vcpus(MixRules::NONE.spread_above),
        }
    }
}

impl LimitsConfig {
    fn mix(&self) -> MixRules {
        let percent = |cap: Cap<Count>| cap.get().map_or(100, |percent| percent.0.min(100));
        let spot_percent_max = percent(self.max_spot_percent);
        MixRules {
            on_demand_base: self.on_demand_base_vcpus.0,
            spot_percent_min: self.min_spot_percent.0.min(spot_percent_max),
            spot_percent_max,
            pool_percent_max: percent(self.max_pool_percent),
            zone_percent_max: percent(self.max_zone_percent),
            spread_above: self.spread_above_vcpus.0,
        }
    }

    fn quotas(&self) -> Quotas {
        let of = |of: &VcpuQuota| (of.quota, of.vcpus.0);
        self.vcpu_quotas.iter().map(of).collect::<Vec<_>>().into()
    }
}

impl Default for PlanConfig {
    fn default() -> Self {
        let policy = spillway_core::PlanPolicy::default();
        Self {
            max_host_vcpus: policy.host_cpu_max.map_or(Cap::None, |cpu| Cap::At(Vcpus(cpu))),
            max_choices: Count(u32::try_from(policy.choices_max).unwrap_or(u32::MAX)),
            choice_premium_percent: Count(policy.choice_premium_percent),
            patience: Span(jiff::SignedDuration::ZERO),
            queue_patience: Vec::new(),
        }
    }
}

impl Config {
    /// What the control loop is told.
    pub fn engine(&self) -> EngineConfig {
        let text = |list: &[String]| list.to_vec();
        EngineConfig {
            queues: self.queues.clone(),
            queue_rules: self
                .queue
                .iter()
                .map(|queue| (queue.name.clone(), queue.rules()))
                .collect(),
            pools: self.pool.iter().map(PoolConfig::rules).collect(),
            consumables: self
                .consumable_resources
                .iter()
                .map(|of| (of.name.clone(), of.total))
                .collect(),
            budgets: self.budget.iter().map(BudgetConfig::rules).collect(),
            surge_floor: self.limits.spend_surge_floor.get().map(|n| n.0),
            limits: Limits {
                hosts_max: self.limits.max_hosts.get().map(|n| n.0),
                cpu_max: self.limits.max_vcpus.get().map(|n| n.0),
                price_max: self.limits.max_price_per_hour.get().map(|n| n.0),
                quotas: self.limits.quotas(),
                approve_over: self.limits.approve_over.get().map(|n| n.0),
                approvers: text(&self.limits.approvers),
            },
            offerings: OfferingFilter {
                instance_types: text(&self.offerings.instance_types),
                zones: text(&self.offerings.zones),
                markets: self.offerings.markets.clone(),
                archs: self.offerings.architectures.clone(),
            },
            jobs: self.jobs.policy(),
            plan: spillway_core::PlanPolicy {
                host_cpu_max: self.plan.max_host_vcpus.get().map(|n| n.0),
                choices_max: usize::try_from(self.plan.max_choices.0).unwrap_or(usize::MAX),
                choice_premium_percent: self.plan.choice_premium_percent.0,
                mix: self.limits.mix(),
                ..spillway_core::PlanPolicy::default()
            },
            patience: Patience {
                default: self.plan.patience.0,
                of_queue: self
                    .plan
                    .queue_patience
                    .iter()
                    .map(|of| (of.queue.clone(), of.patience.0))
                    .collect(),
            },
            idle_timeout: self.idle_timeout.0,
            batch_idle: self.batch_idle.0,
            batch_max: self.batch_max.0,
            register_timeout: self.register_timeout.0,
            start_timeout: self.start_timeout.0,
            arrival_timeout: self.arrival_timeout.0,
            observe_every: self.observe_every.0,
            catalog_every: self.prices_every.0,
            shares_tasks: self.runner_image.is_some() && self.log_group.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_configuration_is_the_engines_own() {
        let queues = vec!["default".parse().unwrap()];

        // Nothing runs in shared tasks before somebody says where the runner is.
        let engines = EngineConfig { queues, shares_tasks: false, ..EngineConfig::default() };
        assert_eq!(Config::default().engine(), engines);
    }
}
