//! `spillway queues` and `pools`: what a ledger and the configuration show, and the orders that would be sent.

use jiff::Timestamp;
use serde_json::json;
use spillway_core::{Change, Gate, Pausable};

use crate::rig::{Home, id, message};

const CONFIG: &str = r#"
queues = ["default"]
consumable-resources = ["licences=10"]

[[queue]]
name = "nightly"
priority = 5
pools = ["cheap"]
fair-share = true
max-vcpus = 64

[[queue.shares]]
share = "team*"
weight = 0.5

[[pool]]
name = "cheap"
markets = ["spot"]
max-hosts = 3
"#;

pub(crate) fn paused(queue: &str) -> Change {
    let ordered_at: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
    let target = Pausable::Queue(queue.parse().unwrap());
    Change::PutGate { target, gate: Gate { is_paused: true, ordered_at } }
}

#[test]
fn queues_and_pools_are_shown_with_their_rules_and_what_they_hold() {
    let home = Home::new().with("spillway.toml", CONFIG).with_facts("l.db", &[paused("nightly")]);
    let json = |args: &[&str]| {
        let args = [args, &["--ledger", "l.db", "--format", "json"]].concat();
        home.run(&args).json()
    };

    let queues = json(&["queues", "list"]);
    let nightly = json(&["queues", "show", "nightly"]);
    let pools = json(&["pools", "list"]);

    assert_eq!(queues["queues"].as_array().unwrap().len(), 2);
    assert_eq!(queues["queues"][1]["held"], nightly["held"]);
    assert_eq!((&nightly["priority"], &nightly["paused"]), (&json!(5), &json!(true)));
    assert_eq!(nightly["pools"], json!(["cheap"]));
    assert_eq!(nightly["held"]["max_vcpus"], json!(64.0));
    assert_eq!(nightly["consumable_resources"][0]["total"], json!(10));
    assert_eq!(pools["pools"][0]["queues"], json!(["default", "nightly"]));
    let table = home.run(&["queues", "show", "nightly", "--ledger", "l.db"]);
    assert!(table.stdout.contains("PAUSED") && table.stdout.contains("0 of 64"), "{table}");
    let unknown = home.run(&["queues", "show", "weekly", "--ledger", "l.db"]);
    assert_eq!(unknown.code, Some(2), "{unknown}");
}

#[test]
fn an_order_to_pause_is_checked_before_it_is_sent() {
    let home = Home::new().with("spillway.toml", CONFIG);

    let queue = home.run(&["queues", "pause", "nightly", "--dry-run"]);
    let pool = home.run(&["pools", "resume", "cheap", "--dry-run"]);
    let unknown = home.run(&["pools", "pause", "dear", "--dry-run"]);

    let sent: serde_json::Value = serde_json::from_str(&queue.stdout).unwrap();
    assert_eq!(sent["jobQueue"], "nightly");
    assert_eq!(sent["spillway"]["action"], "PauseQueue");
    let sent: serde_json::Value = serde_json::from_str(&pool.stdout).unwrap();
    assert_eq!(sent["spillway"], json!({"version": 1, "action": "ResumePool", "pool": "cheap"}));
    assert!(unknown.stderr.contains("there is no pool dear"), "{unknown}");
}

#[test]
fn why_names_the_pause() {
    let home = Home::new()
        .with_waiting("l.db", &[message("a", 512, "true")])
        .with_facts("l.db", &[paused("default")]);

    let args = ["why", &id("a"), "--ledger", "l.db", "--builtin-prices", "--format", "json"];
    let why = home.run(&args).json();

    assert_eq!(why["code"], "queue-paused");
    assert_eq!(why["reason"], "queue default is paused");
}

#[test]
fn a_queue_that_names_a_pool_that_is_not_there_is_a_mistake() {
    let home = Home::new().with("spillway.toml", "[[queue]]\nname = 'a'\npools = ['dear']\n");

    let ran = home.run(&["queues", "list"]);

    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains("dear"), "{ran}");
}
