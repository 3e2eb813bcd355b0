//! Queues, pools and consumable resources: `[[queue]]`, `[[queue.shares]]`, `[[pool]]` and `consumable-resources`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spillway_core::{Arch, Market, PoolName, QueueName};
use spillway_engine::{
    Caps, FairShare, OfferingFilter, PoolRules, QueueRules, SharePattern, ShareRules, Weight,
};

use super::values::{Cap, Count, Flag, Memory, Price, Span, Vcpus, WeightFactor};

/// What a queue is beside its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct QueueConfig {
    /// Its name. It need not be in `queues` too.
    #[schemars(with = "String")]
    pub name: QueueName,
    /// Jobs of a queue of a higher priority go first. Unsaid, 0.
    #[serde(default = "zero")]
    pub priority: Count,
    /// The pools its jobs run in, by name, the first first. Empty: all there are, in their order.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub pools: Vec<PoolName>,
    /// Whether its shares (`shareIdentifier`) take turns by what they have used. Else its jobs go in the order they came.
    #[serde(default = "no")]
    pub fair_share: Flag,
    /// What a share has used counts half after so long. Unsaid, or 0, ten minutes.
    #[serde(default = "decay_default")]
    pub share_decay: Span,
    /// This part of the queue's vCPUs (`max-vcpus` of the queue, else of `[limits]`) is kept for shares without jobs, in percent,
    /// to the power of the number of shares with jobs; 0 to 99.
    #[serde(default = "zero")]
    pub compute_reservation: Count,
    /// vCPUs that its jobs may hold together.
    #[serde(default)]
    pub max_vcpus: Cap<Vcpus>,
    /// Memory that its jobs may hold together.
    #[serde(default)]
    pub max_memory: Cap<Memory>,
    /// GPUs that its jobs may hold together.
    #[serde(default)]
    pub max_gpus: Cap<Count>,
    /// Hosts that its jobs may be on.
    #[serde(default)]
    pub max_hosts: Cap<Count>,
    /// Dollars per hour of what its jobs hold: of each host its share.
    #[serde(default)]
    pub max_price_per_hour: Cap<Price>,
    /// What is said of single shares, as `[[queue.shares]]`.
    #[serde(default)]
    pub shares: Vec<ShareConfig>,
}

/// What is said of a share, or of all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ShareConfig {
    /// The share, or the beginning of shares followed by `*`. The name itself wins, then the longest beginning.
    #[schemars(with = "String")]
    pub share: SharePattern,
    /// AWS Batch's `weightFactor`: half the weight gets twice as much. 0.0001 to 999.9999; unsaid, 1.
    #[serde(default = "weight_default")]
    pub weight: WeightFactor,
    /// See `[[queue]]`; for each share by itself.
    #[serde(default)]
    pub max_vcpus: Cap<Vcpus>,
    /// See `[[queue]]`; for each share by itself.
    #[serde(default)]
    pub max_memory: Cap<Memory>,
    /// See `[[queue]]`; for each share by itself.
    #[serde(default)]
    pub max_gpus: Cap<Count>,
    /// See `[[queue]]`; for each share by itself.
    #[serde(default)]
    pub max_hosts: Cap<Count>,
    /// See `[[queue]]`; for each share by itself.
    #[serde(default)]
    pub max_price_per_hour: Cap<Price>,
}

/// A part of what may be bought, with limits of its own. An offering belongs to the first pool that lists it; with pools,
/// what none lists is not bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PoolConfig {
    /// Its name.
    #[schemars(with = "String")]
    pub name: PoolName,
    /// Instance types; a trailing `*` matches the rest. Empty allows all.
    #[serde(default)]
    pub instance_types: Vec<String>,
    /// Availability zones. Empty allows all.
    #[serde(default)]
    pub zones: Vec<String>,
    /// `spot` and `on-demand`. Empty allows both.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub markets: Vec<Market>,
    /// `x86_64` and `arm64`. Empty allows both.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub architectures: Vec<Arch>,
    /// vCPUs over its hosts.
    #[serde(default)]
    pub max_vcpus: Cap<Vcpus>,
    /// Memory over its hosts.
    #[serde(default)]
    pub max_memory: Cap<Memory>,
    /// GPUs over its hosts.
    #[serde(default)]
    pub max_gpus: Cap<Count>,
    /// Hosts.
    #[serde(default)]
    pub max_hosts: Cap<Count>,
    /// Dollars per hour over its hosts.
    #[serde(default)]
    pub max_price_per_hour: Cap<Price>,
}

