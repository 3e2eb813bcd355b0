//! Fills one host: a content of high worth, quickly, that uses all its resources evenly.
//!
//! A heuristic: the content always fits, nothing more is promised.

use crate::amount::{Amount, DIMS, score_of};
use crate::demand::{ClassSet, Shape};
use crate::limits::{MANY_SHAPES, SHORTLIST_OF_MANY, SHORTLIST_SHAPES};
use crate::prune::Offer;

/// What one host holds: shapes by index and how many of each, in the order of the index.
pub(crate) type Content = Vec<(usize, u32)>;

/// How the three dimensions of a host are weighed against each other, each as a whole: what its CPU is worth beside
/// its memory and its GPUs.
pub(crate) type Weights = [f64; DIMS];

/// No dimension counts for nothing: a host that is full in one is full.
const WEIGHT_MIN: f64 = 0.01;

/// A job that needs nothing takes this part of a host, so that its score is a number.
const PART_MIN: f64 = 1e-9;

/// A shape that may still be left. Amounts are whole numbers well below 2^53, so floats compare them exactly.
#[derive(Clone, Copy)]
struct Kind {
    need: [f64; DIMS],
    /// What one job is worth, with a bonus for large jobs: the small ones still fit when the host is nearly full.
    greed: f64,
    classes: ClassSet,
    at: usize,
}

/// A shape on the shortlist, and how many of its jobs are left for this host.
#[derive(Clone, Copy)]
struct Candidate {
    need: [f64; DIMS],
    greed: f64,
    left: f64,
    at: usize,
}

pub(crate) struct Knapsack<'a> {
    shapes: &'a [Shape],
    /// What one job of each shape is worth.
    worth: Vec<f64>,
    /// The shapes that may be left.
    kinds: Vec<Kind>,
    /// How many of each shape are in the host that is being filled.
    taken: Vec<u32>,
    ranked: Vec<(f64, Candidate)>,
    candidates: Vec<Candidate>,
    /// What filling has cost so far, in elementary steps.
    n_steps: usize,
}

impl<'a> Knapsack<'a> {
    /// `size_bonus` of 0 treats jobs alike whatever their size; 1 values a job by the square of its worth.
    pub(crate) fn new(shapes: &'a [Shape], worth: Vec<f64>, size_bonus: f64) -> Self {
        let mut kinds = Vec::with_capacity(shapes.len());
        for (at, (shape, worth)) in shapes.iter().zip(&worth).enumerate() {
            let greed = worth.powf(1.0 + size_bonus);
            kinds.push(Kind { need: shape.need.as_f64(), greed, classes: shape.classes, at });
        }
        let taken = vec![0; shapes.len()];
        let (ranked, candidates) = (Vec::new(), Vec::new());
        Self { shapes, worth, kinds, taken, ranked, candidates, n_steps: 0 }
    }

    /// What filling has cost so far, in elementary steps.
    pub(crate) const fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// Never looks again at what is not left now.
    pub(crate) fn forget_used_up(&mut self, left: &[u64]) {
        self.kinds.retain(|kind| left.get(kind.at).is_some_and(|left| 0 < *left));
    }

    /// Fills a host with some of `left`; gives the content and its worth. Nothing that is left fits in beside it.
    ///
    /// `weights` say which dimensions matter; what becomes scarce while the host is filled matters more and more.
    pub(crate) fn fill(
        &mut self,
        offer: &Offer,
        left: &[u64],
        weights: &Weights,
    ) -> (Content, f64) {
        let mut content: Vec<usize> = Vec::new();
        let mut free = offer.capacity;
        let mut worth = 0.0;
        let sum = weights.iter().sum::<f64>().max(1e-9);
        let weights = weights.map(|weight| weight / sum + WEIGHT_MIN);
        loop {
            self.shortlist(offer.class, &free, left, &weights);
            if self.candidates.is_empty() {
                break;
            }
            while let Some((at, n)) = self.take_best(&free, &weights) {
                let Some(shape) = self.shapes.get(at) else { break };
                free = free.less(&shape.need, n);
                worth += self.worth.get(at).map_or(0.0, |each| each * f64::from(n));
                if let Some(taken) = self.taken.get_mut(at) {
                    if *taken == 0 {
                        content.push(at);
                    }
                    *taken = taken.saturating_add(n);
                }
            }
        }
        content.sort_unstable();
        let mut counted = Vec::with_capacity(content.len());
        for at in content {
            if let Some(taken) = self.taken.get_mut(at) {
                counted.push((at, *taken));
                *taken = 0;
            }
        }
        (counted, worth)
    }

