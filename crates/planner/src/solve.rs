//! From demand and offerings to hosts: prices, several greedy packings, improvements, the best of them.

use spillway_core::plan::{Effort, Headroom};

use crate::bound::{UnitPrices, one_job_bound};
use crate::buy::{GREEDS, Greed, Guide, Packing, buy};
use crate::certificate::Proof;
use crate::correct::{FAST, SLOW, correct};
use crate::demand::Shape;
use crate::headroom::Left;
use crate::improve::{join_equal, right_size, top_up};
use crate::limits::{CORRECTIONS_MAX, GAP_PARTS, SIDE_BY_SIDE_SHAPES_MIN};
use crate::pass::Pass;
use crate::prune::{Offer, undominated};
use crate::repack::Repacker;
use crate::search::search;
use crate::threads::Threads;
use crate::tiny;
use crate::work::Work;

/// What can be bought, looked at from three sides.
pub(crate) struct Shelf {
    /// Everything, in the catalog's order.
    pub(crate) all: Vec<Offer>,
    /// Everything, cheapest first, of equal price in the catalog's order.
    pub(crate) by_price: Vec<Offer>,
    /// What is left when, within each kind of host, those are dropped that cost no less and hold no more than another.
    pub(crate) frontier: Vec<Offer>,
}

/// Hosts to buy, what has no place in them, and the proven bound for what has.
pub(crate) struct Solved {
    pub(crate) packing: Packing,
    pub(crate) bound: u64,
    /// Job prices the bound rests on, if it does on any.
    pub(crate) proof: Proof,
    pub(crate) n_undominated: usize,
}

/// Solves for shapes that all fit some offering on the shelf.
pub(crate) fn solve(
    shapes: &[Shape],
    shelf: &Shelf,
    headroom: &Headroom,
    effort: Effort,
    threads: Threads,
) -> Solved {
    let offers = undominated(&shelf.frontier, shapes);
    // At a limit, the common case of a long queue, every place that becomes free asks for a plan: it must cost nothing.
    let left = Left::of(headroom);
    let is_affordable = shelf.all.iter().any(|offer| 0 < left.times(offer));
    if !is_affordable {
        let (packing, n_undominated) = (Packing::empty(shapes), offers.len());
        return Solved { packing, bound: 0, proof: Proof::default(), n_undominated };
    }

    let counts: Vec<u64> = shapes.iter().map(|s| s.count).collect();
    let prices = UnitPrices::solve(shapes, &counts, &offers);
    let guide = Guide { worth: prices.worths(shapes), weights: prices.weights().to_vec() };

    let is_small = shapes.len() < SIDE_BY_SIDE_SHAPES_MIN;
    let threads = if is_small { Threads::One } else { threads };
    let by_price = &shelf.by_price;
    let stock = Stock { shapes, offers: &offers, by_price, headroom, threads };
    let mut packing = stock.greedy(&guide);
    let held = packing.held(shapes);
    let is_limited = held != counts;
    let prices = if is_limited { UnitPrices::solve(shapes, &held, &offers) } else { prices };
    let mut bound = prices.bound(shapes, &held).max(one_job_bound(shapes, &held, &shelf.frontier));
    let mut proof = Proof::scaled(&prices.worths(shapes), &held, prices.bound(shapes, &held));
    // Where a limit leaves jobs waiting, the greedy has bought what is worth most for its price: that is the aim then.
    if is_limited {
        // A host exchanged for a cheaper one may have more room: what waits must not wait beside it. More jobs held
        // make no bound too high.
        top_up(&mut packing, shapes);
    } else {
        let exact = tiny::pack(shapes, &offers);
        let is_exact = exact.as_ref().is_some_and(|p| Left::of(headroom).holds(&p.hosts));
        packing = exact.filter(|_| is_exact).unwrap_or(packing);
        for pass in Pass::all(effort, shapes.len(), bound) {
            // What is cheapest needs no search, only the prices that bound it.
            let pass = if is_exact { pass.without_packing() } else { pass };
            stock.search(&pass, &guide, &mut packing, &mut bound, &mut proof);
        }
    }
    join_equal(&mut packing.hosts);
    Solved { packing, bound, proof, n_undominated: offers.len() }
}

