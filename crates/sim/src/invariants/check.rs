//! The checks, one for each kind of change and effect.

use spillway_core::effect::{DeadLetter, LaunchRequest, Receipt, TaskRequest};
use spillway_core::host::{DrainCause, HostStatus};
use spillway_core::id::HostId;
use spillway_core::job::StopCause;
use spillway_core::message::{self, Request};
use spillway_core::task::TaskStatus;
use spillway_core::{
    Attempt, Change, Effect, FailureCategory, Host, HostState, InstanceId, Job, JobId, JobState,
    Launch, LaunchState, Resources,
};
use spillway_engine::limits;

use super::{Invariants, Live, Moment, Open};
use crate::cloud::SimCloud;
use crate::ledger::MemoryLedger;

impl Invariants {
    /// Returns whether the change asks for another host.
    pub(super) fn check_change(
        &mut self,
        moment: Moment,
        change: &Change,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) -> bool {
        match change {
            Change::AddJob(job) => {
                self.follow_job(moment, job, &job.state, ledger, cloud);
                false
            }
            Change::MoveJob { id, state, ended } => {
                let Some(job) = ledger.get_job(*id) else { return false };
                if let Some(ended) = ended {
                    self.check_ended(moment, job, ended, cloud);
                }
                if let JobState::Failed { .. } = state {
                    self.check_failed(moment, job, ended.as_deref());
                }
                self.follow_job(moment, job, state, ledger, cloud);
                false
            }
            Change::PutHost(host) => self.follow_host(host),
            Change::PutLaunch(launch) => {
                self.follow_launch(launch);
                false
            }
            Change::Learn { .. } | Change::Cool { .. } | Change::Counters { .. } => false,
        }
    }

    /// Keeps count of what is on each host, and checks what comes onto one.
    fn follow_job(
        &mut self,
        moment: Moment,
        job: &Job,
        state: &JobState,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        if state.status().is_terminal() {
            self.open_jobs.remove(&job.id);
        } else {
            self.open_jobs.insert(job.id);
        }
        let before = self.live.remove(&job.id);
        if let Some(before) = before
            && let Some(on_host) = self.on_host.get_mut(&before.host)
        {
            on_host.remove(&job.id);
        }
        let Some(attempt) = state.live_attempt() else { return };
        let cause = attempt.stop.as_ref().map(|stop| &stop.cause);
        let live = Live {
            ord: attempt.ord,
            host: attempt.host,
            need: job.spec.resources,
            is_terminated: matches!(cause, Some(StopCause::Terminated { .. })),
        };
        self.live.insert(job.id, live);
        self.on_host.entry(attempt.host).or_default().insert(job.id);
        let is_new = before.is_none_or(|b| b.ord != attempt.ord);
        if is_new {
            self.check_placed(moment, job, attempt.host, ledger, cloud);
        }
    }

    fn check_placed(
        &mut self,
        moment: Moment,
        job: &Job,
        host_id: HostId,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        let id = job.id;
        let Some(host) = ledger.get_host(host_id) else {
            return self.violate(
                "I8",
                moment,
                format!("job {id} is placed on unknown host {host_id}"),
            );
        };
        if host.status() != HostStatus::Registered {
            let status = host.status();
            self.violate(
                "I8",
                moment,
                format!("job {id} is placed on host {host_id}, which is {status}"),
            );
        }
        let spec = &job.spec;
        let arch_allowed = spec.arch.is_none_or(|arch| arch == host.arch);
        if !arch_allowed || !spec.market.allows(host.pool.market) {
            self.violate(
                "I6",
                moment,
                format!("job {id} is placed on {} of {}", host.arch, host.pool),
            );
        }
        let registered = host
            .instance()
            .and_then(|instance| cloud.ecs().host_of(&instance.id))
            .map_or(host.capacity, |h| h.registered);
        let on_host = self.on_host.get(&host_id);
        let needs =
            on_host.into_iter().flatten().filter_map(|job| self.live.get(job)).map(|l| l.need);
        let sum = needs.fold(Some(Resources::ZERO), |sum, need| sum?.checked_add(&need));
        if !sum.is_some_and(|sum| sum.fits(&registered)) {
            let text = format!("with job {id} host {host_id} holds {sum:?} of {registered}");
            self.violate("I5", moment, text);
        }
    }

