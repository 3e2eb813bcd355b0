//! From demand and offerings to hosts: prices, several greedy packings, improvements, the best of them.

use spillway_core::plan::Headroom;

use crate::bound::{UnitPrices, block_of, block_sets, one_job_bound};
use crate::buy::{Greed, Packing, buy};
use crate::demand::Shape;
use crate::headroom::Left;
use crate::improve::{join_equal, right_size, top_up};
use crate::prune::{Offer, undominated};

/// What can be bought, looked at from three sides.
pub(crate) struct Shelf {
    /// Everything, in the catalog's order.
    pub(crate) all: Vec<Offer>,
    /// Everything, cheapest first, of equal price in the catalog's order.
    pub(crate) by_price: Vec<Offer>,
    /// What is left when, within each block, those are dropped that cost no less and hold no more than another.
    pub(crate) frontier: Vec<Offer>,
}

/// Hosts to buy, what has no place in them, and the proven bound for what has.
pub(crate) struct Solved {
    pub(crate) packing: Packing,
    pub(crate) bound: u64,
    pub(crate) n_undominated: usize,
}

/// Solves for shapes that all fit some offering on the shelf.
pub(crate) fn solve(shapes: &[Shape], shelf: &Shelf, headroom: &Headroom) -> Solved {
    let counts: Vec<u64> = shapes.iter().map(|s| s.count).collect();
    let sets = block_sets(shapes, &shelf.frontier);
    let prices = UnitPrices::solve(shapes, &counts, &sets, &shelf.frontier, &shelf.all);
    let worth = prices.worths(shapes, &sets);
    let offers = undominated(&shelf.frontier, shapes);

    let mut best: Option<Packing> = None;
    for greed in GREEDS {
        let mut left = Left::of(headroom);
        let mut packing = Packing::empty(shapes);
        buy(&mut packing, &mut left, shapes, &offers, &worth, greed);
        finish(&mut packing, shapes, shelf, &offers, headroom, &worth, greed);
        if best.as_ref().is_none_or(|best| is_better(&packing, best, &worth)) {
            best = Some(packing);
        }
    }
    let mut packing = best.unwrap_or_else(|| Packing::empty(shapes));
    join_equal(&mut packing.hosts);

    let held = packing.held(shapes);
    let prices = if held == counts {
        prices
    } else {
        UnitPrices::solve(shapes, &held, &sets, &shelf.frontier, &shelf.all)
    };
    let bound =
        prices.bound(shapes, &held, &sets).max(one_job_bound(shapes, &held, &shelf.frontier));
    Solved { packing, bound, n_undominated: offers.len() }
}

const GREEDS: [Greed; 2] = [
    Greed { size_bonus: 0.25, price_exponent: 1.0 },
    Greed { size_bonus: 1.0, price_exponent: 1.0 },
];

/// Right-sizes; where a limit has left something over, uses what that has freed.
fn finish(
    packing: &mut Packing,
    shapes: &[Shape],
    shelf: &Shelf,
    offers: &[Offer],
    headroom: &Headroom,
    worth: &[f64],
    greed: Greed,
) {
    loop {
        let left = Left::of(headroom);
        top_up(packing, shapes);
        right_size(&mut packing.hosts, &shelf.by_price, shapes, &left);
        let mut left = Left::of(headroom);
        for host in &packing.hosts {
            left.take(&host.offer, host.count);
        }
        let n_before = packing.hosts.len();
        if packing.left.iter().any(|n| 0 < *n) {
            buy(packing, &mut left, shapes, offers, worth, greed);
        }
        if packing.hosts.len() == n_before {
            break;
        }
    }
}

/// More of the work placed, then less money.
fn is_better(packing: &Packing, than: &Packing, worth: &[f64]) -> bool {
    let n_left = |p: &Packing| p.left.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let lost = |p: &Packing| {
        let of_shape = |(n, worth): (&u64, &f64)| crate::amount::score_of(*n) * worth;
        p.left.iter().zip(worth).map(of_shape).sum::<f64>()
    };
    match (n_left(packing), n_left(than)) {
        (0, 0) => packing.cost() < than.cost(),
        _ => lost(packing)
            .total_cmp(&lost(than))
            .then(n_left(packing).cmp(&n_left(than)))
            .then(packing.cost().cmp(&than.cost()))
            .is_lt(),
    }
}

/// Drops, within each block, what costs no less and holds no more than another.
pub(crate) fn frontier(by_price: &[Offer]) -> Vec<Offer> {
    let mut frontier: Vec<Offer> = Vec::new();
    for offer in by_price {
        let is_dominated = frontier
            .iter()
            .any(|o| block_of(o) == block_of(offer) && offer.capacity.fits(&o.capacity));
        if !is_dominated {
            frontier.push(*offer);
        }
    }
    frontier
}
