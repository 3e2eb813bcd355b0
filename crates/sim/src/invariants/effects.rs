//! The checks, one for each kind of effect.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use spillway_core::Pausable;
use spillway_core::coalesce::RunnerPlan;
use spillway_core::effect::{DeadLetter, LaunchRequest, Receipt, TaskRequest};
use spillway_core::host::DrainCause;
use spillway_core::id::HostId;
use spillway_core::message::{self, Request, ScheduleOrder, code};
use spillway_core::task::{CloudEvent, TaskStatus};
use spillway_core::{
    AttemptOrd, ClientToken, DefinitionRecord, Effect, HostState, InstanceId, Job, JobId, JobState,
    JobTarget, LaunchState,
};
use spillway_engine::limits;

use super::{Invariants, Moment};
use crate::cloud::SimCloud;
use crate::ec2::SimInstance;
use crate::ecs::SimTask;
use crate::ledger::MemoryLedger;

impl Invariants {
    pub(super) fn check_effect(
        &mut self,
        moment: Moment,
        effect: &Effect,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        match effect {
            Effect::Launch(request) => self.check_launch(moment, request, ledger),
            Effect::Terminate { hosts } => {
                for (host, instance) in hosts {
                    self.check_terminate(moment, *host, instance, ledger, cloud);
                }
            }
            Effect::RunTask(request) => {
                self.check_run_task(moment, request, ledger, cloud);
                self.check_node_start(moment, request, ledger);
            }
            Effect::DeleteMessages { receipts } => {
                for receipt in receipts {
                    self.check_delete(moment, receipt, ledger, cloud);
                }
            }
            Effect::DeadLetter(letter) => self.check_dead_letter(moment, letter, ledger, cloud),
            Effect::Observe { .. } => {
                self.check_recorded(moment, ledger, cloud);
                self.check_purpose(moment, ledger, cloud);
            }
            Effect::DeleteEvents { receipts } => {
                for receipt in receipts {
                    self.check_event(moment, receipt, ledger, cloud);
                }
            }
            Effect::Drain { .. }
            | Effect::Deregister { .. }
            | Effect::StopTask { .. }
            | Effect::ReadReport { .. }
            | Effect::RefreshCatalog => {}
        }
    }

    fn check_launch(&mut self, moment: Moment, request: &LaunchRequest, ledger: &MemoryLedger) {
        let decided = ledger.get_launch(request.launch);
        let count = decided.map(|launch| u32::try_from(launch.hosts.len()).unwrap_or(u32::MAX));
        if count.is_some_and(|count| count != request.count) {
            let (launch, n) = (request.launch, request.count);
            self.violate("W1", moment, format!("launch {launch} asks for {n}, not {count:?}"));
        }
        if !self.open_launches.contains(&request.launch) {
            self.violate(
                "W1",
                moment,
                format!("launch {} is not open in the ledger", request.launch),
            );
        }
    }

    fn check_terminate(
        &mut self,
        moment: Moment,
        host_id: HostId,
        instance: &InstanceId,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let Some(host) = ledger.get_host(host_id) else {
            return self.violate("W1", moment, format!("unknown host {host_id} is ended"));
        };
        let HostState::Terminating { cause, .. } = &host.state else {
            let status = host.status();
            return self.violate("W1", moment, format!("host {host_id} is ended, but is {status}"));
        };
        let is_forced = match cause {
            DrainCause::SpotInterruption
            | DrainCause::AgentLost
            | DrainCause::External
            | DrainCause::NeverRegistered
            | DrainCause::Requested => true,
            DrainCause::Idle | DrainCause::Stray | DrainCause::NoCapacity | DrainCause::Unfit => {
                false
            }
        };
        if is_forced {
            return;
        }
        let by_ledger = self.on_host.get(&host_id).and_then(BTreeMap::first_key_value);
        let by_ledger = by_ledger.map(|(job, _)| job);
        let in_cloud = cloud
            .ecs()
            .tasks_on(instance)
            .find(|task| self.live.get(&task.job).is_some_and(|live| live.ord == task.attempt));
        if let Some(job) = by_ledger {
            self.violate(
                "I8",
                moment,
                format!("host {host_id} is ended as {cause} with job {job} on it"),
            );
        } else if let Some(task) = in_cloud {
            self.violate(
                "I8",
                moment,
                format!("host {host_id} is ended as {cause} with {} on it", task.arn),
            );
        }
    }

