//! `approve`: what is held because it is dear, and the order that has it bought.

use serde_json::json;
use spillway_core::{ApprovedBurst, Burst, Change, HeldBurst, MicroUsdPerHour};

use crate::rig::{Home, id, message};

const LIMIT: &str = "[limits]\napprove-over = '$50'\n";

fn of(price: u64, since: &str) -> HeldBurst {
    HeldBurst { price: MicroUsdPerHour::new(price), since: since.parse().unwrap() }
}

fn held() -> HeldBurst {
    of(220_000_000, "2026-01-01T12:00:00Z")
}

fn earlier() -> HeldBurst {
    of(90_000_000, "2026-01-01T11:00:00Z")
}

/// A job that waits, a burst that is held, and an earlier one that is approved.
fn home() -> Home {
    let approved = ApprovedBurst {
        held: earlier(),
        at: "2026-01-01T11:05:00Z".parse().unwrap(),
        sender: Some("AROAOPS:me".into()),
    };
    let burst = Burst { held: Some(held()), approved: Some(approved) };
    Home::new()
        .with("spillway.toml", LIMIT)
        .with_waiting("l.db", &[message("a", 512, "true")])
        .with_facts("l.db", &[Change::PutBurst(Box::new(burst))])
}

#[test]
fn what_is_held_and_what_is_approved_is_shown_with_its_price() {
    let home = home();

    let page = home.run(&["approve", "--ledger", "l.db"]);
    let json = home.run(&["approve", "--ledger", "l.db", "--format", "json"]).json();

    home.settings().bind(|| insta::assert_snapshot!(page));
    assert_eq!(json["held"]["hash"], held().hash().to_string());
    assert_eq!(json["held"]["price_usd_per_hour"], 220.0);
    assert_eq!(json["approved"]["hash"], earlier().hash().to_string());
    assert_eq!(json["approve_over_usd_per_hour"], 50.0);
}

#[test]
fn an_approval_is_checked_before_it_is_sent() {
    let home = home();
    let approve = |hash: &str| home.run(&["approve", hash, "--dry-run", "--ledger", "l.db"]);

    let good = approve(&held().hash().to_string());
    let again = approve(&earlier().hash().to_string());
    let other = approve("00000000");
    let odd = approve("latest");

    let order = json!({"spillway": {
        "version": 1, "action": "ApproveBurst", "hash": held().hash().to_string(),
    }});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&good.stdout).unwrap(), order);
    assert_eq!((again.code, other.code, odd.code), (Some(2), Some(2), Some(2)));
    home.settings().bind(|| insta::assert_snapshot!(format!("{again}\n{other}\n{odd}")));
}

#[test]
fn without_a_limit_nothing_has_to_be_approved() {
    let home = Home::new().with_ledger("l.db");

    let ran = home.run(&["approve", "--ledger", "l.db"]);

    assert_eq!(ran.code, Some(2), "{ran}");
    assert!(ran.stderr.contains("hint: set limits.approve-over"), "{ran}");
}

#[test]
fn a_plan_says_what_another_limit_would_hold() {
    let home = Home::new().with_waiting("l.db", &[message("a", 512, "true")]);
    let plan = |over: &str| {
        let args = ["plan", "--builtin-prices", "--ledger", "l.db", "--format", "json"];
        home.run(&[&args[..], &["--approve-over", over]].concat()).json()
    };

    let (tight, wide) = (plan("$0/h"), plan("$50/h"));

    assert_eq!(tight["launches"], json!([]));
    let reason = tight["waiting"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("the limit approve-over leaves no room"), "{reason}");
    let price = tight["burst"]["held"]["price_usd_per_hour"].as_f64().unwrap();
    let cost = wide["cost_usd_per_hour"].as_f64().unwrap();
    assert!(cost <= price && price <= cost + 0.02, "{price} {cost}");
    assert_eq!(wide["burst"].get("held"), None);
}

#[test]
fn why_says_what_approves_it() {
    let home = home();

    let args = ["why", &id("a"), "--ledger", "l.db", "--builtin-prices", "--format", "json"];
    let why = home.run(&args).json().to_string();

    assert!(why.contains(&format!("spillway approve {}", held().hash())), "{why}");
}

#[test]
fn the_doctor_says_that_something_is_held() {
    let home = home();

    let doctor = home.run(&["doctor", "--local", "--ledger", "l.db", "--format", "json"]).json();

    let findings = doctor["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["name"] == "approval").unwrap();
    assert_eq!(found["outcome"], "warning");
    let hint = found["hint"].as_str().unwrap();
    assert!(hint.contains(&format!("spillway approve {}", held().hash())), "{hint}");
}
