//! What an hour of one job is worth: the least that its needs cost on what may be bought.

use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;
use spillway_core::{MicroUsdPerHour, PlanInput, PlanPolicy};

use crate::amount::{score_of, whole_of};
use crate::bound::{UnitPrices, block_sets};
use crate::demand::{Shape, Unplaced, shapes};
use crate::prune::{Offer, buyable, cooling_flags};
use crate::solve::frontier;

/// What an hour of one job of each group is worth, in dollars. No offering is cheaper than what fits into it at these
/// prices, so a group that costs much more than this is badly served.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobPrices {
    of_group: BTreeMap<DemandKey, f64>,
}

/// Demand in the solver's terms, with a price for each shape.
pub(crate) struct Priced {
    pub(crate) shapes: Vec<Shape>,
    /// Millionths of a dollar for an hour of one job.
    pub(crate) worth: Vec<f64>,
    /// What can be bought now, cheapest first.
    pub(crate) offers: Vec<Offer>,
}

impl JobPrices {
    /// The price of a group; none for one that fits nothing that can be bought now.
    pub fn get(&self, key: &DemandKey) -> Option<MicroUsdPerHour> {
        let micro = self.of_group.get(key)?.round();
        Some(MicroUsdPerHour::new(u64::try_from(whole_of(micro)).unwrap_or(u64::MAX)))
    }

    pub(crate) fn of(priced: &Priced) -> Self {
        let mut of_group = BTreeMap::new();
        for (shape, worth) in priced.shapes.iter().zip(&priced.worth) {
            of_group.extend(shape.groups.iter().map(|group| (group.key, *worth)));
        }
        Self { of_group }
    }
}

impl Priced {
    /// Prices for so many jobs of each group, as far as they fit anything that can be bought now.
    pub(crate) fn new(input: &PlanInput, policy: &PlanPolicy, groups: &[Unplaced]) -> Self {
        let mut offers = buyable(&input.catalog, &cooling_flags(input), policy);
        offers.sort_unstable_by_key(|offer| (offer.price, offer.at));
        let mut shapes = shapes(groups);
        shapes.retain(|shape| {
            let holds = |o: &Offer| shape.classes.has(o.class) && shape.need.fits(&o.capacity);
            offers.iter().any(holds)
        });
        let undominated = frontier(&offers);
        let counts: Vec<u64> = shapes.iter().map(|shape| shape.count).collect();
        let sets = block_sets(&shapes, &undominated);
        let units = UnitPrices::solve(&shapes, &counts, &sets, &undominated, &offers);
        let worth = units.worths(&shapes, &sets);
        Self { shapes, worth, offers }
    }

    pub(crate) fn counts(&self) -> Vec<u64> {
        self.shapes.iter().map(|shape| shape.count).collect()
    }
}

/// A score in millionths of a dollar per hour, as money.
pub(crate) fn money(score: f64) -> MicroUsdPerHour {
    let whole = u64::try_from(whole_of(score.max(0.0).round())).unwrap_or(u64::MAX);
    MicroUsdPerHour::new(whole)
}

/// Money as a score.
pub(crate) fn score(price: MicroUsdPerHour) -> f64 {
    score_of(price.get())
}
