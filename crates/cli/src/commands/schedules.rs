//! `spillway schedules create|list|show|next|pause|resume|delete`. What changes something is a message, as everything is; what
//! reads reads the ledger.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};
use spillway_core::message::{self, Request};
use spillway_core::schedule::{Expression, Zone};
use spillway_core::{JobName, QueueName, ScheduleRecord};
use uuid::Uuid;

use crate::config::values::Span;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::files;
use crate::ledger;
use crate::output::Format;
use crate::sender;
use crate::views::schedule::{ScheduleList, ScheduleOrder, ScheduleView, Times};

/// The verbs of `schedules`.
#[derive(Debug, Subcommand)]
pub enum SchedulesCommand {
    /// Make a schedule, or let one become another
    #[command(long_about = CREATE_ABOUT)]
    Create(CreateArgs),
    /// List schedules
    #[command(long_about = LIST_ABOUT)]
    List(ListArgs),
    /// Show a schedule and its job
    #[command(long_about = SHOW_ABOUT)]
    Show(ShowArgs),
    /// Say when a schedule or an expression is due next
    #[command(long_about = NEXT_ABOUT)]
    Next(NextArgs),
    /// Let a schedule send no jobs until it is resumed
    #[command(long_about = PAUSE_ABOUT)]
    Pause(NameArgs),
    /// Let a paused schedule go on
    #[command(long_about = RESUME_ABOUT)]
    Resume(NameArgs),
    /// Delete a schedule
    #[command(long_about = DELETE_ABOUT)]
    Delete(NameArgs),
}

const CREATE_ABOUT: &str = "\
Asks the dispatcher to send a job by the clock. The job is a SubmitJob request as a JSON object, as `spillway submit --dry-run` \
prints it; `@time` as the whole value of a parameter, of a variable or of a word of the command becomes the time it is due.

Expressions are those of Amazon EventBridge Scheduler. Each time is met by one job, whatever happens to dispatcher and queue. \
Of times that no dispatcher met, the last is made good within --catch-up (--missed once), or none is (--missed skip).

Examples:
  spillway schedules create nightly --expression 'cron(0 2 * * ? *)' --timezone Europe/Berlin --job job.json
  spillway submit --image report --dry-run -- ./report.sh @time | spillway schedules create report --expression 'rate(1 hour)' --job -";

const LIST_ABOUT: &str = "\
Lists schedules from the ledger, with the next time each is due and the job of the last.

Examples:
  spillway schedules list
  spillway schedules list --all --format json | jq '.schedules[] | select(.n_missed > 0)'";

const SHOW_ABOUT: &str = "\
Shows a schedule: when it is due, what became of it, and the job that it sends.

Examples:
  spillway schedules show nightly
  spillway schedules show nightly --format json | jq .job";

const NEXT_ABOUT: &str = "\
Says the next times at which a schedule is due, or an expression would be; the latter needs no dispatcher.

Examples:
  spillway schedules next nightly --count 3
  spillway schedules next --expression 'cron(0 9 ? * MON-FRI *)' --timezone America/New_York";

const PAUSE_ABOUT: &str = "\
Asks the dispatcher to let a schedule send no jobs until it is resumed. Times of the pause are not made good.

Examples:
  spillway schedules pause nightly";

const RESUME_ABOUT: &str = "\
Asks the dispatcher to let a paused schedule go on, from the next time on.

Examples:
  spillway schedules resume nightly";

const DELETE_ABOUT: &str = "\
Asks the dispatcher to delete a schedule. Jobs that it has sent go on.

Examples:
  spillway schedules delete nightly";

/// What becomes of missed times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MissedFlag {
    /// The last is made good.
    Once,
    /// All are left out.
    Skip,
}

