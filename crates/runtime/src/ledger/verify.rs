//! Looks whether a ledger's file holds together: the file itself, what its records name in each other, and that every record can be
//! read and says what its columns say. It mends nothing.

use std::path::Path;

use rusqlite::Connection;
use serde::de::{DeserializeOwned, IgnoredAny};
use spillway_core::error::LedgerError;
use spillway_core::job::{Attempt, JobSpec, JobState};
use spillway_core::schedule::ScheduleRecord;
use spillway_core::{
    AuditDetail, Breaker, Burst, DefinitionRecord, Gate, Host, KindHistory, Launch, ShareUse,
    SpotEvidence,
};

use super::error::Outcome;
use super::{SqliteReader, dump, query, reader};

/// So many examples of one flaw are told.
const EXAMPLES_MAX: usize = 5;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// What.
    pub what: String,
    /// Where, some of it.
    pub examples: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Rows that were looked at.
    pub n_rows: u64,
    /// What is wrong with them.
    pub flaws: Vec<Flaw>,
}

/// What must select nothing, and what it means if it does. The first column names an example.
const RULES: [(&str, &str); 20] = [
    ("a job has no record of what it is", "SELECT seq FROM jobs WHERE seq NOT IN (SELECT seq FROM specs)"),
    ("what a job is belongs to no job", "SELECT seq FROM specs WHERE seq NOT IN (SELECT seq FROM jobs)"),
    ("a tag belongs to no job", "SELECT seq FROM job_tags WHERE seq NOT IN (SELECT seq FROM jobs)"),
    ("an array belongs to no job", "SELECT seq FROM arrays WHERE seq NOT IN (SELECT seq FROM jobs)"),
    ("a group of nodes belongs to no job", "SELECT seq FROM gangs WHERE seq NOT IN (SELECT seq FROM jobs)"),
    (
        "a child or node is none of its job",
        "SELECT c.seq || '/' || c.ord FROM children c LEFT JOIN arrays a USING (seq) LEFT JOIN gangs g USING (seq)
            WHERE coalesce(a.size, g.size, 0) <= c.ord",
    ),
    (
        "children that ended together are none of their array",
        "SELECT r.seq || '/' || r.first FROM child_runs r LEFT JOIN arrays a USING (seq)
            WHERE r.last < r.first OR coalesce(a.size, 0) <= r.last",
    ),
    (
        "children ended together twice",
        "SELECT seq || '/' || first FROM
            (SELECT seq, first, lag(last) OVER (PARTITION BY seq ORDER BY first) AS before FROM child_runs)
            WHERE first <= before",
    ),
    (
        "a child has a record and ended without one",
        "SELECT c.seq || '/' || c.ord FROM children c JOIN child_runs r
            ON r.seq = c.seq AND c.ord BETWEEN r.first AND r.last",
    ),
    (
        "an attempt belongs to no job",
        "SELECT a.seq || '/' || a.ord FROM attempts a WHERE a.seq NOT IN (SELECT seq FROM jobs)
            AND a.seq NOT IN (SELECT seq + 1 + ord FROM children)",
    ),
    (
        "the newest attempt of a job is not the one it names",
        "SELECT j.seq FROM jobs j
            WHERE j.last_attempt <> coalesce((SELECT max(ord) FROM attempts a WHERE a.seq = j.seq), 0)",
    ),
    (
        "the newest attempt of a child is not the one it names",
        "SELECT c.seq || '/' || c.ord FROM children c
            WHERE c.last_attempt <> coalesce((SELECT max(ord) FROM attempts a WHERE a.seq = c.seq + 1 + c.ord), 0)",
    ),
    ("a job's status is not its state's", "SELECT seq FROM jobs WHERE status <> json_extract(state, '$.status')"),
    (
        "a child's status is not its state's",
        "SELECT seq || '/' || ord FROM children WHERE status <> json_extract(state, '$.status')",
    ),
    (
        "the end of a job is not its state's",
        "SELECT seq FROM jobs WHERE ended IS NOT
            CASE WHEN status IN ('SUCCEEDED', 'FAILED') THEN unixepoch(substr(json_extract(state, '$.at'), 1, 19)) END",
    ),
    (
        "the number of jobs is less than there are",
        "SELECT n_jobs FROM meta WHERE n_jobs <= (SELECT coalesce(max(seq), -1) FROM jobs)",
    ),
    (
        "the number of launches is less than there are",
        "SELECT n_launches FROM meta WHERE n_launches < (SELECT count(*) FROM launches)",
    ),
    ("an event of the audit record belongs to no job", "SELECT n FROM audit WHERE job NOT IN (SELECT seq FROM jobs)"),
    (
        "the audit record has a gap, or goes back in time",
        "SELECT n FROM (SELECT n, at, lag(n, 1, 0) OVER (ORDER BY n) AS before, lag(at) OVER (ORDER BY n) AS earlier FROM audit)
            WHERE n <> before + 1 OR at < earlier",
    ),
    (
        "an event that was not passed on has no number",
        "SELECT version FROM outbox WHERE (SELECT n_events FROM meta) < version",
    ),
];

