//! Follows tasks: starts an attempt, applies what ECS says of it, and ends it exactly once.

use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::coalesce::SharedPart;
use spillway_core::effect::{CallResult, Refusal, TaskRequest, TaskStart};
use spillway_core::job::{Attempt, FailureCategory, LiveAttempt, StopCause};
use spillway_core::task::{TaskReport, TaskStatus};
use spillway_core::task_spec::ContainerEnd;
use spillway_core::{AttemptOrd, ClientToken, CloudError, Effect, HostId, Job, JobId, JobState};

use crate::calls::{Call, Calls};
use crate::engine::{Cx, Engine};
use crate::environment::spec_to_run;
use crate::limits;
use crate::retry::{
    Verdict, backoff, classify, decided, says_host_ended, status_reason_of, verdict,
};
use crate::shared::attempt_limit;
use crate::timer::Timer;

/// How an attempt ended.
pub(crate) struct End {
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) stopped_at: Timestamp,
    pub(crate) exit_code: Option<i32>,
    pub(crate) reason: String,
    pub(crate) container_reason: Option<String>,
    /// How each container ended, of several.
    pub(crate) containers: Box<[ContainerEnd]>,
    pub(crate) failure: Option<FailureCategory>,
    /// ECS says that it never ran.
    pub(crate) never_ran: bool,
    /// Its part in a task that it shared.
    pub(crate) shared: Option<SharedPart>,
    /// Its place among those that shared the task.
    pub(crate) place_in_task: u32,
}

impl End {
    /// Of an attempt whose container said nothing.
    pub(crate) fn silent(
        started_at: Option<Timestamp>,
        stopped_at: Timestamp,
        reason: String,
        failure: FailureCategory,
    ) -> Self {
        Self {
            started_at,
            stopped_at,
            exit_code: None,
            reason,
            container_reason: None,
            containers: Box::default(),
            failure: Some(failure),
            never_ran: false,
            shared: None,
            place_in_task: 0,
        }
    }
}

impl Engine {
    /// The live attempt of a job, if it is this one.
    pub(crate) fn live(&self, job: JobId, ord: AttemptOrd) -> Option<(&Job, &LiveAttempt)> {
        let job = self.jobs.get(&job)?;
        let attempt = job.state.live_attempt().filter(|attempt| attempt.ord == ord)?;
        Some((job, attempt))
    }

    /// Changes a job's live attempt in place.
    pub(crate) fn update_attempt(
        &mut self,
        cx: &mut Cx,
        job: JobId,
        change: impl FnOnce(&mut LiveAttempt),
    ) {
        let Some(state) = self.jobs.get(&job).map(|job| job.state.clone()) else { return };
        let state = match state {
            JobState::Starting { mut attempt } => {
                change(&mut attempt);
                JobState::Starting { attempt }
            }
            JobState::Running { mut attempt, started_at } => {
                change(&mut attempt);
                JobState::Running { attempt, started_at }
            }
            JobState::Submitted
            | JobState::Pending
            | JobState::Runnable { .. }
            | JobState::Succeeded { .. }
            | JobState::Failed { .. } => return,
        };
        self.move_job(cx, job, state, None);
    }

    /// Sends RunTask for an attempt that is written down, or sends it again with the token it had.
    pub(crate) fn send_start(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) {
        let Some((_, attempt)) = self.live(id, ord) else { return };
        let instance = self.fleet.get(attempt.host).and_then(|e| e.host.instance()).cloned();
        let (None, Some(instance)) = (&attempt.task, instance) else { return };
        if attempt.awaits_main {
            return;
        }
        let (placed_at, instance) = (attempt.placed_at, instance.id);
        if self.call_off_if_spent(cx, id, ord) {
            return;
        }
        let is_let = self.let_send_start(cx, id, ord);
        let Some((job, _)) = self.live(id, ord).filter(|_| is_let) else { return };
        if limits::START_TOKEN_LIFE <= cx.now.duration_since(placed_at) {
            // Events say what became of it; if none does, the start's time-out settles it.
            return;
        }
        let Some(environment) = self.environment(job, ord) else {
            // A node without its main one's address, after a restart: the first look shows it.
            self.timers.set(cx.now + limits::CALL_RETRY, Timer::Start(id, ord));
            return;
        };
        let token = ClientToken::of_attempt(id, ord);
        let request = TaskRequest {
            job: id,
            attempt: ord,
            runner: self.runner_plan(job, &token).map(Box::new),
            token,
            instance,
            spec: spec_to_run(job),
            environment,
        };
        if self.starting.insert((id, ord)) {
            cx.effects.push(Effect::RunTask(request));
        }
    }

