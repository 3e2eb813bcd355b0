//! Reads the nodes of multi-node jobs other than the main one, which is the job itself.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};
use spillway_core::JobId;
use spillway_core::array::child_seq;
use spillway_core::gang::node_of;
use spillway_core::job::{Job, JobState};
use spillway_core::port::JobFilter;

use super::super::error::{Failure, Outcome};
use super::{attempts, parse, uuid};

const COLUMNS: &str = "c.ord, c.state, c.last_attempt FROM children c";

fn node(connection: &Connection, job: &Job, row: &Row<'_>) -> Outcome<Job> {
    let index: u32 = row.get(0)?;
    let what = || format!("node {index} of job {}", job.id);
    let state: JobState = parse(&what, row, 1)?;
    let last_attempt: u32 = row.get(2)?;
    let mut node = node_of(job, index, state)
        .ok_or_else(|| Failure::record(&what(), &"there is no such node"))?;
    if last_attempt != 0 {
        let seq = i64::try_from(child_seq(job.seq, index));
        node.attempts =
            attempts(connection, seq.map_err(|error| Failure::record(&what(), &error))?)?;
    }
    Ok(node)
}

/// One node, if it has ever been given to a host; the main one is the job.
pub(in super::super) fn one(connection: &Connection, job: Job, index: u32) -> Outcome<Option<Job>> {
    if job.spec.gang.as_ref().is_some_and(|gang| gang.main == index) {
        return Ok(Some(job));
    }
    let sql = format!("SELECT {COLUMNS} WHERE c.seq = ?1 AND c.ord = ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![seq_of(&job)?, index])?;
    rows.next()?.map(|row| node(connection, &job, row)).transpose()
}

/// The status in the record of a node other than the main one.
pub(super) fn status(connection: &Connection, id: JobId, node: u32) -> Outcome<Option<String>> {
    let sql =
        "SELECT c.status FROM children c JOIN jobs j USING (seq) WHERE j.id = ?1 AND c.ord = ?2";
    let key = *id.uuid().as_bytes();
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row(params![key, node], |row| row.get(0)).optional()?)
}

/// A job's nodes where they stand as the filter says, the main one too, the largest index first. All else of the filter is
/// the job's to meet.
pub(super) fn list(connection: &Connection, job: &Job, filter: &JobFilter) -> Outcome<Vec<Job>> {
    let main = job.spec.gang.as_ref().map_or(0, |gang| gang.main);
    let index_of = |id: JobId| id.node_index().unwrap_or(main);
    let below = match filter.after {
        None => u32::MAX,
        Some(after) if after.whole() == job.id => index_of(after),
        Some(_) => 0,
    };
    let mut nodes = others(connection, job)?;
    nodes.push(job.clone());
    nodes.sort_by_key(|node| Reverse(index_of(node.id)));
    let is_wanted = |node: &Job| index_of(node.id) < below && filter.matches_state(node);
    Ok(nodes.into_iter().filter(is_wanted).take(filter.limit).collect())
}

/// All nodes but the main one that have ever been given to a host, in their order.
fn others(connection: &Connection, job: &Job) -> Outcome<Vec<Job>> {
    let sql = format!("SELECT {COLUMNS} WHERE c.seq = ?1 ORDER BY c.ord");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([seq_of(job)?])?;
    let mut nodes = Vec::new();
    while let Some(row) = rows.next()? {
        nodes.push(node(connection, job, row)?);
    }
    Ok(nodes)
}

/// The nodes that have not ended. Those of a job that has may still be on their way to their end.
pub(super) fn open(connection: &Connection, jobs: &[Job]) -> Outcome<Vec<Job>> {
    let known: BTreeMap<JobId, &Job> = jobs.iter().map(|job| (job.id, job)).collect();
    let sql =
        "SELECT DISTINCT j.id FROM gangs g JOIN children c USING (seq) JOIN jobs j USING (seq)
        WHERE c.status IN ('SUBMITTED', 'PENDING', 'RUNNABLE', 'STARTING', 'RUNNING')";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut open = Vec::new();
    while let Some(row) = rows.next()? {
        let id: Vec<u8> = row.get(0)?;
        let id = JobId::from_uuid(uuid(&id)?);
        let ended = if known.contains_key(&id) { None } else { super::one(connection, id)? };
        let Some(job) = known.get(&id).copied().or(ended.as_ref()) else { continue };
        let nodes = others(connection, job)?;
        open.extend(nodes.into_iter().filter(|node| !node.state.status().is_terminal()));
    }
    Ok(open)
}

fn seq_of(job: &Job) -> Outcome<i64> {
    i64::try_from(job.seq).map_err(|error| Failure::record("seq", &error))
}
