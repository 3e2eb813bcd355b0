//! What every job must cost at least: prices for a unit of each resource such that no offering is cheaper than what
//! fits into it.
//!
//! Hosts fall into blocks (architecture, market, with or without GPUs) and each block has its own unit prices. A job
//! is worth the least its needs cost in any block it may run in. For any host and any contents, the contents' worth
//! is at most what the host's whole capacity costs at its block's unit prices, and that is at most the host's price.
//! So the worth of all jobs is a lower bound on the price of any hosts that hold them. The unit prices come out of a
//! linear program in floats; they are then rounded to integers and lowered until the inequality holds for every
//! offering in exact arithmetic, so the bound is proven whatever the floats did.

use std::collections::BTreeMap;

use crate::amount::{DIMS, score_of, whole_of};
use crate::demand::Shape;
use crate::limits::{LP_PIVOTS_MAX, UNIT_PRICE_SHIFT};
use crate::prune::Offer;
use crate::simplex::{Rows, Simplex};

/// Kinds of host with unit prices of their own: four classes, each with and without GPUs.
pub(crate) const N_BLOCKS: usize = 8;

pub(crate) const fn block_of(offer: &Offer) -> usize {
    let has_gpus = if offer.capacity.0[2] == 0 { 0 } else { 1 };
    offer.class * 2 + has_gpus
}

/// The blocks in which something holds a job: bit `i` stands for block `i`.
type BlockSet = u8;

/// For each shape, in which blocks an offering holds it; none where it fits nothing.
pub(crate) fn block_sets(shapes: &[Shape], offers: &[Offer]) -> Vec<BlockSet> {
    let mut sets = Vec::with_capacity(shapes.len());
    for shape in shapes {
        let mut set = 0;
        for offer in offers {
            let bit = 1 << block_of(offer);
            if set & bit == 0 && shape.classes.has(offer.class) && shape.need.fits(&offer.capacity)
            {
                set |= bit;
            }
        }
        sets.push(set);
    }
    sets
}

/// Unit prices in 2^-32 millionths of a dollar, block by block and dimension by dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnitPrices([[u128; DIMS]; N_BLOCKS]);

impl UnitPrices {
    /// Unit prices under which none of `offers` is cheaper than what fits into it, best for `counts` of `shapes`.
    pub(crate) fn solve(
        shapes: &[Shape],
        counts: &[u64],
        sets: &[BlockSet],
        frontier: &[Offer],
        offers: &[Offer],
    ) -> Self {
        let mut prices = Fluid::new(shapes, counts, sets, frontier).solve();
        prices.lower_until_proven(offers);
        prices
    }

    fn of_block(&self, block: usize) -> &[u128; DIMS] {
        const FREE: [u128; DIMS] = [0; DIMS];
        self.0.get(block).unwrap_or(&FREE)
    }

    /// The unit prices of a block in picodollars per hour, for `many` units of each dimension; rounded down, which
    /// leaves them proven.
    pub(crate) fn in_picos(&self, block: usize, many: [u128; DIMS]) -> Option<[u64; DIMS]> {
        let mut picos = [0; DIMS];
        for ((pico, price), many) in picos.iter_mut().zip(self.of_block(block)).zip(many) {
            let fine = price.checked_mul(many)?.checked_mul(1_000_000)?;
            *pico = u64::try_from(fine >> UNIT_PRICE_SHIFT).ok()?;
        }
        Some(picos)
    }

    /// What `amounts` cost in a block; none where that leaves the range of the type.
    fn cost(&self, block: usize, amounts: [u32; DIMS]) -> Option<u128> {
        let mut sum: u128 = 0;
        for (price, amount) in self.of_block(block).iter().zip(amounts) {
            sum = sum.checked_add(price.checked_mul(u128::from(amount))?)?;
        }
        Some(sum)
    }