/// Flags of `schedules create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The schedule's name; one of this name becomes this one
    #[arg(value_name = "NAME")]
    pub name: JobName,
    /// When: cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR), rate(N UNITS) or at(TIME)
    #[arg(long, value_name = "EXPRESSION")]
    pub expression: Expression,
    /// The time zone, by its name in the IANA's list
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub timezone: Zone,
    /// Not before this time; a rate counts from it
    #[arg(long, value_name = "TIME")]
    pub start: Option<Timestamp>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    pub end: Option<Timestamp>,
    /// What becomes of times that no dispatcher met
    #[arg(long, value_enum, default_value = "once")]
    pub missed: MissedFlag,
    /// How long a missed time is made good [default: 24h]
    #[arg(long, value_name = "DURATION")]
    pub catch_up: Option<Span>,
    /// The file with the job; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub job: PathBuf,
    /// The job queue, if the job names none [default: the first of `queues`]
    #[arg(long, value_name = "QUEUE")]
    pub queue: Option<QueueName>,
    /// Makes the same order of two calls with it [default: a random one]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Check it, print the message, and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `schedules list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Those that were deleted too
    #[arg(long)]
    pub all: bool,
}

/// Flags of `schedules show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The schedule's name
    #[arg(value_name = "NAME")]
    pub name: JobName,
}

/// Flags of `schedules next`.
#[derive(Debug, Args)]
pub struct NextArgs {
    /// The schedule's name
    #[arg(
        value_name = "NAME",
        required_unless_present = "expression",
        conflicts_with = "expression"
    )]
    pub name: Option<JobName>,
    /// An expression, instead of a schedule
    #[arg(long, value_name = "EXPRESSION")]
    pub expression: Option<Expression>,
    /// The expression's time zone
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "expression")]
    pub timezone: Zone,
    /// So many times
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub count: usize,
    /// After this time [default: now]
    #[arg(long, value_name = "TIME")]
    pub after: Option<Timestamp>,
}

/// Flags of `schedules pause`, `resume` and `delete`.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// The schedule's name
    #[arg(value_name = "NAME")]
    pub name: JobName,
    /// Print the message and send nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs one of them.
pub async fn run(command: &SchedulesCommand, context: &Context) -> Result<ExitStatus> {
    match command {
        SchedulesCommand::Create(args) => create(args, context).await,
        SchedulesCommand::List(args) => list(args, context),
        SchedulesCommand::Show(args) => show(args, context),
        SchedulesCommand::Next(args) => next(args, context),
        SchedulesCommand::Pause(args) => change(args, "PauseSchedule", context).await,
        SchedulesCommand::Resume(args) => change(args, "ResumeSchedule", context).await,
        SchedulesCommand::Delete(args) => change(args, "DeleteSchedule", context).await,
    }
}

async fn create(args: &CreateArgs, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    let mut job = read_job(args)?;
    if let Some(fields) = job.as_object_mut() {
        let queue = args.queue.as_ref().or(config.queues.first());
        fields.entry("jobQueue").or_insert_with(|| json!(queue));
        // `submit --dry-run` gave it one; each job of the schedule gets its own.
        if let Some(Value::Object(own)) = fields.get_mut("spillway") {
            own.remove("clientToken");
        }
    }
    let missed = match args.missed {
        MissedFlag::Once => "once",
        MissedFlag::Skip => "skip",
    };
    let token = args.token.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let mut own = json!({"action": "CreateSchedule", "clientToken": token, "missed": missed});
    if let Some(span) = args.catch_up {
        own["catchUpSeconds"] = json!(span.0.as_secs());
    }
    let mut message = json!({
        "scheduleName": args.name,
        "scheduleExpression": args.expression.to_string(),
        "scheduleExpressionTimezone": args.timezone.to_string(),
        "job": job,
        "spillway": own,
    });
    for (key, at) in [("startDate", args.start), ("endDate", args.end)] {
        if let Some(at) = at {
            message[key] = json!(at);
        }
    }
    // What is registered only the dispatcher knows; all else of the job is checked here.
    let parsed = message::parse_with(&message.to_string(), &message::StandIn)?;
    for warning in &parsed.warnings {
        context.output.warn(warning);
    }
    if let Request::Schedule(request) = &parsed.request
        && let message::ScheduleOrder::Create { queue, .. } = &request.order
        && !config.queues.contains(queue)
    {
        let names: Vec<&str> = config.queues.iter().map(QueueName::as_str).collect();
        return Err(Complaint::usage(format!("there is no queue {:?}", queue.as_str()))
            .hint(format!("the queues are {} (`queues` of the configuration)", names.join(", ")))
            .into());
    }
    let order = ScheduleOrder::new(args.name.to_string(), "CreateSchedule");
    send(order, message, args.dry_run, context).await
}