    /// What the ledger says of an attempt's end must be what happened.
    fn check_ended(&mut self, moment: Moment, job: &Job, ended: &Attempt, cloud: &SimCloud) {
        let id = job.id;
        let task = ended.task.as_ref().and_then(|arn| cloud.ecs().task(arn));
        let stopped = task.filter(|t| t.status == TaskStatus::Stopped);
        let end = stopped.and_then(|t| t.end.as_ref());
        if ended.failure.is_none() {
            let really = end.is_some_and(|e| e.is_natural() && e.exit_code == Some(0));
            if !really {
                let text = format!(
                    "attempt {} of job {id} is a success, but its task: {end:?}",
                    ended.ord
                );
                self.violate("T1", moment, text);
            }
        }
        let by_itself = matches!(ended.failure, Some(FailureCategory::Exit | FailureCategory::Oom));
        if by_itself && end.is_none_or(|e| e.exit_code != ended.exit_code) {
            let text = format!(
                "attempt {} of job {id} ended with {:?}, but its task: {end:?}",
                ended.ord, ended.exit_code
            );
            self.violate("T1", moment, text);
        }
    }

    fn check_failed(&mut self, moment: Moment, job: &Job, ended: Option<&Attempt>) {
        let Some(failure) = ended.and_then(|e| e.failure) else { return };
        let id = job.id;
        if self.live.get(&id).is_some_and(|live| live.is_terminated) {
            return;
        }
        let n_counted = job.n_counted_attempts();
        let n_infrastructure = job.n_infrastructure_failures();
        let is_early = match failure {
            FailureCategory::Exit | FailureCategory::Oom => {
                n_counted < usize::from(job.spec.attempts)
            }
            FailureCategory::Spot | FailureCategory::Host | FailureCategory::Unknown => {
                n_infrastructure < limits::INFRASTRUCTURE_FAILURES_MAX
            }
            FailureCategory::Pull => {
                let is_pull = |a: &&Attempt| a.failure == Some(FailureCategory::Pull);
                job.attempts.iter().filter(is_pull).count() < limits::PULL_FAILURES_MAX
                    && n_infrastructure < limits::INFRASTRUCTURE_FAILURES_MAX
            }
            FailureCategory::Timeout | FailureCategory::Terminated | FailureCategory::Invalid => {
                false
            }
        };
        if is_early {
            let text = format!(
                "job {id} failed by {failure} after {n_counted} of {} attempts and {n_infrastructure} failures of the infrastructure",
                job.spec.attempts
            );
            self.violate("I10", moment, text);
        }
    }

    fn follow_host(&mut self, host: &Host) -> bool {
        let before = self.open_hosts.remove(&host.id);
        if let Some(before) = before {
            self.cpu -= before.cpu;
            self.price -= before.price;
        }
        if host.status() != HostStatus::Gone {
            let open = Open { cpu: host.capacity.cpu.get().into(), price: host.price.get() };
            self.cpu += open.cpu;
            self.price += open.price;
            self.open_hosts.insert(host.id, open);
        }
        before.is_none() && host.status() == HostStatus::Requested
    }

    fn follow_launch(&mut self, launch: &Launch) {
        match launch.state {
            LaunchState::Open { .. } => self.open_launches.insert(launch.id),
            LaunchState::Settled { .. } => self.open_launches.remove(&launch.id),
        };
    }

    pub(super) fn check_limits(&mut self, moment: Moment) {
        let limits = &self.config.limits;
        let n_hosts = u64::try_from(self.open_hosts.len()).unwrap_or(u64::MAX);
        let broken: Vec<String> = [
            ("hosts", n_hosts, limits.hosts_max.map(u64::from)),
            ("CPU units", self.cpu, limits.cpu_max.map(|cpu| cpu.get().into())),
            ("micro-dollars per hour", self.price, limits.price_max.map(|price| price.get())),
        ]
        .into_iter()
        .filter_map(|(what, n, max)| {
            let max = max.filter(|max| *max < n)?;
            Some(format!("{n} {what} are asked for, and {max} are allowed"))
        })
        .collect();
        for text in broken {
            self.violate("I7", moment, text);
        }
    }

