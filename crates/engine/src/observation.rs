//! Compares what AWS shows with what is believed: events as they come, and a look at everything now and then.
//! What AWS shows is true; what it does not show is not thereby gone.

use std::collections::BTreeSet;

use jiff::Timestamp;
use spillway_core::effect::Receipt;
use spillway_core::input::EventDelivery;
use spillway_core::task::{
    CloudEvent, ContainerInstanceReport, FleetSnapshot, InstanceReport, InstanceStatus,
};
use spillway_core::{
    AttemptOrd, Change, Effect, Host, HostId, HostState, Instance, InstanceId, Job, JobId, TaskArn,
};

use crate::engine::{Cx, Engine};
use crate::fleet::Entry;
use crate::limits;
use crate::retry::backoff;
use crate::timer::Timer;

impl Engine {
    /// Takes news. Every delivery is deleted once what it said is durable; what we do not know says nothing.
    pub(crate) fn take_events(&mut self, cx: &mut Cx, deliveries: Vec<EventDelivery>) {
        let mut receipts: Vec<Receipt> = Vec::new();
        for delivery in deliveries {
            match delivery.event {
                Some(CloudEvent::Task { report }) => self.take_task(cx, &report),
                Some(CloudEvent::ContainerInstance { report }) => {
                    self.take_container_instance(cx, &report);
                }
                Some(CloudEvent::Instance { id, status }) => {
                    if let Some(host) = self.fleet.of_instance(&id) {
                        self.not_missed(cx.now, host);
                        self.take_instance_status(cx, host, status);
                    }
                }
                Some(CloudEvent::SpotInterruption { id }) => {
                    if let Some(host) = self.fleet.of_instance(&id) {
                        self.interrupt(cx, host);
                    }
                }
                // There is no safe default action: it may come together with the notice, or never be followed by one.
                Some(CloudEvent::RebalanceRecommendation { .. }) | None => {}
            }
            receipts.push(delivery.receipt);
        }
        if !receipts.is_empty() {
            cx.effects.push(Effect::DeleteEvents { receipts });
        }
    }

    /// Asks for a look at `at` at the latest.
    pub(crate) fn observe_by(&mut self, at: Timestamp) {
        if self.observe_at.is_none_or(|planned| at < planned) {
            self.observe_at = Some(at);
            self.timers.set(at, Timer::Observe);
        }
    }

    /// Looks at the fleet if that is due and no look is under way.
    pub(crate) fn observe(&mut self, cx: &mut Cx) {
        if self.observe_at.is_none_or(|at| cx.now < at) {
            return;
        }
        self.observe_at = None;
        if self.observing {
            return;
        }
        self.observing = true;
        self.forget_breakers(cx);
        self.ended_instances.retain(|_, at| cx.now.duration_since(*at) < limits::ENDED_REMEMBERED);
        self.unknown_yet.retain(|_, at| cx.now.duration_since(*at) < limits::UNKNOWN_REMEMBERED);
        let attempts = self.live_jobs().filter_map(|job| job.state.live_attempt());
        let tasks: Vec<TaskArn> = attempts.filter_map(|attempt| attempt.task.clone()).collect();
        cx.effects.push(Effect::Observe { tasks });
    }

    /// Asks for a look without waiting for the next one.
    pub(crate) fn observe_soon(&mut self, cx: &Cx) {
        self.observe_by(cx.now + limits::REPLAN_DELAY);
    }

    pub(crate) fn take_snapshot(&mut self, cx: &mut Cx, asked_at: Timestamp, seen: &FleetSnapshot) {
        self.observing = false;
        let is_whole =
            seen.instances.is_some() && seen.container_instances.is_some() && seen.tasks.is_some();
        self.n_blind_looks = if is_whole { 0 } else { self.n_blind_looks.saturating_add(1) };
        // What could not be read is looked at again sooner: with a look every few minutes, some that fail in a row are half an hour.
        let again_in =
            if is_whole { self.config.observe_every } else { backoff(self.n_blind_looks) };
        self.observe_by(cx.now + again_in.min(self.config.observe_every));
        if let Some(instances) = &seen.instances {
            for instance in instances {
                self.take_instance(cx, asked_at, instance);
            }
            self.note_missed(cx, asked_at, instances);
        }
        for host in seen.container_instances.iter().flatten() {
            self.take_container_instance(cx, host);
        }
        for task in seen.tasks.iter().flatten() {
            self.take_task(cx, task);
        }
        for (job, ord) in self.attempts_of(asked_at, &seen.missing_tasks) {
            self.task_missing(cx, job, ord);
        }
    }

    /// Jobs with a live attempt. There are as many as fit on the fleet, however many wait.
    fn live_jobs(&self) -> impl Iterator<Item = &Job> {
        self.fleet
            .iter()
            .flat_map(Entry::live)
            .filter_map(|id| self.jobs.get(id).map(AsRef::as_ref))
    }

