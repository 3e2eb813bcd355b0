//! Stops attempts: because somebody asked, because they took too long, or because nobody answers for them.

use spillway_core::effect::CallResult;
use spillway_core::job::{Stop, StopCause};
use spillway_core::task::{TaskReport, TaskStatus};
use spillway_core::{AttemptOrd, Effect, JobId, JobState};

use crate::engine::{Cx, Engine};
use crate::limits;
use crate::timer::Timer;

impl Engine {
    /// Marks a job's live attempt for its end. The first cause stands.
    pub(crate) fn stop_attempt(&mut self, cx: &mut Cx, id: JobId, cause: StopCause) {
        let Some(attempt) = self.jobs.get(&id).and_then(|job| job.state.live_attempt()) else {
            return;
        };
        if attempt.stop.is_some() {
            return;
        }
        let ord = attempt.ord;
        let since = cx.now;
        self.update_attempt(cx, id, |attempt| attempt.stop = Some(Stop { since, cause }));
        self.send_stop(cx, id, ord);
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
        if matches!(job.state, JobState::Starting { .. }) {
            self.stop_attempt(cx, id, StopCause::StuckStarting);
        }
    }

    /// A task that says it is ours but is not its job's live attempt must not run on.
    pub(crate) fn stop_stray(&mut self, cx: &mut Cx, job: JobId, report: &TaskReport) {
        let is_ours = self.jobs.contains_key(&job) || self.ended.contains_key(&job);
        let may_run = matches!(report.status, TaskStatus::Pending | TaskStatus::Running);
        let token = report.started_by.as_deref();
        let attempt = token.and_then(spillway_core::ClientToken::parse_attempt);
        if let (true, true, Some((_, attempt))) = (is_ours, may_run, attempt) {
            let (task, reason) = (report.arn.clone(), StopCause::Stray.reason());
            cx.effects.push(Effect::StopTask { job, attempt, task, reason });
        }
    }
}
