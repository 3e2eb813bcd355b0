//! The broken dispatchers. Each forges one thing, always or whenever it can.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a forgery is of one kind, whatever others there are"
)]

use std::collections::BTreeMap;

use spillway_core::effect::Receipt;
use spillway_core::host::DrainCause;
use spillway_core::id::HostId;
use spillway_core::task::{CloudEvent, InstanceStatus, TaskReport, TaskStatus};
use spillway_core::{
    Answer, Change, ClientToken, Effect, FailureCategory, Host, HostState, Input, JobState,
    LaunchState, LedgerState, MicroUsd,
};
use spillway_engine::Step;
use spillway_sim::run::tamper::Tamper;

/// Forges what the dispatcher wants written and done.
struct OnStep<F>(F);

impl<F: FnMut(&mut Step)> Tamper for OnStep<F> {
    fn step(&mut self, step: &mut Step) {
        self.0(step);
    }
}

/// Forges what it is told.
struct OnInput<F>(F);

impl<F: FnMut(&mut Input)> Tamper for OnInput<F> {
    fn input(&mut self, input: &mut Input) {
        self.0(input);
    }
}

/// Forges what it starts from when it starts again.
struct OnRestart<F>(F);

impl<F: FnMut(&mut LedgerState)> Tamper for OnRestart<F> {
    fn state(&mut self, state: &mut LedgerState, is_restart: bool) {
        if is_restart {
            self.0(state);
        }
    }
}

/// Does some things before they are written.
struct Early(fn(&Effect) -> bool);

impl Tamper for Early {
    fn acts_before_commit(&self, effect: &Effect) -> bool {
        self.0(effect)
    }
}

fn on_step(forge: impl FnMut(&mut Step) + 'static) -> Box<dyn Tamper> {
    Box::new(OnStep(forge))
}

/// Leaves out changes.
fn without_changes(is_left_out: fn(&Change) -> bool) -> Box<dyn Tamper> {
    on_step(move |step| step.changes.retain(|change| !is_left_out(change)))
}

/// Changes what a change says of a job's state and the attempt that ended with it.
fn on_moves(
    mut forge: impl FnMut(&mut JobState, Option<FailureCategory>) + 'static,
) -> Box<dyn Tamper> {
    on_step(move |step| {
        for change in &mut step.changes {
            if let Change::MoveJob { state, ended, .. } = change {
                forge(state, ended.as_ref().and_then(|ended| ended.failure));
            }
        }
    })
}

/// Changes every report of a task.
fn on_tasks(forge: fn(&mut TaskReport)) -> Box<dyn Tamper> {
    Box::new(OnInput(move |input: &mut Input| match input {
        Input::Events(deliveries) => {
            for delivery in deliveries {
                if let Some(CloudEvent::Task { report }) = &mut delivery.event {
                    forge(report);
                }
            }
        }
        Input::Answered(Answer::Observe { snapshot, .. }) => {
            snapshot.tasks.iter_mut().flatten().for_each(forge);
        }
        Input::Answered(_) | Input::Received(_) | Input::Tick => {}
    }))
}

pub(super) fn a_message_is_deleted_before_its_job_is_durable() -> Box<dyn Tamper> {
    Box::new(Early(|effect| matches!(effect, Effect::DeleteMessages { .. })))
}

pub(super) fn an_event_is_acknowledged_before_it_is_written_down() -> Box<dyn Tamper> {
    Box::new(Early(|effect| matches!(effect, Effect::DeleteEvents { .. })))
}

pub(super) fn a_launch_is_sent_without_its_intent() -> Box<dyn Tamper> {
    without_changes(|change| match change {
        Change::PutLaunch(launch) => matches!(launch.state, LaunchState::Open { .. }),
        _ => false,
    })
}

pub(super) fn a_start_is_sent_without_its_intent() -> Box<dyn Tamper> {
    without_changes(|change| match change {
        Change::MoveJob { state: JobState::Starting { attempt }, .. }
        | Change::AddChild { state: JobState::Starting { attempt }, .. } => attempt.task.is_none(),
        _ => false,
    })
}

pub(super) fn a_termination_is_sent_without_its_intent() -> Box<dyn Tamper> {
    without_changes(|change| match change {
        Change::PutHost(host) => matches!(host.state, HostState::Terminating { .. }),
        _ => false,
    })
}

