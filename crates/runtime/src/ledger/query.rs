//! Reads the ledger's tables back into the vocabulary. Shared by the writer and the readers.

pub(super) mod audit;
pub(super) mod children;
pub(super) mod list;
pub(super) mod nodes;
pub(super) mod overview;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::de::DeserializeOwned;
use spillway_core::change::{Cooldown, EndedJob, LedgerState};
use spillway_core::definition::DefinitionRecord;
use spillway_core::id::LedgerId;
use spillway_core::job::{Attempt, BodyHash, Job, JobSpec, JobState};
use spillway_core::{
    Breaker, BreakerId, Burst, Gate, History, Host, HostId, JobId, Launch, MicroUsd, Pausable,
    Payer, PoolId, QueueName, Resources, ScheduleRecord, ShareId, ShareUse,
};
use uuid::Uuid;

use super::error::{Failure, Outcome};

/// The columns that [`jobs`] reads, of `jobs` joined with `specs`.
pub(super) const JOB_COLUMNS: &str = "j.seq, j.id, j.body_hash, j.created_at, j.last_attempt, \
    j.state, s.spec, s.warnings FROM jobs j JOIN specs s USING (seq)";

/// All that is not over.
pub(super) fn state(connection: &Connection) -> Outcome<LedgerState> {
    let sql = "SELECT ledger, n_launches, n_jobs FROM meta";
    let (ledger, n_launches, n_jobs) = connection.query_row(sql, [], |row| {
        let ledger: Vec<u8> = row.get(0)?;
        Ok((ledger, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    let open = "j.status IN ('SUBMITTED', 'PENDING', 'RUNNABLE', 'STARTING', 'RUNNING')";
    let sql = format!("SELECT {JOB_COLUMNS} WHERE {open}");
    let mut jobs = jobs(connection, &sql, [])?;
    let parents: BTreeMap<JobId, Job> = jobs
        .iter()
        .filter(|job| job.spec.array.is_some())
        .map(|job| (job.id, job.clone()))
        .collect();
    jobs.extend(children::open(connection, |_, id| match parents.get(&id) {
        Some(parent) => Ok(Some(parent.clone())),
        None => one(connection, id),
    })?);
    jobs.extend(nodes::open(connection, &jobs)?);
    jobs.sort_by_key(|job| job.id);
    Ok(LedgerState {
        ledger: LedgerId::from_uuid(uuid(&ledger)?),
        jobs,
        ended: ended(connection)?,
        arrays: children::records(connection)?,
        hosts: hosts(connection, false)?,
        launches: records(
            connection,
            "SELECT launch FROM launches WHERE status = 'open' ORDER BY id",
            [],
        )?,
        learned: learned(connection)?,
        cooling: cooling(connection)?,
        history: history(connection)?,
        definitions: definitions(connection)?,
        schedules: schedules(connection)?,
        gates: gates(connection)?,
        breakers: breakers(connection)?,
        burst: burst(connection)?,
        shares: shares(connection)?,
        spending: spending(connection)?,
        n_launches: natural("n_launches", n_launches)?,
        n_jobs: natural("n_jobs", n_jobs)?,
    })
}

/// One job or array, a child whether or not it has a record, or a node that has one.
pub(super) fn one(connection: &Connection, id: JobId) -> Outcome<Option<Job>> {
    let sql = format!("SELECT {JOB_COLUMNS} WHERE j.id = ?1");
    let found = jobs(connection, &sql, [id.uuid().as_bytes().as_slice()])?.into_iter().next();
    match (found, id.index(), id.node_index()) {
        (Some(array), Some(index), _) => children::one(connection, &array, index),
        (Some(job), _, Some(node)) => nodes::one(connection, job, node),
        (found, _, _) => Ok(found),
    }
}

/// The status in the record of a job, an array, a child or a node; a child or node without a record has none.
pub(super) fn status(connection: &Connection, id: JobId) -> Outcome<Option<String>> {
    if let Some(node) = id.node_index() {
        return nodes::status(connection, id, node);
    }
    let Some(index) = id.index() else {
        let sql = "SELECT status FROM jobs WHERE id = ?1";
        let key = *id.uuid().as_bytes();
        let status = connection.prepare_cached(sql)?.query_row([key], |row| row.get(0));
        return Ok(status.optional()?);
    };
    let Some(array) = children::array(connection, id.whole())? else { return Ok(None) };
    children::status(connection, &array, index)
}

/// Jobs that are over: 40 bytes of each are kept in memory.
fn ended(connection: &Connection) -> Outcome<BTreeMap<JobId, EndedJob>> {
    let sql = "SELECT id, body_hash, status = 'SUCCEEDED' FROM jobs
        WHERE status IN ('SUCCEEDED', 'FAILED') ORDER BY id";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut ended: Vec<(JobId, EndedJob)> = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_blob().map_err(|error| Failure::record("a job id", &error))?;
        let body_hash = BodyHash(row.get::<_, i64>(1)?.cast_unsigned());
        let job = EndedJob { body_hash, succeeded: row.get(2)? };
        ended.push((JobId::from_uuid(uuid(id)?), job));
    }
    // They come in order, so the map is built without gaps.
    Ok(ended.into_iter().collect())
}

/// The jobs that `sql` selects, with their attempts, in its order.
pub(super) fn jobs(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Outcome<Vec<Job>> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(params)?;
    let mut jobs: Vec<Job> = Vec::new();
    while let Some(row) = rows.next()? {
        jobs.push(job(connection, row)?);
    }
    Ok(jobs)
}

fn job(connection: &Connection, row: &Row<'_>) -> Outcome<Job> {
    let seq: i64 = row.get(0)?;
    let id: Vec<u8> = row.get(1)?;
    let id = JobId::from_uuid(uuid(&id)?);
    let what = || format!("job {id}");
    let created_at: String = row.get(3)?;
    let created_at: Timestamp =
        created_at.parse().map_err(|error| Failure::record(&what(), &error))?;
    let last_attempt: u32 = row.get(4)?;
    let state: JobState = parse(&what, row, 5)?;
    let spec: JobSpec = parse(&what, row, 6)?;
    let attempts = if last_attempt == 0 { Vec::new() } else { attempts(connection, seq)? };
    Ok(Job {
        id,
        spec: Arc::new(spec),
        body_hash: BodyHash(row.get::<_, i64>(2)?.cast_unsigned()),
        created_at,
        seq: natural("seq", seq)?,
        state,
        attempts,
        warnings: parse(&what, row, 7)?,
    })
}

fn attempts(connection: &Connection, seq: i64) -> Outcome<Vec<Attempt>> {
    records(connection, "SELECT attempt FROM attempts WHERE seq = ?1 ORDER BY ord", [seq])
}

/// Hosts, in order of id.
pub(super) fn hosts(connection: &Connection, with_gone: bool) -> Outcome<Vec<Host>> {
    let sql = if with_gone {
        "SELECT host FROM hosts ORDER BY id"
    } else {
        "SELECT host FROM hosts WHERE status <> 'gone' ORDER BY id"
    };
    records(connection, sql, [])
}

/// One host.
pub(super) fn host(connection: &Connection, id: HostId) -> Outcome<Option<Host>> {
    let sql = "SELECT host FROM hosts WHERE id = ?1";
    Ok(records(connection, sql, [id.uuid().as_bytes().as_slice()])?.pop())
}

/// Launches, newest first.
pub(super) fn launches(connection: &Connection, limit: usize) -> Outcome<Vec<Launch>> {
    let sql = "SELECT launch FROM launches ORDER BY decided_at DESC, id LIMIT ?1";
    records(connection, sql, [row_limit(limit)])
}

/// All revisions of job definitions, by name and revision.
pub(super) fn definitions(connection: &Connection) -> Outcome<Vec<DefinitionRecord>> {
    records(connection, "SELECT record FROM definitions ORDER BY name, revision", [])
}

/// All schedules by name, those that were deleted too.
pub(super) fn schedules(connection: &Connection) -> Outcome<Vec<ScheduleRecord>> {
    records(connection, "SELECT record FROM schedules ORDER BY name", [])
}

pub(super) fn gates(connection: &Connection) -> Outcome<BTreeMap<Pausable, Gate>> {
    let mut statement = connection.prepare("SELECT gate, kind, name FROM gates")?;
    let mut rows = statement.query([])?;
    let mut gates = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (kind, name): (String, String) = (row.get(1)?, row.get(2)?);
        let what = || format!("whether {kind} {name} is paused");
        let target = if kind == "queue" {
            name.parse().map(Pausable::Queue)
        } else {
            name.parse().map(Pausable::Pool)
        };
        let target = target.map_err(|error| Failure::record(&what(), &error))?;
        gates.insert(target, parse(&what, row, 0)?);
    }
    Ok(gates)
}

/// What is left alone after failures.
pub(super) fn breakers(connection: &Connection) -> Outcome<BTreeMap<BreakerId, Breaker>> {
    let mut statement = connection.prepare("SELECT breaker, kind, subject FROM breakers")?;
    let mut rows = statement.query([])?;
    let mut breakers = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (kind, subject): (String, String) = (row.get(1)?, row.get(2)?);
        let what = || format!("the breaker of {kind} {subject}");
        let parsed = kind.parse().map_err(|error| Failure::record(&what(), &error))?;
        let breaker = parse(&what, row, 0)?;
        breakers.insert(BreakerId { kind: parsed, subject }, breaker);
    }
    Ok(breakers)
}

/// What is held until somebody approves it, and what is approved.
pub(super) fn burst(connection: &Connection) -> Outcome<Burst> {
    let mut statement = connection.prepare("SELECT burst FROM bursts")?;
    let mut rows = statement.query([])?;
    let row = rows.next()?;
    row.map_or_else(|| Ok(Burst::default()), |row| parse(&|| "the burst".to_owned(), row, 0))
}

fn shares(connection: &Connection) -> Outcome<BTreeMap<(QueueName, ShareId), ShareUse>> {
    let mut statement = connection.prepare("SELECT used, queue, share FROM shares")?;
    let mut rows = statement.query([])?;
    let mut shares = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (queue, share): (String, String) = (row.get(1)?, row.get(2)?);
        let what = || format!("what share {share} of queue {queue} has used");
        let of = (
            queue.parse().map_err(|error| Failure::record(&what(), &error))?,
            share.parse().map_err(|error| Failure::record(&what(), &error))?,
        );
        shares.insert(of, parse(&what, row, 0)?);
    }
    Ok(shares)
}

