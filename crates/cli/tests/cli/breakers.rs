//! What is left alone after failures, as every verb tells it: `breakers`, `doctor` and `why`; and the order that closes one.

use jiff::Timestamp;
use serde_json::{Value, json};
use spillway_core::{Breaker, BreakerId, BreakerState, Change};

use crate::rig::{Home, id, message};

/// Far enough that no probe is due.
const NEXT: &str = "2226-01-01T12:30:00Z";

fn left_alone(target: BreakerId, reason: &str) -> Change {
    let breaker = Breaker {
        reason: reason.to_owned(),
        since: "2026-01-01T12:00:00Z".parse::<Timestamp>().unwrap(),
        n_failed: 4,
        n_probes: 1,
        ceiling: None,
        state: BreakerState::Open { probe_at: NEXT.parse().unwrap() },
    };
    Change::PutBreaker { target, breaker: Some(Box::new(breaker)) }
}

/// A job that waits, and what is left alone.
fn home(targets: &[(BreakerId, &str)]) -> Home {
    let facts: Vec<Change> =
        targets.iter().map(|(target, reason)| left_alone(target.clone(), reason)).collect();
    Home::new().with_waiting("l.db", &[message("a", 512, "true")]).with_facts("l.db", &facts)
}

fn image() -> (BreakerId, &'static str) {
    (BreakerId::image("busybox"), "CannotPullContainerError: manifest unknown")
}

fn create_fleet() -> (BreakerId, &'static str) {
    let said = "ec2:CreateFleet is not allowed: UnauthorizedOperation";
    (BreakerId::call("ec2:CreateFleet"), said)
}

fn why(home: &Home) -> Value {
    home.run(&["why", &id("a"), "--ledger", "l.db", "--builtin-prices", "--format", "json"]).json()
}

#[test]
fn what_is_left_alone_is_listed_with_its_reason_and_its_next_probe() {
    let home = home(&[image(), create_fleet()]);

    let table = home.run(&["breakers", "list", "--ledger", "l.db"]);
    let json = home.run(&["breakers", "list", "--ledger", "l.db", "--format", "json"]).json();

    home.settings().bind(|| insta::assert_snapshot!(table));
    assert_eq!(json["breakers"][0]["kind"], "image");
    assert_eq!(json["breakers"][0]["next_probe_at"], NEXT);
    assert_eq!(json["breakers"][1]["n_failed"], 4);
}

#[test]
fn the_doctor_says_what_to_do_about_each() {
    let home = home(&[image(), create_fleet()]);

    let ran = home.run(&["doctor", "--local", "--ledger", "l.db"]);

    home.settings().bind(|| insta::assert_snapshot!(ran));
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn why_names_the_image_that_a_job_waits_for() {
    let why = why(&home(&[image()]));

    assert_eq!(why["code"], "breaker-open");
    assert_eq!(
        why["reason"],
        "image busybox failed 4 times since 2026-01-01T12:00:00Z: \
         CannotPullContainerError: manifest unknown; one probe from 2226-01-01T12:30:00Z on"
    );
}

#[test]
fn why_names_the_call_that_would_buy_a_host() {
    let why = why(&home(&[create_fleet()]));

    assert_eq!(why["code"], "breaker-open");
    assert!(why["reason"].as_str().unwrap().starts_with("call ec2:CreateFleet failed 4 times"));
}

#[test]
fn why_does_not_name_what_a_job_does_not_need() {
    let other = (BreakerId::image("other:1"), "CannotPullContainerError");

    let why = why(&home(&[other]));

    assert_ne!(why["code"], "breaker-open");
}

#[test]
fn why_tells_of_a_quota_that_ec2_refuses_to_go_beyond() {
    let quota = BreakerId::quota("spot/standard".parse().unwrap());

    let why = why(&home(&[(quota, "MaxSpotInstanceCountExceeded")])).to_string();

    let told = "EC2 has refused to go beyond quota spot/standard: failed 4 times";
    assert!(why.contains(told), "{why}");
}

#[test]
fn an_order_to_use_something_again_is_checked_before_it_is_sent() {
    let home = Home::new();

    let ran = home.run(&["breakers", "reset", "image", "busybox:nope", "--dry-run"]);
    let odd = home.run(&["breakers", "reset", "fuse", "x", "--dry-run"]);

    let sent: Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected =
        json!({"version": 1, "action": "ResetBreaker", "kind": "image", "subject": "busybox:nope"});
    assert_eq!(sent["spillway"], expected);
    assert_eq!(odd.code, Some(2), "{odd}");
    assert!(odd.stderr.contains("it is image, call, host, quota or spend"), "{odd}");
}
