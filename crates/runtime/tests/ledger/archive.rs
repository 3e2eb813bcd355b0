//! A ledger out of its file and back: nothing is lost, nothing torn is taken, and what does not hold together is told.

use std::path::{Path, PathBuf};

use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::port::{Ledger, LedgerReader};
use spillway_runtime::ledger::verify::{difference, verify};
use spillway_runtime::ledger::{EventRule, FORMAT, archive};
use spillway_runtime::{SqliteLedger, SqliteReader};
use tempfile::TempDir;

use crate::sample::{add, at, job, one_gang, one_of_everything, succeeded};

/// A ledger with one of everything, also news that waits.
async fn full(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("full.db");
    let rule = EventRule { statuses: JobStatus::ALL.into_iter().collect(), children: true };
    let mut ledger = SqliteLedger::open(&path).unwrap().telling(rule);
    ledger.commit(at(0), &one_of_everything()).await.unwrap();
    ledger.commit(at(1), &one_gang()).await.unwrap();
    path
}

fn exported(path: &Path) -> String {
    let mut text = Vec::new();
    archive::export(path, &mut text).unwrap();
    String::from_utf8(text).unwrap()
}

fn refused(path: &Path, text: &str) -> String {
    let error = archive::import(path, &mut text.as_bytes()).unwrap_err();
    let LedgerError::Corrupt { detail } = error else { panic!("{error:?}") };
    detail
}

#[tokio::test]
async fn what_was_exported_is_imported_whole() {
    let folder = TempDir::new().unwrap();
    let (from, to) = (full(&folder).await, folder.path().join("to.db"));

    let text = exported(&from);
    let n_rows = archive::import(&to, &mut text.as_bytes()).unwrap();

    assert_eq!(usize::try_from(n_rows).unwrap() + 2, text.lines().count());
    assert_eq!(exported(&to), text);
    let state = |path: &Path| SqliteReader::open(path).unwrap().state().unwrap();
    assert_eq!(state(&to), state(&from));
    let mut ledger = SqliteLedger::open(&to).unwrap();
    assert!(!ledger.outbox().pending(9).await.unwrap().is_empty());
    ledger.commit(at(2), &[add(&job(20)), succeeded(20)]).await.unwrap();
}

#[tokio::test]
async fn an_export_is_lines_of_json_with_what_was_json_in_them() {
    let folder = TempDir::new().unwrap();
    let text = exported(&full(&folder).await);

    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], serde_json::json!({"kind": "spillway-ledger", "format": FORMAT}));
    let of_jobs = lines.iter().filter(|line| line["table"] == "jobs");
    let states: Vec<&str> =
        of_jobs.map(|line| line["row"]["state"]["status"].as_str().unwrap()).collect();
    assert_eq!(states.len(), 6);
    assert!(states.contains(&"SUCCEEDED"));
}

#[tokio::test]
async fn a_torn_export_is_refused_wherever_it_is_torn_and_nothing_is_written() {
    let folder = TempDir::new().unwrap();
    let (text, to) = (exported(&full(&folder).await), folder.path().join("to.db"));
    let lines: Vec<&str> = text.lines().collect();

    for n in 0..lines.len() {
        refused(&to, &lines[..n].join("\n"));
    }
    for n in [1, 5, lines.len() - 2] {
        let mut without = lines.clone();
        without.remove(n);
        refused(&to, &without.join("\n"));
    }
    refused(&to, &format!("{text}{}", lines[1]));

    archive::import(&to, &mut text.as_bytes()).unwrap();
}

#[tokio::test]
async fn what_is_not_known_is_refused_and_not_left_out() {
    let folder = TempDir::new().unwrap();
    let (text, to) = (exported(&full(&folder).await), folder.path().join("to.db"));
    let other = |from: &str, into: &str| text.replacen(from, into, 1);

    let table = refused(&to, &other("\"table\":\"jobs\"", "\"table\":\"jobs; DROP TABLE x\""));
    assert!(table.contains("there is no table"), "{table}");
    let column = refused(&to, &other("\"created_at\":", "\"seen_at\":"));
    assert!(column.contains("no column \"seen_at\""), "{column}");
    let kind = refused(&to, &other("spillway-ledger", "photos"));
    assert!(kind.contains("no export of a ledger"), "{kind}");
    let newer = other(&format!("\"format\":{FORMAT}"), "\"format\":99");
    let error = archive::import(&to, &mut newer.as_bytes()).unwrap_err();
    assert!(matches!(error, LedgerError::TooNew { found: 99, .. }), "{error:?}");
}

#[tokio::test]
async fn only_an_empty_ledger_takes_an_import() {
    let folder = TempDir::new().unwrap();
    let from = full(&folder).await;
    let text = exported(&from);

    let error = archive::import(&from, &mut text.as_bytes()).unwrap_err();

    assert!(matches!(error, LedgerError::NotEmpty { .. }), "{error:?}");
    let held = folder.path().join("held.db");
    let _dispatcher = SqliteLedger::open(&held).unwrap();
    let error = archive::import(&held, &mut text.as_bytes()).unwrap_err();
    assert!(matches!(error, LedgerError::Locked { .. }), "{error:?}");
}