    fn check_run_task(
        &mut self,
        moment: Moment,
        request: &TaskRequest,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        match &request.runner {
            None => self.check_attempt_starts(
                moment,
                request,
                request.job,
                request.attempt,
                ledger,
                cloud,
            ),
            Some(plan) => {
                for child in &plan.children {
                    let id = plan.array.child(child.index);
                    self.check_attempt_starts(moment, request, id, child.attempt, ledger, cloud);
                    if cloud.ecs().is_told(id) {
                        let text =
                            format!("child {id} is started again, and was told to have ended well");
                        self.violate("T2", moment, text);
                    }
                }
                self.check_shared(moment, request, plan);
            }
        }
    }

    /// A task is for all children that the ledger has in it, and for no other.
    fn check_shared(&mut self, moment: Moment, request: &TaskRequest, plan: &RunnerPlan) {
        let array = request.job.whole();
        let led = (request.job, request.attempt);
        let in_task: BTreeSet<JobId> = self
            .live
            .range(array.child(0)..=array.child(u32::MAX))
            .filter(|(_, live)| live.led_by == Some(led))
            .map(|(id, _)| *id)
            .collect();
        let told: BTreeSet<JobId> =
            plan.children.iter().map(|child| array.child(child.index)).collect();
        if in_task != told {
            let text =
                format!("task {} is for {told:?}, and in the ledger {in_task:?}", request.token);
            self.violate("W1", moment, text);
        }
    }

    fn check_attempt_starts(
        &mut self,
        moment: Moment,
        request: &TaskRequest,
        id: JobId,
        ord: AttemptOrd,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let is_intended = self.live.get(&id).is_some_and(|live| live.ord == ord);
        if !is_intended {
            self.violate(
                "W1",
                moment,
                format!("attempt {ord} of job {id} is started, but is not live"),
            );
        }
        let known = ledger.get_job(id);
        let attempts = known.as_ref().map(|job| job.attempts.as_slice()).unwrap_or_default();
        let is_other = |task: &&SimTask| !task.is_of(id, ord, cloud.ecs().shared_log(&task.arn));
        let mut others = cloud.ecs().live_tasks(id).filter(is_other).peekable();
        if others.peek().is_some() {
            self.n_doubled_tasks += 1;
        }
        let undeclared: Vec<String> = others
            .filter(|task| {
                let log = cloud.ecs().shared_log(&task.arn);
                !attempts.iter().any(|a| task.is_of(id, a.ord, log))
            })
            .map(|task| format!("attempt {ord} of job {id} is started while {} is alive", task.arn))
            .collect();
        for text in undeclared {
            self.violate("I2", moment, text);
        }
        if let Some(job) = known.as_ref().filter(|_| is_intended) {
            self.check_variant(moment, request, job);
        }
        if let Some(instance) = cloud.ec2().get(&request.instance) {
            let spec = &request.spec;
            if !spec.allows(instance.traits()) {
                let text = format!("job {id} is started on {} of {}", instance.arch, instance.pool);
                self.violate("I6", moment, text);
            }
        }
    }

    /// What is started is exactly the alternative that was written down, with what that needs and no more.
    fn check_variant(&mut self, moment: Moment, request: &TaskRequest, job: &Job) {
        let (id, variant) = (job.id, job.variant());
        let asked = job.spec.as_variant(variant);
        let (started, need) = (&request.spec, job.task_need().0);
        let (same, other) = (&asked.container, &started.container);
        let is_same =
            same == other && (started.arch, started.gpu_kinds) == (asked.arch, asked.gpu_kinds);
        if !is_same || started.resources != need || started.variants.is_some() {
            let text = format!(
                "job {id} is started with {} on {:?} as {}, and its variant {variant} is {need} on {:?} as {}",
                started.resources, started.arch, other.image, asked.arch, same.image
            );
            self.violate("V1", moment, text);
        }
        let told = request.environment.get("SPILLWAY_VARIANT");
        let is_told = told.map(String::as_str) == Some(variant.to_string().as_str());
        if job.spec.variants.is_some() != told.is_some() || (told.is_some() && !is_told) {
            let text = format!("job {id} is told that it is variant {told:?}, not {variant}");
            self.violate("V1", moment, text);
        }
    }

