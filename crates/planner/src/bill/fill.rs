//! Fills one host over time: whenever something ends, starts what is worth most for the room it takes and still ends
//! by the host's horizon, the longest of each shape first.
//!
//! What is free at a moment stays free until something else starts, so a job that fits now fits until its end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::amount::{Amount, DIMS, score_of};
use crate::bill::host::{Host, Run, cost};
use crate::bill::world::{Backlog, World};
use crate::knapsack::{Content, Weights};
use crate::prune::Offer;

/// A way of choosing among what fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Style {
    /// How much large jobs are preferred: 0 treats jobs alike whatever their size.
    pub(crate) size_bonus: f64,
    /// How much long jobs are preferred.
    pub(crate) length_bonus: f64,
}

/// What a host is begun with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) offer: &'a Offer,
    pub(crate) weights: Weights,
    /// When all must have ended.
    pub(crate) horizon: u32,
    /// What it runs at first, one lane for each job: when one ends its lane goes on with a job of the same shape.
    pub(crate) lanes: Option<&'a Content>,
}

/// A host, and what it is worth for its cost: 1 is as good as a host without boot and without gaps.
#[derive(Debug, Clone)]
pub(crate) struct Filled {
    pub(crate) host: Host,
    pub(crate) efficiency: f64,
}

pub(crate) struct Filler<'a> {
    world: &'a World,
    need: Vec<[f64; DIMS]>,
    /// What a job of each group is worth.
    worth: Vec<Vec<f64>>,
    /// The same with the bonuses of the style.
    greed: Vec<Vec<f64>>,
    /// How often a job was weighed: the measure of work.
    pub(crate) n_steps: u64,
}

/// A shape that may still start something on this host.
struct Candidate {
    shape: usize,
    /// Groups before this one are used up or too long.
    rank: usize,
}

impl<'a> Filler<'a> {
    pub(crate) fn new(world: &'a World, worth: &[f64], style: Style) -> Self {
        let need = world.shapes.iter().map(|shape| shape.need.as_f64()).collect();
        let (mut worths, mut greeds) = (Vec::new(), Vec::new());
        for (groups, worth) in world.groups.iter().zip(worth) {
            // Work that costs nothing must be done too.
            let worth = worth.max(1e-9);
            let secs = |at: usize| f64::from(groups[at].secs.max(1));
            let ranks = 0..groups.len();
            worths.push(ranks.clone().map(|at| worth * secs(at)).collect());
            let greed = worth.powf(1.0 + style.size_bonus);
            greeds.push(ranks.map(|at| greed * secs(at).powf(style.length_bonus)).collect());
        }
        Self { world, need, worth: worths, greed: greeds, n_steps: 0 }
    }

    /// Fills a host with jobs of the backlog and takes them from there.
    pub(crate) fn fill(&mut self, opening: &Opening<'_>, backlog: &mut Backlog) -> Filled {
        let offer = opening.offer;
        let mut host = Host { offer: *offer, runs: Vec::new() };
        let mut candidates: Vec<Candidate> = Vec::new();
        self.n_steps += u64::try_from(self.world.shapes.len() / 4).unwrap_or(u64::MAX);
        for (shape, of_shape) in self.world.shapes.iter().enumerate() {
            if backlog.has(shape)
                && of_shape.classes.has(offer.class)
                && of_shape.need.fits(&offer.capacity)
            {
                candidates.push(Candidate { shape, rank: 0 });
            }
        }
        let mut ends: BinaryHeap<Reverse<(u32, usize)>> = BinaryHeap::new();
        let mut free = offer.capacity;
        let mut now = self.world.clock.boot;
        if let Some(lanes) = opening.lanes {
            for (shape, n) in lanes {
                self.refill(*shape, *n, now, opening.horizon, &mut free, backlog, &mut host.runs);
            }
        }
        let mut n_known = 0;
        loop {
            self.start(&mut candidates, opening, now, &mut free, backlog, &mut host.runs);
            for (at, run) in host.runs.iter().enumerate().skip(n_known) {
                ends.push(Reverse((run.end, at)));
            }
            n_known = host.runs.len();
            let Some(Reverse((next, _))) = ends.peek().copied() else { break };
            now = next;
            let mut ended: Vec<usize> = Vec::new();
            while let Some(Reverse((end, at))) = ends.peek().copied()
                && end == now
            {
                ends.pop();
                ended.push(at);
            }
            for at in &ended {
                let run = host.runs[*at];
                free = free.plus(&self.world.shapes[run.shape].need, run.count);
            }
            if opening.lanes.is_some() {
                for at in ended {
                    let Run { shape, count, .. } = host.runs[at];
                    let horizon = opening.horizon;
                    self.refill(shape, count, now, horizon, &mut free, backlog, &mut host.runs);
                }
            }
        }
        self.cut(host, backlog)
    }

