//! `spillway jobs list|show|wait`. They read the ledger, whether a dispatcher runs or not.

use anyhow::Result;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use spillway_core::job::JobStatus;
use spillway_core::port::JobFilter;
use spillway_core::{HostId, JobId, QueueName};
use spillway_engine::Engine;

use crate::config::values::Span;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger::{self, Reader};
use crate::output::Format;
use crate::views::job::{JobList, JobView, StatusCount, counts_text};
use crate::views::nodes::NodeView;
use crate::wait::{self, WaitRule};
use crate::why;

/// The verbs of `jobs`.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List jobs, newest first
    #[command(long_about = LIST_ABOUT)]
    List(ListArgs),
    /// Show all there is to know about a job
    #[command(long_about = SHOW_ABOUT)]
    Show(ShowArgs),
    /// Wait until jobs have ended
    #[command(long_about = WAIT_ABOUT)]
    Wait(WaitArgs),
}

const LIST_ABOUT: &str = "\
Lists jobs from the ledger, newest first. Conditions are ANDed. An array is one job here; --array lists its children.

Examples:
  spillway jobs list
  spillway jobs list --status RUNNABLE,STARTING --queue spot
  spillway jobs list --array ID --status FAILED
  spillway jobs list --name align- --limit 1000 --format jsonl | jq -r .id";

/// Flags of `jobs list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only of this queue
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<QueueName>,
    /// Only in these states
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub status: Vec<JobStatus>,
    /// Only with a name that begins so
    #[arg(long, value_name = "PREFIX")]
    pub name: Option<String>,
    /// The children of this array, the largest index first
    #[arg(long, value_name = "ID")]
    pub array: Option<JobId>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

const SHOW_ABOUT: &str = "\
Shows a job: its state and why, what it needs, every attempt with its machine, exit code and cost, and for a job that \
waits, what it waits for. Of an array it shows how many children are in each state; a child is ID:INDEX.

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
        JobsCommand::List(args) => list(args, &*ledger::reader(&config.ledger)?, context),
        JobsCommand::Show(args) => show(args, &*ledger::reader(&config.ledger)?, context),
        JobsCommand::Wait(args) => {
            // A ledger that is not there is an error at once; after `submit` it may still come.
            drop(ledger::reader(&config.ledger)?);
            let rule = WaitRule { timeout: args.timeout, pass_exit_code: args.pass_exit_code };
            wait::run(&args.jobs, rule, context).await
        }
    }
}

fn list(args: &ListArgs, reader: &Reader, context: &Context) -> Result<ExitStatus> {
    let filter = JobFilter {
        queue: args.queue.clone(),
        statuses: args.status.clone(),
        name_prefix: args.name.clone(),
        array: args.array,
        limit: args.limit,
    };
    let jobs = reader.jobs(&filter)?;
    let counts = reader.job_counts()?;
    let counts = counts.into_iter().map(|(status, count)| StatusCount { status, count }).collect();
    let list = JobList { jobs: jobs.iter().map(Into::into).collect(), counts };
    context.output.show(&list)?;
    if context.output.format() == Format::Human {
        let shown = list.jobs.len();
        let counts = counts_text(&list.counts);
        context.output.note(&format!("{shown} shown; in the ledger: {counts}"));
    }
    Ok(ExitStatus::Ok)
}

fn show(args: &ShowArgs, reader: &Reader, context: &Context) -> Result<ExitStatus> {
    let Some(job) = reader.job(args.job)? else {
        return Err(Complaint::usage(format!("there is no job {} in the ledger", args.job))
            .hint("its message may still be in the queue; `spillway jobs list` shows what was accepted")
            .into());
    };
    let state = reader.state()?;
    let host = |id: HostId| why::host_name(id, &state);
    let config = context.config()?;
    let patience = config.engine().patience.of(&job.spec.queue);
    let now = Timestamp::now();
    let engine = Engine::new(config.engine(), state.clone(), now);
    let job = engine.child(job.id).unwrap_or(job);
    let waiting = why::reasons(&job, &state, &engine, config);
    let expected = match job.state.live_attempt() {
        Some(live) => live.expected,
        None if job.state.status().is_terminal() => None,
        None => Some(engine.expectation(now, &job.spec)),
    };
    let array = why::array(&job, &engine, reader)?;
    let mut view = JobView::new(&job, host, waiting, expected, patience, array);
    if job.spec.gang.is_some() && job.id.node_index().is_none() {
        let filter = JobFilter { array: Some(job.id), limit: usize::MAX, ..JobFilter::default() };
        let mut nodes = reader.jobs(&filter)?;
        nodes.reverse();
        view.nodes = nodes.iter().filter_map(|node| NodeView::of(node, host)).collect();
    }
    context.output.show(&view)?;
    Ok(ExitStatus::Ok)
}
