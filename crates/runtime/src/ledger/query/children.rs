//! Reads the children of arrays: those with a record, and those that are only told by what is written of others.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use spillway_core::array::{self, ArrayRecord, Indexes, child_seq};
use spillway_core::job::{Job, JobState, JobStatus};
use spillway_core::{JobId, OrdSet};

use super::super::error::{Failure, Outcome};
use super::{attempts, parse, uuid};

/// Where an array's children are.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Array {
    pub(in super::super) seq: i64,
    pub(in super::super) indexes: Indexes,
}

const ARRAY_COLUMNS: &str = "a.seq, a.first_index, a.step, a.size FROM arrays a";

fn read_array(row: &Row<'_>) -> rusqlite::Result<Array> {
    let step = NonZeroU32::new(row.get(2)?).unwrap_or(NonZeroU32::MIN);
    let indexes = Indexes { first: row.get(1)?, step, size: row.get(3)? };
    Ok(Array { seq: row.get(0)?, indexes })
}

/// The array with this id.
pub(in super::super) fn array(connection: &Connection, id: JobId) -> Outcome<Option<Array>> {
    let sql = format!("SELECT {ARRAY_COLUMNS} JOIN jobs j USING (seq) WHERE j.id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([id.uuid().as_bytes().as_slice()], read_array).optional()?)
}

/// A row of `children` as a job.
fn child(connection: &Connection, parent: &Job, array: &Array, row: &Row<'_>) -> Outcome<Job> {
    let ord: u32 = row.get(0)?;
    let what = || format!("child {ord} of array {}", parent.id);
    let id = array.indexes.child(parent.id, ord);
    let id = id.ok_or_else(|| Failure::record(&what(), &"there is no such child"))?;
    let state: JobState = parse(&what, row, 1)?;
    let last_attempt: u32 = row.get(2)?;
    let mut job = array::child_of(parent, id, ord, state);
    if last_attempt != 0 {
        let seq = i64::try_from(child_seq(parent.seq, ord));
        job.attempts =
            attempts(connection, seq.map_err(|error| Failure::record(&what(), &error))?)?;
    }
    Ok(job)
}

/// One child, whether or not it has a record.
pub(in super::super) fn one(
    connection: &Connection,
    parent: &Job,
    index: u32,
) -> Outcome<Option<Job>> {
    let Some(array) = array(connection, parent.id)? else { return Ok(None) };
    let Some(ord) = array.indexes.ord_of(index) else { return Ok(None) };
    let sql = "SELECT ord, state, last_attempt FROM children WHERE seq = ?1 AND ord = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![array.seq, ord])?;
    if let Some(row) = rows.next()? {
        return child(connection, parent, &array, row).map(Some);
    }
    let runs = runs(connection, &array)?;
    Ok(Some(unrecorded(parent, &array, &runs, ord)?))
}

/// Children that ended without a record, in order.
fn runs(connection: &Connection, array: &Array) -> Outcome<Vec<(u32, u32, JobState)>> {
    let sql = "SELECT first, last, state FROM child_runs WHERE seq = ?1 ORDER BY first";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([array.seq])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        let state = parse(&|| "children that never ran".to_owned(), row, 2)?;
        runs.push((row.get(0)?, row.get(1)?, state));
    }
    Ok(runs)
}

fn unrecorded(
    parent: &Job,
    array: &Array,
    runs: &[(u32, u32, JobState)],
    ord: u32,
) -> Outcome<Job> {
    let after = runs.partition_point(|(first, _, _)| *first <= ord);
    let run = after.checked_sub(1).and_then(|at| runs.get(at)).filter(|(_, last, _)| ord <= *last);
    let state = run.map_or_else(|| array::unrecorded_state(parent), |(_, _, state)| state.clone());
    let id = array.indexes.child(parent.id, ord);
    let id = id.ok_or_else(|| Failure::record("a child", &format!("{ord} of {}", parent.id)))?;
    Ok(array::child_of(parent, id, ord, state))
}

/// The children of an array in these states (all, if none is named), the largest index first.
pub(in super::super) fn list(
    connection: &Connection,
    parent: &Job,
    statuses: &[JobStatus],
    limit: usize,
) -> Outcome<Vec<Job>> {
    let Some(array) = array(connection, parent.id)? else { return Ok(Vec::new()) };
    let mut values = vec![Value::Integer(array.seq), Value::Integer(super::row_limit(limit))];
    values.extend(statuses.iter().map(|status| Value::Text(status.to_string())));
    let names: Vec<String> = (3..=values.len()).map(|n| format!("?{n}")).collect();
    let condition = match names.as_slice() {
        [] => String::new(),
        names => format!("AND status IN ({})", names.join(", ")),
    };
    let sql = format!(
        "SELECT ord, state, last_attempt FROM children WHERE seq = ?1 {condition}
            ORDER BY ord DESC LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found: Vec<Job> = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(child(connection, parent, &array, row)?);
    }
    let is_wanted = |job: &Job| statuses.is_empty() || statuses.contains(&job.state.status());
    let recorded = recorded(connection, &array)?;
    let runs = runs(connection, &array)?;
    let mut n_unrecorded = 0;
    for ord in (0..array.indexes.size).rev() {
        if n_unrecorded == limit {
            break;
        }
        if recorded.contains(ord) {
            continue;
        }
        let job = unrecorded(parent, &array, &runs, ord)?;
        if is_wanted(&job) {
            n_unrecorded += 1;
            found.push(job);
        }
    }
    found.sort_by_key(|job| std::cmp::Reverse(job.seq));
    found.truncate(limit);
    Ok(found)
}

