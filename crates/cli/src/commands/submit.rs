//! `spillway submit`: jobs from flags, a file or stdin, checked as a whole and then sent.

mod flags;
mod values;
mod view;

use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::Timestamp;
use spillway_core::scheduling::PRIORITY_MAX;
use spillway_core::{
    ArchRule, CpuUnits, DefinitionRef, GpuKind, JobId, JobName, MarketRule, MiB, QueueName, ShareId,
};
use uuid::Uuid;

use crate::config::values::Span;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::files;
use crate::outbox::{Completion, Draft, Flaw, Letter, file};
use crate::output::Format;
use crate::send::{self, Sent};
use crate::wait::{self, WaitRule};
use values::{ArrayFlag, Consume, GrowthFlag, Parameter, RetryRuleFlag, SecretFrom, Tag, Variable};
use view::SubmitView;

pub(crate) const LONG_ABOUT: &str = "\
Sends jobs to the queue and prints their ids, one per line. Everything is checked before anything is sent: if one job \
of a file is wrong, none is sent, and every wrong line is named.

A job's id is derived from its queue and its client token, so it is known before the dispatcher has seen the job, and the \
same token again is the same job. A job without a token gets a random one.

A file holds one job as a JSON object, an array of them, or one per line; each is AWS Batch's SubmitJob request with the \
job definition inline. `spillway submit --dry-run` with flags prints one to start from.

Examples:
  spillway submit --image busybox --vcpus 1 --memory 2GiB -- sh -c 'exit 3'
  spillway submit --image busybox --memory 512MiB --wait --pass-exit-code -- ./check.sh
  spillway submit --image trainer --gpus 1 --market spot --attempts 5 --timeout 6h --env EPOCHS=30
  spillway submit --image aligner --array 1000 --max-concurrency 50 -- ./align.sh
  spillway submit --image cleaner --after-any ID -- ./clean.sh
  spillway submit --definition align:3 --parameter input=s3://bucket/s17.bam --memory 8GiB
  spillway submit --image solver --attempts 3 --retry-rule 'retry:failure=oom|spot' --retry-rule exit:exit-code=2 -- ./solve
  spillway submit --file jobs.jsonl
  generate-jobs | spillway submit --file - --format jsonl | jq -r .id";

