//! Column generation: from the prices of jobs to better contents, from better contents to better prices; in the end
//! the proof that no content is worth more than its host costs, which makes the worth of all jobs a lower bound.

use crate::amount::{DIMS, score_of};
use crate::buy::Hosts;
use crate::center::{Center, Ratio, price_of, whole_worth};
use crate::demand::Shape;
use crate::exact::best_content;
use crate::improve::{classes, load};
use crate::knapsack::{Content, Knapsack, Weights};
use crate::limits::{COLUMNS_PER_ROUND, EXACT_NODES_LAST, EXACT_NODES_MAX};
use crate::master::{Column, Master};
use crate::prune::Offer;
use crate::work::Work;

/// A content is worth a column if it is worth more than its host costs by this part.
const GAIN_MIN: f64 = 1e-6;

/// A content of the greedy knapsack that is worth less than this part of its host's price is not worth polishing.
const POLISH_GAIN_MIN: f64 = 0.97;

/// Jobs that are taken out and put in anew, and the branches looked at for that.
const POLISH_JOBS: u64 = 8;
const POLISH_NODES_MAX: u32 = 200;

/// How far prices may go from the center at first and at most, as a part of what they are there.
const REACH_FIRST: f64 = 0.02;
const REACH_MAX: f64 = 1.0;

/// The same for the best content there is.
const EXACT_GAIN_MIN: f64 = 1e-9;

pub(crate) struct Generator<'a> {
    shapes: &'a [Shape],
    counts: &'a [u64],
    offers: &'a [Offer],
    /// For each offering the weights that made the last bound on its content tight.
    weights: Vec<Weights>,
}

/// What the prices of jobs have come to.
pub(crate) struct Prices {
    /// What one job of each shape costs, in millionths of a dollar per hour, for scores.
    pub(crate) worth: Vec<f64>,
    /// A proven lower bound on the price of hosts that hold all jobs, in millionths of a dollar per hour.
    pub(crate) bound: u64,
    /// The prices of jobs that the bound was found at, before they were scaled down to what is proven; empty if none.
    pub(crate) proven: Vec<f64>,
}

impl Prices {
    fn new(worth: Vec<f64>, center: Center) -> Self {
        let proven = if 0 < center.bound { center.worth } else { Vec::new() };
        Self { worth, bound: center.bound, proven }
    }
}

impl<'a> Generator<'a> {
    /// `weights` say for each offering which dimensions matter, to begin with.
    pub(crate) fn new(
        shapes: &'a [Shape],
        counts: &'a [u64],
        offers: &'a [Offer],
        weights: &[Weights],
    ) -> Self {
        Self { shapes, counts, offers, weights: weights.to_vec() }
    }

    pub(crate) fn weights(&self) -> &[Weights] {
        &self.weights
    }

    /// Adds the contents of hosts that something else has packed.
    pub(crate) fn seed(&self, master: &mut Master<'_>, hosts: &[Hosts]) {
        for host in hosts {
            let load = load(&host.content, self.shapes);
            let classes = classes(&host.content, self.shapes);
            let holds = |o: &Offer| classes.has(o.class) && load.fits(&o.capacity);
            if let Some(offer) = self.offers.iter().position(holds) {
                master.add(Column { offer, content: host.content.clone() });
            }
        }
    }

    /// Generates columns until none helps or the work is spent. With `is_proof` only the proof that none does counts.
    ///
    /// `guess` are prices of jobs under which no host is cheaper than what fits on it.
    pub(crate) fn run(
        &mut self,
        master: &mut Master<'_>,
        guess: &[f64],
        work: &mut Work,
        is_proof: bool,
    ) -> Prices {
        let mut center = Center { worth: guess.to_vec(), bound: 0 };
        let few = EXACT_NODES_MAX / 10;
        self.exact(master, guess, guess, few, &mut center, work);
        self.settle(master, &mut center, work);
        master.set_box(None, 0.0);
        loop {
            let worth = master.optimize(work);
            let gap = self.gap(&worth, center.bound);
            if work.is_spent() || gap < gap_max(work) {
                return Prices::new(worth, center);
            }
            // Small gains lead nowhere while better contents are to be had.
            let gain_min = 1.0 + f64::max(GAIN_MIN, 0.4 * gap);
            if 0 < self.quick(master, &center.mixed(&worth, 0.3), &worth, gain_min, work) {
                continue;
            }
            if 0 < self.polished(master, &worth, gain_min, work) {
                continue;
            }
            if 0 < self.exact(master, &center.mixed(&worth, 0.6), &worth, few, &mut center, work)
                || 0 < self.exact(master, &worth, &worth, few, &mut center, work)
            {
                continue;
            }
            if !is_proof || !self.is_improved(master, &worth, &mut center, work) {
                return Prices::new(worth, center);
            }
        }
    }