    pub(crate) fn take_start(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        ord: AttemptOrd,
        result: CallResult<TaskStart>,
    ) {
        self.starting.remove(&(id, ord));
        self.note_start(cx, id, result.as_ref().err());
        if !matches!(result, Err(CloudError::Denied { .. } | CloudError::Throttled { .. })) {
            self.unsent.remove(&(id, ord));
        }
        if self.live(id, ord).is_none() {
            // The attempt is over, but a task may have been made for it: it must not run on.
            if let Ok(TaskStart::Started(report)) = result {
                self.take_task(cx, &report);
            }
            return;
        }
        match result {
            Ok(TaskStart::Started(report)) => {
                self.n_call_failed.remove(&id);
                let host = self.live(id, ord).map(|(_, attempt)| attempt.host);
                if let Some(entry) = host.and_then(|host| self.fleet.get_mut(host)) {
                    entry.n_refused = 0;
                }
                self.take_task(cx, &report);
            }
            Ok(TaskStart::Refused(refusal)) => self.start_refused(cx, id, ord, &refusal),
            Err(CloudError::Invalid { action, detail }) => {
                let reason = format!("{action} refused the job: {detail}");
                self.end_attempt_unstarted(cx, id, ord, reason, FailureCategory::Invalid);
            }
            Err(error @ CloudError::Denied { .. }) if self.unsent.contains(&(id, ord)) => {
                // Nothing was started, and its host need not wait for a right to be given.
                let why = error.to_string();
                self.end_attempt_unstarted(cx, id, ord, why, FailureCategory::Held);
            }
            Err(error) if Calls::paces(&error) => self.calls.ask(Call::Start(id, ord)),
            Err(error) => {
                let n_failed = self.n_call_failed.entry(id).or_default();
                *n_failed += 1;
                let pause =
                    if error.is_retryable() { backoff(*n_failed) } else { limits::CALL_RETRY_MAX };
                self.timers.set(cx.now + pause, Timer::Start(id, ord));
            }
        }
    }

    /// ECS would not start it there. Its view of a host's room lags behind what has just ended there, so the host is left
    /// alone for a moment, longer each time; after a few times in a row the job goes elsewhere.
    fn start_refused(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd, refusal: &Refusal) {
        let Some(host) = self.live(id, ord).map(|(_, attempt)| attempt.host) else { return };
        let reason = match refusal {
            Refusal::NoRoom { dimension: Some(dimension) } => format!("RESOURCE:{dimension}"),
            Refusal::NoRoom { dimension: None } => "RESOURCE".to_owned(),
            Refusal::AgentAway => "AGENT".to_owned(),
            Refusal::HostGone => "INACTIVE".to_owned(),
            Refusal::Unfit => "ATTRIBUTE".to_owned(),
            Refusal::Other { reason } => reason.clone(),
        };
        if let Some(entry) = self.fleet.get_mut(host) {
            entry.n_refused = entry.n_refused.saturating_add(1);
            let n_refused = usize::try_from(entry.n_refused).unwrap_or(usize::MAX);
            let until = cx.now + backoff(n_refused);
            entry.refused_until = Some(until);
            self.replan_later(until);
        }
        let reason = format!("ECS refused the task: {reason}");
        self.end_attempt_unstarted(cx, id, ord, reason, FailureCategory::Host);
        self.observe_soon(cx);
    }

    pub(crate) fn end_attempt_unstarted(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        ord: AttemptOrd,
        reason: String,
        failure: FailureCategory,
    ) {
        self.end_attempt(cx, id, ord, End::silent(None, cx.now, reason, failure));
    }

    /// Applies one state of one task. News that is older than what was applied changes nothing.
    pub(crate) fn take_task(&mut self, cx: &mut Cx, report: &TaskReport) {
        let token = report.started_by.as_deref().and_then(ClientToken::parse_attempt);
        let Some((id, ord)) = token else { return };
        let Some((_, attempt)) = self.live(id, ord) else {
            self.stop_stray(id, report);
            return;
        };
        if attempt.task.as_ref().is_some_and(|known| *known != report.arn) {
            // A second task under the attempt's token: ECS had forgotten the token. Only the first may run.
            self.stop_stray(id, report);
            return;
        }
        if report.version < attempt.task_version {
            return;
        }
        let is_news =
            attempt.task.as_ref() != Some(&report.arn) || attempt.task_version < report.version;
        if is_news {
            let (arn, version) = (report.arn.clone(), report.version);
            self.update_attempt(cx, id, |attempt| {
                attempt.task = Some(arn);
                attempt.task_version = version;
            });
        }
        if report.status != TaskStatus::Stopped {
            self.found_alive(cx, id, ord);
        }
        match report.status {
            TaskStatus::Pending | TaskStatus::Stopping => {}
            TaskStatus::Running => self.task_runs(cx, id, ord, report.started_at),
            TaskStatus::Stopped => {
                self.task_stopped(cx, id, ord, report);
                return;
            }
        }
        let wants_stop = self.live(id, ord).is_some_and(|(_, attempt)| attempt.stop.is_some());
        if wants_stop && is_news {
            self.send_stop(cx, id, ord);
        }
    }

