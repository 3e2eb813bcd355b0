//! Takes up what the ledger holds: hosts, arrays before their children, and attempts with the calls and timers that they had.
//! Nothing is sent from here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::array::ArrayRecord;
use spillway_core::change::EndedJob;
use spillway_core::job::LiveAttempt;
use spillway_core::{BreakerId, Host, HostState, Job, JobId, JobState};

use crate::breakers::rests_on;
use crate::calls::Call;
use crate::engine::Engine;
use crate::fleet::{Entry, Purpose};
use crate::limits;
use crate::shared::attempt_limit;
use crate::timer::Timer;

impl Engine {
    pub(crate) fn resume_host(&mut self, now: Timestamp, mut host: Host) {
        let id = host.id;
        if matches!(host.state, HostState::Registered { .. }) {
            // Its work has been placed, or has gone elsewhere; that it was is not written.
            host.reserved.clear();
        }
        // It may have registered while nobody listened: the first look tells. Where dispatchers keep dying a longer wait would
        // keep one that never registers for ever.
        let news_by = now + limits::NEWS_AT_START;
        let timer = match &host.state {
            HostState::Requested | HostState::Lost { .. } | HostState::Gone { .. } => None,
            HostState::Launched { instance } => {
                let due = instance.launched_at + self.config.register_timeout;
                Some((due.max(news_by), Timer::Register(id)))
            }
            HostState::Registered { .. } => Some((now + self.idle_left(), Timer::Idle(id))),
            HostState::Draining { .. } => Some((now, Timer::Drain(id))),
            HostState::Terminating { .. } => Some((now, Timer::Terminate(id))),
        };
        if let Some((at, timer)) = timer {
            self.timers.set(at, timer);
        }
        let pool = self.config.pool_of_host(&host);
        let mut entry = Entry::new(host, pool, now);
        entry.purpose = Purpose::Worked;
        entry.idle_since = Some(now + self.idle_left() - self.config.idle_timeout);
        entry.interrupted = matches!(
            entry.host.state,
            HostState::Draining { cause: spillway_core::host::DrainCause::SpotInterruption, .. }
        );
        if entry.interrupted {
            self.timers.set(now, Timer::ReclaimNear(id));
        }
        self.fleet.put(entry);
    }

    /// Arrays before their children, and all before anybody is asked who waits for whom.
    pub(crate) fn resume_jobs(
        &mut self,
        now: Timestamp,
        mut jobs: Vec<Job>,
        mut arrays: BTreeMap<JobId, ArrayRecord>,
    ) {
        jobs.sort_by_key(|job| job.id);
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        for job in jobs {
            if job.spec.array.is_some() && job.id.index().is_none() {
                self.open_array(&job, arrays.remove(&job.id));
            }
            self.resume_child(job.id);
            self.resume_job(now, job);
        }
        self.past_arrays = arrays;
        for id in ids.iter().copied() {
            self.settle_in_line(id);
        }
        for id in ids.into_iter().filter(|id| id.node_index().is_none()) {
            self.resume_waits(id);
            let is_admitted =
                self.jobs.get(&id).is_some_and(|job| matches!(job.state, JobState::Pending));
            if is_admitted && self.waits.unmet(id).next().is_none() {
                self.release_children(now, id);
                self.replan_at = Some(now);
            }
        }
    }

    fn resume_job(&mut self, now: Timestamp, job: Job) {
        let id = job.id;
        match &job.state {
            JobState::Submitted | JobState::Pending => {}
            JobState::Runnable { .. } => self.replan_at = Some(now),
            JobState::Starting { attempt } | JobState::Running { attempt, .. } => {
                if let Some(shared) = &attempt.shared {
                    self.shared_tasks.join(shared.leader, id);
                }
                if !job.rides_along() {
                    self.resume_attempt(now, &job, attempt);
                }
                self.jobs.insert(id, Box::new(job));
                self.limit_job(id);
                self.take_place(id);
                if let Some(holding) = self.holding_of(id) {
                    self.note_running(id, Some(holding.price));
                    self.in_use.resume(id, holding);
                }
                return;
            }
            JobState::Succeeded { .. } | JobState::Failed { .. } => {
                self.ended.extend(EndedJob::of(job.body_hash, &job.state).map(|ended| (id, ended)));
                return;
            }
        }
        self.jobs.insert(id, Box::new(job));
        self.limit_job(id);
        self.join_line(id);
    }

    /// A probe that was under way goes on if it was an attempt and that is still to start; of all others another may go.
    pub(crate) fn resume_breakers(&mut self, now: Timestamp) {
        if self.breakers.is_empty() {
            return;
        }
        let starting =
            self.jobs.values().filter(|job| matches!(job.state, JobState::Starting { .. }));
        let resting: Vec<(JobId, Box<[BreakerId]>)> =
            starting.map(|job| (job.id, rests_on(&job.spec))).collect();
        for at in self.breakers.resume(now, resting) {
            self.replan_later(at);
        }
    }

    /// Sets the calls and timers of an attempt. One that rides along in a task has none: its leader's are for all of them.
    fn resume_attempt(&mut self, now: Timestamp, job: &Job, attempt: &LiveAttempt) {
        let (id, ord) = (job.id, attempt.ord);
        let is_over = attempt.shared.as_ref().is_some_and(|shared| shared.ended.is_some());
        if is_over {
            self.calls.ask(Call::Report(id, ord));
        } else if attempt.task.is_none() {
            self.calls.ask(Call::Start(id, ord));
        }
        if attempt.stop.is_some() {
            self.calls.ask(Call::Stop(id, ord));
        }
        if let (JobState::Running { started_at, .. }, Some(limit)) =
            (&job.state, attempt_limit(job))
        {
            self.timers.set(*started_at + limit, Timer::AttemptTimeout(id, ord));
        } else if !attempt.awaits_main {
            // It may have started while nobody listened.
            let due = attempt.placed_at + self.start_timeout(&job.spec);
            let news_by = now + limits::CONSISTENCY_GRACE;
            self.timers.set(due.max(news_by), Timer::StartTimeout(id, ord));
        }
    }
}
