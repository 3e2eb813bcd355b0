//! Into the line and out of it, onto a host and off it: who waits, and who holds what. Decides neither.

use spillway_core::{HostId, JobId, JobState};

use crate::engine::Engine;
use crate::lane::Lane;
use crate::waiting::GroupKey;

impl Engine {
    /// Puts a job in line if it may run.
    pub(crate) fn join_line(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if matches!(job.state, JobState::Runnable { .. }) {
            let (lane, class) = (Lane::of(&job.spec), self.class_of(job));
            let stands_at = job.line();
            let group = GroupKey { lane: self.lanes.ord(lane), class };
            self.waiting.insert(group, stands_at, id);
            self.limit_wait(id);
        }
    }

    /// Takes a job out of line. Its class is found again from what the job says and what became of it, neither of which
    /// changes while it waits.
    pub(crate) fn leave_line(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get(&id)
            && let Some(group) = self.known_group_of(job)
        {
            self.waiting.remove(&group, job.line(), id);
        }
    }

    /// Gives a job that starts or runs its place on its host.
    pub(crate) fn take_place(&mut self, id: JobId) {
        if let Some((host, run)) = self.run_of(id)
            && let Some(entry) = self.fleet.get_mut(host)
            && entry.take_place(id, run)
        {
            self.memory.runs(&run);
        }
    }

    /// Takes its place from a job that starts or runs, as long as its record says so. Tells the host.
    pub(crate) fn leave_place(&mut self, id: JobId) -> Option<HostId> {
        let (host, run) = self.run_of(id)?;
        if self.fleet.get_mut(host)?.free_place(id, &run) {
            self.memory.runs_no_more(&run);
        }
        Some(host)
    }
}
