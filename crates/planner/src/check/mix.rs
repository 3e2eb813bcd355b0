//! Checks of the rules of the mix: that what is bought keeps them whichever pools serve it.

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::{Market, MixRule, Offering, PlanInput, PlanPolicy, Planned, PoolId, Zone};

use super::Violation;

/// What a fleet has in CPU units, where it is bought as planned.
#[derive(Debug, Clone, Default)]
pub(super) struct Shares {
    on_demand: u128,
    spot: u128,
    pools: BTreeMap<PoolId, u128>,
    zones: BTreeMap<Zone, u128>,
}

impl Shares {
    /// Of the hosts there are, and those bought from the first pools.
    pub(super) fn after(input: &PlanInput, planned: &Planned) -> Self {
        let mut shares = Self::default();
        for (pool, cpu) in &input.fleet {
            shares.add(pool, cpu.get().into());
        }
        for launch in planned.plan.all_launches() {
            let first = launch.choices.first().and_then(|c| input.catalog.get(&c.pool));
            if let Some(first) = first {
                let cpu = u128::from(first.capacity.cpu.get()) * u128::from(launch.count);
                shares.add(&first.pool, cpu);
            }
        }
        shares
    }

    pub(super) fn add(&mut self, pool: &PoolId, cpu: u128) {
        match pool.market {
            Market::OnDemand => self.on_demand += cpu,
            Market::Spot => self.spot += cpu,
        }
        *self.pools.entry(pool.clone()).or_default() += cpu;
        *self.zones.entry(pool.zone.clone()).or_default() += cpu;
    }

    /// The first rule that this fleet breaks by what was bought from `pool`.
    pub(super) fn broken_by(&self, policy: &PlanPolicy, pool: &PoolId) -> Option<MixRule> {
        let (rules, total) = (&policy.mix, self.on_demand + self.spot);
        let is_over = |part: u128, percent: u32| total * u128::from(percent) < part * 100;
        let base = u128::from(rules.on_demand_base.get());
        let is_large = |part: u128| u128::from(rules.spread_above.get()) < part;
        let of_pool = self.pools.get(pool).copied().unwrap_or(0);
        let of_zone = self.zones.get(&pool.zone).copied().unwrap_or(0);
        let breaks = |rule| match (rule, pool.market) {
            (MixRule::OnDemandBase, Market::Spot) => self.on_demand < base,
            (MixRule::SpotMax, Market::Spot) => is_over(self.spot, rules.spot_percent_max),
            (MixRule::SpotMin, Market::OnDemand) => {
                let is_short = self.spot * 100 < total * u128::from(rules.spot_percent_min);
                base < self.on_demand && is_short
            }
            (MixRule::Pool, _) => is_large(of_pool) && is_over(of_pool, rules.pool_percent_max),
            (MixRule::Zone, _) => is_large(of_zone) && is_over(of_zone, rules.zone_percent_max),
            (MixRule::OnDemandBase | MixRule::SpotMax, Market::OnDemand)
            | (MixRule::SpotMin, Market::Spot) => false,
        };
        MixRule::ALL.into_iter().filter(|rule| rules.is_set(*rule)).find(|rule| breaks(*rule))
    }

    /// The rule that one more host of an offering would break.
    pub(super) fn broken_by_one_more(
        &self,
        policy: &PlanPolicy,
        offering: &Offering,
    ) -> Option<MixRule> {
        if policy.mix.is_none() {
            return None;
        }
        let mut after = self.clone();
        after.add(&offering.pool, offering.capacity.cpu.get().into());
        after.broken_by(policy, &offering.pool)
    }
}

pub(super) fn check(
    input: &PlanInput,
    policy: &PlanPolicy,
    planned: &Planned,
    violations: &mut Vec<Violation>,
) {
    if policy.mix.is_none() {
        return;
    }
    let mut shares = Shares::after(input, planned);
    let mut bought: BTreeSet<&PoolId> = BTreeSet::new();
    for (ord, launch) in planned.plan.all_launches().enumerate() {
        let choices = launch.choices.iter().filter_map(|c| input.catalog.get(&c.pool));
        let choices: Vec<&Offering> = choices.collect();
        let Some((first, others)) = choices.split_first() else { continue };
        bought.insert(&first.pool);
        let mut zones = BTreeSet::from([&first.pool.zone]);
        for other in others {
            if other.capacity.cpu != first.capacity.cpu {
                let pool = other.pool.clone();
                violations.push(Violation::OtherVcpus { launch: ord, pool });
            }
            // Whatever serves it: in the fleet once, but in each of its pools and zones.
            let cpu = u128::from(other.capacity.cpu.get()) * u128::from(launch.count);
            *shares.pools.entry(other.pool.clone()).or_default() += cpu;
            if zones.insert(&other.pool.zone) {
                *shares.zones.entry(other.pool.zone.clone()).or_default() += cpu;
            }
            bought.insert(&other.pool);
        }
    }
    for pool in bought {
        if let Some(rule) = shares.broken_by(policy, pool) {
            violations.push(Violation::MixBroken { rule, pool: pool.clone() });
        }
    }
}
