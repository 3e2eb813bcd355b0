//! One instance type for everything, as a cluster of a single auto scaling group has: the type on which all waiting jobs, packed by
//! first-fit decreasing, cost least.
//!
//! Kinder than any such cluster: the type is chosen anew for each wave, by trying all of them; jobs that cannot share hosts (GPUs,
//! market, architecture) may have a type each, if that is cheaper than one for all.

use std::collections::BTreeMap;

use super::bins::{Bin, first_fit_decreasing};
use super::draft::{Draft, Group, Kinds, Offer};

/// Jobs with equal marks get one type.
type Mark = (bool, Kinds, Kinds);

/// The ways to divide the jobs, from one type for all to one for each kind of job.
const DIVISIONS: [fn(&Group) -> Mark; 4] = [
    |_| (false, 0, 0),
    |group| (0 < group.need.gpus, 0, 0),
    |group| (0 < group.need.gpus, group.kinds & super::draft::SPOT, 0),
    |group| (0 < group.need.gpus, 0, group.kinds),
];

pub(super) fn buy(draft: &mut Draft<'_>) {
    let mut best: Option<(u128, Vec<Bin>)> = None;
    for division in DIVISIONS {
        let mut parts: BTreeMap<Mark, Vec<usize>> = BTreeMap::new();
        for (at, group) in draft.groups.iter().enumerate() {
            if draft.offers.iter().any(|offer| offer.holds(group)) {
                parts.entry(division(group)).or_default().push(at);
            }
        }
        let packed = parts.values().map(|order| cheapest(&draft.offers, &draft.groups, order));
        let Some(packed) = packed.collect::<Option<Vec<(u128, Vec<Bin>)>>>() else { continue };
        let cost = packed.iter().map(|(cost, _)| cost).sum();
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, packed.into_iter().flat_map(|(_, bins)| bins).collect()));
        }
    }
    if let Some((_, bins)) = best {
        draft.buy_all(bins);
    }
}

/// The offering on which these jobs cost least, and how they are packed. None if no offering holds each of them.
fn cheapest(offers: &[Offer], groups: &[Group], order: &[usize]) -> Option<(u128, Vec<Bin>)> {
    let jobs: Vec<&Group> = order.iter().filter_map(|at| groups.get(*at)).collect();
    let mut candidates: Vec<(u128, Offer)> = Vec::new();
    for offer in offers {
        if jobs.iter().all(|group| offer.holds(group)) {
            candidates.push((least_cost(offer, &jobs), *offer));
        }
    }
    candidates.sort_by_key(|(least, offer)| (*least, offer.price, offer.at));
    let mut best: Option<(u128, Vec<Bin>)> = None;
    for (least, offer) in candidates {
        if best.as_ref().is_some_and(|(cost, _)| *cost <= least) {
            break;
        }
        let Some(bins) = first_fit_decreasing(offer, groups, order) else { continue };
        let n: u128 = bins.iter().map(|bin| u128::from(bin.count)).sum();
        let cost = n * u128::from(offer.price);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, bins));
        }
    }
    best
}

/// What so many hosts cost as the scarcest dimension needs at least.
fn least_cost(offer: &Offer, jobs: &[&Group]) -> u128 {
    let mut total = [0_u128; 3];
    for group in jobs {
        let need = [group.need.cpu.get(), group.need.memory.get(), group.need.gpus];
        for (total, need) in total.iter_mut().zip(need) {
            *total += u128::from(need) * u128::from(group.count);
        }
    }
    let capacity = [offer.capacity.cpu.get(), offer.capacity.memory.get(), offer.capacity.gpus];
    let hosts = total.into_iter().zip(capacity).map(|(total, capacity)| {
        if capacity == 0 { 0 } else { total.div_ceil(u128::from(capacity)) }
    });
    hosts.max().unwrap_or(0) * u128::from(offer.price)
}
