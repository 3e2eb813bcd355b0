//! `spillway plan`: what would be bought, and what it costs at least. Buys nothing.

mod bill;
mod bound;
mod input;
mod problem;
mod verify;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use spillway_core::plan::Effort;
use spillway_core::{PlanPolicy, Planned};
use spillway_engine::Engine;
use spillway_planner::verify::Certificate;

use crate::context::Context;
use crate::exit::ExitStatus;
use crate::prices::{self, PriceChoice};
use crate::views::plan::PlanView;
use crate::{files, ledger};

pub(crate) const LONG_ABOUT: &str = "\
Shows what the dispatcher would buy for the jobs that wait now, with the proven lower bound beside the price, and buys \
nothing. Jobs, machines and dry pools are read from the ledger; prices from the account, or from where you say. \
Exit code 4 if some job fits nothing that may be bought.

With --problem the plan is for a problem in a file, from nothing, and is printed as JSON. With --bill its jobs have \
durations and a deadline, and the plan says what starts when, for the least bill. Such a plan carries a certificate of \
its lower bound, which `spillway plan verify` re-derives.

Examples:
  spillway plan
  spillway plan --builtin-prices --format json | jq .gap
  spillway plan --problem problem.json > plan.json
  spillway plan --problem timed.json --bill > plan.json
  spillway plan verify plan.json --problem problem.json";

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
    /// Plan with what a scenario's world sells
    #[arg(long, value_name = "SCENARIO", conflicts_with = "builtin_prices")]
    pub world: Option<PathBuf>,
    /// Plan with the price list that comes with Spillway (us-east-1; Spot prices are typical ones)
    #[arg(long)]
    pub builtin_prices: bool,
    /// How much thought goes into it: default takes about a second, high up to a minute
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = EffortChoice::Default)]
    pub effort: EffortChoice,
    /// Write the certificate of the problem's bound to a file instead of into the plan
    #[arg(long, value_name = "FILE", requires = "problem")]
    pub certificate: Option<PathBuf>,
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
        Some(file) if args.bill => bill::run(file, apart, context),
        Some(file) => problem::run(file, args.effort.effort(), apart, context),
        None => Box::pin(plan_live(args, context)).await,
    }
}

fn timed_plan(input: &spillway_core::PlanInput, policy: &PlanPolicy) -> (Planned, f64) {
    let started = Instant::now();
    let planned = spillway_planner::plan(input, policy);
    (planned, started.elapsed().as_secs_f64() * 1000.0)
}

fn verdict(planned: &Planned) -> ExitStatus {
    if planned.report.waiting.is_empty() { ExitStatus::Ok } else { ExitStatus::Infeasible }
}

async fn plan_live(args: &PlanArgs, context: &Context) -> Result<ExitStatus> {
    let config = context.config()?;
    let choice = match (&args.world, args.builtin_prices) {
        (Some(path), _) => PriceChoice::World(path.clone()),
        (None, true) => PriceChoice::BuiltIn,
        (None, false) => PriceChoice::Account,
    };
    let state = ledger::reader(&config.ledger)?.state()?;
    let (catalog, prices) = prices::catalog(&choice, config).await?;
    let engine = config.engine();
    let policy = PlanPolicy { effort: args.effort.effort(), ..engine.plan.clone() };
    let input = Engine::asks(engine, state, catalog, Timestamp::now());
    let n_jobs = input.demands.iter().map(|demand| demand.count).sum();
    let (planned, elapsed_ms) = timed_plan(&input, &policy);
    context.output.show(&PlanView::new(&planned, n_jobs, prices, elapsed_ms))?;
    Ok(verdict(&planned))
}

/// Keeps the certificate in the plan, or writes it to a file of its own.
fn keep_or_write(certificate: Certificate, apart: Option<&Path>) -> Result<Option<Certificate>> {
    let Some(file) = apart else { return Ok(Some(certificate)) };
    let text = serde_json::to_string(&certificate).context("cannot write the certificate")?;
    files::write(file, &(text + "\n"))?;
    Ok(None)
}
