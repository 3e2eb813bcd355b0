//! The most that can be put on one host, by branch and bound: the best content, or the proof that none is worth more
//! than the host costs.
//!
//! All in integers. Work is counted: where the count runs out the answer is an upper bound still, only not the best.

use std::collections::BTreeMap;

use crate::amount::{Amount, DIMS, score_of, whole_of};
use crate::demand::Shape;
use crate::knapsack::{Content, Weights};
use crate::prune::Offer;

/// Worths are counted in 2^-16 millionths of a dollar.
pub(crate) const WORTH_SHIFT: u32 = 16;

/// The surrogate capacity of a host: fine enough that rounding the weights loses nothing one could see.
const SURROGATE_CAPACITY: f64 = 1_099_511_627_776.0;

/// What is known about the best content of a host.
#[derive(Debug)]
pub(crate) struct Best {
    /// No content is worth more than this, nor than the threshold asked about, whichever is more.
    pub(crate) upper: u128,
    /// A content worth more than the threshold, if one was found.
    pub(crate) content: Option<Content>,
    /// What the search has cost, in elementary steps.
    pub(crate) steps: usize,
}

struct Item {
    shape: usize,
    need: Amount,
    most: u32,
    worth: u128,
    weight: u128,
}

/// Looks for the content of `offer` that is worth most, if that is more than `threshold`.
pub(crate) fn best_content(
    offer: &Offer,
    shapes: &[Shape],
    counts: &[u64],
    worth: &[u64],
    threshold: u128,
    weights: &mut Weights,
    nodes_max: u32,
) -> Best {
    let mut items = Vec::new();
    for (at, ((shape, count), worth)) in shapes.iter().zip(counts).zip(worth).enumerate() {
        if *count == 0 || *worth == 0 || !shape.classes.has(offer.class) {
            continue;
        }
        let most = shape.need.times_in(&offer.capacity);
        let most = most.min(u32::try_from(*count).unwrap_or(u32::MAX));
        if 0 < most {
            let worth = u128::from(*worth);
            items.push(Item { shape: at, need: shape.need, most, worth, weight: 0 });
        }
    }
    let n_items = items.len();
    let (capacity, n_bounds) = tune(weights, &mut items, offer, threshold);
    let taken = vec![0; n_items];
    let mut search = Search {
        items,
        taken,
        best: threshold,
        best_taken: None,
        cut: 0,
        n_steps: 0,
        n_nodes: 0,
        nodes_max,
        seen: BTreeMap::new(),
    };
    search.descend(0, offer.capacity, capacity, 0);
    let upper = search.best.max(search.cut);
    let content = search.best_taken.map(|taken| {
        let counted = search.items.iter().zip(taken).filter(|(_, n)| 0 < *n);
        let mut content: Content = counted.map(|(item, n)| (item.shape, n)).collect();
        content.sort_unstable();
        content
    });
    let steps = shapes.len() + 40 * n_bounds * n_items + search.n_steps;
    Best { upper, content, steps }
}

/// By how much weights are changed in the search for those that give the least bound, coarse first.
const STEPS: [f64; 4] = [2.5, 1.4, 1.1, 1.02];

/// Sweeps over all directions for each step.
const SWEEPS_MAX: usize = 3;

/// The directions of the search, as exponents of the step: one weight or two against each other. One weight alone
/// would get stuck in the creases of the bound.
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

/// Improves the weights until the bound they give is below the threshold or gets no better; sorts the items by worth
/// per weight and gives the host's capacity in the same weights, and how many bounds were worked out for it.
fn tune(
    weights: &mut Weights,
    items: &mut [Item],
    offer: &Offer,
    threshold: u128,
) -> (u128, usize) {
    let goal = score_of(u64::try_from(threshold).unwrap_or(u64::MAX));
    let mut scratch: Vec<(f64, f64, f64)> = Vec::with_capacity(items.len());
    let mut least = root_bound(weights, items, offer, &mut scratch);
    let mut n_bounds = 1;
    for step in STEPS {
        for _ in 0..SWEEPS_MAX {
            let before = least;
            for direction in DIRECTIONS {
                let mut tried = *weights;
                for (weight, exponent) in tried.iter_mut().zip(direction) {
                    *weight *= f64::powi(step, exponent);
                }
                let bound = root_bound(&tried, items, offer, &mut scratch);
                n_bounds += 1;
                if bound < least {
                    least = bound;
                    *weights = tried;
                }
            }
            if least < goal || before <= least {
                break;
            }
        }
        if least < goal {
            break;
        }
    }
    let whole = whole_weights(weights, offer);
    for item in items.iter_mut() {
        item.weight = weigh(&whole, &item.need);
    }
    // More worth per weight first: a/b > c/d is a*d > c*b.
    items.sort_by(|a, b| (b.worth * a.weight).cmp(&(a.worth * b.weight)));
    (weigh(&whole, &offer.capacity), n_bounds)
}

