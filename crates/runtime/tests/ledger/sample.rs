//! Jobs, hosts and launches for tests, each with a default for everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use spillway_core::array::{self, ArraySpec, Indexes};
use spillway_core::change::Cooldown;
use spillway_core::gang::NodeGroup;
use spillway_core::host::DrainCause;
use spillway_core::job::{BodyHash, ContainerSpec, ExpectedFrom, LiveAttempt};
use spillway_core::launch::PoolChoice;
use spillway_core::schedule::{Firing, Missed, ScheduleSpec};
use spillway_core::{ApprovedBurst, Burst, Gang, GpuKinds, HeldBurst};
use spillway_core::{
    Arch, Attempt, AttemptOrd, Breaker, BreakerId, BreakerState, Change, CpuUnits,
    DefinitionRecord, Durations, Expectation, FailureCategory, Gate, Hazard, Host, HostId,
    HostState, Instance, Job, JobId, JobSpec, JobState, KindHistory, KindId, Launch, LaunchId,
    LaunchState, Market, MiB, MicroUsd, MicroUsdPerHour, Pausable, Payer, PoolId, Resources,
    ScheduleRecord, ShareUse, SpotEvidence,
};
use uuid::Uuid;

/// `secs` after noon.
pub(crate) fn at(secs: i64) -> Timestamp {
    "2026-01-01T12:00:00.123456789Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(secs)
}

pub(crate) fn job_id(n: u64) -> JobId {
    JobId::derive(&"default".parse().unwrap(), &n.to_string())
}

