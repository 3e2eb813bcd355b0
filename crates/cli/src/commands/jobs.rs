//! `spillway jobs list|show|wait|retry`. They read the ledger, whether a dispatcher runs or not; only `retry` sends something.

mod retry;

use std::collections::BTreeMap;

use anyhow::Result;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use spillway_core::{Job, JobFilter, JobId};
use spillway_engine::Engine;

use crate::config::values::Span;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger::{self, Reader};
use crate::output::Format;
use crate::pick::FilterArgs;
use crate::views::job::{JobList, JobView, StatusCount, counts_text};
use crate::views::nodes::NodeView;
use crate::wait::{self, WaitRule};
use crate::why;

/// The verbs of `jobs`.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List jobs, newest first
    #[command(long_about = LIST_ABOUT)]
    List(Box<ListArgs>),
    /// Show all there is to know about a job
    #[command(long_about = SHOW_ABOUT)]
    Show(ShowArgs),
    /// Wait until jobs have ended
    #[command(long_about = WAIT_ABOUT)]
    Wait(WaitArgs),
    /// Send jobs that have ended once more
    #[command(long_about = retry::LONG_ABOUT)]
    Retry(Box<retry::RetryArgs>),
}

const LIST_ABOUT: &str = "\
Lists jobs from the ledger, newest first, a page at a time. An array is one job here; --array lists its children.

A list goes on after the last job of a page (--after), which the next page begins behind whatever has come meanwhile. \
Conditions are ANDed, and none of them makes a list slow, however many jobs there are.

Examples:
  spillway jobs list
  spillway jobs list --status RUNNABLE,STARTING --queue spot
  spillway jobs list --array ID --status FAILED --status-reason OutOfMemory
  spillway jobs list --tag team=genomics --submitted-after 24h --limit 1000 --format jsonl | jq -r .id
  spillway jobs list --name 'align-*' --after ID";

/// Flags of `jobs list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Only those that come after this one in the list: the last of the page before (`next` in JSON)
    #[arg(long, value_name = "ID")]
    pub after: Option<JobId>,
}

const SHOW_ABOUT: &str = "\
Shows a job: its state and why, what it asks for, every attempt with its machine, price, exit code and cost, and for a job \
that waits, what it waits for. With --format json its `message` is what asks for the same job. Of an array it shows how many children are in each state; a child is ID:INDEX.

Examples:
  spillway jobs show 3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11
  spillway jobs show ID:17
  spillway jobs show ID --format json | jq .attempts";

/// Flags of `jobs show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The job's id, as `submit` printed it
    #[arg(value_name = "JOB")]
    pub job: JobId,
}

const WAIT_ABOUT: &str = "\
Waits until the jobs have ended and tells how: exit code 0 if all succeeded, 3 if one failed, 5 if the time was up.

A job that the ledger does not have yet is waited for too: its message may still be on its way.

Examples:
  spillway jobs wait ID1 ID2
  spillway jobs wait ID --timeout 1h
  spillway jobs wait ID --pass-exit-code && echo 'the container said 0'";

/// Flags of `jobs wait`.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// The jobs' ids
    #[arg(value_name = "JOB", required = true)]
    pub jobs: Vec<JobId>,
    /// Give up after so long (exit code 5)
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,
    /// End with the exit code of the first container that failed
    #[arg(long)]
    pub pass_exit_code: bool,
}

/// Runs one of them.
pub async fn run(command: &JobsCommand, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    match command {
        JobsCommand::List(args) => list(args, &*ledger::reader(config)?, context),
        JobsCommand::Show(args) => show(args, &*ledger::reader(config)?, context),
        JobsCommand::Wait(args) => {
            // A ledger that is not there is an error at once; after `submit` it may still come.
            drop(ledger::reader(config)?);
            let rule = WaitRule { timeout: args.timeout, pass_exit_code: args.pass_exit_code };
            wait::run(&args.jobs, rule, context).await
        }
        JobsCommand::Retry(args) => retry::run(args, context).await,
    }
}

fn list(args: &ListArgs, reader: &Reader, context: &Context) -> Result<ExitStatus> {
    if let Some(after) = args.after.filter(|_| args.limit != 0)
        && reader.job(after)?.is_none()
    {
        return Err(Complaint::usage(format!("--after: there is no job {after} in the ledger"))
            .hint("give the id of the last job of the page before")
            .into());
    }
    // One more than is shown, to know whether there is more.
    let limit = args.limit.saturating_add(1);
    let filter = JobFilter { after: args.after, limit, ..args.filter.filter(Timestamp::now()) };
    let mut jobs = reader.jobs(&filter)?;
    let has_more = args.limit < jobs.len();
    jobs.truncate(args.limit);
    let next = jobs.last().filter(|_| has_more).map(|job| job.id);
    let counts = reader.job_counts()?;
    let counts = counts.into_iter().map(|(status, count)| StatusCount { status, count }).collect();
    let list = JobList { jobs: jobs.iter().map(Into::into).collect(), next, counts };
    context.output.show(&list)?;
    if context.output.format() == Format::Human {
        let shown = list.jobs.len();
        let counts = counts_text(&list.counts);
        let more = next.map(|id| format!("; for more add --after {id}")).unwrap_or_default();
        context.output.note(&format!("{shown} shown; in the ledger: {counts}{more}"));
    }
    Ok(ExitStatus::Ok)
}

/// The nodes of a multi-node job that have ever been given to a host, the first one first; none of any other job.
fn nodes(job: &Job, reader: &Reader) -> Result<Vec<NodeView>> {
    if job.spec.gang.is_none() || job.id.node_index().is_some() {
        return Ok(Vec::new());
    }
    let filter = JobFilter { array: Some(job.id), limit: usize::MAX, ..JobFilter::default() };
    let mut views = Vec::new();
    for node in reader.jobs(&filter)?.iter().rev() {
        let host = match node.state.live_attempt() {
            Some(live) => reader.host(live.host)?,
            None => None,
        };
        views.extend(NodeView::of(node, host.as_ref()));
    }
    Ok(views)
}

fn show(args: &ShowArgs, reader: &Reader, context: &Context) -> Result<ExitStatus> {
    let Some(job) = reader.job(args.job)? else {
        return Err(Complaint::usage(format!("there is no job {} in the ledger", args.job))
            .hint("its message may still be in the queue; `spillway jobs list` shows what was accepted")
            .into());
    };
    let state = reader.state()?;
    let config = context.config()?;
    let patience = config.engine().patience.of(&job.spec.queue);
    let now = Timestamp::now();
    let engine = Engine::new(config.engine(), state.clone(), now);
    let job = engine.child(job.id).unwrap_or(job);
    let waiting = why::reasons(&job, &state, &engine, config);
    let expected = match job.state.live_attempt() {
        Some(live) => live.expected,
        None if job.state.status().is_terminal() => None,
        None => Some(engine.expectation(now, &job.spec, spillway_core::VariantOrd::BASE)),
    };
    let array = why::array(&job, &engine, reader)?;
    let mut hosts = BTreeMap::new();
    let live = job.state.live_attempt().map(|live| live.host);
    for id in job.attempts.iter().map(|attempt| attempt.host).chain(live) {
        hosts.extend(reader.host(id)?.map(|host| (id, host)));
    }
    let mut view = JobView::new(&job, &hosts, waiting, expected, patience, array);
    view.nodes = nodes(&job, reader)?;
    context.output.show(&view)?;
    Ok(ExitStatus::Ok)
}
