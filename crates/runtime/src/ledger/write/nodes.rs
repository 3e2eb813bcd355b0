//! Writes what becomes of the nodes of multi-node jobs other than the main one.

use rusqlite::{OptionalExtension, Transaction, params};
use spillway_core::JobId;
use spillway_core::array::child_seq;
use spillway_core::job::{Attempt, Job, JobState};

use super::super::error::{BadChange, Outcome};
use super::super::query::natural;
use super::{Record, add_attempt, check_move, json, said, whole};

pub(super) fn add_gang(tx: &Transaction<'_>, job: &Job) -> Outcome<()> {
    let Some(gang) = &job.spec.gang else { return Ok(()) };
    let sql = "INSERT INTO gangs (seq, size) VALUES (?1, ?2)";
    tx.prepare_cached(sql)?.execute(params![whole(job.seq)?, gang.n_nodes()])?;
    Ok(())
}

/// The number of a node's job.
fn seq_of(tx: &Transaction<'_>, id: JobId, node: u32) -> Outcome<i64> {
    let sql = "SELECT g.seq FROM gangs g JOIN jobs j USING (seq) WHERE j.id = ?1 AND ?2 < g.size";
    let mut statement = tx.prepare_cached(sql)?;
    let uuid = id.uuid();
    let row = params![uuid.as_bytes().as_slice(), node];
    let seq = statement.query_row(row, |row| row.get(0)).optional()?;
    seq.ok_or_else(|| BadChange::NeverAdded(id).into())
}

fn known(tx: &Transaction<'_>, seq: i64, node: u32) -> Outcome<Option<Record>> {
    let sql = "SELECT status, last_attempt FROM children WHERE seq = ?1 AND ord = ?2";
    let read =
        |row: &rusqlite::Row<'_>| Ok(Record { status: row.get(0)?, last_attempt: row.get(1)? });
    Ok(tx.prepare_cached(sql)?.query_row(params![seq, node], read).optional()?)
}

pub(super) fn add_node(
    tx: &Transaction<'_>,
    id: JobId,
    node: u32,
    state: &JobState,
) -> Outcome<()> {
    let seq = seq_of(tx, id, node)?;
    if known(tx, seq, node)?.is_some() {
        return Err(BadChange::AddedTwice(id).into());
    }
    let sql = "INSERT INTO children (seq, ord, status, last_attempt, state, ended, reason)
        VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6)";
    let (status, reason) = (state.status().as_str(), said(state, None));
    let row = params![seq, node, status, json(state)?, super::ended(state), reason];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

pub(super) fn move_node(
    tx: &Transaction<'_>,
    id: JobId,
    node: u32,
    state: &JobState,
    ended: Option<&Attempt>,
) -> Outcome<()> {
    let seq = seq_of(tx, id, node)?;
    let before = known(tx, seq, node)?.ok_or(BadChange::NeverAdded(id))?;
    let newest = check_move(id, &before, state, ended)?;
    if let Some(attempt) = ended {
        let of_job = natural("seq", seq)?;
        add_attempt(tx, whole(child_seq(of_job, node))?, attempt)?;
    }
    let sql = "UPDATE children SET status = ?3, last_attempt = ?4, state = ?5, ended = ?6,
        reason = coalesce(?7, reason) WHERE seq = ?1 AND ord = ?2";
    tx.prepare_cached(sql)?.execute(params![
        seq,
        node,
        state.status().as_str(),
        newest,
        json(state)?,
        super::ended(state),
        said(state, ended),
    ])?;
    Ok(())
}