fn spending(connection: &Connection) -> Outcome<BTreeMap<(Date, Payer), MicroUsd>> {
    let mut statement = connection.prepare("SELECT day, queue, share, micro FROM spending")?;
    let mut rows = statement.query([])?;
    let mut spending = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (day, queue, share): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let what = || format!("what was spent on {day}");
        let payer = if queue.is_empty() {
            Payer::All
        } else {
            Payer::Share {
                queue: queue.parse().map_err(|error| Failure::record(&what(), &error))?,
                share: share.parse().map_err(|error| Failure::record(&what(), &error))?,
            }
        };
        let date = day.parse().map_err(|error| Failure::record(&what(), &error))?;
        spending.insert((date, payer), MicroUsd::new(natural("micro", row.get(3)?)?));
    }
    Ok(spending)
}

fn learned(connection: &Connection) -> Outcome<BTreeMap<String, Resources>> {
    let mut statement = connection.prepare("SELECT registered, instance_type FROM learned")?;
    let mut rows = statement.query([])?;
    let mut learned = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let instance_type: String = row.get(1)?;
        let registered = parse(&|| format!("what {instance_type} registered"), row, 0)?;
        learned.insert(instance_type, registered);
    }
    Ok(learned)
}

fn cooling(connection: &Connection) -> Outcome<BTreeMap<PoolId, Cooldown>> {
    let mut statement =
        connection.prepare("SELECT cooldown, instance_type, zone, market FROM cooling")?;
    let mut rows = statement.query([])?;
    let mut cooling = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (instance_type, zone, market): (String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?);
        let what = || format!("the cooldown of {instance_type}");
        let zone = zone.parse().map_err(|error| Failure::record(&what(), &error))?;
        let market = market.parse().map_err(|error| Failure::record(&what(), &error))?;
        let cooldown = parse(&what, row, 0)?;
        cooling.insert(PoolId { instance_type, zone, market }, cooldown);
    }
    Ok(cooling)
}

