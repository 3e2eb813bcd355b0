//! What can be bought now, and the few offerings of it that are worth a look.
//!
//! An offering is left out only if another one holds whatever of this demand it could hold, for no more money.

use std::cmp::Reverse;

use spillway_core::{Catalog, Market, PlanInput, PlanPolicy};

use crate::amount::Amount;
use crate::demand::{Shape, class_of, totals};

/// An offering in the solver's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) capacity: Amount,
    /// Millionths of a dollar per hour.
    pub(crate) price: u64,
    /// Index into [`crate::demand::CLASSES`].
    pub(crate) class: usize,
    /// Index into the catalog, whose order is that of the pools' ids.
    pub(crate) at: usize,
}

/// Whether the policy lets a host be this large.
pub(crate) fn is_allowed_size(capacity: &Amount, policy: &PlanPolicy) -> bool {
    policy.host_cpu_max.is_none_or(|max| capacity.0[0] <= max.get())
}

/// For every offering of the catalog, whether its pool is left alone now.
pub(crate) fn cooling_flags(input: &PlanInput) -> Vec<bool> {
    let offerings = input.catalog.offerings();
    let mut flags = vec![false; offerings.len()];
    for (pool, until) in &input.cooling {
        let is_over = *until <= input.now;
        if is_over {
            continue;
        }
        if let Ok(at) = offerings.binary_search_by(|o| o.pool.cmp(pool))
            && let Some(flag) = flags.get_mut(at)
        {
            *flag = true;
        }
    }
    flags
}

/// All offerings that may be bought, in the catalog's order.
pub(crate) fn buyable(catalog: &Catalog, is_cooling: &[bool], policy: &PlanPolicy) -> Vec<Offer> {
    let mut buyable = Vec::with_capacity(catalog.offerings().len());
    for (at, (offering, is_cooling)) in catalog.offerings().iter().zip(is_cooling).enumerate() {
        let capacity = Amount::of(&offering.capacity);
        if *is_cooling || !is_allowed_size(&capacity, policy) {
            continue;
        }
        let class = class_of(offering.arch, offering.pool.market);
        buyable.push(Offer { capacity, price: offering.price.get(), class, at });
    }
    buyable
}

/// The cheapest zone of each type and market.
///
/// A catalog has each type in several zones; looking at one of them saves most of the work of pruning.
pub(crate) fn cheapest_zones(catalog: &Catalog, buyable: &[Offer]) -> Vec<Offer> {
    let mut cheapest: Vec<Offer> = Vec::with_capacity(buyable.len() / 3 + 2);
    let mut current: [Option<Offer>; 2] = [None, None];
    let mut current_type = "";
    for offer in buyable {
        let Some(offering) = catalog.offerings().get(offer.at) else { continue };
        if offering.pool.instance_type != current_type {
            cheapest.extend(current.iter_mut().filter_map(Option::take));
            current_type = &offering.pool.instance_type;
        }
        let slot = match offering.pool.market {
            Market::OnDemand => &mut current[0],
            Market::Spot => &mut current[1],
        };
        match slot {
            None => *slot = Some(*offer),
            Some(best) if best.capacity == offer.capacity && best.class == offer.class => {
                if offer.price < best.price {
                    *best = *offer;
                }
            }
            // A type that is not the same in every zone: keep both.
            Some(_) => cheapest.push(*offer),
        }
    }
    cheapest.extend(current.into_iter().flatten());
    cheapest
}

/// The offerings that no other one can stand in for, cheapest first.
///
/// A host never uses more than the demand has, so capacity beyond that does not count; and a host may stand in for
/// one of another kind if everything in this demand that the other may run, it may run too.
pub(crate) fn undominated(offers: &[Offer], shapes: &[Shape]) -> Vec<Offer> {
    let left: Vec<u64> = shapes.iter().map(|s| s.count).collect();
    let useful = totals(shapes, &left).map(|total| total.clipped());
    let is_wanted = |class: usize| shapes.iter().any(|s| s.classes.has(class));
    let wanted = [is_wanted(0), is_wanted(1), is_wanted(2), is_wanted(3)];
    let mut stands_in = [[false; 4]; 4];
    for (class, row) in stands_in.iter_mut().enumerate() {
        for (other, cell) in row.iter_mut().enumerate() {
            *cell = shapes.iter().all(|s| !s.classes.has(other) || s.classes.has(class));
        }
    }
    let mut sorted: Vec<(u64, Reverse<Amount>, Offer)> = Vec::with_capacity(offers.len());
    for offer in offers {
        if wanted[offer.class] {
            let clipped = offer.capacity.clipped_to(&useful[offer.class]);
            sorted.push((offer.price, Reverse(clipped), *offer));
        }
    }
    sorted.sort_unstable_by_key(|(price, clipped, offer)| (*price, *clipped, offer.at));
    let mut kept: Vec<(Amount, Offer)> = Vec::new();
    for (_, Reverse(clipped), offer) in sorted {
        let is_dominated = kept.iter().any(|(other_clipped, other)| {
            stands_in[other.class][offer.class] && clipped.fits(other_clipped)
        });
        if !is_dominated {
            kept.push((clipped, offer));
        }
    }
    kept.into_iter().map(|(_, offer)| offer).collect()
}
