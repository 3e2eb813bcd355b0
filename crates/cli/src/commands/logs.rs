//! `spillway logs JOB`: what a job's container wrote, from CloudWatch Logs. The ledger says where; nothing is written anywhere.

mod follow;
mod place;

pub(crate) use follow::Line;
pub(crate) use place::Place;

use anyhow::Result;
use clap::Args;
use spillway_core::JobId;
use spillway_core::error::LedgerError;

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger;
use crate::output::Format;
use crate::views::log::LogView;
use follow::{Follow, Page, Source};

pub(crate) const LONG_ABOUT: &str = "\
Prints what a job's container wrote, from CloudWatch Logs: of its newest attempt that has a task, or of the one that \
--attempt names.

With --follow it waits for the job to start, prints what comes, goes on with the next attempt if there is one, and ends \
with the job. Logs arrive some seconds late. Jobs with another log driver than awslogs have their logs elsewhere.

A child that shares its task with others (`spillway.coalesce`) shares its log too: the whole is printed.

Examples:
  spillway logs 3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11
  spillway logs ID:17 --attempt 1 --timestamps
  spillway logs ID --follow
  spillway logs ID --tail 20
  spillway logs ID --format jsonl | jq -r .message";

/// Flags of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The job's id, as `submit` printed it; of an array, a child's: ID:INDEX
    #[arg(value_name = "JOB")]
    pub job: JobId,
    /// Which attempt, from 1; the newest unless named
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: Option<u32>,
    /// Of which container, if the job has several; the job's main one unless named
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,
    /// Print what comes until the job has ended
    #[arg(long, short)]
    pub follow: bool,
    /// Only the last so many lines of what there is
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    pub tail: Option<usize>,
    /// Print when each line was written
    #[arg(long, short)]
    pub timestamps: bool,
}

/// Prints them.
pub async fn run(args: &LogsArgs, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    if args.follow && context.output.format() == Format::Json {
        return Err(Complaint::usage("--follow has no end that one JSON document could have")
            .hint("--format jsonl prints a document for each line")
            .into());
    }
    let look = || match ledger::reader(config) {
        // The dispatcher has not been started yet; the job waits in the queue.
        Err(LedgerError::Missing { .. }) if args.follow => Ok(None),
        other => other?.job(args.job),
    };
    let wish = place::Wish {
        attempt: args.attempt,
        container: args.container.as_deref(),
        group: config.log_group.as_deref(),
    };
    if !args.follow {
        let Some(job) = look()? else {
            return Err(Complaint::usage(format!("there is no job {} in the ledger", args.job))
                .hint(
                    "its message may still be in the queue; --follow waits for it, and \
                     `spillway jobs list` shows what was accepted",
                )
                .into());
        };
        let place = place::of(&job, &wish)?;
        if let Some(note) = &place.note {
            context.output.note(note);
        }
        let source = source(config).await?;
        let mut view = LogView::new(&job, &place, args.timestamps);
        let mut from = None;
        while let Some(Page { lines, next }) = source.page(&place, from.as_deref()).await? {
            view.add(lines, args.tail);
            if next.is_none() || next == from {
                break;
            }
            from = next;
        }
        context.output.show(&view)?;
        return Ok(ExitStatus::Ok);
    }
    let source = source(config).await?;
    let follow = Follow { wish, timestamps: args.timestamps, output: &context.output };
    tokio::select! {
        ended = follow.run(&source, &look, follow::PAUSE) => ended,
        _ = tokio::signal::ctrl_c() => Ok(ExitStatus::Interrupted),
    }
}

#[cfg(feature = "aws")]
async fn source(config: &crate::config::Config) -> Result<CloudWatch> {
    Ok(CloudWatch(crate::cloud::logs(config).await?))
}

/// `CloudWatch` Logs of the account.
#[cfg(feature = "aws")]
struct CloudWatch(spillway_aws::TaskLogs);

#[cfg(feature = "aws")]
impl Source for CloudWatch {
    async fn page(&self, place: &place::Place, from: Option<&str>) -> Result<Option<Page>> {
        let page = self.0.page(&place.group, &place.stream, from).await?;
        let line =
            |event: spillway_aws::LogEvent| follow::Line { at: event.at, message: event.message };
        Ok(page.map(|page| Page {
            lines: page.events.into_iter().map(line).collect(),
            next: page.next,
        }))
    }
}

/// A build without the SDK reads no logs, and says so.
#[cfg(not(feature = "aws"))]
struct Nothing;

#[cfg(not(feature = "aws"))]
async fn source(_: &crate::config::Config) -> Result<Nothing> {
    std::future::ready(Err(crate::cloudless::complaint("read logs").into())).await
}

#[cfg(not(feature = "aws"))]
impl Source for Nothing {
    async fn page(&self, _: &place::Place, _: Option<&str>) -> Result<Option<Page>> {
        std::future::ready(Ok(None)).await
    }
}