    pub(super) fn check_effect(
        &mut self,
        moment: Moment,
        effect: &Effect,
        ledger: &MemoryLedger,
        cloud: &SimCloud,
    ) {
        match effect {
            Effect::Launch(request) => self.check_launch(moment, request),
            Effect::Terminate { hosts } => {
                for (host, instance) in hosts {
                    self.check_terminate(moment, *host, instance, ledger, cloud);
                }
            }
            Effect::RunTask(request) => self.check_run_task(moment, request, ledger, cloud),
            Effect::DeleteMessages { receipts } => {
                for receipt in receipts {
                    self.check_delete(moment, receipt, ledger, cloud);
                }
            }
            Effect::DeadLetter(letter) => self.check_dead_letter(moment, letter, ledger, cloud),
            Effect::Observe { .. } => self.check_recorded(moment, ledger, cloud),
            Effect::Drain { .. }
            | Effect::Deregister { .. }
            | Effect::StopTask { .. }
            | Effect::RefreshCatalog
            | Effect::DeleteEvents { .. } => {}
        }
    }

    fn check_launch(&mut self, moment: Moment, request: &LaunchRequest) {
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
        let by_ledger = self.on_host.get(&host_id).into_iter().flatten().next();
        let in_cloud =
            cloud.ecs().host_of(instance).into_iter().flat_map(|h| &h.tasks).find(|arn| {
                let task = cloud.ecs().task(arn);
                task.is_some_and(|t| {
                    self.live.get(&t.job).is_some_and(|live| live.ord == t.attempt)
                })
            });
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
                format!("host {host_id} is ended as {cause} with {task} on it"),
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
        let (id, ord) = (request.job, request.attempt);
        let is_intended = self.live.get(&id).is_some_and(|live| live.ord == ord);
        if !is_intended {
            self.violate(
                "W1",
                moment,
                format!("attempt {ord} of job {id} is started, but is not live"),
            );
        }
        let attempts = ledger.get_job(id).map(|job| job.attempts.as_slice()).unwrap_or_default();
        let mut others = cloud.ecs().live_tasks(id).filter(|task| task.attempt != ord).peekable();
        if others.peek().is_some() {
            self.n_doubled_tasks += 1;
        }
        let undeclared: Vec<String> = others
            .filter(|task| !attempts.iter().any(|a| a.ord == task.attempt))
            .map(|task| format!("attempt {ord} of job {id} is started while {} is alive", task.arn))
            .collect();
        for text in undeclared {
            self.violate("I2", moment, text);
        }
        if let Some(instance) = cloud.ec2().get(&request.instance) {
            let spec = &request.spec;
            let arch_allowed = spec.arch.is_none_or(|arch| arch == instance.arch);
            if !arch_allowed || !spec.market.allows(instance.pool.market) {
                let text = format!("job {id} is started on {} of {}", instance.arch, instance.pool);
                self.violate("I6", moment, text);
            }
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
            Err(rejection) => Some(format!("was never a job: {rejection}")),
            Ok(parsed) => match parsed.request {
                Request::Submit { spec, client_token } => {
                    let token = client_token.as_deref().unwrap_or(&message.id);
                    let id = JobId::derive(&spec.queue, token);
                    let is_durable = ledger.get_job(id).is_some();
                    (!is_durable).then(|| format!("job {id} is not durable"))
                }
                Request::Cancel { job, .. } => still_waits(ledger.get_job(job)),
                Request::Terminate { job, .. } => {
                    let known = ledger.get_job(job);
                    still_waits(known).or_else(|| still_runs(known))
                }
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
                is_for_us && letter.code != "TOKEN_REUSED"
            }
            Request::Cancel { job, .. } | Request::Terminate { job, .. } => {
                ledger.get_job(job).is_some()
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
        let young =
            |i: &crate::ec2::SimInstance| moment.now.duration_since(i.launched_at) < patience;
        let old: Vec<InstanceId> =
            cloud.ec2().alive().filter(|i| !young(i)).map(|i| i.id.clone()).collect();
        if old.is_empty() {
            return;
        }
        let open = self.open_hosts.keys().filter_map(|id| ledger.get_host(*id));
        let known: std::collections::BTreeSet<&InstanceId> =
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

/// Why an order to end a job has not been carried out: the job could still be placed.
fn still_waits(job: Option<&Job>) -> Option<String> {
    let job = job?;
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
fn still_runs(job: Option<&Job>) -> Option<String> {
    let job = job?;
    let attempt = job.state.live_attempt()?;
    attempt.stop.is_none().then(|| format!("attempt {} of job {} goes on", attempt.ord, job.id))
}
