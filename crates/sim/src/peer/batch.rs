//! AWS Batch's allocation strategies `BEST_FIT_PROGRESSIVE` and `SPOT_PRICE_CAPACITY_OPTIMIZED`.
//!
//! The first takes "instance types that are large enough to meet the requirements of the jobs in the queue", preferring "types with
//! lower cost per unit vCPU", and others when those are not to be had. The second takes, among types that are large enough, Spot
//! pools that are least likely to be interrupted and have the lowest possible price (AWS Batch user guide, "Allocation strategies").
//! Both are greedy, one type at a time; memory has no price of its own.
//!
//! A compute environment has one market; here a job goes to the Spot one if it may and Spot holds it, else to the On-Demand one.
//!
//! Kinder than the product: the type is chosen anew for each host by the largest job that is left, not once for the largest of the
//! queue; a host is not larger than the demand if a smaller one does; each host is filled largest job first; jobs of both markets may
//! share a host; there is no limit of the number of types, and no pause between two scalings but the pace's.

use std::cmp::Ordering;

use super::draft::{Draft, Group, Offer, SPOT};

/// Which of the offerings that hold a job may be bought for it.
type Choose = fn(Vec<Offer>) -> Vec<Offer>;

pub(super) fn buy_best_fit_progressive(draft: &mut Draft<'_>) {
    buy(draft, |offers| offers);
}

/// EC2's `price-capacity-optimized` sees the depth of pools, which nobody else does. What we see of it is how often hosts are taken
/// back: the calmer half counts as deep.
pub(super) fn buy_spot_price_capacity_optimized(draft: &mut Draft<'_>) {
    buy(draft, calmer_half);
}

fn calmer_half(offers: Vec<Offer>) -> Vec<Offer> {
    let mut hazards: Vec<u32> = offers.iter().map(|offer| offer.hazard).collect();
    hazards.sort_unstable();
    let middle = hazards.get(hazards.len().saturating_sub(1) / 2).copied().unwrap_or(0);
    offers.into_iter().filter(|offer| offer.hazard <= middle).collect()
}

fn buy(draft: &mut Draft<'_>, choose: Choose) {
    for at in 0..draft.groups.len() {
        while let Some(group) = draft.groups.get(at).filter(|group| 0 < group.count) {
            let mut holding: Vec<Offer> =
                draft.offers.iter().filter(|offer| offer.holds(group)).copied().collect();
            let has_spot = holding.iter().any(|offer| offer.kind & SPOT != 0);
            holding.retain(|offer| !has_spot || offer.kind & SPOT != 0);
            let demand = cpu_demand(draft.groups.iter());
            let within = within_demand(choose(holding), demand);
            let Some(offer) = within.into_iter().min_by(by_price_per_vcpu) else { break };
            let contents = filled(&offer, at, &draft.groups);
            let times = |(at, each): &(usize, u32)| {
                draft.groups.get(*at).map_or(0, |group| group.count.checked_div(*each).unwrap_or(0))
            };
            let n = contents.iter().map(times).min().unwrap_or(0);
            if draft.buy(offer, &contents, n) == 0 {
                // A limit: what may still be bought is bought for the leftovers.
                break;
            }
        }
    }
}

/// One host, filled with the groups from `first` on, in order.
fn filled(offer: &Offer, first: usize, groups: &[Group]) -> Vec<(usize, u32)> {
    let mut free = offer.capacity;
    let mut contents = Vec::new();
    for (at, group) in groups.iter().enumerate().skip(first) {
        if offer.kind & group.kinds == 0 {
            continue;
        }
        let n = group.need.times_in(&free).min(group.count);
        if 0 < n {
            free = free.saturating_sub(&group.need.checked_mul(n).unwrap_or(free));
            contents.push((at, n));
        }
    }
    contents
}

/// CPU units of all these jobs.
pub(super) fn cpu_demand<'g>(groups: impl Iterator<Item = &'g Group>) -> u64 {
    let of_group = |group: &Group| u64::from(group.need.cpu.get()) * u64::from(group.count);
    groups.map(of_group).fold(0, u64::saturating_add)
}

/// Those that are no larger than the demand; if none is so small, the smallest.
pub(super) fn within_demand(mut offers: Vec<Offer>, demand: u64) -> Vec<Offer> {
    let smallest = offers.iter().map(|offer| offer.capacity.cpu).min();
    let cpu_max = demand.max(smallest.map_or(0, |cpu| u64::from(cpu.get())));
    offers.retain(|offer| u64::from(offer.capacity.cpu.get()) <= cpu_max);
    offers
}

/// Least price per vCPU first, then the larger, so that there are fewer; without a vCPU last.
pub(super) fn by_price_per_vcpu(a: &Offer, b: &Offer) -> Ordering {
    let (a_cpu, b_cpu) = (u128::from(a.capacity.cpu.get()), u128::from(b.capacity.cpu.get()));
    let by_price = (u128::from(a.price) * b_cpu).cmp(&(u128::from(b.price) * a_cpu));
    let has_none = (a_cpu == 0).cmp(&(b_cpu == 0));
    has_none
        .then(by_price)
        .then(b_cpu.cmp(&a_cpu))
        .then(a.price.cmp(&b.price))
        .then(a.at.cmp(&b.at))
}