/// The children of an array that have a record.
fn recorded(connection: &Connection, array: &Array) -> Outcome<OrdSet> {
    ords(connection, array, "SELECT ord FROM children WHERE seq = ?1")
}

fn ords(connection: &Connection, array: &Array, sql: &str) -> Outcome<OrdSet> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([array.seq])?;
    let mut ords = OrdSet::new();
    while let Some(row) = rows.next()? {
        ords.insert(row.get(0)?);
    }
    Ok(ords)
}

/// All arrays, each with the id and the status of its job.
fn all(connection: &Connection) -> Outcome<Vec<(Array, JobId, JobStatus)>> {
    let sql = "SELECT a.seq, a.first_index, a.step, a.size, j.id, j.status
        FROM arrays a JOIN jobs j USING (seq) ORDER BY a.seq";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let id: Vec<u8> = row.get(4)?;
        let id = JobId::from_uuid(uuid(&id)?);
        let status: String = row.get(5)?;
        let status =
            status.parse().map_err(|error| Failure::record(&format!("job {id}"), &error))?;
        all.push((read_array(row)?, id, status));
    }
    Ok(all)
}

/// What a dispatcher needs of every array.
pub(super) fn records(connection: &Connection) -> Outcome<BTreeMap<JobId, ArrayRecord>> {
    let mut records = BTreeMap::new();
    for (array, id, status) in all(connection)? {
        let of =
            |status| format!("SELECT ord FROM children WHERE seq = ?1 AND status = '{status}'");
        let indexes = array.indexes;
        let mut succeeded = ords(connection, &array, &of(JobStatus::Succeeded))?;
        let mut failed = OrdSet::new();
        if status.is_terminal() {
            failed = OrdSet::below(indexes.size);
            for ord in succeeded.iter() {
                failed.remove(ord);
            }
            succeeded = OrdSet::new();
        } else {
            for (first, last) in ords(connection, &array, &of(JobStatus::Failed))?.runs() {
                failed.insert_run(first, last);
            }
            for (first, last, _) in runs(connection, &array)? {
                failed.insert_run(first, last);
            }
        }
        records.insert(id, ArrayRecord { indexes, succeeded, failed });
    }
    Ok(records)
}

/// The children with a record that have not ended; `parent` finds the job of an array.
pub(super) fn open(
    connection: &Connection,
    mut parent: impl FnMut(i64, JobId) -> Outcome<Option<Job>>,
) -> Outcome<Vec<Job>> {
    let sql = "SELECT ord, state, last_attempt FROM children WHERE seq = ?1
        AND status IN ('SUBMITTED', 'PENDING', 'RUNNABLE', 'STARTING', 'RUNNING')";
    let mut open = Vec::new();
    for (array, id, _) in all(connection)? {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([array.seq])?;
        let mut of_array: Option<Job> = None;
        while let Some(row) = rows.next()? {
            if of_array.is_none() {
                of_array = parent(array.seq, id)?;
            }
            if let Some(parent) = &of_array {
                open.push(child(connection, parent, &array, row)?);
            }
        }
    }
    Ok(open)
}

/// How many children of an array are in each state.
pub(in super::super) fn counts_of(
    connection: &Connection,
    parent: &Job,
) -> Outcome<BTreeMap<JobStatus, u32>> {
    let mut counts: BTreeMap<JobStatus, u32> = BTreeMap::new();
    let Some(array) = array(connection, parent.id)? else { return Ok(counts) };
    let mut left = array.indexes.size;
    let mut add = |status: JobStatus, n: u32| {
        let before = counts.entry(status).or_default();
        *before = before.saturating_add(n);
        left = left.saturating_sub(n);
    };
    let sql = "SELECT count(*) FROM children WHERE seq = ?1 AND status = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    for status in JobStatus::ALL {
        add(status, statement.query_row(params![array.seq, status.as_str()], |row| row.get(0))?);
    }
    for (first, last, state) in runs(connection, &array)? {
        add(state.status(), last.saturating_sub(first).saturating_add(1));
    }
    *counts.entry(array::unrecorded_state(parent).status()).or_default() += left;
    Ok(counts)
}

/// How many more jobs are in each state than there are rows of them: the children of arrays, and the arrays themselves not.
pub(in super::super) fn counts(connection: &Connection) -> Outcome<BTreeMap<JobStatus, i64>> {
    let mut counts: BTreeMap<JobStatus, i64> = BTreeMap::new();
    for (_, id, status) in all(connection)? {
        *counts.entry(status).or_default() -= 1;
        let Some(parent) = super::one(connection, id)? else { continue };
        for (status, n) in counts_of(connection, &parent)? {
            *counts.entry(status).or_default() += i64::from(n);
        }
    }
    Ok(counts)
}
