//! Stops attempts: because somebody asked, because they took too long, or because nobody answers for them.

use jiff::Timestamp;
use spillway_core::effect::CallResult;
use spillway_core::host::DrainCause;
use spillway_core::job::{LiveAttempt, Stop, StopCause};
use spillway_core::task::{TaskReport, TaskStatus};
use spillway_core::{AttemptOrd, Effect, HostId, HostState, Job, JobId, JobState};

use crate::breakers::{Gate, STOP_TASK};
use crate::calls::{Call, Calls};
use crate::engine::{Cx, Engine};
use crate::limits;
use crate::retry::backoff;
use crate::timer::Timer;

impl Engine {
    /// Marks a job's live attempt for its end. The first cause stands, unless it was the infrastructure's and the job itself
    /// is to end now: else somebody's order would be answered with another try.
    pub(crate) fn stop_attempt(&mut self, cx: &mut Cx, id: JobId, cause: StopCause) {
        let Some(attempt) = self.jobs.get(&id).and_then(|job| job.state.live_attempt()) else {
            return;
        };
        let ord = attempt.ord;
        let leader = attempt.shared.as_deref().filter(|task| !task.is_led_by(id)).map(|t| t.leader);
        let since = match &attempt.stop {
            None => cx.now,
            Some(stop) if is_free(&stop.cause) && !is_free(&cause) => stop.since,
            Some(_) => return,
        };
        let is_first = attempt.stop.is_none();
        self.update_attempt(cx, id, |attempt| attempt.stop = Some(Stop { since, cause }));
        if let Some(leader) = leader {
            // There is one task, which ends for all of them.
            return self.stop_attempt(cx, leader, StopCause::TaskShared);
        }
        if is_first {
            self.calls.ask(Call::Stop(id, ord));
        }
    }

    /// Sends StopTask for an attempt that is marked, and asks to be woken to see whether it helped. A task that ECS has
    /// not named yet is stopped when it has been.
    pub(crate) fn send_stop(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) {
        let Some((_, attempt)) = self.live(id, ord) else { return };
        let (Some(task), Some(stop)) = (attempt.task.clone(), &attempt.stop) else { return };
        if attempt.shared.as_ref().is_some_and(|shared| shared.ended.is_some()) {
            return;
        }
        let reason = stop.cause.reason();
        match self.gate(cx, STOP_TASK) {
            Gate::Go => {
                cx.effects.push(Effect::StopTask { job: id, attempt: ord, task, reason });
                self.stop_by(id, ord, cx.now + limits::STOP_REPEAT);
            }
            Gate::Later(at) => self.stop_by(id, ord, at),
        }
    }

    pub(crate) fn take_stop(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        ord: AttemptOrd,
        result: &CallResult<()>,
    ) {
        self.note_answer(cx, STOP_TASK, result.as_ref().err());
        if self.live(id, ord).is_none() {
            return;
        }
        let error = match result {
            Ok(()) => {
                self.n_call_failed.remove(&id);
                return;
            }
            Err(error) => error,
        };
        if Calls::paces(error) {
            return self.stop_by(id, ord, cx.now);
        }
        let n_failed = self.n_call_failed.entry(id).or_default();
        *n_failed = n_failed.saturating_add(1);
        let pause = backoff(*n_failed).min(limits::STOP_REPEAT);
        self.stop_by(id, ord, cx.now + pause);
    }

    /// Asks to be woken to tell an attempt again that it is to end. Only the last time that was asked for counts: else
    /// every answer would leave one more timer behind, and each of those would send a call.
    fn stop_by(&mut self, id: JobId, ord: AttemptOrd, at: Timestamp) {
        self.stop_at.insert((id, ord), at);
        self.timers.set(at, Timer::Stop(id, ord));
    }

    /// An attempt is to be told again. If it should have ended long ago, only its host's end can end it; the host is given up
    /// here and not when the call is sent, which comes after the plan: that would place more jobs on it in the same step.
    pub(crate) fn stop_is_due(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) {
        let deaf = self.live(id, ord).filter(|(job, attempt)| is_deaf(job, attempt, cx.now));
        if let Some(host) = deaf.map(|(_, attempt)| attempt.host) {
            self.give_up_host(cx, host);
        }
        self.calls.ask(Call::Stop(id, ord));
    }

    pub(crate) fn stop_again(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) {
        let is_due = self.stop_at.get(&(id, ord)).is_none_or(|at| *at <= cx.now);
        if is_due {
            self.send_stop(cx, id, ord);
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

    /// Nobody can say whether a task runs on a host under an attempt's token, or one there ends on no signal. Only the host's end
    /// makes sure of it: it takes no more work, what else is known to run there may end, then it goes.
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

    /// Whether nothing keeps a host but attempts that are to end and that only its own end can end: they never got a task's
    /// name, or heard no signal.
    pub(crate) fn is_done(&self, host: HostId, now: Timestamp) -> bool {
        self.live_on(host).into_iter().all(|id| {
            let Some(job) = self.jobs.get(&id) else { return false };
            let overdue = self.start_timeout(&job.spec);
            job.state.live_attempt().is_some_and(|attempt| {
                let is_overdue = overdue <= now.duration_since(attempt.placed_at);
                let is_unnamed = attempt.task.is_none() && attempt.stop.is_some();
                (is_unnamed && is_overdue) || is_deaf(job, attempt, now)
            })
        })
    }

    /// A task that says it is ours but is not its job's live attempt must not run on.
    pub(crate) fn stop_stray(&mut self, job: JobId, report: &TaskReport) {
        let whole = job.whole();
        let is_ours = self.jobs.contains_key(&whole) || self.ended.contains_key(&whole);
        let may_run = matches!(report.status, TaskStatus::Pending | TaskStatus::Running);
        let token = report.started_by.as_deref();
        let attempt = token.and_then(spillway_core::ClientToken::parse_attempt);
        if let (true, true, Some((_, attempt))) = (is_ours, may_run, attempt) {
            let (task, reason) = (report.arn.clone(), StopCause::Stray.reason());
            let stop = Effect::StopTask { job, attempt, task, reason };
            self.calls.ask(Call::End(Box::new(stop)));
        }
    }
}

/// Whether an attempt's task should have ended long ago.
fn is_deaf(job: &Job, attempt: &LiveAttempt, now: Timestamp) -> bool {
    let own = job.spec.time_limits.stop.unwrap_or(limits::STOP_TIMEOUT_DEFAULT);
    let is_over = |stop: &Stop| own + limits::STOP_GIVE_UP <= now.duration_since(stop.since);
    attempt.task.is_some() && attempt.stop.as_ref().is_some_and(is_over)
}

/// Whether an attempt stopped for this is tried again at no charge.
const fn is_free(cause: &StopCause) -> bool {
    match cause {
        StopCause::StuckStarting
        | StopCause::SpotInterruption
        | StopCause::Stray
        | StopCause::TaskShared
        | StopCause::NodeLost { .. } => true,
        StopCause::Terminated { .. }
        | StopCause::Timeout
        | StopCause::JobTimeout
        | StopCause::MainEnded => false,
    }
}