    /// Generates columns, without proof, until none helps or the work is spent; gives the prices of jobs.
    ///
    /// For small parts of a problem, where there is no time to settle.
    pub(crate) fn refine(&mut self, master: &mut Master<'_>, work: &mut Work) -> Vec<f64> {
        master.set_box(None, 0.0);
        let gain_min = 1.0 + 1e-4;
        loop {
            let worth = master.optimize(work);
            let is_done = work.is_half_spent()
                || (0 == self.quick(master, &worth, &worth, gain_min, work)
                    && 0 == self.polished(master, &worth, gain_min, work));
            if is_done {
                return worth;
            }
        }
    }

    /// Generates columns while the prices stay in a box around those of the best bound; moves the box as that improves.
    fn settle(&mut self, master: &mut Master<'_>, center: &mut Center, work: &mut Work) {
        let mut reach = REACH_FIRST;
        loop {
            master.set_box(Some(&center.worth), reach);
            let worth = master.optimize(work);
            let gap = self.gap(&worth, center.bound);
            if work.is_half_spent() {
                return;
            }
            let gain_min = 1.0 + f64::max(GAIN_MIN, 0.4 * gap);
            if 0 < self.quick(master, &worth, &worth, gain_min, work) {
                continue;
            }
            if 0 < self.polished(master, &worth, gain_min, work) {
                continue;
            }
            let before = center.bound;
            let n_new = self.exact(master, &worth, &worth, EXACT_NODES_MAX / 10, center, work);
            let is_settled = gap < 2e-4 || n_new == 0;
            if before < center.bound {
                reach = f64::min(1.5 * reach, REACH_MAX);
            } else if is_settled && master.is_box_idle() {
                return;
            } else if n_new == 0 {
                reach = f64::min(2.0 * reach, REACH_MAX);
            }
        }
    }

    /// Searches more and more thoroughly for a column that helps; false if there is none or the work is spent.
    fn is_improved(
        &mut self,
        master: &mut Master<'_>,
        worth: &[f64],
        center: &mut Center,
        work: &mut Work,
    ) -> bool {
        let mut nodes_max = EXACT_NODES_MAX;
        loop {
            if 0 < self.exact(master, worth, worth, nodes_max, center, work) {
                return true;
            }
            nodes_max = nodes_max.saturating_mul(8);
            if work.is_spent()
                || EXACT_NODES_LAST < nodes_max
                || self.gap(worth, center.bound) < 1e-5
            {
                return false;
            }
        }
    }

    /// How far the bound is below the value of the linear program, as a part of the latter.
    fn gap(&self, worth: &[f64], bound: u64) -> f64 {
        let of_shape = |(worth, count): (&f64, &u64)| worth * score_of(*count);
        let value: f64 = worth.iter().zip(self.counts).map(of_shape).sum();
        if 0.0 < value { 1.0 - score_of(bound) / value } else { 0.0 }
    }

    /// Looks for good contents by the greedy knapsack at the prices `guide`; they must be worth it at `worth`.
    fn quick(
        &mut self,
        master: &mut Master<'_>,
        guide: &[f64],
        worth: &[f64],
        gain_min: f64,
        work: &mut Work,
    ) -> usize {
        let mut knapsacks =
            [0.0, 1.0].map(|bonus| Knapsack::new(self.shapes, guide.to_vec(), bonus));
        let mut found: Vec<(f64, Column)> = Vec::new();
        for (at, (offer, weights)) in self.offers.iter().zip(&self.weights).enumerate() {
            for knapsack in &mut knapsacks {
                let (content, _) = knapsack.fill(offer, self.counts, weights);
                work.spend(4 * self.shapes.len() + 500 * content.len().min(64));
                let gain = gain(&content, worth, offer);
                if gain_min < gain {
                    found.push((gain, Column { offer: at, content }));
                }
            }
        }
        add_best(master, found)
    }

    /// Looks for good contents by the greedy knapsack, the last part of each host searched thoroughly.
    fn polished(
        &mut self,
        master: &mut Master<'_>,
        worth: &[f64],
        gain_min: f64,
        work: &mut Work,
    ) -> usize {
        let mut knapsack = Knapsack::new(self.shapes, worth.to_vec(), 0.0);
        let whole = whole_worth(worth);
        let mut found: Vec<(f64, Column)> = Vec::new();
        for (at, offer) in self.offers.iter().enumerate() {
            let weights = self.weights.get(at).copied().unwrap_or([1.0; DIMS]);
            let (content, _) = knapsack.fill(offer, self.counts, &weights);
            work.spend(4 * self.shapes.len() + 500 * content.len().min(64));
            if gain(&content, worth, offer) < POLISH_GAIN_MIN {
                continue;
            }
            let content = self.polish(at, offer, content, &whole, work);
            let gain = gain(&content, worth, offer);
            if gain_min < gain {
                found.push((gain, Column { offer: at, content }));
            }
        }
        add_best(master, found)
    }