    /// Whether no offering is cheaper than what fits into it, exactly.
    fn is_proven(&self, block: usize, offers: &[Offer]) -> bool {
        offers.iter().filter(|offer| block_of(offer) == block).all(|offer| {
            let price = u128::from(offer.price) << UNIT_PRICE_SHIFT;
            self.cost(block, offer.capacity.0).is_some_and(|cost| cost <= price)
        })
    }

    /// The floats are right to nine digits or so: take off a billionth, then two, then four ..., in the end all.
    fn lower_until_proven(&mut self, offers: &[Offer]) {
        for block in 0..N_BLOCKS {
            for shift in (0..=30_u32).rev() {
                if self.is_proven(block, offers) {
                    break;
                }
                for price in self.0.get_mut(block).into_iter().flatten() {
                    *price = price.saturating_sub((*price >> shift) + 1);
                }
            }
        }
    }

    /// What one job is worth at least, in 2^-32 millionths of a dollar per hour.
    fn worth(&self, shape: &Shape, set: BlockSet) -> u128 {
        let blocks = (0..N_BLOCKS).filter(|block| set >> block & 1 == 1);
        blocks.filter_map(|block| self.cost(block, shape.need.0)).min().unwrap_or(0)
    }

    /// What one job of each shape is worth, in millionths of a dollar per hour, for scores.
    pub(crate) fn worths(&self, shapes: &[Shape], sets: &[BlockSet]) -> Vec<f64> {
        let unit = score_of(1 << UNIT_PRICE_SHIFT);
        let mut worths = Vec::with_capacity(shapes.len());
        for (shape, set) in shapes.iter().zip(sets) {
            let worth = self.worth(shape, *set);
            worths.push(score_of(u64::try_from(worth).unwrap_or(u64::MAX)) / unit);
        }
        worths
    }

    /// What the whole of each dimension of an offering costs, for scores.
    pub(crate) fn weights(&self, offer: &Offer) -> [f64; DIMS] {
        let prices = self.of_block(block_of(offer));
        let of_dim = |dim: usize| {
            let cost = prices[dim].saturating_mul(u128::from(offer.capacity.0[dim]));
            score_of(u64::try_from(cost >> UNIT_PRICE_SHIFT).unwrap_or(u64::MAX))
        };
        let weights = [of_dim(0), of_dim(1), of_dim(2)];
        if weights.iter().sum::<f64>() < 1.0 { [1.0; DIMS] } else { weights }
    }

    /// What all jobs are worth together, rounded down to millionths of a dollar per hour.
    pub(crate) fn bound(&self, shapes: &[Shape], counts: &[u64], sets: &[BlockSet]) -> u64 {
        let (mut whole, mut parts): (u128, u128) = (0, 0);
        for ((shape, count), set) in shapes.iter().zip(counts).zip(sets) {
            let worth = self.worth(shape, *set);
            let count = u128::from(*count);
            let part = worth & ((1 << UNIT_PRICE_SHIFT) - 1);
            whole = whole.saturating_add((worth >> UNIT_PRICE_SHIFT).saturating_mul(count));
            parts = parts.saturating_add(part.saturating_mul(count));
        }
        u64::try_from(whole.saturating_add(parts >> UNIT_PRICE_SHIFT)).unwrap_or(u64::MAX)
    }
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

/// The linear program: buy parts of hosts so that each block has the capacity for the jobs that are assigned to it.
///
/// Its rows are the capacity of each block in each dimension, and for each set of blocks that jobs have the choice
/// of, that they are all assigned. Its columns are hosts, and ways to assign all jobs of such a set.
struct Fluid<'a> {
    shapes: &'a [Shape],
    counts: &'a [u64],
    offers: &'a [Offer],
    /// For each set of blocks the shapes that have this choice.
    choices: BTreeMap<BlockSet, Vec<usize>>,
    rows: Rows,
    /// All that is needed in each dimension: the unit of the rows.
    total: [f64; DIMS],
}

