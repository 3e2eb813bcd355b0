//! `spillway plan verify`: judges a plan for a problem, whoever made it, and the certificate of its bound.

mod view;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde_json::Value;
use spillway_core::PlanPolicy;
use spillway_planner::bill::{self, TimedProblem};
use spillway_planner::certificate::{certify, certify_bill};
use spillway_planner::plan_and_prices;
use spillway_planner::problem::Problem;
use spillway_planner::verify::{
    Certificate, Claim, Feasible, GivenPlan, Proof, Proven, Terms, certificate, claimed_bound,
    claimed_cost, claimed_gap, feasible,
};

use super::input;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use view::{Check, VerifyView};

pub(crate) const LONG_ABOUT: &str = "\
Checks a plan for a problem, and the certificate of its lower bound, by code that shares nothing with what plans. The \
plan may be anybody's: {\"instances\": [{\"type\", \"market\", \"az\", \"count\", \"jobs_per_instance\": [[job line, count], ...]}]}; \
for a problem with durations, \"runs\": [[job line, count, start second], ...] instead.

Exit code 4 if the plan violates the problem, costs something else than it says, or if a certificate does not prove \
what it says; the first thing that is wrong is named.

Examples:
  spillway plan --problem problem.json > plan.json && spillway plan verify plan.json --problem problem.json
  spillway plan verify theirs.json --problem problem.json --bound
  spillway plan verify plan.json --problem timed.json --certificate certificate.json --format json";

/// Flags of `plan verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The plan, a JSON file; - is stdin
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// The problem it is for
    #[arg(long, value_name = "FILE")]
    pub problem: PathBuf,
    /// The certificate of its bound, if it is not in the plan
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Plan the problem ourselves for a bound, for a plan that has none
    #[arg(long, conflicts_with = "certificate")]
    pub bound: bool,
    /// Insist that the problem's jobs have durations
    #[arg(long)]
    pub bill: bool,
}

/// A problem of either kind.
enum Question {
    Static(Problem),
    Timed(TimedProblem),
}

pub(super) fn run(args: &VerifyArgs, context: &Context) -> Result<ExitStatus> {
    let question = Question::read(&args.problem, args.bill)?;
    let terms = question.terms(&args.problem)?;
    let plan: GivenPlan = input::understood(&args.plan, input::read_json(&args.plan)?, "plan")?;
    let given = match &args.certificate {
        Some(file) => Some(input::understood(file, input::read_json(file)?, "certificate")?),
        None if args.bound => Some(question.own_certificate(&args.problem)?),
        None => plan.certificate.clone(),
    };
    let view = judged(&terms, &plan, given.as_ref());
    context.output.show(&view)?;
    Ok(if view.is_accepted() { ExitStatus::Ok } else { ExitStatus::Infeasible })
}

/// Everything that can be checked, in order; what depends on something that is wrong is left out.
fn judged(terms: &Terms, plan: &GivenPlan, given: Option<&Certificate>) -> VerifyView {
    let mut view = VerifyView::new(terms.is_timed());
    let held = view.check("plan", feasible(terms, plan), |held| {
        let verb = if terms.is_timed() { "run" } else { "hold" };
        Check::ok(format!("{} hosts {verb} {} jobs, each once", held.hosts, held.jobs))
    });
    let proven = given.and_then(|given| {
        view.check("certificate", certificate(terms, given), |proven| {
            Check::ok(proof_in_words(&given.proof, proven))
        })
    });
    if given.is_none() {
        view.push("certificate", Check::skipped("the plan has none; --bound makes one"));
    }
    if let Some(held) = &held {
        claims(&mut view, terms, plan, held, proven.as_ref());
        view.cost(held.usd(terms));
    }
    if let (Some(given), Some(proven)) = (given, &proven) {
        view.bound(proven.usd(terms), given.proof.kind());
    }
    view
}

fn proof_in_words(proof: &Proof, proven: &Proven) -> String {
    let Proven { hosts, branches, .. } = proven;
    match proof {
        Proof::OneJob { job } => {
            format!("one-job proof: what the cheapest host for jobs[{job}] costs")
        }
        Proof::Resource { .. } => format!("resource proof: unit prices of {hosts} hosts"),
        Proof::Exhaustive { parts } => {
            format!("exhaustive proof: all {parts} parts of the demand tried")
        }
        Proof::Configuration { .. } => {
            format!("configuration proof: {hosts} hosts, {branches} branches")
        }
    }
}

/// What the plan says of itself.
fn claims(
    view: &mut VerifyView,
    terms: &Terms,
    plan: &GivenPlan,
    held: &Feasible,
    proven: Option<&Proven>,
) {
    let of_claim = |name: &'static str| {
        move |claim: &Claim| match claim {
            Claim::Holds => Check::ok(format!("the {name} is what the plan says")),
            Claim::NotMade => Check::skipped(format!("the plan says no {name}")),
            Claim::Unproven => {
                Check::skipped(format!("the plan says a {name}, and has no certificate of it"))
            }
        }
    };
    view.check("cost", claimed_cost(terms, plan, held), of_claim("cost"));
    view.check("bound", claimed_bound(terms, plan, held, proven), of_claim("bound"));
    view.check("gap", claimed_gap(terms, plan, held, proven), of_claim("gap"));
}

impl Question {
    fn read(file: &Path, must_be_timed: bool) -> Result<Self> {
        let value: Value = input::read_json(file)?;
        if value.get("time").is_some() {
            return Ok(Self::Timed(input::understood(file, value, "problem")?));
        }
        if must_be_timed {
            let text =
                format!("{}: the problem has no \"time\", so there is no bill", file.display());
            let hint = "without --bill its jobs must be held at once";
            return Err(Complaint::usage(text).hint(hint).into());
        }
        Ok(Self::Static(input::understood(file, value, "problem")?))
    }

    fn terms(&self, file: &Path) -> Result<Terms> {
        let terms = match self {
            Self::Static(problem) => Terms::of(problem),
            Self::Timed(problem) => Terms::of_timed(problem),
        };
        Ok(terms.map_err(|error| unclear(file, &error))?)
    }

    /// The certificate that a plan of our own would carry.
    fn own_certificate(&self, file: &Path) -> Result<Certificate> {
        let certificate = match self {
            Self::Static(problem) => {
                let input = problem.to_exact_input().map_err(|error| unclear(file, &error))?;
                certify(problem, &plan_and_prices(&input, &PlanPolicy::default()).1)
            }
            Self::Timed(problem) => {
                let bill = bill::plan(problem).map_err(|error| unclear(file, &error))?;
                certify_bill(problem, &bill)
            }
        };
        Ok(certificate.map_err(|error| unclear(file, &error))?)
    }
}

fn unclear(file: &Path, error: &dyn std::error::Error) -> Complaint {
    Complaint::usage(format!("{}: {error}", file.display()))
}