/// The `n`-th job ever: runnable, in queue `default`, with nothing unusual.
pub(crate) fn job(n: u64) -> Job {
    let container = ContainerSpec {
        command: vec!["sh".into(), "-c".into(), "exit 3".into()],
        environment: vec![("A".into(), "1".into())],
        ..ContainerSpec::new("busybox")
    };
    let (name, queue) = (format!("job-{n}").parse().unwrap(), "default".parse().unwrap());
    let resources = Resources::new(CpuUnits::from_vcpus(1), MiB::from_gib(2), 0);
    let spec = JobSpec {
        attempts: 2,
        attempt_timeout: Some(SignedDuration::from_mins(10)),
        tags: BTreeMap::from([("team".to_owned(), "genomics".to_owned())]),
        ..JobSpec::new(name, queue, container, resources)
    };
    Job {
        id: job_id(n),
        spec: Arc::new(spec),
        // Above the largest signed number, so that its sign is tested everywhere.
        body_hash: BodyHash(u64::MAX - n),
        created_at: at(0),
        seq: n,
        state: JobState::Runnable { since: at(0) },
        attempts: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The `n`-th job ever as an array of five children, with indexes 10, 12 and so on.
pub(crate) fn array(n: u64) -> Job {
    let mut job = job(n);
    let mut spec = job.spec.as_ref().clone();
    let indexes = Indexes { first: 10, step: 2.try_into().unwrap(), size: 5 };
    spec.array = Some(ArraySpec { indexes, max_concurrency: 3.try_into().ok(), sequential: false });
    job.spec = Arc::new(spec);
    job.state = JobState::Pending;
    job
}

/// A child of the array with number `n`, as it is with this state.
pub(crate) fn child(n: u64, ord: u32, state: JobState) -> Job {
    array::child_of(&array(n), child_id(n, ord), ord, state)
}

pub(crate) fn child_id(n: u64, ord: u32) -> JobId {
    job_id(n).child(10 + 2 * ord)
}

pub(crate) fn add_child(n: u64, ord: u32, state: JobState) -> Change {
    Change::AddChild { id: child_id(n, ord), state }
}

pub(crate) fn move_child(n: u64, ord: u32, state: JobState, ended: Option<Attempt>) -> Change {
    Change::MoveJob { id: child_id(n, ord), state, ended: ended.map(Box::new) }
}

pub(crate) fn failed() -> JobState {
    JobState::Failed { at: at(80), reason: "not needed".into() }
}

pub(crate) fn end_children(n: u64, runs: &[(u32, u32)]) -> Change {
    Change::EndChildren { array: job_id(n), runs: runs.to_vec(), state: failed() }
}

/// The `n`-th job ever with three nodes, of which node 1 is the main one.
pub(crate) fn gang(n: u64) -> Job {
    with_spec(job(n), |spec| {
        let (container, resources) = (spec.container.clone(), spec.resources);
        let gpu_kinds = GpuKinds::ANY;
        let group = NodeGroup { first: 0, last: 2, container, resources, arch: None, gpu_kinds };
        spec.gang = Some(Arc::new(Gang { main: 1, groups: vec![group] }));
    })
}

pub(crate) fn add_node(n: u64, node: u32, state: JobState) -> Change {
    Change::AddChild { id: job_id(n).node(node), state }
}

pub(crate) fn move_node(n: u64, node: u32, state: JobState, ended: Option<Attempt>) -> Change {
    Change::MoveJob { id: job_id(n).node(node), state, ended: ended.map(Box::new) }
}

/// The job with something else asked for.
pub(crate) fn with_spec(mut job: Job, change: impl FnOnce(&mut JobSpec)) -> Job {
    change(Arc::make_mut(&mut job.spec));
    job
}

/// The job under another name, in another queue.
pub(crate) fn named(job: Job, name: &str, queue: &str) -> Job {
    with_spec(job, |spec| {
        spec.name = name.parse().unwrap();
        spec.queue = queue.parse().unwrap();
    })
}

pub(crate) fn add(job: &Job) -> Change {
    Change::AddJob(Box::new(job.clone()))
}

pub(crate) fn moved(n: u64, state: JobState, ended: Option<Attempt>) -> Change {
    Change::MoveJob { id: job_id(n), state, ended: ended.map(Box::new) }
}

pub(crate) fn succeeded(n: u64) -> Change {
    moved(n, JobState::Succeeded { at: at(90) }, None)
}

pub(crate) fn ord(n: u32) -> AttemptOrd {
    (1..n).fold(AttemptOrd::FIRST, |ord, _| ord.next())
}

pub(crate) fn running(n: u32) -> JobState {
    let attempt = LiveAttempt {
        ord: ord(n),
        host: host_id(1),
        placed_at: at(60),
        task: Some("arn:aws:ecs:us-east-1:1:task/c/7".parse().unwrap()),
        awaits_main: false,
        task_version: 3,
        stop: None,
        expected: Some(expected()),
        shared: None,
        variant: spillway_core::VariantOrd::BASE,
    };
    JobState::Running { attempt, started_at: at(70) }
}

fn expected() -> Expectation {
    Expectation { secs: 600, high_secs: 900, from: ExpectedFrom::ToldCorrected { n: 9 } }
}

pub(crate) fn pool(market: Market) -> PoolId {
    PoolId { instance_type: "c5.large".into(), zone: "us-east-1a".parse().unwrap(), market }
}

pub(crate) fn attempt(n: u32) -> Attempt {
    Attempt {
        ord: ord(n),
        host: host_id(1),
        instance: "i-0123456789abcdef0".parse().unwrap(),
        pool: pool(Market::Spot),
        task: Some("arn:aws:ecs:us-east-1:1:task/c/6".parse().unwrap()),
        placed_at: at(20),
        started_at: Some(at(30)),
        stopped_at: at(50),
        exit_code: Some(3),
        reason: "Essential container in task exited".into(),
        container_reason: None,
        containers: Box::default(),
        failure: Some(FailureCategory::Exit),
        cost: MicroUsd::new(1_234),
        expected: Some(expected()),
        shared: None,
        variant: spillway_core::VariantOrd::BASE,
    }
}

pub(crate) fn launch_id(n: u128) -> LaunchId {
    LaunchId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn host_id(n: u128) -> HostId {
    HostId::from_uuid(Uuid::from_u128(n))
}

pub(crate) fn host(n: u128, state: HostState) -> Host {
    Host {
        id: host_id(n),
        launch: Some(launch_id(1)),
        pool: pool(Market::Spot),
        arch: Arch::X86_64,
        gpu: None,
        price: MicroUsdPerHour::new(30_000),
        extras: MicroUsdPerHour::ZERO,
        capacity: Resources::new(CpuUnits::from_vcpus(2), MiB::new(3_700), 0),
        hazard: Hazard::per_million_hours(70),
        reserved: Vec::new(),
        on_demand_price: None,
        registered_at: None,
        drained_at: None,
        state,
    }
}

pub(crate) fn registered() -> HostState {
    HostState::Registered {
        instance: instance(),
        container_instance: "arn:aws:ecs:us-east-1:1:container-instance/c/1".parse().unwrap(),
        at: at(40),
    }
}

pub(crate) fn gone() -> HostState {
    let (instance, bill) = (Some(instance()), MicroUsd::new(500));
    HostState::Gone { instance, at: at(99), cause: DrainCause::Idle, bill }
}

fn instance() -> Instance {
    Instance { id: "i-0123456789abcdef0".parse().unwrap(), launched_at: at(10) }
}

pub(crate) fn put_host(n: u128, state: HostState) -> Change {
    Change::PutHost(Box::new(host(n, state)))
}

pub(crate) fn launch(n: u128, decided_at: Timestamp, state: LaunchState) -> Launch {
    Launch {
        id: launch_id(n),
        decided_at,
        market: Market::Spot,
        choices: vec![PoolChoice { pool: pool(Market::Spot), price: MicroUsdPerHour::new(30_000) }],
        hosts: vec![host_id(n)],
        state,
    }
}

pub(crate) fn open() -> LaunchState {
    LaunchState::Open { retry_at: at(5), n_failed: 1 }
}

pub(crate) fn settled() -> LaunchState {
    let errors = vec!["InsufficientInstanceCapacity in c5.large/us-east-1a/spot".to_owned()];
    let request_id = Some("59dbff89-35bd-4eac-99ed-be587EXAMPLE".to_owned());
    LaunchState::Settled { at: at(8), n_launched: 1, errors, request_id }
}

pub(crate) fn put_launch(n: u128, decided_at: Timestamp, state: LaunchState) -> Change {
    Change::PutLaunch(Box::new(launch(n, decided_at, state)))
}

pub(crate) fn learn(mib: u32) -> Change {
    let registered = Resources::new(CpuUnits::from_vcpus(2), MiB::new(mib), 0);
    Change::Learn { instance_type: "c5.large".into(), registered }
}

pub(crate) fn cool(market: Market, n_failed: Option<u32>) -> Change {
    let cooldown = n_failed.map(|n_failed| Cooldown { until: at(180), n_failed });
    Change::Cool { pool: pool(market), cooldown }
}

pub(crate) fn put_kind(name: &str, secs: u32) -> Change {
    let mut took = Durations::default();
    took.ended(secs);
    took.cut_short(secs / 2);
    let took_of_told = Durations::default();
    let known = KindHistory { name: name.to_owned(), last_ended: at(90), took, took_of_told };
    Change::PutKind { kind: KindId::named(name), history: Some(Box::new(known)) }
}

pub(crate) fn put_spot(interruptions_milli: u64) -> Change {
    let PoolId { instance_type, zone, market: _ } = pool(Market::Spot);
    let evidence = SpotEvidence { interruptions_milli, host_secs: 7_200, as_of: at(90) };
    Change::PutSpot { instance_type, zone, evidence }
}

pub(crate) fn put_boots(secs: u32) -> Change {
    let mut boots = Durations::default();
    boots.ended(secs);
    Change::PutBoots(boots)
}

pub(crate) fn put_definition(revision: u32, deregistered: bool) -> Change {
    Change::PutDefinition(Box::new(DefinitionRecord {
        name: "align".parse().unwrap(),
        revision,
        token: format!("token-{revision}"),
        registered_at: at(0),
        deregistered_at: deregistered.then(|| at(60)),
        content: Arc::new(serde_json::json!({"jobDefinitionName": "align", "type": "container"})),
    }))
}

pub(crate) fn schedule(name: &str) -> ScheduleRecord {
    let spec = ScheduleSpec {
        name: name.parse().unwrap(),
        expression: "cron(0 2 * * ? *)".parse().unwrap(),
        zone: "Europe/Berlin".parse().unwrap(),
        start: None,
        end: Some(at(86_400)),
        missed: Missed::Once,
        catch_up: SignedDuration::from_hours(1),
        job: Arc::new(serde_json::json!({"jobName": "n", "jobQueue": "default"})),
    };
    let mut record = ScheduleRecord::new(spec, Some("AROAEXAMPLE:s".into()), "t".into(), at(0));
    record.last = Some(Firing { nominal: at(60), job: job_id(0) });
    record
}

pub(crate) fn put_schedule(name: &str) -> Change {
    Change::PutSchedule(Box::new(schedule(name)))
}

/// Pauses or resumes the queue `default`; what was said later counts.
pub(crate) fn pause(is_paused: bool) -> Change {
    let gate = Gate { is_paused, ordered_at: at(i64::from(is_paused)) };
    Change::PutGate { target: Pausable::Queue("default".parse().unwrap()), gate }
}

/// An image that cannot be pulled, or can again.
pub(crate) fn breaker(is_open: bool) -> Change {
    let breaker = Breaker {
        reason: "CannotPullContainerError: not found".into(),
        since: at(30),
        n_failed: 4,
        n_probes: 1,
        ceiling: None,
        state: BreakerState::Open { probe_at: at(630) },
    };
    let target = BreakerId::image("busybox:nope");
    Change::PutBreaker { target, breaker: is_open.then(|| Box::new(breaker)) }
}

/// What the fleet would cost that is held.
pub(crate) fn held() -> HeldBurst {
    HeldBurst { price: MicroUsdPerHour::new(220_000_000), since: at(40) }
}

/// A burst that is held, and another one that is approved.
pub(crate) fn burst() -> Change {
    let before = HeldBurst { price: MicroUsdPerHour::new(90_000_000), since: at(20) };
    let sender = Some("AROAEXAMPLE:s".into());
    let approved = Some(ApprovedBurst { held: before, at: at(30), sender });
    Change::PutBurst(Box::new(Burst { held: Some(held()), approved }))
}

/// What the share `teamA` of the queue `default` has used.
pub(crate) fn use_share(used: Option<u64>) -> Change {
    let (queue, share) = ("default".parse().unwrap(), "teamA".parse().unwrap());
    let used = used.map(|used| ShareUse { used, as_of_sec: at(60).as_second() });
    Change::PutShare { queue, share, used }
}

/// What the share `teamA` of the queue `default` has spent on new year's day, and all together.
pub(crate) fn spend(micro: Option<u64>) -> [Change; 2] {
    let (queue, share) = ("default".parse().unwrap(), "teamA".parse().unwrap());
    let day = jiff::civil::date(2026, 1, 1);
    [Payer::All, Payer::Share { queue, share }].map(|payer| Change::PutSpending {
        day,
        payer,
        spent: micro.map(MicroUsd::new),
    })
}

/// One of everything, in each state that is written differently.
pub(crate) fn one_of_everything() -> Vec<Change> {
    let mut odd = named(job(3), "odd", "other");
    odd.warnings = vec!["jobDefinition.x: unknown key".into()];
    odd.state = JobState::Failed { at: at(0), reason: "too large: memory".into() };
    let [spent_by_all, spent_by_share] = spend(Some(1_234_567));
    vec![
        add(&job(0)),
        add(&job(1)),
        add(&named(job(2), "align", "other")),
        add(&odd),
        moved(1, JobState::Runnable { since: at(50) }, Some(attempt(1))),
        moved(1, running(2), None),
        moved(2, JobState::Succeeded { at: at(90) }, Some(attempt(1))),
        put_host(1, registered()),
        put_host(2, HostState::Requested),
        put_host(3, gone()),
        put_launch(1, at(0), settled()),
        put_launch(2, at(1), open()),
        learn(3_700),
        cool(Market::Spot, Some(2)),
        cool(Market::OnDemand, Some(1)),
        put_kind("definition align", 600),
        put_spot(1_000),
        put_definition(1, false),
        put_definition(1, true),
        put_definition(2, false),
        put_schedule("nightly"),
        put_boots(75),
        add(&array(4)),
        add_child(4, 0, running(1)),
        add_child(4, 1, running(1)),
        move_child(4, 1, JobState::Succeeded { at: at(90) }, Some(attempt(1))),
        end_children(4, &[(3, 4)]),
        pause(true),
        breaker(true),
        burst(),
        use_share(Some(900)),
        spent_by_all,
        spent_by_share,
        Change::Counters { n_launches: 2, n_jobs: 10 },
    ]
}

/// A multi-node job behind that, with nodes in each state that is written differently.
pub(crate) fn one_gang() -> Vec<Change> {
    vec![
        add(&gang(10)),
        moved(10, running(1), None),
        add_node(10, 0, running(1)),
        add_node(10, 2, running(1)),
        move_node(10, 2, JobState::Pending, Some(attempt(1))),
        Change::Counters { n_launches: 2, n_jobs: 14 },
    ]
}
