//! What the operator says of queues, their shares, pools of offerings, and things that there are only so many of.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use spillway_core::{
    ConsumableName, CpuUnits, Host, MiB, MicroUsdPerHour, Offering, PoolName, QueueName, ShareId,
};

use super::{EngineConfig, OfferingFilter};

/// How much may be in use at once. `None` is no limit. For a pool it is what its hosts have; for a queue or share, what its
/// jobs hold on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// CPU.
    pub cpu_max: Option<CpuUnits>,
    /// Memory.
    pub memory_max: Option<MiB>,
    /// GPUs.
    pub gpus_max: Option<u32>,
    /// Hosts.
    pub hosts_max: Option<u32>,
    /// Dollars per hour; of a host that is shared, its share.
    pub price_max: Option<MicroUsdPerHour>,
}

impl Caps {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Which cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapKind {
    /// `max-vcpus`.
    Vcpus,
    /// `max-memory`.
    Memory,
    /// `max-gpus`.
    Gpus,
    /// `max-hosts`.
    Hosts,
    /// `max-price-per-hour`.
    Price,
}

impl fmt::Display for CapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Vcpus => "max-vcpus",
            Self::Memory => "max-memory",
            Self::Gpus => "max-gpus",
            Self::Hosts => "max-hosts",
            Self::Price => "max-price-per-hour",
        })
    }
}

/// A part of what may be bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolRules {
    /// Its name.
    pub name: PoolName,
    /// What belongs to it, unless an earlier pool has it.
    pub offerings: OfferingFilter,
    /// How much its hosts may have.
    pub caps: Caps,
}

/// What a queue is beside its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRules {
    /// Jobs of a queue of a higher priority go first.
    pub priority: u32,
    /// The pools its jobs run in, the first first. Empty: all there are, in their order.
    pub pools: Vec<PoolName>,
    /// How much its jobs may hold.
    pub caps: Caps,
    /// How its shares take turns; none is in the order their jobs came.
    pub fair_share: Option<FairShare>,
    /// What is said of single shares.
    pub shares: Vec<ShareRules>,
}

/// AWS Batch's fair-share policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FairShare {
    /// What was used counts half after so long.
    pub decay: SignedDuration,
    /// The part of the vCPUs that is kept for shares that have no jobs, in percent to the power of the number of those that
    /// have; 0 to 99.
    pub compute_reservation: u8,
}

/// AWS Batch takes 0 as this (API reference, `FairsharePolicy.shareDecaySeconds`).
pub const SHARE_DECAY_DEFAULT: SignedDuration = SignedDuration::from_secs(600);

impl Default for FairShare {
    fn default() -> Self {
        Self { decay: SHARE_DECAY_DEFAULT, compute_reservation: 0 }
    }
}

/// What is said of a share, or of all that begin alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareRules {
    /// The share, or the beginning of shares followed by `*`.
    pub pattern: SharePattern,
    /// Half the weight gets twice as much.
    pub weight: Weight,
    /// How much the jobs of each may hold.
    pub caps: Caps,
}

/// A share, or the beginning of shares followed by `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SharePattern {
    start: String,
    is_prefix: bool,
}

impl SharePattern {
    fn matches(&self, share: &ShareId) -> bool {
        let share = share.as_str();
        if self.is_prefix { share.starts_with(&self.start) } else { share == self.start }
    }
}

impl fmt::Display for SharePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.start, if self.is_prefix { "*" } else { "" })
    }
}

impl FromStr for SharePattern {
    type Err = spillway_core::id::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, is_prefix) =
            text.strip_suffix('*').map_or((text, false), |start| (start, true));
        if !(start.is_empty() && is_prefix) {
            let _: ShareId = start.parse()?;
        }
        Ok(Self { start: start.to_owned(), is_prefix })
    }
}

impl TryFrom<String> for SharePattern {
    type Error = spillway_core::id::IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SharePattern> for String {
    fn from(pattern: SharePattern) -> Self {
        pattern.to_string()
    }
}

/// AWS Batch's `weightFactor`, 0.0001 to 999.9999, in ten-thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Weight(u32);

impl Weight {
    /// A share that nothing is said of: 1.
    pub const ONE: Self = Self(10_000);

    /// In ten-thousandths, 1 to 9,999,999.
    pub const fn from_parts(parts: u32) -> Option<Self> {
        if 1 <= parts && parts <= 9_999_999 { Some(Self(parts)) } else { None }
    }