    /// Starts up to `n` jobs of a shape, the longest that still end by the horizon.
    #[expect(clippy::too_many_arguments, reason = "a step of the loop over its state")]
    fn refill(
        &mut self,
        shape: usize,
        n: u32,
        now: u32,
        horizon: u32,
        free: &mut Amount,
        backlog: &mut Backlog,
        runs: &mut Vec<Run>,
    ) {
        if self.world.clock.start_by < now {
            return;
        }
        let need = self.world.shapes[shape].need;
        let mut n = n.min(need.times_in(free));
        for rank in 0..self.world.groups[shape].len() {
            self.n_steps += 1;
            let end = now.saturating_add(self.world.secs(shape, rank));
            let count = n.min(backlog.left(shape, rank));
            if count == 0 || horizon < end {
                continue;
            }
            backlog.take(shape, rank, count);
            *free = free.less(&need, count);
            runs.push(Run { start: now, end, shape, rank, count });
            n -= count;
        }
    }

    /// Starts whatever fits, best first, until nothing does.
    fn start(
        &mut self,
        candidates: &mut Vec<Candidate>,
        opening: &Opening<'_>,
        now: u32,
        free: &mut Amount,
        backlog: &mut Backlog,
        runs: &mut Vec<Run>,
    ) {
        while now <= self.world.clock.start_by {
            let inverse = inverse(free, &opening.weights);
            let mut best: Option<(f64, usize, usize)> = None;
            self.n_steps += u64::try_from(candidates.len()).unwrap_or(u64::MAX);
            candidates.retain_mut(|candidate| {
                let shape = candidate.shape;
                let left = backlog.groups(shape);
                let is_out = |rank: usize| {
                    left[rank] == 0
                        || opening.horizon < now.saturating_add(self.world.secs(shape, rank))
                };
                while candidate.rank < left.len() && is_out(candidate.rank) {
                    candidate.rank += 1;
                }
                if candidate.rank == left.len() {
                    return false;
                }
                if self.world.shapes[shape].need.fits(free) {
                    let need = &self.need[shape];
                    let part = need[0] * inverse[0] + need[1] * inverse[1] + need[2] * inverse[2];
                    let score = self.greed[shape][candidate.rank] / (part + 1e-9);
                    if best.is_none_or(|(highest, _, _)| highest < score) {
                        best = Some((score, shape, candidate.rank));
                    }
                }
                true
            });
            let Some((_, shape, rank)) = best else { return };
            let need = self.world.shapes[shape].need;
            let most = need.times_in(free).min(backlog.left(shape, rank));
            // A few at a time, so that the next choice sees what this one has used up.
            let count = if 8 < most { most / 4 } else { 1 };
            backlog.take(shape, rank, count);
            *free = free.less(&need, count);
            let end = now.saturating_add(self.world.secs(shape, rank));
            match runs.last_mut() {
                Some(last) if (last.start, last.shape, last.rank) == (now, shape, rank) => {
                    last.count += count;
                }
                Some(_) | None => runs.push(Run { start: now, end, shape, rank, count }),
            }
        }
    }

    /// Ends the host when it has been worth most for its cost; what would have ended later goes back.
    fn cut(&self, mut host: Host, backlog: &mut Backlog) -> Filled {
        host.runs.sort_unstable_by_key(|run| (run.end, *run));
        let (mut value, mut best, mut n_kept) = (0.0, 0.0, 0);
        for (at, run) in host.runs.iter().enumerate() {
            value += self.worth[run.shape][run.rank] * f64::from(run.count);
            let is_last_of_second = host.runs.get(at + 1).is_none_or(|next| run.end < next.end);
            if is_last_of_second {
                let price = score_of(cost(&host.offer, run.end, self.world.clock)).max(1e-3);
                if best <= value / price {
                    (best, n_kept) = (value / price, at + 1);
                }
            }
        }
        for run in host.runs.drain(n_kept..) {
            backlog.give_back(&run);
        }
        Filled { host, efficiency: best }
    }
}

/// What a unit of each dimension weighs: scarce and dear ones most. No dimension counts for nothing.
fn inverse(free: &Amount, weights: &Weights) -> [f64; DIMS] {
    const WEIGHT_MIN: f64 = 0.01;
    let sum = weights.iter().sum::<f64>().max(1e-9);
    [0, 1, 2].map(|dim: usize| (weights[dim] / sum + WEIGHT_MIN) / f64::from(free.0[dim].max(1)))
}
