//! Upper bounds on what still fits into a host: a price for a unit of each resource, and what jobs are worth beyond
//! what they take at these prices (Lagrange). Any prices give a bound; they are searched for in floats and the bound
//! is worked out in integers.

use crate::amount::{Amount, DIMS, score_of, whole_of};
use crate::knapsack::Weights;

/// A shape that may be put on the host.
pub(crate) struct Item {
    pub(crate) shape: usize,
    pub(crate) need: Amount,
    /// How many at most.
    pub(crate) most: u32,
    /// What each is worth.
    pub(crate) worth: u64,
    /// What each takes, all dimensions as one.
    pub(crate) weight: u128,
}

/// Bits of a unit price below the unit of worths.
const PRICE_SHIFT: u32 = 12;

/// By how much prices are changed in the search for those that give the least bound, coarse first.
const STEPS: [f64; 4] = [2.5, 1.4, 1.1, 1.02];

/// Sweeps over all directions for each step.
const SWEEPS_MAX: usize = 3;

/// The directions of the search, as exponents of the step: one price, or two against each other. One alone would
/// get stuck in the creases of the bound.
const DIRECTIONS: [[i32; DIMS]; 12] = [
    [1, 0, 0],
    [-1, 0, 0],
    [0, 1, 0],
    [0, -1, 0],
    [0, 0, 1],
    [0, 0, -1],
    [1, -1, 0],
    [-1, 1, 0],
    [1, 0, -1],
    [-1, 0, 1],
    [0, 1, -1],
    [0, -1, 1],
];

/// What one bound costs for each item, in elementary steps: most of it is sorting.
const STEPS_PER_BOUND: usize = 40;

/// What a whole host weighs: fine enough that rounding loses nothing one could see, and small enough that any worth
/// times any weight stays within 128 bits.
const WHOLE_WEIGHT: f64 = 1_099_511_627_776.0;

/// Weights are given and kept in millionths of a dollar, worths are finer.
const UNIT: f64 = 65_536.0;

/// A weight of nothing would never grow: each is at least this part of all.
const WEIGHT_PART_MIN: f64 = 1e-5;

/// Improves the weights (what the whole of each dimension of the host costs) until the bound they give is below the
/// goal or gets no better; gives what that has cost in elementary steps.
pub(crate) fn tuned(weights: &mut Weights, items: &[Item], capacity: &Amount, goal: f64) -> usize {
    let mut scaled: Vec<[f64; 5]> = Vec::with_capacity(items.len());
    for item in items {
        let need = item.need.as_f64();
        let part = |dim: usize| need[dim] / f64::from(capacity.0[dim].max(1));
        let (worth, most) = (score_of(item.worth), f64::from(item.most));
        scaled.push([
            worth * most,
            part(0) * most * UNIT,
            part(1) * most * UNIT,
            part(2) * most * UNIT,
            most,
        ]);
    }
    let bound = |weights: &Weights| {
        let mut sum = (weights[0] + weights[1] + weights[2]) * UNIT;
        for [worth, cpu, memory, gpus, _] in &scaled {
            sum += (worth - weights[0] * cpu - weights[1] * memory - weights[2] * gpus).max(0.0);
        }
        sum
    };
    for (weight, capacity) in weights.iter_mut().zip(capacity.0) {
        if capacity == 0 {
            *weight = 0.0;
        }
    }
    let mut least = bound(weights);
    let mut n_bounds = 1;
    let floor = weights.iter().sum::<f64>() * WEIGHT_PART_MIN;
    for (weight, capacity) in weights.iter_mut().zip(capacity.0) {
        if 0 < capacity {
            *weight = weight.max(floor).max(1e-6);
        }
    }
    let mut order: Vec<(f64, f64)> = Vec::with_capacity(items.len());
    if goal < least {
        rescale(weights, &scaled, &mut order);
        least = bound(weights);
    }
    for step in STEPS {
        for _ in 0..SWEEPS_MAX {
            if least < goal {
                return 8 + STEPS_PER_BOUND * n_bounds * items.len();
            }
            let before = least;
            for direction in DIRECTIONS {
                let mut tried = *weights;
                for (weight, exponent) in tried.iter_mut().zip(direction) {
                    *weight *= f64::powi(step, exponent);
                }
                // The least bound of this direction: at one scale the search would get stuck at once.
                rescale(&mut tried, &scaled, &mut order);
                let bound = bound(&tried);
                n_bounds += 1;
                if bound < least {
                    least = bound;
                    *weights = tried;
                }
            }
            if before * (1.0 - 1e-9) <= least {
                break;
            }
        }
    }
    8 + STEPS_PER_BOUND * n_bounds * items.len()
}

