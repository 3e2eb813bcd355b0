//! What `cancel` and `terminate` share: orders for the jobs that are named, or for all that meet conditions. For more than
//! was named nothing is sent until it is said that so many are meant.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use spillway_core::job::JobStatus;
use spillway_core::message::{self, Ending};
use spillway_core::{JobId, JobTarget};

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::ledger::{self, Reader};
use crate::output::{Lines, Page, View};
use crate::pick::{self, FilterArgs};
use crate::send;
use crate::views::job::{StatusCount, counts_text};

/// Flags of `cancel` and `terminate`.
#[derive(Debug, Args)]
pub struct EndArgs {
    /// The jobs' ids; of an array's children one (`ID:INDEX`) or some (`ID:FIRST-LAST`, `ID:FIRST-LAST:STEP`)
    #[arg(value_name = "JOB")]
    pub jobs: Vec<JobTarget>,
    /// All jobs that meet these conditions.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Why, for the jobs' record
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do it for all that meet the conditions, however many they are
    #[arg(long)]
    pub yes: bool,
    /// Print what would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// One order.
#[derive(Debug, Serialize)]
struct Order {
    job: String,
    /// The message, if it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Value>,
}

/// The answer of `cancel` and `terminate`.
#[derive(Debug, Serialize)]
struct EndView {
    action: &'static str,
    reason: String,
    sent: bool,
    /// How many jobs and children meet the conditions, by state; nothing where the jobs were named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    matched: Vec<StatusCount>,
    orders: Vec<Order>,
}

impl View for EndView {
    fn page(&self, page: &mut Page) {
        for order in &self.orders {
            match &order.message {
                Some(message) => page.line(message.to_string()),
                None => page.line(order.job.clone()),
            }
        }
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.orders.iter().try_for_each(|order| lines.item(order))
    }
}

/// The words for it.
struct Words {
    action: &'static str,
    ended: &'static str,
    reason: &'static str,
    /// The states in which it has an effect.
    statuses: &'static [JobStatus],
}

const fn words(ending: Ending) -> Words {
    match ending {
        Ending::Cancel => Words {
            action: "CancelJob",
            ended: "cancelled",
            reason: "cancelled from the command line",
            statuses: &[JobStatus::Submitted, JobStatus::Pending, JobStatus::Runnable],
        },
        Ending::Terminate => Words {
            action: "TerminateJob",
            ended: "terminated",
            reason: "terminated from the command line",
            statuses: &[
                JobStatus::Submitted,
                JobStatus::Pending,
                JobStatus::Runnable,
                JobStatus::Starting,
                JobStatus::Running,
            ],
        },
    }
}

/// Sends the orders.
pub async fn run(ending: Ending, args: &EndArgs, context: &Context) -> Result<ExitStatus> {
    let Words { action, ended, reason, statuses } = words(ending);
    let mut targets = args.jobs.clone();
    let mut matched = Vec::new();
    if !args.filter.is_empty() {
        let reader = ledger::reader(context.config()?)?;
        let found = find(&args.filter, statuses, ended, &*reader)?;
        matched = found.counts;
        targets.extend(found.targets);
    } else if targets.is_empty() {
        let hint = "name jobs, or say which ones by conditions such as --queue and --name";
        return Err(Complaint::usage("no job is named").hint(hint).into());
    }
    let reason = args.reason.as_deref().unwrap_or(reason);
    let mut bodies = Vec::with_capacity(targets.len());
    for target in &targets {
        let message = message::end_job(ending, *target, reason);
        message::parse(&message.to_string())?;
        bodies.push(message);
    }
    if !args.dry_run {
        confirm(args, &matched, ended)?;
        send(&bodies, context).await?;
    }
    let orders = targets.iter().zip(bodies).map(|(target, message)| Order {
        job: target.to_string(),
        message: args.dry_run.then_some(message),
    });
    let view = EndView {
        action,
        reason: reason.to_owned(),
        sent: !args.dry_run,
        orders: orders.collect(),
        matched,
    };
    context.output.show(&view)?;
    tell(&view, ended, context);
    Ok(ExitStatus::Ok)
}

/// What meets the conditions: children of one array that follow each other are one order.
struct Found {
    targets: Vec<JobTarget>,
    counts: Vec<StatusCount>,
}

fn find(args: &FilterArgs, statuses: &[JobStatus], ended: &str, reader: &Reader) -> Result<Found> {
    let mut filter = args.filter(Timestamp::now());
    if filter.statuses.is_empty() {
        filter.statuses = statuses.to_vec();
    }
    if let Some(wrong) = filter.statuses.iter().find(|status| !statuses.contains(status)) {
        let can: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
        return Err(Complaint::usage(format!("a job that is {wrong} is not {ended}"))
            .hint(format!("those that can be are {}", can.join(", ")))
            .into());
    }
    let mut counts: BTreeMap<JobStatus, u64> = BTreeMap::new();
    let mut ids: Vec<JobId> = Vec::new();
    pick::each(reader, &filter, |job| {
        *counts.entry(job.state.status()).or_default() += 1;
        ids.push(job.id);
    })?;
    if ids.is_empty() {
        return Err(Complaint::usage("no job meets the conditions")
            .hint("`spillway jobs list` takes the same ones and shows what there is")
            .into());
    }
    let array = filter.array.map(JobId::whole);
    let indexes = array.map(|array| reader.job(array)).transpose()?.flatten();
    let indexes = indexes.and_then(|array| array.spec.array).map(|array| array.indexes);
    let targets = match (array, indexes) {
        (Some(array), Some(indexes)) => {
            let ords = ids.iter().filter_map(|id| indexes.ord_of(id.index()?)).collect();
            let run = |indexes| JobTarget { job: array, indexes: Some(indexes) };
            pick::runs(&indexes, ords).into_iter().map(run).collect()
        }
        _ => ids.into_iter().map(JobTarget::from).collect(),
    };
    let counts = counts.into_iter().map(|(status, count)| StatusCount { status, count });
    Ok(Found { targets, counts: counts.collect() })
}

/// Whether it was said that so many are meant.
fn confirm(args: &EndArgs, matched: &[StatusCount], ended: &str) -> Result<(), Complaint> {
    let n: u64 = matched.iter().map(|count| count.count).sum();
    if n == 0 || args.yes {
        return Ok(());
    }
    let jobs = if n == 1 { "1 job".to_owned() } else { format!("{n} jobs") };
    let what = format!("{jobs} would be {ended}: {}", counts_text(matched));
    Err(Complaint::usage(what).hint("repeat it with --yes, or look at them first with --dry-run"))
}

async fn send(bodies: &[Value], context: &Context) -> Result<()> {
    let texts: Vec<String> = bodies.iter().map(Value::to_string).collect();
    let sent = send::bodies(&texts, context).await?;
    match sent.failed {
        None => Ok(()),
        Some((_, error)) => {
            let (n, all) = (sent.ords.len(), texts.len());
            Err(error).with_context(|| format!("{n} of {all} orders were sent"))
        }
    }
}

fn tell(view: &EndView, ended: &str, context: &Context) {
    let counted = counts_text(&view.matched);
    if !view.sent {
        if !view.matched.is_empty() {
            context.output.note(&format!("would be {ended}: {counted}; nothing was sent"));
        }
        return;
    }
    let asked = match (view.orders.as_slice(), view.matched.is_empty()) {
        ([order], true) => format!("`spillway jobs show {}` tells what became of it", order.job),
        (_, true) => "`spillway jobs list` tells what became of them".to_owned(),
        (_, false) => format!("it is for {counted}"),
    };
    context.output.note(&format!("the dispatcher has been asked; {asked}"));
}
