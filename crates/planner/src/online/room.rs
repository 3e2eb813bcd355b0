//! Room on the hosts there are: what is free on each and what comes free when, and the work it takes at no cost.

use std::collections::BTreeMap;

use spillway_core::{HostId, PlanInput};

use crate::amount::{Amount, DIMS};
use crate::bill::fill::{Filler, Opening, Seat, Style};
use crate::bill::host::Run;
use crate::bill::prices::Prices;
use crate::bill::world::{Backlog, World};
use crate::demand::class_of;
use crate::online::queue::Queue;
use crate::prune::Offer;

/// A host there is, and what the plan in the making puts on it.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) id: HostId,
    pub(crate) is_ready: bool,
    pub(crate) seat: Seat,
    /// What starts as soon as it can start anything.
    pub(crate) first: Vec<Run>,
    /// What is to start when something has ended.
    pub(crate) later: Vec<Run>,
}

/// All of them, in the order of their ids.
#[derive(Debug, Clone)]
pub(crate) struct Rooms {
    pub(crate) rooms: Vec<Room>,
}

impl Rooms {
    pub(crate) fn new(input: &PlanInput) -> Self {
        let mut hosts: Vec<_> = input.hosts.iter().collect();
        hosts.sort_by_key(|host| host.id);
        let mut rooms = Vec::with_capacity(hosts.len());
        for (at, host) in hosts.into_iter().enumerate() {
            let free = Amount::of(&host.free);
            let mut ends: Vec<(u32, Amount)> = Vec::with_capacity(host.busy.len());
            let mut capacity = free;
            for busy in &host.busy {
                let freed = Amount::default().plus(&Amount::of(&busy.need), busy.count);
                ends.push((busy.ends_in_secs, freed));
                capacity = capacity.plus(&freed, 1);
            }
            ends.sort_unstable();
            let class = class_of(host.arch, host.market);
            let offer = Offer { capacity, price: host.price.get(), class, at: usize::MAX };
            let start = if host.ready { 0 } else { host.ready_in_secs };
            let paid_until = ends.last().map_or(0, |(end, _)| *end);
            let seat = Seat { at, offer, start, free, ends, paid_until };
            let (first, later) = (Vec::new(), Vec::new());
            rooms.push(Room { id: host.id, is_ready: host.ready, seat, first, later });
        }
        Self { rooms }
    }

    /// What a host was bought for goes there before anything else is placed.
    pub(crate) fn honour_reservations(
        &mut self,
        input: &PlanInput,
        queue: &Queue,
        backlog: &mut Backlog,
    ) {
        let reserved: BTreeMap<HostId, _> =
            input.hosts.iter().map(|host| (host.id, &host.reserved)).collect();
        for room in &mut self.rooms {
            let mut wanted = reserved.get(&room.id).map_or_else(Vec::new, |r| (*r).clone());
            wanted.sort_unstable();
            for (key, count) in wanted {
                let Some((shape, rank)) = queue.place(&key) else { continue };
                let of_shape = &queue.world.shapes[shape];
                let fitting = of_shape.need.times_in(&room.seat.free);
                let count = count.min(backlog.left(shape, rank)).min(fitting);
                if count == 0 || !of_shape.classes.has(room.seat.offer.class) {
                    continue;
                }
                backlog.take(shape, rank, count);
                let start = room.seat.start;
                let end = start.saturating_add(queue.world.secs(shape, rank));
                let is_expected = false;
                room.put(&queue.world, &[Run { start, end, shape, rank, count, is_expected }]);
            }
        }
    }

    /// Starts what a host can run that is paid for in any case: first at once, then as soon as hosts are ready, then
    /// when something ends.
    pub(crate) fn fill_what_is_paid(
        &mut self,
        queue: &Queue,
        prices: &Prices,
        style: Style,
        backlog: &mut Backlog,
    ) {
        let least = queue.least();
        let mut filler = Filler::new(&queue.world, &prices.worth, style);
        let real = queue.world.groups.iter().flatten().filter(|g| !g.is_expected);
        let latest = real.map(|g| g.latest).max().unwrap_or(0);
        let mut order: Vec<usize> = (0..self.rooms.len()).collect();
        // Hosts that end soon take what is short, and leave those that end late to what is long.
        order.sort_by_key(|at| {
            let room = &self.rooms[*at];
            (!room.is_ready, room.seat.paid_until, room.seat.free, room.id)
        });
        for is_later in [false, true] {
            for at in &order {
                let room = &mut self.rooms[*at];
                let has_room = if is_later {
                    room.seat.ends.first().is_some_and(|(end, _)| *end <= latest)
                } else {
                    least.fits(&room.seat.free)
                };
                if !has_room || room.seat.paid_until <= room.seat.start || backlog.is_empty() {
                    continue;
                }
                let opening = Opening {
                    offer: &room.seat.offer,
                    weights: prices.weights_like(&room.seat.offer),
                    horizon: room.seat.paid_until,
                    lanes: None,
                    seat: Some(&room.seat),
                    up_at: 0,
                    until: if is_later { latest } else { room.seat.start },
                    expects: false,
                };
                let runs = filler.fill(&opening, backlog).host.runs;
                room.put(&queue.world, &runs);
            }
        }
    }
}

impl Rooms {
    /// Counts off what may be expected to come and finds room on the hosts there are.
    pub(crate) fn expect(&self, queue: &Queue, backlog: &mut Backlog) {
        for room in &self.rooms {
            // A host that ends before a new one were up is no room for what comes later.
            if room.seat.paid_until < queue.world.clock.boot {
                continue;
            }
            let mut free = room.seat.free;
            for (shape, rank) in queue.expected() {
                let of_shape = &queue.world.shapes[shape];
                let count = of_shape.need.times_in(&free).min(backlog.left(shape, rank));
                if 0 < count && of_shape.classes.has(room.seat.offer.class) {
                    backlog.take_expected(shape, rank, count);
                    free = free.less(&of_shape.need, count);
                }
            }
        }
    }
}

impl Room {
    /// Writes down what is to run here, and takes its room.
    pub(crate) fn put(&mut self, world: &World, runs: &[Run]) {
        if runs.is_empty() {
            return;
        }
        let mut changes: Vec<(u32, bool, Amount)> = Vec::new();
        for (end, freed) in &self.seat.ends {
            changes.push((*end, false, *freed));
        }
        for run in runs.iter().filter(|run| !run.is_expected) {
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
