//! Orders to end a job.

use serde_json::{Value, json};
use spillway_core::JobId;
use spillway_core::message::{Ending, Request, code, end_job};

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

    assert_eq!(cancel, Request::Cancel { job: job(), reason: reason.clone() });
    assert_eq!(terminate, Request::Terminate { job: job(), reason });
}

#[test]
fn what_the_builder_writes_is_what_is_read() {
    let cancel = parse(&end_job(Ending::Cancel, job(), "r")).unwrap();
    let terminate = parse(&end_job(Ending::Terminate, job(), "r")).unwrap();

    assert_eq!(cancel.request, Request::Cancel { job: job(), reason: "r".into() });
    assert_eq!(terminate.request, Request::Terminate { job: job(), reason: "r".into() });
    assert!(cancel.warnings.is_empty() && terminate.warnings.is_empty());
}

#[test]
fn a_wrong_order_is_refused_at_its_place() {
    let cases = [
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
