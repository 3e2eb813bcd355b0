//! Jobs that wait for other jobs.

use spillway_core::dependency::Outcome;
use spillway_core::message::{Ending, end_job};
use spillway_core::{Dependency, DependencyKind, JobId, JobState};

use crate::rig::{Rig, job_id, message, secs};

/// A job that runs after others: `kind` is `after`, `any` or `not-ok`.
fn after(token: &str, kind: &str, others: &[JobId]) -> String {
    let ids: Vec<String> = others.iter().map(|id| format!("\"{id}\"")).collect();
    let list = ids.join(",");
    match kind {
        "any" => message(token, &format!(r#","afterAny":[{list}]"#), ""),
        "not-ok" => message(token, &format!(r#","afterNotOk":[{list}]"#), ""),
        _ => {
            let on: Vec<String> = ids.iter().map(|id| format!(r#"{{"jobId":{id}}}"#)).collect();
            message(token, "", &format!(r#","dependsOn":[{}]"#, on.join(",")))
        }
    }
}

fn array(token: &str, size: u32, depends_on: &str) -> String {
    message(
        token,
        "",
        &format!(r#","arrayProperties":{{"size":{size}}},"dependsOn":[{depends_on}]"#),
    )
}

fn reason(rig: &Rig, id: JobId) -> String {
    let JobState::Failed { reason, .. } = rig.state(id) else {
        unreachable!("it is {}", rig.status(id))
    };
    reason.clone()
}

#[test]
fn a_job_runs_after_those_it_depends_on_have_succeeded() {
    let mut rig = Rig::new();
    let (a, b, c) = (job_id("a"), job_id("b"), job_id("c"));
    rig.send(message("a", "", ""));
    rig.send(message("b", "", ""));
    rig.send(after("c", "after", &[a, b]));
    assert_eq!(rig.status(c), "PENDING");
    let waits = |id| (Dependency { job: id, kind: DependencyKind::AfterOk }, Outcome::Open);
    let mut expected = [waits(a), waits(b)];
    expected.sort();
    assert_eq!(rig.engine.waits_for(c), expected);

    let started = rig.finish_all(|_| 0);

    assert_eq!(started.last(), Some(&c));
    assert_eq!(rig.status(c), "SUCCEEDED");
}

#[test]
fn a_job_whose_dependency_fails_fails_and_names_it() {
    let mut rig = Rig::new();
    let (a, b, c) = (job_id("a"), job_id("b"), job_id("c"));
    rig.send(message("a", "", ""));
    rig.send(after("b", "after", &[a]));
    rig.send(after("c", "after", &[b]));

    let started = rig.finish_all(|_| 1);

    assert_eq!(started, [a]);
    assert_eq!(reason(&rig, b), format!("Dependent Job failed: {a}"));
    assert_eq!(reason(&rig, c), format!("Dependent Job failed: {b}"));
}

#[test]
fn a_clean_up_runs_after_any_end_and_an_alarm_only_after_a_failure() {
    for code in [0, 1] {
        let mut rig = Rig::new();
        let a = job_id("a");
        rig.send(message("a", "", ""));
        rig.send(after("clean", "any", &[a]));
        rig.send(after("alarm", "not-ok", &[a]));

        let started = rig.finish_all(|id| if id == a { code } else { 0 });

        assert!(started.contains(&job_id("clean")));
        assert_eq!(started.contains(&job_id("alarm")), code == 1);
        if code == 0 {
            assert!(reason(&rig, job_id("alarm")).starts_with("Dependent Job succeeded: "));
        }
    }
}

#[test]
fn a_job_may_come_before_the_one_it_waits_for() {
    let mut rig = Rig::new();
    let (a, b) = (job_id("a"), job_id("b"));
    rig.send(after("b", "after", &[a]));
    rig.wait(secs(600));
    assert_eq!(rig.status(b), "PENDING");
    rig.send(message("a", "", ""));

    assert_eq!(rig.finish_all(|_| 0), [a, b]);
}

#[test]
fn nobody_waits_for_ever_for_a_message_that_does_not_come() {
    let mut rig = Rig::new();
    let (a, b) = (job_id("a"), job_id("b"));
    rig.send(after("b", "any", &[a]));

    rig.wait(rig.config.arrival_timeout - secs(1));
    assert_eq!(rig.status(b), "PENDING");
    rig.restart_after(secs(0));
    rig.wait(secs(2));

    assert_eq!(reason(&rig, b), format!("spillway.afterAny: job {a} has not arrived within 1h"));
}

#[test]
fn one_that_has_arrived_is_waited_for_without_limit() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.send(after("b", "after", &[job_id("a")]));

    rig.wait(rig.config.arrival_timeout + secs(10));

    assert_eq!(rig.status(job_id("b")), "PENDING");
}

#[test]
fn jobs_that_would_wait_for_each_other_are_refused_with_the_way_round() {
    let mut rig = Rig::new();
    let (a, b, c) = (job_id("a"), job_id("b"), job_id("c"));
    rig.send(after("b", "any", &[a]));
    rig.send(after("c", "after", &[b]));
    rig.take_effects();

    rig.send(after("a", "after", &[c]));
    let letters = rig.take_dead_letters();

    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].code, "DEPENDENCY_CYCLE");
    let way = format!(
        "dependsOn: jobs would wait for each other: {a} waits for {c} waits for {b} waits for {a}"
    );
    assert_eq!(letters[0].reason, way);
    assert!(!rig.jobs.contains_key(&a));
}

#[test]
fn a_job_that_waits_for_itself_is_refused() {
    let mut rig = Rig::new();
    rig.take_effects();

    rig.send(after("a", "after", &[job_id("a")]));

    assert_eq!(rig.take_dead_letters()[0].code, "DEPENDENCY_CYCLE");
}

#[test]
fn a_child_that_is_not_there_cannot_be_waited_for() {
    let mut rig = Rig::new();
    let (a, b) = (job_id("a"), job_id("b"));
    rig.send(array("a", 3, ""));
    rig.send(after("early", "after", &[b.child(0)]));
    rig.take_effects();

    rig.send(after("x", "after", &[a.child(3)]));
    let letters = rig.take_dead_letters();
    rig.send(message("b", "", ""));

    assert_eq!(letters[0].code, "UNKNOWN_JOB");
    assert_eq!(letters[0].reason, format!("dependsOn: there is no job {a}:3"));
    assert_eq!(reason(&rig, job_id("early")), format!("dependsOn: there is no job {b}:0"));
}

#[test]
fn arrays_of_different_indexes_cannot_be_paired() {
    let mut rig = Rig::new();
    let pair = |id: JobId| format!(r#"{{"jobId":"{id}","type":"N_TO_N"}}"#);
    rig.send(array("a", 3, ""));
    rig.send(array("early", 2, &pair(job_id("late"))));
    rig.take_effects();

    rig.send(array("b", 4, &pair(job_id("a"))));
    let letters = rig.take_dead_letters();
    rig.send(array("late", 3, ""));

    assert!(letters[0].reason.starts_with("dependsOn: N_TO_N needs"), "{}", letters[0].reason);
    assert!(reason(&rig, job_id("early")).starts_with("dependsOn: N_TO_N needs"));
}

#[test]
fn each_child_follows_its_own_of_the_other_array() {
    let mut rig = Rig::new();
    let (a, b) = (job_id("a"), job_id("b"));
    rig.send(array("a", 4, ""));
    rig.send(array("b", 4, &format!(r#"{{"jobId":"{a}","type":"N_TO_N"}}"#)));
    let mut n_given = 1;
    let starts = rig.provide(&mut n_given);
    assert_eq!(starts.len(), 4);

    rig.finish(&starts[..2], |id| i32::from(id.index() == Some(1)));
    let second = rig.provide(&mut n_given);

    assert_eq!(second.iter().map(|start| start.job).collect::<Vec<_>>(), [b.child(0)]);
    assert_eq!(reason(&rig, b.child(1)), format!("Dependent Job failed: {a}:1"));
    rig.finish(&starts[2..], |_| 0);
    rig.finish(&second, |_| 0);
    assert_eq!(rig.finish_all(|_| 0), [b.child(2), b.child(3)]);
    assert_eq!(rig.status(b), "FAILED");
}

#[test]
fn who_waits_for_an_array_waits_for_all_of_it_and_who_waits_for_a_child_does_not() {
    let mut rig = Rig::new();
    let a = job_id("a");
    rig.send(array("a", 3, ""));
    rig.send(after("whole", "after", &[a]));
    rig.send(after("one", "after", &[a.child(1)]));
    let mut n_given = 1;
    let starts = rig.provide(&mut n_given);

    rig.finish(&starts[..2], |_| 0);
    let next: Vec<JobId> = rig.provide(&mut n_given).iter().map(|start| start.job).collect();

    assert_eq!(next, [job_id("one")]);
    rig.finish(&starts[2..], |_| 0);
    let last = rig.finish_all(|_| 0);
    assert_eq!(last, [job_id("whole")]);
}

#[test]
fn who_waits_survives_a_restart() {
    let mut rig = Rig::new();
    let (a, b) = (job_id("a"), job_id("b"));
    rig.send(array("a", 3, ""));
    rig.send(array("b", 3, &format!(r#"{{"jobId":"{a}","type":"N_TO_N"}}"#)));
    rig.send(after("c", "any", &[b]));
    let starts = rig.provide(&mut 1);
    rig.finish(&starts[..1], |_| 0);
    for start in &starts[1..] {
        rig.accept(start);
        rig.runs(start.job);
    }
    rig.restart_after(secs(5));

    for start in &starts[1..] {
        rig.exits(start.job, 1);
    }
    let started = rig.finish_all(|_| 0);

    assert_eq!(started, [b.child(0), job_id("c")]);
}

#[test]
fn a_job_that_waits_is_cancelled_at_once_and_takes_along_who_waits_for_it() {
    let mut rig = Rig::new();
    let (b, c) = (job_id("b"), job_id("c"));
    rig.send(message("a", "", ""));
    rig.send(after("b", "after", &[job_id("a")]));
    rig.send(after("c", "after", &[b]));

    rig.send(end_job(Ending::Cancel, b.into(), "not needed").to_string());

    assert_eq!(reason(&rig, b), "not needed");
    assert_eq!(reason(&rig, c), format!("Dependent Job failed: {b}"));
}

#[test]
fn a_chain_of_thousands_ends_as_one() {
    let mut rig = Rig::new();
    rig.send(message("0", "", ""));
    for n in 1..3_000 {
        rig.send(after(&n.to_string(), "after", &[job_id(&(n - 1).to_string())]));
    }

    rig.send(end_job(Ending::Cancel, job_id("0").into(), "not needed").to_string());

    assert_eq!(reason(&rig, job_id("2999")), format!("Dependent Job failed: {}", job_id("2998")));
    assert!(rig.engine.is_idle());
}
