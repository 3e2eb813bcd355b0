//! What it costs to ask the planner with a thousand busy hosts and up to a million jobs in line: it must not depend on how many
//! wait, only on how many kinds of them do.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use spillway_core::id::LedgerId;
use spillway_core::job::{BodyHash, LiveAttempt};
use spillway_core::message::{self, Request, SimpleJob};
use spillway_core::{
    Arch, ArchRule, AttemptOrd, Catalog, CpuUnits, Hazard, Host, HostId, HostState, Instance, Job,
    JobId, JobSpec, JobState, KindHistory, KindId, LaunchId, LedgerState, Market, MarketRule, MiB,
    MicroUsdPerHour, Offering, PoolId, Resources, kind_name,
};
use spillway_engine::{Engine, EngineConfig};
use uuid::Uuid;

const N_HOSTS: u32 = 1_000;
const RUNS_PER_HOST: u32 = 16;
/// Jobs come in so many kinds, each with its shape and history.
const N_KINDS: u32 = 200;

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("it is a time")
}

fn after(secs: u32) -> Timestamp {
    start() + SignedDuration::from_secs(secs.into())
}

fn pool() -> PoolId {
    PoolId {
        instance_type: "m5.8xlarge".into(),
        zone: "us-east-1a".parse().expect("it is a zone"),
        market: Market::Spot,
    }
}

fn capacity() -> Resources {
    Resources::new(CpuUnits::from_vcpus(32), MiB::from_gib(120), 0)
}

/// What the `n`-th job is: as a message says it, so that it weighs what a real one does.
fn spec(n: u32) -> JobSpec {
    let kind = n % N_KINDS;
    let told = kind.is_multiple_of(4).then(|| SignedDuration::from_secs((60 + n % 1_000).into()));
    let job = SimpleJob {
        name: format!("step-{n}").parse().expect("it is a name"),
        queue: "default".parse().expect("it is a name"),
        image: format!("registry.example.com/pipeline/tool{kind}:1"),
        command: vec!["sh".into(), "-c".into(), format!("run --sample {n}")],
        environment: vec![("SAMPLE".into(), n.to_string())],
        resources: Resources::new(
            CpuUnits::from_milli_ceil(250 + 50 * (kind % 20)),
            MiB::new(256 + 128 * (kind / 20)),
            0,
        ),
        arch: ArchRule::X86_64,
        gpu_kinds: Vec::new(),
        market: MarketRule::Any,
        attempts: Some(3),
        attempt_timeout: None,
        expected_duration: told,
        patience: kind.is_multiple_of(10).then(|| SignedDuration::from_hours(1)),
        deadline: None,
        client_token: Some(n.to_string()),
        tags: std::collections::BTreeMap::new(),
        array: None,
        depends_on: Vec::new(),
        scheduling: spillway_core::Scheduling::default(),
    };
    let parsed = message::parse(&message::submit(&job).to_string()).expect("it is a message");
    match parsed.request {
        Request::Submit { spec, .. } => *spec,
        Request::Cancel { .. }
        | Request::Terminate { .. }
        | Request::Register { .. }
        | Request::Deregister { .. }
        | Request::Schedule(_)
        | Request::Pause { .. } => unreachable!("it submits"),
    }
}

fn job(n: u32, state: JobState) -> Job {
    let spec = spec(n);
    Job {
        id: JobId::derive(&spec.queue, &n.to_string()),
        spec: Arc::new(spec),
        body_hash: BodyHash(n.into()),
        created_at: after(n % 600),
        seq: n.into(),
        state,
        attempts: Vec::new(),
        warnings: Vec::new(),
    }
}

/// A ledger of a thousand hosts, each with its runs, and so many jobs in line.
fn ledger(n_waiting: u32) -> LedgerState {
    let mut state = LedgerState::new(LedgerId::from_uuid(Uuid::from_u128(7)));
    let launch = LaunchId::derive(state.ledger, 0);
    for ord in 0..N_HOSTS {
        let id = HostId::derive(launch, ord);
        let name = format!("i-{ord:017x}").parse().expect("it is an id");
        let arn = format!("arn:aws:ecs:us-east-1:1:container-instance/c/{ord}");
        state.hosts.push(Host {
            id,
            launch: Some(launch),
            pool: pool(),
            arch: Arch::X86_64,
            gpu: None,
            price: MicroUsdPerHour::new(600_000),
            capacity: capacity(),
            hazard: Hazard::NEVER,
            reserved: Vec::new(),
            on_demand_price: None,
            registered_at: None,
            drained_at: None,
            state: HostState::Registered {
                instance: Instance { id: name, launched_at: start() },
                container_instance: arn.parse().expect("it is an ARN"),
                at: start(),
            },
        });
        for run in 0..RUNS_PER_HOST {
            let n = ord * RUNS_PER_HOST + run;
            let attempt = LiveAttempt {
                awaits_main: false,
                ord: AttemptOrd::FIRST,
                host: id,
                placed_at: after(n % 500),
                task: None,
                task_version: 0,
                stop: None,
                expected: None,
            };
            state.jobs.push(job(n, JobState::Running { attempt, started_at: after(n % 500) }));
        }
    }
    let n_running = N_HOSTS * RUNS_PER_HOST;
    for n in n_running..n_running + n_waiting {
        state.jobs.push(job(n, JobState::Runnable { since: after(n % 600) }));
    }
    for n in 0..N_KINDS {
        let spec = spec(n);
        let mut known = KindHistory {
            name: kind_name(&spec),
            last_ended: start(),
            took: spillway_core::Durations::default(),
            took_of_told: spillway_core::Durations::default(),
        };
        for ended in 0..200 {
            known.took.ended(10 + n * 3 + ended * ended);
            known.took_of_told.ended(500 + ended * 7);
        }
        state.history.kinds.insert(KindId::of(&spec), known);
    }
    state
}

fn catalog() -> Catalog {
    let offering = Offering {
        pool: pool(),
        arch: Arch::X86_64,
        gpu: None,
        capacity: capacity(),
        price: MicroUsdPerHour::new(600_000),
        hazard: Hazard::NEVER,
    };
    Catalog::new(start(), vec![offering])
}

/// What this process holds in memory, in MiB; nothing where the system does not say.
fn resident_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

#[expect(clippy::print_stderr, reason = "memory is measured beside the time")]
fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("question");
    group.sample_size(20);
    for n_waiting in [0, 100_000, 1_000_000] {
        let now = after(900);
        let queues = vec!["default".parse().expect("it is a name")];
        let config = EngineConfig { queues, ..EngineConfig::default() };
        let engine = Engine::new(config, ledger(n_waiting), now).with_prices(catalog(), now);
        if let Some(mib) = resident_mib() {
            let n_demands = engine.plan_input(now).demands.len();
            eprintln!("{n_waiting} waiting: {mib} MiB resident, {n_demands} demands");
        }
        group.bench_function(format!("{N_HOSTS} hosts, {n_waiting} waiting"), |b| {
            b.iter(|| black_box(engine.plan_input(now)));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
