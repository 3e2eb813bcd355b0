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
}