    /// An event is deleted only when the ledger knows that the task it is about has stopped.
    fn check_event(
        &mut self,
        moment: Moment,
        receipt: &Receipt,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let Some(message) = cloud.event_queue().get(receipt) else { return };
        let Some(CloudEvent::Task { report }) = &message.body else { return };
        let token = report.started_by.as_deref().and_then(ClientToken::parse_attempt);
        let (TaskStatus::Stopped, Some((id, ord))) = (report.status, token) else { return };
        let live = ledger.get_unpacked(id).and_then(|job| job.state.live_attempt());
        let is_unheard = live.is_some_and(|attempt| {
            let is_noted = attempt.shared.as_ref().is_some_and(|shared| shared.ended.is_some());
            attempt.ord == ord
                && !is_noted
                && attempt.task.as_ref().is_none_or(|task| *task == report.arn)
        });
        if is_unheard {
            let text = format!("the end of {} is deleted and not written down", report.arn);
            self.violate("E1", moment, text);
        }
    }

    fn check_delete(
        &mut self,
        moment: Moment,
        receipt: &Receipt,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let Some(message) = cloud.job_queue().get(receipt) else { return };
        let problem = match message::parse(&message.body) {
            // It names a definition, which may be gone by now; its job is known all the same.
            Err(rejection) if rejection.code == code::UNKNOWN_DEFINITION => {
                let job = message::identity(&message.body).map(|(queue, token, _)| {
                    JobId::derive(&queue, token.as_deref().unwrap_or(&message.id))
                });
                let is_durable = job.is_some_and(|id| ledger.get_job(id).is_some());
                (!is_durable).then(|| "its job is not durable".to_owned())
            }
            Err(rejection) => Some(format!("was never a job: {rejection}")),
            Ok(parsed) => match parsed.request {
                Request::Submit { spec, client_token } => {
                    let token = client_token.as_deref().unwrap_or(&message.id);
                    let id = JobId::derive(&spec.queue, token);
                    let is_durable = ledger.get_job(id).is_some();
                    (!is_durable).then(|| format!("job {id} is not durable"))
                }
                Request::Register { name, client_token, .. } => {
                    let token = client_token.as_deref().unwrap_or(&message.id);
                    let is_durable =
                        ledger.all_definitions().any(|d| d.name == name && d.token == token);
                    (!is_durable).then(|| format!("job definition {name} is not durable"))
                }
                Request::Deregister { name, revision } => {
                    let is_it = |d: &&DefinitionRecord| d.name == name && d.revision == revision;
                    let found = ledger.all_definitions().find(is_it);
                    let is_gone = found.is_some_and(|d| d.deregistered_at.is_some());
                    (!is_gone).then(|| format!("job definition {name}:{revision} is active"))
                }
                Request::Schedule(request) => {
                    let token = request.client_token.as_deref().unwrap_or(&message.id);
                    let record = ledger.get_schedule(&request.name);
                    let is_durable = record.is_some_and(|record| record.knows(token));
                    (!is_durable).then(|| format!("schedule {} is not durable", request.name))
                }
                Request::Pause { target, .. } => {
                    let is_durable = ledger.all_gates().contains_key(&target);
                    (!is_durable).then(|| format!("the order about {target} is not durable"))
                }
                // One that is open may have opened since, and what was approved may be over.
                Request::ResetBreaker { .. } | Request::ApproveBurst { .. } => None,
                Request::Cancel { target, .. } => {
                    meant_by(target, ledger).find_map(|job| still_waits(&job))
                }
                Request::Terminate { target, .. } => meant_by(target, ledger)
                    .find_map(|job| still_waits(&job).or_else(|| still_runs(&job))),
            },
        };
        if let Some(problem) = problem {
            let text = format!("message {} is deleted, but {problem}", message.id);
            self.violate("I3", moment, text);
        }
    }

