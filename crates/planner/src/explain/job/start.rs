//! When a job should start: where the plan has it, or where it fits first as running jobs end.

use jiff::Timestamp;
use spillway_core::plan::{DemandKey, HostView, WaitReason};
use spillway_core::{HostId, Planned, PoolId};

use crate::explain::Question;
use crate::explain::groups::fates;

/// Where a job is headed, and when it should start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The plan puts it on a host that is ready.
    Now {
        /// Which.
        host: HostId,
    },
    /// The plan keeps room for it on a host that boots.
    Boots {
        /// Which.
        host: HostId,
        /// In how many seconds it is expected to be up.
        in_secs: u32,
    },
    /// The plan buys a host for it.
    Bought {
        /// From which pool first.
        pool: PoolId,
        /// In how many seconds it is expected to be up.
        in_secs: u32,
    },
    /// The plan leaves it waiting.
    Waits {
        /// Why; none where it is to go where something ends soon.
        reason: Option<WaitReason>,
        /// The host it fits first as running jobs end, unless one ahead of it takes the room, and in how many seconds.
        room: Option<(HostId, u32)>,
        /// When a pool that would do is tried again.
        retry: Option<Timestamp>,
    },
}

/// Where the job is headed that has `n_ahead` others of its group before it.
pub fn start(question: &Question, planned: &Planned, key: &DemandKey, n_ahead: u32) -> Start {
    start_as(question, planned, key, n_ahead).1
}

/// The same, and as which alternative, `key` being any of them.
pub fn start_as(
    question: &Question,
    planned: &Planned,
    key: &DemandKey,
    n_ahead: u32,
) -> (DemandKey, Start) {
    let mut n_ahead = n_ahead;
    let mut fates = fates(question, planned);
    let is_same = |other: &DemandKey| match (key.way, other.way) {
        (Some(way), Some(of_other)) => way.of == of_other.of,
        (None, _) | (_, None) => other == key,
    };
    fates.retain(|other, _| is_same(other));
    let placed = fates.values().flat_map(|group| group.placed.iter().map(|at| (at, group.key)));
    let mut placed: Vec<_> = placed.collect();
    placed.sort_by_key(|(placed, key)| (placed.ready_in_secs, placed.host, *key));
    for (placed, key) in placed {
        if n_ahead < placed.count {
            let (host, in_secs) = (placed.host, placed.ready_in_secs);
            let start =
                if in_secs == 0 { Start::Now { host } } else { Start::Boots { host, in_secs } };
            return (key, start);
        }
        n_ahead -= placed.count;
    }
    for (key, bought) in
        fates.iter().flat_map(|(key, group)| group.bought.iter().map(move |b| (key, b)))
    {
        let n_jobs = bought.n_hosts.saturating_mul(bought.n_each);
        if n_ahead < n_jobs {
            let in_secs = question.policy.boot_secs;
            return (*key, Start::Bought { pool: bought.pool.clone(), in_secs });
        }
        n_ahead -= n_jobs;
    }
    let told = fates.iter().find_map(|(key, group)| Some((*key, group.reason.clone()?)));
    match told {
        Some((key, reason)) => (key, waits(question, &key, Some(reason))),
        None => (*key, waits(question, key, None)),
    }
}

fn waits(question: &Question, key: &DemandKey, reason: Option<WaitReason>) -> Start {
    let fits = question.input.hosts.iter();
    let fits = fits.filter_map(|host| Some((room_in(host, key)?, host.id)));
    let room = fits.min().map(|(secs, host)| (host, secs));
    let retry = match &reason {
        Some(WaitReason::CoolingDown { until, .. }) => Some(*until),
        Some(
            WaitReason::TooLarge(_)
            | WaitReason::LimitReached { .. }
            | WaitReason::NoCatalog
            | WaitReason::RoomExpected { .. }
            | WaitReason::StartRate { .. },
        )
        | None => None,
    };
    Start::Waits { reason, room, retry }
}

/// In how many seconds a host has room for one such job, if what runs on it ends when it is expected to.
fn room_in(host: &HostView, key: &DemandKey) -> Option<u32> {
    if !key.allows(host.traits()) {
        return None;
    }
    let mut free = host.free;
    if key.need.fits(&free) {
        return Some(host.ready_in_secs);
    }
    for busy in &host.busy {
        free = free.checked_add(&busy.need.checked_mul(busy.count)?)?;
        if key.need.fits(&free) {
            return Some(busy.ends_in_secs.max(host.ready_in_secs));
        }
    }
    None
}