/// Draws other tokens in each life of the dispatcher. A token with a zero more is of the same attempt, and another token.
struct NewTokens {
    n_lives: usize,
    of_starts: bool,
}

impl Tamper for NewTokens {
    fn state(&mut self, _: &mut LedgerState, _: bool) {
        self.n_lives += 1;
    }

    fn step(&mut self, step: &mut Step) {
        let zeros = "0".repeat(self.n_lives.saturating_sub(1).min(5));
        let again = |token: &ClientToken| -> ClientToken {
            let text = token.to_string();
            let (before, ord) = text.rsplit_once('-').unwrap();
            format!("{before}-{zeros}{ord}").parse().unwrap()
        };
        for effect in &mut step.effects {
            match effect {
                Effect::RunTask(request) if self.of_starts => request.token = again(&request.token),
                Effect::Launch(request) if !self.of_starts => request.token = again(&request.token),
                _ => {}
            }
        }
    }
}

pub(super) fn the_token_of_a_start_is_drawn_anew_after_a_crash() -> Box<dyn Tamper> {
    Box::new(NewTokens { n_lives: 0, of_starts: true })
}

pub(super) fn the_token_of_a_launch_is_drawn_anew_after_a_crash() -> Box<dyn Tamper> {
    Box::new(NewTokens { n_lives: 0, of_starts: false })
}

pub(super) fn a_place_is_freed_when_its_task_is_stopping() -> Box<dyn Tamper> {
    on_tasks(|report| {
        if report.status == TaskStatus::Stopping {
            report.status = TaskStatus::Stopped;
        }
    })
}

/// Writes in each step that the job that ended last has ended otherwise.
pub(super) fn an_end_is_overwritten() -> Box<dyn Tamper> {
    let mut last: Option<Change> = None;
    on_step(move |step| {
        let again = last.take();
        for change in &step.changes {
            if let Change::MoveJob { id, state: JobState::Succeeded { at }, .. } = change {
                let state = JobState::Failed { at: *at, reason: "late".to_owned() };
                last = Some(Change::MoveJob { id: *id, state, ended: None });
            }
        }
        step.changes.extend(again);
    })
}

pub(super) fn a_job_is_started_twice() -> Box<dyn Tamper> {
    on_step(|step| {
        let second = step.effects.iter().find_map(|effect| match effect {
            Effect::RunTask(request) => {
                let mut second = request.clone();
                second.attempt = request.attempt.next();
                second.token = ClientToken::of_attempt(request.job, second.attempt);
                Some(Effect::RunTask(second))
            }
            _ => None,
        });
        step.effects.extend(second);
    })
}

struct NoLease;

impl Tamper for NoLease {
    fn ignores_lease(&self) -> bool {
        true
    }
}

pub(super) fn the_lease_is_ignored() -> Box<dyn Tamper> {
    Box::new(NoLease)
}

fn fails_instead_of_waiting(is_meant: fn(FailureCategory) -> bool) -> Box<dyn Tamper> {
    on_moves(move |state, failure| {
        if let (JobState::Runnable { since }, Some(failure)) = (&*state, failure)
            && is_meant(failure)
        {
            *state = JobState::Failed { at: *since, reason: "enough".to_owned() };
        }
    })
}

pub(super) fn a_failure_of_the_infrastructure_is_charged_to_the_job() -> Box<dyn Tamper> {
    fails_instead_of_waiting(FailureCategory::is_infrastructure)
}

pub(super) fn a_job_is_not_tried_as_often_as_it_may() -> Box<dyn Tamper> {
    fails_instead_of_waiting(|failure| matches!(failure, FailureCategory::Exit))
}

/// Keeps what the ledger holds of hosts, and lets a forgery see it.
fn with_hosts(
    mut forge: impl FnMut(&mut Step, &BTreeMap<HostId, Host>) + 'static,
) -> Box<dyn Tamper> {
    let mut hosts: BTreeMap<HostId, Host> = BTreeMap::new();
    on_step(move |step| {
        for change in &step.changes {
            if let Change::PutHost(host) = change {
                hosts.insert(host.id, host.as_ref().clone());
            }
        }
        forge(step, &hosts);
    })
}