/// The bound at the root in floats: all dimensions as one, the last item in part.
fn root_bound(
    weights: &Weights,
    items: &[Item],
    offer: &Offer,
    scratch: &mut Vec<(f64, f64, f64)>,
) -> f64 {
    let scale = |dim: usize| weights[dim] / f64::from(offer.capacity.0[dim].max(1));
    let scale = [scale(0), scale(1), scale(2)];
    let weigh = |amount: &Amount| {
        let amount = amount.as_f64();
        amount[0] * scale[0] + amount[1] * scale[1] + amount[2] * scale[2]
    };
    scratch.clear();
    for item in items {
        let worth = score_of(u64::try_from(item.worth).unwrap_or(u64::MAX));
        let weight = weigh(&item.need).max(1e-12);
        scratch.push((worth / weight, weight, f64::from(item.most)));
    }
    scratch.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut room = weigh(&offer.capacity);
    let mut bound = 0.0;
    for (density, weight, most) in scratch.iter() {
        let used = (weight * most).min(room);
        bound += density * used;
        room -= used;
        if room <= 0.0 {
            break;
        }
    }
    bound
}

fn whole_weights(weights: &Weights, offer: &Offer) -> [u128; DIMS] {
    let sum = weights.iter().sum::<f64>().max(1e-9);
    let of_dim = |dim: usize| {
        let share = weights[dim] / sum * SURROGATE_CAPACITY;
        whole_of(share / f64::from(offer.capacity.0[dim].max(1)))
    };
    [of_dim(0), of_dim(1), of_dim(2)]
}

fn weigh(weights: &[u128; DIMS], amount: &Amount) -> u128 {
    weights.iter().zip(amount.0).map(|(weight, n)| weight * u128::from(n)).sum()
}

struct Search {
    items: Vec<Item>,
    taken: Vec<u32>,
    best: u128,
    best_taken: Option<Vec<u32>>,
    /// The highest bound of a branch that was left because the count ran out.
    cut: u128,
    n_steps: usize,
    n_nodes: u32,
    nodes_max: u32,
    /// The most worth with which the items from some place on met this much free room: sizes of jobs are often
    /// multiples of each other, and many ways lead to the same room.
    seen: BTreeMap<(usize, Amount), u128>,
}

impl Search {
    /// The most that items from `at` on add, all dimensions as one; the last one counts in part, rounded up.
    fn bound(&mut self, at: usize, mut room: u128) -> u128 {
        let mut bound = 0;
        self.n_steps += 30;
        for item in self.items.iter().skip(at) {
            self.n_steps += 2;
            let weight = item.weight * u128::from(item.most);
            if weight <= room {
                room -= weight;
                bound += item.worth * u128::from(item.most);
            } else {
                return bound + (item.worth * room).div_ceil(item.weight);
            }
        }
        bound
    }

    /// Tries the items from `at` on. The items are sorted, so fewer of one never raise the bound of what follows.
    fn descend(&mut self, mut at: usize, free: Amount, room: u128, worth: u128) {
        if self.best < worth {
            self.best = worth;
            self.best_taken = Some(self.taken.clone());
        }
        let (most, need, weight, each) = loop {
            let Some(item) = self.items.get(at) else { return };
            let most = item.most.min(item.need.times_in(&free));
            if 0 < most {
                break (most, item.need, item.weight, item.worth);
            }
            at += 1;
        };
        match self.seen.get(&(at, free)) {
            Some(before) if worth <= *before => return,
            Some(_) | None => self.seen.insert((at, free), worth),
        };
        self.n_nodes += 1;
        self.n_steps += 100;
        for n in (0..=most).rev() {
            let room = room.saturating_sub(weight * u128::from(n));
            let worth = worth + each * u128::from(n);
            let bound = worth + self.bound(at + 1, room);
            if bound <= self.best {
                break;
            }
            if self.nodes_max <= self.n_nodes {
                self.cut = self.cut.max(bound);
                break;
            }
            self.take(at, n);
            self.descend(at + 1, free.less(&need, n), room, worth);
        }
        self.take(at, 0);
    }

    fn take(&mut self, at: usize, n: u32) {
        if let Some(taken) = self.taken.get_mut(at) {
            *taken = n;
        }
    }
}
