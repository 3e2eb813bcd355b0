//! `plan` over an empty ledger and over a problem file.

use crate::rig::{Home, message};

#[test]
fn an_empty_queue_needs_nothing() {
    let home = Home::new().with_ledger("l.db");

    let json =
        home.run(&["plan", "--builtin-prices", "--ledger", "l.db", "--format", "json"]).json();

    assert_eq!(json["n_jobs"], 0);
    assert_eq!(json["launches"], serde_json::json!([]));
    assert!(100 < json["prices"]["n_offerings"].as_u64().unwrap(), "{json}");
}

#[test]
fn what_the_configuration_does_not_allow_is_not_offered() {
    let home = Home::new()
        .with_ledger("l.db")
        .with("spillway.toml", "[offerings]\ninstance-types = ['c7g.large']\nmarkets = ['spot']\n");

    let json =
        home.run(&["plan", "--builtin-prices", "--ledger", "l.db", "--format", "json"]).json();

    assert_eq!(json["prices"]["n_offerings"], 3, "one type in three zones");
}

#[test]
fn a_problem_that_is_none_is_told_by_its_path() {
    let home = Home::new().with("p.json", "{\"jobs\": 3}");

    let ran = home.run(&["plan", "--problem", "p.json"]);

    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("p.json"), "{ran}");
}

/// Two jobs of half an hour on one small machine that is on offer, by one hour and a half.
const TIMED: &str = r#"{
    "offers": [{"type": "c7g.medium", "market": "spot", "az": "us-east-1a", "vcpus": 1, "memory_mib": 1900,
        "gpus": 0, "arch": "arm64", "usd_per_hour": 0.036}],
    "jobs": [{"count": 2, "vcpus": 1, "memory_mib": 1024, "gpus": 0, "arch": "any", "spot_ok": true,
        "duration_s": 1800}],
    "time": {"boot_s": 90, "min_billed_s": 60, "deadline_s": 5400}
}"#;

#[test]
fn a_problem_with_durations_is_planned_for_the_least_bill() {
    let home = Home::new().with("t.json", TIMED);

    let json = home.run(&["plan", "--problem", "t.json", "--bill", "--format", "json"]).json();

    assert_eq!(json["instances"][0]["runs"], serde_json::json!([[0, 1, 90], [0, 1, 1890]]));
    let dollars = |key: &str| json[key].as_f64().unwrap();
    assert!((dollars("cost_usd") - 0.0369).abs() < 1e-9, "{json}");
    assert!(0.0 < dollars("lower_bound_usd"), "{json}");
    assert!(dollars("lower_bound_usd") <= dollars("cost_usd"), "{json}");
}

#[test]
fn a_problem_with_durations_asks_for_the_bill_and_the_bill_for_durations() {
    let without = TIMED.replace("\"time\"", "\"times\"");
    let home = Home::new().with("t.json", TIMED).with("p.json", &without);

    let of_timed = home.run(&["plan", "--problem", "t.json"]);
    let of_untimed = home.run(&["plan", "--problem", "p.json", "--bill"]);

    assert_eq!((of_timed.code, of_untimed.code), (Some(2), Some(2)), "{of_timed} {of_untimed}");
    assert!(of_timed.stderr.contains("hint: plan it with --bill"), "{of_timed}");
    assert!(of_untimed.stderr.contains("has no \"time\""), "{of_untimed}");
}

#[test]
fn a_deadline_that_cannot_be_kept_is_exit_code_four() {
    let late = TIMED.replace("5400", "1889");
    let home = Home::new().with("t.json", &late);

    let ran = home.run(&["plan", "--problem", "t.json", "--bill"]);

    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("jobs[0] ends at 1890 s at the earliest"), "{ran}");
}

