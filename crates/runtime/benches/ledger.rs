//! What the ledger costs: a commit of a full step of new jobs, and a start from many.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot begin must say so"
)]

use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use spillway_core::port::Ledger;
use spillway_core::{Change, Input, LedgerState};
use spillway_engine::{Engine, EngineConfig};
use spillway_runtime::SqliteLedger;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

#[path = "../tests/ledger/sample.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod sample;

use sample::{add, at, job, moved, running, succeeded};

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime starts")
}

fn add_jobs(from: u64, n: u64) -> Vec<Change> {
    (from..from + n).map(|n| add(&job(n))).collect()
}

fn open(path: &Path) -> SqliteLedger {
    SqliteLedger::open(path).expect("the ledger opens")
}

fn commit(runtime: &Runtime, ledger: &mut SqliteLedger, changes: &[Change]) {
    runtime.block_on(ledger.commit(at(0), changes)).expect("it is written");
}

fn commits(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = TempDir::new().expect("there is room");
    let mut ledger = open(&folder.path().join("ledger.db"));
    let mut next = 0;
    criterion.bench_function("commit 1,000 new jobs", |bencher| {
        let setup = || {
            next += 1_000;
            add_jobs(next - 1_000, 1_000)
        };
        let routine = |changes: Vec<Change>| commit(&runtime, &mut ledger, &changes);
        bencher.iter_batched(setup, routine, BatchSize::PerIteration);
    });
    let mut at_job = 0;
    criterion.bench_function("commit one move", |bencher| {
        let setup = || {
            at_job = (at_job + 1) % next;
            [moved(at_job, running(1), None)]
        };
        let routine = |changes: [Change; 1]| commit(&runtime, &mut ledger, &changes);
        bencher.iter_batched(setup, routine, BatchSize::PerIteration);
    });
}

fn loads(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = TempDir::new().expect("there is room");
    let mut load = |name: &str, path: &str, ended: bool| {
        let mut ledger = open(&folder.path().join(path));
        for from in (0..100_000).step_by(1_000) {
            commit(&runtime, &mut ledger, &add_jobs(from, 1_000));
            if ended {
                let ends: Vec<Change> = (from..from + 1_000).map(succeeded).collect();
                commit(&runtime, &mut ledger, &ends);
            }
        }
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let state: LedgerState =
                    runtime.block_on(ledger.load()).expect("the ledger is read");
                black_box(state)
            });
        });
    };
    load("load 100,000 waiting jobs", "waiting.db", false);
    load("load 100,000 ended jobs", "ended.db", true);
}

/// As a dispatcher does it when it starts: the file is opened, read, and made the control loop's memory, up to its first step.
fn starts(criterion: &mut Criterion) {
    let runtime = runtime();
    let folder = TempDir::new().expect("there is room");
    let path = folder.path().join("million.db");
    let mut ledger = open(&path);
    for from in (0..1_000_000).step_by(10_000) {
        commit(&runtime, &mut ledger, &add_jobs(from, 10_000));
    }
    drop(ledger);
    criterion.bench_function("start with 1,000,000 waiting jobs", |bencher| {
        bencher.iter(|| {
            let mut ledger = open(&path);
            let state = runtime.block_on(ledger.load()).expect("the ledger is read");
            let mut engine = Engine::new(EngineConfig::default(), state, at(0));
            drop(black_box(engine.step(at(0), Input::Tick)));
            engine
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = commits, loads, starts
}
criterion_main!(benches);
