//! Writes what becomes of the children of arrays.

use rusqlite::{OptionalExtension, Transaction, params};
use spillway_core::JobId;
use spillway_core::array::{Indexes, child_seq};
use spillway_core::job::{Attempt, Job, JobState};

use super::super::error::{BadChange, Outcome};
use super::super::query::children::{Array, Arrays};
use super::super::query::natural;
use super::{Record, add_attempt, check_move, ended, json, said, whole};

pub(super) fn add_array(tx: &Transaction<'_>, job: &Job) -> Outcome<()> {
    let Some(array) = job.spec.array else { return Ok(()) };
    let Indexes { first, step, size } = array.indexes;
    let sql = "INSERT INTO arrays (seq, first_index, step, size) VALUES (?1, ?2, ?3, ?4)";
    tx.prepare_cached(sql)?.execute(params![whole(job.seq)?, first, step.get(), size])?;
    Ok(())
}

/// The array of a child, and the child's ordinal number in it.
fn place(tx: &Transaction<'_>, id: JobId, arrays: &mut Arrays) -> Outcome<Option<(Array, u32)>> {
    let Some(array) = arrays.of(tx, id.whole())? else { return Ok(None) };
    let ord = id.index().and_then(|index| array.indexes.ord_of(index));
    Ok(ord.map(|ord| (array, ord)))
}

pub(super) fn add_child(
    tx: &Transaction<'_>,
    id: JobId,
    state: &JobState,
    arrays: &mut Arrays,
) -> Outcome<()> {
    let (array, ord) = place(tx, id, arrays)?.ok_or(BadChange::NeverAdded(id))?;
    if first_known(tx, array.seq, ord, ord)?.is_some() {
        return Err(BadChange::AddedTwice(id).into());
    }
    let sql = "INSERT INTO children (seq, ord, status, last_attempt, state, ended, reason)
        VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6)";
    let status = state.status();
    let reason = said(state, None);
    let row = params![array.seq, ord, status.as_str(), json(state)?, ended(state), reason];
    tx.prepare_cached(sql)?.execute(row)?;
    Ok(())
}

pub(super) fn move_child(
    tx: &Transaction<'_>,
    id: JobId,
    state: &JobState,
    ended: Option<&Attempt>,
    arrays: &mut Arrays,
) -> Outcome<()> {
    let (array, ord) = place(tx, id, arrays)?.ok_or(BadChange::NeverAdded(id))?;
    let sql = "SELECT status, last_attempt FROM children WHERE seq = ?1 AND ord = ?2";
    let before: Option<Record> = tx
        .prepare_cached(sql)?
        .query_row([array.seq, i64::from(ord)], |row| {
            Ok(Record { status: row.get(0)?, last_attempt: row.get(1)? })
        })
        .optional()?;
    let before = before.ok_or(BadChange::NeverAdded(id))?;
    let newest = check_move(id, &before, state, ended)?;
    if let Some(attempt) = ended {
        let array_seq = natural("seq", array.seq)?;
        add_attempt(tx, whole(child_seq(array_seq, ord))?, attempt)?;
    }
    let sql = "UPDATE children SET status = ?3, last_attempt = ?4, state = ?5, ended = ?6,
        reason = coalesce(?7, reason) WHERE seq = ?1 AND ord = ?2";
    tx.prepare_cached(sql)?.execute(params![
        array.seq,
        ord,
        state.status().as_str(),
        newest,
        json(state)?,
        super::ended(state),
        said(state, ended),
    ])?;
    Ok(())
}

/// Ends children that have no record.
pub(super) fn end_children(
    tx: &Transaction<'_>,
    id: JobId,
    runs: &[(u32, u32)],
    state: &JobState,
    arrays: &mut Arrays,
) -> Outcome<()> {
    let array = arrays.of(tx, id)?.ok_or(BadChange::NeverAdded(id))?;
    let state = json(state)?;
    for (first, last) in runs {
        let known = first_known(tx, array.seq, *first, *last)?;
        if let Some(child) = known.and_then(|ord| array.indexes.child(id, ord)) {
            return Err(BadChange::AddedTwice(child).into());
        }
        if array.indexes.size <= *last {
            return Err(BadChange::NeverAdded(id).into());
        }
        let sql = "INSERT INTO child_runs (seq, first, last, state) VALUES (?1, ?2, ?3, ?4)";
        tx.prepare_cached(sql)?.execute(params![array.seq, first, last, state])?;
    }
    Ok(())
}

/// The first child of a run that has a record or has ended.
fn first_known(tx: &Transaction<'_>, seq: i64, first: u32, last: u32) -> Outcome<Option<u32>> {
    let sql = "SELECT ord FROM children WHERE seq = ?1 AND ord BETWEEN ?2 AND ?3 LIMIT 1";
    let range = params![seq, first, last];
    let with_record: Option<u32> =
        tx.prepare_cached(sql)?.query_row(range, |row| row.get(0)).optional()?;
    // Runs do not overlap, so the one before the end of the range is the only one that may reach into it from below.
    let sql = "SELECT first, last FROM child_runs WHERE seq = ?1 AND first <= ?2
        ORDER BY first DESC LIMIT 1";
    let below: Option<(u32, u32)> = tx
        .prepare_cached(sql)?
        .query_row(params![seq, first], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let reaches_in = below.filter(|(_, end)| first <= *end).map(|_| first);
    let sql = "SELECT first FROM child_runs WHERE seq = ?1 AND first BETWEEN ?2 AND ?3 LIMIT 1";
    let within: Option<u32> = tx
        .prepare_cached(sql)?
        .query_row(params![seq, first, last], |row| row.get(0))
        .optional()?;
    Ok([with_record, reaches_in, within].into_iter().flatten().min())
}