/// Looks at the ledger at `path`, as it is at one moment.
///
/// # Errors
/// As [`SqliteReader::open`]: what is no ledger cannot be looked at.
pub fn verify(path: &Path) -> Result<Verified, LedgerError> {
    drop(SqliteReader::open(path)?);
    let run = || -> Outcome<Verified> {
        let mut connection = reader::connect(path)?;
        let tx = connection.transaction()?;
        let mut flaws = Vec::new();
        file(&tx, &mut flaws)?;
        for (what, sql) in RULES {
            rule(&tx, what, sql, &mut flaws)?;
        }
        records(&tx, &mut flaws)?;
        let mut n_rows = 0;
        for table in dump::tables(&tx)? {
            let sql = format!("SELECT count(*) FROM {table}");
            let n: i64 = tx.query_row(&sql, [], |row| row.get(0))?;
            n_rows += query::natural(&table, n)?;
        }
        Ok(Verified { n_rows, flaws })
    };
    run().map_err(|failure| failure.at(path))
}

/// The first line in which two ledgers differ, each as an export has it; none if they are equal. News that waits is left out: how much
/// of it has been passed on is written only with the next commit.
///
/// # Errors
/// As [`SqliteReader::open`].
pub fn difference(one: &Path, other: &Path) -> Result<Option<(String, String)>, LedgerError> {
    // One of them is read in a thread of its own, a few lines ahead.
    let (sender, receiver) = std::sync::mpsc::sync_channel::<String>(1_000);
    let read = |path: &Path, line: &mut dyn FnMut(&str) -> Outcome<()>| {
        let mut run = || -> Outcome<()> {
            let mut connection = reader::connect(path)?;
            let tx = connection.transaction()?;
            dump::lines(&tx, &mut |text| if counts(text) { line(text) } else { Ok(()) })
        };
        run().map_err(|failure| failure.at(path))
    };
    std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            read(other, &mut |text| {
                // Nobody listens any more once a difference was found.
                sender.send(text.to_owned()).ok();
                Ok(())
            })
        });
        let mut found = None;
        let compared = read(one, &mut |here| {
            if found.is_none() {
                let there = receiver.recv().unwrap_or_default();
                if here != there {
                    found = Some((here.to_owned(), there));
                }
            }
            Ok(())
        });
        if found.is_none()
            && let Ok(there) = receiver.recv()
        {
            found = Some((String::new(), there));
        }
        drop(receiver);
        let lost = || LedgerError::Unavailable { source: "a thread was lost".into() };
        reading.join().map_err(|_| lost())??;
        compared.map(|()| found)
    })
}

/// Whether a line is compared.
fn counts(line: &str) -> bool {
    !line.starts_with("{\"table\":\"outbox\"") && !line.starts_with("{\"n_rows\"")
}

fn file(connection: &Connection, flaws: &mut Vec<Flaw>) -> Outcome<()> {
    let mut statement = connection.prepare("PRAGMA integrity_check(5)")?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let examples: Vec<String> = found.collect::<Result<_, _>>()?;
    if examples.iter().any(|line| line != "ok") {
        flaws.push(Flaw { what: "the file is damaged".to_owned(), examples });
    }
    Ok(())
}

fn rule(connection: &Connection, what: &str, sql: &str, flaws: &mut Vec<Flaw>) -> Outcome<()> {
    let limited =
        format!("WITH found (x) AS ({sql} LIMIT {EXAMPLES_MAX}) SELECT CAST(x AS TEXT) FROM found");
    let mut statement = connection.prepare(&limited)?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let examples: Vec<String> = found.collect::<Result<_, _>>()?;
    if !examples.is_empty() {
        flaws.push(Flaw { what: what.to_owned(), examples });
    }
    Ok(())
}

fn records(connection: &Connection, flaws: &mut Vec<Flaw>) -> Outcome<()> {
    each::<JobState>(connection, "jobs", "state", flaws)?;
    each::<JobSpec>(connection, "specs", "spec", flaws)?;
    each::<Vec<String>>(connection, "specs", "warnings", flaws)?;
    each::<Attempt>(connection, "attempts", "attempt", flaws)?;
    each::<JobState>(connection, "children", "state", flaws)?;
    each::<JobState>(connection, "child_runs", "state", flaws)?;
    each::<Host>(connection, "hosts", "host", flaws)?;
    each::<Launch>(connection, "launches", "launch", flaws)?;
    each::<KindHistory>(connection, "kinds", "history", flaws)?;
    each::<SpotEvidence>(connection, "spot", "evidence", flaws)?;
    each::<DefinitionRecord>(connection, "definitions", "record", flaws)?;
    each::<ScheduleRecord>(connection, "schedules", "record", flaws)?;
    each::<Gate>(connection, "gates", "gate", flaws)?;
    each::<Breaker>(connection, "breakers", "breaker", flaws)?;
    each::<Burst>(connection, "bursts", "burst", flaws)?;
    each::<ShareUse>(connection, "shares", "used", flaws)?;
    each::<AuditDetail>(
        connection,
        "(SELECT detail FROM audit WHERE detail IS NOT NULL)",
        "detail",
        flaws,
    )?;
    each::<IgnoredAny>(connection, "outbox", "state", flaws)
}

/// Reads one column of every row.
fn each<T: DeserializeOwned>(
    connection: &Connection,
    table: &str,
    column: &str,
    flaws: &mut Vec<Flaw>,
) -> Outcome<()> {
    let mut statement = connection.prepare(&format!("SELECT {column} FROM {table}"))?;
    let mut rows = statement.query([])?;
    let mut examples = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?;
        let read = text.as_str().map_err(|error| error.to_string());
        let parsed = read
            .and_then(|text| serde_json::from_str::<T>(text).map_err(|error| error.to_string()));
        if let Err(error) = parsed
            && examples.len() < EXAMPLES_MAX
        {
            examples.push(error);
        }
    }
    if !examples.is_empty() {
        flaws.push(Flaw { what: format!("{table}.{column} cannot be read"), examples });
    }
    Ok(())
}