    fn task_runs(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd, started: Option<Timestamp>) {
        let Some(job) = self.jobs.get(&id) else { return };
        let JobState::Starting { attempt } = &job.state else { return };
        let started_at = started.unwrap_or(cx.now);
        if let Some(timeout) = attempt_limit(job) {
            self.timers.set(started_at + timeout, Timer::AttemptTimeout(id, ord));
        }
        let due = attempt.placed_at + self.start_timeout(&job.spec);
        self.timers.forget(due, Timer::StartTimeout(id, ord));
        let state = JobState::Running { attempt: attempt.clone(), started_at };
        self.note_pulled(cx, id);
        // Counted anew: it runs since another second than it was placed.
        self.leave_place(id);
        self.move_job(cx, id, state, None);
        self.take_place(id);
        self.release_nodes(cx, id);
        self.riders_run(cx, id);
    }

    fn task_stopped(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd, report: &TaskReport) {
        self.note_stopped(cx, id, report);
        let Some((job, attempt)) = self.live(id, ord) else { return };
        let seen_start = job.state.running_since();
        let report = &decided(report, &job.spec);
        let host = self.fleet.get(attempt.host).map(|entry| &entry.host);
        let is_spot = host.is_some_and(|h| h.pool.market == spillway_core::Market::Spot);
        let cause = attempt.stop.as_ref().map(|stop| &stop.cause);
        let failure = classify(report, cause, is_spot);
        let reason = match (failure, cause) {
            (Some(_), Some(cause @ StopCause::NodeLost { .. }))
            | (
                Some(
                    FailureCategory::Terminated | FailureCategory::Timeout | FailureCategory::Spot,
                ),
                Some(cause),
            ) => cause.reason(),
            _ => status_reason_of(report),
        };
        let end = End {
            started_at: report.started_at.or(seen_start),
            stopped_at: report.stopped_at.unwrap_or(cx.now),
            exit_code: report.exit_code,
            reason,
            container_reason: report.container_reason.clone().filter(|r| !r.is_empty()),
            containers: report.containers.clone().into(),
            failure,
            never_ran: report.started_at.is_none() && seen_start.is_none(),
            shared: None,
            place_in_task: 0,
        };
        if says_host_ended(report) {
            // ECS knows before EC2's own news has come: nothing more is planned for it.
            let host = attempt.host;
            if let Some(entry) = self.fleet.get_mut(host) {
                entry.n_refused = limits::REFUSALS_MAX;
            }
            self.observe_soon(cx);
        }
        self.end_attempt(cx, id, ord, end);
    }

    /// The host is gone, and with it whatever ran there.
    pub(crate) fn lose_attempt(&mut self, cx: &mut Cx, id: JobId, host: HostId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(attempt) = job.state.live_attempt().filter(|a| a.host == host) else { return };
        let Some(entry) = self.fleet.get(host) else { return };
        let instance = entry.host.instance().map_or("unknown", |i| i.id.as_str());
        let reason = format!("Host EC2 (instance {instance}) terminated.");
        let is_spot = entry.host.pool.market == spillway_core::Market::Spot;
        let stopped_by_us = attempt.stop.as_ref().map(|stop| &stop.cause);
        let failure = match stopped_by_us {
            Some(StopCause::Terminated { .. } | StopCause::MainEnded) => {
                FailureCategory::Terminated
            }
            Some(StopCause::Timeout | StopCause::JobTimeout) => FailureCategory::Timeout,
            Some(StopCause::NodeLost { failure, .. }) => *failure,
            Some(
                StopCause::StuckStarting
                | StopCause::SpotInterruption
                | StopCause::Stray
                | StopCause::TaskShared,
            )
            | None => {
                if is_spot {
                    FailureCategory::Spot
                } else {
                    FailureCategory::Host
                }
            }
        };
        let started_at = job.state.running_since();
        let stopped_at = entry.ended_at.unwrap_or(cx.now);
        let ord = attempt.ord;
        self.end_attempt(cx, id, ord, End::silent(started_at, stopped_at, reason, failure));
    }

    /// ECS has forgotten a task that we never saw stop: how it ended is not known.
    pub(crate) fn task_missing(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd) {
        let started_at = self.live(id, ord).and_then(|(job, _)| job.state.running_since());
        let reason = "ECS no longer knows the task; how it ended is not known".to_owned();
        let end = End::silent(started_at, cx.now, reason, FailureCategory::Unknown);
        self.end_attempt(cx, id, ord, end);
    }

