//! Array jobs: their children run, wait, fail and are ended; the whole is what they are.

use std::collections::BTreeMap;

use spillway_core::job::JobStatus;
use spillway_core::message::{Ending, end_job};
use spillway_core::{Effect, JobId, JobState};
use spillway_engine::EngineConfig;

use crate::rig::{Rig, job_id, message, secs};

fn array(token: &str, size: u32, spillway: &str, extra: &str) -> String {
    let extra = format!(r#","arrayProperties":{{"size":{size}}}{extra}"#);
    message(token, spillway, &extra)
}

fn order(ending: Ending, target: &str) -> String {
    end_job(ending, target.parse().unwrap(), "not needed").to_string()
}

/// A rig in which at most two hosts of four places may be bought.
fn small() -> Rig {
    let queues = vec!["default".parse().unwrap()];
    let mut config = EngineConfig { queues, ..EngineConfig::default() };
    config.limits.hosts_max = Some(2);
    Rig::with(config)
}

fn summary(rig: &Rig, id: JobId) -> BTreeMap<JobStatus, u32> {
    let mut summary = rig.engine.status_summary(id).unwrap();
    summary.retain(|_, n| 0 < *n);
    summary
}

fn reason(rig: &Rig, id: JobId) -> String {
    let JobState::Failed { reason, .. } = rig.state(id) else {
        unreachable!("it is {}", rig.status(id))
    };
    reason.clone()
}

#[test]
fn a_million_children_are_one_record_until_they_run() {
    let mut rig = small();
    rig.send(array("a", 1_000_000, "", ""));
    let a = job_id("a");

    let starts = rig.provide(&mut 1);

    assert_eq!(rig.status(a), "PENDING");
    assert_eq!(rig.jobs.len(), 1 + starts.len());
    assert!((1..=8).contains(&starts.len()), "{}", starts.len());
    let n_starting = u32::try_from(starts.len()).unwrap();
    let expected =
        [(JobStatus::Runnable, 1_000_000 - n_starting), (JobStatus::Starting, n_starting)];
    assert_eq!(summary(&rig, a), BTreeMap::from(expected));
}

#[test]
fn children_have_batchs_ids_and_variables() {
    let mut rig = Rig::new();
    rig.send(array("a", 3, r#","array":{"first":10,"step":5}"#, ""));

    let starts = rig.provide(&mut 1);

    let ids: Vec<String> = starts.iter().map(|start| start.job.to_string()).collect();
    let a = job_id("a");
    assert_eq!(ids, [format!("{a}:10"), format!("{a}:15"), format!("{a}:20")]);
    let environment = &starts[1].environment;
    assert_eq!(environment["AWS_BATCH_JOB_ID"], format!("{a}:15"));
    assert_eq!(environment["AWS_BATCH_JOB_ARRAY_INDEX"], "15");
    assert_eq!(environment["AWS_BATCH_JOB_ARRAY_SIZE"], "3");
    assert_eq!(environment["AWS_BATCH_JOB_ATTEMPT"], "1");
}

#[test]
fn a_job_that_is_no_array_has_no_array_variables() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));

    let starts = rig.provide(&mut 1);

    assert!(starts[0].environment.keys().all(|name| !name.contains("ARRAY")));
}

#[test]
fn an_array_succeeds_when_all_its_children_have() {
    let mut rig = small();
    rig.send(array("a", 30, "", ""));

    let started = rig.finish_all(|_| 0);

    let a = job_id("a");
    assert_eq!(started, (0..30).map(|n| a.child(n)).collect::<Vec<_>>());
    assert_eq!(rig.status(a), "SUCCEEDED");
    assert!((0..30).all(|n| rig.status(a.child(n)) == "SUCCEEDED"));
}

#[test]
fn an_array_fails_when_all_have_ended_and_one_has_failed() {
    let mut rig = Rig::new();
    rig.send(array("a", 3, "", ""));
    let a = job_id("a");
    let starts = rig.provide(&mut 1);

    rig.finish(&starts[..1], |_| 3);
    assert_eq!(rig.status(a), "PENDING");
    rig.finish(&starts[1..], |_| 0);

    assert_eq!(reason(&rig, a), "Array Child Job failed");
    assert_eq!((rig.status(a.child(0)), rig.status(a.child(2))), ("FAILED", "SUCCEEDED"));
}

#[test]
fn a_child_is_tried_again_before_those_that_never_ran() {
    let mut rig = Rig::new();
    rig.send(array(
        "a",
        5,
        r#","array":{"maxConcurrency":1}"#,
        r#","retryStrategy":{"attempts":2}"#,
    ));
    let a = job_id("a");

    let started = rig.finish_all(|id| i32::from(id.index() == Some(1)));

    let expected = [0, 1, 1, 2, 3, 4].map(|n| a.child(n));
    assert_eq!(started, expected);
    assert_eq!(rig.jobs[&a.child(1)].attempts.len(), 2);
    assert_eq!(rig.status(a), "FAILED");
}

