//! Work for the hosts there are: first what each was bought for, then whatever fits.
//!
//! Never places more than is asked for, nor more than a host has free.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use spillway_core::plan::{DemandKey, HostView, Placement};
use spillway_core::{HostId, PlanInput};

use crate::amount::Amount;
use crate::demand::Unplaced;

/// A weight of a GPU beside memory, so that jobs with GPUs are placed before others take their host's CPUs.
const MIB_PER_GPU: u64 = 64 * 1024;
/// A weight of a CPU unit beside memory: 4 GiB to a vCPU is the middle of what EC2 sells.
const MIB_PER_CPU_UNIT: u64 = 4;

/// How large something is, as one number.
pub(crate) fn size(amount: &Amount) -> u64 {
    let [cpu, memory, gpus] = amount.0.map(u64::from);
    cpu * MIB_PER_CPU_UNIT + memory + gpus * MIB_PER_GPU
}

/// The same for scores.
pub(crate) fn size_score(amount: &Amount) -> f64 {
    crate::amount::score_of(size(amount))
}

struct Room<'a> {
    host: &'a HostView,
    free: Amount,
}

/// Places what fits on the hosts there are, takes it off `unplaced` and returns the placements by host and key.
pub(crate) fn fill(input: &PlanInput, unplaced: &mut [Unplaced]) -> Vec<Placement> {
    let mut rooms: Vec<Room<'_>> =
        input.hosts.iter().map(|host| Room { host, free: Amount::of(&host.free) }).collect();
    rooms.sort_by_key(|room| (!room.host.ready, room.host.id));
    let mut placed: BTreeMap<(HostId, DemandKey), u32> = BTreeMap::new();
    honour_reservations(&mut rooms, unplaced, &mut placed);
    fill_rooms(&mut rooms, unplaced, &mut placed);
    let mut placements = Vec::with_capacity(placed.len());
    for ((host, key), count) in placed {
        placements.push(Placement { host, key, count });
    }
    placements
}

fn place(
    room: &mut Room<'_>,
    group: &mut Unplaced,
    count_max: u32,
    placed: &mut BTreeMap<(HostId, DemandKey), u32>,
) {
    let need = Amount::of(&group.key.need);
    let count = count_max.min(group.count).min(need.times_in(&room.free));
    if count == 0 || !group.key.allows(room.host.traits()) {
        return;
    }
    room.free = room.free.less(&need, count);
    group.count -= count;
    let of_host = placed.entry((room.host.id, group.key)).or_insert(0);
    *of_host = of_host.saturating_add(count);
}

fn honour_reservations(
    rooms: &mut [Room<'_>],
    unplaced: &mut [Unplaced],
    placed: &mut BTreeMap<(HostId, DemandKey), u32>,
) {
    for room in rooms {
        let mut reserved = room.host.reserved.clone();
        reserved.sort_unstable();
        for (key, count) in reserved {
            if let Ok(at) = unplaced.binary_search_by(|group| group.key.cmp(&key))
                && let Some(group) = unplaced.get_mut(at)
            {
                place(room, group, count, placed);
            }
        }
    }
}

/// The largest jobs first, each on the fullest host that takes it, so that others can empty out; hosts that can
/// start work now before those that cannot.
fn fill_rooms(
    rooms: &mut [Room<'_>],
    unplaced: &mut [Unplaced],
    placed: &mut BTreeMap<(HostId, DemandKey), u32>,
) {
    rooms.sort_by_key(|room| (!room.host.ready, size(&room.free), room.host.id));
    let mut order: Vec<usize> = (0..unplaced.len()).collect();
    let rank =
        |at: &usize| unplaced.get(*at).map(|g| (Reverse(size(&Amount::of(&g.key.need))), g.key));
    order.sort_by_key(rank);
    for at in order {
        let Some(group) = unplaced.get_mut(at) else { continue };
        for room in rooms.iter_mut() {
            if group.count == 0 {
                break;
            }
            place(room, group, u32::MAX, placed);
        }
    }
}
