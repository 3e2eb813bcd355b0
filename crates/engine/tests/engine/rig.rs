//! An engine, a clock and a ledger in the hand of a test. Answers nothing by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use spillway_core::array::{self, ArrayRecord};
use spillway_core::change::EndedJob;
use spillway_core::effect::{
    DeadLetter, LaunchAnswer, LaunchRequest, LaunchedInstance, Receipt, TaskRequest, TaskStart,
};
use spillway_core::gang::node_of;
use spillway_core::id::LedgerId;
use spillway_core::input::{Delivery, EventDelivery};
use spillway_core::task::{
    CloudEvent, ContainerInstanceReport, InstanceStatus, TaskReport, TaskStatus,
};
use spillway_core::{
    Answer, Arch, Catalog, Change, CpuUnits, Effect, Hazard, Host, HostId, Input, InstanceId, Job,
    JobId, JobState, LedgerState, Market, MiB, MicroUsdPerHour, Offering, PoolId, Resources,
    TaskArn,
};
use spillway_engine::{Engine, EngineConfig, Step, limits};
use uuid::Uuid;

pub(crate) fn secs(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

pub(crate) fn pool(instance_type: &str, zone: &str, market: Market) -> PoolId {
    PoolId { instance_type: instance_type.into(), zone: zone.parse().unwrap(), market }
}

fn offering(instance_type: &str, zone: &str, market: Market, vcpus: u32, price: u64) -> Offering {
    Offering {
        pool: pool(instance_type, zone, market),
        arch: Arch::X86_64,
        gpu: None,
        capacity: Resources::new(CpuUnits::from_vcpus(vcpus), MiB::from_gib(vcpus * 2), 0),
        price: MicroUsdPerHour::new(price),
        hazard: Hazard::NEVER,
    }
}

/// Two types, one of them in Spot in two zones.
pub(crate) fn catalog() -> Catalog {
    Catalog::new(
        Timestamp::UNIX_EPOCH,
        vec![
            offering("c5.large", "us-east-1a", Market::OnDemand, 2, 85_000),
            offering("c5.large", "us-east-1a", Market::Spot, 2, 30_000),
            offering("c5.large", "us-east-1b", Market::Spot, 2, 32_000),
            offering("c5.xlarge", "us-east-1a", Market::OnDemand, 4, 170_000),
        ],
    )
}

/// One job message: 1 vCPU and 1 GiB, with what the test changes.
pub(crate) fn message(token: &str, spillway: &str, extra: &str) -> String {
    format!(
        r#"{{"jobName":"{token}","jobQueue":"default","jobDefinition":{{"type":"container","containerProperties":
        {{"image":"busybox","command":["true"],"resourceRequirements":[{{"type":"VCPU","value":"1"}},
        {{"type":"MEMORY","value":"1024"}}]}}}},"spillway":{{"clientToken":"{token}"{spillway}}}{extra}}}"#
    )
}

pub(crate) fn job_id(token: &str) -> JobId {
    JobId::derive(&"default".parse().unwrap(), token)
}

pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    pub(crate) config: EngineConfig,
    /// Everything the loop wanted done since it was last read.
    pub(crate) effects: Vec<Effect>,
    /// The ledger, as its changes say.
    pub(crate) jobs: BTreeMap<JobId, Job>,
    pub(crate) hosts: BTreeMap<HostId, Host>,
    state: LedgerState,
    wake_at: Option<Timestamp>,
    n_deliveries: u32,
    tasks: BTreeMap<JobId, TaskReport>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let queues = vec!["default".parse().unwrap()];
        Self::with(EngineConfig { queues, ..EngineConfig::default() })
    }

    pub(crate) fn with(config: EngineConfig) -> Self {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let state = LedgerState::new(LedgerId::from_uuid(Uuid::from_u128(7)));
        let engine = Engine::new(config.clone(), state.clone(), now);
        let mut rig = Self {
            engine,
            now,
            config,
            effects: Vec::new(),
            jobs: BTreeMap::new(),
            hosts: BTreeMap::new(),
            state,
            wake_at: None,
            n_deliveries: 0,
            tasks: BTreeMap::new(),
        };
        rig.step(Input::Tick);
        rig.answer(Answer::Catalog { result: Ok(catalog()) });
        rig
    }

    pub(crate) fn step(&mut self, input: Input) {
        let Step { changes, effects, wake_at } = self.engine.step(self.now, input);
        for change in changes {
            self.apply(change);
        }
        self.effects.extend(effects);
        self.wake_at = wake_at;
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::AddJob(job) => {
                let before = self.jobs.insert(job.id, *job);
                assert!(before.is_none(), "a job is added once");
            }
            Change::AddChild { id, state } if id.node_index().is_some() => {
                let node = node_of(&self.jobs[&id.whole()], id.node_index().unwrap(), state);
                let node = node.expect("there is such a node");
                assert!(self.jobs.insert(id, node).is_none(), "a node is added once");
            }
            Change::AddChild { id, state } => {
                let parent = &self.jobs[&id.whole()];
                let indexes = parent.spec.array.expect("it is an array").indexes;
                let ord = indexes.ord_of(id.index().unwrap()).expect("there is such a child");
                let child = array::child_of(parent, id, ord, state);
                assert!(self.jobs.insert(id, child).is_none(), "a child is added once");
            }
            Change::EndChildren { array, runs, state } => {
                let indexes = self.jobs[&array].spec.array.expect("it is an array").indexes;
                for ord in runs.iter().flat_map(|(first, last)| *first..=*last) {
                    let id = indexes.child(array, ord).expect("there is such a child");
                    let child = array::child_of(&self.jobs[&array], id, ord, state.clone());
                    assert!(self.jobs.insert(id, child).is_none(), "it has no record");
                }
            }
            Change::MoveJob { id, state, ended } => {
                let job = self.jobs.get_mut(&id).expect("a job that moves has been added");
                assert!(!job.state.status().is_terminal(), "a terminal state is written once");
                job.state = state;
                job.attempts.extend(ended.map(|attempt| *attempt));
            }
            Change::PutHost(host) => {
                self.hosts.insert(host.id, *host);
            }
            Change::PutLaunch(launch) => {
                self.state.launches.retain(|known| known.id != launch.id);
                self.state.launches.push(*launch);
            }
            Change::Learn { instance_type, registered } => {
                self.state.learned.insert(instance_type, registered);
            }
            Change::Cool { pool, cooldown } => {
                match cooldown {
                    Some(cooldown) => self.state.cooling.insert(pool, cooldown),
                    None => self.state.cooling.remove(&pool),
                };
            }
            Change::PutKind { kind, history } => {
                match history {
                    Some(known) => self.state.history.kinds.insert(kind, *known),
                    None => self.state.history.kinds.remove(&kind),
                };
            }
            Change::PutSpot { instance_type, zone, evidence } => {
                self.state.history.spot.insert((instance_type, zone), evidence);
            }
            Change::PutDefinition(record) => self.state.definitions.push(*record),
            Change::PutSchedule(record) => {
                self.state.schedules.retain(|known| known.spec.name != record.spec.name);
                self.state.schedules.push(*record);
            }
            Change::PutGate { target, gate } => {
                self.state.gates.insert(target, gate);
            }
            Change::PutBreaker { target, breaker } => {
                match breaker {
                    Some(breaker) => self.state.breakers.insert(target, *breaker),
                    None => self.state.breakers.remove(&target),
                };
            }
            Change::PutBurst(burst) => self.state.burst = *burst,
            Change::PutShare { queue, share, used } => {
                match used {
                    Some(used) => self.state.shares.insert((queue, share), used),
                    None => self.state.shares.remove(&(queue, share)),
                };
            }
            Change::Heard(_) => {}
            Change::PutSpending { day, payer, spent } => {
                match spent {
                    Some(spent) => self.state.spending.insert((day, payer), spent),
                    None => self.state.spending.remove(&(day, payer)),
                };
            }
            Change::PutBoots(boots) => self.state.history.boots = boots,
            Change::Counters { n_launches, n_jobs } => {
                self.state.n_launches = n_launches;
                self.state.n_jobs = n_jobs;
            }
        }
    }

    /// Lets time pass, waking the loop whenever it asked for it.
    pub(crate) fn wait(&mut self, time: SignedDuration) {
        let until = self.now + time;
        while let Some(at) = self.wake_at.filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.step(Input::Tick);
        }
        self.now = until;
    }

    pub(crate) fn answer(&mut self, answer: Answer) {
        self.step(Input::Answered(answer));
    }

    pub(crate) fn event(&mut self, event: CloudEvent) {
        let receipt = Receipt("event".into());
        self.step(Input::Events(vec![EventDelivery { receipt, event: Some(event) }]));
    }

    pub(crate) fn send(&mut self, body: String) {
        self.send_as(body, None);
    }

    /// The same, from somebody.
    pub(crate) fn send_as(&mut self, body: String, sender: Option<&str>) {
        self.deliver(body, sender, self.now);
    }

    /// The same, some time after it was sent.
    pub(crate) fn send_of(&mut self, body: String, age: SignedDuration) {
        self.deliver(body, None, self.now - age);
    }

    /// The same, which is there again after longer than anything waits for what it means.
    pub(crate) fn linger(&mut self, body: String) {
        self.send(body.clone());
        self.now += limits::CONSISTENCY_GRACE;
        self.send_again(self.n_deliveries, body);
    }

    /// Delivery `n` comes again.
    pub(crate) fn send_again(&mut self, n: u32, body: String) {
        self.receive(n, body, None, self.now);
    }

    fn deliver(&mut self, body: String, sender: Option<&str>, sent_at: Timestamp) {
        self.n_deliveries += 1;
        self.receive(self.n_deliveries, body, sender, sent_at);
    }

    fn receive(&mut self, n: u32, body: String, sender: Option<&str>, sent_at: Timestamp) {
        let delivery = Delivery {
            message_id: format!("message-{n}"),
            receipt: Receipt(format!("receipt-{n}")),
            body,
            sent_at: Some(sent_at),
            sender: sender.map(str::to_owned),
        };
        self.step(Input::Received(vec![delivery]));
    }

    /// Starts a new dispatcher on what the ledger holds.
    pub(crate) fn restart(&mut self) {
        let is_open =
            |l: &spillway_core::Launch| matches!(l.state, spillway_core::LaunchState::Open { .. });
        let is_gone = |h: &Host| matches!(h.state, spillway_core::HostState::Gone { .. });
        let state = LedgerState {
            jobs: self.jobs.values().filter(|j| !j.state.status().is_terminal()).cloned().collect(),
            ended: self
                .jobs
                .values()
                .filter(|job| job.id.index().is_none())
                .filter_map(|job| Some((job.id, EndedJob::of(job.body_hash, &job.state)?)))
                .collect(),
            arrays: self.array_records(),
            hosts: self.hosts.values().filter(|h| !is_gone(h)).cloned().collect(),
            launches: self.state.launches.iter().filter(|l| is_open(l)).cloned().collect(),
            ..self.state.clone()
        };
        self.effects.clear();
        self.engine = Engine::new(self.config.clone(), state, self.now);
        self.step(Input::Tick);
    }

    fn array_records(&self) -> BTreeMap<JobId, ArrayRecord> {
        let arrays = self.jobs.values().filter(|job| job.id.index().is_none());
        let record = |parent: &Job| {
            let indexes = parent.spec.array?.indexes;
            let mut record = ArrayRecord::new(indexes);
            for ord in 0..indexes.size {
                let child = indexes.child(parent.id, ord).and_then(|id| self.jobs.get(&id));
                match child.map_or(&parent.state, |child| &child.state) {
                    JobState::Succeeded { .. } => record.succeeded.insert(ord),
                    JobState::Failed { .. } => record.failed.insert(ord),
                    _ => false,
                };
            }
            Some((parent.id, record))
        };
        arrays.filter_map(record).collect()
    }

    /// Starts a new dispatcher after nobody has listened for a while; prices are read at once.
    pub(crate) fn restart_after(&mut self, outage: SignedDuration) {
        self.now += outage;
        self.restart();
        self.answer(Answer::Catalog { result: Ok(catalog()) });
    }

    /// How often in a row a pool has failed.
    pub(crate) fn n_pool_failures(&self, pool: &PoolId) -> u32 {
        self.state.cooling.get(pool).map_or(0, |cooldown| cooldown.n_failed)
    }

    /// EC2 shows an instance terminated.
    pub(crate) fn terminated(&mut self, n: u32) {
        let id = Self::instance(n);
        self.event(CloudEvent::Instance { id, status: InstanceStatus::Terminated });
    }

    /// The agent of a registered host comes or goes.
    pub(crate) fn agent(&mut self, n: u32, agent_connected: bool) {
        let id = Self::instance(n);
        let host = self.hosts.values().find(|h| h.instance().is_some_and(|i| i.id == id));
        let host = host.expect("the instance is known");
        let report = ContainerInstanceReport {
            arn: host.container_instance().expect("it has registered").clone(),
            instance: id,
            active: true,
            agent_connected,
            registered: host.capacity,
        };
        self.event(CloudEvent::ContainerInstance { report });
    }

    pub(crate) fn take_stops(&mut self) -> Vec<TaskArn> {
        let stops = self.take_effects().into_iter().filter_map(|effect| match effect {
            Effect::StopTask { task, .. } => Some(task),
            _ => None,
        });
        stops.collect()
    }

    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn take_launches(&mut self) -> Vec<LaunchRequest> {
        let launches = self.take_effects().into_iter().filter_map(|effect| match effect {
            Effect::Launch(request) => Some(request),
            _ => None,
        });
        launches.collect()
    }

    pub(crate) fn take_launch(&mut self) -> LaunchRequest {
        let launches = self.take_launches();
        assert_eq!(launches.len(), 1, "{launches:?}");
        launches.into_iter().next().unwrap()
    }

    pub(crate) fn take_starts(&mut self) -> Vec<TaskRequest> {
        let starts = self.take_effects().into_iter().filter_map(|effect| match effect {
            Effect::RunTask(request) => Some(request),
            _ => None,
        });
        starts.collect()
    }

    pub(crate) fn instance(n: u32) -> InstanceId {
        format!("i-{n:017x}").parse().unwrap()
    }

    /// EC2 gives all that was asked for, from the first choice; the instances are numbered from `first`.
    pub(crate) fn give(&mut self, request: &LaunchRequest, first: u32) {
        let instances = (first..first + request.count).map(|n| LaunchedInstance {
            id: Self::instance(n),
            pool: request.choices[0].pool.clone(),
            launched_at: Some(self.now),
        });
        let answer = LaunchAnswer { instances: instances.collect(), ..LaunchAnswer::default() };
        self.answer(Answer::Launch { launch: request.launch, result: Ok(answer) });
    }

    /// The agent on an instance registers with what its host was planned to have.
    pub(crate) fn register(&mut self, n: u32) {
        let id = Self::instance(n);
        let host = self.hosts.values().find(|h| h.instance().is_some_and(|i| i.id == id));
        let registered = host.expect("the instance is known").capacity;
        self.register_with(n, registered);
    }

    pub(crate) fn register_with(&mut self, n: u32, registered: Resources) {
        let report = ContainerInstanceReport {
            arn: format!("arn:aws:ecs:us-east-1:1:container-instance/c/{n}").parse().unwrap(),
            instance: Self::instance(n),
            active: true,
            agent_connected: true,
            registered,
        };
        self.event(CloudEvent::ContainerInstance { report });
    }

    /// ECS makes the task, and says so.
    pub(crate) fn accept(&mut self, request: &TaskRequest) -> TaskReport {
        let report = self.made(request);
        let result = Ok(TaskStart::Started(report.clone()));
        self.answer(Answer::RunTask { job: request.job, attempt: request.attempt, result });
        report
    }

    /// ECS makes the task; its answer is lost.
    pub(crate) fn made(&mut self, request: &TaskRequest) -> TaskReport {
        let report = TaskReport {
            arn: format!("arn:aws:ecs:us-east-1:1:task/c/{}", request.token).parse().unwrap(),
            started_by: Some(request.token.to_string()),
            container_instance: None,
            version: 1,
            status: TaskStatus::Pending,
            started_at: None,
            stopped_at: None,
            exit_code: None,
            stop_code: None,
            stopped_reason: None,
            container_reason: None,
            containers: Vec::new(),
        };
        self.tasks.insert(request.job, report.clone());
        report
    }

    /// The newest report of a job's task, changed and told.
    pub(crate) fn tell(&mut self, job: JobId, change: impl FnOnce(&mut TaskReport)) {
        let report = self.tasks.get_mut(&job).expect("the task was made");
        report.version += 1;
        change(report);
        let report = report.clone();
        self.event(CloudEvent::Task { report });
    }

    pub(crate) fn runs(&mut self, job: JobId) {
        let now = self.now;
        self.tell(job, |task| {
            task.status = TaskStatus::Running;
            task.started_at = Some(now);
        });
    }

    pub(crate) fn exits(&mut self, job: JobId, code: i32) {
        let now = self.now;
        self.tell(job, |task| {
            task.status = TaskStatus::Stopped;
            task.stopped_at = Some(now);
            task.exit_code = Some(code);
            task.stop_code = Some("EssentialContainerExited".into());
            task.stopped_reason = Some("Essential container in task exited".into());
        });
    }

    /// Gives every launch what it asks for and lets the hosts register; returns the starts that follow. `n_given` numbers
    /// instances.
    pub(crate) fn provide(&mut self, n_given: &mut u32) -> Vec<TaskRequest> {
        let mut starts = Vec::new();
        self.wait(secs(2));
        for effect in self.take_effects() {
            match effect {
                Effect::RunTask(start) => starts.push(start),
                Effect::Launch(launch) => {
                    let first = *n_given;
                    *n_given += launch.count;
                    self.give(&launch, first);
                    for n in first..*n_given {
                        self.register(n);
                    }
                }
                _ => {}
            }
        }
        self.wait(secs(1));
        starts.extend(self.take_starts());
        starts
    }

    /// Lets started tasks run and end with these exit codes.
    pub(crate) fn finish(&mut self, starts: &[TaskRequest], code: impl Fn(JobId) -> i32) {
        for start in starts {
            self.accept(start);
            self.runs(start.job);
        }
        self.wait(secs(1));
        for start in starts {
            self.exits(start.job, code(start.job));
        }
    }

    /// Runs until nothing starts any more; returns what was started, in order.
    pub(crate) fn finish_all(&mut self, code: impl Fn(JobId) -> i32) -> Vec<JobId> {
        let (mut n_given, mut started) = (1, Vec::new());
        let mut n_quiet = 0;
        while n_quiet < 3 {
            let starts = self.provide(&mut n_given);
            n_quiet = if starts.is_empty() { n_quiet + 1 } else { 0 };
            started.extend(starts.iter().map(|start| start.job));
            self.finish(&starts, &code);
        }
        started
    }

    /// The dead letters of the effects that have not been read.
    pub(crate) fn take_dead_letters(&mut self) -> Vec<DeadLetter> {
        let letters = self.take_effects().into_iter().filter_map(|effect| match effect {
            Effect::DeadLetter(letter) => Some(letter),
            _ => None,
        });
        letters.collect()
    }

    /// Brings one job with this token as far as RUNNING on instance `n`.
    pub(crate) fn run_job(&mut self, token: &str, spillway: &str, extra: &str, n: u32) -> JobId {
        self.send(message(token, spillway, extra));
        self.wait(secs(2));
        let launch = self.take_launch();
        self.give(&launch, n);
        self.wait(secs(30));
        self.take_effects();
        self.register(n);
        let start = self.take_starts().pop().expect("the job is started");
        self.accept(&start);
        self.runs(job_id(token));
        job_id(token)
    }

    pub(crate) fn has_job(&self, job: JobId) -> bool {
        self.jobs.contains_key(&job)
    }

    pub(crate) fn schedule(&self, name: &str) -> Option<&spillway_core::ScheduleRecord> {
        self.state.schedules.iter().find(|record| record.spec.name.as_str() == name)
    }

    pub(crate) fn state(&self, job: JobId) -> &JobState {
        &self.jobs[&job].state
    }

    pub(crate) fn status(&self, job: JobId) -> &'static str {
        self.state(job).status().as_str()
    }

    pub(crate) fn host_statuses(&self) -> Vec<String> {
        self.hosts.values().map(|host| host.status().to_string()).collect()
    }

    pub(crate) fn spec(&self, job: JobId) -> Arc<spillway_core::JobSpec> {
        Arc::clone(&self.jobs[&job].spec)
    }

    pub(crate) fn distinct_hosts_tried(&self, job: JobId) -> usize {
        let hosts: BTreeSet<HostId> = self.jobs[&job].attempts.iter().map(|a| a.host).collect();
        hosts.len()
    }
}
