//! A cloud of a few lines behind all ports, a ledger that can be made to fail, and a driver over both.
//!
//! It does at once what it is asked to, unless a call of that kind was told to misbehave, and it remembers every call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use spillway_core::change::Change;
use spillway_core::effect::{
    CallResult, DeadLetter, LaunchAnswer, LaunchRequest, LaunchedInstance, Receipt, TaskRequest,
    TaskStart,
};
use spillway_core::error::LedgerError;
use spillway_core::id::LedgerId;
use spillway_core::input::{Delivery, EventDelivery};
use spillway_core::port::{Cluster, Compute, EventQueue, JobQueue, Ledger, PriceFeed};
use spillway_core::task::{
    CloudEvent, ContainerInstanceReport, InstanceReport, InstanceStatus, TaskReport, TaskStatus,
};
use spillway_core::{
    Arch, Catalog, CloudError, ContainerInstanceArn, CpuUnits, Hazard, Host, HostState, InstanceId,
    Job, JobId, JobSpec, JobState, LedgerState, Market, MiB, MicroUsdPerHour, Offering, PoolId,
    Resources, TaskArn,
};
use spillway_engine::EngineConfig;
use spillway_runtime::{AcceleratedClock, Clock, DriverError, Health, Ports, Stopped, driver};
use spillway_sim::ledger::MemoryLedger;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How the next calls of a kind misbehave.
#[derive(Debug, Clone)]
pub(crate) enum Misbehaviour {
    /// No answer, ever; nothing is done.
    Hang,
    /// The answer takes so long.
    Slow(Duration),
    /// It panics.
    Panic,
    /// It is refused.
    Fail(CloudError),
}

#[derive(Debug, Default)]
pub(crate) struct State {
    messages: VecDeque<Delivery>,
    events: VecDeque<CloudEvent>,
    instances: BTreeMap<InstanceId, InstanceReport>,
    /// Every call: its kind, and what it was about.
    pub(crate) calls: Vec<(&'static str, String)>,
    /// The next calls of a kind, and how they misbehave; after them all is well.
    misbehaviours: BTreeMap<&'static str, VecDeque<Misbehaviour>>,
    /// Calls under way by kind, and the most there ever were.
    under_way: BTreeMap<&'static str, (usize, usize)>,
    pub(crate) tasks_exit: bool,
    n_instances: u32,
    n_sent: u32,
    /// What was performed without being in the ledger.
    pub(crate) unwritten: Vec<String>,
}

impl State {
    /// What the calls of a kind were about, in their order.
    pub(crate) fn made(&self, kind: &str) -> Vec<&str> {
        self.calls.iter().filter(|(k, _)| *k == kind).map(|(_, about)| about.as_str()).collect()
    }

    pub(crate) fn most_under_way(&self, kind: &str) -> usize {
        self.under_way.get(kind).map_or(0, |(_, most)| *most)
    }

    pub(crate) fn n_messages_left(&self) -> usize {
        self.messages.len()
    }
}

#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    ledger: FakeLedger,
    clock: TestClock,
}

impl World {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn misbehave(&self, kind: &'static str, n: usize, how: &Misbehaviour) {
        let next = std::iter::repeat_n(how.clone(), n);
        self.state().misbehaviours.entry(kind).or_default().extend(next);
    }

    /// Puts a message on the job queue.
    pub(crate) fn send(&self, body: String) {
        let mut state = self.state();
        state.n_sent += 1;
        let n = state.n_sent;
        state.messages.push_back(Delivery {
            message_id: format!("message-{n}"),
            receipt: Receipt(format!("receipt-{n}")),
            body,
            sent_at: None,
            sender: None,
        });
    }

    /// Notes a call, and misbehaves if it is to.
    async fn enter(&self, kind: &'static str, about: String) -> CallResult<UnderWay> {
        let misbehaviour = {
            let mut state = self.state();
            state.calls.push((kind, about));
            let (now, most) = state.under_way.entry(kind).or_default();
            *now += 1;
            *most = (*most).max(*now);
            state.misbehaviours.get_mut(kind).and_then(VecDeque::pop_front)
        };
        let under_way = UnderWay { world: self.clone(), kind };
        match misbehaviour {
            None => {}
            Some(Misbehaviour::Hang) => std::future::pending().await,
            Some(Misbehaviour::Slow(time)) => tokio::time::sleep(time).await,
            Some(Misbehaviour::Panic) => panic!("{kind} was told to panic"),
            Some(Misbehaviour::Fail(error)) => return Err(error),
        }
        Ok(under_way)
    }

