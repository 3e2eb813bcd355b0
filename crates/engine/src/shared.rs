//! Tasks that several children of an array share. One child leads: its attempt's token is the task's, its place on the host is the
//! task's, and what ECS says of the task is said to it. The others ride along: they start and end with it, each with an attempt of
//! its own. Who leads, and who rides along, is written down before the call, so that a call that is sent again starts the same
//! children.
//!
//! A task that ended well needs no look; of any other the runner's report says how each child ended. What the report names is never
//! run again. What it does not name has lost its task, through no fault of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use jiff::SignedDuration;
use spillway_core::coalesce::{
    ChildEnd, CoalesceRule, Report, RunnerPlan, SharedChild, SharedEnd, SharedPart, SharedTask,
    report_key,
};
use spillway_core::effect::CallResult;
use spillway_core::job::StopCause;
use spillway_core::{
    AttemptOrd, ClientToken, CloudError, Effect, FailureCategory, HostId, Job, JobId, JobState,
};

use crate::breakers::{Gate, READ_REPORT};
use crate::engine::{Cx, Engine};
use crate::lifecycle::End;
use crate::limits;
use crate::placement::Start;
use crate::retry::backoff;
use crate::timer::Timer;

/// A task, what has been read of its report, and how often that was tried.
#[derive(Debug, Default)]
struct Task {
    children: BTreeSet<JobId>,
    report: Report,
    n_reads: u32,
    /// How often it could not be, for a reason that may pass.
    n_unread: u32,
    /// A read has been sent and not been answered.
    is_reading: bool,
    /// Why the last read failed.
    error: Option<String>,
}

/// All of them, by the child that leads.
#[derive(Debug, Default)]
pub(crate) struct SharedTasks(BTreeMap<JobId, Task>);

impl SharedTasks {
    /// A child is in a task.
    pub(crate) fn join(&mut self, leader: JobId, child: JobId) {
        self.0.entry(leader).or_default().children.insert(child);
    }

    /// The children of a task, in the order of their indexes.
    fn children(&self, leader: JobId) -> impl Iterator<Item = JobId> {
        self.0.get(&leader).into_iter().flat_map(|task| task.children.iter().copied())
    }
}

/// The runner ends with this if each child did, and with the other if one ended otherwise.
const ALL_WELL: i32 = 0;
const NOT_ALL_WELL: i32 = 1;

/// A process that the kernel killed, for its memory or by order.
const KILLED: i32 = 137;

/// How long the attempt of a job may run: of a shared task, all of it.
pub(crate) fn attempt_limit(job: &Job) -> Option<SignedDuration> {
    let limit = job.spec.attempt_timeout?;
    let Some((shared, rule)) = job.shared().zip(job.spec.coalesce) else { return Some(limit) };
    let stop = job.spec.time_limits.stop.unwrap_or(limits::STOP_TIMEOUT_DEFAULT);
    Some(rule.time(limit.saturating_add(stop), shared.n).saturating_add(limits::SHARED_TASK_GRACE))
}

impl Engine {
    /// Gives children to a host as one task. False if they may not be.
    pub(crate) fn start_together(
        &mut self,
        cx: &mut Cx,
        children: &[JobId],
        rule: CoalesceRule,
        host: HostId,
    ) -> bool {
        let (Some(first), Some(entry)) = (children.first(), self.fleet.get(host)) else {
            return false;
        };
        let Some(record) = self.jobs.get(first).or_else(|| self.jobs.get(&first.whole())) else {
            return false;
        };
        let n = u32::try_from(children.len()).ok().and_then(NonZeroU32::new);
        let need = n.and_then(|n| rule.need(&record.need(), n));
        let (Some(n), Some(need)) = (n, need) else { return false };
        let fits = need.fits(&entry.free());
        debug_assert!(fits, "the planner put {need} where only {} is free", entry.free());
        if !self.is_let_start(cx, &record.spec) {
            return false;
        }
        let lane = crate::lane::Lane::of(&record.spec);
        // The planner knows nothing of the caps on hosts and dollars of queues and shares.
        if !fits || !self.in_use.has_room_for(&self.config, &self.held_on(&lane, &need, host)) {
            return false;
        }
        let children: BTreeSet<JobId> = children.iter().copied().collect();
        let Some(leader) = children.first().copied() else { return false };
        let leader_attempt =
            self.jobs.get(&leader).map_or(AttemptOrd::FIRST, |job| job.next_attempt());
        for child in &children {
            self.shared_tasks.join(leader, *child);
        }
        // The leader last: with its attempt the task is started, and then all of them must be there.
        for child in children.iter().rev() {
            let shared = SharedTask { leader, leader_attempt, n, ended: None };
            let start = Start { shared: Some(Box::new(shared)), ..Start::default() };
            if self.jobs.contains_key(child) {
                self.leave_line(*child);
                self.begin_attempt(cx, *child, host, start);
            } else if self.begin_child(*child) {
                self.begin_new_attempt(cx, *child, host, start);
            }
        }
        true
    }

