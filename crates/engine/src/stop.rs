//! Stops attempts: because somebody asked, because they took too long, or because nobody answers for them.

use jiff::Timestamp;
use spillway_core::effect::CallResult;
use spillway_core::host::DrainCause;
use spillway_core::job::{Stop, StopCause};
use spillway_core::task::{TaskReport, TaskStatus};
use spillway_core::{AttemptOrd, Effect, HostId, HostState, JobId, JobState};

use crate::engine::{Cx, Engine};
use crate::limits;
use crate::timer::Timer;

impl Engine {
    /// Marks a job's live attempt for its end. The first cause stands, unless it was the infrastructure's and the job itself
    /// is to end now: else somebody's order would be answered with another try.
    pub(crate) fn stop_attempt(&mut self, cx: &mut Cx, id: JobId, cause: StopCause) {
        let Some(attempt) = self.jobs.get(&id).and_then(|job| job.state.live_attempt()) else {
            return;
        };
        let ord = attempt.ord;
        let since = match &attempt.stop {
            None => cx.now,
            Some(stop) if is_free(&stop.cause) && !is_free(&cause) => stop.since,
            Some(_) => return,
        };
        let is_first = attempt.stop.is_none();
        self.update_attempt(cx, id, |attempt| attempt.stop = Some(Stop { since, cause }));
        if is_first {
            let send_at = self.task_calls.take(cx.now);
            if send_at <= cx.now {
                self.send_stop(cx, id, ord);
            } else {
                self.timers.set(send_at, Timer::Stop(id, ord));
            }
        }
    }

    /// Sends StopTask for an attempt that is marked, and asks to be woken to see whether it helped. A task that ECS has
    /// not named yet is stopped when it has been.
    pub(crate) fn send_stop(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) {
        let Some((_, attempt)) = self.live(id, ord) else { return };
        let (Some(task), Some(stop)) = (attempt.task.clone(), &attempt.stop) else { return };
        let reason = stop.cause.reason();
        cx.effects.push(Effect::StopTask { job: id, attempt: ord, task, reason });
        self.timers.set(cx.now + limits::STOP_REPEAT, Timer::Stop(id, ord));
    }

    pub(crate) fn take_stop(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        ord: AttemptOrd,
        result: &CallResult<()>,
    ) {
        if result.is_err() && self.live(id, ord).is_some() {
            self.timers.set(cx.now + limits::CALL_RETRY, Timer::Stop(id, ord));
        }
    }

    pub(crate) fn attempt_timed_out(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) {
        let Some((job, _)) = self.live(id, ord) else { return };
        if matches!(job.state, JobState::Running { .. }) {
            self.stop_attempt(cx, id, StopCause::Timeout);
        }
    }

    pub(crate) fn start_timed_out(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) {
        let Some((job, _)) = self.live(id, ord) else { return };
        if !matches!(job.state, JobState::Starting { .. }) {
            return;
        }
        self.stop_attempt(cx, id, StopCause::StuckStarting);
        let unnamed = self.live(id, ord).filter(|(_, attempt)| attempt.task.is_none());
        if let Some((job, attempt)) = unnamed {
            let (host, again_at) = (attempt.host, cx.now + self.start_timeout(&job.spec));
            self.give_up_host(cx, host);
            // A host that is out of sight now is given up when it is back.
            self.timers.set(again_at, Timer::StartTimeout(id, ord));
        }
    }

    /// Nobody can say whether a task runs on a host under an attempt's token. Only its end makes sure that none does: it takes
    /// no more work, what is known to run there may end, then it goes.
    fn give_up_host(&mut self, cx: &mut Cx, id: HostId) {
        let Some(entry) = self.fleet.get(id) else { return };
        if let HostState::Registered { instance, container_instance, .. } = &entry.host.state {
            let state = HostState::Draining {
                instance: instance.clone(),
                container_instance: Some(container_instance.clone()),
                since: cx.now,
                cause: DrainCause::AgentLost,
            };
            self.move_host(cx, id, state);
            self.replan_by(cx.now);
        }
        self.advance_drain(cx, id);
    }

    /// Whether nothing keeps a host but attempts that never got a task's name and are to end.
    pub(crate) fn is_done(&self, host: HostId, now: Timestamp) -> bool {
        self.live_on(host).into_iter().all(|id| {
            let Some(job) = self.jobs.get(&id) else { return false };
            let overdue = self.start_timeout(&job.spec);
            job.state.live_attempt().is_some_and(|attempt| {
                let is_overdue = overdue <= now.duration_since(attempt.placed_at);
                attempt.task.is_none() && attempt.stop.is_some() && is_overdue
            })
        })
    }

    /// A task that says it is ours but is not its job's live attempt must not run on.
    pub(crate) fn stop_stray(&mut self, cx: &mut Cx, job: JobId, report: &TaskReport) {
        let whole = job.whole();
        let is_ours = self.jobs.contains_key(&whole) || self.ended.contains_key(&whole);
        let may_run = matches!(report.status, TaskStatus::Pending | TaskStatus::Running);
        let token = report.started_by.as_deref();
        let attempt = token.and_then(spillway_core::ClientToken::parse_attempt);
        if let (true, true, Some((_, attempt))) = (is_ours, may_run, attempt) {
            let (task, reason) = (report.arn.clone(), StopCause::Stray.reason());
            cx.effects.push(Effect::StopTask { job, attempt, task, reason });
        }
    }
}

/// Whether an attempt stopped for this is tried again at no charge.
const fn is_free(cause: &StopCause) -> bool {
    match cause {
        StopCause::StuckStarting
        | StopCause::SpotInterruption
        | StopCause::Stray
        | StopCause::NodeLost { .. } => true,
        StopCause::Terminated { .. }
        | StopCause::Timeout
        | StopCause::JobTimeout
        | StopCause::MainEnded => false,
    }
}
