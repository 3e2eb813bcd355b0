//! Every ledger format can be taken over, and what is written today is the newest.
//!
//! `golden/ledger-v1.sql` and its like are ledgers that were written once and dumped. They must never be changed once
//! their format is released: a change of format is a new format, with a file of its own.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::types::ValueRef;
use spillway_core::port::{JobFilter, Ledger, LedgerReader};
use spillway_core::{Glob, LedgerState, TimeRange};
use spillway_runtime::ledger::FORMAT;
use spillway_runtime::{SqliteLedger, SqliteReader};
use tempfile::TempDir;

use crate::sample::{at, job, job_id, one_of_everything};

const V1: &str = include_str!("../golden/ledger-v1.sql");
const V2: &str = include_str!("../golden/ledger-v2.sql");
const V3: &str = include_str!("../golden/ledger-v3.sql");
const V4: &str = include_str!("../golden/ledger-v4.sql");
const NEWEST: &str = include_str!("../golden/ledger-v5.sql");

/// Tables and rows as SQL, but for the ledger's own id, which is drawn.
fn dump(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut text =
        format!("PRAGMA application_id = 1397771351;\nPRAGMA user_version = {FORMAT};\n");
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
async fn what_is_written_today_is_the_newest_format() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut ledger = SqliteLedger::open(&path).unwrap();
    ledger.commit(at(0), &one_of_everything()).await.unwrap();
    drop(ledger);

    let dump = dump(&path);

    if let Ok(file) = std::env::var("SPILLWAY_WRITE_GOLDEN_LEDGER") {
        std::fs::write(file, &dump).unwrap();
    }
    assert_eq!(without_id(&dump), without_id(NEWEST));
}

#[tokio::test]
async fn a_ledger_of_format_1_is_taken_over() {
    is_taken_over(V1).await;
}

#[tokio::test]
async fn a_ledger_of_format_2_is_taken_over() {
    let loaded = is_taken_over(V2).await;

    assert_eq!((loaded.history.kinds.len(), loaded.definitions.len()), (1, 0));
}

/// Format 3 knew no arrays, and not how a job that is over ended.
#[tokio::test]
async fn a_ledger_of_format_3_is_taken_over() {
    let loaded = is_taken_over(V3).await;

    assert!(loaded.arrays.is_empty() && !loaded.definitions.is_empty());
    let succeeded = [2, 3].map(|n| loaded.ended[&job_id(n)].succeeded);
    assert_eq!(succeeded, [true, false]);
}

/// Format 4 knew no shares, no schedules and nothing that is paused, and jobs could not be looked for by tag, definition, time
/// and reason.
#[tokio::test]
async fn a_ledger_of_format_4_is_taken_over() {
    let loaded = taken_over(V4).await;

    assert!(loaded.gates.is_empty() && loaded.shares.is_empty() && loaded.schedules.is_empty());
    assert_eq!((loaded.jobs.len(), loaded.ended.len(), loaded.arrays.len()), (4, 2, 1));
    assert_eq!((loaded.n_launches, loaded.n_jobs), (2, 10));
}

async fn is_taken_over(written: &str) -> LedgerState {
    let loaded = taken_over(written).await;

    let sizes = (loaded.jobs.len(), loaded.ended.len(), loaded.hosts.len(), loaded.launches.len());
    assert_eq!(sizes, (2, 2, 2, 1));
    assert_eq!((loaded.learned.len(), loaded.cooling.len()), (1, 2));
    assert_eq!((loaded.n_launches, loaded.n_jobs), (2, 4));
    loaded
}

async fn taken_over(written: &str) -> LedgerState {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(written).unwrap();

    let older = SqliteReader::open(&path).unwrap_err();
    let loaded = SqliteLedger::open(&path).unwrap().load().await.unwrap();
    let reader = SqliteReader::open(&path).unwrap();
    let read: LedgerState = reader.state().unwrap();

    assert!(older.to_string().contains("start the dispatcher"), "{older}");
    assert_eq!(read, loaded);
    let open = loaded.jobs.iter().find(|open| open.id == job_id(0));
    assert_eq!(open, Some(&job(0)));
    for filter in filters() {
        let everything = JobFilter { limit: 99, array: filter.array, ..JobFilter::default() };
        let mut expected = reader.jobs(&everything).unwrap();
        expected.retain(|job| filter.matches(job));
        assert_eq!(reader.jobs(&filter).unwrap(), expected, "{filter:?}");
    }
    loaded
}

/// Conditions that a job written in an older format meets only if what they ask for was taken over.
fn filters() -> impl Iterator<Item = JobFilter> {
    let all = || JobFilter { limit: 99, ..JobFilter::default() };
    let range = |from, until| TimeRange { from: Some(at(from)), until: Some(at(until)) };
    let of_jobs = [
        JobFilter { tags: vec!["team=genomics".parse().unwrap()], ..all() },
        JobFilter { definition: "align".parse().ok(), ..all() },
        JobFilter { submitted: range(0, 1), ..all() },
        JobFilter { ended: range(0, 91), ..all() },
        JobFilter { reason: Some(Glob::new("too large*")), ..all() },
        JobFilter { reason: Some(Glob::new("Essential container*")), ..all() },
        JobFilter { reason: Some(Glob::new("not needed")), ..all() },
    ];
    let of_array = |filter: JobFilter| JobFilter { array: Some(job_id(4)), ..filter };
    of_jobs.into_iter().flat_map(move |filter| [filter.clone(), of_array(filter)])
}

/// In format 1 a host was kept for demands that held an estimate.
#[tokio::test]
async fn what_hosts_of_format_1_were_kept_for_is_dropped() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(V1).unwrap();
    let kept = r#"[[{"need":{"cpu":1024,"memory":2048},"arch":"x86_64","market":"any","expected_secs":null},1]]"#;
    let sql =
        "UPDATE hosts SET host = json_set(host, '$.reserved', json(?1)) WHERE status = 'requested'";
    assert_eq!(connection.execute(sql, [kept]).unwrap(), 1);
    drop(connection);

    let loaded = SqliteLedger::open(&path).unwrap().load().await.unwrap();

    assert_eq!(loaded.hosts.len(), 2);
    assert!(loaded.hosts.iter().all(|host| host.reserved.is_empty()));
}
