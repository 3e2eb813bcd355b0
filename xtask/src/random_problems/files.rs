//! Random problem files: planned, certified, and judged by the verifier as `spillway plan verify` does it.

use std::error::Error;

use serde_json::{Value, json};
use spillway_core::PlanPolicy;
use spillway_planner::bill::{self, TimeRules, TimedJobLine, TimedProblem};
use spillway_planner::certificate::{certify, certify_bill};
use spillway_planner::problem::{Problem, solution};
use spillway_planner::verify::{
    GivenPlan, Terms, certificate, claimed_bound, claimed_cost, claimed_gap, feasible,
};
use spillway_planner::{Threads, plan_and_prices_on};

use super::brute::optimum;
use super::draw::Draw;
use super::tally::Tally;
use super::{jobs, market};

/// From so many job lines on the planner works with two threads.
const SIDE_BY_SIDE_LINES_MIN: usize = 40;

/// A problem file and the plan for it, for a judge from outside.
pub(crate) struct Files {
    pub(crate) problem: Value,
    pub(crate) plan: Value,
}

/// Something that is not as it should be, in words.
pub(crate) type Fault = Box<dyn Error>;

/// Families of instance types that are on offer: enough for choices, few enough for thousands of problems.
const FAMILIES_MAX: u32 = 8;

/// How many of a hundred problems are planned again in another order, which takes as long as all the rest.
const SHUFFLED_PERCENT: u32 = 25;

/// Jobs that must be held at once.
pub(crate) fn static_problem(draw: &mut Draw) -> Problem {
    let offers = market::offers(draw, FAMILIES_MAX);
    // One in a hundred is large enough for two threads.
    let is_large = draw.percent(1);
    let n_lines = if is_large { draw.between(60, 100) } else { draw.magnitude(20).min(20) };
    let jobs = jobs::lines(draw, &offers, n_lines, if is_large { 4 } else { 40 });
    Problem { offers, jobs }
}

/// So few jobs that every way to part them can be tried.
pub(crate) fn tiny_problem(draw: &mut Draw) -> Problem {
    let offers = market::offers(draw, 3);
    let n_lines = draw.between(1, 5);
    let mut jobs = jobs::lines(draw, &offers, n_lines, 3);
    while super::brute::JOBS_MAX < jobs.iter().map(|line| line.count).sum() {
        jobs.pop();
    }
    Problem { offers, jobs }
}

/// Jobs with durations and a deadline.
pub(crate) fn timed_problem(draw: &mut Draw) -> TimedProblem {
    let offers = market::offers(draw, 4);
    let n_lines = draw.magnitude(10).min(10);
    let lines = jobs::lines(draw, &offers, n_lines, 12);
    let boot = draw.one_of(&[0, 10, 90, 90]);
    let deadline = boot + draw.one_of(&[100, 1800, 7200, 14_400]);
    let mut jobs = Vec::new();
    for line in lines {
        // A few lengths exactly, for what ends when another begins; most of all magnitudes.
        let secs =
            if draw.percent(30) { draw.one_of(&[0, 1, 60, 600]) } else { draw.magnitude(8000) };
        jobs.push(TimedJobLine {
            count: line.count,
            vcpus: line.vcpus,
            memory_mib: line.memory_mib,
            gpus: line.gpus,
            arch: line.arch,
            spot_ok: line.spot_ok,
            duration_s: f64::from(secs.min(deadline - boot)),
        });
    }
    let min_billed = draw.one_of(&[0, 60, 60]);
    let time = TimeRules {
        boot_s: f64::from(boot),
        min_billed_s: f64::from(min_billed),
        deadline_s: f64::from(deadline),
    };
    TimedProblem { offers, jobs, time }
}

/// Plans jobs that must be held at once, and sees that all is as it says.
pub(crate) fn judge_static(
    problem: &Problem,
    draw: &mut Draw,
    tally: &mut Tally,
) -> Result<Files, Fault> {
    let input = problem.to_exact_input()?;
    let policy = PlanPolicy::default();
    let (mut planned, prices) = plan_and_prices_on(Threads::Two, &input, &policy);
    tally.plans += 1;
    if SIDE_BY_SIDE_LINES_MIN <= problem.jobs.len() {
        let one = plan_and_prices_on(Threads::One, &input, &policy);
        same(&one.0, &planned, "one thread and two plan differently")?;
        tally.on_one_thread += 1;
    }
    if draw.percent(SHUFFLED_PERCENT) {
        let mut other = problem.clone();
        draw.shuffle(&mut other.offers);
        draw.shuffle(&mut other.jobs);
        let other = spillway_planner::plan(&other.to_exact_input()?, &policy);
        same(&other, &planned, "offers and jobs in another order are planned differently")?;
        tally.shuffled += 1;
    }

    let certified = certify(problem, &prices)?;
    planned.report.bound = spillway_core::MicroUsdPerHour::new(certified.bound);
    let mut plan = serde_json::to_value(solution(problem, &planned)?)?;
    plan["certificate"] = serde_json::to_value(&certified)?;
    let terms = Terms::of(problem)?;
    judge(&terms, &plan)?;
    tally.verified += 1;
    refuses_altered(&terms, &plan, draw, tally)?;
    if problem.jobs.iter().map(|line| line.count).sum::<u32>() <= super::brute::JOBS_MAX {
        let least = optimum(problem).ok_or("brute force finds no plan")?;
        let cost = planned.plan.price().get();
        if cost != least {
            return Err(format!("brute force finds {least}, the plan costs {cost}").into());
        }
        if least < certified.bound {
            return Err(format!("the bound {} is above {least}", certified.bound).into());
        }
        tally.optimal += 1;
    }
    Ok(Files { problem: serde_json::to_value(problem)?, plan })
}

