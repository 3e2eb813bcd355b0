//! Schedules: each time is met by one job, whatever becomes of dispatcher and messages.

use proptest::prelude::*;
use serde_json::{Value, json};
use spillway_core::schedule::ScheduleRecord;
use spillway_core::{JobId, JobState};

use crate::rig::{Rig, message, secs};

/// An hourly schedule, with these additions under `spillway`.
fn hourly(token: &str, own: &Value) -> String {
    schedule("rate(1 hour)", token, own)
}

fn schedule(expression: &str, token: &str, own: &Value) -> String {
    let mut job: Value = serde_json::from_str(&message("x", "", "")).unwrap();
    job["spillway"] = json!({});
    job["parameters"] = json!({"at": "@time"});
    let mut spillway = json!({"action": "CreateSchedule", "clientToken": token});
    for (key, value) in own.as_object().unwrap() {
        spillway[key] = value.clone();
    }
    json!({"scheduleName": "s", "scheduleExpression": expression, "job": job, "spillway": spillway})
        .to_string()
}

fn order(action: &str, token: &str) -> String {
    json!({"scheduleName": "s", "spillway": {"action": action, "clientToken": token}}).to_string()
}

/// The seconds since the rig began at which a job was due.
fn met(rig: &Rig) -> Vec<i64> {
    let began = "2026-01-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
    let is_there = |n: &i64| {
        let token = format!("schedule:s:{}", began + secs(*n));
        rig.has_job(JobId::derive(&"default".parse().unwrap(), &token))
    };
    (0..200_000).filter(|n| n % 60 == 0).filter(is_there).collect()
}

fn record(rig: &Rig) -> &ScheduleRecord {
    rig.schedule("s").expect("it is there")
}

#[test]
fn a_job_is_sent_at_each_time() {
    let mut rig = Rig::new();

    rig.send(hourly("t", &json!({})));
    rig.wait(secs(3 * 3_600 - 1));
    assert_eq!(met(&rig), [0, 3_600, 7_200]);
    rig.wait(secs(1));

    assert_eq!(met(&rig), [0, 3_600, 7_200, 10_800]);
    assert_eq!((record(&rig).n_fired, record(&rig).n_missed), (4, 0));
    let job = record(&rig).last.unwrap().job;
    assert_eq!(rig.spec(job).tags["spillway:schedule"], "s");
    assert!(matches!(rig.state(job), JobState::Runnable { .. }));
}

#[test]
fn a_schedule_that_comes_again_long_after_changes_nothing() {
    let mut rig = Rig::new();
    rig.send(hourly("t", &json!({})));
    rig.wait(secs(600));
    rig.send(order("DeleteSchedule", "d"));

    rig.send(hourly("t", &json!({})));
    rig.wait(secs(7_200));

    assert_eq!(met(&rig), [0]);
    assert!(record(&rig).deleted_at.is_some() && rig.take_dead_letters().is_empty());
}

#[test]
fn a_pause_that_comes_again_does_not_pause_again() {
    let mut rig = Rig::new();
    rig.send(hourly("t", &json!({})));
    rig.send(order("PauseSchedule", "p"));
    rig.wait(secs(4_000));
    rig.send(order("ResumeSchedule", "r"));
    rig.send(order("PauseSchedule", "p"));
    rig.wait(secs(3_600));

    assert_eq!(met(&rig), [0, 7_200], "what was due in the pause is nobody's");
}

#[test]
fn after_an_outage_the_last_time_is_made_good_once() {
    let mut rig = Rig::new();
    rig.send(hourly("t", &json!({"catchUpSeconds": 1800})));

    rig.restart_after(secs(3 * 3_600 + 600));
    rig.restart_after(secs(1));

    assert_eq!((met(&rig), record(&rig).n_missed), (vec![0, 10_800], 2));
    rig.restart_after(secs(3_600 + 1_800));
    assert_eq!(met(&rig), [0, 10_800], "it is too long ago");
    assert_eq!(record(&rig).n_missed, 3);
}

#[test]
fn what_must_not_be_made_good_is_not() {
    let mut rig = Rig::new();
    rig.send(hourly("t", &json!({"missed": "skip"})));

    rig.restart_after(secs(3_600 + 120));
    rig.wait(secs(3_600));

    assert_eq!((met(&rig), record(&rig).n_missed), (vec![0, 7_200], 1));
}

