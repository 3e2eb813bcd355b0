//! Any sequence of commits, good and bad, leaves the ledger in the file as it leaves the one in memory.

use proptest::prelude::*;
use spillway_core::job::JobStatus;
use spillway_core::port::{JobFilter, Ledger, LedgerReader};
use spillway_core::{
    Change, Glob, HostState, Job, JobState, KindId, LedgerState, Market, TimeRange,
};
use tokio::runtime::Builder;

use crate::contract::Subject;
use crate::sample::{
    add, add_child, array, at, attempt, cool, end_children, gone, job, job_id, learn, move_child,
    moved, open, pause, put_boots, put_host, put_kind, put_launch, put_spot, registered, running,
    settled, spend, use_share,
};
use crate::subjects::{Copy, InFile, InJournal, InMemory};
use crate::table::MemoryTable;

/// A job behind all arrays and their children: no two have one number.
fn single(n: u64) -> Job {
    Job { seq: 1_000 + n, ..job(n) }
}

/// Few of everything, so that most sequences meet something twice.
fn change() -> impl Strategy<Value = Change> {
    let job_n = 0..6_u64;
    let state = (0..5_u8, 1..4_u32).prop_map(|(which, n)| match which {
        0 => JobState::Runnable { since: at(i64::from(n)) },
        1 => running(n),
        2 => JobState::Succeeded { at: at(i64::from(n)) },
        3 => JobState::Failed { at: at(i64::from(n)), reason: "exit 3".into() },
        _ => JobState::Pending,
    });
    let ended = proptest::option::of((1..4_u32).prop_map(attempt));
    let host_state = (0..3_u8).prop_map(|which| match which {
        0 => HostState::Requested,
        1 => registered(),
        _ => gone(),
    });
    let market = any::<bool>().prop_map(|b| if b { Market::Spot } else { Market::OnDemand });
    let child_state = state.clone();
    let child = (0..2_u64, 0..6_u32);
    prop_oneof![
        1 => (0..2_u64).prop_map(|n| add(&array(10 * n))),
        2 => (child.clone(), child_state.clone())
            .prop_map(|((n, ord), state)| add_child(10 * n, ord, state)),
        3 => (child.clone(), child_state, proptest::option::of((1..4_u32).prop_map(attempt)))
            .prop_map(|((n, ord), state, ended)| move_child(10 * n, ord, state, ended)),
        1 => (child, 0..3_u32).prop_map(|((n, ord), more)| end_children(10 * n, &[(ord, ord + more)])),
        3 => (job_n.clone(), state.clone()).prop_map(|(n, state)| {
            let mut job = single(n);
            job.state = state;
            add(&job)
        }),
        6 => (job_n, state, ended).prop_map(|(n, state, ended)| moved(n, state, ended)),
        2 => (1..5_u128, host_state).prop_map(|(n, state)| put_host(n, state)),
        2 => (1..5_u128, 0..3_i64, any::<bool>()).prop_map(|(n, secs, is_open)| {
            put_launch(n, at(secs), if is_open { open() } else { settled() })
        }),
        1 => (3_000..3_010_u32).prop_map(learn),
        1 => (market, proptest::option::of(0..4_u32)).prop_map(|(m, n)| cool(m, n)),
        1 => (0..3_u8, 1..9_u32).prop_map(|(name, secs)| put_kind(&name.to_string(), secs)),
        1 => (0..3_u8).prop_map(|name| {
            Change::PutKind { kind: KindId::named(&name.to_string()), history: None }
        }),
        1 => (0..9_u64).prop_map(put_spot),
        1 => (1..9_u32).prop_map(put_boots),
        1 => any::<bool>().prop_map(pause),
        1 => proptest::option::of(0..9_u64).prop_map(use_share),
        1 => (proptest::option::of(0..9_u64), 0..2_usize)
            .prop_map(|(micro, which)| spend(micro)[which].clone()),
        1 => (any::<u32>(), any::<u32>()).prop_map(|(a, b)| {
            Change::Counters { n_launches: a.into(), n_jobs: b.into() }
        }),
    ]
}

/// The result of every commit, and all that can be read at the end.
async fn run(
    mut subject: impl Subject,
    commits: &[Vec<Change>],
) -> (Vec<String>, LedgerState, String) {
    // A few jobs to begin with, so that most moves meet one.
    let first = [add(&array(0)), add(&single(1)), add(&single(2))];
    subject.ledger().commit(at(0), &first).await.unwrap();
    let mut results = Vec::new();
    for changes in commits {
        let result = subject.ledger().commit(at(0), changes).await;
        results.push(format!("{result:?}"));
    }
    let mut subject = subject.reopen().await;
    let state = subject.ledger().load().await.unwrap();
    let reader = subject.reader();
    let all = (reader.hosts(true), reader.launches(9), reader.job_counts());
    let children = reader.child_counts(job_id(0));
    let lists: Vec<Vec<Job>> = filters().map(|filter| in_pages(&*reader, &filter)).collect();
    (results, state, format!("{all:#?}{children:#?}{lists:#?}"))
}

/// Jobs and children, all of them and by every condition on what changes about them.
fn filters() -> impl Iterator<Item = JobFilter> {
    let all = || JobFilter { limit: 9, ..JobFilter::default() };
    let (from, until) = (Some(at(50)), Some(at(85)));
    let of_jobs = [
        all(),
        JobFilter { statuses: vec![JobStatus::Failed, JobStatus::Runnable], ..all() },
        JobFilter { ended: TimeRange { from, until }, ..all() },
        JobFilter { reason: Some(Glob::new("Essential*")), ..all() },
        JobFilter { reason: Some(Glob::new("")), tags: vec!["team".parse().unwrap()], ..all() },
    ];
    let of_array = |filter: JobFilter| JobFilter { array: Some(job_id(0)), ..filter };
    of_jobs.into_iter().flat_map(move |filter| [filter.clone(), of_array(filter)])
}

/// The list, which is the same a page at a time.
fn in_pages(reader: &dyn LedgerReader, filter: &JobFilter) -> Vec<Job> {
    let whole = reader.jobs(filter).unwrap();
    let mut paged: Vec<Job> = Vec::new();
    loop {
        let after = paged.last().map(|job| job.id);
        let page = reader.jobs(&JobFilter { after, limit: 2, ..filter.clone() }).unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, whole, "{filter:?}");
    whole
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_in_the_file_is_the_one_in_memory_and_so_is_the_one_in_the_journal(
        commits in proptest::collection::vec(proptest::collection::vec(change(), 0..6), 0..12)
    ) {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();

        let (results, state, all) = runtime.block_on(run(InMemory::new(), &commits));
        let in_file = runtime.block_on(run(InFile::new(), &commits));
        let in_journal = runtime.block_on(async {
            run(InJournal::new(MemoryTable::default(), Copy::MadeAgain).await, &commits).await
        });

        for (results_of, mut loaded, read) in [in_file, in_journal] {
            loaded.ledger = state.ledger;
            prop_assert_eq!(&results_of, &results);
            prop_assert_eq!(&loaded, &state);
            prop_assert_eq!(&read, &all);
        }
    }
}