/// What there is to solve.
struct Stock<'a> {
    shapes: &'a [Shape],
    offers: &'a [Offer],
    by_price: &'a [Offer],
    headroom: &'a Headroom,
    threads: Threads,
}

impl Stock<'_> {
    /// One pass of all that searches: column generation, corrected prices, ruin and recreate. Never makes the packing
    /// dearer, never lowers the bound.
    fn search(
        &self,
        pass: &Pass,
        guess: &Guide,
        packing: &mut Packing,
        bound: &mut u64,
        proof: &mut Proof,
    ) {
        let mut guide = guess.clone();
        let found = search(self.shapes, self.offers, guess, pass, self.threads);
        if let Some(found) = found {
            if *bound < found.bound && !found.proof.prices.is_empty() {
                (*bound, *proof) = (found.bound, found.proof);
            }
            for mut candidate in [found.packing, self.greedy(&found.guide)] {
                finish(&mut candidate, self, &found.guide, GREEDS[0]);
                self.keep_better(candidate, packing, &found.guide);
            }
            guide = found.guide;
        }
        let goal = u128::from(*bound) + u128::from(*bound) / GAP_PARTS;
        if goal < packing.cost() {
            let work = pass.work_correct / 2;
            let (slow, fast) = self.threads.both(
                || self.corrected(guess, SLOW, goal, Work::new(work)),
                || self.corrected(guess, FAST, goal, Work::new(work)),
            );
            for candidate in [slow, fast].into_iter().flatten() {
                self.keep_better(candidate, packing, guess);
            }
        }
        if goal < packing.cost() {
            let (shapes, offers, by_price) = (self.shapes, self.offers, self.by_price);
            let mut candidate = packing.clone();
            let repacker = Repacker { shapes, offers, by_price, guide: &guide, goal };
            repacker.run(&mut candidate, pass.work_repack, self.threads);
            self.keep_better(candidate, packing, &guide);
        }
    }

    /// The best of the greedy packings in a row, each at prices corrected by the one before.
    fn corrected(&self, guess: &Guide, rate: f64, goal: u128, mut work: Work) -> Option<Packing> {
        let mut best: Option<Packing> = None;
        let mut guide = guess.clone();
        for greed in GREEDS.into_iter().cycle().take(CORRECTIONS_MAX) {
            if work.is_spent() || best.as_ref().is_some_and(|best| best.cost() <= goal) {
                break;
            }
            let mut candidate = Packing::empty(self.shapes);
            let mut left = Left::of(self.headroom);
            work.spend(buy(&mut candidate, &mut left, self.shapes, self.offers, &guide, greed));
            correct(&mut guide, &candidate.hosts, rate);
            finish(&mut candidate, self, &guide, greed);
            if best.as_ref().is_none_or(|best| is_better(&candidate, best, &guess.worth)) {
                best = Some(candidate);
            }
        }
        best
    }

    fn keep_better(&self, candidate: Packing, packing: &mut Packing, guide: &Guide) {
        let is_allowed = Left::of(self.headroom).holds(&candidate.hosts);
        if is_allowed && is_better(&candidate, packing, &guide.worth) {
            *packing = candidate;
        }
    }

    /// The best of several greedy packings at these prices of jobs.
    fn greedy(&self, guide: &Guide) -> Packing {
        let mut best: Option<Packing> = None;
        for greed in GREEDS {
            let mut left = Left::of(self.headroom);
            let mut packing = Packing::empty(self.shapes);
            buy(&mut packing, &mut left, self.shapes, self.offers, guide, greed);
            finish(&mut packing, self, guide, greed);
            if best.as_ref().is_none_or(|best| is_better(&packing, best, &guide.worth)) {
                best = Some(packing);
            }
        }
        best.unwrap_or_else(|| Packing::empty(self.shapes))
    }
}

