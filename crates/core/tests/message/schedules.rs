//! Orders about schedules.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use spillway_core::message::{self, Request, ScheduleOrder, ScheduleRequest, StandIn, code};
use spillway_core::schedule::{Missed, ScheduleSpec};

use crate::sample::{least, parse, with};

fn schedule() -> Value {
    json!({
        "scheduleName": "nightly",
        "scheduleExpression": "cron(0 2 * * ? *)",
        "job": least(),
        "spillway": {"action": "CreateSchedule", "clientToken": "t"},
    })
}

fn request(message: &Value) -> ScheduleRequest {
    let Request::Schedule(request) = parse(message).unwrap().request else {
        panic!("it is about a schedule")
    };
    *request
}

fn spec(message: &Value) -> ScheduleSpec {
    let ScheduleOrder::Create { spec, queue } = request(message).order else {
        panic!("it makes one")
    };
    assert_eq!(queue.as_str(), "q");
    *spec
}

#[test]
fn a_schedule_says_when_and_what_and_may_say_the_rest() {
    let mut rich = schedule();
    rich["scheduleExpressionTimezone"] = json!("Europe/Berlin");
    rich["startDate"] = json!("2026-01-01T00:00:00Z");
    rich["endDate"] = json!("2026-02-01T00:00:00Z");
    rich["spillway"]["missed"] = json!("skip");
    rich["spillway"]["catchUpSeconds"] = json!(60);
    let (plain, rich) = (spec(&schedule()), spec(&rich));

    assert_eq!(plain.zone.to_string(), "UTC");
    assert_eq!((plain.missed, plain.catch_up), (Missed::Once, SignedDuration::from_hours(24)));
    assert_eq!((plain.start, plain.end), (None, None));
    assert_eq!(rich.zone.to_string(), "Europe/Berlin");
    assert_eq!((rich.missed, rich.catch_up), (Missed::Skip, SignedDuration::from_mins(1)));
    assert_eq!(rich.start, "2026-01-01T00:00:00Z".parse().ok());
    assert_eq!(request(&schedule()).client_token.as_deref(), Some("t"));
    assert_eq!(*plain.job, least());
}

#[test]
fn the_job_of_a_time_is_a_job_with_its_own_token() {
    let at: Timestamp = "2026-01-02T02:00:00Z".parse().unwrap();

    let body = spec(&schedule()).message(at).to_string();

    let Request::Submit { spec, client_token } = message::parse(&body).unwrap().request else {
        panic!("{body}")
    };
    assert_eq!(client_token.as_deref(), Some("schedule:nightly:2026-01-02T02:00:00Z"));
    assert_eq!(spec.tags["spillway:schedule"], "nightly");
}

#[test]
fn orders_name_their_schedule() {
    for (action, order) in [
        ("DeleteSchedule", ScheduleOrder::Delete),
        ("PauseSchedule", ScheduleOrder::Pause),
        ("ResumeSchedule", ScheduleOrder::Resume),
    ] {
        let message = json!({"scheduleName": "nightly", "spillway": {"action": action}});

        let request = request(&message);

        assert_eq!((request.name.as_str(), request.order), ("nightly", order));
    }
}

#[test]
fn what_is_wrong_with_a_schedule_or_its_job_is_said_with_its_place() {
    let wrong = |pointer: &str, value: Value| with(schedule(), pointer, value);
    let cases = [
        (wrong("/scheduleName", json!("a b")), code::INVALID_FIELD, "scheduleName"),
        (
            wrong("/scheduleExpression", json!("5 minutes")),
            code::INVALID_FIELD,
            "scheduleExpression",
        ),
        (wrong("/scheduleExpression", Value::Null), code::MISSING_FIELD, "scheduleExpression"),
        (
            wrong("/scheduleExpressionTimezone", json!("Mars")),
            code::INVALID_FIELD,
            "scheduleExpressionTimezone",
        ),
        (wrong("/startDate", json!("soon")), code::INVALID_FIELD, "startDate"),
        (wrong("/job", Value::Null), code::MISSING_FIELD, "job"),
        (wrong("/job", json!([])), code::INVALID_FIELD, "job"),
        (wrong("/job/jobName", json!("")), code::INVALID_FIELD, "job.jobName"),
        (wrong("/job/jobDefinition", json!("d")), code::UNKNOWN_DEFINITION, "job.jobDefinition"),
        (
            wrong("/job/eksPropertiesOverride", json!({"podProperties": {"x": 1}})),
            code::UNSUPPORTED_FIELD,
            "job.eksPropertiesOverride",
        ),
        (
            wrong("/job/spillway", json!({"clientToken": "x"})),
            code::INVALID_FIELD,
            "job.spillway.clientToken",
        ),
        (
            wrong("/job/spillway", json!({"action": "CancelJob"})),
            code::INVALID_FIELD,
            "job.spillway.action",
        ),
        (wrong("/spillway/missed", json!("twice")), code::INVALID_FIELD, "spillway.missed"),
        (
            wrong("/spillway/catchUpSeconds", json!(-1)),
            code::INVALID_FIELD,
            "spillway.catchUpSeconds",
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
    let mut backwards = wrong("/startDate", json!("2026-01-01T00:00:00Z"));
    backwards["endDate"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(parse(&backwards).unwrap_err().path.as_deref(), Some("endDate"));
}

#[test]
fn a_schedule_may_name_a_definition_that_is_there() {
    let message = with(schedule(), "/job/jobDefinition", json!("d")).to_string();

    assert!(message::parse_with(&message, &StandIn).is_ok());
}

#[test]
fn what_is_odd_about_the_job_is_told_with_its_place() {
    let message = with(schedule(), "/job/jobNam", json!("x"));

    let warnings = parse(&message).unwrap().warnings;

    assert!(warnings.iter().any(|text| text.starts_with("job.jobNam: ")), "{warnings:?}");
}
