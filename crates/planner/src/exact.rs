//! The most that can be put on one host, by branch and bound: the best content, or the proof that none is worth more
//! than the host costs.
//!
//! The proof is in integers. Work is counted: where the count runs out the answer is an upper bound still, only not
//! the best.

use crate::amount::{Amount, DIMS, score_of};
use crate::demand::Shape;
use crate::knapsack::{Content, Weights};
use crate::multiplier::{Bounds, Item, tuned};
use crate::prune::Offer;

/// Worths are counted in 2^-16 millionths of a dollar.
pub(crate) const WORTH_SHIFT: u32 = 16;

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

/// Looks for the content of `offer` that is worth most, if that is more than `threshold`.
///
/// `weights` say what the whole of each dimension of the host is worth, as a first guess, and are made better.
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
            items.push(Item { shape: at, need: shape.need, most, worth: *worth, weight: 0 });
        }
    }
    let goal = score_of(u64::try_from(threshold).unwrap_or(u64::MAX));
    let mut steps = 2 * shapes.len();
    steps += tuned(weights, &items, &offer.capacity, goal);
    let mut bounds = Bounds::new();
    bounds.add(weights, &items, &offer.capacity);
    let upper = bounds.at(0, &offer.capacity);
    if upper <= threshold {
        return Best { upper: threshold, content: None, steps };
    }
    bounds = Bounds::new();
    let room = bounds.weigh(weights, &mut items, &offer.capacity);
    // Deep in the tree other dimensions are scarce than at its root: bounds for hosts with less of one.
    for dim in 0..DIMS {
        if THOROUGH_NODES <= nodes_max && 0 < offer.capacity.0[dim] {
            let mut rest = offer.capacity;
            rest.0[dim] /= 3;
            let mut of_rest = *weights;
            of_rest[dim] /= 3.0;
            steps += tuned(&mut of_rest, &items, &rest, 0.0);
            bounds.add(&of_rest, &items, &rest);
        }
    }
    steps += 40 * items.len();
    let taken = vec![0; items.len()];
    let mut search = Search {
        items,
        bounds,
        taken,
        best: threshold,
        best_taken: None,
        cut: 0,
        n_steps: 0,
        n_nodes: 0,
        nodes_max,
        seen: vec![(0, Amount::default(), 0); SEEN_SLOTS],
    };
    search.descend(0, offer.capacity, room, 0);
    let upper = search.best.max(search.cut);
    let content = search.best_taken.map(|taken| {
        let counted = search.items.iter().zip(taken).filter(|(_, n)| 0 < *n);
        let mut content: Content = counted.map(|(item, n)| (item.shape, n)).collect();
        content.sort_unstable();
        content
    });
    Best { upper, content, steps: steps + SEEN_SLOTS + search.n_steps }
}

/// A search of so many branches is worth more than one bound.
const THOROUGH_NODES: u32 = 3000;

/// Places to remember rooms in.
const SEEN_SLOTS: usize = 1024;

struct Search {
    items: Vec<Item>,
    bounds: Bounds,
    taken: Vec<u32>,
    best: u128,
    best_taken: Option<Vec<u32>>,
    /// The highest bound of a branch that was left because the count ran out.
    cut: u128,
    n_steps: usize,
    n_nodes: u32,
    nodes_max: u32,
    /// The worth, plus one, with which the items from some place on met this much free room: sizes of jobs are often
    /// multiples of each other, and many ways lead to the same room. What comes later to a place takes it over.
    seen: Vec<(usize, Amount, u128)>,
}

impl Search {
    /// Whether the items from `at` on have met this room with as much worth before.
    fn has_seen(&mut self, at: usize, free: &Amount, worth: u128) -> bool {
        let mut mixed: u64 = u64::try_from(at).unwrap_or(0);
        for n in free.0 {
            mixed = (mixed ^ u64::from(n)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        }
        let slot = usize::try_from(mixed % u64::try_from(SEEN_SLOTS).unwrap_or(1)).unwrap_or(0);
        let Some(seen) = self.seen.get_mut(slot) else { return false };
        let is_same = 0 < seen.2 && seen.0 == at && seen.1 == *free;
        if is_same && worth < seen.2 {
            return true;
        }
        *seen = (at, *free, worth + 1);
        false
    }

    /// The most that items from `at` on add, all dimensions as one; the last one counts in part, rounded up.
    fn one_bound(&mut self, at: usize, mut room: u128) -> u128 {
        let mut bound = 0;
        for item in self.items.iter().skip(at) {
            self.n_steps += 2;
            let weight = item.weight * u128::from(item.most);
            if weight <= room {
                room -= weight;
                bound += u128::from(item.worth) * u128::from(item.most);
            } else {
                return bound + (u128::from(item.worth) * room).div_ceil(item.weight);
            }
        }
        bound
    }

    /// Tries the items from `at` on.
    fn descend(&mut self, mut at: usize, free: Amount, room: u128, worth: u128) {
        if self.best < worth {
            self.best = worth;
            self.best_taken = Some(self.taken.clone());
        }
        let (most, need, each, weight) = loop {
            let Some(item) = self.items.get(at) else { return };
            let most = item.most.min(item.need.times_in(&free));
            if 0 < most {
                break (most, item.need, u128::from(item.worth), item.weight);
            }
            self.n_steps += 3;
            at += 1;
        };
        if self.has_seen(at, &free, worth) {
            return;
        }
        self.n_nodes += 1;
        self.n_steps += 40;
        for n in (0..=most).rev() {
            let rest = free.less(&need, n);
            let room = room.saturating_sub(weight * u128::from(n));
            let worth = worth + each * u128::from(n);
            let one = worth + self.one_bound(at + 1, room);
            // The items are sorted, so fewer of one never raise this bound of what follows.
            if one <= self.best {
                break;
            }
            let bound = one.min(worth + self.bounds.at(at + 1, &rest));
            self.n_steps += 15;
            if bound <= self.best {
                continue;
            }
            if self.nodes_max <= self.n_nodes {
                self.cut = self.cut.max(one);
                break;
            }
            self.take(at, n);
            self.descend(at + 1, rest, room, worth);
        }
        self.take(at, 0);
    }

    fn take(&mut self, at: usize, n: u32) {
        if let Some(taken) = self.taken.get_mut(at) {
            *taken = n;
        }
    }
}