#[test]
fn a_schedule_becomes_another_of_its_name() {
    let mut rig = Rig::new();
    rig.send(hourly("t", &json!({})));
    rig.wait(secs(600));

    rig.send(schedule("rate(2 hours)", "u", &json!({})));
    rig.wait(secs(7_200));

    assert_eq!(met(&rig), [0, 600, 7_800]);
}

#[test]
fn a_job_that_cannot_be_is_told_and_the_schedule_goes_on() {
    let mut rig = Rig::new();
    let definition = |token: &str| {
        json!({"jobDefinitionName": "d", "type": "container", "containerProperties": {"image": "busybox",
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]},
            "spillway": {"clientToken": token}})
        .to_string()
    };
    rig.send(definition("d1"));
    let mut body: Value = serde_json::from_str(&hourly("t", &json!({}))).unwrap();
    body["job"]["jobDefinition"] = json!("d");
    rig.send(body.to_string());
    let gone = json!({"jobDefinition": "d:1", "spillway": {"action": "DeregisterJobDefinition"}});
    rig.send(gone.to_string());

    rig.wait(secs(3_600));
    let error = record(&rig).error.clone().unwrap();
    rig.send(definition("d2"));
    rig.wait(secs(3_600));

    assert!(error.contains("there is no active job definition d"), "{error}");
    assert_eq!(met(&rig), [0, 7_200]);
    assert_eq!(record(&rig).error, None);
}

#[test]
fn orders_about_a_schedule_that_is_not_there_are_dead_letters() {
    let mut rig = Rig::new();
    rig.take_effects();

    rig.send(order("PauseSchedule", "p"));
    assert!(rig.take_effects().is_empty(), "its schedule may be on its way");
    rig.send_of(order("PauseSchedule", "p"), secs(600));
    let mut elsewhere: Value = serde_json::from_str(&hourly("t", &json!({}))).unwrap();
    elsewhere["job"]["jobQueue"] = json!("nightly");
    rig.send(elsewhere.to_string());

    let codes: Vec<String> = rig.take_dead_letters().into_iter().map(|l| l.code).collect();
    assert_eq!(codes, ["UNKNOWN_SCHEDULE", "UNKNOWN_QUEUE"]);
}

/// What happens beside the clock.
#[derive(Debug, Clone, Copy)]
enum Op {
    Wait(i64),
    Outage(i64),
    Again,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (1..4_000_i64).prop_map(Op::Wait),
        (1..9_000_i64).prop_map(Op::Outage),
        Just(Op::Again),
    ]
}

/// Looks at every second of the life of a schedule that is due every `period` seconds.
fn naive(ops: &[Op], period: i64, patience: i64) -> Vec<i64> {
    let (mut now, mut met) = (0, vec![0]);
    for op in ops {
        match *op {
            Op::Wait(n) => {
                met.extend((now + 1..=now + n).filter(|at| at % period == 0));
                now += n;
            }
            Op::Outage(n) => {
                let last = (now + 1..=now + n).rfind(|at| at % period == 0);
                met.extend(last.filter(|at| now + n - at <= patience));
                now += n;
            }
            Op::Again => {}
        }
    }
    met
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The rig itself holds that no job is added twice.
    #[test]
    fn a_schedule_does_what_its_definition_says(
        ops in proptest::collection::vec(op(), 1..12),
        minutes in 1..40_i64,
        skip in any::<bool>(),
        catch_up in 60..4_000_i64,
    ) {
        let own = json!({"missed": if skip { "skip" } else { "once" }, "catchUpSeconds": catch_up});
        let body = schedule(&format!("rate({minutes} minutes)"), "t", &own);
        let mut rig = Rig::new();
        rig.send(body.clone());
        for op in &ops {
            match *op {
                Op::Wait(n) => rig.wait(secs(n)),
                Op::Outage(n) => rig.restart_after(secs(n)),
                Op::Again => rig.send(body.clone()),
            }
        }

        let patience = if skip { 60 } else { catch_up };
        prop_assert_eq!(met(&rig), naive(&ops, minutes * 60, patience));
    }
}