    /// The live attempts with these tasks that are old enough for ECS to know them.
    fn attempts_of(&self, asked_at: Timestamp, tasks: &[TaskArn]) -> Vec<(JobId, AttemptOrd)> {
        let tasks: BTreeSet<&TaskArn> = tasks.iter().collect();
        if tasks.is_empty() {
            return Vec::new();
        }
        let of_job = |job: &Job| {
            let attempt = job.state.live_attempt()?;
            let is_named = attempt.task.as_ref().is_some_and(|task| tasks.contains(task));
            // Whoever placed it may have had another clock.
            let age = asked_at.duration_since(attempt.placed_at.max(self.up_since));
            (is_named && limits::CONSISTENCY_GRACE <= age).then_some((job.id, attempt.ord))
        };
        self.live_jobs().filter_map(of_job).collect()
    }

    fn take_instance(&mut self, cx: &mut Cx, asked_at: Timestamp, seen: &InstanceReport) {
        match self.fleet.of_instance(&seen.id) {
            Some(host) => {
                self.found_again(cx, host, seen.status);
                let entry = self.fleet.get_mut(host).filter(|entry| entry.address.is_none());
                if let (Some(entry), Some(address)) = (entry, seen.address) {
                    entry.address = Some(address);
                    self.address_known(cx, host);
                }
                self.take_instance_status(cx, host, seen.status);
            }
            None => self.adopt(cx, asked_at, seen),
        }
    }

    fn take_instance_status(&mut self, cx: &mut Cx, host: HostId, status: InstanceStatus) {
        match status {
            InstanceStatus::Pending | InstanceStatus::Running => {}
            InstanceStatus::ShuttingDown => {
                let Some(entry) = self.fleet.get(host) else { return };
                let cause = if entry.interrupted {
                    spillway_core::host::DrainCause::SpotInterruption
                } else {
                    spillway_core::host::DrainCause::External
                };
                if !matches!(entry.host.state, HostState::Terminating { .. }) {
                    // It will not run tasks again. Ending it makes sure that a stopped one is not kept and paid for.
                    self.begin_termination(cx, host, cause);
                    self.replan_by(cx.now);
                }
            }
            InstanceStatus::Terminated => {
                if let Some(id) = self.fleet.get(host).and_then(|e| e.host.instance()) {
                    self.ended_instances.insert(id.id.clone(), cx.now);
                }
                self.host_ended(cx, host);
            }
        }
    }

    /// An instance with our tag and without a record is paid for: it is taken in, works if there is work, and goes like
    /// any other when it is idle. One whose launch is still open will be named by the answer.
    fn adopt(&mut self, cx: &mut Cx, asked_at: Timestamp, seen: &InstanceReport) {
        // One that is stopped says so like one that shuts down, and keeps its disk until somebody terminates it.
        let is_over = seen.status == InstanceStatus::Terminated;
        let is_awaited = seen.launch.is_some_and(|launch| self.launches.contains_key(&launch));
        let is_young = asked_at.duration_since(seen.launched_at) < limits::ADOPT_AFTER;
        let was_ended = self.ended_instances.contains_key(&seen.id);
        if is_over || is_awaited || is_young || was_ended {
            return;
        }
        // Without prices its cost could not be booked; they are read at the start, and it will be seen again.
        let Some(raw_catalog) = &self.raw_catalog else { return };
        let offering = self.catalog.get(&seen.pool).or_else(|| raw_catalog.get(&seen.pool));
        let host = Host {
            id: HostId::adopted(&seen.id),
            launch: seen.launch,
            pool: seen.pool.clone(),
            arch: seen.arch,
            gpu: offering.and_then(|o| o.gpu),
            price: offering.map(|o| o.price).unwrap_or_default(),
            extras: offering.map(|o| self.extras(&o.pool)).unwrap_or_default(),
            on_demand_price: self.on_demand_price(&seen.pool),
            capacity: offering.map(|o| o.capacity).unwrap_or_default(),
            hazard: offering.map(|o| o.hazard).unwrap_or_default(),
            reserved: Vec::new(),
            registered_at: None,
            drained_at: None,
            state: HostState::Launched {
                instance: Instance { id: seen.id.clone(), launched_at: seen.launched_at },
            },
        };
        let id = host.id;
        self.add_adopted(cx, host);
        self.take_instance_status(cx, id, seen.status);
    }

    /// EC2 tells of a host. If looks missed it so often that it was taken for gone, it was not, and has still to be ended.
    fn not_missed(&mut self, now: Timestamp, id: HostId) {
        let Some(entry) = self.fleet.get_mut(id) else { return };
        let was_given_up = limits::MISSES_BEFORE_GONE <= entry.n_missed;
        entry.n_missed = 0;
        if was_given_up && entry.ended_at.take().is_some() {
            self.timers.set(now, Timer::Terminate(id));
        }
    }

