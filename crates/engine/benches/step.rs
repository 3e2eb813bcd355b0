//! What one step costs while a hundred thousand jobs wait: it must not depend on how many do.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use spillway_core::effect::Receipt;
use spillway_core::id::LedgerId;
use spillway_core::input::{Delivery, EventDelivery};
use spillway_core::message::{self, SimpleJob};
use spillway_core::task::{CloudEvent, TaskReport, TaskStatus};
use spillway_core::{
    Answer, Arch, ArchRule, Catalog, CpuUnits, Hazard, Input, LedgerState, Market, MarketRule, MiB,
    MicroUsdPerHour, Offering, PoolId, Resources,
};
use spillway_engine::{Engine, EngineConfig};
use uuid::Uuid;

const N_WAITING: u32 = 100_000;
/// Jobs come in so many shapes.
const N_SHAPES: u32 = 50;
const HOSTS_MAX: u32 = 100;

fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn catalog() -> Catalog {
    let sizes = [("large", 2), ("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16)];
    let offering = |(size, vcpus): (&str, u32)| Offering {
        pool: PoolId {
            instance_type: format!("c5.{size}"),
            zone: "us-east-1a".parse().expect("it is a zone"),
            market: Market::OnDemand,
        },
        arch: Arch::X86_64,
        gpu: None,
        capacity: Resources::new(CpuUnits::from_vcpus(vcpus), MiB::from_gib(2 * vcpus), 0),
        price: MicroUsdPerHour::new(42_500 * u64::from(vcpus)),
        hazard: Hazard::NEVER,
    };
    Catalog::new(now(), sizes.map(offering).to_vec())
}

fn delivery(n: u32) -> Delivery {
    let shape = n % N_SHAPES;
    let job = SimpleJob {
        name: "bench".parse().expect("it is a name"),
        queue: "default".parse().expect("it is a name"),
        image: "busybox".into(),
        command: vec!["sh".into(), "-c".into(), "true".into()],
        environment: vec![("SAMPLE".into(), n.to_string())],
        resources: Resources::new(
            CpuUnits::from_milli_ceil(250 + 50 * (shape % 10)),
            MiB::new(256 + 128 * (shape / 10)),
            0,
        ),
        arch: ArchRule::X86_64,
        gpu_kinds: Vec::new(),
        market: MarketRule::Any,
        attempts: Some(3),
        attempt_timeout: None,
        expected_duration: None,
        patience: None,
        deadline: None,
        client_token: Some(n.to_string()),
        tags: std::collections::BTreeMap::new(),
        array: None,
        depends_on: Vec::new(),
        scheduling: spillway_core::Scheduling::default(),
    };
    Delivery {
        message_id: n.to_string(),
        receipt: Receipt(n.to_string()),
        body: message::submit(&job).to_string(),
        sent_at: None,
        sender: None,
    }
}

fn receive(engine: &mut Engine, first: u32, count: u32) {
    let batch = (first..first + count).map(delivery).collect();
    let _ = black_box(engine.step(now(), Input::Received(batch)));
}

/// An engine with so many jobs waiting, which may buy so many hosts. No plan is due: time stands still after the first
/// arrival.
fn engine(n_waiting: u32, hosts_max: u32) -> Engine {
    let mut config = EngineConfig {
        queues: vec!["default".parse().expect("it is a name")],
        ..EngineConfig::default()
    };
    config.limits.hosts_max = Some(hosts_max);
    let ledger = LedgerState::new(LedgerId::from_uuid(Uuid::from_u128(7)));
    let mut engine = Engine::new(config, ledger, now());
    let _ = black_box(engine.step(now(), Input::Tick));
    let _ =
        black_box(engine.step(now(), Input::Answered(Answer::Catalog { result: Ok(catalog()) })));
    for first in (0..n_waiting).step_by(1_000) {
        receive(&mut engine, first, 1_000);
    }
    engine
}

fn foreign_event() -> Input {
    let report = TaskReport {
        arn: "arn:aws:ecs:us-east-1:1:task/c/foreign".parse().expect("it is an ARN"),
        started_by: Some("ecs-svc/1".into()),
        container_instance: None,
        version: 1,
        status: TaskStatus::Running,
        started_at: None,
        stopped_at: None,
        exit_code: None,
        stop_code: None,
        stopped_reason: None,
        container_reason: None,
        containers: Vec::new(),
    };
    let event = Some(CloudEvent::Task { report });
    Input::Events(vec![EventDelivery { receipt: Receipt("e".into()), event }])
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    for n_waiting in [0, N_WAITING] {
        let mut waiting = engine(n_waiting, HOSTS_MAX);
        group.bench_function(format!("tick, {n_waiting} waiting"), |b| {
            b.iter(|| black_box(waiting.step(now(), Input::Tick)));
        });
        group.bench_function(format!("event, {n_waiting} waiting"), |b| {
            b.iter_batched(
                foreign_event,
                |event| black_box(waiting.step(now(), event)),
                BatchSize::SmallInput,
            );
        });
        let mut next = n_waiting;
        group.bench_function(format!("ten messages, {n_waiting} waiting"), |b| {
            b.iter_batched(
                || {
                    next += 10;
                    Input::Received((next - 10..next).map(delivery).collect())
                },
                |input| black_box(waiting.step(now(), input)),
                BatchSize::SmallInput,
            );
        });
    }
    group.sample_size(10);
    let later = now() + jiff::SignedDuration::from_secs(20);
    for hosts_max in [0, HOSTS_MAX] {
        let name = format!("plan, {N_WAITING} waiting, {hosts_max} hosts may be bought");
        group.bench_function(name, |b| {
            b.iter_batched(
                || engine(N_WAITING, hosts_max),
                // Given back with the step, so that taking it down is not measured.
                |mut engine| (black_box(engine.step(later, Input::Tick)), engine),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
