//! What every job must cost at least: for each offering a price for a unit of each resource, such that its whole
//! capacity costs no more than the offering does.
//!
//! A job is worth the least its needs cost on any offering that holds it. So on any host, whatever fits on it is worth
//! at most what the host's capacity costs at its own unit prices, and that is at most the host's price: the worth of
//! all jobs is a lower bound on the price of any hosts that hold them. The unit prices come out of a linear program in
//! floats ([`crate::fluid`]); they are rounded to integers and lowered until the inequality holds in exact arithmetic,
//! so the bound is proven whatever the floats did.

use crate::amount::{DIMS, score_of, whole_of};
use crate::demand::Shape;
use crate::fluid::{self, Fluid, rooms};
use crate::knapsack::Weights;
use crate::limits::UNIT_PRICE_SHIFT;
use crate::prune::Offer;

/// For each offering unit prices in 2^-32 millionths of a dollar.
pub(crate) struct UnitPrices<'a> {
    offers: &'a [Offer],
    units: Vec<[u64; DIMS]>,
    weights: Vec<Weights>,
}

impl<'a> UnitPrices<'a> {
    /// Unit prices under which none of `offers` is cheaper than what fits into it, best for `counts` of `shapes`.
    ///
    /// What fits into an offering that one of `offers` dominates fits into that one.
    pub(crate) fn solve(shapes: &[Shape], counts: &[u64], offers: &'a [Offer]) -> Self {
        Self::with_sharpness(fluid::PROVING, shapes, counts, counts, offers)
    }

    /// The same for jobs that come one after the other: best for `work` of `shapes`, of which a host holds at most `counts` at a time.
    pub(crate) fn of_work(
        shapes: &[Shape],
        counts: &[u64],
        work: &[u64],
        offers: &'a [Offer],
    ) -> Self {
        Self::with_sharpness(fluid::PROVING, shapes, counts, work, offers)
    }

    /// The same, only so good as to guide.
    pub(crate) fn guides(shapes: &[Shape], counts: &[u64], offers: &'a [Offer]) -> Self {
        Self::with_sharpness(fluid::GUIDING, shapes, counts, counts, offers)
    }

    fn with_sharpness(
        sharpness_max: u32,
        shapes: &[Shape],
        counts: &[u64],
        work: &[u64],
        offers: &'a [Offer],
    ) -> Self {
        let rooms = rooms(shapes, counts, offers);
        let of_offers = Fluid::new(shapes, work, offers, &rooms).solve(sharpness_max);
        let (mut units, mut weights) = (Vec::new(), Vec::new());
        for ((offer, room), shares) in offers.iter().zip(&rooms).zip(of_offers) {
            weights.push(softened(&shares, score_of(offer.price)));
            units.push(proven_units(offer, room, &shares));
        }
        Self { offers, units, weights }
    }

    /// What one job is worth at least, in 2^-32 millionths of a dollar per hour; nothing for one that fits nowhere.
    fn worth(&self, shape: &Shape) -> u128 {
        let mut least = u128::MAX;
        for (offer, unit) in self.offers.iter().zip(&self.units) {
            if shape.classes.has(offer.class) && shape.need.fits(&offer.capacity) {
                least = least.min(cost(unit, &shape.need.0));
            }
        }
        if least == u128::MAX { 0 } else { least }
    }

    /// The unit prices of each offering in picodollars per hour, for `many` units of each dimension; rounded down, which
    /// leaves them proven.
    pub(crate) fn in_picos(&self, many: [u128; DIMS]) -> Option<Vec<[u64; DIMS]>> {
        let mut all = Vec::with_capacity(self.units.len());
        for units in &self.units {
            let mut picos = [0; DIMS];
            for ((pico, unit), many) in picos.iter_mut().zip(units).zip(many) {
                let fine = u128::from(*unit).checked_mul(many)?.checked_mul(1_000_000)?;
                *pico = u64::try_from(fine >> UNIT_PRICE_SHIFT).ok()?;
            }
            all.push(picos);
        }
        Some(all)
    }

