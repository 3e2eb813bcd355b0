//! What a second of each job is worth, and the proof that no plan is billed less.
//!
//! The argument. Let `v_i` be prices of jobs, per hour, under which nothing that fits on a host at once is worth more
//! than the host costs: the dual prices of the static planner, proven in integers there. At every moment what a host
//! runs fits on it at once. So over its life of `L` seconds, of which it works at most `L - boot`, it does work worth
//! at most `p (L - boot)`, and it is billed at least `p L`. Because `L <= D`, the deadline,
//!
//! ```text
//! p L  =  p (L - boot) * L / (L - boot)  >=  p (L - boot) * D / (D - boot),
//! ```
//!
//! and summed over all hosts, the bill is at least `D / (D - boot)` times what all jobs are worth, `sum v_i secs_i`.
//! The planner's own bound for a demand of `secs_i` jobs of each shape is a lower bound on that sum of worths being
//! payable: it is such a sum, rounded up to whole millionths of a dollar times seconds, which is what bills are counted in.

use crate::amount::DIMS;
use crate::bill::world::World;
use crate::bound::UnitPrices;
use crate::buy::{GREEDS, Guide, Packing, buy};
use crate::certificate::Proof;
use crate::demand::{Shape, are_bought_alike};
use crate::generate::Generator;
use crate::headroom::Left;
use crate::knapsack::{Content, Weights};
use crate::limits::{BILL_PRICING_WORK, BILL_SHAPES_MAX};
use crate::master::Master;
use crate::prune::{Offer, undominated};
use crate::solve::frontier;
use crate::work::Work;

/// Prices of jobs, what they prove, and what they say is good.
pub(crate) struct Prices {
    /// What an hour of one job of each shape is worth, in millionths of a dollar, for scores.
    pub(crate) worth: Vec<f64>,
    /// The offerings worth a look.
    pub(crate) offers: Vec<Offer>,
    /// For each of them, which dimensions matter.
    pub(crate) weights: Vec<Weights>,
    /// Contents that together do all the work at the least price, were there no ends: the offering by index.
    pub(crate) columns: Vec<(usize, Content)>,
    /// No plan is billed less: millionths of a dollar per hour, times seconds.
    pub(crate) bound: u64,
    /// What the bound rests on.
    pub(crate) proof: Proof,
}

impl Prices {
    pub(crate) fn solve(world: &World) -> Self {
        let mut prices = Self::of_area(&world.shapes, &world.offers, &world.job_seconds());
        prices.bound = stretched(prices.bound, world).max(one_job_bound(world));
        prices
    }

    /// The prices, and the bound they prove by themselves: hosts that do `secs` of work of each shape, however long they live and
    /// whenever they do it, are billed no less. `all_offers` are cheapest first.
    pub(crate) fn of_area(shapes: &[Shape], all_offers: &[Offer], secs: &[u64]) -> Self {
        let offers = undominated(&frontier(all_offers), shapes);
        let units = UnitPrices::solve(shapes, secs, &offers);
        let (worth, weights) = (units.worths(shapes), units.weights().to_vec());
        let bound = units.bound(shapes, secs);
        let mut prices = Self { bound, ..Self::guides(worth, offers, weights) };
        prices.generate(shapes, secs, BILL_PRICING_WORK);
        prices
    }

    /// Prices that guide, and prove nothing.
    pub(crate) fn guides(worth: Vec<f64>, offers: Vec<Offer>, weights: Vec<Weights>) -> Self {
        let (columns, proof) = (Vec::new(), Proof::default());
        Self { worth, offers, weights, columns, bound: 0, proof }
    }

    /// Column generation with seconds of work for jobs.
    pub(crate) fn generate(&mut self, shapes: &[Shape], secs: &[u64], work: u64) {
        if BILL_SHAPES_MAX < shapes.len() {
            return;
        }
        let with_secs = |(shape, secs): (&Shape, &u64)| Shape { count: *secs, ..shape.clone() };
        let shapes: Vec<Shape> = shapes.iter().zip(secs).map(with_secs).collect();
        let Some(mut master) = Master::new(&shapes, secs, &self.offers) else { return };
        let mut generator = Generator::new(&shapes, secs, &self.offers, &self.weights);
        let guide = Guide { worth: self.worth.clone(), weights: self.weights.clone() };
        for greed in GREEDS {
            let mut packing = Packing::empty(&shapes);
            buy(&mut packing, &mut Left::unlimited(), &shapes, &self.offers, &guide, greed);
            generator.seed(&mut master, &packing.hosts);
        }
        let mut work = Work::new(work);
        let found = generator.run(&mut master, &self.worth, &mut work, true);
        let weights = generator.weights().to_vec();
        for (x, column) in master.mix() {
            if 0.0 < x {
                self.columns.push((column.offer, column.content.clone()));
            }
        }
        self.bound = self.bound.max(found.bound);
        self.proof = Proof::scaled(&found.proven, secs, found.bound);
        let is_proof_of_something = 0 < found.bound;
        if is_proof_of_something {
            self.worth = found.worth;
            self.weights = weights;
        }
    }

    pub(crate) fn weights_of(&self, offer: usize) -> Weights {
        self.weights.get(offer).copied().unwrap_or([1.0; DIMS])
    }

    /// Which dimensions matter on a host that is not among the offerings: as on the one of its kind that is most alike.
    pub(crate) fn weights_like(&self, host: &Offer) -> Weights {
        let per_cpu =
            |offer: &Offer| f64::from(offer.capacity.0[1]) / f64::from(offer.capacity.0[0].max(1));
        let has_gpus = |offer: &Offer| 0 < offer.capacity.0[2];
        let mut nearest: Option<(f64, usize)> = None;
        for (at, offer) in self.offers.iter().enumerate() {
            if !are_bought_alike(offer.class, host.class) || has_gpus(offer) != has_gpus(host) {
                continue;
            }
            let distance = (per_cpu(offer) - per_cpu(host)).abs();
            if nearest.is_none_or(|(least, _)| distance < least) {
                nearest = Some((distance, at));
            }
        }
        nearest.map_or([1.0; DIMS], |(_, at)| self.weights_of(at))
    }
}

/// The bound times `D / (D - boot)`. A bill is a whole number in this unit, so a part of one counts as one.
fn stretched(bound: u64, world: &World) -> u64 {
    let deadline = u128::from(world.clock.deadline);
    let useful = deadline.saturating_sub(u128::from(world.clock.boot));
    let product = u128::from(bound) * deadline;
    u64::try_from(product.checked_div(useful).map_or(0, |_| product.div_ceil(useful.max(1))))
        .unwrap_or(u64::MAX)
}

/// Some host runs the most demanding of the jobs: boot, job, and at least the least that is billed.
fn one_job_bound(world: &World) -> u64 {
    let mut bound = 0;
    for (shape, groups) in world.shapes.iter().zip(&world.groups) {
        let Some(longest) = groups.first() else { continue };
        let holds = |o: &&Offer| shape.classes.has(o.class) && shape.need.fits(&o.capacity);
        let end = world.clock.boot.saturating_add(longest.secs);
        if let Some(cheapest) = world.offers.iter().find(holds) {
            bound = bound.max(crate::bill::host::cost(cheapest, end, world.clock));
        }
    }
    bound
}
