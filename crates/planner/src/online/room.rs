//! Room on the hosts there are: what is free on each and what comes free when, and the work it takes at no cost.

use std::mem;

use spillway_core::{HostId, PlanInput};

use crate::amount::{Amount, DIMS};
use crate::bill::fill::{Filler, Opening, Seat, Style};
use crate::bill::host::{Host, Run};
use crate::bill::prices::Prices;
use crate::bill::world::{Backlog, World};
use crate::demand::{Shape, class_of};
use crate::headroom::{CapSet, Left};
use crate::online::queue::Queue;
use crate::online::tail::last_end;
use crate::prune::Offer;

/// A host there is or is bought, and what the plan in the making puts on it.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// None for one that is bought.
    pub(crate) id: Option<HostId>,
    pub(crate) is_ready: bool,
    pub(crate) seat: Seat,
    /// The same before anything was put there.
    bare: Seat,
    /// When the last of what runs here is to be expected to end: some job there may outlast what is expected of it.
    pub(crate) last_end: f64,
    /// What starts as soon as it can start anything.
    pub(crate) first: Vec<Run>,
    /// What is to start when something has ended.
    pub(crate) later: Vec<Run>,
}

/// All of them: those there are in the order of their ids, then those that are bought.
#[derive(Debug, Clone)]
pub(crate) struct Rooms {
    pub(crate) all: Vec<Room>,
}

impl Rooms {
    pub(crate) fn new(input: &PlanInput) -> Self {
        let mut hosts: Vec<_> = input.hosts.iter().collect();
        hosts.sort_by_key(|host| host.id);
        let mut all = Vec::with_capacity(hosts.len());
        for host in hosts {
            let free = Amount::of(&host.free);
            let mut ends: Vec<(u32, Amount)> = Vec::with_capacity(host.busy.len());
            let mut capacity = free;
            for busy in &host.busy {
                let freed = Amount::default().plus(&Amount::of(&busy.need), busy.count);
                ends.push((busy.ends_in_secs, freed));
                capacity = capacity.plus(&freed, 1);
            }
            ends.sort_unstable();
            let class = class_of(host.traits());
            let offer = Offer {
                capacity,
                price: host.price.get(),
                class,
                caps: CapSet::default(),
                at: usize::MAX,
            };
            let start = if host.ready { 0 } else { host.ready_in_secs };
            let paid_until = ends.last().map_or(0, |(end, _)| *end);
            let seat = Seat { at: 0, offer, start, free, ends, paid_until };
            all.push(Room::new(Some(host.id), host.ready, seat));
        }
        Self { all }
    }

    /// Adds a host that is bought, with what it runs.
    pub(crate) fn buy(&mut self, world: &World, host: &Host) {
        let mut room = Room::bought(host.offer, world.clock.boot);
        room.put(world, &host.runs);
        self.all.push(room);
    }

    /// Starts what hosts can run for which they are paid in any case: on those that are ready, or on those that boot as
    /// soon as they are up.
    pub(crate) fn fill_what_is_paid(
        &mut self,
        queue: &Queue,
        prices: &Prices,
        style: Style,
        backlog: &mut Backlog,
        is_ready: bool,
    ) {
        let horizon =
            |room: &Room| if room.is_ready == is_ready { room.seat.paid_until } else { 0 };
        self.fill(queue, prices, style, backlog, horizon);
    }

    /// Starts whatever there is room for, however long it takes: for what a limit leaves over.
    pub(crate) fn fill_all(
        &mut self,
        queue: &Queue,
        prices: &Prices,
        style: Style,
        backlog: &mut Backlog,
    ) {
        self.fill(queue, prices, style, backlog, |_| queue.world.clock.deadline);
    }