#[test]
fn no_more_children_run_at_once_than_the_array_allows() {
    let mut rig = Rig::new();
    rig.send(array("a", 7, r#","array":{"maxConcurrency":2}"#, ""));

    let mut n_given = 1;
    let mut n_started = 0;
    while n_started < 7 {
        let starts = rig.provide(&mut n_given);
        assert!((1..=2).contains(&starts.len()), "{}", starts.len());
        n_started += starts.len();
        rig.finish(&starts, |_| 0);
    }

    assert_eq!(rig.status(job_id("a")), "SUCCEEDED");
}

#[test]
fn the_children_of_a_sequential_array_run_one_by_one_and_a_failure_ends_the_rest() {
    let mut rig = Rig::new();
    rig.send(array("a", 6, "", r#","dependsOn":[{"type":"SEQUENTIAL"}]"#));
    let a = job_id("a");

    let started = rig.finish_all(|id| i32::from(id.index() == Some(2)));

    assert_eq!(started, [0, 1, 2].map(|n| a.child(n)));
    for n in 3..6 {
        assert_eq!(reason(&rig, a.child(n)), format!("Dependent Job failed: {a}:2"));
    }
    assert_eq!(rig.status(a), "FAILED");
}

#[test]
fn one_child_a_range_or_the_rest_can_be_cancelled() {
    let mut rig = small();
    rig.send(array("a", 100, r#","array":{"maxConcurrency":3}"#, ""));
    let a = job_id("a");
    let starts = rig.provide(&mut 1);

    rig.send(order(Ending::Cancel, &format!("{a}:50")));
    rig.send(order(Ending::Cancel, &format!("{a}:60-79:10")));
    rig.send(order(Ending::Cancel, &format!("{a}:0")));
    assert_eq!(reason(&rig, a.child(50)), "not needed");
    assert_eq!((rig.status(a.child(60)), rig.status(a.child(70))), ("FAILED", "FAILED"));
    assert_eq!(rig.status(a.child(0)), "STARTING");
    assert_eq!(summary(&rig, a)[&JobStatus::Runnable], 94);
    rig.send(order(Ending::Cancel, &a.to_string()));
    assert_eq!(rig.status(a), "PENDING");
    rig.finish(&starts, |_| 0);

    assert_eq!(rig.status(a), "FAILED");
    assert_eq!(rig.status(a.child(2)), "SUCCEEDED");
    assert!(rig.provide(&mut 9).is_empty());
}

#[test]
fn an_array_of_which_nothing_has_begun_is_cancelled_as_one() {
    let mut rig = Rig::new();
    rig.send(array("a", 1_000_000, "", ""));
    let a = job_id("a");

    rig.send(order(Ending::Cancel, &a.to_string()));

    assert_eq!(reason(&rig, a), "not needed");
    assert_eq!(rig.jobs.len(), 1);
    assert!(rig.provide(&mut 1).is_empty());
    assert!(rig.engine.is_idle());
}

#[test]
fn a_terminated_array_stops_what_runs() {
    let mut rig = Rig::new();
    rig.send(array("a", 3, r#","array":{"maxConcurrency":2}"#, ""));
    let a = job_id("a");
    let starts = rig.provide(&mut 1);
    for start in &starts {
        rig.accept(start);
        rig.runs(start.job);
    }
    rig.take_effects();

    rig.send(order(Ending::Terminate, &a.to_string()));
    assert_eq!(rig.take_stops().len(), 2);
    for start in &starts {
        rig.exits(start.job, 143);
    }

    assert_eq!(reason(&rig, a.child(0)), "not needed");
    assert_eq!(reason(&rig, a.child(2)), "not needed");
    assert_eq!(rig.status(a), "FAILED");
}

#[test]
fn an_order_for_a_child_that_is_not_there_is_a_dead_letter() {
    let mut rig = Rig::new();
    rig.send(array("a", 3, "", ""));
    rig.send(message("b", "", ""));
    let (a, b) = (job_id("a"), job_id("b"));
    rig.take_effects();

    for target in [format!("{a}:3"), format!("{a}:7-9"), format!("{b}:0")] {
        rig.send(order(Ending::Cancel, &target));
        let letters = rig.take_dead_letters();
        assert_eq!(letters.len(), 1, "{target}");
        assert_eq!(letters[0].code, "UNKNOWN_JOB");
    }
}

#[test]
fn an_array_goes_on_where_it_was_after_a_restart() {
    let mut rig = small();
    rig.send(array("a", 40, r#","array":{"maxConcurrency":4}"#, ""));
    let a = job_id("a");
    let starts = rig.provide(&mut 1);
    rig.finish(&starts[..2], |_| 0);
    rig.send(order(Ending::Cancel, &format!("{a}:30-34")));
    rig.wait(secs(1));
    let more = rig.take_starts();
    let before = summary(&rig, a);

    rig.restart_after(secs(5));
    assert_eq!(summary(&rig, a), before);
    let again: Vec<JobId> = rig.take_starts().iter().map(|start| start.job).collect();
    rig.finish(&starts[2..], |_| 0);
    rig.finish(&more, |_| 0);
    let rest = rig.finish_all(|_| 0);

    assert!(again.iter().all(|id| more.iter().chain(&starts).any(|start| start.job == *id)));
    let mut all: Vec<JobId> = starts.iter().chain(&more).map(|start| start.job).collect();
    all.extend(rest);
    all.sort();
    assert_eq!(
        all,
        (0..40).filter(|n| !(30..35).contains(n)).map(|n| a.child(n)).collect::<Vec<_>>()
    );
    assert_eq!(rig.status(a), "FAILED");
}

#[test]
fn the_same_array_twice_is_one_and_an_array_that_fits_nothing_fails_as_one() {
    let mut rig = Rig::new();
    let large =
        array("large", 1_000_000, "", "").replace(r#""value":"1024""#, r#""value":"1024000""#);
    rig.send(array("a", 3, "", ""));
    rig.send(array("a", 3, "", ""));
    rig.send(large.clone());
    rig.send(large);

    assert_eq!(rig.jobs.len(), 2);
    assert!(reason(&rig, job_id("large")).starts_with("Job fits no host"));
    assert!(!rig.take_effects().iter().any(|e| matches!(e, Effect::DeadLetter(_))));
}