    /// What the runner of a task is told; none for a job that has its task for itself.
    pub(crate) fn runner_plan(&self, job: &Job, token: &ClientToken) -> Option<RunnerPlan> {
        job.shared()?;
        let (rule, array) = (job.spec.coalesce?, job.spec.array?);
        let child = |id: JobId| {
            let job = self.jobs.get(&id)?;
            let counted = u32::try_from(job.n_counted_attempts()).unwrap_or(u32::MAX);
            Some(SharedChild {
                index: id.index()?,
                attempt: job.state.live_attempt()?.ord,
                counted: counted.saturating_add(1),
            })
        };
        Some(RunnerPlan {
            key: report_key(token),
            array: job.id.whole(),
            size: array.indexes.size,
            parallel: rule.parallel,
            timeout: job.spec.attempt_timeout,
            stop: job.spec.time_limits.stop.unwrap_or(limits::STOP_TIMEOUT_DEFAULT),
            children: self.shared_tasks.children(job.id).filter_map(child).collect(),
        })
    }

    /// The task that a child leads has been seen running: so do all that ride along.
    pub(crate) fn riders_run(&mut self, cx: &mut Cx, leader: JobId) {
        let Some(JobState::Running { attempt, started_at }) =
            self.jobs.get(&leader).map(|job| job.state.clone())
        else {
            return;
        };
        for child in self.riders_of(leader) {
            let state = self.jobs.get(&child).map(|job| job.state.clone());
            let Some(JobState::Starting { attempt: mut own }) = state else { continue };
            own.task.clone_from(&attempt.task);
            self.move_job(cx, child, JobState::Running { attempt: own, started_at }, None);
        }
    }

    fn riders_of(&self, leader: JobId) -> Vec<JobId> {
        self.shared_tasks.children(leader).filter(|child| *child != leader).collect()
    }

    /// A shared task is over. What became of its children is known at once where all ended well or none can have run; else its
    /// report is to be read.
    pub(crate) fn shared_task_ended(
        &mut self,
        cx: &mut Cx,
        leader: JobId,
        ord: AttemptOrd,
        end: End,
    ) {
        let Some((_, live)) = self.live(leader, ord) else { return };
        let Some(shared) = live.shared.as_deref() else { return };
        if shared.ended.is_some() {
            // It is being read already.
            return;
        }
        let is_well = end.failure.is_none() && end.exit_code == Some(ALL_WELL);
        let can_have_run = live.task.is_some() && !end.never_ran;
        let End { started_at, stopped_at, exit_code, reason, container_reason, failure, .. } = end;
        let ended =
            SharedEnd { started_at, stopped_at, exit_code, reason, container_reason, failure };
        if is_well || !can_have_run {
            return self.settle_children(cx, leader, ord, &ended);
        }
        // Written down, so that it is read after a restart too, whatever ECS remembers by then.
        self.update_attempt(cx, leader, |attempt| {
            if let Some(shared) = &mut attempt.shared {
                shared.ended = Some(Box::new(ended));
            }
        });
        self.read_later(cx, leader, ord);
    }

    /// A shared task that ECS did not know for a while is there after all: it has not ended.
    pub(crate) fn found_alive(&mut self, cx: &mut Cx, leader: JobId, ord: AttemptOrd) {
        let ended =
            self.live(leader, ord).and_then(|(_, live)| live.shared.as_ref()?.ended.as_ref());
        let was_lost = ended.is_some_and(|ended| ended.failure == Some(FailureCategory::Unknown));
        if !was_lost {
            return;
        }
        self.update_attempt(cx, leader, |attempt| {
            if let Some(shared) = &mut attempt.shared {
                shared.ended = None;
            }
        });
        if let Some(task) = self.shared_tasks.0.get_mut(&leader) {
            (task.n_reads, task.n_unread) = (0, 0);
        }
    }