pub(super) fn a_busy_host_is_ended_as_idle() -> Box<dyn Tamper> {
    with_hosts(|step, hosts| {
        let busy = step.changes.iter().find_map(|change| match change {
            Change::MoveJob { state: JobState::Running { attempt, .. }, .. } => {
                hosts.get(&attempt.host)
            }
            _ => None,
        });
        let Some(HostState::Registered { instance, container_instance, at }) =
            busy.map(|host| host.state.clone())
        else {
            return;
        };
        let Some(mut host) = busy.cloned() else { return };
        step.effects.push(Effect::Terminate { hosts: vec![(host.id, instance.id.clone())] });
        host.state = HostState::Terminating {
            instance,
            container_instance: Some(container_instance),
            since: at,
            cause: DrainCause::Idle,
        };
        step.changes.push(Change::PutHost(Box::new(host)));
    })
}

pub(super) fn a_host_that_is_found_is_not_written_down() -> Box<dyn Tamper> {
    without_changes(|change| match change {
        Change::PutHost(host) => host.instance().is_some_and(|i| host.id == HostId::adopted(&i.id)),
        _ => false,
    })
}

pub(super) fn no_host_is_ever_ended() -> Box<dyn Tamper> {
    on_step(|step| step.effects.retain(|effect| !matches!(effect, Effect::Terminate { .. })))
}

pub(super) fn a_job_is_not_written_down() -> Box<dyn Tamper> {
    without_changes(|change| matches!(change, Change::AddJob(job) if job.seq % 3 == 2))
}

pub(super) fn a_launch_asks_for_twice_as_many() -> Box<dyn Tamper> {
    on_step(|step| {
        for effect in &mut step.effects {
            if let Effect::Launch(request) = effect {
                request.count *= 2;
            }
        }
    })
}

/// Gives every job that starts to another host, if there is one that the forgery likes.
fn all_on(is_liked: fn(&Host) -> bool) -> Box<dyn Tamper> {
    with_hosts(move |step, hosts| {
        let Some(host) = hosts.values().find(|host| is_liked(host)).map(|host| host.id) else {
            return;
        };
        for change in &mut step.changes {
            if let Change::MoveJob { state: JobState::Starting { attempt }, .. } = change
                && attempt.task.is_none()
            {
                attempt.host = host;
            }
        }
    })
}

pub(super) fn a_job_is_given_to_a_host_that_drains() -> Box<dyn Tamper> {
    all_on(|host| matches!(host.state, HostState::Draining { .. }))
}

pub(super) fn all_jobs_are_given_to_one_host() -> Box<dyn Tamper> {
    all_on(|host| matches!(host.state, HostState::Registered { .. }))
}

pub(super) fn every_exit_is_a_success() -> Box<dyn Tamper> {
    on_tasks(|report| report.exit_code = report.exit_code.map(|_| 0))
}

pub(super) fn a_list_that_could_not_be_read_is_empty() -> Box<dyn Tamper> {
    Box::new(OnInput(|input: &mut Input| {
        if let Input::Answered(Answer::Observe { snapshot, .. }) = input {
            snapshot.instances.get_or_insert_default();
        }
    }))
}

pub(super) fn an_agent_that_is_away_is_a_host_that_is_gone() -> Box<dyn Tamper> {
    Box::new(OnInput(|input: &mut Input| {
        let Input::Events(deliveries) = input else { return };
        for delivery in deliveries {
            if let Some(CloudEvent::ContainerInstance { report }) = &delivery.event
                && !report.agent_connected
            {
                let (id, status) = (report.instance.clone(), InstanceStatus::Terminated);
                delivery.event = Some(CloudEvent::Instance { id, status });
            }
        }
    }))
}

pub(super) fn the_number_of_launches_is_forgotten_in_a_crash() -> Box<dyn Tamper> {
    Box::new(OnRestart(|state: &mut LedgerState| state.n_launches = 0))
}

pub(super) fn open_launches_are_forgotten_in_a_crash() -> Box<dyn Tamper> {
    Box::new(OnRestart(|state: &mut LedgerState| state.launches.clear()))
}

