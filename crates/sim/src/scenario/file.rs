//! The TOML form of a scenario. What is not said keeps its default; what is not known is refused.

mod budgets;
mod queues;
mod workload;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use spillway_core::quantity::QuantityError;
use spillway_core::{
    Arch, ConsumableName, CpuUnits, Extras, Market, MiB, MicroUsdPerHour, MixRules, QueueName,
    Quota, cost,
};
use spillway_engine::EngineConfig;

use super::{Scenario, ScenarioError};
use crate::setting::{Chance, Span, Spread};
use crate::world::{Faults, Out, Outage, PoolPattern, PoolRule, Reclaim, WorldConfig};
use budgets::BudgetFile;
use queues::{EnginePoolFile, QueueFile};
use workload::WorkloadFile;

/// When a scenario begins that does not say: a Monday.
pub(super) const START_DEFAULT: &str = "2026-01-05T00:00:00Z";

/// How long a scenario may take that does not say.
const LIMIT_DEFAULT: SignedDuration = SignedDuration::from_hours(48);

const QUEUE_DEFAULT: &str = "default";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScenarioFile {
    #[serde(default)]
    name: String,
    #[serde(default)]
    seed: u64,
    start: Option<Timestamp>,
    limit: Option<Span>,
    #[serde(default)]
    engine: EngineFile,
    #[serde(default)]
    world: WorldFile,
    #[serde(default)]
    faults: Faults,
    #[serde(default)]
    workload: WorkloadFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EngineFile {
    queues: Option<Vec<QueueName>>,
    /// What is said of single queues.
    #[serde(default)]
    queue: BTreeMap<QueueName, QueueFile>,
    #[serde(default)]
    pools: Vec<EnginePoolFile>,
    #[serde(default)]
    consumables: BTreeMap<ConsumableName, u64>,
    #[serde(default)]
    budgets: Vec<BudgetFile>,
    /// Dollars; unsaid, the control loop's own.
    surge_floor: Option<String>,
    hosts_max: Option<u32>,
    vcpus_max: Option<u32>,
    price_max: Option<String>,
    /// Dollars per hour that may be spent without being asked.
    approve_over: Option<String>,
    #[serde(default)]
    mix: MixFile,
    #[serde(default)]
    vcpu_quotas: BTreeMap<Quota, u32>,
    instance_types: Option<Vec<String>>,
    zones: Option<Vec<String>>,
    markets: Option<Vec<Market>>,
    architectures: Option<Vec<Arch>>,
    host_vcpus_max: Option<u32>,
    choices_max: Option<usize>,
    choice_premium_percent: Option<u32>,
    idle_timeout: Option<Span>,
    batch_idle: Option<Span>,
    batch_max: Option<Span>,
    register_timeout: Option<Span>,
    start_timeout: Option<Span>,
    observe_every: Option<Span>,
    catalog_every: Option<Span>,
}

/// How the fleet is to be mixed, in whole vCPUs and percent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MixFile {
    on_demand_base_vcpus: Option<u32>,
    spot_percent_min: Option<u32>,
    spot_percent_max: Option<u32>,
    pool_percent_max: Option<u32>,
    zone_percent_max: Option<u32>,
    spread_above_vcpus: Option<u32>,
}

