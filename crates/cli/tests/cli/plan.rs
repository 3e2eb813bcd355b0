//! `plan` over an empty ledger and over a problem file.

use crate::rig::Home;

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
