//! Reads the children of arrays: those with a record, and those that are only told by what is written of others.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use spillway_core::array::{self, ArrayRecord, Indexes, child_seq};
use spillway_core::job::{Job, JobState, JobStatus};
use spillway_core::port::JobFilter;
use spillway_core::{JobId, OrdSet, QueueName};

use super::super::error::{Failure, Outcome};
use super::list::{self, Terms};
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

/// The array that was looked up last: changes that follow each other are mostly of one.
#[derive(Debug, Default)]
pub(in super::super) struct Arrays(Option<(JobId, Array)>);

impl Arrays {
    /// The array with this id.
    pub(in super::super) fn of(
        &mut self,
        connection: &Connection,
        id: JobId,
    ) -> Outcome<Option<Array>> {
        if let Some((known, array)) = self.0
            && known == id
        {
            return Ok(Some(array));
        }
        let found = array(connection, id)?;
        // What an array is never changes; one that is not there may come.
        self.0 = found.map(|array| (id, array)).or(self.0);
        Ok(found)
    }
}

/// The status in the record of a child.
pub(in super::super) fn status(
    connection: &Connection,
    array: &Array,
    index: u32,
) -> Outcome<Option<String>> {
    let Some(ord) = array.indexes.ord_of(index) else { return Ok(None) };
    let sql = "SELECT status FROM children WHERE seq = ?1 AND ord = ?2";
    let key = [array.seq, i64::from(ord)];
    Ok(connection.prepare_cached(sql)?.query_row(key, |row| row.get(0)).optional()?)
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
    if let Some(child) = with_record(connection, parent, &array, ord)? {
        return Ok(Some(child));
    }
    let runs = runs(connection, &array)?;
    Ok(Some(unrecorded(parent, &array, &runs, ord)?))
}

fn with_record(
    connection: &Connection,
    parent: &Job,
    array: &Array,
    ord: u32,
) -> Outcome<Option<Job>> {
    let sql = "SELECT ord, state, last_attempt FROM children WHERE seq = ?1 AND ord = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![array.seq, ord])?;
    rows.next()?.map(|row| child(connection, parent, array, row)).transpose()
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

/// The children of an array where they stand as the filter says, the largest index first. All else of the filter is the
/// array's to meet.
pub(super) fn list(connection: &Connection, parent: &Job, filter: &JobFilter) -> Outcome<Vec<Job>> {
    let Some(array) = array(connection, parent.id)? else { return Ok(Vec::new()) };
    let below = match filter.after {
        None => Some(array.indexes.size),
        Some(after) if after.whole() == parent.id => {
            after.index().and_then(|index| array.indexes.ord_of(index))
        }
        Some(_) => None,
    };
    let Some(below) = below else { return Ok(Vec::new()) };
    let mut terms = Terms::new(vec![Value::Integer(array.seq), Value::Integer(below.into())]);
    list::of_states(filter, &mut terms);
    // All that have a record are read, whether or not they are wanted: what is between two of them has none.
    let sql = format!(
        "SELECT ord, coalesce(1{}, 0) FROM children INDEXED BY children_listed
            WHERE seq = ?1 AND ord < ?2 ORDER BY ord DESC",
        terms.text
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(terms.values))?;
    let runs = runs(connection, &array)?;
    let mut found: Vec<Job> = Vec::new();
    let mut below = below;
    while found.len() < filter.limit {
        let recorded: Option<(u32, bool)> = match rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?)),
            None => None,
        };
        let from = recorded.map_or(0, |(ord, _)| ord.saturating_add(1));
        without_record(parent, &array, &runs, filter, (from, below), &mut found)?;
        let Some((ord, is_wanted)) = recorded else { break };
        if is_wanted && found.len() < filter.limit {
            found.extend(with_record(connection, parent, &array, ord)?);
        }
        below = ord;
    }
    Ok(found)
}

/// Adds those of some children without a record, `from..below`, that are wanted.
fn without_record(
    parent: &Job,
    array: &Array,
    runs: &[(u32, u32, JobState)],
    filter: &JobFilter,
    (from, below): (u32, u32),
    found: &mut Vec<Job>,
) -> Outcome<()> {
    let mut below = below;
    while from < below && found.len() < filter.limit {
        // Those that end alike are wanted alike: one is looked at for all down to where that changes.
        let last = below - 1;
        let after = runs.partition_point(|(first, _, _)| *first <= last);
        let run = after.checked_sub(1).and_then(|at| runs.get(at));
        let alike_from = match run {
            Some((first, end, _)) if last <= *end => *first,
            Some((_, end, _)) => end.saturating_add(1),
            None => 0,
        };
        let alike_from = alike_from.max(from);
        if filter.matches_state(&unrecorded(parent, array, runs, last)?) {
            for ord in (alike_from..below).rev() {
                if found.len() == filter.limit {
                    break;
                }
                found.push(unrecorded(parent, array, runs, ord)?);
            }
        }
        below = alike_from;
    }
    Ok(())
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

/// All arrays, each with the id, the status and the queue of its job.
fn all(connection: &Connection) -> Outcome<Vec<(Array, JobId, JobStatus, QueueName)>> {
    let sql = "SELECT a.seq, a.first_index, a.step, a.size, j.id, j.status, j.queue
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
        let queue = super::queue_of(row, 6)?;
        all.push((read_array(row)?, id, status, queue));
    }
    Ok(all)
}

/// What a dispatcher needs of every array.
pub(super) fn records(connection: &Connection) -> Outcome<BTreeMap<JobId, ArrayRecord>> {
    let mut records = BTreeMap::new();
    for (array, id, status, _) in all(connection)? {
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
    for (array, id, _, _) in all(connection)? {
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

/// How many more jobs of each queue are in each state than there are rows of them: the children of arrays, and the arrays
/// themselves not.
pub(in super::super) fn counts(
    connection: &Connection,
) -> Outcome<BTreeMap<(QueueName, JobStatus), i64>> {
    let mut recorded: BTreeMap<i64, BTreeMap<JobStatus, i64>> = BTreeMap::new();
    let sqls = [
        "SELECT seq, status, count(*) FROM children GROUP BY seq, status",
        "SELECT seq, json_extract(state, '$.status'), sum(last - first + 1) FROM child_runs GROUP BY 1, 2",
    ];
    for sql in sqls {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let of_array = recorded.entry(row.get(0)?).or_default();
            *of_array.entry(status_of(row, 1)?).or_default() += row.get::<_, i64>(2)?;
        }
    }
    let mut counts: BTreeMap<(QueueName, JobStatus), i64> = BTreeMap::new();
    for (array, id, status, queue) in all(connection)? {
        *counts.entry((queue.clone(), status)).or_default() -= 1;
        let mut left = i64::from(array.indexes.size);
        for (status, n) in recorded.remove(&array.seq).unwrap_or_default() {
            *counts.entry((queue.clone(), status)).or_default() += n;
            left -= n;
        }
        if left == 0 {
            continue;
        }
        // Where those without a record stand follows from what their array waits for, while it does.
        let status = match (status, super::one(connection, id)?) {
            (JobStatus::Pending, Some(parent)) => array::unrecorded_state(&parent).status(),
            (status, _) => status,
        };
        *counts.entry((queue, status)).or_default() += left;
    }
    Ok(counts)
}

pub(super) fn status_of(row: &Row<'_>, column: usize) -> Outcome<JobStatus> {
    let text = row.get_ref(column)?.as_str();
    let status = text.map_err(|error| Failure::record("a status", &error))?.parse();
    status.map_err(|error| Failure::record("a status", &error))
}