    /// A dead letter is the message as it came, and one that nothing else can be done with.
    fn check_dead_letter(
        &mut self,
        moment: Moment,
        letter: &DeadLetter,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let Some(message) = cloud.job_queue().get(&letter.receipt) else { return };
        if message.body != letter.body {
            let text = format!("message {} is a dead letter with another body", message.id);
            self.violate("I3", moment, text);
        }
        let Ok(parsed) = message::parse(&message.body) else { return };
        let is_wrong = match parsed.request {
            Request::Submit { spec, .. } => {
                let is_for_us = self.config.queues.contains(&spec.queue);
                let by_others = ["TOKEN_REUSED", "UNKNOWN_JOB", "DEPENDENCY_CYCLE"];
                is_for_us && !by_others.contains(&letter.code.as_str())
            }
            Request::Cancel { target, .. } | Request::Terminate { target, .. } => {
                meant_by(target, ledger).next().is_some()
            }
            Request::Register { .. } | Request::ResetBreaker { .. } => true,
            Request::ApproveBurst { hash } => {
                ledger.the_burst().held.is_some_and(|held| held.hash() == hash)
            }
            Request::Schedule(request) => match request.order {
                ScheduleOrder::Create { queue, .. } => self.config.queues.contains(&queue),
                ScheduleOrder::Delete | ScheduleOrder::Pause | ScheduleOrder::Resume => {
                    let record = ledger.get_schedule(&request.name);
                    record.is_some_and(|record| record.deleted_at.is_none())
                }
            },
            Request::Pause { target: Pausable::Queue(queue), .. } => {
                self.config.queues.contains(&queue)
            }
            Request::Pause { target: Pausable::Pool(name), .. } => {
                self.config.pools.iter().any(|pool| pool.name == name)
            }
            Request::Deregister { name, revision } => {
                ledger.all_definitions().any(|d| d.name == name && d.revision == revision)
            }
        };
        if is_wrong {
            let text = format!("message {} is a dead letter for {}", message.id, letter.code);
            self.violate("I3", moment, text);
        }
    }

    /// A look at the fleet is the occasion to ask whether the ledger knows all that is paid.
    fn check_recorded(&mut self, moment: Moment, ledger: &MemoryLedger, cloud: &SimCloud) {
        let patience = limits::CONSISTENCY_GRACE
            + self.config.observe_every.saturating_mul(3)
            + cloud.config().list_lag.max;
        // While a launch is open the ledger knows of its hosts, though not yet by EC2's names.
        let must_be_known = |i: &&SimInstance| {
            // Until its launch is settled the ledger waits for it to be named.
            let settled_at = ledger.get_launch(i.launch).and_then(|launch| match launch.state {
                LaunchState::Settled { at, .. } => Some(at),
                LaunchState::Open { .. } => None,
            });
            let settled_at = settled_at.max(self.given_up.get(&i.id).copied());
            let since = settled_at.map_or(i.launched_at, |at| at.max(i.launched_at));
            let age = moment.now.duration_since(since);
            let unseen = self.blind_within(since, moment.now)
                + cloud.left_out_within(&i.id, since, moment.now);
            patience <= age - unseen && !self.open_launches.contains(&i.launch)
        };
        let old: Vec<InstanceId> =
            cloud.ec2().alive().filter(must_be_known).map(|i| i.id.clone()).collect();
        if old.is_empty() {
            return;
        }
        let open = self.open_hosts.keys().filter_map(|id| ledger.get_host(*id));
        let known: BTreeSet<&InstanceId> =
            open.filter_map(|h| h.instance()).map(|i| &i.id).collect();
        let unknown: Vec<String> = old
            .iter()
            .filter(|id| !known.contains(id))
            .map(|id| format!("instance {id} is paid and not in the ledger"))
            .collect();
        for text in unknown {
            self.violate("I4", moment, text);
        }
    }
}

/// The jobs that an order is for: of an array its children.
fn meant_by(target: JobTarget, ledger: &MemoryLedger) -> impl Iterator<Item = Cow<'_, Job>> {
    let whole = ledger.get_job(target.job);
    let of_array = whole.as_ref().filter(|job| job.id.index().is_none());
    let array = of_array.and_then(|job| job.spec.array).map(|array| array.indexes);
    let asked = move |index: &u32| target.indexes.is_none_or(|only| only.ord_of(*index).is_some());
    let indexes =
        array.into_iter().flat_map(|all| (0..all.size).filter_map(move |n| all.index_of(n)));
    let children = indexes.filter(asked).filter_map(move |n| ledger.get_job(target.job.child(n)));
    whole.filter(|_| array.is_none() && target.indexes.is_none()).into_iter().chain(children)
}

/// Why an order to end a job has not been carried out: the job could still be placed.
fn still_waits(job: &Job) -> Option<String> {
    match &job.state {
        JobState::Submitted | JobState::Pending | JobState::Runnable { .. } => {
            Some(format!("job {} still waits as {}", job.id, job.state.status()))
        }
        JobState::Starting { .. }
        | JobState::Running { .. }
        | JobState::Succeeded { .. }
        | JobState::Failed { .. } => None,
    }
}

/// Why an order to end a job wherever it is has not been carried out: its attempt goes on.
fn still_runs(job: &Job) -> Option<String> {
    let attempt = job.state.live_attempt()?;
    attempt.stop.is_none().then(|| format!("attempt {} of job {} goes on", attempt.ord, job.id))
}
