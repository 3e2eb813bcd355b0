//! Fills one host over time: whenever something ends, starts what is worth most for the room it takes and still ends
//! by the host's horizon, the longest of each shape first.
//!
//! What is free at a moment stays free until something else starts, so a job that fits now fits until its end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::amount::{Amount, DIMS, score_of, whole_of};
use crate::bill::host::{Host, Run, cost, longer};
use crate::bill::world::{Backlog, Group, World};
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

/// Durations are expectations. A job that outlasts its own keeps its host, and a large one is dear to keep: it is put
/// there for nothing only if so many times its expectation is paid for.
const CAUTION: u32 = 10;

/// What a host is begun with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) offer: &'a Offer,
    pub(crate) weights: Weights,
    /// When all must have ended.
    pub(crate) horizon: u32,
    /// What it runs at first, one lane for each job: when one ends its lane goes on with a job of the same shape.
    pub(crate) lanes: Option<&'a Content>,
    /// The host there is already that is filled further; none is a new one.
    pub(crate) seat: Option<&'a Seat>,
    /// When a new host is up.
    pub(crate) up_at: u32,
    /// Nothing starts after this.
    pub(crate) until: u32,
    /// Whether the host is paid for until the horizon in any case: whatever fits stays.
    pub(crate) is_paid: bool,
}