    /// The log comes a few seconds late.
    fn read_later(&mut self, cx: &mut Cx, leader: JobId, ord: AttemptOrd) {
        let n_reads =
            self.shared_tasks.0.get(&leader).map_or(0, |task| task.n_reads.max(task.n_unread));
        let pause = backoff(usize::try_from(n_reads).unwrap_or(0).saturating_add(1));
        self.timers.set(cx.now + pause, Timer::Report(leader, ord));
    }

    pub(crate) fn read_report(&mut self, cx: &mut Cx, leader: JobId, ord: AttemptOrd) {
        let Some((job, live)) = self.live(leader, ord) else { return };
        let (Some(task), Some(shared)) = (live.task.clone(), &live.shared) else { return };
        if shared.ended.is_none() {
            return;
        }
        let spec = std::sync::Arc::clone(&job.spec);
        if self.shared_tasks.0.get(&leader).is_none_or(|reading| reading.is_reading) {
            return;
        }
        if let Gate::Later(at) = self.gate(cx, READ_REPORT) {
            self.timers.set(at, Timer::Report(leader, ord));
            return;
        }
        if let Some(reading) = self.shared_tasks.0.get_mut(&leader) {
            reading.is_reading = true;
            cx.effects.push(Effect::ReadReport { job: leader, attempt: ord, task, spec });
        }
    }

    /// What the log says so far. A report that names every child is the last word; another may be so after a few reads.
    pub(crate) fn take_report(
        &mut self,
        cx: &mut Cx,
        leader: JobId,
        ord: AttemptOrd,
        result: &CallResult<Vec<String>>,
    ) {
        let Some((_, live)) = self.live(leader, ord) else { return };
        let ended = live.shared.as_ref().and_then(|shared| shared.ended.as_deref()).cloned();
        let (Some(ended), Some(task)) = (ended, self.shared_tasks.0.get_mut(&leader)) else {
            return;
        };
        task.is_reading = false;
        let is_awaited = cx.now.duration_since(ended.stopped_at) < limits::REPORT_DENIED_MAX;
        match result {
            // Somebody is told, and everything that rests on it waits.
            Err(CloudError::Denied { .. }) if is_awaited => {}
            // What could not be asked says nothing: only what was read counts, for as long as that may change.
            Err(error) if error.is_retryable() && task.n_unread < limits::REPORT_UNREAD_MAX => {
                task.n_unread = task.n_unread.saturating_add(1);
            }
            Ok(_) | Err(_) => task.n_reads = task.n_reads.saturating_add(1),
        }
        match result {
            Ok(lines) => {
                let key = report_key(&ClientToken::of_attempt(leader, ord));
                task.report.add(&key, lines.iter().map(String::as_str));
                task.error = None;
            }
            Err(error) => task.error = Some(error.to_string()),
        }
        self.note_answer(cx, READ_REPORT, result.as_ref().err());
        let Some(task) = self.shared_tasks.0.get(&leader) else { return };
        let is_last = limits::REPORT_READS_MAX <= task.n_reads;
        let is_named = |child: &JobId| {
            let attempt = self.jobs.get(child).and_then(|job| job.state.live_attempt());
            let key = child.index().zip(attempt.map(|attempt| attempt.ord));
            key.is_some_and(|key| task.report.ended.contains_key(&key))
        };
        if is_last || task.children.iter().all(is_named) {
            self.settle_children(cx, leader, ord, &ended);
        } else {
            self.read_later(cx, leader, ord);
        }
    }

    /// Ends the attempt of every child of a task, the leader's last: it has the place.
    fn settle_children(&mut self, cx: &mut Cx, leader: JobId, ord: AttemptOrd, ended: &SharedEnd) {
        let Some(task) = self.shared_tasks.0.remove(&leader) else { return };
        let Some((_, live)) = self.live(leader, ord) else { return };
        let arn = live.task.clone();
        let n = u32::try_from(task.children.len()).unwrap_or(u32::MAX);
        for (at, child) in (0..n).zip(task.children.iter().copied()).rev() {
            let Some(job) = self.jobs.get(&child) else { continue };
            let Some(live) = job.state.live_attempt() else { continue };
            let own = live.stop.as_ref().map(|stop| &stop.cause);
            let end = task.end_of(job, live.ord, own, ended);
            let child_ord = live.ord;
            if live.task != arn {
                // It was never seen running, and yet may have.
                let arn = arn.clone();
                self.update_attempt(cx, child, |attempt| attempt.task = arn);
            }
            self.end_one_attempt(cx, child, child_ord, End { place_in_task: at, ..end });
        }
    }
}

