//! What an hour of one job is worth: the prices the plan's bound rests on, or else the least that its needs cost.
//!
//! Under either no content of any host is worth more than the host costs, but for rounding; so a group that costs much
//! more than this is badly served, and an offering that cannot hold its price's worth is too dear.

use std::collections::BTreeMap;

use spillway_core::plan::{Demand, DemandKey, Gangs, Headroom};
use spillway_core::{MicroUsdPerHour, PlanInput, PlanPolicy};

use crate::amount::{score_of, whole_of};
use crate::bound::UnitPrices;
use crate::demand::{Shape, Unplaced, shapes};
use crate::knapsack::Weights;
use crate::plan_and_prices;
use crate::prune::{Offer, buyable, cooling_flags, undominated};

/// Demand in the solver's terms, with a price for each shape.
pub(crate) struct Priced {
    pub(crate) shapes: Vec<Shape>,
    /// Millionths of a dollar for an hour of one job.
    pub(crate) worth: Vec<f64>,
    /// What is worth a look, cheapest first.
    pub(crate) offers: Vec<Offer>,
    /// For each of them which dimensions matter.
    pub(crate) weights: Vec<Weights>,
}

impl Priced {
    /// Prices for so many jobs of each group, as far as they fit anything that can be bought now. Limits do not count:
    /// a job is worth what it costs where there is room for all.
    pub(crate) fn new(input: &PlanInput, policy: &PlanPolicy, groups: &[Unplaced]) -> Self {
        let mut all = buyable(input, &cooling_flags(input), policy);
        all.sort_unstable_by_key(|offer| (offer.price, offer.at));
        let mut shapes = shapes(groups);
        shapes.retain(|shape| {
            let holds = |o: &Offer| shape.classes.has(o.class) && shape.need.fits(&o.capacity);
            all.iter().any(holds)
        });
        let counts: Vec<u64> = shapes.iter().map(|shape| shape.count).collect();
        let offers = undominated(&all, &shapes);
        let units = UnitPrices::solve(&shapes, &counts, &offers);
        let weights = units.weights().to_vec();
        let worth = solved(input, policy, &shapes).unwrap_or_else(|| units.worths(&shapes));
        Self { shapes, worth, offers, weights }
    }

    pub(crate) fn counts(&self) -> Vec<u64> {
        self.shapes.iter().map(|shape| shape.count).collect()
    }

    /// What an hour of one job of each group is worth; nothing for one that fits nothing that can be bought now.
    pub(crate) fn of_groups(&self) -> BTreeMap<DemandKey, MicroUsdPerHour> {
        let mut of_groups = BTreeMap::new();
        for (shape, worth) in self.shapes.iter().zip(&self.worth) {
            of_groups.extend(shape.groups.iter().map(|group| (group.key, money(*worth))));
        }
        of_groups
    }
}

/// The prices that the bound of a plan for these jobs alone rests on; none where it rests on resource prices.
fn solved(input: &PlanInput, policy: &PlanPolicy, shapes: &[Shape]) -> Option<Vec<f64>> {
    const PICOS_PER_MICRO: f64 = 1e6;
    let groups = shapes.iter().flat_map(|shape| &shape.groups);
    let alone = PlanInput {
        demands: groups.map(|group| Demand::new(group.key, group.count)).collect(),
        hosts: Vec::new(),
        headroom: Headroom::default(),
        gangs: Gangs::default(),
        ..input.clone()
    };
    let (_, prices) = plan_and_prices(&alone, policy);
    let of_shape = |shape: &Shape| {
        let picos = prices.0.get(&shape.groups.first()?.key)?;
        Some(score_of(*picos) / PICOS_PER_MICRO)
    };
    shapes.iter().map(of_shape).collect()
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
