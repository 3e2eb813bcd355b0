//! What a list costs over a ledger of a million jobs, one of which is an array of a million children.
//!
//! The ledger is made first, which takes a minute; `SPILLWAY_BENCH_JOBS` makes it smaller. With `SPILLWAY_BENCH_LEDGER=FILE` it
//! is made there, kept, and taken again, for `spillway jobs list --ledger FILE` too.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot begin must say so"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::SignedDuration;
use spillway_core::array::Indexes;
use spillway_core::job::{Job, JobStatus};
use spillway_core::port::{Ledger, LedgerReader};
use spillway_core::{ArraySpec, Change, Glob, JobFilter, JobId, JobState, TimeRange};
use spillway_runtime::{SqliteLedger, SqliteReader};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

#[path = "../tests/ledger/sample.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod sample;

use sample::{add, at, attempt, job, job_id, running, with_spec};

/// So many changes are one commit.
const CHANGES: usize = 20_000;

fn n_jobs() -> u32 {
    std::env::var("SPILLWAY_BENCH_JOBS").map_or(1_000_000, |n| n.parse().expect("a number"))
}

/// One job in ten seconds, of many names, in ten queues, with a tag that most share and one that few do.
fn varied(n: u64) -> Job {
    let mut job = with_spec(job(n), |spec| {
        let stem = if n.is_multiple_of(3) { "align" } else { "call" };
        spec.name = format!("{stem}-{n}").parse().unwrap();
        spec.queue = format!("queue-{}", n % 10).parse().unwrap();
        spec.definition = stem.parse().ok();
        spec.tags.insert("run".into(), (n / 100).to_string());
    });
    job.created_at = at(i64::try_from(n * 10).unwrap());
    job
}

/// Of a hundred, ninety succeed, five fail, and five wait.
fn end(id: JobId, n: u64, created: i64) -> Option<Change> {
    let at = at(created) + SignedDuration::from_mins(5);
    let reason = || format!("Host EC2 (instance i-{:017x}) terminated.", n % 1_000);
    let state = match n % 100 {
        0..90 => Some(JobState::Succeeded { at }),
        90..95 => Some(JobState::Failed { at, reason: reason() }),
        _ => None,
    };
    state.map(|state| Change::MoveJob { id, state, ended: Some(Box::new(attempt(1))) })
}

fn commit_all(runtime: &Runtime, ledger: &mut SqliteLedger, changes: impl Iterator<Item = Change>) {
    let mut batch = Vec::with_capacity(CHANGES);
    for change in changes {
        batch.push(change);
        if batch.len() == CHANGES {
            runtime.block_on(ledger.commit(at(0), &batch)).expect("it is written");
            batch.clear();
        }
    }
    runtime.block_on(ledger.commit(at(0), &batch)).expect("it is written");
}

fn make(path: &Path) {
    let runtime = Builder::new_current_thread().build().expect("a runtime starts");
    let mut ledger = SqliteLedger::open(path).expect("the ledger opens");
    let n = u64::from(n_jobs());
    let created = |n: u64| i64::try_from(n * 10).unwrap();
    let jobs =
        (0..n).flat_map(|n| [Some(add(&varied(n))), end(job_id(n), n, created(n))]).flatten();
    commit_all(&runtime, &mut ledger, jobs);
    let mut array = with_spec(job(n), |spec| {
        let indexes = Indexes::of_size(n_jobs());
        spec.array = Some(ArraySpec { indexes, max_concurrency: None, sequential: false });
    });
    array.state = JobState::Pending;
    let children = (0..n_jobs()).flat_map(|index| {
        let id = job_id(n).child(index);
        let add = Change::AddChild { id, state: running(1) };
        [Some(add), end(id, u64::from(index), 0)].into_iter().flatten()
    });
    commit_all(&runtime, &mut ledger, std::iter::once(add(&array)).chain(children));
}

fn lists(criterion: &mut Criterion) {
    let folder = TempDir::new().expect("there is room");
    let kept = std::env::var("SPILLWAY_BENCH_LEDGER").ok().map(PathBuf::from);
    let path = kept.unwrap_or_else(|| folder.path().join("ledger.db"));
    if !path.exists() {
        make(&path);
    }
    let reader = SqliteReader::open(&path).expect("the ledger opens");
    let array = Some(job_id(u64::from(n_jobs())));
    let page = || JobFilter { limit: 50, ..JobFilter::default() };
    let middle = job_id(u64::from(n_jobs() / 2));
    let failed = || vec![JobStatus::Failed];
    let cases = [
        ("the newest", page()),
        ("from the middle on", JobFilter { after: Some(middle), ..page() }),
        ("what failed", JobFilter { statuses: failed(), ..page() }),
        ("a name that is there once", JobFilter { name: Some(Glob::new("align-3")), ..page() }),
        ("a name that is not there", JobFilter { name: Some(Glob::anywhere("nobody")), ..page() }),
        ("a tag of few", JobFilter { tags: vec!["run=7".parse().unwrap()], ..page() }),
        (
            "all conditions, and nothing meets them",
            JobFilter {
                queue: "queue-3".parse().ok(),
                statuses: failed(),
                name: Some(Glob::new("align-*")),
                tags: vec!["team=genomics".parse().unwrap(), "run".parse().unwrap()],
                definition: "align".parse().ok(),
                submitted: TimeRange { from: Some(at(0)), until: None },
                ended: TimeRange { from: Some(at(0)), until: None },
                reason: Some(Glob::new("nothing")),
                ..page()
            },
        ),
        (
            "two tags that all have, and a name that none has",
            JobFilter {
                tags: vec!["team=genomics".parse().unwrap(), "run".parse().unwrap()],
                name: Some(Glob::new("[0-9]*")),
                ..page()
            },
        ),
        ("children", JobFilter { array, ..page() }),
        ("children that failed", JobFilter { array, statuses: failed(), ..page() }),
        (
            "children that failed for no reason there is",
            JobFilter { array, statuses: failed(), reason: Some(Glob::new("x")), ..page() },
        ),
    ];
    for (name, filter) in cases {
        criterion.bench_function(&format!("list {name}"), |bencher| {
            bencher.iter(|| black_box(reader.jobs(&filter).expect("the ledger is read")));
        });
    }
    criterion.bench_function("count by status", |bencher| {
        bencher.iter(|| black_box(reader.job_counts().expect("the ledger is read")));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = lists
}
criterion_main!(benches);