impl MixFile {
    fn resolve(self) -> MixRules {
        let none = MixRules::NONE;
        let vcpus = |n: Option<u32>| n.map(CpuUnits::from_vcpus);
        MixRules {
            on_demand_base: vcpus(self.on_demand_base_vcpus).unwrap_or(none.on_demand_base),
            spot_percent_min: self.spot_percent_min.unwrap_or(none.spot_percent_min),
            spot_percent_max: self.spot_percent_max.unwrap_or(none.spot_percent_max),
            pool_percent_max: self.pool_percent_max.unwrap_or(none.pool_percent_max),
            zone_percent_max: self.zone_percent_max.unwrap_or(none.zone_percent_max),
            spread_above: vcpus(self.spread_above_vcpus).unwrap_or(none.spread_above),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldFile {
    boot: Option<Spread>,
    pull: Option<Spread>,
    start: Option<Spread>,
    stop: Option<Spread>,
    sigterm: Option<Spread>,
    stop_timeout: Option<Span>,
    shutdown: Option<Spread>,
    overhead_permille: Option<(u32, u32)>,
    event_latency: Option<Spread>,
    call_latency: Option<Spread>,
    list_lag: Option<Spread>,
    visibility_timeout: Option<Span>,
    notice: Option<Span>,
    interruptions: Option<Chance>,
    agent_absence: Option<Spread>,
    on_demand_vcpus_max: Option<u32>,
    spot_vcpus_max: Option<u32>,
    instance_types: Option<Vec<String>>,
    /// The size of a host's root volume; none costs nothing.
    root_volume: Option<String>,
    /// Dollars for a GiB of it and a month; unsaid, those of gp3 in us-east-1.
    volume_price: Option<String>,
    /// Dollars per hour of the public address of a host; none has none.
    public_address_price: Option<String>,
    #[serde(default)]
    pools: Vec<PoolFile>,
    #[serde(default)]
    reclaims: Vec<ReclaimFile>,
    api_percent: Option<u32>,
    #[serde(default)]
    outages: Vec<OutageFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PoolFile {
    #[serde(rename = "type")]
    instance_type: Option<String>,
    zone: Option<String>,
    market: Option<Market>,
    capacity: Option<u32>,
    #[serde(default)]
    dry: Vec<Spread>,
    #[serde(default)]
    unsupported: bool,
    interruptions: Option<Chance>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReclaimFile {
    at: Span,
    #[serde(rename = "type")]
    instance_type: Option<String>,
    zone: Option<String>,
    part: Option<Chance>,
}

/// What is out: exactly one thing, from when and for how long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutageFile {
    what: Out,
    from: Span,
    lasts: Span,
}

impl ScenarioFile {
    pub(super) fn resolve(self, folder: Option<&Path>) -> Result<Scenario, ScenarioError> {
        let start_default = START_DEFAULT.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let engine = self.engine.resolve()?;
        let queue = engine.queues.first().cloned();
        let mut world = self.world.resolve()?;
        world.seed = self.seed;
        world.faults = self.faults;
        Ok(Scenario {
            name: self.name,
            seed: self.seed,
            start: self.start.unwrap_or(start_default),
            limit: self.limit.map_or(LIMIT_DEFAULT, |Span(limit)| limit),
            patience: None,
            engine,
            world,
            workload: self.workload.resolve(queue.as_ref(), folder)?,
        })
    }
}

impl EngineFile {
    fn resolve(self) -> Result<EngineConfig, ScenarioError> {
        let queues = match self.queues {
            Some(queues) => queues,
            None => QUEUE_DEFAULT.parse().into_iter().collect(),
        };
        let mut config = EngineConfig { queues, ..EngineConfig::default() };
        // There is no role to be taken here.
        config.jobs.rules.host_network = true;
        if let Some(n) = self.hosts_max {
            config.limits.hosts_max = Some(n);
        }
        if let Some(n) = self.vcpus_max {
            config.limits.cpu_max = Some(CpuUnits::from_vcpus(n));
        }
        if let Some(price) = self.price_max {
            let price: Result<MicroUsdPerHour, _> = price.parse();
            let price =
                price.map_err(|e| ScenarioError::invalid(format!("engine.price_max: {e}")))?;
            config.limits.price_max = Some(price);
        }
        if let Some(price) = self.approve_over {
            let price: Result<MicroUsdPerHour, _> = price.parse();
            let price =
                price.map_err(|e| ScenarioError::invalid(format!("engine.approve_over: {e}")))?;
            config.limits.approve_over = Some(price);
        }
        queues::resolve(&mut config, self.queue, self.pools, self.consumables)?;
        budgets::resolve(&mut config, self.budgets, self.surge_floor.as_deref())?;
        config.plan.mix = self.mix.resolve();
        for (quota, vcpus) in self.vcpu_quotas {
            config.limits.quotas.set(quota, Some(CpuUnits::from_vcpus(vcpus)));
        }
        config.offerings.instance_types = self.instance_types.unwrap_or_default();
        config.offerings.zones = self.zones.unwrap_or_default();
        config.offerings.markets = self.markets.unwrap_or_default();
        config.offerings.archs = self.architectures.unwrap_or_default();
        config.plan.host_cpu_max = self.host_vcpus_max.map(CpuUnits::from_vcpus);
        if let Some(n) = self.choices_max {
            config.plan.choices_max = n;
        }
        if let Some(percent) = self.choice_premium_percent {
            config.plan.choice_premium_percent = percent;
        }
        for (given, field) in [
            (self.idle_timeout, &mut config.idle_timeout),
            (self.batch_idle, &mut config.batch_idle),
            (self.batch_max, &mut config.batch_max),
            (self.register_timeout, &mut config.register_timeout),
            (self.start_timeout, &mut config.start_timeout),
            (self.observe_every, &mut config.observe_every),
            (self.catalog_every, &mut config.catalog_every),
        ] {
            if let Some(Span(span)) = given {
                *field = span;
            }
        }
        Ok(config)
    }
}

impl WorldFile {
    /// What its hosts cost beside their instances.
    fn extras(&self) -> Result<Extras, ScenarioError> {
        fn read<T: FromStr<Err = QuantityError>>(
            key: &str,
            given: Option<&String>,
        ) -> Result<Option<T>, ScenarioError> {
            let wrong = |e| ScenarioError::invalid(format!("world.{key}: {e}"));
            given.map(|text| text.parse().map_err(wrong)).transpose()
        }
        let size: Option<MiB> = read("root_volume", self.root_volume.as_ref())?;
        let gib = size.map_or(0, |size| size.get().div_ceil(MiB::from_gib(1).get()));
        let per_gib_month = read("volume_price", self.volume_price.as_ref())?;
        let address: Option<MicroUsdPerHour> =
            read("public_address_price", self.public_address_price.as_ref())?;
        let volume = cost::volume_price(gib, per_gib_month.unwrap_or(cost::VOLUME_PRICE_DEFAULT));
        Ok(Extras::everywhere(volume.saturating_add(address.unwrap_or_default())))
    }

    fn resolve(self) -> Result<WorldConfig, ScenarioError> {
        let extras = self.extras()?;
        let usual = WorldConfig::default();
        let span = |given: Option<Span>, usual| given.map_or(usual, |Span(s)| s);
        Ok(WorldConfig {
            seed: 0,
            boot: self.boot.unwrap_or(usual.boot),
            pull: self.pull.unwrap_or(usual.pull),
            start: self.start.unwrap_or(usual.start),
            stop: self.stop.unwrap_or(usual.stop),
            sigterm: self.sigterm.unwrap_or(usual.sigterm),
            stop_timeout: span(self.stop_timeout, usual.stop_timeout),
            shutdown: self.shutdown.unwrap_or(usual.shutdown),
            overhead_permille: self.overhead_permille.unwrap_or(usual.overhead_permille),
            event_latency: self.event_latency.unwrap_or(usual.event_latency),
            call_latency: self.call_latency.unwrap_or(usual.call_latency),
            list_lag: self.list_lag.unwrap_or(usual.list_lag),
            visibility_timeout: span(self.visibility_timeout, usual.visibility_timeout),
            notice: span(self.notice, usual.notice),
            interruptions: self.interruptions.unwrap_or(usual.interruptions),
            agent_absence: self.agent_absence.unwrap_or(usual.agent_absence),
            on_demand_vcpus_max: self.on_demand_vcpus_max,
            spot_vcpus_max: self.spot_vcpus_max,
            instance_types: self.instance_types.unwrap_or_default(),
            offers: Vec::new(),
            extras,
            pools: self.pools.into_iter().map(PoolFile::resolve).collect(),
            reclaims: self.reclaims.into_iter().map(ReclaimFile::resolve).collect(),
            api_percent: self.api_percent.unwrap_or(usual.api_percent),
            outages: self.outages.into_iter().map(OutageFile::resolve).collect(),
            faults: Faults::default(),
        })
    }
}

impl OutageFile {
    fn resolve(self) -> Outage {
        let Self { what, from: Span(from), lasts: Span(lasts) } = self;
        Outage { what, from, lasts }
    }
}

impl PoolFile {
    fn resolve(self) -> PoolRule {
        let pools =
            PoolPattern { instance_type: self.instance_type, zone: self.zone, market: self.market };
        PoolRule {
            pools,
            capacity: self.capacity,
            dry: self.dry.into_iter().map(|window| (window.min, window.max)).collect(),
            unsupported: self.unsupported,
            interruptions: self.interruptions,
        }
    }
}

impl ReclaimFile {
    fn resolve(self) -> Reclaim {
        let pools = PoolPattern {
            instance_type: self.instance_type,
            zone: self.zone,
            market: Some(Market::Spot),
        };
        Reclaim { at: self.at.0, pools, part: self.part.unwrap_or(Chance::percent(100)) }
    }
}
