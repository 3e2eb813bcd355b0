//! One host over time: what it runs when, how long it is paid for, and what it needs at its peak.

use crate::amount::Amount;
use crate::bill::world::{Backlog, Clock, World};
use crate::demand::ClassSet;
use crate::prune::Offer;

/// Jobs of one group that start together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    /// Seconds after the launch.
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) shape: usize,
    /// The group of the shape.
    pub(crate) rank: usize,
    pub(crate) count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) offer: Offer,
    pub(crate) runs: Vec<Run>,
    /// The host there is already, by index; none for a new one.
    pub(crate) seat: Option<usize>,
    /// Until when it is paid for in any case: 0 for a new one.
    pub(crate) paid_until: u32,
    /// What is expected to be lost by interruptions, in the unit of its cost.
    pub(crate) risk: u64,
}

impl Host {
    /// When its last job ends.
    pub(crate) fn end(&self) -> u32 {
        self.runs.iter().map(|run| run.end).max().unwrap_or(0)
    }

    /// In millionths of a dollar per hour, times seconds, with the risk. Of a host there is already only what is paid
    /// longer.
    pub(crate) fn cost(&self, clock: Clock) -> u64 {
        let paid = match self.seat {
            None => cost(&self.offer, self.end(), clock),
            Some(_) => longer(&self.offer, self.end(), self.paid_until),
        };
        paid.saturating_add(self.risk)
    }

    /// Where all it runs may run.
    fn classes(&self, world: &World) -> ClassSet {
        let of_run = |run: &Run| world.shapes[run.shape].classes;
        self.runs.iter().map(of_run).fold(ClassSet::ALL, ClassSet::and)
    }

    /// The most it uses at any time, in each dimension.
    fn peak(&self, world: &World) -> Amount {
        let mut changes: Vec<(u32, bool, usize)> = Vec::with_capacity(2 * self.runs.len());
        for (at, run) in self.runs.iter().enumerate() {
            changes.push((run.start, true, at));
            changes.push((run.end, false, at));
        }
        // What ends makes room for what starts in the same second. A job of no length takes its room for a moment.
        changes.sort_unstable();
        let (mut used, mut peak) = (Amount::default(), Amount::default());
        for (_, is_start, at) in changes {
            let run = &self.runs[at];
            let need = &world.shapes[run.shape].need;
            let is_moment = run.start == run.end;
            if is_start {
                let with = used.plus(need, run.count);
                peak = Amount([0, 1, 2].map(|dim: usize| peak.0[dim].max(with.0[dim])));
                used = if is_moment { used } else { with };
            } else if !is_moment {
                used = used.less(need, run.count);
            }
        }
        peak
    }

    /// Moves to the cheapest offering that holds all it runs and is lost no more often. Offerings are
    /// cheapest first. Where CPU is limited none has more of it.
    pub(crate) fn right_size(&mut self, world: &World, is_cpu_limited: bool) {
        if self.seat.is_some() {
            return;
        }
        let (peak, classes) = (self.peak(world), self.classes(world));
        let cheaper = world.offers.iter().take_while(|offer| offer.price < self.offer.price);
        let hazard = world.hazard(&self.offer);
        let holds = |o: &&Offer| {
            classes.has(o.class)
                && peak.fits(&o.capacity)
                && world.hazard(o) <= hazard
                && o.caps.is_within(self.offer.caps)
                && ((!is_cpu_limited && o.caps.is_empty())
                    || o.capacity.0[0] <= self.offer.capacity.0[0])
        };
        if let Some(offer) = { cheaper }.find(holds) {
            self.offer = *offer;
        }
    }

    pub(crate) fn give_back(&self, backlog: &mut Backlog) {
        for run in &self.runs {
            backlog.give_back(run);
        }
    }

    /// How many times its jobs are in the backlog.
    pub(crate) fn times(&self, backlog: &Backlog) -> u32 {
        if self.runs.is_empty() { 0 } else { backlog.times(&self.runs) }
    }

    pub(crate) fn take(&self, backlog: &mut Backlog) {
        for run in &self.runs {
            backlog.take(run.shape, run.rank, run.count);
        }
    }
}

/// What a host costs whose last job ends then: millionths of a dollar per hour, times seconds.
pub(crate) fn cost(offer: &Offer, end: u32, clock: Clock) -> u64 {
    offer.price.saturating_mul(u64::from(end.max(clock.billed_min)))
}

/// What a host costs that ends then instead of at `paid_until`.
pub(crate) fn longer(offer: &Offer, end: u32, paid_until: u32) -> u64 {
    offer.price.saturating_mul(u64::from(end.saturating_sub(paid_until)))
}
