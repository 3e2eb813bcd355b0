//! `spillway jobs retry`: asks once more for what jobs were asked for. A retry has a token made from the job's id, so that the
//! same retry twice is one job, and a batch that was interrupted can be sent again.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use spillway_core::array::Indexes;
use spillway_core::error::LedgerError;
use spillway_core::job::JobStatus;
use spillway_core::message;
use spillway_core::{ArraySpec, Job, JobId, JobSpec, JobTarget};

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger::{self, Reader};
use crate::output::{Lines, Page, Rows, View};
use crate::pick::{self, FilterArgs};
use crate::send;

pub(super) const LONG_ABOUT: &str = "\
Sends jobs that have ended once more: new jobs that ask for all that the old ones asked for, with the definition as it was \
then. Prints the old id and the new one of each.

Of an array, some children become an array of those indexes. With conditions and no --status, those that FAILED are meant, \
and nothing is sent until --yes says that so many are.

The new id is made from the old one: a job whose retry is under way, or has succeeded, is not sent again, and one whose retry \
has failed is tried once more. --again sends it even if its retry has succeeded.

Examples:
  spillway jobs retry 3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11
  spillway jobs retry --array ID --yes
  spillway jobs retry --queue nightly --status-reason 'Host EC2' --ended-after 12h --dry-run";

/// Flags of `jobs retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The jobs' ids; of an array's children one (`ID:INDEX`) or some (`ID:FIRST-LAST`, `ID:FIRST-LAST:STEP`)
    #[arg(value_name = "JOB")]
    pub jobs: Vec<JobTarget>,
    /// All jobs that meet these conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Send a job again even if its retry has succeeded
    #[arg(long)]
    pub again: bool,
    /// Do it for all that meet the conditions, however many they are
    #[arg(long)]
    pub yes: bool,
    /// Print the messages and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What becomes of one retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// It is sent, or would be.
    Sent,
    /// It was sent before and has not ended.
    UnderWay,
    /// It was sent before and has succeeded.
    Succeeded,
}

