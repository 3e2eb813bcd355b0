//! `plan verify`: our own plans, plans of somebody else, and wrong ones.

use serde_json::{Value, json};

use crate::rig::Home;

/// Three jobs for two small machines or a large one.
const PROBLEM: &str = r#"{
    "offers": [
        {"type": "c7g.large", "market": "spot", "az": "us-east-1a", "vcpus": 2, "memory_mib": 3700,
         "gpus": 0, "arch": "arm64", "usd_per_hour": 0.03},
        {"type": "m7g.xlarge", "market": "spot", "az": "us-east-1b", "vcpus": 4, "memory_mib": 15400,
         "gpus": 0, "arch": "arm64", "usd_per_hour": 0.07}
    ],
    "jobs": [
        {"count": 2, "vcpus": 1, "memory_mib": 1500, "gpus": 0, "arch": "any", "spot_ok": true},
        {"count": 1, "vcpus": 0.5, "memory_mib": 2048, "gpus": 0, "arch": "arm64", "spot_ok": true}
    ]
}"#;

/// The same with durations.
fn timed() -> String {
    let mut problem: Value = serde_json::from_str(PROBLEM).unwrap();
    for job in problem["jobs"].as_array_mut().unwrap() {
        job["duration_s"] = json!(600);
    }
    problem["time"] = json!({"boot_s": 90, "min_billed_s": 60, "deadline_s": 3600});
    problem.to_string()
}

/// A plan of somebody else: one large machine.
fn theirs(jobs_per_instance: &Value) -> Value {
    json!({"instances": [{"type": "m7g.xlarge", "market": "spot", "az": "us-east-1b", "count": 1,
        "jobs_per_instance": jobs_per_instance}]})
}

/// A home with the problem and our plan for it.
fn planned() -> (Home, Value) {
    let home = Home::new().with("p.json", PROBLEM);
    let plan = home.run(&["plan", "--problem", "p.json", "--format", "json"]).json();
    let home = home.with("plan.json", &plan.to_string());
    (home, plan)
}

#[test]
fn our_own_plan_is_accepted_with_its_certificate() {
    let (home, plan) = planned();

    let ran = home.run(&["plan", "verify", "plan.json", "--problem", "p.json"]);

    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(plan["bound"]["strength"], "exact");
    insta::assert_snapshot!(ran.stdout);
}

#[test]
fn a_certificate_in_a_file_of_its_own_is_accepted_for_its_problem_only() {
    let other = PROBLEM.replace("0.07", "0.08");
    let home = Home::new().with("p.json", PROBLEM).with("other.json", &other);
    let args = ["plan", "--problem", "p.json", "--certificate", "c.json", "--format", "json"];
    let plan = home.run(&args).json();
    let home = home.with("plan.json", &plan.to_string());
    let verify = |problem: &str| {
        let args = ["plan", "verify", "plan.json", "--certificate", "c.json", "--problem", problem];
        home.run(&args)
    };

    let (right, wrong) = (verify("p.json"), verify("other.json"));

    assert!(plan.get("certificate").is_none(), "{plan}");
    assert_eq!(right.code, Some(0), "{right}");
    assert_eq!(wrong.code, Some(4), "{wrong}");
    assert!(wrong.stdout.contains("the certificate is for another problem"), "{wrong}");
}

#[test]
fn a_plan_that_claims_another_cost_or_bound_is_refused_with_both_amounts() {
    let (home, plan) = planned();
    let altered = |key: &str| {
        let mut plan = plan.clone();
        plan[key] = json!(plan[key].as_f64().unwrap() + 1e-6);
        plan.to_string()
    };
    let home = home
        .with("cost.json", &altered("cost_usd_per_hour"))
        .with("bound.json", &altered("lower_bound_usd_per_hour"));

    let cost = home.run(&["plan", "verify", "cost.json", "--problem", "p.json"]);
    let bound = home.run(&["plan", "verify", "bound.json", "--problem", "p.json"]);

    assert_eq!((cost.code, bound.code), (Some(4), Some(4)), "{cost} {bound}");
    assert!(cost.stdout.contains("refused: the plan says it costs $"), "{cost}");
    assert!(bound.stdout.contains("refused: the plan says no plan costs less than $"), "{bound}");
}

#[test]
fn the_first_violated_constraint_of_an_outside_plan_is_named() {
    let home = Home::new()
        .with("p.json", PROBLEM)
        .with("short.json", &theirs(&json!([[0, 1], [1, 1]])).to_string())
        .with("full.json", &theirs(&json!([[0, 2], [1, 4]])).to_string());

    let short =
        home.run(&["plan", "verify", "short.json", "--problem", "p.json", "--format", "json"]);
    let full = home.run(&["plan", "verify", "full.json", "--problem", "p.json"]);

    assert_eq!((short.code, full.code), (Some(4), Some(4)), "{short} {full}");
    assert_eq!(short.json()["violated"], "jobs[0]: 1 of its 2 jobs are on no host");
    assert!(full.stdout.contains("3 more than its 1 jobs are on hosts"), "{full}");
}

#[test]
fn an_outside_plan_gets_its_price_and_if_asked_for_our_bound() {
    let home = Home::new()
        .with("p.json", PROBLEM)
        .with("theirs.json", &theirs(&json!([[0, 2], [1, 1]])).to_string());
    let verify = |flags: &[&str]| {
        let mut args = vec!["plan", "verify", "theirs.json", "--problem", "p.json"];
        args.extend(flags);
        home.run(&args)
    };

    let without = verify(&["--format", "json"]).json();
    let with = verify(&["--bound", "--format", "json"]).json();

    assert_eq!(without["verdict"], "accepted");
    assert!(without.get("lower_bound_usd_per_hour").is_none(), "{without}");
    assert_eq!(with["cost_usd_per_hour"], 0.07);
    assert_eq!(with["lower_bound_usd_per_hour"], 0.06);
    assert_eq!(with["bound"]["kind"], "exhaustive");
}

#[test]
fn a_bill_is_accepted_with_its_certificate_and_refused_if_a_job_starts_too_early() {
    let home = Home::new().with("t.json", &timed());
    let plan = home.run(&["plan", "--problem", "t.json", "--bill", "--format", "json"]).json();
    let mut early = plan.clone();
    early["instances"][0]["runs"][0][2] = json!(89);
    let home = home.with("plan.json", &plan.to_string()).with("early.json", &early.to_string());

    let right = home.run(&["plan", "verify", "plan.json", "--problem", "t.json", "--bill"]);
    let wrong = home.run(&["plan", "verify", "early.json", "--problem", "t.json"]);

    assert_eq!((right.code, wrong.code), (Some(0), Some(4)), "{right} {wrong}");
    assert!(wrong.stdout.contains("start at 89 s, before it is up at 90 s"), "{wrong}");
}

#[test]
fn what_is_no_plan_or_no_certificate_is_told_by_its_path() {
    let home = Home::new().with("p.json", PROBLEM).with("plan.json", "{\"instances\": 3}");

    let ran = home.run(&["plan", "verify", "plan.json", "--problem", "p.json"]);

    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("plan.json: instances: invalid type"), "{ran}");
}
