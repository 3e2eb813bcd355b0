//! The demo runs to its end and accounts for every job.

use crate::rig::Home;

#[test]
fn every_job_of_the_demo_is_accounted_for() {
    let home = Home::new();

    let ran = home.run(&["demo", "--speed", "200", "--format", "json"]);

    assert_eq!(ran.code, Some(0), "{ran}");
    let json = ran.json();
    let n_jobs: u64 =
        json["jobs"].as_array().unwrap().iter().map(|state| state["count"].as_u64().unwrap()).sum();
    assert_eq!(json["n_jobs_sent"].as_u64(), Some(n_jobs));
    assert!(200 < n_jobs, "{n_jobs}");
    assert_eq!(json["unaccounted"], serde_json::json!([]));
    assert_eq!(json["all_over"], true);
    assert_eq!(json["score"]["n_dead_letters"], 1);
    let hosts = json["score"]["hosts"].as_array().unwrap();
    let paid: f64 = hosts.iter().map(|host| host["cost_usd"].as_f64().unwrap()).sum();
    let bill = json["score"]["bill"]["total_usd"].as_f64().unwrap();
    assert!((paid - bill).abs() < 1e-9, "{json}");
    let is_of = |market: &str| hosts.iter().any(|host| host["market"] == market);
    assert!(is_of("spot") && is_of("on-demand"), "{json}");
    let failures = json["failures"].as_array().unwrap();
    let by = |failure: &str| failures.iter().any(|f| f["failure"] == failure);
    assert!(by("exit") && by("oom") && by("timeout") && by("refused"), "{json}");
    let is_empty = std::fs::read_dir(home.path()).unwrap().next().is_none();
    assert!(is_empty, "a demo leaves nothing behind");
}

#[test]
fn a_ledger_is_kept_where_it_is_asked_for_and_never_overwritten() {
    let home = Home::new().with("d.db", "mine");

    let ran = home.run(&["demo", "--keep", "d.db"]);

    assert_eq!(ran.code, Some(2), "{ran}");
    assert_eq!(std::fs::read_to_string(home.file("d.db")).unwrap(), "mine");
}