/// What comes free on a host there is already, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Its place among the hosts.
    pub(crate) at: usize,
    /// Its price and kind. What all that it has would be free in the end is its capacity.
    pub(crate) offer: Offer,
    /// When the first job can start.
    pub(crate) start: u32,
    /// What is free then.
    pub(crate) free: Amount,
    /// What comes free later, soonest first.
    pub(crate) ends: Vec<(u32, Amount)>,
    /// Until when it is paid for in any case.
    pub(crate) paid_until: u32,
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
        let mut lane = Lane::new(opening, self.world.clock.boot);
        if let Some(lanes) = opening.lanes {
            for (shape, n) in lanes {
                self.refill(*shape, *n, opening, &mut lane, backlog);
            }
        }
        loop {
            self.start(&mut candidates, opening, &mut lane, backlog);
            if candidates.is_empty() && opening.lanes.is_none() {
                break;
            }
            let Some(ended) = lane.advance(opening, self.world) else { break };
            if opening.lanes.is_some() {
                for at in ended {
                    let Run { shape, count, .. } = lane.runs[at];
                    self.refill(shape, count, opening, &mut lane, backlog);
                }
            }
        }
        self.cut(opening, lane.runs, backlog)
    }

    /// Starts up to `n` jobs of a shape, the longest that still end by the horizon.
    fn refill(
        &mut self,
        shape: usize,
        n: u32,
        opening: &Opening<'_>,
        lane: &mut Lane,
        backlog: &mut Backlog,
    ) {
        let need = self.world.shapes[shape].need;
        let mut n = n.min(need.times_in(&lane.free));
        for (rank, group) in self.world.groups[shape].iter().enumerate() {
            self.n_steps += 1;
            let end = lane.now.saturating_add(group.secs);
            let count = n.min(backlog.left(shape, rank));
            let is_out = opening.horizon < end || opening.is_too_late(group, lane.now);
            if count == 0 || is_out {
                continue;
            }
            backlog.take(shape, rank, count);
            lane.free = lane.free.less(&need, count);
            lane.runs.push(Run { start: lane.now, end, shape, rank, count });
            n -= count;
        }
    }

    /// Starts whatever fits, best first, until nothing does.
    fn start(
        &mut self,
        candidates: &mut Vec<Candidate>,
        opening: &Opening<'_>,
        lane: &mut Lane,
        backlog: &mut Backlog,
    ) {
        let now = lane.now;
        loop {
            let inverse = inverse(&lane.free, &opening.weights);
            let mut best: Option<(f64, usize, usize)> = None;
            self.n_steps += u64::try_from(candidates.len()).unwrap_or(u64::MAX);
            candidates.retain_mut(|candidate| {
                let shape = candidate.shape;
                let left = backlog.groups(shape);
                let groups = &self.world.groups[shape];
                let is_out = |rank: usize| {
                    left[rank] == 0
                        || opening.horizon < now.saturating_add(opening.at_most(groups[rank].secs))
                        || opening.is_too_late(&groups[rank], now)
                };
                while candidate.rank < left.len() && is_out(candidate.rank) {
                    candidate.rank += 1;
                }
                if candidate.rank == left.len() {
                    return false;
                }
                if self.world.shapes[shape].need.fits(&lane.free) {
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
            let most = need.times_in(&lane.free).min(backlog.left(shape, rank));
            // A few at a time, so that the next choice sees what this one has used up.
            let count = if 8 < most { most / 4 } else { 1 };
            backlog.take(shape, rank, count);
            lane.free = lane.free.less(&need, count);
            let end = now.saturating_add(self.world.secs(shape, rank));
            match lane.runs.last_mut() {
                Some(last) if (last.start, last.shape, last.rank) == (now, shape, rank) => {
                    last.count += count;
                }
                Some(_) | None => lane.runs.push(Run { start: now, end, shape, rank, count }),
            }
        }
    }

    /// Ends the host when it has been worth most for its cost; what would have ended later goes back.
    fn cut(&self, opening: &Opening<'_>, mut runs: Vec<Run>, backlog: &mut Backlog) -> Filled {
        runs.sort_unstable_by_key(|run| (run.end, *run));
        let (mut value, mut lost) = (0.0, 0.0);
        let (mut best, mut risk, mut n_kept) = (0.0, 0.0, 0);
        for (at, run) in runs.iter().enumerate() {
            let worth = self.worth[run.shape][run.rank] * f64::from(run.count);
            value += worth;
            let secs = f64::from((run.end - run.start).max(1));
            let haste = self.world.groups[run.shape][run.rank].haste;
            lost += worth * haste * f64::from(run.start) / secs;
            lost += worth * self.world.loss(opening.offer, run.end - run.start);
            let is_last_of_second = runs.get(at + 1).is_none_or(|next| run.end < next.end);
            if is_last_of_second {
                let price = (score_of(opening.paid(run.end, self.world)) + lost).max(1e-3);
                if opening.is_paid || best <= value / price {
                    (best, risk, n_kept) = (value / price, lost, at + 1);
                }
            }
        }
        for run in runs.drain(n_kept..) {
            backlog.give_back(&run);
        }
        let host = Host {
            offer: *opening.offer,
            runs,
            seat: opening.seat.map(|seat| seat.at),
            paid_until: opening.seat.map_or(0, |seat| seat.paid_until),
            risk: u64::try_from(whole_of(risk)).unwrap_or(u64::MAX),
        };
        Filled { host, efficiency: best }
    }
}

impl Opening<'_> {
    /// Whether a job of the group may no longer start at `now`. As soon as the host can start anything it may.
    fn is_too_late(&self, group: &Group, now: u32) -> bool {
        let first = self.seat.map_or(self.up_at, |seat| seat.start);
        group.latest.max(first).min(self.until) < now
    }

    /// How long a job is taken to run at most: where it is to cost nothing it must not outlast what is paid for.
    fn at_most(&self, secs: u32) -> u32 {
        if self.is_paid { secs.saturating_mul(CAUTION) } else { secs }
    }

    /// What is paid if the last job ends then.
    fn paid(&self, end: u32, world: &World) -> u64 {
        match self.seat {
            Some(seat) => longer(self.offer, end, seat.paid_until),
            None => cost(self.offer, end, world.clock),
        }
    }
}

/// A host while it is filled: the present, what is free, what has been started, and what ends when.
struct Lane {
    now: u32,
    free: Amount,
    runs: Vec<Run>,
    /// Runs that have not ended, soonest first.
    ends: BinaryHeap<Reverse<(u32, usize)>>,
    /// Runs before this one are among them or have ended.
    n_known: usize,
    /// Ends of what ran on the host before, so many of which are over.
    n_seat_ends: usize,
}

impl Lane {
    fn new(opening: &Opening<'_>, boot: u32) -> Self {
        Self {
            now: opening.seat.map_or(boot, |seat| seat.start),
            free: opening.seat.map_or(opening.offer.capacity, |seat| seat.free),
            runs: Vec::new(),
            ends: BinaryHeap::new(),
            n_known: 0,
            n_seat_ends: 0,
        }
    }

    /// Goes on to the next moment at which something ends; gives the runs that end then, none if nothing does any more.
    fn advance(&mut self, opening: &Opening<'_>, world: &World) -> Option<Vec<usize>> {
        for (at, run) in self.runs.iter().enumerate().skip(self.n_known) {
            self.ends.push(Reverse((run.end, at)));
        }
        self.n_known = self.runs.len();
        let seat_ends = opening.seat.map_or(&[][..], |seat| &seat.ends);
        let of_run = self.ends.peek().map(|Reverse((end, _))| *end);
        let of_seat = seat_ends.get(self.n_seat_ends).map(|(end, _)| *end);
        self.now = [of_run, of_seat].into_iter().flatten().min()?.max(self.now);
        let mut ended: Vec<usize> = Vec::new();
        while let Some(Reverse((end, at))) = self.ends.peek().copied()
            && end <= self.now
        {
            self.ends.pop();
            ended.push(at);
            let run = self.runs[at];
            self.free = self.free.plus(&world.shapes[run.shape].need, run.count);
        }
        while let Some((end, freed)) = seat_ends.get(self.n_seat_ends)
            && *end <= self.now
        {
            self.free = self.free.plus(freed, 1);
            self.n_seat_ends += 1;
        }
        Some(ended)
    }
}

/// What a unit of each dimension weighs: scarce and dear ones most. No dimension counts for nothing.
fn inverse(free: &Amount, weights: &Weights) -> [f64; DIMS] {
    const WEIGHT_MIN: f64 = 0.01;
    let sum = weights.iter().sum::<f64>().max(1e-9);
    [0, 1, 2].map(|dim: usize| (weights[dim] / sum + WEIGHT_MIN) / f64::from(free.0[dim].max(1)))
}
