//! Into the line and out of it, onto a host and off it: who waits, and who holds what. Decides neither.

use jiff::Timestamp;
use spillway_core::coalesce::CoalesceRule;
use spillway_core::{HostId, JobId, JobState, MicroUsdPerHour, Resources, cost};

use crate::engine::{Cx, Engine};
use crate::in_use::Holding;
use crate::lane::Lane;
use crate::waiting::GroupKey;

impl Engine {
    /// Whether no job waits for a host.
    pub(crate) fn nobody_waits(&self) -> bool {
        self.waiting.is_empty() && self.gangs.is_empty()
    }

    /// Who starts together with a job that is first of those that may, in the order of the line; itself where it shares no task.
    pub(crate) fn task_from(&self, id: JobId) -> Vec<JobId> {
        let record = self.jobs.get(&id).or_else(|| self.jobs.get(&id.whole()));
        let group = record.and_then(|job| self.known_group_of(job));
        group.map(|group| self.waiting.task_from(&group, id)).unwrap_or_default()
    }

    /// How the next attempt of a child may share a task.
    pub(crate) fn rule_of(&self, id: JobId) -> Option<CoalesceRule> {
        let record = self.jobs.get(&id).or_else(|| self.jobs.get(&id.whole()))?;
        CoalesceRule::of_next(record)
    }

    /// Puts a job in line if it may run.
    pub(crate) fn join_line(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if matches!(job.state, JobState::Runnable { .. }) {
            let stands_at = job.line();
            if job.spec.gang.is_some() {
                let lane = Lane::in_line(&job.spec);
                self.gangs.join(stands_at, id, lane);
            } else {
                let (lane, class) = (Lane::in_line(&job.spec), self.class_of(job));
                let group = GroupKey { lane: self.lanes.ord(lane), class };
                self.waiting.insert(group, stands_at, id);
            }
            self.limit_wait(id);
        }
    }

    /// Puts a job back in line after its pause.
    pub(crate) fn requeue(&mut self, cx: &mut Cx, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if matches!(job.state, JobState::Runnable { .. }) && !self.is_blocked_by_nodes(id) {
            self.join_line(id);
            self.replan_by(cx.now);
        }
    }

    /// Takes a job out of line. Its class is found again from what the job says and what became of it, neither of which
    /// changes while it waits.
    pub(crate) fn leave_line(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if job.spec.gang.is_some() {
            self.gangs.leave(job.line(), id);
        } else if let Some(group) = self.known_group_of(job) {
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
            if self.jobs.get(&id).is_some_and(|job| job.spec.gang.is_some()) {
                self.gangs.sit(id, host);
            }
        }
    }

    /// Takes its place from a job that starts or runs, as long as its record says so. Tells the host.
    pub(crate) fn leave_place(&mut self, id: JobId) -> Option<HostId> {
        let (host, run) = self.run_of(id)?;
        if self.fleet.get_mut(host)?.free_place(id, &run) {
            self.memory.runs_no_more(&run);
            self.gangs.stand_up(id, host);
        }
        Some(host)
    }

    /// What a job holds follows from its state, whenever that changes.
    pub(crate) fn note_holding(&mut self, now: Timestamp, id: JobId) {
        let holding = self.holding_of(id);
        self.note_running(id, holding.as_ref().map(|holding| holding.price));
        self.in_use.hold(&self.config, now, id, holding);
    }

    /// What a job's live attempt holds.
    pub(crate) fn holding_of(&self, id: JobId) -> Option<Holding> {
        let job = self.jobs.get(&id)?;
        let host = job.state.live_attempt()?.host;
        Some(self.held_on(&Lane::of(&job.spec), &job.held(), host))
    }

    /// What somebody of a lane who needs this would hold on a host.
    pub(crate) fn held_on(&self, lane: &Lane, need: &Resources, host: HostId) -> Holding {
        let price = self.fleet.get(host).map_or(MicroUsdPerHour::ZERO, |entry| {
            cost::attempt_price(entry.host.price, need, &entry.host.capacity)
        });
        Holding { lane: lane.clone(), need: *need, host, price }
    }
}
