//! A plan in the making: what still has no host, what can be bought, what has been decided.
//!
//! Whatever a model does through this, the plan is sound: no more is placed or bought than is asked for, fits, is allowed and may
//! be paid. What a model leaves over though it could be bought is bought by the cheapest host that holds it, so that no job waits
//! for the lack of an idea.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use spillway_core::plan::{DemandKey, Plan, Report, Waiting};
use spillway_core::{
    Arch, CpuUnits, GpuKind, HostTraits, Market, PlanInput, PlanPolicy, Planned, Quota, Quotas,
    Resources,
};

use super::bins::{self, Bin};
use super::{fill, launch, reason};
use spillway_planner::first_ways;

/// A set of kinds of host, one bit for each architecture in each market with each kind of GPU.
pub(super) type Kinds = u128;

/// Architectures and markets.
const N_WAYS: usize = 4;

pub(super) fn kind(host: HostTraits) -> Kinds {
    let arch = match host.arch {
        Arch::X86_64 => 0,
        Arch::Arm64 => 1,
    };
    let way = match host.market {
        Market::OnDemand => arch,
        Market::Spot => arch + 2,
    };
    1 << (way + N_WAYS * GpuKind::code_of(host.gpu))
}

/// All kinds in the Spot market.
pub(super) const SPOT: Kinds = u128::from_ne_bytes([0b1100_1100; 16]);

fn kinds_of(key: &DemandKey) -> Kinds {
    let mut kinds = 0;
    for gpu in GpuKind::ALL.into_iter().map(Some).chain([None]) {
        for arch in Arch::ALL {
            for market in [Market::OnDemand, Market::Spot] {
                let host = HostTraits { arch, market, gpu };
                if key.allows(host) {
                    kinds |= kind(host);
                }
            }
        }
    }
    kinds
}

/// Equal jobs that have no host yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) key: DemandKey,
    pub(super) need: Resources,
    pub(super) kinds: Kinds,
    pub(super) count: u32,
}

/// Something that may be bought now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    /// Index into the catalog.
    pub(super) at: usize,
    pub(super) kind: Kinds,
    pub(super) capacity: Resources,
    /// Millionths of a dollar per hour.
    pub(super) price: u64,
    /// EC2's quota that counts it.
    pub(super) quota: Option<Quota>,
    /// Interruptions in a million hours.
    pub(super) hazard: u32,
}

impl Offer {
    /// Whether one such job may run on it and fits.
    pub(super) fn holds(&self, group: &Group) -> bool {
        self.kind & group.kinds != 0 && group.need.fits(&self.capacity)
    }
}

/// What may still be bought.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) hosts: u32,
    pub(super) cpu: Option<u32>,
    pub(super) price: Option<u64>,
    pub(super) quotas: Quotas,
}

impl Left {
    /// How many hosts of this offering.
    pub(super) fn times(&self, offer: &Offer) -> u32 {
        let cpu = self.cpu.and_then(|cpu| cpu.checked_div(offer.capacity.cpu.get()));
        let quota = offer.quota.and_then(|quota| self.quotas.get(quota));
        let quota = quota.and_then(|left| left.get().checked_div(offer.capacity.cpu.get()));
        let price = self.price.and_then(|price| price.checked_div(offer.price));
        let price = price.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let by_cpu = cpu.unwrap_or(u32::MAX).min(quota.unwrap_or(u32::MAX));
        self.hosts.min(by_cpu).min(price.unwrap_or(u32::MAX))
    }

    fn take(&mut self, offer: &Offer, n: u32) {
        self.hosts = self.hosts.saturating_sub(n);
        let cpu = offer.capacity.cpu.get().saturating_mul(n);
        self.cpu = self.cpu.map(|left| left.saturating_sub(cpu));
        if let Some(quota) = offer.quota
            && let Some(left) = self.quotas.get(quota)
        {
            let left = CpuUnits::new(left.get().saturating_sub(cpu));
            self.quotas.set(quota, Some(left));
        }
        let price = offer.price.saturating_mul(u64::from(n));
        self.price = self.price.map(|left| left.saturating_sub(price));
    }
}

#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) input: &'a PlanInput,
    pub(super) policy: &'a PlanPolicy,
    /// Largest first: GPUs, then CPU, then memory. Counts go down as work finds its place.
    pub(super) groups: Vec<Group>,
    /// What may be bought, in the catalog's order; nothing while no job is without a host, as most times.
    pub(super) offers: Vec<Offer>,
    left: Left,
    bought: Vec<Bin>,
    plan: Plan,
}