#[test]
fn what_waits_is_bought_for_and_the_bound_stands_beside_the_price() {
    let jobs: Vec<serde_json::Value> =
        (0..8).map(|n| message(&format!("job-{n}"), 1024, "true")).collect();
    let home = Home::new().with_waiting("l.db", &jobs);

    let json =
        home.run(&["plan", "--builtin-prices", "--ledger", "l.db", "--format", "json"]).json();

    assert_eq!(json["n_jobs"], 8);
    let n_held: u64 = json["launches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|launch| {
            let each = launch["jobs_per_instance"].as_array().unwrap().iter();
            let held: u64 = each.map(|group| group["count"].as_u64().unwrap()).sum();
            held * launch["count"].as_u64().unwrap()
        })
        .sum();
    assert_eq!(n_held, 8, "{json}");
    let dollars = |key: &str| json[key].as_f64().unwrap();
    assert!(0.0 < dollars("lower_bound_usd_per_hour"), "{json}");
    assert!(dollars("lower_bound_usd_per_hour") <= dollars("cost_usd_per_hour"), "{json}");
}

#[test]
fn a_job_that_nothing_on_offer_holds_is_exit_code_four_with_its_reason() {
    let home = Home::new()
        .with_waiting("l.db", &[message("large", 64 * 1024, "true")])
        .with("spillway.toml", "[offerings]\ninstance-types = ['c6a.large']\n");

    let ran = home.run(&["plan", "--builtin-prices", "--ledger", "l.db"]);

    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stdout.contains("Waiting\t1 x (1 vCPU, 64 GiB, x86_64): "), "{ran}");
    assert!(ran.stdout.contains("memory"), "{ran}");
}

#[test]
fn a_job_that_waits_is_shown_with_what_it_waits_for() {
    let home = Home::new().with_waiting("l.db", &[message("a", 1024, "true")]);

    let id = crate::rig::id("a");
    let json = home.run(&["jobs", "show", &id, "--ledger", "l.db", "--format", "json"]).json();

    assert_eq!(json["job"]["status"], "RUNNABLE");
    assert_eq!(json["waiting"].as_array().unwrap().len(), 1, "{json}");
    let guess = serde_json::json!({"mean_s": 600, "high_s": 900, "from": {"kind": "prior"}});
    assert_eq!(json["expected"], guess, "{json}");
}

/// Eight small jobs that wait, and a limit of four vCPUs.
fn limited() -> Home {
    let jobs: Vec<serde_json::Value> =
        (0..8).map(|n| message(&format!("job-{n}"), 1024, "true")).collect();
    Home::new().with_waiting("l.db", &jobs).with(
        "spillway.toml",
        "[limits]\nmax-vcpus = 4\n[offerings]\ninstance-types = ['c6a.*', 'm5.*']\nmarkets = ['spot']\n",
    )
}

fn plan_json(home: &Home, flags: &[&str]) -> serde_json::Value {
    let mut args = vec!["plan", "--builtin-prices", "--ledger", "l.db", "--format", "json"];
    args.extend(flags);
    home.run(&args).json()
}

#[test]
fn every_limit_is_told_with_what_more_of_it_buys() {
    let home = limited();

    let json = plan_json(&home, &["--limits"]);

    let limits = json["limits"]["limits"].as_array().unwrap();
    let vcpus = limits.iter().find(|limit| limit["limit"] == "limits.max-vcpus").unwrap();
    assert_eq!(vcpus["binds"], true, "{json}");
    assert_eq!(vcpus["raised"]["by"], "16 vCPU");
    assert_eq!(vcpus["raised"]["plan"]["n_held"], 8);
    let hosts = limits.iter().find(|limit| limit["limit"] == "limits.max-hosts").unwrap();
    assert_eq!(hosts["binds"], false, "{json}");
}

