//! `spillway plan`: what would be bought, and what it costs at least. Buys nothing.

mod bill;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;
use spillway_core::plan::Effort;
use spillway_core::{PlanPolicy, Planned};
use spillway_engine::Engine;
use spillway_planner::problem::{Instances, Problem, solution};

use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::output::{Format, Page, View};
use crate::prices::{self, PriceChoice};
use crate::views::plan::PlanView;
use crate::{files, ledger};

pub(crate) const LONG_ABOUT: &str = "\
Shows what the dispatcher would buy for the jobs that wait now, with the proven lower bound beside the price, and buys \
nothing. Jobs, machines and dry pools are read from the ledger; prices from the account, or from where you say. \
Exit code 4 if some job fits nothing that may be bought.

With --problem the plan is for a problem in a file, from nothing, and is printed as JSON. With --bill its jobs have \
durations and a deadline, and the plan says what starts when, for the least bill.

Examples:
  spillway plan
  spillway plan --builtin-prices --format json | jq .gap
  spillway plan --problem problem.json > plan.json
  spillway plan --problem timed.json --bill > plan.json";

/// Flags of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
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
    match &args.problem {
        Some(file) if args.bill => bill::run(file, context),
        Some(file) => plan_problem(file, args.effort.effort(), context),
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
    let now = Timestamp::now();
    let engine = Engine::new(engine, state, now).with_prices(catalog, now);
    let input = engine.plan_input(now);
    let policy = PlanPolicy { effort: args.effort.effort(), ..engine.plan_policy() };
    let n_jobs = input.demands.iter().map(|demand| demand.count).sum();
    let (planned, elapsed_ms) = timed_plan(&input, &policy);
    context.output.show(&PlanView::new(&planned, n_jobs, prices, elapsed_ms))?;
    Ok(verdict(&planned))
}

/// The answer to `--problem`: what the benchmark's judge reads, and more beside it.
#[derive(Debug, Serialize)]
struct SolutionView {
    instances: Vec<Instances>,
    cost_usd_per_hour: f64,
    lower_bound_usd_per_hour: f64,
    gap: Option<f64>,
    elapsed_ms: f64,
    waiting: Vec<String>,
}

impl View for SolutionView {
    /// A plan is long and for machines: the same as JSON.
    fn page(&self, page: &mut Page) {
        if let Ok(json) = serde_json::to_string(self) {
            page.line(json);
        }
    }
}

fn plan_problem(file: &Path, effort: Effort, context: &Context) -> Result<ExitStatus> {
    let problem = read_problem(file)?;
    let wrong = |error| Complaint::usage(format!("{}: {error}", file.display()));
    let input = problem.to_input().map_err(wrong)?;
    let (planned, elapsed_ms) = timed_plan(&input, &PlanPolicy { effort, ..PlanPolicy::default() });
    let solution = solution(&problem, &input, &planned).map_err(wrong)?;
    let waiting = planned.report.waiting.iter();
    let view = SolutionView {
        instances: solution.instances,
        cost_usd_per_hour: solution.cost_usd_per_hour,
        lower_bound_usd_per_hour: solution.lower_bound_usd_per_hour,
        gap: solution.gap,
        elapsed_ms,
        waiting: waiting.map(|w| format!("{} x ({}): {}", w.count, w.key, w.reason)).collect(),
    };
    context.output.show(&view)?;
    if context.output.format() == Format::Human {
        let (cost, bound) = (planned.plan.price(), planned.report.bound);
        let n_hosts = planned.plan.n_hosts();
        context.output.note(&format!(
            "{n_hosts} hosts at {cost}; no set costs less than {bound} (gap {:.3} %); {elapsed_ms:.0} ms",
            100.0 * view.gap.unwrap_or_default()
        ));
        for line in &view.waiting {
            context.output.warn(line);
        }
    }
    Ok(verdict(&planned))
}

fn read_problem(file: &Path) -> Result<Problem> {
    let value = read_json(file)?;
    if value.get("time").is_some() {
        let text =
            format!("{}: the problem has a \"time\": its jobs have durations", file.display());
        return Err(Complaint::usage(text).hint("plan it with --bill").into());
    }
    understood(file, value)
}

fn read_json(file: &Path) -> Result<serde_json::Value> {
    let text = files::read(file)?;
    let not_json =
        |error| Complaint::usage(format!("{} is not valid JSON: {error}", file.display()));
    Ok(serde_json::from_str(&text).map_err(not_json)?)
}

fn understood<T: serde::de::DeserializeOwned>(file: &Path, value: serde_json::Value) -> Result<T> {
    serde_path_to_error::deserialize(value)
        .map_err(|error| Complaint::usage(format!("{}: {error}", file.display())))
        .with_context(|| "the problem cannot be understood")
}
