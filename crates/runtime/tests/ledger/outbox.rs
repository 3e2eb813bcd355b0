//! News of jobs: written with what makes it true, passed on at least once, in order.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use spillway_core::CloudError;
use spillway_core::effect::CallResult;
use spillway_core::job::JobStatus;
use spillway_core::port::{EventSink, Ledger};
use spillway_core::{Change, JobId, JobState};
use spillway_runtime::SqliteLedger;
use spillway_runtime::events::pass_on;
use spillway_runtime::ledger::EventRule;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::sample::{
    add, add_child, array, at, attempt, child_id, end_children, job, job_id, move_child, moved,
    running, succeeded,
};

fn rule(statuses: &[JobStatus], children: bool) -> EventRule {
    EventRule { statuses: statuses.iter().copied().collect::<BTreeSet<_>>(), children }
}

fn open(folder: &TempDir, rule: EventRule) -> SqliteLedger {
    SqliteLedger::open(&folder.path().join("ledger.db")).unwrap().telling(rule)
}

async fn commit(ledger: &mut SqliteLedger, changes: &[Change]) {
    ledger.commit(at(0), changes).await.unwrap();
}

/// Job and status of every event that waits, with its version.
async fn waiting(ledger: &SqliteLedger) -> Vec<(u64, String, String)> {
    let pending = ledger.outbox().pending(100).await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = |detail: &Value| (text(&detail["jobId"]), text(&detail["status"]));
    pending
        .iter()
        .map(|p| (p.version, told(&p.event["detail"])))
        .map(|(version, (job, status))| (version, job, status))
        .collect()
}

#[tokio::test]
async fn what_becomes_of_a_job_is_told_with_the_state_it_had() {
    let folder = TempDir::new().unwrap();
    let mut ledger = open(&folder, rule(&JobStatus::ALL, false));

    commit(&mut ledger, &[add(&job(0))]).await;
    commit(&mut ledger, &[moved(0, running(1), None)]).await;
    let lost = moved(0, JobState::Runnable { since: at(0) }, Some(attempt(1)));
    commit(&mut ledger, &[lost, moved(0, running(2), None), succeeded(0)]).await;

    let id = job_id(0).to_string();
    let of = |version, status: &str| (version, id.clone(), status.to_owned());
    assert_eq!(
        waiting(&ledger).await,
        [
            of(1, "RUNNABLE"),
            of(2, "RUNNING"),
            of(3, "RUNNABLE"),
            of(4, "RUNNING"),
            of(5, "SUCCEEDED")
        ]
    );
    let pending = ledger.outbox().pending(100).await.unwrap();
    let n_attempts =
        pending.iter().map(|p| p.event["detail"]["attempts"].as_array().unwrap().len());
    assert_eq!(n_attempts.collect::<Vec<_>>(), [0, 0, 0, 1, 1], "as far as they had ended by then");
}

#[tokio::test]
async fn that_more_is_known_of_a_job_where_it_is_is_no_news() {
    let folder = TempDir::new().unwrap();
    let mut ledger = open(&folder, rule(&JobStatus::ALL, true));

    let states = [running(1), running(1)];
    let changes = [add(&job(0)), add(&array(4)), add_child(4, 0, running(1))].into_iter();
    let moves =
        states.iter().flat_map(|s| [moved(0, s.clone(), None), move_child(4, 0, s.clone(), None)]);
    commit(&mut ledger, &changes.chain(moves).collect::<Vec<_>>()).await;

    let told: Vec<(String, String)> =
        waiting(&ledger).await.into_iter().map(|(_, job, status)| (job, status)).collect();
    let of = |id: JobId, status: &str| (id.to_string(), status.to_owned());
    let child = child_id(4, 0);
    assert_eq!(
        told,
        [
            of(job_id(0), "RUNNABLE"),
            of(job_id(4), "PENDING"),
            of(child, "RUNNING"),
            of(job_id(0), "RUNNING"),
        ]
    );
}

#[tokio::test]
async fn what_is_refused_is_no_news() {
    let folder = TempDir::new().unwrap();
    let mut ledger = open(&folder, rule(&JobStatus::ALL, false));

    let refused = ledger.commit(at(0), &[add(&job(0)), add(&job(0))]).await;

    assert!(refused.is_err() && waiting(&ledger).await.is_empty());
}

