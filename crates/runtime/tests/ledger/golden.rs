//! Ledger format 1 stays readable, and what is written today is format 1.
//!
//! `golden/ledger-v1.sql` is a ledger that was written once and dumped. It must never be changed: a change of format
//! is a new format, with a file of its own.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::types::ValueRef;
use spillway_core::LedgerState;
use spillway_core::port::{Ledger, LedgerReader};
use spillway_runtime::{SqliteLedger, SqliteReader};
use tempfile::TempDir;

use crate::sample::{at, job, job_id, one_of_everything};

const V1: &str = include_str!("../golden/ledger-v1.sql");

/// Tables and rows as SQL, but for the ledger's own id, which is drawn.
fn dump(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut text = "PRAGMA application_id = 1397771351;\nPRAGMA user_version = 1;\n".to_owned();
    let mut tables: Vec<String> = Vec::new();
    let sql = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC, name";
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (name, sql): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        writeln!(text, "{sql};").unwrap();
        if sql.starts_with("CREATE TABLE") {
            tables.push(name);
        }
    }
    for table in tables {
        let mut statement =
            connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let n_columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> =
                (0..n_columns).map(|n| literal(row.get_ref(n).unwrap())).collect();
            writeln!(text, "INSERT INTO {table} VALUES ({});", values.join(", ")).unwrap();
        }
    }
    text
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(x) => x.to_string(),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text).replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            format!("x'{hex}'")
        }
    }
}

fn without_id(dump: &str) -> String {
    let lines = dump.lines().map(|line| match line.strip_prefix("INSERT INTO meta VALUES (1, ") {
        Some(rest) => rest.split_once(", ").map_or("", |(_id, rest)| rest),
        None => line,
    });
    lines.collect::<Vec<&str>>().join("\n")
}

#[tokio::test]
async fn what_is_written_today_is_format_1() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = SqliteLedger::open(&path).unwrap();
    ledger.commit(at(0), &one_of_everything()).await.unwrap();
    drop(ledger);

    let dump = dump(&path);

    if let Ok(file) = std::env::var("SPILLWAY_WRITE_GOLDEN_LEDGER") {
        std::fs::write(file, &dump).unwrap();
    }
    assert_eq!(spillway_runtime::ledger::FORMAT, 1);
    assert_eq!(without_id(&dump), without_id(V1));
}

#[tokio::test]
async fn a_ledger_of_format_1_is_read_and_taken_over() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(V1).unwrap();

    let read: LedgerState = SqliteReader::open(&path).unwrap().state().unwrap();
    let loaded = SqliteLedger::open(&path).unwrap().load().await.unwrap();

    assert_eq!(read, loaded);
    let open = loaded.jobs.iter().find(|open| open.id == job_id(0));
    assert_eq!(open, Some(&job(0)));
    let sizes = (loaded.jobs.len(), loaded.ended.len(), loaded.hosts.len(), loaded.launches.len());
    assert_eq!(sizes, (2, 2, 2, 1));
    assert_eq!((loaded.learned.len(), loaded.cooling.len()), (1, 2));
    assert_eq!((loaded.n_launches, loaded.n_jobs), (2, 4));
}