pub(super) fn live_attempts_are_forgotten_in_a_crash() -> Box<dyn Tamper> {
    Box::new(OnRestart(|state: &mut LedgerState| {
        for job in &mut state.jobs {
            let placed_at = job.state.live_attempt().map(|attempt| attempt.placed_at);
            if let Some(since) = placed_at {
                job.state = JobState::Runnable { since };
            }
        }
    }))
}

pub(super) fn ended_attempts_are_forgotten_in_a_crash() -> Box<dyn Tamper> {
    Box::new(OnRestart(|state: &mut LedgerState| {
        for job in &mut state.jobs {
            job.attempts.clear();
        }
    }))
}

pub(super) fn ended_jobs_are_forgotten_in_a_crash() -> Box<dyn Tamper> {
    Box::new(OnRestart(|state: &mut LedgerState| state.ended.clear()))
}

pub(super) fn hosts_are_forgotten_in_a_crash() -> Box<dyn Tamper> {
    Box::new(OnRestart(|state: &mut LedgerState| state.hosts.clear()))
}

pub(super) fn dependencies_are_forgotten_in_a_crash() -> Box<dyn Tamper> {
    Box::new(OnRestart(|state: &mut LedgerState| {
        for job in &mut state.jobs {
            if matches!(job.state, JobState::Pending) && job.spec.array.is_none() {
                job.state = JobState::Runnable { since: job.created_at };
            }
        }
    }))
}

pub(super) fn spending_is_forgotten_in_a_crash() -> Box<dyn Tamper> {
    Box::new(OnRestart(|state: &mut LedgerState| state.spending.clear()))
}

pub(super) fn spending_is_not_written_down() -> Box<dyn Tamper> {
    without_changes(|change| matches!(change, Change::PutSpending { .. }))
}

pub(super) fn a_bill_is_left_out() -> Box<dyn Tamper> {
    on_step(|step| {
        for change in &mut step.changes {
            if let Change::PutHost(host) = change
                && let HostState::Gone { bill, .. } = &mut host.state
            {
                *bill = MicroUsd::ZERO;
            }
        }
    })
}

pub(super) fn messages_are_never_deleted() -> Box<dyn Tamper> {
    on_step(|step| step.effects.retain(|effect| !matches!(effect, Effect::DeleteMessages { .. })))
}

/// Throws orders to end a job away.
#[derive(Default)]
struct Unread(Vec<Receipt>);

impl Tamper for Unread {
    fn input(&mut self, input: &mut Input) {
        let Input::Received(deliveries) = input else { return };
        let orders = deliveries.extract_if(.., |delivery| delivery.body.contains("TerminateJob"));
        self.0.extend(orders.map(|order| order.receipt));
    }

    fn step(&mut self, step: &mut Step) {
        let receipts = std::mem::take(&mut self.0);
        if !receipts.is_empty() {
            step.effects.push(Effect::DeleteMessages { receipts });
        }
    }
}

pub(super) fn an_order_is_deleted_unread() -> Box<dyn Tamper> {
    Box::<Unread>::default()
}

pub(super) fn a_node_is_not_written_down() -> Box<dyn Tamper> {
    without_changes(|change| match change {
        Change::AddChild { id, .. } => id.node_index().is_some(),
        _ => false,
    })
}

pub(super) fn nodes_are_forgotten_in_a_crash() -> Box<dyn Tamper> {
    Box::new(OnRestart(|state: &mut LedgerState| {
        state.jobs.retain(|job| job.id.node_index().is_none());
    }))
}

/// All nodes are sent together, each told nothing of its main one.
pub(super) fn a_node_is_started_before_its_main_one_runs() -> Box<dyn Tamper> {
    on_step(|step| {
        let mut started = Vec::new();
        for effect in &step.effects {
            if let Effect::RunTask(request) = effect
                && let Some(gang) = &request.spec.gang
                && request.job.node_index().is_none()
            {
                let of_node = |node| {
                    let mut of_node = request.clone();
                    of_node.job = request.job.node(node);
                    of_node.token = ClientToken::of_attempt(of_node.job, of_node.attempt);
                    Effect::RunTask(of_node)
                };
                started.extend(gang.others().map(of_node));
            }
        }
        step.effects.extend(started);
    })
}