const fn zero() -> Count {
    Count(0)
}

const fn no() -> Flag {
    Flag(false)
}

const fn decay_default() -> Span {
    Span(spillway_engine::config::SHARE_DECAY_DEFAULT)
}

const fn weight_default() -> WeightFactor {
    WeightFactor(Weight::ONE)
}

fn caps(
    vcpus: Cap<Vcpus>,
    memory: Cap<Memory>,
    gpus: Cap<Count>,
    hosts: Cap<Count>,
    price: Cap<Price>,
) -> Caps {
    Caps {
        cpu_max: vcpus.get().map(|n| n.0),
        memory_max: memory.get().map(|n| n.0),
        gpus_max: gpus.get().map(|n| n.0),
        hosts_max: hosts.get().map(|n| n.0),
        price_max: price.get().map(|n| n.0),
    }
}

impl QueueConfig {
    pub(super) fn rules(&self) -> QueueRules {
        let decay = if self.share_decay.0.is_zero() { decay_default() } else { self.share_decay };
        let fair_share = FairShare {
            decay: decay.0,
            compute_reservation: u8::try_from(self.compute_reservation.0).unwrap_or(99).min(99),
        };
        QueueRules {
            priority: self.priority.0,
            pools: self.pools.clone(),
            caps: caps(
                self.max_vcpus,
                self.max_memory,
                self.max_gpus,
                self.max_hosts,
                self.max_price_per_hour,
            ),
            fair_share: self.fair_share.0.then_some(fair_share),
            shares: self.shares.iter().map(ShareConfig::rules).collect(),
        }
    }
}

impl ShareConfig {
    fn rules(&self) -> ShareRules {
        ShareRules {
            pattern: self.share.clone(),
            weight: self.weight.0,
            caps: caps(
                self.max_vcpus,
                self.max_memory,
                self.max_gpus,
                self.max_hosts,
                self.max_price_per_hour,
            ),
        }
    }
}

impl PoolConfig {
    pub(super) fn rules(&self) -> PoolRules {
        PoolRules {
            name: self.name.clone(),
            offerings: OfferingFilter {
                instance_types: self.instance_types.clone(),
                zones: self.zones.clone(),
                markets: self.markets.clone(),
                archs: self.architectures.clone(),
            },
            caps: caps(
                self.max_vcpus,
                self.max_memory,
                self.max_gpus,
                self.max_hosts,
                self.max_price_per_hour,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn queues_and_pools_are_tables() {
        let config: Config = toml::from_str(
            r#"
            queues = ["default"]
            consumable-resources = ["licences=10"]

            [[queue]]
            name = "nightly"
            priority = 5
            pools = ["cheap"]
            fair-share = true
            share-decay = "1h"
            max-vcpus = 64

            [[queue.shares]]
            share = "team*"
            weight = 0.5
            max-gpus = 2

            [[pool]]
            name = "cheap"
            markets = ["spot"]
            max-price-per-hour = "$3"
            "#,
        )
        .unwrap();

        let engine = config.engine();

        let nightly = engine.queue(&"nightly".parse().unwrap());
        assert_eq!((nightly.priority, nightly.fair_share.unwrap().decay.as_secs()), (5, 3_600));
        assert_eq!(nightly.weight(&"teamA".parse().unwrap()).to_string(), "0.5");
        assert_eq!(nightly.share_caps(&"teamB".parse().unwrap()).gpus_max, Some(2));
        assert_eq!(engine.pools[0].caps.price_max.unwrap().get(), 3_000_000);
        assert_eq!(engine.consumable(&"licences".parse().unwrap()), 10);
    }
}
