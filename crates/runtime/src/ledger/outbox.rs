//! News of jobs that has not been passed on: written in the commit that makes it true, forgotten when it has arrived. What is
//! passed on is at least everything; after a crash some of it comes again, with the same id.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spillway_core::JobId;
use spillway_core::change::Change;
use spillway_core::error::LedgerError;
use spillway_core::job::{JobState, JobStatus};
use spillway_core::job_event::job_event;

use super::error::{Failure, Outcome};
use super::write::{json, whole};
use super::{Store, call, query};

/// Which changes are news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRule {
    /// Only those to these states.
    pub statuses: BTreeSet<JobStatus>,
    /// Those of arrays' children and of nodes too, each by itself. Children that end without ever having been given to a host are told by
    /// their array alone, so that a million of them are one event.
    pub children: bool,
}

/// An event that has not been passed on.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Its number; those of one job grow with each change.
    pub version: u64,
    /// What it says.
    pub event: Value,
}

/// The outbox of a ledger, for whoever passes on what is in it.
#[derive(Debug, Clone)]
pub struct Outbox {
    pub(super) store: Arc<Store>,
}

impl Outbox {
    /// The oldest events, at most so many.
    ///
    /// # Errors
    /// As [`spillway_core::port::Ledger::load`].
    pub async fn pending(&self, limit: usize) -> Result<Vec<Pending>, LedgerError> {
        call(&self.store, move |connection| pending(connection, limit)).await
    }

    /// Forgets all events up to this one: they have arrived.
    ///
    /// # Errors
    /// As [`spillway_core::port::Ledger::commit`].
    pub async fn passed_on(&self, version: u64) -> Result<(), LedgerError> {
        call(&self.store, move |connection| forget(connection, version)).await
    }
}

/// Forgets all events up to this one.
pub(super) fn forget(connection: &Connection, version: u64) -> Outcome<()> {
    let sql = "DELETE FROM outbox WHERE version <= ?1";
    connection.prepare_cached(sql)?.execute([whole(version)?])?;
    Ok(())
}

/// Up to which event all have been passed on.
pub(super) fn told(connection: &Connection) -> Outcome<u64> {
    let sql = "SELECT coalesce((SELECT min(version) - 1 FROM outbox), n_events) FROM meta";
    let told = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    query::natural("the events that were passed on", told)
}

/// What will be news of a change that is about to be applied: a job's coming, and its move to another status than it has. That
/// more is known of a job where it is (its task's ARN, that it is to be stopped) is none.
pub(super) fn news<'a>(
    tx: &Transaction<'_>,
    rule: &EventRule,
    change: &'a Change,
) -> Outcome<Option<(JobId, &'a JobState)>> {
    let Some((id, state)) = change.of_job() else { return Ok(None) };
    let is_wanted = rule.statuses.contains(&state.status());
    if !is_wanted || !(rule.children || id == id.whole()) {
        return Ok(None);
    }
    let is_new = query::status(tx, id)?.as_deref() != Some(state.status().as_str());
    Ok(is_new.then_some((id, state)))
}

/// Notes that a job has come to this state.
pub(super) fn put(
    tx: &Transaction<'_>,
    id: JobId,
    state: &JobState,
    now: Timestamp,
) -> Outcome<()> {
    let sql = "UPDATE meta SET n_events = n_events + 1 RETURNING n_events";
    let version: i64 = tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    let sql = "INSERT INTO outbox (version, job, at, state) VALUES (?1, ?2, ?3, ?4)";
    let row = params![version, id.to_string(), now.to_string(), json(state)?];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

/// Events as they were when they became true: the job's state is the event's, and so are its attempts.
fn pending(connection: &Connection, limit: usize) -> Outcome<Vec<Pending>> {
    let sql = "SELECT version, job, at, state FROM outbox ORDER BY version LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([query::row_limit(limit)])?;
    let mut pending = Vec::new();
    while let Some(row) = rows.next()? {
        let version = query::natural("version", row.get(0)?)?;
        let what = || format!("event {version}");
        let wrong = |error: &dyn std::fmt::Display| Failure::record(&what(), error);
        let (id, at): (String, String) = (row.get(1)?, row.get(2)?);
        let id: JobId = id.parse().map_err(|error| wrong(&error))?;
        let at: Timestamp = at.parse().map_err(|error| wrong(&error))?;
        let state: JobState = query::parse(&what, row, 3)?;
        let Some(mut job) = query::one(connection, id)? else {
            return Err(wrong(&"its job is not there"));
        };
        if let Some(live) = state.live_attempt() {
            job.attempts.retain(|attempt| attempt.ord < live.ord);
        } else if !state.status().is_terminal() {
            job.attempts.retain(|attempt| attempt.stopped_at <= at);
        }
        job.state = state;
        pending.push(Pending { version, event: job_event(&job, version, at) });
    }
    Ok(pending)
}