fn read_job(args: &CreateArgs) -> Result<Value> {
    let name = args.job.display();
    let job: Value = serde_json::from_str(&files::read(&args.job)?).map_err(|error| {
        Complaint::usage(format!("{name} is not JSON: {error}")).hint(
            "it holds SubmitJob's request, one JSON object; `spillway submit --dry-run` prints one",
        )
    })?;
    if job.is_object() {
        return Ok(job);
    }
    Err(Complaint::usage(format!("{name} is not a JSON object")).into())
}

async fn change(args: &NameArgs, action: &'static str, context: &Context) -> Result<ExitStatus> {
    let token = Uuid::new_v4().to_string();
    let own = json!({"action": action, "clientToken": token});
    let message = json!({"scheduleName": args.name, "spillway": own});
    message::parse(&message.to_string())?;
    let order = ScheduleOrder::new(args.name.to_string(), action);
    send(order, message, args.dry_run, context).await
}

async fn send(
    order: ScheduleOrder,
    message: Value,
    dry_run: bool,
    context: &Context,
) -> Result<ExitStatus> {
    if dry_run {
        context.output.show(&order.with_message(message))?;
        return Ok(ExitStatus::Ok);
    }
    sender::send(&message, &order.to_string(), context.config()?).await?;
    let told = "`spillway schedules list --all` tells what became of it";
    context.output.note(&format!("the dispatcher has been asked; {told}"));
    context.output.show(&order)?;
    Ok(ExitStatus::Ok)
}

fn list(args: &ListArgs, context: &Context) -> Result<ExitStatus> {
    let mut records = ledger::reader(context.config()?)?.schedules()?;
    records.retain(|record| args.all || record.deleted_at.is_none());
    context.output.show(&ScheduleList::new(&records))?;
    if context.output.format() == Format::Human && records.is_empty() {
        context.output.note("there are none; `spillway schedules create` makes one");
    }
    Ok(ExitStatus::Ok)
}

fn find(name: &JobName, context: &Context) -> Result<ScheduleRecord> {
    let records = ledger::reader(context.config()?)?.schedules()?;
    let found = records.into_iter().find(|record| record.spec.name == *name);
    found.ok_or_else(|| {
        Complaint::usage(format!("there is no schedule {name}"))
            .hint("`spillway schedules list --all` shows them")
            .into()
    })
}

fn show(args: &ShowArgs, context: &Context) -> Result<ExitStatus> {
    let record = find(&args.name, context)?;
    context.output.show(&ScheduleView::from(&record))?;
    Ok(ExitStatus::Ok)
}

fn next(args: &NextArgs, context: &Context) -> Result<ExitStatus> {
    let after = args.after.unwrap_or_else(Timestamp::now);
    let times: Vec<Timestamp> = if let Some(expression) = &args.expression {
        let next = |at: &Timestamp| expression.next_after(*at, &args.timezone, after);
        std::iter::successors(next(&after), next).take(args.count).collect()
    } else {
        let Some(name) = &args.name else { return Ok(ExitStatus::Usage) };
        let record = find(name, context)?;
        let next = |at: &Timestamp| record.is_active().then(|| record.next_after(*at)).flatten();
        std::iter::successors(next(&after), next).take(args.count).collect()
    };
    let is_empty = times.is_empty();
    context.output.show(&Times { times })?;
    if is_empty && context.output.format() == Format::Human {
        context.output.note("never");
    }
    Ok(ExitStatus::Ok)
}