    /// What one job of each shape is worth, in millionths of a dollar per hour, for scores.
    pub(crate) fn worths(&self, shapes: &[Shape]) -> Vec<f64> {
        let unit = score_of(1 << UNIT_PRICE_SHIFT);
        let of_shape = |shape| score_of(u64::try_from(self.worth(shape)).unwrap_or(u64::MAX));
        shapes.iter().map(|shape| of_shape(shape) / unit).collect()
    }

    /// For each offering what the whole of each dimension costs, for scores.
    pub(crate) fn weights(&self) -> &[Weights] {
        &self.weights
    }

    /// What all jobs are worth together. What hosts cost is whole millionths of a dollar, so a part of one counts as
    /// one.
    pub(crate) fn bound(&self, shapes: &[Shape], counts: &[u64]) -> u64 {
        let mut sum: u128 = 0;
        for (shape, count) in shapes.iter().zip(counts) {
            sum = sum.saturating_add(self.worth(shape).saturating_mul(u128::from(*count)));
        }
        u64::try_from(sum.div_ceil(1 << UNIT_PRICE_SHIFT)).unwrap_or(u64::MAX)
    }
}

/// Shares of a price as weights for filling a host: a dimension that is plentiful in the linear program, whose jobs
/// come in parts, is not quite so in a host of whole ones.
fn softened(shares: &[f64; DIMS], price: f64) -> Weights {
    let used = shares.map(|share| if 0.0 < share { 1.0 } else { 0.0 });
    let n_used = used.iter().sum::<f64>().max(1.0);
    let of_dim = |dim: usize| {
        let even = used[dim] / n_used;
        price * (EVEN_PART * even + (1.0 - EVEN_PART) * shares[dim])
    };
    [of_dim(0), of_dim(1), of_dim(2)]
}

/// How far weights are moved towards equal ones.
const EVEN_PART: f64 = 0.3;

/// What amounts cost.
fn cost(unit: &[u64; DIMS], amounts: &[u32; DIMS]) -> u128 {
    let of_dim = |(unit, n): (&u64, &u32)| u128::from(*unit) * u128::from(*n);
    unit.iter().zip(amounts).map(of_dim).sum()
}

/// Unit prices at which all that an offering can use of its capacity costs no more than it does, exactly.
///
/// The floats are right to many digits: take off a billionth, then two, then four ..., in the end all.
fn proven_units(offer: &Offer, room: &[u32; DIMS], shares: &[f64; DIMS]) -> [u64; DIMS] {
    let price = u128::from(offer.price) << UNIT_PRICE_SHIFT;
    let whole = score_of(offer.price) * score_of(1 << UNIT_PRICE_SHIFT);
    let of_dim = |dim: usize| {
        let unit = whole * shares[dim] / f64::from(room[dim].max(1));
        u64::try_from(whole_of(unit)).unwrap_or(u64::MAX)
    };
    let mut unit = [of_dim(0), of_dim(1), of_dim(2)];
    for shift in (0..=30_u32).rev() {
        if cost(&unit, room) <= price {
            return unit;
        }
        unit = unit.map(|unit| unit.saturating_sub((unit >> shift) + 1));
    }
    [0; DIMS]
}

/// The least that one host costs which holds the most demanding of the jobs: a bound where there are few of them.
pub(crate) fn one_job_bound(shapes: &[Shape], counts: &[u64], frontier: &[Offer]) -> u64 {
    let mut bound = 0;
    for (shape, count) in shapes.iter().zip(counts) {
        if *count == 0 {
            continue;
        }
        let holds = |o: &&Offer| shape.classes.has(o.class) && shape.need.fits(&o.capacity);
        let cheapest = frontier.iter().filter(holds).map(|o| o.price).min();
        bound = bound.max(cheapest.unwrap_or(0));
    }
    bound
}
