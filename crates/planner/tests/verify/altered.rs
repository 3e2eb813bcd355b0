//! Plans and certificates of ours are accepted; with any one number altered by one unit they are not.

use std::error::Error;

use proptest::prelude::*;
use serde_json::{Value, json};
use spillway_planner::bill::{TimeRules, TimedJobLine, TimedProblem, plan};
use spillway_planner::certificate::certify_bill;
use spillway_planner::problem::{Offer, Problem};
use spillway_planner::verify::{
    Certificate, GivenPlan, Terms, certificate, claimed_bound, claimed_cost, claimed_gap, feasible,
};

use crate::timed::{self, jobs, offer};
use crate::world::{certificates, planned, problems};

/// Whether everything about a plan is as it says.
fn is_accepted(terms: &Terms, plan: &Value) -> bool {
    judged(terms, plan).is_ok()
}

fn judged(terms: &Terms, plan: &Value) -> Result<(), Box<dyn Error>> {
    let plan: GivenPlan = serde_json::from_value(plan.clone())?;
    let held = feasible(terms, &plan)?;
    let given = plan.certificate.as_ref().unwrap();
    let proven = certificate(terms, given)?;
    claimed_cost(terms, &plan, &held)?;
    claimed_bound(terms, &plan, &held, Some(&proven))?;
    claimed_gap(terms, &plan, &held, Some(&proven))?;
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

/// A value one unit away: the last digit of a text, a millionth of a dollar, one of anything else.
fn other(value: &Value, is_up: bool) -> Option<Value> {
    match value {
        Value::Bool(flag) => Some(json!(!flag)),
        Value::Number(n) => match n.as_u64() {
            Some(n) if is_up => Some(json!(n + 1)),
            Some(n) => n.checked_sub(1).map(|n| json!(n)),
            None => n.as_f64().map(|n| json!(if is_up { n + 1e-6 } else { n - 1e-6 })),
        },
        Value::String(text) => {
            let last = text.chars().last()?;
            let next = if last == '7' { '6' } else { '7' };
            let kept: String = text.chars().take(text.chars().count() - 1).collect();
            Some(json!(format!("{kept}{next}")))
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The paths at which an alteration is accepted.
fn unseen(terms: &Terms, plan: &Value, may_move: impl Fn(&str) -> bool) -> Vec<String> {
    let mut paths = Vec::new();
    leaves(plan, "", &mut paths);
    let mut unseen = Vec::new();
    for path in paths {
        for is_up in [true, false] {
            let mut altered = plan.clone();
            let leaf = altered.pointer_mut(&path).unwrap();
            let Some(value) = other(leaf, is_up) else { continue };
            *leaf = value;
            if is_accepted(terms, &altered) && !may_move(&path) {
                unseen.push(path.clone());
            }
        }
    }
    unseen
}

/// A bill of ours with its certificate, and what it is for.
fn certified_bill(problem: &TimedProblem) -> (Terms, Value) {
    let mut bill = plan(problem).unwrap();
    let certificate = certify_bill(problem, &bill).unwrap();
    bill.bound = certificate.bound;
    let mut plan = serde_json::to_value(bill.to_solution()).unwrap();
    plan["certificate"] = serde_json::to_value(certificate).unwrap();
    (Terms::of_timed(problem).unwrap(), plan)
}

#[test]
fn jobs_that_take_no_time_need_room_on_a_host_in_a_certificate_too() {
    let on_demand = |offer: Offer| Offer { market: "on-demand".to_owned(), ..offer };
    let problem = TimedProblem {
        offers: vec![
            Offer { gpus: 4, ..on_demand(offer("t1", 2.0, 65_536, 1e-6)) },
            on_demand(offer("t0", 4.0, 1024, 1e-6)),
        ],
        jobs: vec![
            TimedJobLine { gpus: 1, ..jobs(1, 0.0, 1, 1.0) },
            jobs(1, 4.0, 1, 1.0),
            jobs(1, 0.0, 1, 0.0),
        ],
        time: TimeRules { boot_s: 0.0, min_billed_s: 0.0, deadline_s: 150.0 },
    };

    let (terms, plan) = certified_bill(&problem);

    judged(&terms, &plan).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_of_ours_is_accepted_and_refused_with_any_unit_altered(problem in problems(8, 6, 20)) {
        let (solution, certificate) = planned(&problem);
        let terms = Terms::of(&problem).unwrap();
        let mut plan = serde_json::to_value(solution).unwrap();
        plan["certificate"] = serde_json::to_value(certificate).unwrap();

        judged(&terms, &plan).map_err(|error| TestCaseError::fail(format!("{error}: {plan}")))?;
        let unseen = unseen(&terms, &plan, |_| false);
        prop_assert!(unseen.is_empty(), "{unseen:?} of {plan}");
    }

    #[test]
    fn a_bill_of_ours_is_accepted_and_refused_with_any_unit_altered(problem in timed::problems(6, 5, 8)) {
        let (terms, plan) = certified_bill(&problem);

        judged(&terms, &plan).map_err(|error| TestCaseError::fail(format!("{error}: {plan}")))?;
        // A job that starts a second later may do no harm: that is another plan, as good as this one.
        let is_start = |path: &str| path.contains("/runs/") && path.ends_with("/2");
        let unseen = unseen(&terms, &plan, is_start);
        prop_assert!(unseen.is_empty(), "{unseen:?} of {plan}");
    }

    #[test]
    fn what_a_certificate_counts_is_counted_again_even_under_a_new_seal(problem in problems(8, 6, 20)) {
        let terms = Terms::of(&problem).unwrap();

        for sound in certificates(&problem) {
            let whole = serde_json::to_value(&sound).unwrap();
            let mut paths = Vec::new();
            leaves(&whole, "", &mut paths);
            paths.retain(|path| is_counted(path) && !is_idle(&problem, path));
            for path in paths {
                let mut altered = whole.clone();
                let leaf = altered.pointer_mut(&path).unwrap();
                *leaf = other(leaf, true).unwrap();
                let mut altered: Certificate = serde_json::from_value(altered).unwrap();
                altered.seal = altered.seal_of_content();

                let verdict = certificate(&terms, &altered);

                prop_assert!(verdict.is_err(), "{path} of {whole}");
            }
        }
    }
}

/// Whether a number of a certificate is the outcome of a sum or a count, or goes into one.
fn is_counted(path: &str) -> bool {
    let counts = ["/bound", "/branches", "/most", "/worth", "/parts"];
    counts.iter().any(|name| path.ends_with(name)) || path.contains("/job_prices/")
}

/// Whether it is the price of a job line without jobs, which counts for nothing.
fn is_idle(problem: &Problem, path: &str) -> bool {
    let line = path.split_once("/job_prices/").map(|(_, line)| line.parse::<usize>().unwrap());
    line.is_some_and(|line| problem.jobs[line].count == 0)
}
