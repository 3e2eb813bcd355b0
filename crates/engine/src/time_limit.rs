//! A job's own time limits beside that of an attempt: for its stay in line, for a start, and for all of it together.

use jiff::{SignedDuration, Timestamp};
use spillway_core::job::StopCause;
use spillway_core::{Job, JobId, JobSpec, JobState};

use crate::engine::{Cx, Engine};
use crate::limits;
use crate::timer::Timer;

impl Engine {
    /// How long an attempt may take to RUNNING.
    pub(crate) fn start_timeout(&self, spec: &JobSpec) -> SignedDuration {
        spec.time_limits.start.unwrap_or(self.config.start_timeout)
    }

    /// Asks to be woken when a job that is new to this dispatcher has taken, or waited for prices, as long as it may.
    pub(crate) fn limit_job(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        if let Some(at) = due(job) {
            self.timers.set(at, Timer::JobTimeout(id));
        }
        if matches!(job.state, JobState::Submitted) {
            self.limit_wait(id);
        }
    }

    /// Asks to be woken when a job has waited as long as it may.
    pub(crate) fn limit_wait(&mut self, id: JobId) {
        if let Some(at) = self.jobs.get(&id).and_then(wait_due) {
            self.timers.set(at, Timer::QueueTimeout(id));
        }
    }

    pub(crate) fn queue_timed_out(&mut self, cx: &mut Cx, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        // It may have run meanwhile, and wait anew.
        let is_due = wait_due(job).is_some_and(|at| at <= cx.now);
        if let (true, Some(limit)) = (is_due, job.spec.time_limits.queue) {
            let secs = limit.as_secs();
            let reason = format!("Job waited in line for more than {secs} s (queueTimeoutSeconds)");
            self.give_up_waiting(cx, id, reason);
        }
    }

    pub(crate) fn job_timed_out(&mut self, cx: &mut Cx, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        match job.state {
            JobState::Submitted | JobState::Pending | JobState::Runnable { .. } => {
                self.give_up_waiting(cx, id, StopCause::JobTimeout.reason());
            }
            JobState::Starting { .. } | JobState::Running { .. } => {
                self.stop_attempt(cx, id, StopCause::JobTimeout);
            }
            JobState::Succeeded { .. } | JobState::Failed { .. } => {}
        }
    }

    fn give_up_waiting(&mut self, cx: &mut Cx, id: JobId, reason: String) {
        self.leave_line(id);
        self.move_job(cx, id, JobState::Failed { at: cx.now, reason }, None);
    }
}

/// Whether a job has taken as long as it may.
pub(crate) fn is_overdue(job: &Job, now: Timestamp) -> bool {
    due(job).is_some_and(|at| at <= now)
}

/// How long after a Spot notice an attempt is told to stop: as late as leaves it the time it has after SIGTERM.
pub(crate) fn told_after_notice(spec: &JobSpec) -> SignedDuration {
    let stop = spec.time_limits.stop.unwrap_or(limits::STOP_TIMEOUT_DEFAULT);
    (limits::SPOT_NOTICE - limits::RECLAIM_MARGIN - stop).max(SignedDuration::ZERO)
}

fn due(job: &Job) -> Option<Timestamp> {
    job.created_at.saturating_add(job.spec.time_limits.job?).ok()
}

/// When a job has waited as long as it may; none if it does not wait for a place.
fn wait_due(job: &Job) -> Option<Timestamp> {
    let limit = job.spec.time_limits.queue?;
    let since = match &job.state {
        JobState::Submitted => job.created_at,
        JobState::Runnable { since } => *since,
        JobState::Pending
        | JobState::Starting { .. }
        | JobState::Running { .. }
        | JobState::Succeeded { .. }
        | JobState::Failed { .. } => return None,
    };
    since.saturating_add(limit).ok()
}