    /// In ten-thousandths.
    pub const fn parts(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Weight {
    type Error = &'static str;

    fn try_from(parts: u32) -> Result<Self, Self::Error> {
        Self::from_parts(parts).ok_or("a weight factor is 0.0001 to 999.9999")
    }
}

impl From<Weight> for u32 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:04}", self.0 / 10_000, self.0 % 10_000);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl FromStr for Weight {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a weight factor is 0.0001 to 999.9999, such as 0.5";
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.len() > 3 || part.len() > 4 || !is_number(whole) || !is_number(part) {
            return Err(WRONG);
        }
        let parts = format!("{whole}{part:0<4}").parse().map_err(|_| WRONG)?;
        Self::from_parts(parts).ok_or(WRONG)
    }
}

static NO_RULES: QueueRules = QueueRules {
    priority: 0,
    pools: Vec::new(),
    caps: Caps {
        cpu_max: None,
        memory_max: None,
        gpus_max: None,
        hosts_max: None,
        price_max: None,
    },
    fair_share: None,
    shares: Vec::new(),
};

impl QueueRules {
    /// What is said of a share: by its name, else by the longest beginning.
    pub fn of_share(&self, share: &ShareId) -> Option<&ShareRules> {
        let matching = self.shares.iter().filter(|rules| rules.pattern.matches(share));
        matching.max_by_key(|rules| (!rules.pattern.is_prefix, rules.pattern.start.len()))
    }

    /// The weight of a share.
    pub fn weight(&self, share: &ShareId) -> Weight {
        self.of_share(share).map_or(Weight::ONE, |rules| rules.weight)
    }

    /// How much the jobs of a share may hold.
    pub fn share_caps(&self, share: &ShareId) -> Caps {
        self.of_share(share).map_or_else(Caps::default, |rules| rules.caps)
    }
}

impl EngineConfig {
    /// The rules of a queue.
    pub fn queue(&self, queue: &QueueName) -> &QueueRules {
        self.queue_rules.get(queue).unwrap_or(&NO_RULES)
    }

    /// How much there is of a consumable resource; nothing of one that is not named.
    pub fn consumable(&self, name: &ConsumableName) -> u64 {
        self.consumables.get(name).copied().unwrap_or(0)
    }

    /// The pool an offering belongs to: the first that lists it. None if pools are configured and none does.
    pub fn pool_of(&self, offering: &Offering) -> Option<usize> {
        self.pools.iter().position(|pool| pool.offerings.allows(offering))
    }

    /// The same of a host.
    pub fn pool_of_host(&self, host: &Host) -> Option<usize> {
        let allows = |pool: &PoolRules| pool.offerings.allows_pool(&host.pool, host.arch);
        self.pools.iter().position(allows)
    }

    /// The pools a queue's jobs run in, in order. Without pools there is one, of everything.
    pub fn pools_of(&self, queue: &QueueName) -> Vec<usize> {
        let all = 0..self.pools.len().max(1);
        let names = &self.queue(queue).pools;
        if names.is_empty() || self.pools.is_empty() {
            return all.collect();
        }
        let position = |name: &PoolName| self.pools.iter().position(|pool| pool.name == *name);
        names.iter().filter_map(position).collect()
    }

    /// Whether nothing is said that could make one job go before another, or hold one back.
    pub fn is_one_line(&self) -> bool {
        let is_plain = |rules: &QueueRules| *rules == NO_RULES;
        self.pools.is_empty() && self.queue_rules.values().all(is_plain)
    }
}

/// Things that there are only so many of.
pub type Consumables = BTreeMap<ConsumableName, u64>;

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(pattern: &str, weight: &str) -> ShareRules {
        let (pattern, weight) = (pattern.parse().unwrap(), weight.parse().unwrap());
        ShareRules { pattern, weight, caps: Caps::default() }
    }

    #[test]
    fn a_share_is_matched_by_its_name_else_by_the_longest_beginning() {
        let shares = vec![rules("team*", "2"), rules("teamA*", "0.5"), rules("teamA1", "4")];
        let queue = QueueRules { shares, ..QueueRules::default() };
        let weight = |share: &str| queue.weight(&share.parse().unwrap()).to_string();

        assert_eq!(weight("teamA1"), "4");
        assert_eq!(weight("teamA2"), "0.5");
        assert_eq!(weight("teamB"), "2");
        assert_eq!(weight("other"), "1");
    }

    #[test]
    fn a_weight_is_written_as_batch_writes_it() {
        for (text, parts) in [("1", 10_000), ("0.0001", 1), ("999.9999", 9_999_999), ("0.5", 5_000)]
        {
            let weight: Weight = text.parse().unwrap();
            assert_eq!((weight.parts(), weight.to_string().as_str()), (parts, text));
        }
        for wrong in ["0", "", "1000", "0.00001", "-1", "1e3", "."] {
            assert!(wrong.parse::<Weight>().is_err(), "{wrong}");
        }
    }
}
