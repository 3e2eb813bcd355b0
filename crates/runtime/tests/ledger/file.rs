//! What becomes of the file: who may open it, when, and what it may be.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use spillway_core::LedgerState;
use spillway_core::error::LedgerError;
use spillway_core::port::{JobFilter, Ledger, LedgerReader};
use spillway_runtime::{SqliteLedger, SqliteReader};
use tempfile::TempDir;

use crate::sample::{add, at, job, job_id, one_of_everything};

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    (folder, path)
}

fn n_jobs(path: &Path) -> usize {
    let filter = JobFilter { limit: usize::MAX, ..JobFilter::default() };
    SqliteReader::open(path).unwrap().jobs(&filter).unwrap().len()
}

#[tokio::test]
async fn a_second_dispatcher_is_turned_away_at_once_until_the_first_is_gone() {
    let (_folder, path) = folder();
    let first = SqliteLedger::open(&path).unwrap();

    let second = SqliteLedger::open(&path);
    assert!(matches!(second, Err(LedgerError::Locked { .. })), "{second:?}");

    drop(first);
    SqliteLedger::open(&path).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn two_names_of_one_ledger_have_one_lock() {
    let (folder, path) = folder();
    let _first = SqliteLedger::open(&path).unwrap();
    let other_name = folder.path().join("other.db");
    std::os::unix::fs::symlink(&path, &other_name).unwrap();

    let second = SqliteLedger::open(&other_name);

    assert!(matches!(second, Err(LedgerError::Locked { .. })), "{second:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_on_the_machine_can_read_what_jobs_carry() {
    let (folder, path) = folder();
    let mut ledger = SqliteLedger::open(&path).unwrap();
    ledger.commit(at(0), &[add(&job(0))]).await.unwrap();

    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o077, 0, "{:?}", file.path());
    }
}

#[tokio::test]
async fn a_reader_sees_every_commit_while_the_dispatcher_is_up_and_after_it_is_down() {
    let (_folder, path) = folder();
    let mut ledger = SqliteLedger::open(&path).unwrap();
    let reader = SqliteReader::open(&path).unwrap();

    ledger.commit(at(0), &[add(&job(0))]).await.unwrap();
    assert!(reader.job(job_id(0)).unwrap().is_some());
    ledger.commit(at(0), &[add(&job(1))]).await.unwrap();
    assert!(reader.job(job_id(1)).unwrap().is_some());

    drop(ledger);
    assert!(reader.job(job_id(1)).unwrap().is_some());
    drop(reader);
    assert_eq!(n_jobs(&path), 2);
}

/// Not a test by itself: the process that the next one kills.
#[tokio::test]
async fn holds_a_ledger_until_it_is_killed() {
    let Ok(path) = std::env::var("SPILLWAY_TEST_HOLD_LEDGER") else { return };
    let mut ledger = SqliteLedger::open(Path::new(&path)).unwrap();
    ledger.commit(at(0), &one_of_everything()).await.unwrap();
    writeln!(std::io::stdout(), "\ncommitted").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_dispatcher_that_is_killed_leaves_no_lock_and_loses_no_commit() {
    let (_folder, path) = folder();
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["file::holds_a_ledger_until_it_is_killed", "--exact", "--nocapture"])
        .env("SPILLWAY_TEST_HOLD_LEDGER", &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "committed"));
    assert!(matches!(SqliteLedger::open(&path), Err(LedgerError::Locked { .. })));
    assert_eq!(n_jobs(&path), 5);

    holder.kill().unwrap();
    holder.wait().unwrap();

    assert_eq!(n_jobs(&path), 5, "a reader repairs what was never closed");
    let state = SqliteLedger::open(&path).unwrap().load().await.unwrap();
    assert_eq!((state.jobs.len(), state.ended.len()), (4, 2));
}

#[test]
fn there_is_nothing_to_read_where_no_dispatcher_has_been() {
    let (_folder, path) = folder();

    assert!(matches!(SqliteReader::open(&path), Err(LedgerError::Missing { .. })));
    std::fs::write(&path, "").unwrap();
    assert!(matches!(SqliteReader::open(&path), Err(LedgerError::Missing { .. })));
}

#[test]
fn a_missing_folder_is_named() {
    let (folder, _) = folder();

    let error = SqliteLedger::open(&folder.path().join("no/such/ledger.db")).unwrap_err();

    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("the folder ") && source.contains("no/such"), "{source}");
    assert!(source.contains("(hint: "), "{source}");
    let is_folder = SqliteLedger::open(folder.path()).unwrap_err();
    assert!(matches!(is_folder, LedgerError::Unavailable { .. }), "{is_folder:?}");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    let text = "my thesis ".repeat(1_000);
    std::fs::write(&path, &text).unwrap();

    let (written, read) = (SqliteLedger::open(&path), SqliteReader::open(&path));

    assert!(matches!(written, Err(LedgerError::Corrupt { .. })), "{written:?}");
    assert!(matches!(read, Err(LedgerError::Corrupt { .. })), "{read:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn the_database_of_another_program_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE photos (x); PRAGMA user_version = 1;").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();

    let opened = SqliteLedger::open(&path);

    assert!(matches!(opened, Err(LedgerError::Corrupt { .. })), "{opened:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_ledger_of_a_newer_spillway_is_refused() {
    let (_folder, path) = folder();
    drop(SqliteLedger::open(&path).unwrap());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);

    let (written, read) = (SqliteLedger::open(&path), SqliteReader::open(&path));

    let is_too_new = |error: &LedgerError| matches!(error, LedgerError::TooNew { found: 99, .. });
    assert!(is_too_new(&written.unwrap_err()));
    assert!(is_too_new(&read.unwrap_err()));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_with_its_job() {
    let (_folder, path) = folder();
    let mut ledger = SqliteLedger::open(&path).unwrap();
    ledger.commit(at(0), &[add(&job(0))]).await.unwrap();
    let vandal = rusqlite::Connection::open(&path).unwrap();
    vandal.execute("UPDATE jobs SET state = '{\"status\":\"BORED\"}'", []).unwrap();

    let error = ledger.load().await.unwrap_err();

    let LedgerError::Corrupt { detail } = error else { panic!("{error:?}") };
    assert!(detail.contains(&job_id(0).to_string()) && detail.contains("BORED"), "{detail}");
}

#[tokio::test]
async fn a_ledger_that_somebody_else_writes_to_is_out_of_reach_and_not_damaged() {
    let (_folder, path) = folder();
    let mut ledger = SqliteLedger::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let error = ledger.commit(at(0), &[add(&job(0))]).await.unwrap_err();
    assert!(matches!(error, LedgerError::Unavailable { .. }), "{error:?}");

    other.execute_batch("ROLLBACK").unwrap();
    ledger.commit(at(0), &[add(&job(0))]).await.unwrap();
}

#[tokio::test]
async fn of_jobs_that_are_over_only_the_index_is_read() {
    let (_folder, path) = folder();
    drop(SqliteLedger::open(&path).unwrap());
    let filler = rusqlite::Connection::open(&path).unwrap();
    // They have neither a spec nor a state that could be read.
    filler
        .execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999)
            INSERT INTO jobs (seq, id, queue, name, status, body_hash, created_at, last_attempt, state)
                SELECT i, randomblob(16), 'q', 'n', 'SUCCEEDED', i, '', 1, '' FROM n",
        )
        .unwrap();
    drop(filler);
    let mut ledger = SqliteLedger::open(&path).unwrap();

    let state: LedgerState = ledger.load().await.unwrap();

    assert_eq!(state.ended.len(), 1_000);
}
