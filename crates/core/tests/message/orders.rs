//! Orders to end a job.

use serde_json::{Value, json};
use spillway_core::message::{Ending, Request, approve_burst, code, end_job, pause, reset_breaker};
use spillway_core::{BreakerId, BurstHash, JobId, JobTarget, Pausable};

use crate::sample::{parse, with};

fn job() -> JobId {
    JobId::derive(&"q".parse().unwrap(), "t")
}

fn order(action: &str) -> Value {
    json!({"jobId": job().to_string(), "reason": "not needed", "spillway": {"action": action}})
}

#[test]
fn an_order_says_which_job_and_why() {
    let reason = "not needed".to_owned();

    let cancel = parse(&order("CancelJob")).unwrap().request;
    let terminate = parse(&order("TerminateJob")).unwrap().request;

    assert_eq!(cancel, Request::Cancel { target: job().into(), reason: reason.clone() });
    assert_eq!(terminate, Request::Terminate { target: job().into(), reason });
}

#[test]
fn what_the_builder_writes_is_what_is_read() {
    let cancel = parse(&end_job(Ending::Cancel, job().into(), "r")).unwrap();
    let terminate = parse(&end_job(Ending::Terminate, job().into(), "r")).unwrap();

    assert_eq!(cancel.request, Request::Cancel { target: job().into(), reason: "r".into() });
    assert_eq!(terminate.request, Request::Terminate { target: job().into(), reason: "r".into() });
    assert!(cancel.warnings.is_empty() && terminate.warnings.is_empty());
}

#[test]
fn an_order_may_be_for_one_child_or_some() {
    for tail in ["", ":7", ":0-99", ":10-20:5"] {
        let target: JobTarget = format!("{}{tail}", job()).parse().unwrap();

        let read = parse(&end_job(Ending::Cancel, target, "r")).unwrap();

        assert_eq!(read.request, Request::Cancel { target, reason: "r".into() });
        assert!(read.warnings.is_empty());
    }
}

#[test]
fn queues_and_pools_are_paused_and_resumed_by_name() {
    let targets = [Pausable::Queue("q".parse().unwrap()), Pausable::Pool("p".parse().unwrap())];
    for target in targets {
        for is_paused in [true, false] {
            let read = parse(&pause(&target, is_paused)).unwrap();

            assert_eq!(read.request, Request::Pause { target: target.clone(), is_paused });
            assert!(read.warnings.is_empty());
        }
    }
    let nameless = parse(&json!({"spillway": {"action": "PausePool"}})).unwrap_err();
    assert_eq!(
        (nameless.code, nameless.path.as_deref()),
        (code::MISSING_FIELD, Some("spillway.pool"))
    );
}

#[test]
fn a_wrong_order_is_refused_at_its_place() {
    let range = |range: Value| with(order("CancelJob"), "/spillway/indexes", range);
    let cases = [
        (range(json!({"first": 1})), code::MISSING_FIELD, "spillway.indexes.last"),
        (range(json!({"first": 2, "last": 1})), code::INVALID_FIELD, "spillway.indexes.last"),
        (
            range(json!({"first": 1, "last": 2, "step": 0})),
            code::INVALID_FIELD,
            "spillway.indexes.step",
        ),
        (
            with(range(json!({"first": 1, "last": 2})), "/jobId", json!(format!("{}:1", job()))),
            code::INVALID_FIELD,
            "spillway.indexes",
        ),
        (with(order("CancelJob"), "/jobId", json!("17")), code::INVALID_FIELD, "jobId"),
        (with(order("CancelJob"), "/jobId", json!(null)), code::MISSING_FIELD, "jobId"),
        (with(order("CancelJob"), "/reason", json!(null)), code::MISSING_FIELD, "reason"),
        (with(order("TerminateJob"), "/reason", json!("")), code::INVALID_FIELD, "reason"),
        (
            with(order("TerminateJob"), "/reason", json!("x".repeat(1025))),
            code::INVALID_FIELD,
            "reason",
        ),
        (order("PauseJob"), code::INVALID_FIELD, "spillway.action"),
        (
            with(order("CancelJob"), "/spillway/version", json!(2)),
            code::UNSUPPORTED_VERSION,
            "spillway.version",
        ),
    ];

    for (message, code, path) in cases {
        let rejection = parse(&message).unwrap_err();
        assert_eq!(
            (rejection.code, rejection.path.as_deref()),
            (code, Some(path)),
            "{rejection:?}"
        );
    }
}

#[test]
fn a_breaker_is_closed_by_its_kind_and_subject() {
    let target = BreakerId::call("ecs:RunTask");

    let read = parse(&reset_breaker(&target)).unwrap();
    let odd = json!({"spillway": {"action": "ResetBreaker", "kind": "fuse", "subject": "x"}});
    let odd = parse(&odd).unwrap_err();

    assert_eq!(read.request, Request::ResetBreaker { target });
    assert!(read.warnings.is_empty());
    assert_eq!((odd.code, odd.path.as_deref()), (code::INVALID_FIELD, Some("spillway.kind")));
}

#[test]
fn a_burst_is_approved_by_its_hash() {
    let hash: BurstHash = "5f3a09c1".parse().unwrap();

    let read = parse(&approve_burst(hash)).unwrap();
    let odd = json!({"spillway": {"action": "ApproveBurst", "hash": "latest"}});
    let odd = parse(&odd).unwrap_err();
    let none = parse(&json!({"spillway": {"action": "ApproveBurst"}})).unwrap_err();

    assert_eq!(read.request, Request::ApproveBurst { hash });
    assert!(read.warnings.is_empty());
    assert_eq!((odd.code, odd.path.as_deref()), (code::INVALID_FIELD, Some("spillway.hash")));
    assert_eq!((none.code, none.path.as_deref()), (code::MISSING_FIELD, Some("spillway.hash")));
}