    /// Ends a live attempt, and with one that leads a shared task those of all that are in it.
    fn end_attempt(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd, end: End) {
        match self.live(id, ord) {
            Some((job, _)) if job.shared().is_some() => self.shared_task_ended(cx, id, ord, end),
            Some(_) => self.end_one_attempt(cx, id, ord, end),
            None => {}
        }
    }

    /// Ends a live attempt: frees its place, carries its cost, and decides what becomes of the job.
    pub(crate) fn end_one_attempt(&mut self, cx: &mut Cx, id: JobId, ord: AttemptOrd, end: End) {
        let Some((job, live)) = self.live(id, ord) else { return };
        let (spec, kind) = (Arc::clone(&job.spec), self.kind_of(job));
        let cost = self.fleet.get(live.host).map(|entry| {
            let held = end.stopped_at.duration_since(live.placed_at);
            job.cost_of(entry.host.price, held, &entry.host.capacity, end.place_in_task)
        });
        let (live, was_stopped_for) = (live.clone(), live.stop.clone());
        self.stop_at.remove(&(id, ord));
        self.end_as_probe(cx, id, ord);
        self.free_place(cx, id);
        let host = self.fleet.get(live.host).map(|entry| &entry.host);
        let (Some(host), Some(cost)) = (host, cost) else { return };
        let Some(instance) = host.instance() else { return };
        let (stopped_at, place_in_task) = (end.stopped_at, end.place_in_task);
        let attempt = Attempt {
            ord,
            host: live.host,
            instance: instance.id.clone(),
            pool: host.pool.clone(),
            task: live.task,
            variant: live.variant,
            placed_at: live.placed_at,
            started_at: end.started_at,
            stopped_at: end.stopped_at,
            exit_code: end.exit_code,
            reason: end.reason,
            container_reason: end.container_reason,
            containers: end.containers,
            failure: end.failure,
            cost,
            expected: live.expected,
            shared: end.shared.map(Box::new),
        };
        self.book_attempt(cx.now, id, stopped_at, place_in_task);
        self.note_worked_on(cx, attempt.host, attempt.failure);
        // Of one whose shared task was lost nobody knows whether it ran.
        let is_known = attempt.failure.is_none()
            || attempt.shared.as_ref().is_none_or(|shared| shared.ran.is_some());
        if let Some(ran) = attempt.ran(&spec).filter(|_| is_known) {
            // One that fails by itself frees its place as one that succeeds does.
            let by_itself = matches!(
                attempt.failure,
                None | Some(FailureCategory::Exit | FailureCategory::Oom)
            );
            self.memory.ended(cx.now, kind, (&spec, live.variant), ran, by_itself);
        }
        if id.node_index().is_some() {
            self.node_ended(cx, id, attempt);
            self.after_place_freed(cx, live.host);
            return;
        }
        let was_stopped_for = was_stopped_for.map(|stop| stop.cause);
        match verdict(cx.now, self.jobs.get(&id).map(AsRef::as_ref), &attempt, was_stopped_for) {
            Verdict::Succeed => {
                let state = JobState::Succeeded { at: attempt.stopped_at };
                self.move_job(cx, id, state, Some(attempt));
            }
            Verdict::Fail { reason } => {
                let state = JobState::Failed { at: attempt.stopped_at, reason };
                self.move_job(cx, id, state, Some(attempt));
            }
            Verdict::Retry { after } => {
                let state = JobState::Runnable { since: cx.now };
                self.move_job(cx, id, state, Some(attempt));
                self.stop_nodes(cx, id);
                self.timers.set(cx.now + after, Timer::Requeue(id));
            }
        }
        self.after_place_freed(cx, live.host);
    }

    /// Frees the place of a job that starts or runs, as long as its record says so.
    fn free_place(&mut self, cx: &mut Cx, id: JobId) {
        let Some(host) = self.leave_place(id) else { return };
        let Some(entry) = self.fleet.get_mut(host) else { return };
        if entry.live().is_empty() {
            entry.idle_since = Some(cx.now);
            self.timers.set(cx.now + self.config.idle_timeout, Timer::Idle(host));
        }
    }

    fn after_place_freed(&mut self, cx: &mut Cx, host: HostId) {
        let Some(entry) = self.fleet.get(host) else { return };
        // A place for a job that waits, or a host that may be worth nothing any more.
        if !self.nobody_waits() || entry.live().is_empty() {
            // While starts queue for their calls, another plan would only lengthen the queue.
            let calls_at = self.calls.starts_free_at(cx.now, limits::TASK_CALLS_PER_SEC);
            self.replan_by(calls_at.max(cx.now + limits::REPLAN_DELAY));
        }
        let Some(entry) = self.fleet.get(host) else { return };
        if entry.live().is_empty() && entry.ended_at.is_some() {
            self.bury(cx, host);
        } else {
            self.advance_drain(cx, host);
        }
    }
}