/// Scales all weights alike so that their bound is least: to what the job is worth for what it takes that no longer
/// fits when those worth more are in.
fn rescale(weights: &mut Weights, scaled: &[[f64; 5]], order: &mut Vec<(f64, f64)>) {
    order.clear();
    for [worth, cpu, memory, gpus, _] in scaled {
        let taken = weights[0] * cpu + weights[1] * memory + weights[2] * gpus;
        order.push((worth / taken.max(1e-9), taken));
    }
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut room = weights.iter().sum::<f64>() * UNIT;
    for (density, taken) in order.iter() {
        room -= taken;
        if room <= 0.0 {
            for weight in weights.iter_mut() {
                *weight *= density;
            }
            return;
        }
    }
}

/// Bounds from several price vectors; the least of them counts.
pub(crate) struct Bounds {
    all: Vec<Bound>,
}

struct Bound {
    unit: [u64; DIMS],
    /// For each place among the items what those from there on are worth beyond what they take.
    beyond: Vec<u128>,
}

impl Bounds {
    pub(crate) const fn new() -> Self {
        Self { all: Vec::new() }
    }

    /// Adds the bound that these weights of a host of this capacity give.
    pub(crate) fn add(&mut self, weights: &Weights, items: &[Item], capacity: &Amount) {
        let shift = score_of(1 << PRICE_SHIFT) * UNIT;
        let of_dim = |dim: usize| {
            let unit = weights[dim] * shift / f64::from(capacity.0[dim].max(1));
            u64::try_from(whole_of(unit)).unwrap_or(u64::MAX)
        };
        let unit = [of_dim(0), of_dim(1), of_dim(2)];
        let mut beyond = vec![0; items.len()];
        let mut sum: u128 = 0;
        for (slot, item) in beyond.iter_mut().zip(items).rev() {
            let worth = u128::from(item.worth) << PRICE_SHIFT;
            let more = worth.saturating_sub(cost(&unit, &item.need));
            sum = sum.saturating_add(more.saturating_mul(u128::from(item.most)));
            *slot = sum;
        }
        self.all.push(Bound { unit, beyond });
    }

    /// Weighs the items, sorts them by worth per weight and adds the bound of these weights; gives what the host's
    /// whole capacity weighs.
    pub(crate) fn weigh(
        &mut self,
        weights: &Weights,
        items: &mut [Item],
        capacity: &Amount,
    ) -> u128 {
        let all = weights.iter().sum::<f64>().max(1e-9);
        let of_dim = |dim: usize| {
            let part = weights[dim] / all * WHOLE_WEIGHT;
            u64::try_from(whole_of(part / f64::from(capacity.0[dim].max(1)))).unwrap_or(0)
        };
        let unit = [of_dim(0), of_dim(1), of_dim(2)];
        for item in items.iter_mut() {
            item.weight = cost(&unit, &item.need);
        }
        // More worth per weight first: a/b > c/d is a*d > c*b.
        let wide = |item: &Item| u128::from(item.worth);
        items.sort_by(|a, b| (wide(b) * a.weight).cmp(&(wide(a) * b.weight)));
        self.add(weights, items, capacity);
        cost(&unit, capacity)
    }

    /// The most that items from `at` on add where this much is free.
    pub(crate) fn at(&self, at: usize, free: &Amount) -> u128 {
        let mut least = u128::MAX;
        for bound in &self.all {
            let beyond = bound.beyond.get(at).copied().unwrap_or(0);
            least = least.min(beyond.saturating_add(cost(&bound.unit, free)));
        }
        least >> PRICE_SHIFT
    }
}

/// What an amount costs at these prices of a unit.
fn cost(unit: &[u64; DIMS], amount: &Amount) -> u128 {
    let mut sum: u128 = 0;
    for (unit, n) in unit.iter().zip(amount.0) {
        sum = sum.saturating_add(u128::from(*unit) * u128::from(n));
    }
    sum
}
