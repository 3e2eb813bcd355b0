//! An EC2 Fleet with the `lowest-price` strategy and vCPUs as weights, filled by a scheduler that packs well.
//!
//! A fleet knows a target capacity and a list of types, no jobs. Whoever writes the list names types that hold every job of a kind;
//! the fleet then buys the pool with the least price per unit until the target is met (EC2 user guide, "Allocation strategies for
//! Spot Instances": lowest price is not recommended for its risk of interruption, and is what it says). Here there is one fleet for
//! each kind of job: with and without GPUs, by market and architecture; jobs that may be interrupted go to the Spot fleet.
//!
//! Kinder than the product: the target is exactly what first-fit decreasing needs, the list of types is remade for each wave, and no
//! host larger than the wave's demand is bought if a smaller one holds all.

use std::collections::BTreeMap;

use spillway_core::Resources;

use super::batch::{by_price_per_vcpu, cpu_demand, within_demand};
use super::bins::{Bin, first_fit_decreasing};
use super::draft::{Draft, Group, Kinds, SPOT};

pub(super) fn buy(draft: &mut Draft<'_>) {
    let mut fleets: BTreeMap<(bool, Kinds), Vec<usize>> = BTreeMap::new();
    for (at, group) in draft.groups.iter().enumerate() {
        let on_spot = draft.offers.iter().any(|o| o.kind & SPOT != 0 && o.holds(group));
        let market = if on_spot { SPOT } else { !SPOT };
        fleets.entry((0 < group.need.gpus, group.kinds & market)).or_default().push(at);
    }
    let bins: Vec<Bin> =
        fleets.iter().flat_map(|((_, kinds), jobs)| fleet(draft, *kinds, jobs)).collect();
    draft.buy_all(bins);
}

/// One fleet for these jobs; nothing if no offering holds the largest need in every dimension.
fn fleet(draft: &Draft<'_>, kinds: Kinds, jobs: &[usize]) -> Vec<Bin> {
    let groups: Vec<&Group> = jobs.iter().filter_map(|at| draft.groups.get(*at)).collect();
    let largest = groups.iter().fold(Resources::ZERO, |most, group| {
        let need = group.need;
        Resources::new(
            most.cpu.max(need.cpu),
            most.memory.max(need.memory),
            most.gpus.max(need.gpus),
        )
    });
    let holding = draft.offers.iter().filter(|o| o.kind & kinds != 0 && largest.fits(&o.capacity));
    let demand = cpu_demand(groups.iter().copied());
    let best =
        within_demand(holding.copied().collect(), demand).into_iter().min_by(by_price_per_vcpu);
    best.and_then(|offer| first_fit_decreasing(offer, &draft.groups, jobs)).unwrap_or_default()
}
