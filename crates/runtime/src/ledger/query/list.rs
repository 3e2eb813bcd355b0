//! Finds the jobs that a filter means, newest first. Whatever the filter, it costs at most one pass over one index (and one
//! over each tag that is asked for), and a page costs what its jobs cost.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Rows, Statement, params_from_iter};
use spillway_core::filter::{Glob, TimeRange};
use spillway_core::port::JobFilter;
use spillway_core::{Job, TagRule};

use super::super::error::Outcome;
use super::{JOB_COLUMNS, children, one};

/// The jobs, or the children of the array that is named.
pub(in super::super) fn jobs(connection: &Connection, filter: &JobFilter) -> Outcome<Vec<Job>> {
    if let Some(array) = filter.array {
        let parent = one(connection, array.whole())?;
        return match parent.filter(|parent| filter.matches_spec(parent)) {
            Some(parent) => children::list(connection, &parent, filter),
            None => Ok(Vec::new()),
        };
    }
    let Some(below) = place_of(connection, filter)? else { return Ok(Vec::new()) };
    let sql = format!("SELECT {JOB_COLUMNS} WHERE j.seq = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut jobs = Vec::new();
    for seq in places(connection, filter, below)? {
        let mut rows = statement.query([seq])?;
        if let Some(row) = rows.next()? {
            jobs.push(super::job(connection, row)?);
        }
    }
    Ok(jobs)
}

/// Where the list goes on: below this place in line. None if the job to go on after is not known.
fn place_of(connection: &Connection, filter: &JobFilter) -> Outcome<Option<i64>> {
    let Some(after) = filter.after else { return Ok(Some(i64::MAX)) };
    let mut statement = connection.prepare_cached("SELECT seq FROM jobs WHERE id = ?1")?;
    let id = after.uuid();
    Ok(statement.query_row([id.as_bytes().as_slice()], |row| row.get(0)).optional()?)
}

/// The places in line of the jobs that meet all conditions, from `below` downwards, as many as are asked for.
fn places(connection: &Connection, filter: &JobFilter, below: i64) -> Outcome<Vec<i64>> {
    let mut terms = Terms::new(vec![Value::Integer(below)]);
    of_jobs(filter, &mut terms);
    // The index is named: SQLite knows nothing of how rare a value is, and any other one may send it all over the file.
    let sql = format!(
        "SELECT seq FROM jobs INDEXED BY jobs_listed WHERE seq < ?1{} ORDER BY seq DESC",
        terms.text
    );
    let mut queries = vec![(connection.prepare(&sql)?, terms.values)];
    for rule in &filter.tags {
        queries.push(of_tag(connection, rule, below)?);
    }
    let mut streams = Vec::with_capacity(queries.len());
    for (statement, values) in &mut queries {
        streams.push(statement.query(params_from_iter(values.iter()))?);
    }
    common(streams, filter.limit)
}

/// The places in line of the jobs with a tag, from `below` downwards.
fn of_tag<'c>(
    connection: &'c Connection,
    rule: &TagRule,
    below: i64,
) -> Outcome<(Statement<'c>, Vec<Value>)> {
    let mut terms = Terms::new(vec![Value::Integer(below)]);
    terms.add("key =", Value::Text(rule.key.clone()));
    if let Some(value) = &rule.value {
        terms.add("value =", Value::Text(value.clone()));
    }
    let sql = format!("SELECT seq FROM job_tags WHERE seq < ?1{} ORDER BY seq DESC", terms.text);
    Ok((connection.prepare(&sql)?, terms.values))
}

/// The first numbers that are in all of some descending rows of numbers. Each is read once, front to back: looking each job
/// up by its tags would cost a search per job.
fn common(mut streams: Vec<Rows<'_>>, limit: usize) -> Outcome<Vec<i64>> {
    let mut found = Vec::new();
    let mut heads: Vec<Option<i64>> = vec![None; streams.len()];
    let mut lowest = i64::MAX;
    while found.len() < limit {
        for (rows, head) in streams.iter_mut().zip(&mut heads) {
            let Some(next) = step(rows, head.take(), lowest)? else { return Ok(found) };
            *head = Some(next);
            lowest = lowest.min(next);
        }
        // Those above the lowest go on to it in the next round; if there are none, it is in all.
        if heads.iter().all(|head| *head == Some(lowest)) {
            found.push(lowest);
            heads.fill(None);
            lowest = i64::MAX;
        }
    }
    Ok(found)
}

/// The number a row of numbers stands at, or the next that is not above `lowest`.
fn step(rows: &mut Rows<'_>, head: Option<i64>, lowest: i64) -> Outcome<Option<i64>> {
    let mut head = head;
    while head.is_none_or(|at| lowest < at) {
        let Some(row) = rows.next()? else { return Ok(None) };
        head = Some(row.get(0)?);
    }
    Ok(head)
}

/// Conditions in SQL, each joined to what is before it by `AND`, with their values.
pub(super) struct Terms {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Terms {
    /// No condition; `values` are those of what is before.
    pub(super) const fn new(values: Vec<Value>) -> Self {
        Self { text: String::new(), values }
    }

    /// `column operator value`.
    fn add(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        self.and(&format!("{condition} ?{}", self.values.len()));
    }

    fn and(&mut self, condition: &str) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
    }

    fn add_glob(&mut self, column: &str, glob: Option<&Glob>) {
        if let Some(glob) = glob {
            // `lower` is of ASCII letters alone, as the pattern's is.
            let column =
                if glob.ignores_case() { format!("lower({column})") } else { column.to_owned() };
            self.add(&format!("{column} GLOB"), Value::Text(sql_glob(glob)));
        }
    }

    fn add_range(&mut self, column: &str, range: &TimeRange) {
        if let Some(from) = range.from {
            self.add(&format!("{column} >="), Value::Integer(from.as_second()));
        }
        if let Some(until) = range.until {
            self.add(&format!("{column} <"), Value::Integer(until.as_second()));
        }
    }
}

/// `SQLite`'s GLOB has classes of characters too.
fn sql_glob(glob: &Glob) -> String {
    glob.as_str().replace('[', "[[]")
}

fn of_jobs(filter: &JobFilter, terms: &mut Terms) {
    of_states(filter, terms);
    if let Some(queue) = &filter.queue {
        terms.add("queue =", Value::Text(queue.to_string()));
    }
    terms.add_glob("share", filter.share.as_ref());
    terms.add_glob("name", filter.name.as_ref());
    if let Some(definition) = &filter.definition {
        terms.add("definition =", Value::Text(definition.name.to_string()));
        if let Some(revision) = definition.revision {
            terms.add("revision =", Value::Integer(revision.into()));
        }
    }
    terms.add_range("created", &filter.submitted);
}

/// The conditions on where a job stands, which children have too.
pub(super) fn of_states(filter: &JobFilter, terms: &mut Terms) {
    if !filter.statuses.is_empty() {
        let mut names = Vec::with_capacity(filter.statuses.len());
        for status in &filter.statuses {
            terms.values.push(Value::Text(status.to_string()));
            names.push(format!("?{}", terms.values.len()));
        }
        terms.and(&format!("status IN ({})", names.join(", ")));
    }
    terms.add_range("ended", &filter.ended);
    terms.add_glob("coalesce(reason, '')", filter.reason.as_ref());
}