    /// A host that was out of sight is there again.
    fn found_again(&mut self, cx: &mut Cx, id: HostId, status: InstanceStatus) {
        self.not_missed(cx.now, id);
        let Some(entry) = self.fleet.get_mut(id) else { return };
        let HostState::Lost { instance, container_instance, .. } = entry.host.state.clone() else {
            return;
        };
        if !matches!(status, InstanceStatus::Pending | InstanceStatus::Running) {
            return;
        }
        let state = match container_instance {
            Some(container_instance) => {
                HostState::Registered { instance, container_instance, at: cx.now }
            }
            None => HostState::Launched { instance },
        };
        self.move_host(cx, id, state);
        self.timers.set(cx.now + self.config.idle_timeout, Timer::Idle(id));
        self.timers.set(cx.now + self.config.register_timeout, Timer::Register(id));
        self.replan_by(cx.now);
    }

    /// EC2 lists what it has with a delay, and forgets terminated instances within an hour: only a host that is missing
    /// again and again is over.
    fn note_missed(&mut self, cx: &mut Cx, asked_at: Timestamp, seen: &[InstanceReport]) {
        let seen: BTreeSet<&InstanceId> = seen.iter().map(|instance| &instance.id).collect();
        // EC2's clock says when an instance was launched, ours when it was heard of: where they differ the later counts.
        let is_missing = |entry: &Entry, instance: &Instance| {
            let age = asked_at.duration_since(instance.launched_at.max(entry.known_at));
            !seen.contains(&instance.id) && limits::CONSISTENCY_GRACE <= age
        };
        let missed: Vec<HostId> = self
            .fleet
            .iter()
            .filter(|entry| entry.ended_at.is_none())
            .filter(|entry| entry.host.instance().is_some_and(|i| is_missing(entry, i)))
            .map(|entry| entry.host.id)
            .collect();
        for id in missed {
            let Some(entry) = self.fleet.get_mut(id) else { continue };
            entry.n_missed = entry.n_missed.saturating_add(1);
            if limits::MISSES_BEFORE_GONE <= entry.n_missed {
                self.host_ended(cx, id);
                continue;
            }
            let state = entry.host.state.clone();
            let (instance, container_instance) = match state {
                HostState::Launched { instance } => (instance, None),
                HostState::Registered { instance, container_instance, .. } => {
                    (instance, Some(container_instance))
                }
                HostState::Requested
                | HostState::Draining { .. }
                | HostState::Terminating { .. }
                | HostState::Lost { .. }
                | HostState::Gone { .. } => continue,
            };
            let state = HostState::Lost { instance, container_instance, since: cx.now };
            self.move_host(cx, id, state);
        }
    }

    /// ECS's view of a host: it has registered, its agent has come or gone, what it really has.
    fn take_container_instance(&mut self, cx: &mut Cx, seen: &ContainerInstanceReport) {
        let known = self.fleet.of_instance(&seen.instance);
        let Some(id) = known.or_else(|| self.fleet.of_container_instance(&seen.arn)) else {
            return;
        };
        let Some(entry) = self.fleet.get_mut(id) else { return };
        let HostState::Launched { instance } = entry.host.state.clone() else {
            self.note_agent(cx, id, seen.agent_connected);
            return;
        };
        if !seen.active {
            return;
        }
        let booted = cx.now.duration_since(instance.launched_at);
        cx.changes.push(self.memory.booted(booted));
        entry.host.capacity = seen.registered;
        entry.idle_since = Some(cx.now);
        let (instance_type, arch) = (entry.host.pool.instance_type.clone(), entry.host.arch);
        let container_instance = seen.arn.clone();
        let state = HostState::Registered { instance, container_instance, at: cx.now };
        self.move_host(cx, id, state);
        self.note_agent(cx, id, seen.agent_connected);
        self.note_registered(cx, arch);
        self.learn(cx, instance_type, seen.registered);
        self.timers.set(cx.now + self.config.idle_timeout, Timer::Idle(id));
        if !self.nobody_waits() {
            self.replan_by(cx.now);
        }
    }

    /// Remembers what ECS registers on a type. Hosts of one type differ by a few MiB: the least is kept, so that a job
    /// planned to fit does fit.
    fn learn(&mut self, cx: &mut Cx, instance_type: String, seen: spillway_core::Resources) {
        let before = self.learned.get(&instance_type);
        let registered = before.map_or(seen, |known| spillway_core::Resources {
            cpu: known.cpu.min(seen.cpu),
            memory: known.memory.min(seen.memory),
            gpus: known.gpus.min(seen.gpus),
        });
        if before == Some(&registered) {
            return;
        }
        self.learned.insert(instance_type.clone(), registered);
        cx.changes.push(Change::Learn { instance_type, registered });
        self.rebuild_catalog(cx.now);
    }
}