/// Plans for the least bill, and sees that all is as it says.
pub(crate) fn judge_timed(
    problem: &TimedProblem,
    draw: &mut Draw,
    tally: &mut Tally,
) -> Result<Files, Fault> {
    let mut bill = bill::plan(problem)?;
    tally.plans += 1;
    if draw.percent(SHUFFLED_PERCENT) {
        let mut other = problem.clone();
        draw.shuffle(&mut other.offers);
        draw.shuffle(&mut other.jobs);
        let other = bill::plan(&other)?;
        let is_same = (other.cost, other.bound) == (bill.cost, bill.bound);
        same(&is_same, &true, "offers and jobs in another order are billed differently")?;
        tally.shuffled += 1;
    }

    let certified = certify_bill(problem, &bill)?;
    bill.bound = certified.bound;
    let mut plan = serde_json::to_value(bill.to_solution())?;
    plan["certificate"] = serde_json::to_value(&certified)?;
    let terms = Terms::of_timed(problem)?;
    judge(&terms, &plan)?;
    tally.verified += 1;
    refuses_altered(&terms, &plan, draw, tally)?;
    Ok(Files { problem: serde_json::to_value(problem)?, plan })
}

pub(crate) fn same<T: PartialEq>(one: &T, other: &T, otherwise: &str) -> Result<(), Fault> {
    if one == other { Ok(()) } else { Err(otherwise.into()) }
}

/// What `spillway plan verify` does with a plan from a file.
fn judge(terms: &Terms, plan: &Value) -> Result<(), Fault> {
    let plan: GivenPlan = serde_json::from_value(plan.clone())?;
    let held = feasible(terms, &plan)?;
    let given = plan.certificate.as_ref().ok_or("the plan has no certificate")?;
    let proven = certificate(terms, given)?;
    claimed_cost(terms, &plan, &held)?;
    claimed_bound(terms, &plan, &held, Some(&proven))?;
    claimed_gap(terms, &plan, &held, Some(&proven))?;
    Ok(())
}

/// Alters one number or word of a plan by one unit: it must be refused.
fn refuses_altered(
    terms: &Terms,
    plan: &Value,
    draw: &mut Draw,
    tally: &mut Tally,
) -> Result<(), Fault> {
    let mut paths = Vec::new();
    leaves(plan, "", &mut paths);
    // Job starts of a bill may move without harm, to another plan that is as good.
    paths.retain(|path| !(path.contains("/runs/") && path.ends_with("/2")));
    // Half of them in the certificate, whatever the lengths of both.
    if draw.percent(50) {
        paths.retain(|path| path.starts_with("/certificate"));
    }
    let path = &paths[draw.index(paths.len())];
    let mut altered = plan.clone();
    let leaf = altered.pointer_mut(path).ok_or("no such leaf")?;
    *leaf = a_unit_away(leaf, draw.percent(50));
    if judge(terms, &altered).is_ok() {
        return Err(format!("accepted although {path} was altered by one unit").into());
    }
    tally.altered += 1;
    Ok(())
}

/// The paths of all numbers, texts and flags in a value.
fn leaves(value: &Value, path: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                leaves(field, &format!("{path}/{name}"), all);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}/{at}"), all);
            }
        }
        Value::Number(_) | Value::String(_) | Value::Bool(_) => all.push(path.to_owned()),
        Value::Null => {}
    }
}

/// A whole number one up or down, an amount of money a millionth, the last sign of a text another.
fn a_unit_away(value: &Value, is_up: bool) -> Value {
    match value {
        Value::Bool(flag) => json!(!flag),
        Value::Number(n) => match (n.as_u64(), n.as_f64()) {
            (Some(0), _) => json!(1),
            (Some(n), _) => json!(if is_up { n + 1 } else { n - 1 }),
            (None, Some(n)) => json!(if is_up { n + 1e-6 } else { n - 1e-6 }),
            (None, None) => Value::Null,
        },
        Value::String(text) => {
            let mut text = text.clone();
            let last = text.pop();
            text.push(if last == Some('7') { '6' } else { '7' });
            json!(text)
        }
        Value::Null | Value::Array(_) | Value::Object(_) => Value::Null,
    }
}