fn history(connection: &Connection) -> Outcome<History> {
    let mut history = History::default();
    let mut statement = connection.prepare("SELECT history, kind FROM kinds")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        let what = || format!("the kind {kind}");
        let id = kind.parse().map_err(|error| Failure::record(&what(), &error))?;
        history.kinds.insert(id, parse(&what, row, 0)?);
    }
    let mut statement = connection.prepare("SELECT evidence, instance_type, zone FROM spot")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (instance_type, zone): (String, String) = (row.get(1)?, row.get(2)?);
        let what = || format!("the interruptions of {instance_type} in {zone}");
        let id = zone.parse().map_err(|error| Failure::record(&what(), &error))?;
        let evidence = parse(&what, row, 0)?;
        history.spot.insert((instance_type, id), evidence);
    }
    let sql = "SELECT boots FROM meta WHERE boots IS NOT NULL";
    history.boots = records(connection, sql, [])?.pop().unwrap_or_default();
    Ok(history)
}

/// The JSON records in the first column of what `sql` selects.
fn records<T: DeserializeOwned>(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Outcome<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut records: Vec<T> = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(parse(&|| sql.to_owned(), row, 0)?);
    }
    Ok(records)
}

pub(super) fn parse<T: DeserializeOwned>(
    what: &dyn Fn() -> String,
    row: &Row<'_>,
    column: usize,
) -> Outcome<T> {
    let text = row.get_ref(column)?.as_str().map_err(|error| Failure::record(&what(), &error))?;
    serde_json::from_str(text).map_err(|error| Failure::record(&what(), &error))
}

fn queue_of(row: &Row<'_>, column: usize) -> Outcome<QueueName> {
    let text = row.get_ref(column)?.as_str();
    let name = text.map_err(|error| Failure::record("a queue", &error))?.parse();
    name.map_err(|error| Failure::record("a queue", &error))
}

fn uuid(bytes: &[u8]) -> Outcome<Uuid> {
    Uuid::from_slice(bytes).map_err(|error| Failure::record("an id", &error))
}

pub(super) fn natural(what: &str, n: i64) -> Outcome<u64> {
    u64::try_from(n).map_err(|error| Failure::record(what, &error))
}

/// SQLite's limit; a negative one would be none.
pub(super) fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