    fn fill(
        &mut self,
        queue: &Queue,
        prices: &Prices,
        style: Style,
        backlog: &mut Backlog,
        horizon: impl Fn(&Room) -> u32,
    ) {
        let least = queue.least();
        let mut filler = Filler::new(&queue.world, &prices.worth, style);
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        // Hosts that end soon take what is short, and leave those that end late to what is long.
        order.sort_by_key(|at| {
            let room = &self.all[*at];
            (!room.is_ready, room.seat.paid_until, room.seat.free, room.id, *at)
        });
        for at in order {
            let room = &mut self.all[at];
            let horizon = horizon(room);
            if horizon <= room.seat.start || backlog.is_empty() || !least.fits(&room.seat.free) {
                continue;
            }
            let opening = Opening {
                offer: &room.seat.offer,
                weights: prices.weights_like(&room.seat.offer),
                horizon,
                lanes: None,
                seat: Some(&room.seat),
                up_at: 0,
                until: room.seat.start,
                is_paid: true,
            };
            let runs = filler.fill(&opening, backlog).host.runs;
            room.put(&queue.world, &runs);
        }
    }

    /// Takes back what was to start later, to see whether any of it can start at once after all.
    pub(crate) fn take_later(&mut self, world: &World, backlog: &mut Backlog) -> Vec<Run> {
        let mut all: Vec<Run> = Vec::new();
        for room in self.all.iter_mut().filter(|room| !room.later.is_empty()) {
            let (first, later) = (mem::take(&mut room.first), mem::take(&mut room.later));
            room.make_bare();
            room.put(world, &first);
            for run in later {
                backlog.give_back(&run);
                all.push(run);
            }
        }
        all.sort_unstable();
        all
    }

    /// Takes what waits for hosts that boot or are bought off them, to see whether any of it can start at once. Gives
    /// what was where.
    pub(crate) fn take_booting(&mut self, backlog: &mut Backlog) -> Vec<(usize, Vec<Run>)> {
        let mut all = Vec::new();
        for (at, room) in self.all.iter_mut().enumerate() {
            if !room.is_ready && !room.first.is_empty() {
                let mut first = room.empty();
                for run in &first {
                    backlog.give_back(run);
                }
                first.sort_unstable_by_key(|run| (run.shape, run.rank));
                first.dedup_by(|later, kept| {
                    let is_same = (later.shape, later.rank) == (kept.shape, kept.rank);
                    if is_same {
                        kept.count = kept.count.saturating_add(later.count);
                    }
                    is_same
                });
                all.push((at, first));
            }
        }
        all
    }

    /// Whether any of them is of a kind and size for a job of this shape, however much it runs now.
    pub(crate) fn could_hold(&self, shape: &Shape) -> bool {
        let could_hold = |room: &Room| {
            let offer = &room.seat.offer;
            shape.classes.has(offer.class) && shape.need.fits(&offer.capacity)
        };
        self.all.iter().any(could_hold)
    }

    /// A host that nothing is left for is not bought. Tells whether there was one.
    pub(crate) fn drop_unwanted(&mut self, left: &mut Left) -> bool {
        let n_before = self.all.len();
        self.all.retain(|room| {
            let is_wanted = room.id.is_some() || !room.first.is_empty();
            if !is_wanted {
                left.give_back(&room.seat.offer);
            }
            is_wanted
        });
        self.all.len() < n_before
    }

    /// Puts what is left of it where it was, as far as what the host was bought for leaves room: the rest needs a place
    /// again. Tells whether anything is gone.
    pub(crate) fn put_back(
        &mut self,
        world: &World,
        booting: Vec<(usize, Vec<Run>)>,
        waiting: &mut Backlog,
        backlog: &mut Backlog,
    ) -> bool {
        let mut is_moved = false;
        for (at, runs) in booting {
            let room = &mut self.all[at];
            for run in runs {
                let missing = run.count.saturating_sub(room.n_first(run.shape, run.rank));
                let left = missing.min(waiting.left(run.shape, run.rank));
                let fitting = world.shapes[run.shape].need.times_in(&room.seat.free);
                let count = left.min(fitting);
                is_moved |= count < missing;
                waiting.take(run.shape, run.rank, left);
                backlog.give_back(&Run { count: left - count, ..run });
                if 0 < count {
                    room.put(world, &[Run { count, ..run }]);
                }
            }
        }
        is_moved
    }
}