#[test]
fn the_bound_of_a_live_plan_can_be_proven_from_a_file() {
    let home = limited();

    let live = plan_json(&home, &["--save-problem", "now.json"]);
    let from_nothing = home.run(&["plan", "--problem", "now.json", "--format", "json"]);
    let home = home.with("proof.json", &from_nothing.stdout);
    let verified = home.run(&["plan", "verify", "proof.json", "--problem", "now.json"]);

    let dollars = |json: &serde_json::Value, key: &str| json[key].as_f64().unwrap();
    let proof = from_nothing.json();
    let proven = dollars(&proof, "lower_bound_usd_per_hour");
    assert!(0.0 < proven && proven <= dollars(&live, "cost_usd_per_hour"), "{live}\n{proof}");
    assert!(dollars(&live, "lower_bound_usd_per_hour") <= proven, "{live}\n{proof}");
    assert_eq!(verified.code, Some(0), "{verified}");
    let text = std::fs::read_to_string(home.file("now.json")).unwrap();
    let saved: serde_json::Value = serde_json::from_str(&text).unwrap();
    let sum = |lines: &serde_json::Value| -> u64 {
        lines.as_array().unwrap().iter().map(|line| line["count"].as_u64().unwrap()).sum()
    };
    let bought = live["launches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|launch| launch["count"].as_u64().unwrap() * sum(&launch["jobs_per_instance"]));
    assert_eq!(sum(&saved["jobs"]), bought.sum::<u64>(), "{live}");
    assert!((1..8).contains(&sum(&saved["jobs"])), "a limit leaves some out: {saved}");
}

#[test]
fn every_offering_is_explained_once() {
    let home = limited();

    let json = plan_json(&home, &["--explain"]);

    let explanation = &json["explanation"];
    let offerings = explanation["offerings"].as_array().unwrap();
    assert!(offerings.iter().any(|offering| offering["verdict"] == "taken"), "{json}");
    assert!(offerings.iter().any(|offering| offering["verdict"] == "left-out"), "{json}");
    let group = &explanation["groups"][0];
    let n_bought = group["bought"].as_array().unwrap().iter().map(|bought| {
        bought["n_hosts"].as_u64().unwrap() * bought["n_jobs_each"].as_u64().unwrap()
    });
    assert_eq!(n_bought.sum::<u64>() + group["n_waiting"].as_u64().unwrap(), 8, "{json}");
}

#[test]
fn patience_and_a_deadline_are_priced() {
    let home = limited();

    let json = plan_json(&home, &["--frontier", "--deadline", "1h"]);

    let patience = &json["patience"];
    assert_eq!(patience["n_unknown_duration"], 8);
    let lines = patience["frontier"].as_array().unwrap();
    assert!(1 < lines.len(), "{json}");
    let bill = |line: &serde_json::Value| line["bill_usd"].as_f64().unwrap();
    assert!(bill(lines.last().unwrap()) < bill(&lines[0]), "{json}");
    assert_eq!(lines[0]["over_limits"], serde_json::json!(["limits.max-vcpus"]));
    let by_deadline = &patience["deadline"]["schedule"];
    assert!(by_deadline["all_end_within_s"].as_u64().unwrap() <= 3600, "{json}");
}

#[test]
fn a_deadline_that_no_job_can_keep_is_exit_code_four_with_what_it_takes() {
    let home = limited();

    let ran = home.run(&["plan", "--builtin-prices", "--ledger", "l.db", "--deadline", "5m"]);

    assert_eq!(ran.code, Some(4), "{ran}");
    assert!(ran.stderr.contains("not all can end within 5m"), "{ran}");
}

#[test]
fn a_problem_with_durations_is_priced_by_deadline() {
    let home = Home::new().with("t.json", TIMED);
    let args = ["plan", "--problem", "t.json", "--bill", "--frontier", "--format", "json"];

    let json = home.run(&args).json();

    let lines = json["frontier"].as_array().unwrap();
    assert_eq!(lines[0]["deadline_s"], 1890);
    let bill = |line: &serde_json::Value| line["cost_usd"].as_f64().unwrap();
    assert!(lines.windows(2).all(|pair| bill(&pair[1]) < bill(&pair[0])), "{json}");
}

#[test]
fn a_frontier_of_a_problem_without_durations_is_refused() {
    let home = Home::new().with("p.json", "{\"offers\": [], \"jobs\": []}");

    let ran = home.run(&["plan", "--problem", "p.json", "--frontier"]);

    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("hint: add --bill"), "{ran}");
}
