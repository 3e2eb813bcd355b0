//! What hosts were bought for. It goes there, unless it can start sooner and no dearer on a host that is ready.

use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;
use spillway_core::{HostId, PlanInput};

use crate::amount::Amount;
use crate::bill::host::Run;
use crate::bill::world::Backlog;
use crate::online::queue::Queue;
use crate::online::room::{Room, Rooms};

/// What each host is kept for, by its place among the rooms.
pub(crate) struct Reservations {
    of_room: Vec<Vec<(DemandKey, u32)>>,
}

impl Reservations {
    pub(crate) fn of(input: &PlanInput, rooms: &Rooms) -> Self {
        let reserved: BTreeMap<HostId, _> =
            input.hosts.iter().map(|host| (host.id, &host.reserved)).collect();
        let of_room = |room: &Room| {
            let of_host = room.id.and_then(|id| reserved.get(&id));
            let mut wanted = of_host.map_or_else(Vec::new, |wanted| (*wanted).clone());
            wanted.sort_unstable();
            wanted.dedup_by(|later, first| {
                let is_same = later.0 == first.0;
                if is_same {
                    first.1 = first.1.saturating_add(later.1);
                }
                is_same
            });
            wanted
        };
        Self { of_room: rooms.all.iter().map(of_room).collect() }
    }

    /// Puts work on the hosts it was bought for: on those that are ready, or on the others.
    pub(crate) fn honour(
        &self,
        rooms: &mut Rooms,
        queue: &Queue,
        backlog: &mut Backlog,
        is_ready: bool,
    ) {
        for (room, wanted) in rooms.all.iter_mut().zip(&self.of_room) {
            if room.is_ready == is_ready {
                for (key, count) in wanted {
                    put(room, queue, backlog, key, *count);
                }
            }
        }
    }
}

/// All that a booting host is to start with starts on an idle one instead that holds it and costs no more.
/// Tells whether any does.
pub(crate) fn move_to_idle(rooms: &mut Rooms, queue: &Queue) -> bool {
    let mut is_moved = false;
    let is_idle = |room: &Room| room.is_ready && room.seat.paid_until == 0;
    let mut idle: Vec<usize> = (0..rooms.all.len()).filter(|at| is_idle(&rooms.all[*at])).collect();
    for at in 0..rooms.all.len() {
        let booting = &rooms.all[at];
        if idle.is_empty() || booting.is_ready || booting.first.is_empty() {
            continue;
        }
        let place = idle.iter().position(|idle| {
            let idle = &rooms.all[*idle];
            idle.seat.offer.price <= booting.seat.offer.price && holds(idle, queue, &booting.first)
        });
        if let Some(place) = place {
            is_moved = true;
            let runs = rooms.all[at].empty();
            let room = &mut rooms.all[idle.remove(place)];
            for run in runs {
                let start = room.seat.start;
                let end = start.saturating_add(queue.world.secs(run.shape, run.rank));
                room.put(&queue.world, &[Run { start, end, ..run }]);
            }
        }
    }
    is_moved
}

/// Whether all of it may start there.
fn holds(room: &Room, queue: &Queue, runs: &[Run]) -> bool {
    let mut load = Amount::default();
    for run in runs {
        let shape = &queue.world.shapes[run.shape];
        if !shape.classes.has(room.seat.offer.class) {
            return false;
        }
        load = load.plus(&shape.need, run.count);
    }
    load.fits(&room.seat.free)
}

fn put(room: &mut Room, queue: &Queue, backlog: &mut Backlog, key: &DemandKey, count: u32) {
    let Some((shape, rank)) = queue.place(key) else { return };
    let of_shape = &queue.world.shapes[shape];
    let fitting = of_shape.need.times_in(&room.seat.free);
    let count =
        count.saturating_sub(room.n_first(shape, rank)).min(backlog.left(shape, rank)).min(fitting);
    if count == 0 || !of_shape.classes.has(room.seat.offer.class) {
        return;
    }
    backlog.take(shape, rank, count);
    let start = room.seat.start;
    let end = start.saturating_add(queue.world.secs(shape, rank));
    room.put(&queue.world, &[Run { start, end, shape, rank, count }]);
}
