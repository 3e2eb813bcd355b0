//! What it costs to ask the planner with a thousand busy hosts and up to a million jobs in line: it must not depend on how many
//! wait, only on how many kinds of them do.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

#[path = "../../planner/benches/shared/cpu.rs"]
mod cpu;
#[path = "shared/world.rs"]
mod world;

use std::cell::{RefCell, RefMut};
use std::hint::black_box;

use cpu::CpuTime;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use spillway_core::Input;
use spillway_core::effect::Receipt;
use spillway_core::input::{Delivery, EventDelivery};
use spillway_core::task::CloudEvent;
use spillway_engine::Engine;
use world::{Layout, N_HOSTS, after, catalog, delivery, end_of, ledger};

/// The one that the dispatcher has, see the `spillway` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What this process holds in memory, in MiB; nothing where the system does not say.
fn resident_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

fn ended(layout: Layout, n: u32) -> Input {
    let event = Some(CloudEvent::Task { report: end_of(layout, n) });
    Input::Events(vec![EventDelivery { receipt: Receipt("e".into()), event }])
}

/// A control loop whose clock goes from one thing that happens to the next.
struct Loop {
    engine: Engine,
    now: Timestamp,
    layout: Layout,
    n_came: u32,
    n_ended: u32,
    n_effects: usize,
}

impl Loop {
    /// One that has made its first plans: what it starts and buys has been sent and is not answered.
    fn new(layout: Layout, n_waiting: u32, hosts_max: u32) -> Self {
        let now = after(900);
        let engine = Engine::new(layout.config(hosts_max), ledger(layout, n_waiting), now);
        let engine = engine.with_prices(catalog(), now);
        let n_came = 2 * n_waiting + 1_000_000;
        let mut world = Self { engine, now, layout, n_came, n_ended: 0, n_effects: 0 };
        for _ in 0..3 {
            world.plan();
        }
        world
    }

    /// A second later, when the jobs that came have been gathered, a plan is made.
    fn plan(&mut self) {
        self.now += SignedDuration::from_secs(1);
        let step = black_box(self.engine.step(self.now, Input::Tick));
        self.n_effects += step.effects.len();
    }

    fn one_came(&mut self, delivery: Delivery) {
        let _ = black_box(self.engine.step(self.now, Input::Received(vec![delivery])));
        self.plan();
    }

    fn one_ended(&mut self, event: Input) {
        let step = black_box(self.engine.step(self.now, event));
        self.n_effects += step.effects.len();
        self.plan();
    }

    fn next_delivery(&mut self) -> Delivery {
        self.n_came += 1;
        delivery(self.layout, self.n_came)
    }

    fn next_end(&mut self) -> Input {
        self.n_ended += 1;
        ended(self.layout, self.n_ended)
    }
}

/// What the question alone costs. A world is only made if it is measured.
#[expect(clippy::print_stderr, reason = "memory is measured beside the time")]
fn questions(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("question");
    group.sample_size(20);
    for layout in [Layout::Plain, Layout::Shared] {
        for n_waiting in [0, 100_000, 1_000_000] {
            let now = after(900);
            let mut made = None;
            let name = format!("{layout:?}, {N_HOSTS} hosts, {n_waiting} waiting");
            group.bench_function(&name, |b| {
                let engine = made.get_or_insert_with(|| {
                    let config = layout.config(2 * N_HOSTS);
                    let engine = Engine::new(config, ledger(layout, n_waiting), now);
                    engine.with_prices(catalog(), now)
                });
                b.iter(|| black_box(engine.plan_input(now)));
            });
            if let (Some(engine), Some(mib)) = (made, resident_mib()) {
                let n_demands = engine.plan_input(now).demands.len();
                eprintln!("{name}: {mib} MiB resident, {n_demands} demands");
            }
        }
    }
    group.finish();
}

/// All that happens when one job comes or ends: the message or event, the question, the plan, and what follows from it.
fn replans(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("re-plan");
    group.sample_size(20);
    for layout in [Layout::Plain, Layout::Shared] {
        for n_waiting in [100_000, 1_000_000] {
            for (state, hosts_max) in [("at a limit", N_HOSTS), ("with hosts to buy", 2 * N_HOSTS)]
            {
                let name = format!("{layout:?}, {n_waiting} waiting, {state}");
                // Each has a world of its own: one in which five hundred jobs have come and nothing was answered is another one.
                let made: RefCell<Option<Loop>> = RefCell::new(None);
                let world = || {
                    RefMut::map(made.borrow_mut(), |made| {
                        made.get_or_insert_with(|| Loop::new(layout, n_waiting, hosts_max))
                    })
                };
                group.bench_function(format!("{name}, one came"), |b| {
                    b.iter_batched(
                        || world().next_delivery(),
                        |delivery| world().one_came(delivery),
                        BatchSize::PerIteration,
                    );
                });
                made.replace(None);
                group.bench_function(format!("{name}, one ended"), |b| {
                    b.iter_batched(
                        || world().next_end(),
                        |event| world().one_ended(event),
                        BatchSize::PerIteration,
                    );
                });
                let was_used = made.borrow().as_ref().is_none_or(|world| 0 < world.n_effects);
                assert!(was_used, "{name}: what came free was used");
            }
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = questions, replans
}
criterion_main!(benches);
