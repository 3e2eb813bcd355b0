//! Plans that somebody else has made, and what the verifier says of wrong ones.

use serde_json::{Value, json};
use spillway_planner::problem::{Problem, Solution};
use spillway_planner::verify::{Claim, GivenPlan, Terms, claimed_bound, claimed_cost, feasible};

use crate::world::planned;

fn terms() -> Terms {
    let problem: Problem = serde_json::from_value(json!({
        "offers": [
            {"type": "c7g.large", "market": "spot", "az": "us-east-1a", "vcpus": 2, "memory_mib": 3700,
             "gpus": 0, "arch": "arm64", "usd_per_hour": 0.03},
            {"type": "m5.large", "market": "on-demand", "az": "us-east-1a", "vcpus": 2, "memory_mib": 7600,
             "gpus": 0, "arch": "x86_64", "usd_per_hour": 0.096},
        ],
        "jobs": [
            {"count": 4, "vcpus": 0.75, "memory_mib": 1024, "gpus": 0, "arch": "any", "spot_ok": true},
            {"count": 1, "vcpus": 1, "memory_mib": 1024, "gpus": 0, "arch": "x86_64", "spot_ok": false},
        ],
    }))
    .unwrap();
    Terms::of(&problem).unwrap()
}

fn hosts(name: &str, count: u64, jobs: &Value) -> Value {
    let market = if name == "c7g.large" { "spot" } else { "on-demand" };
    json!({"type": name, "market": market, "az": "us-east-1a", "count": count, "jobs_per_instance": jobs})
}

fn plan(instances: &[Value]) -> GivenPlan {
    serde_json::from_value(json!({"instances": instances})).unwrap()
}

fn given(solution: &Solution) -> GivenPlan {
    serde_json::from_value(serde_json::to_value(solution).unwrap()).unwrap()
}

fn violated(instances: &[Value]) -> String {
    feasible(&terms(), &plan(instances)).unwrap_err().to_string()
}

/// Found by `cargo xtask random-problems`, seed 1, case 4809 of its first version: in 1024ths the three need a little more
/// than the host has.
#[test]
fn jobs_that_fill_a_host_to_the_thousandth_of_a_vcpu_are_planned_on_one() {
    let problem: Problem = serde_json::from_value(json!({
        "offers": [{"type": "c7g.xlarge", "market": "spot", "az": "us-east-1a", "vcpus": 4, "memory_mib": 7400,
                    "gpus": 0, "arch": "arm64", "usd_per_hour": 0.06}],
        "jobs": [
            {"count": 1, "vcpus": 3.334, "memory_mib": 1024, "gpus": 0, "arch": "any", "spot_ok": true},
            {"count": 2, "vcpus": 0.333, "memory_mib": 1024, "gpus": 0, "arch": "any", "spot_ok": true},
        ],
    }))
    .unwrap();

    let (solution, certificate) = planned(&problem);

    assert_eq!((solution.instances.len(), solution.instances[0].count), (1, 1));
    assert_eq!(certificate.bound, 60_000);
    let held = feasible(&Terms::of(&problem).unwrap(), &given(&solution)).unwrap();
    assert_eq!((held.cost, held.jobs), (60_000, 3));
}

#[test]
fn a_sound_plan_of_somebody_else_is_accepted_and_priced() {
    let plan =
        plan(&[hosts("c7g.large", 2, &json!([[0, 2]])), hosts("m5.large", 1, &json!([[1, 1]]))]);

    let held = feasible(&terms(), &plan).unwrap();

    assert_eq!((held.cost, held.hosts, held.jobs), (156_000, 3, 5));
    assert_eq!(claimed_cost(&terms(), &plan, &held).unwrap(), Claim::NotMade);
}

#[test]
fn the_first_violated_constraint_is_named_with_the_place_and_the_amount() {
    let rest = hosts("m5.large", 1, &json!([[1, 1]]));
    let c7g = |count: u64, jobs: &Value| violated(&[hosts("c7g.large", count, jobs), rest.clone()]);

    assert_eq!(
        c7g(1, &json!([[0, 4]])),
        "instances[0] (c7g.large, spot, us-east-1a): its jobs need 3 vCPU, 1 more than its 2"
    );
    assert_eq!(
        c7g(1, &json!([[0, 2], [1, 1]])),
        "instances[0] (c7g.large, spot, us-east-1a): jobs[1] do not run on its architecture"
    );
    assert_eq!(c7g(1, &json!([[0, 2]])), "jobs[0]: 2 of its 4 jobs are on no host");
    assert_eq!(c7g(3, &json!([[0, 2]])), "jobs[0]: 2 more than its 4 jobs are on hosts");
    assert_eq!(
        c7g(0, &json!([[0, 2]])),
        "instances[0] (c7g.large, spot, us-east-1a): a count of 0"
    );
    assert_eq!(
        violated(&[
            hosts("c7g.large", 2, &json!([[0, 2]])),
            hosts("p5.large", 1, &json!([[1, 1]]))
        ]),
        "instances[1] (p5.large, on-demand, us-east-1a): the problem offers no such host"
    );
    assert_eq!(
        c7g(1, &json!([[9, 2]])),
        "instances[0] (c7g.large, spot, us-east-1a): it names jobs[9], the problem has 2 job lines"
    );
}

#[test]
fn memory_is_named_where_it_is_what_runs_out() {
    let problem: Problem = serde_json::from_value(json!({
        "offers": [{"type": "a", "market": "spot", "az": "us-east-1a", "vcpus": 8, "memory_mib": 4000,
                    "arch": "x86_64", "usd_per_hour": 1}],
        "jobs": [{"count": 3, "vcpus": 1, "memory_mib": 1500, "arch": "any", "spot_ok": true}],
    }))
    .unwrap();
    let full = json!({"type": "a", "market": "spot", "az": "us-east-1a", "count": 1, "jobs_per_instance": [[0, 3]]});

    let violation = feasible(&Terms::of(&problem).unwrap(), &plan(&[full])).unwrap_err();

    assert!(
        violation.to_string().ends_with("its jobs need 4500 MiB of memory, 500 more than its 4000"),
        "{violation}"
    );
}

#[test]
fn a_wrong_sum_and_a_bound_above_it_are_seen_without_a_certificate() {
    let mut plan =
        plan(&[hosts("c7g.large", 2, &json!([[0, 2]])), hosts("m5.large", 1, &json!([[1, 1]]))]);
    let held = feasible(&terms(), &plan).unwrap();
    (plan.cost_usd_per_hour, plan.lower_bound_usd_per_hour) = (Some(0.156_001), Some(0.157));

    let cost = claimed_cost(&terms(), &plan, &held).unwrap_err();
    let bound = claimed_bound(&terms(), &plan, &held, None).unwrap_err();

    assert_eq!(cost.to_string(), "the plan says it costs $0.156001, its hosts cost $0.156");
    let both = "the plan says no plan costs less than $0.157, and costs $0.156 itself";
    assert_eq!(bound.to_string(), both);
}