/// One retry.
#[derive(Debug, Serialize)]
struct Retry {
    /// What is retried.
    job: String,
    /// The job that it becomes.
    id: JobId,
    outcome: Outcome,
    /// The message, if it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

/// The answer of `jobs retry`.
#[derive(Debug, Serialize)]
struct RetryView {
    sent: bool,
    retries: Vec<Retry>,
}

impl View for RetryView {
    fn page(&self, page: &mut Page) {
        let mut table = Rows::new(&["JOB", "RETRY", ""]);
        for retry in &self.retries {
            let note = match (retry.outcome, self.sent) {
                (Outcome::Sent, true) => "sent",
                (Outcome::Sent, false) => "would be sent",
                (Outcome::UnderWay, _) => "under way already",
                (Outcome::Succeeded, _) => "has succeeded already",
            };
            table.row([retry.job.as_str().into(), retry.id.to_string().into(), note.into()]);
        }
        page.table(table);
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.retries.iter().try_for_each(|retry| lines.item(retry))
    }
}

/// Sends the retries.
pub(super) async fn run(args: &RetryArgs, context: &Context) -> Result<ExitStatus> {
    let reader = ledger::reader(context.config()?)?;
    let mut found = Vec::new();
    for target in &args.jobs {
        found.push(named(*target, &*reader)?);
    }
    if !args.filter.is_empty() {
        found.extend(all(&args.filter, &*reader)?);
    } else if found.is_empty() {
        let hint = "name jobs, or say which ones by conditions such as --status FAILED";
        return Err(Complaint::usage("no job is named").hint(hint).into());
    }
    let mut seen = BTreeSet::new();
    let mut retries = Vec::with_capacity(found.len());
    for old in found {
        let retry = retry(&old, args.again, &*reader)?;
        // A job may be named and meet the conditions too.
        if seen.insert(retry.id) {
            retries.push(retry);
        }
    }
    let is_due = |retry: &&Retry| retry.outcome == Outcome::Sent;
    let bodies: Vec<String> = retries
        .iter()
        .filter(is_due)
        .filter_map(|r| Some(r.message.as_ref()?.to_string()))
        .collect();
    if !args.dry_run {
        if !args.filter.is_empty() && !args.yes && !bodies.is_empty() {
            let jobs =
                if bodies.len() == 1 { "1 job".into() } else { format!("{} jobs", bodies.len()) };
            return Err(Complaint::usage(format!("{jobs} would be sent again"))
                .hint("repeat it with --yes, or look at them first with --dry-run")
                .into());
        }
        let sent = if bodies.is_empty() {
            send::Sent::default()
        } else {
            send::bodies(&bodies, context).await?
        };
        if let Some((_, error)) = sent.failed {
            let (n, all) = (sent.ords.len(), bodies.len());
            return Err(error).context(format!(
                "{n} of {all} retries were sent; the same command again sends the others"
            ));
        }
        for retry in &mut retries {
            retry.message = None;
        }
    }
    let n_due = bodies.len();
    context.output.show(&RetryView { sent: !args.dry_run, retries })?;
    let what = if args.dry_run { "would be sent" } else { "sent" };
    context.output.note(&format!("{n_due} of these {what}"));
    Ok(ExitStatus::Ok)
}

/// What is to be sent again: what it is called, and what was asked for.
struct Old {
    target: JobTarget,
    spec: JobSpec,
}

fn named(target: JobTarget, reader: &Reader) -> Result<Old> {
    let job = target.job;
    if job.node_index().is_some() {
        let whole = job.whole();
        return Err(Complaint::usage(format!("{job} is one node of a multi-node job"))
            .hint(format!("all nodes start together: name the job, {whole}"))
            .into());
    }
    let Some(found) = reader.job(job)? else {
        return Err(Complaint::usage(format!("there is no job {job} in the ledger"))
            .hint("`spillway jobs list` shows what there is")
            .into());
    };
    let status = found.state.status();
    // Some children may have ended while others run.
    if target.indexes.is_none() && !status.is_terminal() {
        return Err(Complaint::usage(format!("job {job} is {status}: there is nothing to retry"))
            .hint("a job is retried when it has ended; `spillway terminate` ends it")
            .into());
    }
    let Some(array) = found.spec.array else {
        if target.indexes.is_some() {
            return Err(Complaint::usage(format!("job {job} is no array")).into());
        }
        return Ok(Old { target, spec: JobSpec::clone(&found.spec) });
    };
    let indexes = match (target.indexes, job.index()) {
        (Some(indexes), _) => indexes,
        (None, Some(index)) => one(index),
        (None, None) => array.indexes,
    };
    let is_there = |index: Option<u32>| index.is_some_and(|n| array.indexes.ord_of(n).is_some());
    if !(0..indexes.size).all(|ord| is_there(indexes.index_of(ord))) {
        return Err(Complaint::usage(format!("array {} has not all of {target}", job.whole()))
            .hint(format!("`spillway jobs show {}` tells its indexes", job.whole()))
            .into());
    }
    Ok(Old { target, spec: with_children(&found, array, indexes) })
}

const fn one(index: u32) -> Indexes {
    Indexes { first: index, step: std::num::NonZeroU32::MIN, size: 1 }
}

fn with_children(job: &Job, array: ArraySpec, indexes: Indexes) -> JobSpec {
    JobSpec { array: Some(ArraySpec { indexes, ..array }), ..JobSpec::clone(&job.spec) }
}

/// All that meet the conditions: children of an array as few ranges.
fn all(args: &FilterArgs, reader: &Reader) -> Result<Vec<Old>> {
    let mut filter = args.filter(Timestamp::now());
    if filter.statuses.is_empty() {
        filter.statuses = vec![JobStatus::Failed];
    }
    if let Some(open) = filter.statuses.iter().find(|status| !status.is_terminal()) {
        return Err(Complaint::usage(format!("a job that is {open} is not retried"))
            .hint("those that can be are SUCCEEDED, FAILED")
            .into());
    }
    let mut found = Vec::new();
    let Some(array) = filter.array.map(JobId::whole) else {
        pick::each(reader, &filter, |job| {
            found.push(Old { target: job.id.into(), spec: JobSpec::clone(&job.spec) });
        })?;
        return Ok(found);
    };
    let Some(parent) = reader.job(array)? else { return Ok(found) };
    let Some(of_array) = parent.spec.array else { return Ok(found) };
    let mut ords = Vec::new();
    pick::each(reader, &filter, |job| {
        ords.extend(job.id.index().and_then(|index| of_array.indexes.ord_of(index)));
    })?;
    for indexes in pick::runs(&of_array.indexes, ords) {
        let target = JobTarget { job: array, indexes: Some(indexes) };
        found.push(Old { target, spec: with_children(&parent, of_array, indexes) });
    }
    Ok(found)
}

/// The retry of a job, or the retry of its retry: the first that has not been sent, or need not be.
fn retry(old: &Old, again: bool, reader: &Reader) -> Result<Retry> {
    let mut token = format!("retry-of-{}", old.target);
    loop {
        let id = JobId::derive(&old.spec.queue, &token);
        let job = old.target.to_string();
        let outcome = match status_of(id, reader)? {
            None => {
                let message = message::submit_again(&old.spec, Some(&token));
                message::parse(&message.to_string())?;
                let outcome = Outcome::Sent;
                return Ok(Retry { job, id, outcome, message: Some(message) });
            }
            Some(JobStatus::Succeeded) if !again => Outcome::Succeeded,
            Some(status) if !status.is_terminal() => Outcome::UnderWay,
            Some(_) => {
                token = format!("retry-of-{id}");
                continue;
            }
        };
        return Ok(Retry { job, id, outcome, message: None });
    }
}

fn status_of(id: JobId, reader: &Reader) -> Result<Option<JobStatus>, LedgerError> {
    Ok(reader.job(id)?.map(|job| job.state.status()))
}
