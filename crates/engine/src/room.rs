//! How much room there is: on hosts, and within the limits of the installation and of pools. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::plan::{Headroom, PlannedLaunch};
use spillway_core::{Catalog, CpuUnits, Gate, MicroUsdPerHour, Offering, Pausable, Resources};

use crate::backfill::{Hold, Making};
use crate::dispatch::{Dispatch, Room, Rooms};
use crate::engine::Engine;
use crate::fleet::{Entry, Totals};

impl Engine {
    pub(crate) const fn dispatch(&self, now: Timestamp) -> Dispatch<'_> {
        Dispatch {
            now,
            config: &self.config,
            waiting: &self.waiting,
            gangs: &self.gangs,
            lanes: &self.lanes,
            in_use: &self.in_use,
            gates: &self.gates,
            breakers: &self.breakers,
            budgets: &self.budgets,
        }
    }

    /// What may be bought in a pool, or altogether.
    pub(crate) fn catalog_of(&self, pool: Option<usize>) -> &Arc<Catalog> {
        pool.and_then(|ord| self.pool_catalogs.get(ord)).unwrap_or(&self.catalog)
    }

    /// Whether a pool is paused.
    pub(crate) fn is_pool_paused(&self, pool: usize) -> bool {
        let name = self.config.pools.get(pool).map(|pool| pool.name.clone());
        let gate = name.and_then(|name| self.gates.get(&Pausable::Pool(name)));
        gate.is_some_and(|gate| gate.is_paused)
    }

    /// What has been paused or resumed, and when.
    pub const fn gates(&self) -> &BTreeMap<Pausable, Gate> {
        &self.gates
    }

    /// What the hosts of a pool are together.
    pub(crate) fn totals_of(&self, pool: Option<usize>) -> Totals {
        Totals::of(self.fleet.iter().filter(|entry| entry.is_of(pool)))
    }

    /// How much may still be bought in a pool, or altogether.
    pub(crate) fn headroom(&self, now: Timestamp, pool: Option<usize>) -> Headroom {
        let all = self.totals_of(None);
        let limits = &self.config.limits;
        let (price_max, is_price_until_approved) = self.price_max();
        let whole = Headroom {
            quotas: self.quotas_left(now),
            on_demand: None,
            spot: None,
            hosts: left_hosts(limits.hosts_max, all.n_hosts),
            cpu: left_cpu(limits.cpu_max, all.cpu),
            price: left_price(price_max, all.price),
            is_price_until_approved,
        };
        let Some(rules) = pool.and_then(|ord| self.config.pools.get(ord)) else { return whole };
        let (caps, used) = (&rules.caps, self.totals_of(pool));
        let mut headroom = Headroom {
            hosts: least(whole.hosts, left_hosts(caps.hosts_max, used.n_hosts)),
            cpu: least(whole.cpu, left_cpu(caps.cpu_max, used.cpu)),
            ..whole
        };
        headroom.bound_price(left_price(caps.price_max, used.price));
        headroom
    }

    /// How many of a launch's hosts its pool's caps on memory and GPUs leave room for; the planner knows the other caps.
    pub(crate) fn allowed_hosts(&self, pool: Option<usize>, planned: &PlannedLaunch) -> u32 {
        let Some(rules) = pool.and_then(|ord| self.config.pools.get(ord)) else {
            return planned.count;
        };
        let used = self.totals_of(pool);
        let offerings = planned.choices.iter().filter_map(|choice| self.catalog.get(&choice.pool));
        let most = offerings.fold((0, 0), |most: (u32, u32), offering| {
            let Resources { memory, gpus, .. } = offering.capacity;
            (most.0.max(memory.get()), most.1.max(gpus))
        });
        let times = |max: Option<u32>, used: u64, each: u32| {
            let left = max.map(|max| u64::from(max).saturating_sub(used))?;
            left.checked_div(each.into())
        };
        let by_memory =
            times(rules.caps.memory_max.map(spillway_core::MiB::get), used.memory, most.0);
        let by_gpus = times(rules.caps.gpus_max, used.gpus, most.1);
        let allowed = [by_memory, by_gpus].into_iter().flatten().min();
        allowed.map_or(planned.count, |n| u32::try_from(n).unwrap_or(u32::MAX).min(planned.count))
    }

    /// Whether one host of an offering may be bought now.
    pub(crate) fn is_buyable(
        &self,
        pool: Option<usize>,
        offering: &Offering,
        headroom: &Headroom,
    ) -> bool {
        let Resources { cpu, memory, gpus } = offering.capacity;
        let mut quotas = headroom.quotas;
        let quota = spillway_core::Quota::of(&offering.pool).and_then(|quota| quotas.get(quota));
        quotas.take(&offering.pool, cpu);
        let caps = pool.and_then(|ord| self.config.pools.get(ord)).map(|pool| pool.caps);
        let caps = caps.unwrap_or_default();
        let used = if caps.memory_max.is_some() || caps.gpus_max.is_some() {
            self.totals_of(pool)
        } else {
            Totals::default()
        };
        headroom.hosts.is_none_or(|left| 1 <= left)
            && headroom.cpu.is_none_or(|left| cpu <= left)
            && headroom.price.is_none_or(|left| offering.price <= left)
            && quota.is_none_or(|left| cpu <= left)
            && caps.memory_max.is_none_or(|max| {
                used.memory.saturating_add(memory.get().into()) <= max.get().into()
            })
            && caps.gpus_max.is_none_or(|max| used.gpus.saturating_add(gpus.into()) <= max.into())
    }

    /// Room on a pool's hosts and within its limits, as far as it is not held for somebody.
    pub(crate) fn room(
        &self,
        now: Timestamp,
        pool: Option<usize>,
        holds: &BTreeMap<usize, Hold>,
    ) -> Rooms {
        if self.raw_catalog.is_none() {
            // What could be bought is not known; nobody is told that there is no room.
            return Rooms::ENDLESS;
        }
        let boot_secs = 0;
        let is_asked = |entry: &Entry| entry.is_of(pool);
        let mut hosts = self.fleet.views(now, boot_secs, is_asked, |_| (Vec::new(), Vec::new()));
        for hold in holds.values() {
            hold.spare(&mut hosts);
        }
        let room = Rooms::on(hosts.iter().map(|host| (host.traits(), host.free)));
        if holds.values().any(|hold| matches!(hold.making, Making::Headroom(_))) {
            return room;
        }
        let headroom = self.headroom(now, pool);
        let offerings = self.catalog_of(pool).offerings();
        let buyable = offerings.iter().filter(|o| self.is_buyable(pool, o, &headroom));
        let (mut cpu_most, mut cheapest, mut kinds) = (0_u64, u64::MAX, BTreeSet::new());
        for offering in buyable {
            let cpu = u64::from(offering.capacity.cpu.get());
            cpu_most = cpu_most.max(cpu);
            // Per vCPU, rounded down: room may be told too large, never too small.
            let per_vcpu = offering.price.get().saturating_mul(1024).checked_div(cpu);
            cheapest = cheapest.min(per_vcpu.unwrap_or(u64::MAX));
            kinds.insert(offering.traits());
        }
        if cpu_most == 0 {
            return room;
        }
        let by_hosts = headroom.hosts.map(|n| u64::from(n).saturating_mul(cpu_most));
        let by_price = headroom.price.map(|left| {
            left.get().saturating_mul(1024).checked_div(cheapest.max(1)).unwrap_or(u64::MAX)
        });
        let by_cpu = headroom.cpu.map(|left| left.get().into());
        let bought = [by_hosts, by_price, by_cpu].into_iter().flatten().min();
        // What is bought brings memory and GPUs, how much is not known yet.
        let to_buy = Room { cpu: bought.unwrap_or(u64::MAX), ..Room::ENDLESS };
        room.and_to_buy(to_buy, kinds)
    }
}

/// What buys nothing.
pub(crate) const fn nothing_to_buy(headroom: Headroom) -> Headroom {
    Headroom {
        hosts: Some(0),
        cpu: Some(CpuUnits::ZERO),
        price: Some(MicroUsdPerHour::ZERO),
        ..headroom
    }
}

pub(crate) fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    [a, b].into_iter().flatten().min()
}

pub(crate) fn left_hosts(max: Option<u32>, used: u64) -> Option<u32> {
    let left = |max: u32| u64::from(max).saturating_sub(used);
    max.map(|max| u32::try_from(left(max)).unwrap_or(u32::MAX))
}

fn left_cpu(max: Option<CpuUnits>, used: u64) -> Option<CpuUnits> {
    let left = |max: CpuUnits| u64::from(max.get()).saturating_sub(used);
    max.map(|max| CpuUnits::new(u32::try_from(left(max)).unwrap_or(u32::MAX)))
}

pub(crate) fn left_price(max: Option<MicroUsdPerHour>, used: u64) -> Option<MicroUsdPerHour> {
    max.map(|max| MicroUsdPerHour::new(max.get().saturating_sub(used)))
}
