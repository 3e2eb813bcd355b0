//! Which idle hosts are kept for what comes, and which go back.
//!
//! A host that stands idle for as long as a new one takes to boot has cost what giving it back would have saved. So it
//! is kept where a job may be expected within that time that nothing else has room for.

use spillway_core::HostId;

use crate::amount::Amount;
use crate::demand::ClassSet;
use crate::online::room::{Room, Rooms};

/// How many jobs must be expected on a host. Less than one: who waits for a boot pays too, though not in money.
const EXPECTED_MIN: f64 = 0.5;

/// The ready hosts with nothing to do that are not worth keeping, in the order of their ids.
pub(crate) fn give_back(rooms: &Rooms, mut expected: Vec<(ClassSet, Amount, f64)>) -> Vec<HostId> {
    let mut idle: Vec<&Room> = Vec::new();
    for room in &rooms.all {
        let is_idle = room.seat.paid_until == 0 && room.is_ready;
        if is_idle {
            idle.push(room);
        } else {
            absorb(room, &mut expected);
        }
    }
    // The cheapest first: what comes goes there, and the dearest go.
    idle.sort_by_key(|room| (room.seat.offer.price, room.id));
    let mut gone: Vec<HostId> = Vec::new();
    for room in idle {
        if absorb(room, &mut expected) < EXPECTED_MIN {
            gone.extend(room.id);
        }
    }
    gone.sort_unstable();
    gone
}

/// Puts what may be expected where there is room for it; gives how many jobs.
fn absorb(room: &Room, expected: &mut [(ClassSet, Amount, f64)]) -> f64 {
    let (mut free, mut sum) = (room.seat.free, 0.0);
    for (classes, need, n) in expected {
        let most = need.times_in(&free);
        if *n <= 0.0 || most == 0 || !classes.has(room.seat.offer.class) {
            continue;
        }
        let taken = n.min(f64::from(most));
        let whole = u32::try_from(crate::amount::whole_of(taken.ceil())).unwrap_or(most);
        free = free.less(need, whole.min(most));
        *n -= taken;
        sum += taken;
    }
    sum
}
