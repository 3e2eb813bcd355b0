//! Reads what has happened, a page at a time. A page costs what its rows cost, and however long the record is, no more of it is in
//! memory than is asked for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use spillway_core::{AuditDetail, AuditEvent, AuditFilter, AuditKind, Host, HostId, Job, JobId};

use super::super::audit::{part_of, with_part};
use super::super::error::{Failure, Outcome};
use super::{host, natural, one, parse, row_limit, uuid};

/// The events that meet all conditions, in their order: the newest so many, or where `after` is said the first so many behind it.
pub(in super::super) fn events(
    connection: &Connection,
    filter: &AuditFilter,
) -> Outcome<Vec<AuditEvent>> {
    let (mut above, mut below) = (place(filter.after, i64::MIN), place(filter.before, i64::MAX));
    if let Some(since) = filter.since {
        above = above.max(first_at(connection, since)?.saturating_sub(1));
    }
    if let Some(until) = filter.until {
        below = below.min(first_at(connection, until)?);
    }
    let mut values = vec![Value::Integer(above), Value::Integer(below)];
    let mut conditions = String::new();
    // Which index serves is said: SQLite knows nothing of how rare a value is.
    let mut by = "NOT INDEXED";
    if let Some(id) = filter.job {
        let sql = "SELECT seq FROM jobs WHERE id = ?1";
        let key = *id.uuid().as_bytes();
        let seq = connection.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
        let Some(seq) = seq else { return Ok(Vec::new()) };
        by = "INDEXED BY audit_by_job";
        values.push(Value::Integer(seq));
        let _ = write!(conditions, " AND job = ?{}", values.len());
        if let Some(part) = part_of(id) {
            values.push(Value::Integer(part));
            let _ = write!(conditions, " AND part = ?{}", values.len());
        }
    }
    if !filter.kinds.is_empty() {
        let mut names = Vec::with_capacity(filter.kinds.len());
        for kind in &filter.kinds {
            values.push(Value::Text(kind.to_string()));
            names.push(format!("?{}", values.len()));
        }
        let _ = write!(conditions, " AND kind IN ({})", names.join(", "));
    }
    if let Some(queue) = &filter.queue {
        values.push(Value::Text(queue.to_string()));
        let n = values.len();
        let of_queue = format!("(SELECT queue FROM jobs j WHERE j.seq = audit.job) = ?{n}");
        let _ = write!(conditions, " AND {of_queue}");
    }
    let order = if filter.after.is_some() { "ASC" } else { "DESC" };
    values.push(Value::Integer(row_limit(filter.limit)));
    let sql = format!(
        "SELECT n, at, kind, (SELECT id FROM jobs j WHERE j.seq = audit.job), part, detail
            FROM audit {by} WHERE n > ?1 AND n < ?2{conditions} ORDER BY n {order} LIMIT ?{}",
        values.len()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut events = Vec::new();
    let mut known = Known { connection, jobs: BTreeMap::new(), hosts: BTreeMap::new() };
    while let Some(row) = rows.next()? {
        let n = natural("n", row.get(0)?)?;
        let what = || format!("event {n}");
        let wrong = |error: &dyn std::fmt::Display| Failure::record(&what(), error);
        let at = Timestamp::from_millisecond(row.get(1)?).map_err(|error| wrong(&error))?;
        let kind = row.get_ref(2)?.as_str().map_err(|error| wrong(&error))?;
        let kind: AuditKind = kind.parse().map_err(|error| wrong(&error))?;
        let job: Option<Vec<u8>> = row.get(3)?;
        let job = job.map(|id| uuid(&id)).transpose()?.map(JobId::from_uuid);
        let part: Option<i64> = row.get(4)?;
        let job = job.map(|job| with_part(job, part)).transpose()?;
        let has_detail = row.get_ref(5)? != rusqlite::types::ValueRef::Null;
        let detail = if has_detail { parse(&what, row, 5)? } else { AuditDetail::default() };
        let mut event = AuditEvent { n, at, kind, job, of: None, detail };
        known.complete(&mut event)?;
        events.push(event);
    }
    if filter.after.is_none() {
        events.reverse();
    }
    Ok(events)
}

fn place(n: Option<u64>, otherwise: i64) -> i64 {
    n.map_or(otherwise, |n| i64::try_from(n).unwrap_or(i64::MAX))
}

/// The number of the first event that is not before `at`; one more than there are if all are. Times never fall and numbers have no
/// gaps, so it is found by halves.
fn first_at(connection: &Connection, at: Timestamp) -> Outcome<i64> {
    let sql = "SELECT coalesce(max(n), 0) FROM audit";
    let n: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    // A fraction of a millisecond is in the millisecond that was written.
    let wanted = at.as_millisecond();
    let mut statement = connection.prepare_cached("SELECT at FROM audit WHERE n = ?1")?;
    let (mut low, mut high) = (1, n + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let at: i64 = statement.query_row([middle], |row| row.get(0))?;
        if at < wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// What other records say of what events name, each looked up once a page.
struct Known<'c> {
    connection: &'c Connection,
    jobs: BTreeMap<JobId, Option<Job>>,
    hosts: BTreeMap<HostId, Option<Host>>,
}

impl Known<'_> {
    /// Adds to an event what its job's record says.
    fn complete(&mut self, event: &mut AuditEvent) -> Outcome<()> {
        let Some(id) = event.job else { return Ok(()) };
        let job = match self.jobs.entry(id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(one(self.connection, id)?)
            }
        };
        let Some(job) = job else { return Ok(()) };
        event.of = Some((job.spec.name.clone(), job.spec.queue.clone()));
        let detail = &mut event.detail;
        if let AuditKind::JobRefused | AuditKind::JobEnded = event.kind
            && let spillway_core::JobState::Failed { reason, .. } = &job.state
        {
            detail.reason = Some(reason.clone());
        }
        let Some(ord) = detail.attempt else { return Ok(()) };
        if let Some(ended) = job.attempts.iter().find(|attempt| attempt.ord == ord) {
            detail.host = Some(ended.host);
            detail.instance = Some(ended.instance.clone());
            detail.pool = Some(ended.pool.clone());
            if event.kind == AuditKind::AttemptEnded {
                detail.exit_code = ended.exit_code;
                detail.failure = ended.failure;
                detail.reason = Some(ended.told().to_owned()).filter(|told| !told.is_empty());
                detail.cost = Some(ended.cost);
            }
        } else if let Some(live) = job.state.live_attempt().filter(|live| live.ord == ord) {
            detail.host = Some(live.host);
        }
        let Some(id) = detail.host else { return Ok(()) };
        let host = match self.hosts.entry(id) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(host(self.connection, id)?)
            }
        };
        if let Some(host) = host {
            detail.price = Some(host.price);
            if detail.pool.is_none() {
                detail.pool = Some(host.pool.clone());
                detail.instance = host.instance().map(|instance| instance.id.clone());
            }
        }
        Ok(())
    }
}
