//! Reads what is looked at all the time, or over a long time: counts, what ended last, and whose machines were paid for. What has
//! ended long ago must cost nothing here but to be counted.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use spillway_core::job::{Job, JobStatus};
use spillway_core::{Host, HostState, JobId, QueueName};

use super::super::error::Outcome;
use super::{children, one, queue_of, records, row_limit, uuid};

/// How many jobs of each queue are in each state; of arrays, their children.
pub(in super::super) fn queue_counts(
    connection: &Connection,
) -> Outcome<BTreeMap<(QueueName, JobStatus), u64>> {
    let mut counts = children::counts(connection)?;
    let sql =
        "SELECT queue, status, count(*) FROM jobs INDEXED BY jobs_listed GROUP BY queue, status";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = (queue_of(row, 0)?, children::status_of(row, 1)?);
        *counts.entry(key).or_default() += row.get::<_, i64>(2)?;
    }
    let positive = counts.into_iter().filter_map(|(key, n)| Some((key, u64::try_from(n).ok()?)));
    Ok(positive.filter(|(_, n)| 0 < *n).collect())
}

/// Jobs and children that ended last, newest first.
pub(in super::super) fn last_ended(connection: &Connection, limit: usize) -> Outcome<Vec<Job>> {
    let mut ended: Vec<(i64, JobId)> = Vec::new();
    let sql = "SELECT ended, id FROM jobs WHERE ended IS NOT NULL
        ORDER BY ended DESC LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([row_limit(limit)])?;
    while let Some(row) = rows.next()? {
        let id: Vec<u8> = row.get(1)?;
        ended.push((row.get(0)?, JobId::from_uuid(uuid(&id)?)));
    }
    // What is inside is read from its index backwards, which the plus says; nodes of multi-node jobs are in it too.
    let sql = "SELECT c.ended, j.id, c.ord FROM (
            SELECT seq, ord, ended FROM children
            WHERE ended IS NOT NULL AND +seq IN (SELECT seq FROM arrays)
            ORDER BY ended DESC LIMIT ?1
        ) c JOIN jobs j USING (seq) ORDER BY c.ended DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([row_limit(limit)])?;
    while let Some(row) = rows.next()? {
        let id: Vec<u8> = row.get(1)?;
        let array = JobId::from_uuid(uuid(&id)?);
        let indexes = children::array(connection, array)?.map(|array| array.indexes);
        let child = indexes.and_then(|indexes| indexes.child(array, row.get(2).ok()?));
        ended.extend(child.map(|child| (row.get(0).unwrap_or_default(), child)));
    }
    ended.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let mut jobs = Vec::new();
    for (_, id) in ended.into_iter().take(limit) {
        jobs.extend(one(connection, id)?);
    }
    Ok(jobs)
}

/// Hosts that were paid for at `at` or later, in order of id.
pub(in super::super) fn hosts_since(connection: &Connection, at: Timestamp) -> Outcome<Vec<Host>> {
    // Times in records are text without a fixed number of decimals: they are in order to the second.
    let about = at.checked_sub(SignedDuration::from_secs(1)).unwrap_or(at);
    let sql = "SELECT host FROM hosts
        WHERE status <> 'gone' OR ?1 <= json_extract(host, '$.state.at') ORDER BY id";
    let mut hosts: Vec<Host> = records(connection, sql, [about.to_string()])?;
    hosts.retain(|host| match host.state {
        HostState::Gone { at: gone_at, .. } => at <= gone_at,
        HostState::Requested
        | HostState::Launched { .. }
        | HostState::Registered { .. }
        | HostState::Draining { .. }
        | HostState::Terminating { .. }
        | HostState::Lost { .. } => true,
    });
    Ok(hosts)
}

/// When the first job was accepted, and when the last one of those that have ended did; to the second.
pub(in super::super) fn span(connection: &Connection) -> Outcome<Option<(Timestamp, Timestamp)>> {
    let number = |sql: &str| -> Outcome<Option<i64>> {
        Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
    };
    // Jobs come in order, so the first one has the first place in line.
    let first = number("SELECT min(created) FROM (SELECT created FROM jobs ORDER BY seq LIMIT 1)")?;
    let ends = [
        number("SELECT max(ended) FROM jobs WHERE ended IS NOT NULL")?,
        number("SELECT max(ended) FROM children WHERE ended IS NOT NULL")?,
    ];
    let Some(first) = first else { return Ok(None) };
    let last = ends.into_iter().flatten().max().unwrap_or(first).max(first);
    let at = |secs| Timestamp::from_second(secs).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Some((at(first), at(last))))
}
