//! What was bought as launches: equal ones as one, each with the near-equal pools that may serve it.

use std::collections::BTreeMap;

use spillway_core::launch::PoolChoice;
use spillway_core::plan::{DemandKey, PlannedLaunch};
use spillway_core::{Offering, PlanInput, PlanPolicy, Resources};

use super::bins::Bin;
use super::draft::{Group, Offer};

/// One call names at most so many pools (CreateFleet's overrides).
const CHOICES_MAX: usize = 300;

/// What goes on one host.
type Contents = Vec<(DemandKey, u32)>;

pub(super) fn launches(
    bought: &[Bin],
    groups: &[Group],
    offers: &[Offer],
    input: &PlanInput,
    policy: &PlanPolicy,
) -> Vec<PlannedLaunch> {
    if bought.is_empty() {
        return Vec::new();
    }
    let mut equal: BTreeMap<(usize, Contents), (&Bin, u32)> = BTreeMap::new();
    for bin in bought {
        let of_group = |(at, n): &(usize, u32)| groups.get(*at).map(|group| (group.key, *n));
        let mut contents: Contents = bin.contents.iter().filter_map(of_group).collect();
        contents.sort_unstable();
        let (_, count) = equal.entry((bin.offer.at, contents)).or_insert((bin, 0));
        *count = count.saturating_add(bin.count);
    }
    let mut by_price = offers.to_vec();
    by_price.sort_by_key(|offer| (offer.price, offer.at));
    let mut launches = Vec::with_capacity(equal.len());
    for ((_, contents), (bin, count)) in equal {
        let chosen = choices(bin, &by_price, input, policy);
        let of_offer = |offer: &Offer| input.catalog.offerings().get(offer.at);
        let Some(first) = chosen.first().and_then(of_offer) else { continue };
        let choice = |o: &Offering| PoolChoice { pool: o.pool.clone(), price: o.price };
        launches.push(PlannedLaunch {
            choices: chosen.iter().filter_map(of_offer).map(choice).collect(),
            arch: first.arch,
            capacity: first.capacity,
            count,
            contents,
        });
    }
    launches
}

/// The offering that was decided for, then others of its kind that hold the same and cost little more, cheapest first. Under a limit
/// an alternative takes no more of it than the decided one does.
fn choices(bin: &Bin, by_price: &[Offer], input: &PlanInput, policy: &PlanPolicy) -> Vec<Offer> {
    let first = bin.offer;
    let load: Resources = first.capacity.saturating_sub(&bin.free);
    let percent = 100 + u128::from(policy.choice_premium_percent);
    let is_near =
        |offer: &Offer| u128::from(offer.price) * 100 <= u128::from(first.price) * percent;
    let is_within_limits = |offer: &Offer| {
        let is_limited = input.headroom.cpu.is_some() || offer.quota.is_some();
        let cpu = !is_limited || offer.capacity.cpu <= first.capacity.cpu;
        cpu && (input.headroom.price.is_none() || offer.price <= first.price)
    };
    let mut choices = vec![first];
    for offer in by_price {
        if policy.choices_max.clamp(1, CHOICES_MAX) <= choices.len() || !is_near(offer) {
            break;
        }
        let is_other =
            offer.at != first.at && offer.kind == first.kind && offer.quota == first.quota;
        if is_other && load.fits(&offer.capacity) && is_within_limits(offer) {
            choices.push(*offer);
        }
    }
    choices
}
