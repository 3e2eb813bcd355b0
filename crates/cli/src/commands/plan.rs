//! `spillway plan`: what would be bought, and what it costs at least. Buys nothing.

mod bill;
mod bound;
mod frontier;
mod input;
mod problem;
mod verify;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use spillway_core::Planned;
use spillway_core::plan::{Effort, WaitReason, Waiting};
use spillway_planner::explain::{self, Explanation};
use spillway_planner::problem::Problem;
use spillway_planner::verify::Certificate;

use crate::config::values::{Cap, Price, Span};
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::prices::PriceArgs;
use crate::views::plan::PlanView;
use crate::views::plan::explanation::ExplanationView;
use crate::views::plan::limits::LimitsView;
use crate::{asked, files};

pub(crate) const LONG_ABOUT: &str = "\
Shows what the dispatcher would buy for the jobs that wait now, with the proven lower bound beside the price, and buys \
nothing. Jobs, machines and dry pools are read from the ledger; prices from the account, or from where you say. \
Exit code 4 if some job fits nothing that may be bought.

With --problem the plan is for a problem in a file, from nothing, and is printed as JSON. With --bill its jobs have \
durations and a deadline, and the plan says what starts when, for the least bill. Such a plan carries a certificate of \
its lower bound, which `spillway plan verify` re-derives.

--save-problem writes the jobs that new machines would be bought for, and every offering that could be, as such a file: with it, \
and without the ledger, anybody can prove a bound.

--explain, --limits, --frontier and --deadline say why the plan is as it is and what would be cheaper; docs/plan.md \
reads an example line by line.

With `limits.approve-over` what would have the fleet cost more per hour is held until `spillway approve HASH`; the plan is what is \
bought without it, and says what would be reached. --approve-over shows what another price would hold.

Examples:
  spillway plan
  spillway plan --builtin-prices --format json | jq .gap
  spillway plan --explain --limits
  spillway plan --frontier --deadline 2h
  spillway plan --approve-over '$50/h'
  spillway plan --problem problem.json > plan.json
  spillway plan --problem timed.json --bill > plan.json
  spillway plan verify plan.json --problem problem.json
  spillway plan --save-problem now.json && spillway plan --problem now.json > proof.json";

/// Flags of `plan`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PlanArgs {
    /// Something else than to plan
    #[command(subcommand)]
    pub command: Option<PlanCommand>,
    /// Plan for a problem in a JSON file instead of the live queue
    #[arg(long, value_name = "FILE", conflicts_with_all = ["world", "builtin_prices"])]
    pub problem: Option<PathBuf>,
    /// The problem's jobs have durations: plan for the least bill by its deadline
    #[arg(long, requires = "problem")]
    pub bill: bool,
    /// Where prices come from
    #[command(flatten)]
    pub prices: PriceArgs,
    /// What to say beside the plan
    #[command(flatten)]
    pub beside: BesideArgs,
    /// Plan as if what is dearer per hour than this had to be approved (limits.approve-over)
    #[arg(long, value_name = "PRICE", conflicts_with = "problem")]
    pub approve_over: Option<Price>,
    /// How much thought goes into it: default takes about a second, high up to a minute
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = EffortChoice::Default)]
    pub effort: EffortChoice,
    /// Write the certificate of the problem's bound to a file instead of into the plan
    #[arg(long, value_name = "FILE", requires = "problem")]
    pub certificate: Option<PathBuf>,
    /// Write what would be bought for, and all that could be, as a problem: to plan it from nothing with a certified bound
    #[arg(long, value_name = "FILE", conflicts_with = "problem")]
    pub save_problem: Option<PathBuf>,
}

/// What to say beside the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct BesideArgs {
    /// Say for each group of jobs and each offering what became of it
    #[arg(long, conflicts_with = "problem")]
    pub explain: bool,
    /// Say what each limit costs: plan again with it raised and without it
    #[arg(long, conflicts_with = "problem")]
    pub limits: bool,
    /// Show what the same work is billed if it may start later
    #[arg(long)]
    pub frontier: bool,
    /// Show the least bill with which all has ended by then
    #[arg(long, value_name = "DURATION")]
    pub deadline: Option<Span>,
}

