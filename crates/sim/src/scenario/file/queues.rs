//! The queues, pools and consumable resources of a scenario's TOML.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Deserialize;
use spillway_core::{Arch, ConsumableName, CpuUnits, Market, MiB, PoolName, QueueName};
use spillway_engine::{
    Caps, EngineConfig, FairShare, OfferingFilter, PoolRules, QueueRules, SharePattern, ShareRules,
    Weight,
};

use crate::scenario::ScenarioError;
use crate::setting::Span;

/// What a queue is beside its name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QueueFile {
    priority: u32,
    pools: Vec<PoolName>,
    fair_share: bool,
    share_decay: Option<Span>,
    compute_reservation: u8,
    caps: CapsFile,
    shares: BTreeMap<SharePattern, ShareFile>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ShareFile {
    weight: Option<String>,
    caps: CapsFile,
}

/// Limits in whole vCPUs and hosts, and with their units.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CapsFile {
    vcpus: Option<u32>,
    memory: Option<String>,
    gpus: Option<u32>,
    hosts: Option<u32>,
    price: Option<String>,
}

/// A part of what may be bought.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnginePoolFile {
    name: PoolName,
    #[serde(default)]
    instance_types: Vec<String>,
    #[serde(default)]
    zones: Vec<String>,
    #[serde(default)]
    markets: Vec<Market>,
    #[serde(default)]
    architectures: Vec<Arch>,
    #[serde(default)]
    caps: CapsFile,
}

fn invalid(key: &str, error: &dyn Display) -> ScenarioError {
    ScenarioError::invalid(format!("engine: {key}: {error}"))
}

impl CapsFile {
    fn resolve(self) -> Result<Caps, ScenarioError> {
        let memory: Option<MiB> = self
            .memory
            .map(|text| text.parse().map_err(|error| invalid("memory", &error)))
            .transpose()?;
        let price = self
            .price
            .map(|text| text.parse().map_err(|error| invalid("price", &error)))
            .transpose()?;
        Ok(Caps {
            cpu_max: self.vcpus.map(CpuUnits::from_vcpus),
            memory_max: memory,
            gpus_max: self.gpus,
            hosts_max: self.hosts,
            price_max: price,
        })
    }
}

impl QueueFile {
    fn resolve(self) -> Result<QueueRules, ScenarioError> {
        let usual = FairShare::default();
        let fair_share = FairShare {
            decay: self.share_decay.map_or(usual.decay, |Span(decay)| decay),
            compute_reservation: self.compute_reservation,
        };
        let mut shares = Vec::new();
        for (pattern, share) in self.shares {
            let weight = share.weight.as_deref().map(str::parse).transpose();
            let weight = weight.map_err(|error| invalid("weight", &error))?;
            let caps = share.caps.resolve()?;
            shares.push(ShareRules { pattern, weight: weight.unwrap_or(Weight::ONE), caps });
        }
        Ok(QueueRules {
            priority: self.priority,
            pools: self.pools,
            caps: self.caps.resolve()?,
            fair_share: self.fair_share.then_some(fair_share),
            shares,
        })
    }
}

/// Puts them into the configuration. A queue that is said something of is served.
pub(super) fn resolve(
    config: &mut EngineConfig,
    queues: BTreeMap<QueueName, QueueFile>,
    pools: Vec<EnginePoolFile>,
    consumables: BTreeMap<ConsumableName, u64>,
) -> Result<(), ScenarioError> {
    for (name, queue) in queues {
        if !config.queues.contains(&name) {
            config.queues.push(name.clone());
        }
        config.queue_rules.insert(name, queue.resolve()?);
    }
    for pool in pools {
        config.pools.push(PoolRules {
            name: pool.name,
            offerings: OfferingFilter {
                instance_types: pool.instance_types,
                zones: pool.zones,
                markets: pool.markets,
                archs: pool.architectures,
            },
            caps: pool.caps.resolve()?,
        });
    }
    config.consumables = consumables;
    Ok(())
}
