//! How the fleet is to be mixed: shares of markets, pools and zones in its vCPUs.
//!
//! Rules bound what is bought. They end nothing that runs: a fleet may come to break one, when hosts are taken back or a
//! launch is not served, and then only such hosts are bought as do not make it worse.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::quantity::CpuUnits;

/// The rules. The default ones allow everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MixRules {
    /// No Spot is bought before On-Demand hosts have so much CPU.
    pub on_demand_base: CpuUnits,
    /// On-Demand beyond the base is bought only while Spot has this part of all vCPUs, in percent; 0 is no limit.
    pub spot_percent_min: u32,
    /// Spot is bought only up to this part of all vCPUs, in percent; 100 is no limit. Holds where both contradict.
    pub spot_percent_max: u32,
    /// A pool (type, zone and market) is bought from only up to this part of all vCPUs, in percent; 100 is no limit.
    pub pool_percent_max: u32,
    /// The same for a zone.
    pub zone_percent_max: u32,
    /// A pool and a zone may have so much CPU whatever their part: a small fleet cannot be spread.
    pub spread_above: CpuUnits,
}

/// A fleet smaller than a few large hosts is not worth spreading.
const SPREAD_ABOVE_DEFAULT: CpuUnits = CpuUnits::from_vcpus(64);

impl MixRules {
    /// Everything is allowed.
    pub const NONE: Self = Self {
        on_demand_base: CpuUnits::ZERO,
        spot_percent_min: 0,
        spot_percent_max: 100,
        pool_percent_max: 100,
        zone_percent_max: 100,
        spread_above: SPREAD_ABOVE_DEFAULT,
    };

    /// Whether one is set.
    pub fn is_set(&self, rule: MixRule) -> bool {
        match rule {
            MixRule::OnDemandBase => self.on_demand_base != CpuUnits::ZERO,
            MixRule::SpotMin => 0 < self.spot_percent_min,
            MixRule::SpotMax => self.spot_percent_max < 100,
            MixRule::Pool => self.pool_percent_max < 100,
            MixRule::Zone => self.zone_percent_max < 100,
        }
    }

    /// Whether none is.
    pub fn is_none(&self) -> bool {
        !MixRule::ALL.into_iter().any(|rule| self.is_set(rule))
    }

    /// All but one.
    #[must_use]
    pub fn without(mut self, rule: MixRule) -> Self {
        match rule {
            MixRule::OnDemandBase => self.on_demand_base = CpuUnits::ZERO,
            MixRule::SpotMin => self.spot_percent_min = 0,
            MixRule::SpotMax => self.spot_percent_max = 100,
            MixRule::Pool => self.pool_percent_max = 100,
            MixRule::Zone => self.zone_percent_max = 100,
        }
        self
    }
}

impl Default for MixRules {
    fn default() -> Self {
        Self::NONE
    }
}

/// One of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MixRule {
    /// See [`MixRules::on_demand_base`].
    OnDemandBase,
    /// See [`MixRules::spot_percent_min`].
    SpotMin,
    /// See [`MixRules::spot_percent_max`].
    SpotMax,
    /// See [`MixRules::pool_percent_max`].
    Pool,
    /// See [`MixRules::zone_percent_max`].
    Zone,
}

impl MixRule {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::OnDemandBase, Self::SpotMin, Self::SpotMax, Self::Pool, Self::Zone];
}

impl fmt::Display for MixRule {
    /// The key of the configuration, without its table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OnDemandBase => "on-demand-base-vcpus",
            Self::SpotMin => "min-spot-percent",
            Self::SpotMax => "max-spot-percent",
            Self::Pool => "max-pool-percent",
            Self::Zone => "max-zone-percent",
        })
    }
}