/// What an older Spillway exported is brought to the newest format like its file.
#[test]
fn an_export_of_an_older_format_is_taken() {
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("to.db");
    let id = "0123456789abcdef0123456789abcdef";
    let lines = [
        r#"{"kind":"spillway-ledger","format":1}"#.to_owned(),
        format!(
            r#"{{"table":"meta","row":{{"only_row":1,"ledger":"{id}","n_launches":3,"n_jobs":7,"committed_at":null}}}}"#
        ),
        r#"{"n_rows":1}"#.to_owned(),
    ];

    archive::import(&to, &mut lines.join("\n").as_bytes()).unwrap();

    let state = SqliteReader::open(&to).unwrap().state().unwrap();
    assert_eq!((state.n_launches, state.n_jobs), (3, 7));
    assert_eq!(state.ledger.uuid().simple().to_string(), id);
}

#[tokio::test]
async fn a_ledger_that_holds_together_is_found_well() {
    let folder = TempDir::new().unwrap();
    let path = full(&folder).await;

    let verified = verify(&path).unwrap();

    assert_eq!(verified.flaws, []);
    assert!(40 < verified.n_rows, "{}", verified.n_rows);
}

/// Every rule finds what it is for.
#[tokio::test]
async fn what_does_not_hold_together_is_told() {
    let vandals = [
        ("DELETE FROM specs WHERE seq = 0", "a job has no record of what it is"),
        ("DELETE FROM jobs WHERE seq = 0", "what a job is belongs to no job"),
        ("DELETE FROM jobs WHERE seq = 0", "a tag belongs to no job"),
        ("INSERT INTO arrays VALUES (77, 0, 1, 5)", "an array belongs to no job"),
        ("INSERT INTO gangs VALUES (77, 5)", "a group of nodes belongs to no job"),
        (
            "UPDATE children SET ord = 5 WHERE seq = 4 AND ord = 0",
            "a child or node is none of its job",
        ),
        ("UPDATE child_runs SET last = 5", "children that ended together are none of their array"),
        (
            "INSERT INTO child_runs SELECT seq, 4, 4, state FROM child_runs",
            "children ended together twice",
        ),
        ("UPDATE child_runs SET first = 1", "a child has a record and ended without one"),
        ("UPDATE attempts SET seq = 99 WHERE seq = 1", "an attempt belongs to no job"),
        (
            "UPDATE jobs SET last_attempt = 7 WHERE seq = 1",
            "the newest attempt of a job is not the one it names",
        ),
        (
            "UPDATE children SET last_attempt = 7",
            "the newest attempt of a child is not the one it names",
        ),
        ("UPDATE jobs SET status = 'FAILED' WHERE seq = 2", "a job's status is not its state's"),
        ("UPDATE children SET status = 'FAILED'", "a child's status is not its state's"),
        ("UPDATE jobs SET ended = 1 WHERE seq = 0", "the end of a job is not its state's"),
        ("UPDATE meta SET n_jobs = 4", "the number of jobs is less than there are"),
        ("UPDATE meta SET n_launches = 1", "the number of launches is less than there are"),
        ("UPDATE meta SET n_events = 1", "an event that was not passed on has no number"),
        ("UPDATE hosts SET host = '{}'", "hosts.host cannot be read"),
    ];
    for (sql, what) in vandals {
        let folder = TempDir::new().unwrap();
        let path = full(&folder).await;
        rusqlite::Connection::open(&path).unwrap().execute(sql, []).unwrap();

        let flaws = verify(&path).unwrap().flaws;

        let found = flaws.iter().find(|flaw| flaw.what == what);
        assert!(found.is_some_and(|flaw| !flaw.examples.is_empty()), "{sql}: {flaws:?}");
    }
}

#[tokio::test]
async fn two_ledgers_are_told_apart_by_their_first_difference() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (full(&folder).await, folder.path().join("other.db"));
    archive::import(&other, &mut exported(&one).as_bytes()).unwrap();
    assert_eq!(difference(&one, &other).unwrap(), None);
    let ledger = SqliteLedger::open(&other).unwrap();
    ledger.outbox().passed_on(2).await.unwrap();
    assert_eq!(difference(&one, &other).unwrap(), None, "news that waits does not count");
    drop(ledger);

    let vandal = rusqlite::Connection::open(&other).unwrap();
    vandal.execute("DELETE FROM shares", []).unwrap();

    for (one, other) in [(&one, &other), (&other, &one)] {
        let (here, there) = difference(one, other).unwrap().unwrap();
        assert!(here.contains("shares") || there.contains("shares"), "{here}\n{there}");
    }
}