    /// Lists the shapes that score most on what is free.
    fn shortlist(&mut self, class: usize, free: &Amount, left: &[u64], weights: &Weights) {
        let free = free.as_f64();
        let inverse = inverse(&free, weights);
        self.n_steps += 4 * self.kinds.len();
        let (ranked, taken) = (&mut self.ranked, &self.taken);
        ranked.clear();
        for kind in &self.kinds {
            if !kind.classes.has(class) || !fits(&kind.need, &free) {
                continue;
            }
            let taken = taken.get(kind.at).copied().unwrap_or(0);
            let left = left.get(kind.at).copied().unwrap_or(0).saturating_sub(u64::from(taken));
            // A shape that needs nothing fits any number of times, but is counted in 32 bits.
            let left = left.min(u64::from(u32::MAX - taken));
            if 0 < left {
                let score = kind.greed / (part(&kind.need, &inverse) + PART_MIN);
                let (need, greed, at) = (kind.need, kind.greed, kind.at);
                ranked.push((score, Candidate { need, greed, left: score_of(left), at }));
            }
        }
        let n_listed =
            if MANY_SHAPES < self.kinds.len() { SHORTLIST_OF_MANY } else { SHORTLIST_SHAPES };
        if n_listed < ranked.len() {
            let order = |a: &(f64, Candidate), b: &(f64, Candidate)| {
                b.0.total_cmp(&a.0).then(a.1.at.cmp(&b.1.at))
            };
            ranked.select_nth_unstable_by(n_listed, order);
            ranked.truncate(n_listed);
            ranked.sort_unstable_by_key(|(_, candidate)| candidate.at);
        }
        self.candidates.clear();
        self.candidates.extend(self.ranked.iter().map(|(_, candidate)| *candidate));
    }

    /// Takes jobs of the best shape of the shortlist: a few at a time, so that the next choice sees what this one has
    /// used up. Drops from the list what does not fit any more.
    fn take_best(&mut self, free: &Amount, weights: &Weights) -> Option<(usize, u32)> {
        let free = free.as_f64();
        let inverse = inverse(&free, weights);
        self.n_steps += 20 + 3 * self.candidates.len();
        let (mut best, mut highest) = (usize::MAX, -1.0);
        let mut n_kept = 0;
        for at in 0..self.candidates.len() {
            let Some(candidate) = self.candidates.get(at).copied() else { break };
            if candidate.left < 1.0 || !fits(&candidate.need, &free) {
                continue;
            }
            let score = candidate.greed / (part(&candidate.need, &inverse) + PART_MIN);
            if highest < score {
                (best, highest) = (n_kept, score);
            }
            if n_kept < at
                && let Some(slot) = self.candidates.get_mut(n_kept)
            {
                *slot = candidate;
            }
            n_kept += 1;
        }
        self.candidates.truncate(n_kept);
        let candidate = self.candidates.get_mut(best)?;
        let mut most = candidate.left;
        for (need, free) in candidate.need.iter().zip(free) {
            if 0.0 < *need {
                most = most.min((free / need).floor());
            }
        }
        let n = if 8.0 < most { (most / 4.0).floor() } else { 1.0 };
        candidate.left -= n;
        let n = u32::try_from(crate::amount::whole_of(n)).unwrap_or(u32::MAX);
        Some((candidate.at, n))
    }
}

fn fits(need: &[f64; DIMS], free: &[f64; DIMS]) -> bool {
    need[0] <= free[0] && need[1] <= free[1] && need[2] <= free[2]
}

/// Which part of a host a job takes, the dimensions weighed.
fn part(need: &[f64; DIMS], inverse: &[f64; DIMS]) -> f64 {
    need[0] * inverse[0] + need[1] * inverse[1] + need[2] * inverse[2]
}

fn inverse(free: &[f64; DIMS], weights: &Weights) -> [f64; DIMS] {
    let of_dim = |dim: usize| weights[dim] / free[dim].max(1.0);
    [of_dim(0), of_dim(1), of_dim(2)]
}