/// Perturbs the right-hand side so that no two columns leave together and the simplex method does not circle.
const PERTURBATION: f64 = 1e-10;

impl<'a> Fluid<'a> {
    fn new(shapes: &'a [Shape], counts: &'a [u64], sets: &[BlockSet], offers: &'a [Offer]) -> Self {
        let mut choices: BTreeMap<BlockSet, Vec<usize>> = BTreeMap::new();
        let mut total = [0.0; DIMS];
        for (at, ((shape, count), set)) in shapes.iter().zip(counts).zip(sets).enumerate() {
            if *set == 0 || *count == 0 {
                continue;
            }
            choices.entry(*set).or_default().push(at);
            for (total, need) in total.iter_mut().zip(shape.need.as_f64()) {
                *total += need * score_of(*count);
            }
        }
        let mut is_row = [[false; DIMS]; N_BLOCKS];
        let wanted = choices.keys().fold(0, |all, set| all | set);
        for offer in offers {
            let block = block_of(offer);
            let Some(flags) = is_row.get_mut(block) else { continue };
            for ((flag, capacity), total) in flags.iter_mut().zip(offer.capacity.0).zip(total) {
                *flag |= wanted >> block & 1 == 1 && 0 < capacity && 0.0 < total;
            }
        }
        Self { shapes, counts, offers, choices, rows: Rows::new(&is_row), total }
    }

    /// A host as a column, scaled so that its largest entry is 1, and its price scaled alike.
    fn host(&self, offer: &Offer) -> Option<(Vec<f64>, f64)> {
        let block = block_of(offer);
        let mut column = vec![0.0; self.n_rows()];
        let mut largest: f64 = 0.0;
        for (dim, (capacity, total)) in
            offer.capacity.as_f64().into_iter().zip(self.total).enumerate()
        {
            if let Some(row) = self.rows.at(block, dim)
                && let Some(entry) = column.get_mut(row)
            {
                *entry = capacity / total;
                largest = largest.max(*entry);
            }
        }
        if largest <= 0.0 {
            return None;
        }
        for entry in &mut column {
            *entry /= largest;
        }
        Some((column, score_of(offer.price) / largest))
    }

    fn n_rows(&self) -> usize {
        self.rows.count + self.choices.len()
    }

    /// Assigns the jobs of one set, each to its cheapest block at these prices; gives the column.
    fn assign(&self, ord: usize, set: BlockSet, shapes: &[usize], prices: &[f64]) -> Vec<f64> {
        let mut column = vec![0.0; self.n_rows()];
        let unit =
            |block: usize, dim: usize| self.rows.at(block, dim).and_then(|row| prices.get(row));
        for at in shapes {
            let (Some(shape), Some(count)) = (self.shapes.get(*at), self.counts.get(*at)) else {
                continue;
            };
            let need = shape.need.as_f64();
            let load = |dim: usize| need[dim] * score_of(*count) / self.total[dim].max(1.0);
            let mut cheapest: Option<(f64, usize)> = None;
            for block in (0..N_BLOCKS).filter(|block| set >> block & 1 == 1) {
                let of_dim = |dim: usize| unit(block, dim).copied().unwrap_or(0.0) * load(dim);
                let cost = of_dim(0) + of_dim(1) + of_dim(2);
                if cheapest.is_none_or(|(least, _)| cost < least) {
                    cheapest = Some((cost, block));
                }
            }
            let Some((_, block)) = cheapest else { continue };
            for dim in 0..DIMS {
                if let Some(row) = self.rows.at(block, dim)
                    && let Some(entry) = column.get_mut(row)
                {
                    *entry -= load(dim);
                }
            }
        }
        if let Some(entry) = column.get_mut(self.rows.count + ord) {
            *entry = 1.0;
        }
        column
    }

