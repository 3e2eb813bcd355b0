//! Quotas of the account that EC2 has refused to go beyond. What was in use then may be used again, as hosts come and go; beyond it
//! nothing is bought but one launch now and then: a quota may be raised, and instances of others, which count against it, may end.

use jiff::Timestamp;
use spillway_core::effect::{PoolError, PoolFault};
use spillway_core::launch::PoolChoice;
use spillway_core::quantity::CPU_UNITS_PER_VCPU;
use spillway_core::{BreakerId, CpuUnits, Launch, LaunchId, Quota, Quotas};

use super::Rule;
use crate::engine::{Cx, Engine};
use crate::limits;

const RULE: Rule =
    Rule { n_failed_max: 1, first: limits::POOL_COOLDOWN, longest: limits::BREAKER_PROBE_MAX };

impl Engine {
    /// What is left of each quota: of those that the configuration has, and of those that EC2 has refused to go beyond, unless a
    /// probe may go.
    pub(crate) fn quotas_left(&self, now: Timestamp) -> Quotas {
        let mut quotas = self.config.limits.quotas;
        if !self.breakers.is_empty() {
            for quota in Quota::all() {
                let Some(ceiling) = self.ceiling(quota).filter(|_| !self.may_probe(now, quota))
                else {
                    continue;
                };
                let least = quotas.get(quota).map_or(ceiling, |known| known.min(ceiling));
                quotas.set(quota, Some(least));
            }
        }
        if !quotas.is_none() {
            for entry in self.fleet.iter() {
                quotas.take(&entry.host.pool, entry.host.capacity.cpu);
            }
        }
        quotas
    }

    /// How much of a quota was in use when EC2 refused more.
    fn ceiling(&self, quota: Quota) -> Option<CpuUnits> {
        self.breakers.get(&BreakerId::quota(quota))?.ceiling
    }

    fn may_probe(&self, now: Timestamp, quota: Quota) -> bool {
        self.breakers.get(&BreakerId::quota(quota)).is_some_and(|breaker| breaker.is_due(now))
    }

    fn in_use_of(&self, quota: Quota) -> u64 {
        let of_quota = self.fleet.iter().filter(|entry| Quota::of(&entry.host.pool) == Some(quota));
        of_quota.map(|entry| u64::from(entry.host.capacity.cpu.get())).sum()
    }

    /// Whether a launch of so many hosts may be decided, whichever of its choices serves it. One that goes beyond what EC2 refused
    /// is a probe, and there is one at a time.
    pub(crate) fn let_reach(
        &mut self,
        cx: &mut Cx,
        launch: LaunchId,
        choices: &[PoolChoice],
        n_hosts: u32,
    ) -> bool {
        if self.breakers.is_empty() {
            return true;
        }
        let mut probed = Vec::new();
        for quota in Quota::all() {
            let Some(ceiling) = self.ceiling(quota) else { continue };
            let of_quota = choices.iter().filter(|choice| Quota::of(&choice.pool) == Some(quota));
            let offerings = of_quota.filter_map(|choice| self.catalog.get(&choice.pool));
            let Some(largest) = offerings.map(|offering| offering.capacity.cpu.get()).max() else {
                continue;
            };
            let wanted = u64::from(largest) * u64::from(n_hosts);
            if self.in_use_of(quota).saturating_add(wanted) <= u64::from(ceiling.get()) {
                continue;
            }
            if !self.may_probe(cx.now, quota) {
                return false;
            }
            probed.push(quota);
        }
        for quota in probed {
            self.begin_probe(cx, &BreakerId::quota(quota));
            self.breakers.beyond.insert(quota, launch);
        }
        true
    }

    /// EC2 has answered a launch, and its hosts are what they are: where it refused to go beyond a quota, that is as much as there is
    /// of it. Where it did go beyond what it had refused before, there is more.
    pub(crate) fn note_quotas(&mut self, cx: &mut Cx, launch: &Launch, errors: &[PoolError]) {
        let planned = launch.choices.first().map(|choice| &choice.pool);
        for quota in Quota::all() {
            let is_refusal = |error: &&PoolError| {
                // Where EC2 names none, the planned one is meant.
                let of = error.pool.as_ref().or(planned).and_then(Quota::of);
                error.fault == PoolFault::QuotaReached && of == Some(quota)
            };
            let refusal = errors.iter().find(is_refusal);
            let refused = errors.iter().filter(is_refusal);
            let pools = refused.filter_map(|error| error.pool.as_ref().or(planned));
            let smallest = pools.filter_map(|pool| self.catalog.get(pool));
            let smallest = smallest.map(|offering| offering.capacity.cpu.get()).min().unwrap_or(0);
            let is_probe = self.breakers.beyond.get(&quota) == Some(&launch.id);
            if is_probe {
                self.breakers.beyond.remove(&quota);
            }
            let (id, in_use) = (BreakerId::quota(quota), self.in_use_of(quota));
            if let Some(refusal) = refusal {
                self.note_failed(cx, &id, &refusal.code, RULE, is_probe);
                // The smallest of what was refused does not fit any more; what is smaller may.
                let ceiling = in_use + u64::from(smallest.saturating_sub(CPU_UNITS_PER_VCPU));
                if let Some(breaker) = self.breakers.open.get_mut(&id) {
                    let ceiling = u32::try_from(ceiling).unwrap_or(u32::MAX);
                    breaker.ceiling = Some(CpuUnits::new(ceiling));
                }
                self.write_breaker(cx, &id);
            } else if is_probe {
                let ceiling = self.ceiling(quota).map_or(0, |ceiling| u64::from(ceiling.get()));
                if ceiling < in_use {
                    self.note_worked(cx, &id);
                } else {
                    self.probe_again_at(cx, &id, cx.now);
                }
            }
        }
    }
}
