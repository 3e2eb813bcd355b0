//! Which idle hosts are kept for what comes, and which go back.
//!
//! A host that stands idle for as long as a new one takes to boot has cost what giving it back would have saved: whoever
//! keeps it that long, and no longer, never pays twice what one would who knows when the next job comes (the ski rental
//! problem; A. Karlin, M. Manasse, L. Rudolph, D. Sleator, Competitive snoopy caching, 1988). Jobs rather come in bursts, so
//! that who has waited for half of it in vain had better stop: on the shipped traces that is cheaper than the whole, and
//! jobs wait hardly longer.

use std::collections::BTreeMap;

use spillway_core::HostId;

use crate::online::room::Rooms;

/// Since when hosts have stood idle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Idle {
    since: BTreeMap<HostId, i64>,
}

impl Idle {
    /// Takes note of the ready hosts that have nothing to do by this plan either, and gives those that have had nothing
    /// for too long, in the order of their ids.
    pub(crate) fn give_back(&mut self, rooms: &Rooms, now: i64, boot_secs: u32) -> Vec<HostId> {
        let mut since = BTreeMap::new();
        for room in &rooms.all {
            if room.seat.paid_until == 0
                && room.is_ready
                && let Some(id) = room.id
            {
                since.insert(id, self.since.get(&id).copied().unwrap_or(now));
            }
        }
        self.since = since;
        let kept_secs = i64::from(boot_secs) / 2;
        let is_too_long = |(id, since): (&HostId, &i64)| (kept_secs <= now - since).then_some(*id);
        self.since.iter().filter_map(is_too_long).collect()
    }
}