/// Flags of `submit`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct SubmitArgs {
    /// The container image
    #[arg(long, value_name = "IMAGE", required_unless_present_any = ["file", "definition"])]
    pub image: Option<String>,
    /// The registered job definition: NAME (its newest revision) or NAME:REVISION. Flags say what this job does otherwise
    #[arg(long, value_name = "DEFINITION", conflicts_with_all = ["file", "image"])]
    pub definition: Option<DefinitionRef>,
    /// A value for a `Ref::NAME` placeholder of the definition's command
    #[arg(long, value_name = "NAME=VALUE", requires = "definition")]
    pub parameter: Vec<Parameter>,
    /// vCPUs, down to 0.001 [default: 1, or the definition's]
    #[arg(long, value_name = "N", conflicts_with = "file")]
    pub vcpus: Option<CpuUnits>,
    /// Memory, such as 512MiB or 2GiB [default: 2GiB, or the definition's]
    #[arg(long, value_name = "SIZE", conflicts_with = "file")]
    pub memory: Option<MiB>,
    /// Whole GPUs [default: 0, or the definition's]
    #[arg(long, value_name = "N", conflicts_with = "file")]
    pub gpus: Option<u32>,
    /// A kind of GPU it accepts, by EC2's name such as T4 or A10G; several are alternatives [default: any]
    #[arg(long, value_name = "KIND", value_delimiter = ',', conflicts_with = "file")]
    pub gpu_kind: Vec<GpuKind>,
    /// The job's name [default: from the image, or the definition's]
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub name: Option<JobName>,
    /// An environment variable of the container
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "file")]
    pub env: Vec<Variable>,
    /// A variable whose value ECS fetches from Secrets Manager or the Parameter Store
    #[arg(long, value_name = "NAME=FROM", conflicts_with_all = ["file", "definition"])]
    pub secret: Vec<SecretFrom>,
    /// The user to run as, as Docker takes it
    #[arg(long, value_name = "USER", conflicts_with_all = ["file", "definition"])]
    pub user: Option<String>,
    /// The IAM role of the job's own code
    #[arg(long, value_name = "ARN", conflicts_with_all = ["file", "definition"])]
    pub job_role: Option<String>,
    /// The IAM role that pulls the image, fetches secrets and writes logs
    #[arg(long, value_name = "ARN", conflicts_with_all = ["file", "definition"])]
    pub execution_role: Option<String>,
    /// Where it may run: any, spot or on-demand [default: any, or the definition's]
    #[arg(long, value_name = "MARKET", conflicts_with = "file")]
    pub market: Option<MarketRule>,
    /// The architecture its image is for: `x86_64`, `arm64`, or `any` if it is for both [default: `x86_64`, or the definition's]
    #[arg(long, value_name = "ARCH", conflicts_with = "file")]
    pub arch: Option<ArchRule>,
    /// How many attempts may fail through the job's own fault, 1 to 10 [default: 1, or the definition's]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=10),
        conflicts_with = "file"
    )]
    pub attempts: Option<u8>,
    /// When a failed attempt is followed by another: retry: or exit: and conditions (exit-code, reason, status-reason, failure)
    /// with commas between; the first rule that matches decides
    #[arg(long, value_name = "RULE", conflicts_with = "file")]
    pub retry_rule: Vec<RetryRuleFlag>,
    /// So many percent more memory for an attempt after one that ran out of it, up to a maximum
    #[arg(long, value_name = "PERCENT:MAX", conflicts_with = "file")]
    pub grow_memory: Option<GrowthFlag>,
    /// How long one attempt may run, at least 60s [default: for ever]
    #[arg(long, value_name = "DURATION", conflicts_with = "file")]
    pub timeout: Option<Span>,
    /// How long it may take altogether, from its acceptance to its end, at least 60s [default: for ever]
    #[arg(long, value_name = "DURATION", conflicts_with = "file")]
    pub job_timeout: Option<Span>,
    /// How long it may wait in line at a time [default: for ever]
    #[arg(long, value_name = "DURATION", conflicts_with = "file")]
    pub queue_timeout: Option<Span>,
    /// How long an attempt may take to start, pulling the image included, at least 60s [default: the dispatcher's]
    #[arg(long, value_name = "DURATION", conflicts_with = "file")]
    pub start_timeout: Option<Span>,
    /// How long its container has between SIGTERM and SIGKILL, 2s to 1h [default: 30s]
    #[arg(long, value_name = "DURATION", conflicts_with = "file")]
    pub stop_timeout: Option<Span>,
    /// How long it will probably run; helps the planner, and does no harm if wrong
    #[arg(long, value_name = "DURATION", conflicts_with = "file")]
    pub expected_duration: Option<Span>,
    /// How long it may wait to be run cheaply [default: what the configuration says of its queue]
    #[arg(long, value_name = "DURATION", conflicts_with = "file")]
    pub patience: Option<Span>,
    /// When it should have ended, such as 2026-01-31T18:00:00Z; it may wait to be run cheaply until it must start for that
    #[arg(long, value_name = "TIME", conflicts_with = "file")]
    pub deadline: Option<Timestamp>,
    /// Make it an array with so many children, or with these indexes: N, FIRST-LAST or FIRST-LAST:STEP
    #[arg(long, value_name = "INDEXES", conflicts_with = "file")]
    pub array: Option<ArrayFlag>,
    /// At most so many of the array's children on machines at once
    #[arg(long, value_name = "N", requires = "array")]
    pub max_concurrency: Option<NonZeroU32>,
    /// Run the array's children one after the other, each after the success of the one before
    #[arg(long, requires = "array")]
    pub sequential: bool,
    /// Run after these jobs have succeeded
    #[arg(long, value_name = "JOB", value_delimiter = ',', conflicts_with = "file")]
    pub after: Vec<JobId>,
    /// Run each child after the child with the same index of these arrays has succeeded
    #[arg(long, value_name = "JOB", value_delimiter = ',', requires = "array")]
    pub n_to_n: Vec<JobId>,
    /// Run after these jobs have ended, well or not
    #[arg(long, value_name = "JOB", value_delimiter = ',', conflicts_with = "file")]
    pub after_any: Vec<JobId>,
    /// Run after these jobs have failed
    #[arg(long, value_name = "JOB", value_delimiter = ',', conflicts_with = "file")]
    pub after_not_ok: Vec<JobId>,
    /// Its share of a fair-share queue [default: `default`]
    #[arg(long, value_name = "SHARE", conflicts_with = "file")]
    pub share: Option<ShareId>,
    /// Its priority among the jobs of its share, 0 to 9999; higher goes first [default: 0, or the definition's]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(0..=i64::from(PRIORITY_MAX)),
        conflicts_with = "file"
    )]
    pub priority: Option<u16>,
    /// So many of a consumable resource, such as a licence, from its placement to the end of each attempt [default: the definition's]
    #[arg(long, value_name = "NAME=N", conflicts_with = "file")]
    pub consume: Vec<Consume>,
    /// A tag of the job
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "file")]
    pub tag: Vec<Tag>,
    /// Put the tags on the ECS task too
    #[arg(long, conflicts_with = "file")]
    pub propagate_tags: bool,
    /// Makes the job's id, and the same job of two calls with it [default: a random one]
    #[arg(long, value_name = "TOKEN", conflicts_with = "file")]
    pub token: Option<String>,
    /// The job queue [default: the first of `queues`]; for jobs of a file, of those that name none
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<QueueName>,
    /// Read jobs from a file: a JSON object, an array, or JSON lines; `-` is stdin
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["image", "command"])]
    pub file: Option<PathBuf>,
    /// Check everything, print the messages, and send nothing
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,
    /// Wait until all have ended: exit code 3 if one failed
    #[arg(long)]
    pub wait: bool,
    /// Wait no longer than this (exit code 5)
    #[arg(long, value_name = "DURATION", requires = "wait")]
    pub wait_timeout: Option<Span>,
    /// End with the exit code of the first container that failed
    #[arg(long, requires = "wait")]
    pub pass_exit_code: bool,
    /// The command to run in the container [default: the image's own]
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Checks and sends.
pub async fn run(args: &SubmitArgs, context: &Context) -> Result<ExitStatus> {
    let letters = letters(args, context)?;
    for letter in &letters {
        for warning in &letter.warnings {
            context.output.warn(&said_of(letter, warning));
        }
    }
    if args.dry_run {
        context.output.show(&SubmitView::dry_run(&letters)?)?;
        return Ok(ExitStatus::Ok);
    }
    let sent = send::letters(&letters, context).await?;
    answer(args, &letters, sent, context)?;
    if !args.wait {
        return Ok(ExitStatus::Ok);
    }
    let jobs: Vec<_> = letters.iter().map(|letter| letter.id).collect();
    let rule = WaitRule { timeout: args.wait_timeout, pass_exit_code: args.pass_exit_code };
    Box::pin(wait::run(&jobs, rule, context)).await
}

