//! What the rules of the mix count, and what they leave to buy.

use std::collections::BTreeMap;

use spillway_core::{Market, MixRule, MixRules, PlanInput, PoolId, Zone};

/// CPU units of all hosts, by what the rules tell apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Fleet {
    pub(super) on_demand: u64,
    pub(super) spot: u64,
    pools: BTreeMap<PoolId, u64>,
    zones: BTreeMap<Zone, u64>,
}

impl Fleet {
    pub(super) fn of(input: &PlanInput) -> Self {
        let mut fleet = Self::default();
        for (pool, cpu) in &input.fleet {
            fleet.add(pool, cpu.get().into());
        }
        fleet
    }

    pub(super) fn total(&self) -> u64 {
        self.on_demand.saturating_add(self.spot)
    }

    pub(super) fn add(&mut self, pool: &PoolId, cpu: u64) {
        match pool.market {
            Market::OnDemand => self.on_demand = self.on_demand.saturating_add(cpu),
            Market::Spot => self.spot = self.spot.saturating_add(cpu),
        }
        self.reserve_pool(pool, cpu);
        self.reserve_zone(&pool.zone, cpu);
    }

    /// Counts what a pool may come to have.
    pub(super) fn reserve_pool(&mut self, pool: &PoolId, cpu: u64) {
        let of_pool = self.pools.entry(pool.clone()).or_default();
        *of_pool = of_pool.saturating_add(cpu);
    }

    /// Counts what a zone may come to have.
    pub(super) fn reserve_zone(&mut self, zone: &Zone, cpu: u64) {
        let of_zone = self.zones.entry(zone.clone()).or_default();
        *of_zone = of_zone.saturating_add(cpu);
    }

    fn of_pool(&self, pool: &PoolId) -> u64 {
        self.pools.get(pool).copied().unwrap_or(0)
    }

    fn of_zone(&self, zone: &Zone) -> u64 {
        self.zones.get(zone).copied().unwrap_or(0)
    }

    /// The rule that one more host would break. What is bought makes the fleet larger, so that it breaks no other.
    pub(super) fn breaks(&self, rules: &MixRules, pool: &PoolId, cpu: u64) -> Option<MixRule> {
        let after = Ceilings::of(rules, self.total().saturating_add(cpu));
        after.first_below(self, pool, cpu)
    }
}

/// The most CPU units of each kind in a fleet that has so many in all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ceilings {
    pub(super) on_demand: u64,
    pub(super) spot: u64,
    pool: u64,
    zone: u64,
    /// Before this there is no Spot.
    base: u64,
}

impl Ceilings {
    pub(super) fn of(rules: &MixRules, total: u64) -> Self {
        let part = |percent: u32| {
            let part = u128::from(total) * u128::from(percent) / 100;
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        let if_set = |rule, most: u64| if rules.is_set(rule) { most } else { u64::MAX };
        let (base, above) = (rules.on_demand_base.get().into(), rules.spread_above.get().into());
        let rest = part(100 - rules.spot_percent_min.min(100)).max(base);
        Self {
            on_demand: if_set(MixRule::SpotMin, rest),
            spot: if_set(MixRule::SpotMax, part(rules.spot_percent_max)),
            pool: if_set(MixRule::Pool, part(rules.pool_percent_max).max(above)),
            zone: if_set(MixRule::Zone, part(rules.zone_percent_max).max(above)),
            base,
        }
    }

    /// The rule that `more` of this pool would pass.
    fn first_below(&self, fleet: &Fleet, pool: &PoolId, more: u64) -> Option<MixRule> {
        let is_over = |had: u64, most: u64| most < had.saturating_add(more);
        let of_market = match pool.market {
            Market::OnDemand => {
                is_over(fleet.on_demand, self.on_demand).then_some(MixRule::SpotMin)
            }
            Market::Spot if fleet.on_demand < self.base => Some(MixRule::OnDemandBase),
            Market::Spot => is_over(fleet.spot, self.spot).then_some(MixRule::SpotMax),
        };
        of_market.or_else(|| self.is_full(fleet, pool, more)).or_else(|| {
            let is_zone_full = is_over(fleet.of_zone(&pool.zone), self.zone);
            is_zone_full.then_some(MixRule::Zone)
        })
    }

    fn is_full(&self, fleet: &Fleet, pool: &PoolId, more: u64) -> Option<MixRule> {
        let is_full = self.pool < fleet.of_pool(pool).saturating_add(more);
        is_full.then_some(MixRule::Pool)
    }

    /// How many hosts of this pool, with so much CPU each, may still be bought.
    pub(super) fn times(&self, fleet: &Fleet, pool: &PoolId, cpu: u64) -> u32 {
        // Where there is too much already, not even a host without CPU.
        if self.first_below(fleet, pool, 0).is_some() {
            return 0;
        }
        let of_market = match pool.market {
            Market::OnDemand => self.on_demand.saturating_sub(fleet.on_demand),
            Market::Spot => self.spot.saturating_sub(fleet.spot),
        };
        let of_pool = self.pool.saturating_sub(fleet.of_pool(pool));
        let of_zone = self.zone.saturating_sub(fleet.of_zone(&pool.zone));
        let room = of_market.min(of_pool).min(of_zone);
        let times = room.checked_div(cpu).unwrap_or(u64::MAX);
        u32::try_from(times).unwrap_or(u32::MAX)
    }

    /// How many hosts with so much CPU the On-Demand base still wants; none where it is there.
    pub(super) fn times_to_base(&self, fleet: &Fleet, cpu: u64) -> u32 {
        let missing = self.base.saturating_sub(fleet.on_demand);
        u32::try_from(missing.div_ceil(cpu.max(1))).unwrap_or(u32::MAX)
    }

    /// Whether so much of a pool, in a zone that counts it already, leaves both within their parts.
    pub(super) fn has_pool(&self, fleet: &Fleet, pool: &PoolId, more: u64) -> bool {
        self.is_full(fleet, pool, more).is_none()
    }

    /// The same for a zone.
    pub(super) fn has_zone(&self, fleet: &Fleet, zone: &Zone, more: u64) -> bool {
        fleet.of_zone(zone).saturating_add(more) <= self.zone
    }
}
