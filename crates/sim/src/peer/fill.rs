//! Work for hosts there are: what each was bought for first, then the largest jobs on the fullest hosts.
//!
//! Fullest first is kinder than the products are: Kubernetes' scheduler spreads pods unless told otherwise, and ECS's default spreads
//! over zones. Hosts that are ready come before those that boot.

use std::collections::BTreeMap;

use spillway_core::plan::{DemandKey, HostView, Placement};
use spillway_core::{HostId, PlanInput, Resources};

use super::draft::{Group, kind};

struct Room<'a> {
    host: &'a HostView,
    free: Resources,
}

impl Room<'_> {
    /// Puts up to `count_max` jobs of a group here. Returns how many.
    fn put(&mut self, group: &mut Group, count_max: u32) -> u32 {
        if kind(self.host.traits()) & group.kinds == 0 {
            return 0;
        }
        let n = group.need.times_in(&self.free).min(count_max).min(group.count);
        if 0 < n {
            let need = group.need.checked_mul(n).unwrap_or(self.free);
            self.free = self.free.saturating_sub(&need);
            group.count -= n;
        }
        n
    }
}

/// Places what fits, takes it off `groups`, and returns the placements by host and key.
pub(super) fn fill(input: &PlanInput, groups: &mut [Group], reuses_hosts: bool) -> Vec<Placement> {
    let room = |host| Room { host, free: host.free };
    let mut rooms: Vec<Room<'_>> = input.hosts.iter().map(room).collect();
    rooms.sort_by_key(|room| (!room.host.ready, room.host.id));
    let mut placed: BTreeMap<(HostId, DemandKey), u32> = BTreeMap::new();
    let mut note = |host: HostId, key: DemandKey, n: u32| {
        if 0 < n {
            let of_host = placed.entry((host, key)).or_insert(0);
            *of_host = of_host.saturating_add(n);
        }
    };
    for room in &mut rooms {
        let mut reserved = room.host.reserved.clone();
        reserved.sort_unstable();
        for (key, count) in reserved {
            if let Some(group) = groups.iter_mut().find(|group| group.key == key) {
                note(room.host.id, key, room.put(group, count));
            }
        }
    }
    if reuses_hosts {
        let size = |free: &Resources| (free.gpus, free.cpu, free.memory);
        rooms.sort_by_key(|room| (!room.host.ready, size(&room.free), room.host.id));
        for group in groups {
            for room in &mut rooms {
                if group.count == 0 {
                    break;
                }
                note(room.host.id, group.key, room.put(group, u32::MAX));
            }
        }
    }
    let placement = |((host, key), count)| Placement { host, key, count };
    placed.into_iter().map(placement).collect()
}