impl<'a> Draft<'a> {
    pub(super) fn new(input: &'a PlanInput, policy: &'a PlanPolicy) -> Self {
        let mut counts: BTreeMap<DemandKey, u32> = BTreeMap::new();
        // None of them knows of alternatives: a job runs as it is written.
        let demands = first_ways(&input.demands);
        for demand in demands.iter().filter(|demand| 0 < demand.count) {
            let count = counts.entry(demand.key).or_insert(0);
            *count = count.saturating_add(demand.count);
        }
        let group = |(key, count): (DemandKey, u32)| Group {
            key,
            need: key.need,
            kinds: kinds_of(&key),
            count,
        };
        let mut groups: Vec<Group> = counts.into_iter().map(group).collect();
        groups.sort_by_key(|g| (Reverse((g.need.gpus, g.need.cpu, g.need.memory)), g.key));
        let headroom = &input.headroom;
        Self {
            input,
            policy,
            groups,
            offers: Vec::new(),
            left: Left {
                hosts: headroom.hosts.unwrap_or(u32::MAX),
                cpu: headroom.cpu.map(spillway_core::CpuUnits::get),
                price: headroom.price.map(spillway_core::MicroUsdPerHour::get),
                quotas: headroom.quotas,
            },
            bought: Vec::new(),
            plan: Plan::default(),
        }
    }

    /// Gives work to the hosts there are: what each was bought for, then, if hosts are used again, whatever fits.
    pub(super) fn fill(&mut self, reuses_hosts: bool) {
        self.plan.placements = fill::fill(self.input, &mut self.groups, reuses_hosts);
        self.groups.retain(|group| 0 < group.count);
        if !self.groups.is_empty() {
            self.offers = buyable(self.input, self.policy);
        }
    }

    /// Buys up to `n` hosts with these contents each, as far as limits allow and jobs are left. Returns how many.
    pub(super) fn buy(&mut self, offer: Offer, contents: &[(usize, u32)], n: u32) -> u32 {
        let mut n = n.min(self.left.times(&offer));
        for (at, each) in contents {
            let count = self.groups.get(*at).map_or(0, |group| group.count);
            n = n.min(count.checked_div(*each).unwrap_or(0));
        }
        if n == 0 || contents.is_empty() {
            return 0;
        }
        self.left.take(&offer, n);
        let mut bin = Bin::new(offer, n);
        for (at, each) in contents {
            if let Some(group) = self.groups.get_mut(*at) {
                group.count -= each * n;
                bin.put(*at, group, *each);
            }
        }
        self.bought.push(bin);
        n
    }

    /// Buys all of these, as far as it may.
    pub(super) fn buy_all(&mut self, bins: Vec<Bin>) {
        for bin in bins {
            self.buy(bin.offer, &bin.contents, bin.count);
        }
    }

    /// The plan, with what could still be bought bought, and a reason for each job that waits.
    pub(super) fn finish(mut self) -> Planned {
        self.buy_leftovers();
        let mut report = Report {
            n_offerings: u32::try_from(self.offers.len()).unwrap_or(u32::MAX),
            ..Report::default()
        };
        for group in self.groups.iter().filter(|group| 0 < group.count) {
            let reason = reason::of(group, self.input, self.policy, &self.offers, &self.left);
            report.waiting.push(Waiting { key: group.key, count: group.count, reason });
        }
        report.waiting.sort_by_key(|waiting| waiting.key);
        self.plan.launches =
            launch::launches(&self.bought, &self.groups, &self.offers, self.input, self.policy);
        Planned { plan: self.plan, report }
    }

    fn buy_leftovers(&mut self) {
        let mut cheapest = Vec::new();
        if self.groups.iter().any(|group| 0 < group.count) {
            cheapest.clone_from(&self.offers);
            cheapest.sort_by_key(|offer| (offer.price, offer.at));
        }
        for at in 0..self.groups.len() {
            let Some(group) = self.groups.get_mut(at) else { break };
            bins::first_fit(&mut self.bought, at, group);
            for offer in &cheapest {
                let Some(group) = self.groups.get(at).filter(|group| 0 < group.count) else {
                    break;
                };
                if !offer.holds(group) {
                    continue;
                }
                let each = group.need.times_in(&offer.capacity).min(group.count);
                let n = group.count.checked_div(each).unwrap_or(0);
                let rest = group.count.checked_rem(each).unwrap_or(0);
                let bought = self.buy(*offer, &[(at, each)], n);
                if bought == n && 0 < rest {
                    self.buy(*offer, &[(at, rest)], 1);
                }
            }
        }
    }
}

fn buyable(input: &PlanInput, policy: &PlanPolicy) -> Vec<Offer> {
    let mut offers = Vec::with_capacity(input.catalog.offerings().len());
    for (at, offering) in input.catalog.offerings().iter().enumerate() {
        let is_cooling = input.cooling.get(&offering.pool).is_some_and(|until| input.now < *until);
        let is_too_large = policy.host_cpu_max.is_some_and(|max| max < offering.capacity.cpu);
        if !is_cooling && !is_too_large {
            offers.push(Offer {
                at,
                kind: kind(offering.traits()),
                capacity: offering.capacity,
                price: offering.price.get(),
                quota: Quota::of(&offering.pool)
                    .filter(|q| input.headroom.quotas.get(*q).is_some()),
                hazard: offering.hazard.get(),
            });
        }
    }
    offers
}