/// Right-sizes; where a limit has left something over, uses what that has freed.
fn finish(packing: &mut Packing, stock: &Stock<'_>, guide: &Guide, greed: Greed) {
    loop {
        let left = Left::of(stock.headroom);
        top_up(packing, stock.shapes);
        right_size(&mut packing.hosts, stock.by_price, stock.shapes, &left);
        let mut left = Left::of(stock.headroom);
        for host in &packing.hosts {
            left.take(&host.offer, host.count);
        }
        let n_before = packing.hosts.len();
        if packing.left.iter().any(|n| 0 < *n) {
            buy(packing, &mut left, stock.shapes, stock.offers, guide, greed);
        }
        // A dearer host with less CPU is dominated, but may still be bought where the limit on CPU is nearly reached.
        if packing.left.iter().any(|n| 0 < *n) && left.limits_any_cpu() {
            let small = stock.by_price.iter().filter(|offer| 0 < left.times(offer));
            let small: Vec<Offer> = small.copied().collect();
            let unweighted = Guide { worth: guide.worth.clone(), weights: Vec::new() };
            buy(packing, &mut left, stock.shapes, &small, &unweighted, greed);
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

/// Drops, within each kind of host, what costs no less and holds no more than another.
pub(crate) fn frontier(by_price: &[Offer]) -> Vec<Offer> {
    let mut frontier: Vec<Offer> = Vec::new();
    for offer in by_price {
        let is_dominated = frontier.iter().any(|o| {
            (o.class, o.caps) == (offer.class, offer.caps) && offer.capacity.fits(&o.capacity)
        });
        if !is_dominated {
            frontier.push(*offer);
        }
    }
    frontier
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Amount;
    use crate::demand::ClassSet;
    use crate::headroom::CapSet;

    /// Jobs and offerings of many sizes, a few of each: enough for parts, corrected prices and halves of hosts.
    fn world() -> (Vec<Shape>, Vec<Offer>) {
        let mut shapes = Vec::new();
        for n in 0_u32..90 {
            let need = Amount([256 + 131 * (n % 23), 512 + 397 * (n % 31), 0]);
            let count = u64::from(1 + n % 5);
            shapes.push(Shape { need, classes: ClassSet::ALL, count, groups: Vec::new() });
        }
        shapes.sort_by_key(|shape| shape.need);
        let mut offers = Vec::new();
        for at in 0_usize..12 {
            let size = 1 << (at / 3);
            let of_price = u64::try_from(at % 3).unwrap();
            let memory = size * 2048 * [2, 4, 8][at % 3];
            let price = u64::from(size) * (40_000 + 9_000 * of_price) + 500;
            offers.push(Offer {
                capacity: Amount([2048 * size, memory, 0]),
                price,
                class: 0,
                caps: CapSet::default(),
                at,
            });
        }
        (shapes, offers)
    }

    #[test]
    fn one_thread_and_two_have_the_same_plan() {
        let (shapes, offers) = world();
        let mut by_price = offers.clone();
        by_price.sort_by_key(|offer| (offer.price, offer.at));
        let shelf = Shelf { frontier: frontier(&by_price), all: offers, by_price };
        let headroom = Headroom::default();

        let [one, two] = [Threads::One, Threads::Two]
            .map(|threads| solve(&shapes, &shelf, &headroom, Effort::Default, threads));

        assert!(shapes.len() >= SIDE_BY_SIDE_SHAPES_MIN);
        assert_eq!(one.packing.hosts, two.packing.hosts);
        assert_eq!((one.bound, one.proof), (two.bound, two.proof));
        assert!(u128::from(one.bound) <= one.packing.cost());
    }
}