#[tokio::test]
async fn only_the_states_that_are_asked_for_are_told() {
    let folder = TempDir::new().unwrap();
    let mut ledger = open(&folder, rule(&[JobStatus::Succeeded, JobStatus::Failed], false));

    commit(&mut ledger, &[add(&job(0)), moved(0, running(1), None), succeeded(0)]).await;

    let statuses: Vec<String> = waiting(&ledger).await.into_iter().map(|(_, _, s)| s).collect();
    assert_eq!(statuses, ["SUCCEEDED"]);
}

/// A million children that are cancelled are one event, of their array.
#[tokio::test]
async fn an_array_is_told_as_a_whole_unless_its_children_are_asked_for() {
    let changes = [
        add(&array(4)),
        add_child(4, 0, running(1)),
        move_child(4, 0, JobState::Succeeded { at: at(90) }, Some(attempt(1))),
        end_children(4, &[(1, 4)]),
        moved(4, JobState::Failed { at: at(90), reason: "Array Child Job failed".into() }, None),
    ];
    let (one, all) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let mut wholes = open(&one, rule(&JobStatus::ALL, false));
    let mut children = open(&all, rule(&JobStatus::ALL, true));

    commit(&mut wholes, &changes).await;
    commit(&mut children, &changes).await;

    let ids = |waiting: Vec<(u64, String, String)>| waiting.into_iter().map(|(_, id, _)| id);
    let (array, child) = (job_id(4).to_string(), child_id(4, 0).to_string());
    assert_eq!(ids(waiting(&wholes).await).collect::<Vec<_>>(), [&*array, &*array]);
    assert_eq!(
        ids(waiting(&children).await).collect::<Vec<_>>(),
        [&*array, &*child, &*child, &*array]
    );
}

/// Takes events, except when it is told to fail; stops the passing on after so many.
struct Sink {
    taken: Mutex<Vec<Value>>,
    n_calls: AtomicUsize,
    fails_at: usize,
    stop: CancellationToken,
    stop_after: usize,
}

impl EventSink for Sink {
    async fn publish(&self, events: &[String]) -> CallResult<()> {
        let call = self.n_calls.fetch_add(1, Ordering::Relaxed);
        let mut taken = self.taken.lock().unwrap();
        taken.extend(events.iter().map(|event| serde_json::from_str::<Value>(event).unwrap()));
        if self.stop_after <= taken.len() {
            self.stop.cancel();
        }
        if call == self.fails_at {
            let (action, detail) = ("sqs:SendMessage".to_owned(), "lost".to_owned());
            return Err(CloudError::Unsettled { action, detail });
        }
        Ok(())
    }
}

fn sink(fails_at: usize, stop_after: usize) -> Sink {
    let stop = CancellationToken::new();
    Sink { taken: Mutex::default(), n_calls: AtomicUsize::new(0), fails_at, stop, stop_after }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_taken_comes_again_with_the_same_id_also_after_a_crash() {
    let folder = TempDir::new().unwrap();
    let mut ledger = open(&folder, rule(&JobStatus::ALL, false));
    commit(&mut ledger, &[add(&job(0)), add(&job(1))]).await;

    // The answer is lost, and so is the dispatcher.
    let lost = sink(0, 2);
    pass_on(ledger.outbox(), &lost, lost.stop.clone()).await.unwrap();
    drop(ledger);
    let mut ledger = open(&folder, rule(&JobStatus::ALL, false));
    commit(&mut ledger, &[succeeded(0)]).await;
    let good = sink(usize::MAX, 3);
    pass_on(ledger.outbox(), &good, good.stop.clone()).await.unwrap();

    let ids = |sink: &Sink| {
        let taken = sink.taken.lock().unwrap();
        taken.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (lost, good) = (ids(&lost), ids(&good));
    assert_eq!((lost.len(), good.len()), (2, 3));
    assert_eq!(lost, good[..2]);
    assert!(waiting(&ledger).await.is_empty());
}
