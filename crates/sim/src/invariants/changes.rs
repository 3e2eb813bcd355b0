//! The checks, one for each kind of change.

use std::collections::BTreeMap;

use spillway_core::dependency::{Outcome, Verdict};
use spillway_core::host::HostStatus;
use spillway_core::id::HostId;
use spillway_core::job::{LiveAttempt, StopCause};
use spillway_core::task::TaskStatus;
use spillway_core::{
    Attempt, Burst, Change, DependencyKind, FailureCategory, Host, HostState, Job, JobId, JobState,
    Launch, LaunchState, MicroUsd, MicroUsdPerHour, Quota, Resources, cost,
};
use spillway_engine::limits;

use super::{Invariants, Live, Moment, Open};
use crate::cloud::SimCloud;
use crate::ec2::SimInstance;
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
            Change::AddChild { id, state } => {
                let Some(job) = ledger.get_job(*id) else { return false };
                self.follow_job(moment, &job, state, ledger, cloud);
                self.check_concurrency(moment, &job);
                false
            }
            Change::MoveJob { id, state, ended } => {
                let Some(job) = ledger.get_job(*id) else { return false };
                let job = job.as_ref();
                if job.spec.array.is_some() && id.index().is_none() {
                    self.check_array(moment, *id, state);
                }
                if let Some(ended) = ended {
                    self.carry(job, ended, ledger);
                    self.check_ended(moment, job, ended, cloud);
                }
                if let JobState::Failed { .. } = state {
                    self.check_failed(moment, job, ended.as_deref());
                }
                self.follow_job(moment, job, state, ledger, cloud);
                false
            }
            Change::PutHost(host) => {
                self.check_bill(moment, host, cloud);
                self.check_gone(moment, host, cloud);
                self.follow_host(moment, host, cloud)
            }
            Change::PutLaunch(launch) => {
                self.check_bought(moment, launch, ledger);
                self.follow_launch(launch);
                false
            }
            Change::EndChildren { .. }
            | Change::Learn { .. }
            | Change::Cool { .. }
            | Change::PutKind { .. }
            | Change::PutSpot { .. }
            | Change::PutBoots(_)
            | Change::PutDefinition(_)
            | Change::PutSchedule(_)
            | Change::PutGate { .. }
            | Change::PutBreaker { .. }
            | Change::PutBurst(_)
            | Change::PutShare { .. }
            | Change::Heard(_)
            | Change::PutSpending { .. }
            | Change::Counters { .. } => false,
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
        let attempt = state.live_attempt();
        if let (Some(known), Some(attempt)) = (self.live.get(&job.id), attempt)
            && known.is(attempt)
        {
            // Only what is known of its task has changed.
            return;
        }
        if state.status().is_terminal() {
            self.open_jobs.remove(&job.id);
            self.last_end = Some(moment.now);
        } else {
            self.open_jobs.insert(job.id);
        }
        let before = self.live.remove(&job.id);
        if let Some(before) = before
            && let Some(on_host) = self.on_host.get_mut(&before.host)
        {
            on_host.remove(&job.id);
            let instance = ledger.get_host(before.host).and_then(|host| host.instance());
            if let Some(instance) = instance.filter(|_| job.id.node_index().is_some()) {
                self.held_until.insert(instance.id.clone(), moment.now);
            }
        }
        let Some(attempt) = attempt else { return };
        let live = Live {
            ord: attempt.ord,
            host: attempt.host,
            need: job.held(),
            is_terminated: is_terminated(attempt),
            led_by: attempt.shared.as_ref().map(|shared| (shared.leader, shared.leader_attempt)),
        };
        self.live.insert(job.id, live);
        self.on_host.entry(attempt.host).or_default().insert(job.id, live.need);
        let is_new = before.is_none_or(|b| b.ord != attempt.ord);
        if is_new {
            self.check_placed(moment, job, attempt.host, ledger, cloud);
            self.check_budgets(moment, job, attempt.placed_at, ledger);
            self.check_dependencies(moment, job, ledger);
        }
    }

    /// An array has ended only when none of its children is open.
    fn check_array(&mut self, moment: Moment, id: JobId, state: &JobState) {
        let children = id.child(0)..=id.child(u32::MAX);
        let open = self.open_jobs.range(children).next().copied();
        if let (true, Some(child)) = (state.status().is_terminal(), open) {
            self.violate("A1", moment, format!("array {id} has ended, but not its child {child}"));
        }
    }

    /// No more children of an array are on hosts than it allows.
    fn check_concurrency(&mut self, moment: Moment, child: &Job) {
        let array = child.id.whole();
        let Some(max) = child.spec.array.and_then(|array| array.max_concurrency) else { return };
        let live = self.live.range(array.child(0)..=array.child(u32::MAX)).count();
        if u32::try_from(live).unwrap_or(u32::MAX) > max.get() {
            let text = format!("{live} children of array {array} are on hosts, and {max} may be");
            self.violate("A1", moment, text);
        }
    }

    /// A job is given to a host only after all that it waits for has ended as it must.
    fn check_dependencies(&mut self, moment: Moment, job: &Job, ledger: &MemoryLedger) {
        for dependency in &job.spec.depends_on {
            let target = match (dependency.kind, job.id.index()) {
                (DependencyKind::NToN, Some(index)) => dependency.job.child(index),
                _ => dependency.job,
            };
            let outcome = ledger.get_job(target).map_or(Outcome::Unknown, |job| match job.state {
                JobState::Succeeded { .. } => Outcome::Succeeded,
                JobState::Failed { .. } => Outcome::Failed,
                JobState::Submitted
                | JobState::Pending
                | JobState::Runnable { .. }
                | JobState::Starting { .. }
                | JobState::Running { .. } => Outcome::Open,
            });
            if dependency.kind.judge(outcome) != Verdict::Met {
                let text = format!("job {} runs, and waits for {target}: {outcome:?}", job.id);
                self.violate("D1", moment, text);
            }
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
        if spec.variant_ords().all(|ord| ord != job.variant()) {
            let text =
                format!("job {id} is placed as variant {}, which it does not list", job.variant());
            self.violate("V1", moment, text);
        }
        if !spec.allows_variant(job.variant(), host.traits()) {
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
        let needs = self.on_host.get(&host_id).into_iter().flat_map(BTreeMap::values);
        let sum = needs.copied().try_fold(Resources::ZERO, |sum, need| sum.checked_add(&need));
        if !sum.is_some_and(|sum| sum.fits(&registered)) {
            let text = format!("with job {id} host {host_id} holds {sum:?} of {registered}");
            self.violate("I5", moment, text);
        }
    }

    /// What the ledger says of an attempt's end must be what happened.
    fn check_ended(&mut self, moment: Moment, job: &Job, ended: &Attempt, cloud: &SimCloud) {
        let id = job.id;
        let task = ended.task.as_ref().and_then(|arn| cloud.ecs().task(arn));
        let goes_on = task.filter(|task| task.status != TaskStatus::Stopped);
        let is_up = cloud.ec2().get(&ended.instance).is_some_and(SimInstance::is_alive);
        if let Some(task) = goes_on.filter(|_| is_up)
            && !self.seems_gone(moment.now, &ended.instance, cloud)
            && !self.seems_new(moment.now, task.created_at)
        {
            let text = format!("attempt {} of job {id} has ended, but not its task", ended.ord);
            self.violate("T1", moment, text);
        }
        let exit = ended.task.as_ref().and_then(|arn| match &ended.shared {
            Some(_) => cloud.ecs().exit_of_child(arn, id, ended.ord),
            None => cloud.ecs().exit(arn),
        });
        let is_well = exit.is_some_and(|exit| exit.is_natural && exit.code == Some(0));
        if ended.failure.is_none() && !is_well {
            let text =
                format!("attempt {} of job {id} is a success, but its task: {exit:?}", ended.ord);
            self.violate("T1", moment, text);
        }
        let by_itself = matches!(ended.failure, Some(FailureCategory::Exit | FailureCategory::Oom));
        if by_itself && exit.is_none_or(|exit| exit.code != ended.exit_code) {
            let text = format!(
                "attempt {} of job {id} ended with {:?}, but its task: {exit:?}",
                ended.ord, ended.exit_code
            );
            self.violate("T1", moment, text);
        }
    }

    fn check_failed(&mut self, moment: Moment, job: &Job, ended: Option<&Attempt>) {
        let Some(failure) = ended.and_then(|e| e.failure) else { return };
        let id = job.id;
        if id.node_index().is_some() {
            // A node's retries are its job's.
            return;
        }
        if self.live.get(&id).is_some_and(|live| live.is_terminated) {
            return;
        }
        let n_counted = job.n_counted_attempts();
        let n_infrastructure = job.n_infrastructure_failures();
        let is_early = match failure {
            FailureCategory::Exit | FailureCategory::Oom => {
                n_counted < usize::from(job.spec.attempts)
            }
            FailureCategory::Spot
            | FailureCategory::Host
            | FailureCategory::Held
            | FailureCategory::Unknown => n_infrastructure < limits::INFRASTRUCTURE_FAILURES_MAX,
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

    /// What an attempt has cost, and by how much a wrong clock may have made that more: its own share of its host, for as long as
    /// two readings may be apart.
    fn carry(&mut self, job: &Job, ended: &Attempt, ledger: &MemoryLedger) {
        let share = ledger.get_host(ended.host).map_or(MicroUsdPerHour::ZERO, |host| {
            cost::attempt_price(host.price, &job.need_as(ended.variant), &host.capacity)
        });
        let carried = self.carried.entry(ended.host).or_default();
        carried.cost += ended.cost;
        carried.error += share.cost_of(self.clock_error);
    }

    /// A closed bill may have run on until the end was seen; it never leaves anything out.
    fn check_bill(&mut self, moment: Moment, host: &Host, cloud: &SimCloud) {
        let HostState::Gone { instance: Some(instance), bill, .. } = &host.state else { return };
        let carried = self.carried.remove(&host.id).unwrap_or_default();
        // One that is alive is another matter: see `check_gone`.
        let ended = cloud.ec2().get(&instance.id).filter(|i| !i.is_alive());
        let billed = ended.map_or(MicroUsd::ZERO, |i| i.bill(moment.now));
        // A clock that is wrong bills wrongly, by no more than its error.
        let of_host = host.price.cost_of(self.clock_error);
        for (what, amount, error) in [
            ("EC2 bills", billed, of_host),
            ("its attempts carry", carried.cost, of_host + carried.error),
        ] {
            if *bill < amount.saturating_sub(error) {
                let text = format!("the bill of host {} is {bill}, but {what} {amount}", host.id);
                self.violate("M1", moment, text);
            }
        }
    }

    fn follow_host(&mut self, moment: Moment, host: &Host, cloud: &SimCloud) -> bool {
        let before = self.open_hosts.remove(&host.id);
        if let Some(before) = before {
            self.cpu -= before.cpu;
            if let Some(cpu) = before.quota.and_then(|quota| self.of_quota.get_mut(&quota)) {
                *cpu -= before.cpu;
            }
            self.price -= before.price;
        }
        if host.status() != HostStatus::Gone {
            let cpu = host.capacity.cpu.get().into();
            let open = Open { cpu, price: host.price.get(), quota: Quota::of(&host.pool) };
            if let Some(quota) = open.quota {
                *self.of_quota.entry(quota).or_default() += cpu;
            }
            self.cpu += open.cpu;
            self.price += open.price;
            self.open_hosts.insert(host.id, open);
        } else if let Some(instance) = host.instance()
            && cloud.ec2().get(&instance.id).is_some_and(SimInstance::is_alive)
        {
            self.given_up.insert(instance.id.clone(), moment.now);
        }
        let is_new = before.is_none() && host.status() == HostStatus::Requested;
        if is_new {
            self.bought.extend(Quota::of(&host.pool));
        }
        is_new
    }

    fn follow_launch(&mut self, launch: &Launch) {
        match launch.state {
            LaunchState::Open { .. } => self.open_launches.insert(launch.id),
            LaunchState::Settled { .. } => self.open_launches.remove(&launch.id),
        };
    }

    pub(super) fn check_limits(&mut self, moment: Moment, burst: &Burst) {
        let limits = &self.config.limits;
        let approved = burst.approved.as_ref().map_or(0, |approved| approved.held.price.get());
        let approved = limits.approve_over.map(|over| over.get().max(approved));
        let n_hosts = u64::try_from(self.open_hosts.len()).unwrap_or(u64::MAX);
        // EC2 may have given more than it was asked for: only what is bought beyond a limit breaks it.
        let bought = std::mem::take(&mut self.bought);
        let in_quotas = limits.quotas.iter().filter(|(quota, _)| bought.contains(quota));
        let in_quotas = in_quotas.filter_map(|(quota, max)| {
            let cpu = self.of_quota.get(&quota).copied().unwrap_or(0);
            let is_over = u64::from(max.get()) < cpu;
            is_over.then(|| {
                format!("{cpu} CPU units of quota {quota} are asked for, {max} vCPUs are allowed")
            })
        });
        let broken: Vec<String> = [
            ("hosts", n_hosts, limits.hosts_max.map(u64::from)),
            ("CPU units", self.cpu, limits.cpu_max.map(|cpu| cpu.get().into())),
            ("micro-dollars per hour", self.price, limits.price_max.map(MicroUsdPerHour::get)),
            ("micro-dollars per hour without approval", self.price, approved),
        ]
        .into_iter()
        .filter_map(|(what, n, max)| {
            let max = max.filter(|max| *max < n)?;
            Some(format!("{n} {what} are asked for, and {max} are allowed"))
        })
        .chain(in_quotas)
        .collect();
        for text in broken {
            self.violate("I7", moment, text);
        }
    }
}

/// Whether somebody has asked for the job's end.
fn is_terminated(attempt: &LiveAttempt) -> bool {
    let cause = attempt.stop.as_ref().map(|stop| &stop.cause);
    matches!(cause, Some(StopCause::Terminated { .. }))
}

impl Live {
    fn is(&self, attempt: &LiveAttempt) -> bool {
        let known = (self.ord, self.host, self.is_terminated);
        known == (attempt.ord, attempt.host, is_terminated(attempt))
    }
}