    /// Starts with hosts of one resource each, at a price at which none is ever worth buying.
    fn start(&self, hosts: &[(Vec<f64>, f64)]) -> Simplex {
        let n = self.n_rows();
        let mut inverse = vec![0.0; n * n];
        for entry in inverse.iter_mut().step_by(n + 1) {
            *entry = 1.0;
        }
        let mut x = Vec::with_capacity(n);
        let mut cost = Vec::with_capacity(n);
        for row in 0..self.rows.count {
            let of_host = |(column, price): &(Vec<f64>, f64)| {
                column.get(row).filter(|entry| 0.0 < **entry).map(|entry| price / entry)
            };
            let least = hosts.iter().filter_map(of_host).fold(f64::INFINITY, f64::min);
            cost.push(if least.is_finite() { 2.0 * least } else { 0.0 });
            x.push(PERTURBATION * score_of(u64::try_from(row + 1).unwrap_or(1)));
        }
        let free = vec![0.0; n];
        for (ord, (set, shapes)) in self.choices.iter().enumerate() {
            let column = self.assign(ord, *set, shapes, &free);
            for (row, entry) in column.iter().take(self.rows.count).enumerate() {
                if let Some(of_inverse) = inverse.get_mut(row * n + self.rows.count + ord) {
                    *of_inverse = -entry;
                }
                if let Some(x) = x.get_mut(row) {
                    *x -= entry;
                }
            }
            cost.push(0.0);
        }
        x.resize(n, 1.0);
        Simplex::new(&inverse, x, cost)
    }

    fn solve(&self) -> UnitPrices {
        let hosts: Vec<(Vec<f64>, f64)> = self.offers.iter().filter_map(|o| self.host(o)).collect();
        let mut simplex = self.start(&hosts);
        for _ in 0..LP_PIVOTS_MAX {
            if !self.step(&mut simplex, &hosts) {
                break;
            }
        }
        simplex.refresh_prices();
        self.unit_prices(simplex.prices())
    }

    /// One round of pivots; false at the optimum.
    fn step(&self, simplex: &mut Simplex, hosts: &[(Vec<f64>, f64)]) -> bool {
        let prices = simplex.prices().to_vec();
        let objective: f64 = prices.iter().skip(self.rows.count).sum();
        let tolerance = 1e-11 * objective.abs().max(1e-6);
        let dot = |column: &[f64]| column.iter().zip(&prices).map(|(a, p)| a * p).sum::<f64>();
        let mut best: Option<(f64, &(Vec<f64>, f64))> = None;
        for host in hosts {
            let reduced = host.1 - dot(&host.0);
            if reduced < -tolerance && best.is_none_or(|(least, _)| reduced < least) {
                best = Some((reduced, host));
            }
        }
        if let Some((_, (column, cost))) = best {
            return simplex.enter(column, *cost);
        }
        for (row, price) in prices.iter().take(self.rows.count).enumerate() {
            if *price < -tolerance {
                let mut surplus = vec![0.0; self.n_rows()];
                if let Some(entry) = surplus.get_mut(row) {
                    *entry = -1.0;
                }
                return simplex.enter(&surplus, 0.0);
            }
        }
        for (ord, (set, shapes)) in self.choices.iter().enumerate() {
            let column = self.assign(ord, *set, shapes, &prices);
            if tolerance < dot(&column) {
                return simplex.enter(&column, 0.0);
            }
        }
        false
    }

    fn unit_prices(&self, prices: &[f64]) -> UnitPrices {
        let unit = score_of(1 << UNIT_PRICE_SHIFT);
        let mut units = [[0; DIMS]; N_BLOCKS];
        for (block, of_block) in units.iter_mut().enumerate() {
            for (dim, price) in of_block.iter_mut().enumerate() {
                let of_row = self.rows.at(block, dim).and_then(|row| prices.get(row));
                let per_unit = of_row.copied().unwrap_or(0.0) / self.total[dim].max(1.0);
                *price = whole_of((per_unit * unit).max(0.0));
            }
        }
        UnitPrices(units)
    }
}