impl Task {
    /// How a child's attempt ended: as the report says, else as a task ends that is lost.
    fn end_of(
        &self,
        job: &Job,
        ord: AttemptOrd,
        own_stop: Option<&StopCause>,
        task: &SharedEnd,
    ) -> End {
        let n = NonZeroU32::new(u32::try_from(self.children.len()).unwrap_or(u32::MAX))
            .unwrap_or(NonZeroU32::MIN);
        let key = job.id.index().map(|index| (index, ord));
        let said = key.and_then(|key| self.report.ended.get(&key));
        let has_started = key.is_some_and(|key| self.report.started.contains(&key));
        let SharedEnd { started_at, stopped_at, .. } = *task;
        let silent = |reason: String, failure: FailureCategory| {
            let end = End::silent(started_at, stopped_at, reason, failure);
            End { shared: Some(SharedPart { n, ran: None }), ..end }
        };
        let is_oom = |reason: &str| reason.contains("OutOfMemory");
        let out_of_memory = [task.container_reason.as_deref(), Some(task.reason.as_str())]
            .into_iter()
            .flatten()
            .find(|reason| is_oom(reason));
        if let Some(ChildEnd { exit_code, ran, timed_out }) = said.copied() {
            let oom = out_of_memory.filter(|_| exit_code == KILLED && !timed_out);
            let (failure, reason) = match (exit_code, timed_out) {
                (ALL_WELL, _) => (None, EXITED.to_owned()),
                (_, true) => (Some(FailureCategory::Timeout), StopCause::Timeout.reason()),
                (_, false) if oom.is_some() => (Some(FailureCategory::Oom), EXITED.to_owned()),
                (_, false) => (Some(FailureCategory::Exit), EXITED.to_owned()),
            };
            return End {
                exit_code: Some(exit_code),
                container_reason: oom.map(str::to_owned),
                failure,
                shared: Some(SharedPart { n, ran: Some(ran) }),
                ..silent(reason, FailureCategory::Unknown)
            };
        }
        let is_well = task.failure.is_none() && task.exit_code == Some(ALL_WELL);
        if is_well {
            let end = silent(task.reason.clone(), FailureCategory::Unknown);
            return End { exit_code: Some(ALL_WELL), failure: None, ..end };
        }
        match own_stop {
            Some(cause @ StopCause::Terminated { .. }) => {
                return silent(cause.reason(), FailureCategory::Terminated);
            }
            Some(cause @ StopCause::JobTimeout) => {
                return silent(cause.reason(), FailureCategory::Timeout);
            }
            Some(
                StopCause::Timeout
                | StopCause::StuckStarting
                | StopCause::SpotInterruption
                | StopCause::Stray
                | StopCause::NodeLost { .. }
                | StopCause::MainEnded
                | StopCause::TaskShared,
            )
            | None => {}
        }
        let by_runner = matches!(task.exit_code, Some(ALL_WELL | NOT_ALL_WELL));
        match task.failure {
            // The whole container was killed for what ran in it.
            Some(FailureCategory::Oom) if has_started && !by_runner => End {
                container_reason: out_of_memory.map(str::to_owned),
                ..silent(task.reason.clone(), FailureCategory::Oom)
            },
            // Its runner did not stop it.
            Some(FailureCategory::Timeout) if has_started => {
                silent(StopCause::Timeout.reason(), FailureCategory::Timeout)
            }
            Some(
                failure @ (FailureCategory::Spot
                | FailureCategory::Host
                | FailureCategory::Pull
                | FailureCategory::Held
                | FailureCategory::Invalid),
            ) => End {
                container_reason: task.container_reason.clone(),
                ..silent(task.reason.clone(), failure)
            },
            Some(
                FailureCategory::Oom
                | FailureCategory::Timeout
                | FailureCategory::Exit
                | FailureCategory::Terminated
                | FailureCategory::Unknown,
            )
            | None => silent(self.not_named(task), FailureCategory::Unknown),
        }
    }

    fn not_named(&self, task: &SharedEnd) -> String {
        let code = task.exit_code.map(|code| format!(", exit code {code}")).unwrap_or_default();
        let of_task = format!("its shared task ended ({}{code})", task.reason);
        match &self.error {
            Some(error) => format!("{of_task}, and its report could not be read: {error}"),
            None if self.n_reads == 0 => of_task,
            None => format!("{of_task}, and its report does not tell of it"),
        }
    }
}

/// ECS's words for a container that exited by itself, which a child did.
const EXITED: &str = "Essential container in task exited";