fn letters(args: &SubmitArgs, context: &Context) -> Result<Vec<Letter>> {
    let config = context.config()?;
    // A configuration without queues is refused when it is read.
    let Some(queue) = args.queue.as_ref().or(config.queues.first()) else {
        return Err(Complaint::usage("there is no job queue to send to").into());
    };
    let drafts = drafts(args)?;
    let draw_token = || Uuid::new_v4().to_string();
    let completion = Completion { queues: &config.queues, queue, draw_token: &draw_token };
    Ok(completion.letters(drafts)?)
}

fn drafts(args: &SubmitArgs) -> Result<Vec<Result<Draft, Flaw>>, Complaint> {
    let Some(path) = &args.file else { return Ok(vec![Ok(flags::draft(args)?)]) };
    let drafts = file::drafts(path, &files::read(path)?);
    if drafts.is_empty() {
        return Err(Complaint::usage(format!("{} holds no jobs", path.display())));
    }
    Ok(drafts)
}

fn said_of(letter: &Letter, text: &str) -> String {
    if letter.place.is_empty() { text.to_owned() } else { format!("{}: {text}", letter.place) }
}

/// Prints the ids of what was sent, and complains if that is not everything.
fn answer(args: &SubmitArgs, letters: &[Letter], sent: Sent, context: &Context) -> Result<()> {
    let view = SubmitView::sent(letters, &sent);
    if args.wait {
        // The answer is what becomes of them; their ids are for whoever loses patience.
        for job in &view.jobs {
            context.output.note(&format!("sent {}", job.id));
        }
    } else {
        context.output.show(&view)?;
    }
    let (n_sent, n_letters) = (sent.ords.len(), letters.len());
    if let Some((ord, error)) = sent.failed {
        let place = letters.get(ord).map(|letter| said_of(letter, "")).unwrap_or_default();
        let text = if n_letters == 1 {
            "cannot send the job".to_owned()
        } else {
            format!("{place}{n_sent} of {n_letters} jobs were sent; the ids above are those")
        };
        return Err(error).context(text);
    }
    if context.output.format() == Format::Human && !args.wait {
        let jobs = if n_sent == 1 { "job" } else { "jobs" };
        let queue = &context.config()?.job_queue_name;
        context.output.note(&format!("{n_sent} {jobs} sent to {queue}"));
    }
    Ok(())
}
