//! `spillway plan`: what would be bought, and what it costs at least. Buys nothing.

mod bill;
mod frontier;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use spillway_core::plan::Effort;
use spillway_core::{PlanPolicy, Planned};
use spillway_planner::explain;
use spillway_planner::problem::{Instances, Problem, solution};

use crate::config::values::Span;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use crate::output::{Format, Page, View};
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
durations and a deadline, and the plan says what starts when, for the least bill.

--explain, --limits, --frontier and --deadline say why the plan is as it is and what would be cheaper; docs/plan.md \
reads an example line by line.

Examples:
  spillway plan
  spillway plan --builtin-prices --format json | jq .gap
  spillway plan --explain --limits
  spillway plan --frontier --deadline 2h
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
    /// Where prices come from
    #[command(flatten)]
    pub prices: PriceArgs,
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
        Some(file) if args.bill => bill::run(file, args, context),
        Some(_) if args.frontier || args.deadline.is_some() => {
            let text = "--frontier and --deadline of a problem need durations";
            Err(Complaint::usage(text).hint("add --bill, for a problem with a \"time\"").into())
        }
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
    let asked = asked::ask(&args.prices.choice(), args.effort.effort(), context.config()?).await?;
    let question = &asked.question;
    let started = Instant::now();
    let planned = question.plan();
    let elapsed_ms = started.elapsed().as_secs_f64() * 1000.0;
    let n_jobs = asked::n_jobs(&question.input);
    let mut view = PlanView::new(&planned, n_jobs, asked.prices, elapsed_ms);
    if args.explain {
        let groups = explain::groups::groups(question, &planned);
        let offerings = explain::offerings::offerings(question, &planned);
        view.explanation = Some(ExplanationView::new(&groups, &offerings));
    }
    if args.limits {
        view.limits = Some(LimitsView::new(&explain::limits::limits(question, &planned)));
    }
    if args.frontier || args.deadline.is_some() {
        view.patience = Some(frontier::of_queue(args, question, &planned)?);
    }
    context.output.show(&view)?;
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