    fn happen(&self, event: CloudEvent) {
        self.state().events.push_back(event);
    }
}

/// Counts a call as under way for as long as it lives.
struct UnderWay {
    world: World,
    kind: &'static str,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.world.state();
        if let Some((now, _)) = state.under_way.get_mut(self.kind) {
            *now -= 1;
        }
    }
}

/// Takes up to ten as soon as there is one, within `wait`.
async fn poll<M>(wait: Duration, take: impl Fn() -> Vec<M>) -> Vec<M> {
    let until = tokio::time::Instant::now() + wait;
    loop {
        let batch = take();
        if !batch.is_empty() || until <= tokio::time::Instant::now() {
            return batch;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl JobQueue for World {
    async fn receive(&self, wait: Duration) -> CallResult<Vec<Delivery>> {
        let _call = self.enter("receive", String::new()).await?;
        Ok(poll(wait, || {
            let mut state = self.state();
            let n = state.messages.len().min(10);
            state.messages.drain(..n).collect()
        })
        .await)
    }

    async fn delete(&self, receipts: &[Receipt]) -> CallResult<()> {
        self.enter("delete", receipts.len().to_string()).await?;
        Ok(())
    }

    async fn dead_letter(&self, letter: &DeadLetter) -> CallResult<()> {
        self.enter("dead-letter", letter.code.clone()).await?;
        Ok(())
    }
}

impl EventQueue for World {
    async fn receive(&self, wait: Duration) -> CallResult<Vec<EventDelivery>> {
        let _call = self.enter("receive-events", String::new()).await?;
        Ok(poll(wait, || {
            let mut state = self.state();
            let n = state.events.len().min(10);
            let events = state.events.drain(..n);
            let receipt = || Receipt("event".into());
            events.map(|event| EventDelivery { receipt: receipt(), event: Some(event) }).collect()
        })
        .await)
    }

    async fn delete(&self, receipts: &[Receipt]) -> CallResult<()> {
        self.enter("delete-events", receipts.len().to_string()).await?;
        Ok(())
    }
}

impl Compute for World {
    async fn launch(&self, request: &LaunchRequest) -> CallResult<LaunchAnswer> {
        if !self.ledger.has_open_launch(request) {
            self.state().unwritten.push(format!("launch {}", request.token));
        }
        let _call = self.enter("launch", request.token.to_string()).await?;
        let mut answer = LaunchAnswer::default();
        for _ in 0..request.count {
            let instance = {
                let mut state = self.state();
                state.n_instances += 1;
                let instance = InstanceReport {
                    id: format!("i-{:017x}", state.n_instances).parse().unwrap(),
                    pool: request.choices[0].pool.clone(),
                    arch: request.arch,
                    launched_at: self.clock.now(),
                    status: InstanceStatus::Running,
                    launch: Some(request.launch),
                    address: None,
                };
                state.instances.insert(instance.id.clone(), instance.clone());
                instance
            };
            let launched_at = Some(instance.launched_at);
            let (id, pool) = (instance.id.clone(), instance.pool);
            self.happen(CloudEvent::ContainerInstance { report: registration(&instance.id) });
            answer.instances.push(LaunchedInstance { id, pool, launched_at });
        }
        Ok(answer)
    }

    async fn terminate(&self, instances: &[InstanceId]) -> CallResult<()> {
        for id in instances {
            let _call = self.enter("terminate", id.to_string()).await?;
            self.state().instances.remove(id);
            let status = InstanceStatus::Terminated;
            self.happen(CloudEvent::Instance { id: id.clone(), status });
        }
        Ok(())
    }

    async fn instances(&self) -> CallResult<Vec<InstanceReport>> {
        let _call = self.enter("instances", String::new()).await?;
        Ok(self.state().instances.values().cloned().collect())
    }
}

impl Cluster for World {
    async fn run_task(&self, request: &TaskRequest) -> CallResult<TaskStart> {
        if !self.ledger.is_starting(request.job) {
            self.state().unwritten.push(format!("run-task {}", request.token));
        }
        let _call = self.enter("run-task", request.token.to_string()).await?;
        let pending = TaskReport {
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
        let now = Some(self.clock.now());
        let status = TaskStatus::Running;
        let running = TaskReport { version: 2, status, started_at: now, ..pending.clone() };
        self.happen(CloudEvent::Task { report: running.clone() });
        if self.state().tasks_exit {
            let status = TaskStatus::Stopped;
            let (stopped_at, exit_code) = (now, Some(0));
            let report = TaskReport { version: 3, status, stopped_at, exit_code, ..running };
            self.happen(CloudEvent::Task { report });
        }
        Ok(TaskStart::Started(pending))
    }

    async fn stop_task(&self, task: &TaskArn, _reason: &str) -> CallResult<()> {
        self.enter("stop-task", task.to_string()).await?;
        Ok(())
    }

    async fn report(&self, task: &TaskArn, _spec: &JobSpec) -> CallResult<Vec<String>> {
        self.enter("report", task.to_string()).await?;
        Ok(Vec::new())
    }

    async fn tasks(&self, tasks: &[TaskArn]) -> CallResult<(Vec<TaskReport>, Vec<TaskArn>)> {
        self.enter("tasks", tasks.len().to_string()).await?;
        Ok((Vec::new(), Vec::new()))
    }

    async fn container_instances(&self) -> CallResult<Vec<ContainerInstanceReport>> {
        let _call = self.enter("container-instances", String::new()).await?;
        Ok(self.state().instances.keys().map(registration).collect())
    }

    async fn drain(&self, host: &ContainerInstanceArn) -> CallResult<()> {
        self.enter("drain", host.to_string()).await?;
        Ok(())
    }

    async fn deregister(&self, host: &ContainerInstanceArn) -> CallResult<()> {
        self.enter("deregister", host.to_string()).await?;
        Ok(())
    }
}

impl PriceFeed for World {
    async fn catalog(&self) -> CallResult<Catalog> {
        let _call = self.enter("catalog", String::new()).await?;
        let pool = PoolId {
            instance_type: "c5.large".into(),
            zone: "us-east-1a".parse().unwrap(),
            market: Market::OnDemand,
        };
        let (capacity, price) = (room(), MicroUsdPerHour::new(85_000));
        let offering = Offering {
            pool,
            arch: Arch::X86_64,
            gpu: None,
            capacity,
            price,
            hazard: Hazard::NEVER,
        };
        Ok(Catalog::new(self.clock.now(), vec![offering]))
    }
}

fn room() -> Resources {
    Resources::new(CpuUnits::from_vcpus(2), MiB::from_gib(4), 0)
}

fn registration(instance: &InstanceId) -> ContainerInstanceReport {
    ContainerInstanceReport {
        arn: format!("arn:aws:ecs:us-east-1:1:container-instance/c/{instance}").parse().unwrap(),
        instance: instance.clone(),
        active: true,
        agent_connected: true,
        registered: room(),
    }
}

/// What the ledger does instead of committing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Unavailable,
    Corrupt,
}

/// The ledger in memory, which outlives its drivers and can be made to fail.
#[derive(Clone)]
pub(crate) struct FakeLedger {
    memory: Arc<Mutex<MemoryLedger>>,
    fault: Arc<Mutex<Option<Fault>>>,
    /// Whether another dispatcher may lead.
    is_doubtful: Arc<AtomicBool>,
}

impl FakeLedger {
    pub(crate) fn set_doubtful(&self, is_doubtful: bool) {
        self.is_doubtful.store(is_doubtful, Ordering::SeqCst);
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    pub(crate) fn job(&self, token: &str) -> Option<Job> {
        self.memory.lock().unwrap().get_job(job_id(token)).map(std::borrow::Cow::into_owned)
    }

    pub(crate) fn status(&self, token: &str) -> &'static str {
        self.job(token).map_or("none", |job| job.state.status().as_str())
    }

    pub(crate) fn hosts(&self) -> Vec<Host> {
        self.memory.lock().unwrap().all_hosts().cloned().collect()
    }

    pub(crate) fn n_hosts(&self) -> usize {
        let is_gone = |host: &Host| matches!(host.state, HostState::Gone { .. });
        self.hosts().iter().filter(|host| !is_gone(host)).count()
    }

    fn has_open_launch(&self, request: &LaunchRequest) -> bool {
        let state = self.memory.lock().unwrap().open_state();
        state.launches.iter().any(|launch| launch.id == request.launch)
    }

    fn is_starting(&self, job: JobId) -> bool {
        let memory = self.memory.lock().unwrap();
        memory.get_job(job).is_some_and(|job| matches!(job.state, JobState::Starting { .. }))
    }
}

impl Ledger for FakeLedger {
    async fn load(&mut self) -> Result<LedgerState, LedgerError> {
        Ok(self.memory.lock().unwrap().open_state())
    }

    async fn commit(&mut self, _now: Timestamp, changes: &[Change]) -> Result<(), LedgerError> {
        match *self.fault.lock().unwrap() {
            None => {}
            Some(Fault::Unavailable) => {
                return Err(LedgerError::Unavailable { source: "the disk is full".into() });
            }
            Some(Fault::Corrupt) => return Err(LedgerError::Corrupt { detail: "torn".into() }),
        }
        Ok(self.memory.lock().unwrap().apply(changes)?)
    }

    fn may_act(&self) -> bool {
        !self.is_doubtful.load(Ordering::SeqCst)
    }
}

/// Tokio's clock, which a test can set back.
#[derive(Clone)]
pub(crate) struct TestClock {
    base: AcceleratedClock,
    set_back_by: Arc<Mutex<SignedDuration>>,
}

impl TestClock {
    pub(crate) fn set_back(&self, by: SignedDuration) {
        *self.set_back_by.lock().unwrap() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.base.now() - *self.set_back_by.lock().unwrap()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let back = *self.set_back_by.lock().unwrap();
        self.base.sleep_until(at + back).await;
    }
}

/// A driver, its world and its ledger.
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) ledger: FakeLedger,
    pub(crate) clock: TestClock,
    pub(crate) health: Health,
    pub(crate) stop: CancellationToken,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let epoch = "2026-01-01T12:00:00Z".parse().unwrap();
        let clock = TestClock {
            base: AcceleratedClock::start(std::num::NonZeroU32::MIN, epoch),
            set_back_by: Arc::default(),
        };
        let memory = MemoryLedger::new(LedgerId::from_uuid(Uuid::from_u128(7)));
        let ledger = FakeLedger {
            memory: Arc::new(Mutex::new(memory)),
            fault: Arc::default(),
            is_doubtful: Arc::default(),
        };
        let state = State { tasks_exit: true, ..State::default() };
        let world = World {
            state: Arc::new(Mutex::new(state)),
            ledger: ledger.clone(),
            clock: clock.clone(),
        };
        let (health, stop) = (Health::new(), CancellationToken::new());
        Self { world, ledger, clock, health, stop }
    }

    /// The same world after a stop.
    pub(crate) fn with_new_stop(self) -> Self {
        Self { stop: CancellationToken::new(), ..self }
    }

    /// Starts a dispatcher.
    pub(crate) fn start(&self) -> JoinHandle<Result<Stopped, DriverError>> {
        let world = Arc::new(self.world.clone());
        let ports = Ports {
            jobs: Arc::clone(&world),
            events: Arc::clone(&world),
            compute: Arc::clone(&world),
            cluster: Arc::clone(&world),
            prices: world,
        };
        let config =
            EngineConfig { queues: vec!["default".parse().unwrap()], ..EngineConfig::default() };
        let (ledger, clock) = (self.ledger.clone(), self.clock.clone());
        tokio::spawn(driver::run(
            ports,
            ledger,
            config,
            clock,
            self.stop.clone(),
            self.health.clone(),
        ))
    }

    /// Lets time pass until something is so; gives up after an hour of it.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..36_000 {
            if is_so(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let calls = self.world.state().calls.clone();
        panic!("it never came to this: {what}; calls: {calls:?}");
    }
}

pub(crate) fn job_id(token: &str) -> JobId {
    JobId::derive(&"default".parse().unwrap(), token)
}

/// A message for a job of 1 vCPU and 1 GiB.
pub(crate) fn message(token: &str) -> String {
    format!(
        r#"{{"jobName":"{token}","jobQueue":"default","jobDefinition":{{"type":"container","containerProperties":
        {{"image":"busybox","command":["true"],"resourceRequirements":[{{"type":"VCPU","value":"1"}},
        {{"type":"MEMORY","value":"1024"}}]}}}},"spillway":{{"clientToken":"{token}"}}}}"#
    )
}

pub(crate) async fn secs(n: u64) {
    tokio::time::sleep(Duration::from_secs(n)).await;
}
