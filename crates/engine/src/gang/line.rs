//! The multi-node jobs that wait for hosts: who is in line, for whom room is kept and since when. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use spillway_core::job::LinePlace;
use spillway_core::{HostId, JobId};

use crate::lane::Lane;
use crate::limits;

/// The multi-node jobs that wait for hosts, and where others run.
#[derive(Debug, Default)]
pub(crate) struct GangLine {
    line: BTreeMap<(LinePlace, JobId), Lane>,
    /// Of which pool room is kept for one, and since when.
    held: BTreeMap<JobId, (Option<usize>, Timestamp)>,
    /// Until when none is.
    paused_until: BTreeMap<JobId, Timestamp>,
    /// How often hosts were bought for one and others that it needs could not be.
    n_vain: BTreeMap<JobId, u32>,
    /// Those that would be in line if all nodes of their last attempt had ended.
    blocked: BTreeSet<JobId>,
    /// The hosts that have a node on them.
    on_host: BTreeMap<HostId, JobId>,
}

impl GangLine {
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(crate) fn join(&mut self, place: LinePlace, id: JobId, lane: Lane) {
        self.line.insert((place, id), lane);
    }

    pub(crate) fn leave(&mut self, place: LinePlace, id: JobId) {
        self.line.remove(&(place, id));
        self.forget(id);
    }

    /// What was remembered of one's wait counts no more.
    pub(crate) fn forget(&mut self, id: JobId) {
        self.held.remove(&id);
        self.paused_until.remove(&id);
        self.n_vain.remove(&id);
        self.blocked.remove(&id);
    }

    pub(crate) fn waits(&self, id: JobId) -> bool {
        self.line.keys().any(|(_, other)| *other == id)
    }

    /// All in line, with the lane of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LinePlace, JobId, &Lane)> {
        self.line.iter().map(|((place, id), lane)| (*place, *id, lane))
    }

    /// A job is to be in line when the last node of its last attempt has ended.
    pub(crate) fn block(&mut self, id: JobId) {
        self.blocked.insert(id);
    }

    /// Whether it was to be, and is not blocked any more.
    pub(crate) fn unblock(&mut self, id: JobId) -> bool {
        self.blocked.remove(&id)
    }

    /// Those that are to be in line when the last node of their last attempt has ended.
    pub(crate) fn blocked(&self) -> impl Iterator<Item = JobId> {
        self.blocked.iter().copied()
    }

    /// The hosts that have a node on them.
    pub(crate) fn hosts(&self) -> BTreeSet<HostId> {
        self.on_host.keys().copied().collect()
    }

    pub(crate) fn sit(&mut self, id: JobId, host: HostId) {
        self.on_host.insert(host, id);
    }

    pub(crate) fn stand_up(&mut self, id: JobId, host: HostId) {
        if self.on_host.get(&host) == Some(&id) {
            self.on_host.remove(&host);
        }
    }

    /// Room of a pool is kept for one: since when.
    pub(crate) fn hold(&mut self, now: Timestamp, id: JobId, pool: Option<usize>) -> Timestamp {
        let held = self.held.entry(id).or_insert((pool, now));
        held.0 = pool;
        held.1
    }

    /// Of which pool room is kept for one; none if of none, or if there are no pools.
    pub(crate) fn held_in(&self, id: JobId) -> Option<usize> {
        self.held.get(&id).and_then(|(pool, _)| *pool)
    }

    /// No room is kept for one any more; whether it was.
    pub(crate) fn let_go(&mut self, id: JobId) -> bool {
        self.held.remove(&id).is_some()
    }

    /// None is kept for one until then.
    pub(crate) fn pause(&mut self, id: JobId, until: Timestamp) {
        self.held.remove(&id);
        self.paused_until.insert(id, until);
    }

    /// What was kept or bought for one was in vain: how often before.
    pub(crate) fn was_in_vain(&mut self, id: JobId) -> u32 {
        let n = self.n_vain.entry(id).or_insert(0);
        *n = n.saturating_add(1);
        *n - 1
    }

    /// Those that room has been kept for as long as may be. Pauses that are over are forgotten.
    pub(crate) fn held_too_long(&mut self, now: Timestamp) -> Vec<JobId> {
        self.paused_until.retain(|_, until| now < *until);
        let is_over = |since: &Timestamp| limits::GANG_HOLD_MAX <= now.duration_since(*since);
        let over = self.held.iter().filter(|(_, (_, since))| is_over(since));
        over.map(|(id, _)| *id).collect()
    }

    /// For how long room may be kept for one from now.
    pub(crate) fn hold_left(&self, now: Timestamp, id: JobId) -> SignedDuration {
        if self.paused_until.get(&id).is_some_and(|until| now < *until) {
            return SignedDuration::ZERO;
        }
        let since = self.held.get(&id).map(|(_, since)| *since);
        let held = since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        limits::GANG_HOLD_MAX - held
    }
}
