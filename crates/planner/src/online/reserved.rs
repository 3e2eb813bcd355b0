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

    /// All that a booting host is kept for starts on an idle one instead that holds it and costs no more.
    pub(crate) fn move_to_idle(&self, rooms: &mut Rooms, queue: &Queue, backlog: &mut Backlog) {
        let is_idle = |room: &Room| room.is_ready && room.seat.paid_until == 0;
        let mut idle: Vec<usize> = Vec::new();
        for (at, room) in rooms.all.iter().enumerate() {
            if is_idle(room) {
                idle.push(at);
            }
        }
        if idle.is_empty() {
            return;
        }
        for at in 0..rooms.all.len() {
            let (booting, wanted) = (&rooms.all[at], &self.of_room[at]);
            if booting.is_ready || wanted.is_empty() {
                continue;
            }
            let price = booting.seat.offer.price;
            let place = idle.iter().position(|idle| {
                let idle = &rooms.all[*idle];
                idle.seat.offer.price <= price && holds_all(idle, queue, backlog, wanted)
            });
            if let Some(place) = place {
                let room = &mut rooms.all[idle.swap_remove(place)];
                for (key, count) in wanted {
                    put(room, queue, backlog, key, *count);
                }
                idle.sort_unstable();
            }
        }
    }
}

/// Whether all of it still waits and may start there.
fn holds_all(room: &Room, queue: &Queue, backlog: &Backlog, wanted: &[(DemandKey, u32)]) -> bool {
    let mut load = Amount::default();
    for (key, count) in wanted {
        let Some((shape, rank)) = queue.place(key) else { return false };
        let of_shape = &queue.world.shapes[shape];
        if backlog.left(shape, rank) < *count || !of_shape.classes.has(room.seat.offer.class) {
            return false;
        }
        load = load.plus(&of_shape.need, *count);
    }
    load.fits(&room.seat.free)
}

fn put(room: &mut Room, queue: &Queue, backlog: &mut Backlog, key: &DemandKey, count: u32) {
    let Some((shape, rank)) = queue.place(key) else { return };
    let of_shape = &queue.world.shapes[shape];
    let fitting = of_shape.need.times_in(&room.seat.free);
    let is_same = |run: &&Run| (run.shape, run.rank) == (shape, rank);
    let already = room.first.iter().filter(is_same).fold(0_u32, |n, run| n + run.count);
    let count = count.saturating_sub(already).min(backlog.left(shape, rank)).min(fitting);
    if count == 0 || !of_shape.classes.has(room.seat.offer.class) {
        return;
    }
    backlog.take(shape, rank, count);
    let start = room.seat.start;
    let end = start.saturating_add(queue.world.secs(shape, rank));
    room.put(&queue.world, &[Run { start, end, shape, rank, count, is_expected: false }]);
}
