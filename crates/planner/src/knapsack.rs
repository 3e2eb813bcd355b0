//! Fills one host: a content of high worth, quickly, that uses all its resources evenly.
//!
//! A heuristic: the content always fits, nothing more is promised.

use crate::amount::{Amount, DIMS};
use crate::demand::Shape;
use crate::limits::SHORTLIST_SHAPES;
use crate::prune::Offer;

/// What one host holds: shapes by index and how many of each, in the order of the index.
pub(crate) type Content = Vec<(usize, u32)>;

/// How the three dimensions of a host are weighed against each other, each as a whole: what its CPU is worth beside
/// its memory and its GPUs.
pub(crate) type Weights = [f64; DIMS];

/// No dimension counts for nothing: a host that is full in one is full.
const WEIGHT_MIN: f64 = 0.01;

pub(crate) struct Knapsack<'a> {
    shapes: &'a [Shape],
    need: Vec<[f64; DIMS]>,
    /// What one job of each shape is worth.
    worth: Vec<f64>,
    /// The same with a bonus for large jobs: the small ones still fit when the host is nearly full.
    greed: Vec<f64>,
    /// How many of each shape are in the host that is being filled.
    taken: Vec<u32>,
    candidates: Vec<(f64, usize)>,
    /// What filling has cost so far, in elementary steps.
    n_steps: usize,
}

impl<'a> Knapsack<'a> {
    /// `size_bonus` of 0 treats jobs alike whatever their size; 1 values a job by the square of its worth.
    pub(crate) fn new(shapes: &'a [Shape], worth: Vec<f64>, size_bonus: f64) -> Self {
        let greed = worth.iter().map(|worth| worth.powf(1.0 + size_bonus)).collect();
        let need = shapes.iter().map(|shape| shape.need.as_f64()).collect();
        let taken = vec![0; shapes.len()];
        Self { shapes, need, worth, greed, taken, candidates: Vec::new(), n_steps: 0 }
    }

    /// What filling has cost so far, in elementary steps.
    pub(crate) const fn n_steps(&self) -> usize {
        self.n_steps
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
        loop {
            self.shortlist(offer.class, &free, left, weights);
            if self.candidates.is_empty() {
                break;
            }
            while let Some((at, most)) = self.best(&free, left, weights) {
                let Some(shape) = self.shapes.get(at) else { break };
                // A few at a time, so that the next choice sees what this one has used up.
                let n = if 8 < most { most / 4 } else { 1 };
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

    /// What one job of the shape scores on what is free: its greed over its part of the free resources.
    fn score(&self, at: usize, inverse: &[f64; DIMS]) -> f64 {
        let (Some(need), Some(greed)) = (self.need.get(at), self.greed.get(at)) else { return 0.0 };
        let part = need[0] * inverse[0] + need[1] * inverse[1] + need[2] * inverse[2];
        greed / (part + 1e-9)
    }

    fn most(&self, at: usize, free: &Amount, left: &[u64]) -> u32 {
        let (Some(shape), Some(taken), Some(left)) =
            (self.shapes.get(at), self.taken.get(at), left.get(at))
        else {
            return 0;
        };
        let left = left.saturating_sub(u64::from(*taken));
        if left == 0 || !shape.need.fits(free) {
            return 0;
        }
        // A shape that needs nothing fits any number of times, but is counted in 32 bits.
        let countable = u32::MAX - taken;
        shape.need.times_in(free).min(u32::try_from(left).unwrap_or(u32::MAX)).min(countable)
    }

    fn shortlist(&mut self, class: usize, free: &Amount, left: &[u64], weights: &Weights) {
        let inverse = inverse(free, weights);
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        self.n_steps += 4 * self.shapes.len();
        for (at, shape) in self.shapes.iter().enumerate() {
            if shape.classes.has(class) && 0 < self.most(at, free, left) {
                candidates.push((self.score(at, &inverse), at));
            }
        }
        if SHORTLIST_SHAPES < candidates.len() {
            let order =
                |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            candidates.select_nth_unstable_by(SHORTLIST_SHAPES, order);
            candidates.truncate(SHORTLIST_SHAPES);
            candidates.sort_unstable_by_key(|(_, at)| *at);
        }
        self.candidates = candidates;
    }

    /// The best of the shortlist and how many of it fit. Drops from the list what does not fit any more.
    fn best(&mut self, free: &Amount, left: &[u64], weights: &Weights) -> Option<(usize, u32)> {
        let inverse = inverse(free, weights);
        let mut candidates = std::mem::take(&mut self.candidates);
        self.n_steps += 20 + 6 * candidates.len();
        let mut best: Option<(f64, usize, u32)> = None;
        candidates.retain(|(_, at)| {
            let most = self.most(*at, free, left);
            if most == 0 {
                return false;
            }
            let score = self.score(*at, &inverse);
            if best.is_none_or(|(highest, _, _)| highest < score) {
                best = Some((score, *at, most));
            }
            true
        });
        self.candidates = candidates;
        best.map(|(_, at, most)| (at, most))
    }
}

fn inverse(free: &Amount, weights: &Weights) -> [f64; DIMS] {
    let sum = weights.iter().sum::<f64>().max(1e-9);
    let of_dim = |dim: usize| (weights[dim] / sum + WEIGHT_MIN) / f64::from(free.0[dim].max(1));
    [of_dim(0), of_dim(1), of_dim(2)]
}
