//! What can be bought now, and the few offerings of it that are worth a look.
//!
//! An offering is left out only if another one holds whatever of this demand it could hold, for no more money.

use std::cmp::Reverse;

use spillway_core::{Catalog, Market, PlanInput, PlanPolicy};

use crate::amount::Amount;
use crate::demand::{N_CLASSES, Shape, Totals, class_of};
use crate::headroom::CapSet;

/// An offering in the solver's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) capacity: Amount,
    /// Millionths of a dollar per hour.
    pub(crate) price: u64,
    /// See [`crate::demand::class_of`].
    pub(crate) class: usize,
    /// The limits on CPU of their own that count it.
    pub(crate) caps: CapSet,
    /// Index into the catalog, whose order is that of the pools' ids.
    pub(crate) at: usize,
}

impl Offer {
    /// Stands where nothing was planned.
    pub(crate) const NOTHING: Self =
        Self { capacity: Amount([0; 3]), price: 0, class: 0, caps: CapSet::NONE, at: usize::MAX };
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
pub(crate) fn buyable(input: &PlanInput, is_cooling: &[bool], policy: &PlanPolicy) -> Vec<Offer> {
    let catalog = &input.catalog;
    let mut buyable = Vec::with_capacity(catalog.offerings().len());
    for (at, (offering, is_cooling)) in catalog.offerings().iter().zip(is_cooling).enumerate() {
        let capacity = Amount::of(&offering.capacity);
        if *is_cooling || !is_allowed_size(&capacity, policy) {
            continue;
        }
        let class = class_of(offering.traits());
        let caps = CapSet::of(&offering.pool, &input.headroom);
        buyable.push(Offer { capacity, price: offering.price.get(), class, caps, at });
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
/// A limit on CPU of its own, such as a quota, keeps a host from standing in for one that the limit does not count.
/// A host never uses more than the demand has, so capacity beyond that does not count; and a host may stand in for
/// one of another kind if everything in this demand that the other may run, it may run too.
pub(crate) fn undominated(offers: &[Offer], shapes: &[Shape]) -> Vec<Offer> {
    let totals = Totals::of(shapes, shapes.iter().map(|s| s.count));
    let mut useful: [Option<Amount>; N_CLASSES] = [None; N_CLASSES];
    let mut sorted: Vec<(u64, Reverse<Amount>, Offer)> = Vec::with_capacity(offers.len());
    for offer in offers {
        if totals.has(offer.class) {
            let useful = useful[offer.class].get_or_insert_with(|| totals.on(offer.class));
            sorted.push((offer.price, Reverse(offer.capacity.clipped_to(useful)), *offer));
        }
    }
    sorted.sort_unstable_by_key(|(price, clipped, offer)| (*price, *clipped, offer.at));
    let mut kept: Vec<(Amount, Offer)> = Vec::new();
    for (_, Reverse(clipped), offer) in sorted {
        let is_dominated = kept.iter().any(|(other_clipped, other)| {
            clipped.fits(other_clipped)
                && other.caps.is_within(offer.caps)
                && totals.may_stand_in(other.class, offer.class)
        });
        if !is_dominated {
            kept.push((clipped, offer));
        }
    }
    kept.into_iter().map(|(_, offer)| offer).collect()
}