impl Room {
    fn new(id: Option<HostId>, is_ready: bool, seat: Seat) -> Self {
        let (first, later) = (Vec::new(), Vec::new());
        let last_end = last_end(&seat.ends, seat.paid_until);
        Self { id, is_ready, bare: seat.clone(), last_end, seat, first, later }
    }

    /// A host that is bought, with nothing on it.
    pub(crate) fn bought(offer: Offer, start: u32) -> Self {
        let (free, ends, paid_until) = (offer.capacity, Vec::new(), 0);
        Self::new(None, false, Seat { at: 0, offer, start, free, ends, paid_until })
    }

    /// How many jobs of a group start first.
    pub(crate) fn n_first(&self, shape: usize, rank: usize) -> u32 {
        let is_same = |run: &&Run| (run.shape, run.rank) == (shape, rank);
        self.first.iter().filter(is_same).fold(0, |n, run| n.saturating_add(run.count))
    }

    /// Takes off what was to start first; there must be nothing that starts later.
    pub(crate) fn empty(&mut self) -> Vec<Run> {
        self.make_bare();
        mem::take(&mut self.first)
    }

    fn make_bare(&mut self) {
        self.seat = self.bare.clone();
        self.last_end = last_end(&self.seat.ends, self.seat.paid_until);
    }

    /// Writes down what is to run here, and takes its room.
    pub(crate) fn put(&mut self, world: &World, runs: &[Run]) {
        if runs.is_empty() {
            return;
        }
        let mut changes: Vec<(u32, bool, Amount)> = Vec::new();
        for (end, freed) in &self.seat.ends {
            changes.push((*end, false, *freed));
        }
        for run in runs {
            let need = Amount::default().plus(&world.shapes[run.shape].need, run.count);
            self.seat.paid_until = self.seat.paid_until.max(run.end);
            changes.push((run.end, false, need));
            if run.start <= self.seat.start {
                self.seat.free = self.seat.free.less(&need, 1);
                self.first.push(*run);
            } else {
                changes.push((run.start, true, need));
                self.later.push(*run);
            }
        }
        changes.sort_unstable();
        self.seat.ends = rising(&mut self.seat.free, &changes);
        self.last_end = last_end(&self.seat.ends, self.seat.paid_until);
    }
}

/// What is free from each moment on for good: what a later start takes is not free before either.
fn rising(free: &mut Amount, changes: &[(u32, bool, Amount)]) -> Vec<(u32, Amount)> {
    let mut levels: Vec<(u32, [i64; DIMS])> = Vec::with_capacity(changes.len());
    let mut level = free.0.map(i64::from);
    for (at, is_start, amount) in changes {
        for (level, amount) in level.iter_mut().zip(amount.0) {
            *level += if *is_start { -i64::from(amount) } else { i64::from(amount) };
        }
        match levels.last_mut() {
            Some((last, of_last)) if last == at => *of_last = level,
            Some(_) | None => levels.push((*at, level)),
        }
    }
    let mut least = [i64::MAX; DIMS];
    for (_, level) in levels.iter_mut().rev() {
        for (level, least) in level.iter_mut().zip(&mut least) {
            *least = (*least).min(*level);
            *level = *least;
        }
    }
    let amount = |level: [i64; DIMS]| Amount(level.map(|n| u32::try_from(n.max(0)).unwrap_or(0)));
    *free = free.clipped_to(&amount(least));
    let (mut ends, mut before) = (Vec::with_capacity(levels.len()), *free);
    for (at, level) in levels {
        let now = amount(level);
        let freed = now.less(&before, 1);
        if freed != Amount::default() {
            ends.push((at, freed));
            before = before.plus(&freed, 1);
        }
    }
    ends
}