    /// Takes some jobs out of a content, evenly, and fills the room again as well as possible.
    fn polish(
        &mut self,
        at: usize,
        offer: &Offer,
        content: Content,
        worth: &[u64],
        work: &mut Work,
    ) -> Content {
        let n_jobs: u64 = content.iter().map(|(_, n)| u64::from(*n)).sum();
        let n_kept = n_jobs.saturating_sub(POLISH_JOBS);
        let mut counts = self.counts.to_vec();
        let mut kept: Content = Vec::with_capacity(content.len());
        let (mut free, mut removed) = (offer.capacity, 0);
        for (shape, n) in &content {
            let n_of_shape = u64::from(*n) * n_kept / n_jobs.max(1);
            let n_of_shape = u32::try_from(n_of_shape).unwrap_or(*n);
            let (Some(of), Some(count), Some(worth)) =
                (self.shapes.get(*shape), counts.get_mut(*shape), worth.get(*shape))
            else {
                continue;
            };
            kept.push((*shape, n_of_shape));
            free = free.less(&of.need, n_of_shape);
            *count = count.saturating_sub(u64::from(n_of_shape));
            removed += u128::from(*worth) * u128::from(*n - n_of_shape);
        }
        let room = Offer { capacity: free, ..*offer };
        let mut weights = self.weights.get(at).copied().unwrap_or([1.0; DIMS]);
        for (dim, weight) in weights.iter_mut().enumerate() {
            *weight *= f64::from(free.0[dim]) / f64::from(offer.capacity.0[dim].max(1));
        }
        let best = best_content(
            &room,
            self.shapes,
            &counts,
            worth,
            removed,
            &mut weights,
            POLISH_NODES_MAX,
        );
        work.spend(best.steps);
        let Some(refilled) = best.content else { return content };
        kept.extend(refilled);
        kept.sort_unstable();
        let mut joined: Content = Vec::with_capacity(kept.len());
        for (shape, n) in kept {
            match joined.last_mut() {
                Some((last, of_last)) if *last == shape => *of_last = of_last.saturating_add(n),
                Some(_) | None if 0 < n => joined.push((shape, n)),
                Some(_) | None => {}
            }
        }
        joined
    }

    /// Looks for the best content of each offering at the prices `guide`; what is worth it at `worth` is added.
    ///
    /// The prices, scaled down until no content is worth more than its host costs, bound the price of all hosts from
    /// below (Farley). If that is the best bound so far they are the new center.
    fn exact(
        &mut self,
        master: &mut Master<'_>,
        guide: &[f64],
        worth: &[f64],
        nodes_max: u32,
        center: &mut Center,
        work: &mut Work,
    ) -> usize {
        let whole = whole_worth(guide);
        let mut found: Vec<(f64, Column)> = Vec::new();
        let mut ratio = Ratio::new();
        for (at, offer) in self.offers.iter().enumerate() {
            let price = price_of(offer);
            let Some(weights) = self.weights.get_mut(at) else { continue };
            let (shapes, counts) = (self.shapes, self.counts);
            let best = best_content(offer, shapes, counts, &whole, price, weights, nodes_max);
            work.spend(best.steps);
            ratio.raise(best.upper, price);
            if let Some(content) = best.content {
                let gain = gain(&content, worth, offer);
                if 1.0 + EXACT_GAIN_MIN < gain {
                    found.push((gain, Column { offer: at, content }));
                }
            }
        }
        let bound = ratio.bound(&whole, self.counts);
        if center.bound < bound {
            *center = Center { worth: guide.to_vec(), bound };
        }
        add_best(master, found)
    }
}

/// The gap that is small enough: none at first, a ten-thousandth once much work is done.
fn gap_max(work: &Work) -> f64 {
    if work.is_mostly_left() { -1.0 } else { 2e-4 }
}

fn gain(content: &Content, worth: &[f64], offer: &Offer) -> f64 {
    let each = |(at, n): &(usize, u32)| worth.get(*at).map_or(0.0, |w| w * f64::from(*n));
    content.iter().map(each).sum::<f64>() / score_of(offer.price).max(1e-3)
}

/// Adds the columns that gain most; gives how many were new.
fn add_best(master: &mut Master<'_>, mut found: Vec<(f64, Column)>) -> usize {
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut n_new = 0;
    for (_, column) in found {
        if n_new < COLUMNS_PER_ROUND && master.add(column) {
            n_new += 1;
        }
    }
    n_new
}