impl BesideArgs {
    /// Whether schedules over time are asked for.
    pub const fn is_about_time(&self) -> bool {
        self.frontier || self.deadline.is_some()
    }
}

/// What can be done with a plan.
#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Check a plan for a problem, and the certificate of its bound, by code that does not plan
    #[command(long_about = verify::LONG_ABOUT)]
    Verify(verify::VerifyArgs),
}

/// How much thought goes into a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EffortChoice {
    /// What the dispatcher does
    Default,
    /// Longer; never a dearer plan
    High,
}

impl EffortChoice {
    const fn effort(self) -> Effort {
        match self {
            Self::Default => Effort::Default,
            Self::High => Effort::High,
        }
    }
}

/// Plans.
pub async fn run(args: &PlanArgs, context: &Context) -> Result<ExitStatus> {
    if let Some(PlanCommand::Verify(args)) = &args.command {
        return verify::run(args, context);
    }
    let apart = args.certificate.as_deref();
    match &args.problem {
        Some(file) if args.bill => bill::run(file, args, context),
        Some(_) if args.beside.is_about_time() => {
            let text = "--frontier and --deadline of a problem need durations";
            Err(Complaint::usage(text).hint("add --bill, for a problem with a \"time\"").into())
        }
        Some(file) => problem::run(file, args.effort.effort(), apart, context),
        None => Box::pin(plan_live(args, context)).await,
    }
}

/// Jobs that wait for room which comes free in time have their place in the plan.
fn verdict(planned: &Planned) -> ExitStatus {
    let is_planned = |waiting: &Waiting| match waiting.reason {
        WaitReason::RoomExpected { .. } | WaitReason::StartRate { .. } => true,
        WaitReason::TooLarge(_)
        | WaitReason::CoolingDown { .. }
        | WaitReason::LimitReached { .. }
        | WaitReason::NoCatalog => false,
    };
    if planned.report.waiting.iter().all(is_planned) {
        ExitStatus::Ok
    } else {
        ExitStatus::Infeasible
    }
}

async fn plan_live(args: &PlanArgs, context: &Context) -> Result<ExitStatus> {
    let mut config = context.config()?.clone();
    if let Some(over) = args.approve_over {
        config.limits.approve_over = Cap::At(over);
    }
    let asked = asked::ask(&args.prices.choice(), args.effort.effort(), &config).await?;
    let question = &asked.question;
    let started = Instant::now();
    let planned = question.plan();
    let elapsed_ms = started.elapsed().as_secs_f64() * 1000.0;
    if let Some(file) = &args.save_problem {
        let problem = Problem::of_launches(&question.input, &question.policy, &planned);
        write_json(file, &problem, "the problem")?;
    }
    let n_jobs = asked::n_jobs(&question.input);
    let mut view = PlanView::new(&planned, n_jobs, asked.prices, elapsed_ms);
    view.burst = asked.burst;
    if args.beside.explain {
        view.explanation = Some(ExplanationView::new(&Explanation::of(question, &planned)));
    }
    if args.beside.limits {
        view.limits = Some(LimitsView::new(&explain::limits::limits(question, &planned)));
    }
    if args.beside.is_about_time() {
        view.patience = Some(frontier::of_queue(&args.beside, question, &planned)?);
    }
    context.output.show(&view)?;
    Ok(verdict(&planned))
}

/// Keeps the certificate in the plan, or writes it to a file of its own.
fn keep_or_write(certificate: Certificate, apart: Option<&Path>) -> Result<Option<Certificate>> {
    let Some(file) = apart else { return Ok(Some(certificate)) };
    write_json(file, &certificate, "the certificate")?;
    Ok(None)
}

fn write_json(file: &Path, value: &impl Serialize, what: &str) -> Result<()> {
    let text = serde_json::to_string(value).with_context(|| format!("cannot write {what}"))?;
    Ok(files::write(file, &(text + "\n"))?)
}
