//! Children of an array that share tasks: one call starts them, each has its own end, and what a report names is not run again.

use spillway_core::coalesce::RUNNER_MEMORY;
use spillway_core::effect::TaskRequest;
use spillway_core::job::JobStatus;
use spillway_core::message::{Ending, end_job};
use spillway_core::{
    Answer, CloudError, CpuUnits, Effect, FailureCategory, JobId, JobState, MicroUsd, Resources,
    cost,
};
use spillway_engine::EngineConfig;

use crate::rig::{Rig, job_id, message, secs};

/// An array of so many children, of which so many share a task and two run side by side.
fn array(token: &str, n: u32, size: u32, extra: &str) -> String {
    let coalesce = format!(r#","coalesce":{{"size":{size},"parallel":2}}"#);
    message(token, &coalesce, &format!(r#","arrayProperties":{{"size":{n}}}{extra}"#))
}

fn reads(rig: &mut Rig) -> Vec<JobId> {
    let reads = rig.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::ReadReport { job, .. } => Some(job),
        _ => None,
    });
    reads.collect()
}

/// The children that a start is for, by index.
fn children(start: &TaskRequest) -> Vec<u32> {
    start.runner.as_ref().unwrap().children.iter().map(|child| child.index).collect()
}

/// Brings one array's tasks as far as RUNNING.
fn running(rig: &mut Rig, body: String) -> Vec<TaskRequest> {
    rig.send(body);
    let starts = rig.provide(&mut 1);
    for start in &starts {
        rig.accept(start);
        rig.runs(start.job);
    }
    rig.wait(secs(10));
    starts
}

/// A line of the report of a start's task.
fn line(start: &TaskRequest, said: &str) -> String {
    format!("::spillway {} {said}", start.runner.as_ref().unwrap().key)
}

fn report(rig: &mut Rig, start: &TaskRequest, said: &[&str]) {
    let lines = said.iter().map(|said| line(start, said)).collect();
    rig.answer(Answer::Report { job: start.job, attempt: start.attempt, result: Ok(lines) });
}

#[test]
fn children_share_tasks_as_their_array_says() {
    let mut rig = Rig::new();
    rig.send(array("a", 10, 4, ""));

    let starts = rig.provide(&mut 1);

    let shared: Vec<Vec<u32>> = starts.iter().map(children).collect();
    assert_eq!(shared, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
    let of_children = rig.spec(job_id("a")).resources.checked_mul(2).unwrap();
    let runner = Resources::new(CpuUnits::ZERO, RUNNER_MEMORY, 0);
    assert_eq!(Some(starts[0].spec.resources), of_children.checked_add(&runner));
    let statuses: Vec<&str> = (0..10).map(|n| rig.status(job_id("a").child(n))).collect();
    assert_eq!(statuses, ["STARTING"; 10]);
    let plan = starts[0].runner.as_ref().unwrap().to_string();
    assert!(plan.ends_with("size=10 parallel=2 stop=30 children=0-3"), "{plan}");
}

#[test]
fn children_that_share_a_task_run_and_succeed_with_it_and_nothing_is_read() {
    let mut rig = Rig::new();
    let starts = running(&mut rig, array("a", 4, 4, ""));
    let a = job_id("a");
    assert!((0..4).all(|n| rig.status(a.child(n)) == "RUNNING"));

    rig.exits(starts[0].job, 0);

    assert!((0..4).all(|n| rig.status(a.child(n)) == "SUCCEEDED"));
    assert_eq!(rig.status(a), "SUCCEEDED");
    rig.wait(secs(60));
    assert!(reads(&mut rig).is_empty());
}

#[test]
fn the_child_that_failed_fails_and_the_others_succeed() {
    let mut rig = Rig::new();
    let starts = running(&mut rig, array("a", 4, 4, ""));
    let a = job_id("a");

    rig.exits(starts[0].job, 1);
    rig.wait(secs(3));
    assert_eq!(reads(&mut rig), [starts[0].job]);
    let said = [
        "end 0 1 exit=0 ms=900",
        "end 1 1 exit=3 ms=800",
        "end 2 1 exit=0 ms=1",
        "end 3 1 exit=0 ms=1",
    ];
    report(&mut rig, &starts[0], &said);

    let statuses: Vec<&str> = (0..4).map(|n| rig.status(a.child(n))).collect();
    assert_eq!(statuses, ["SUCCEEDED", "FAILED", "SUCCEEDED", "SUCCEEDED"]);
    let failed = &rig.jobs[&a.child(1)].attempts[0];
    assert_eq!((failed.exit_code, failed.failure), (Some(3), Some(FailureCategory::Exit)));
    assert_eq!(failed.shared.as_ref().unwrap().ran, Some(jiff::SignedDuration::from_millis(800)));
}

#[test]
fn a_child_that_failed_by_itself_is_tried_again_alone() {
    let mut rig = Rig::new();
    let retry = r#","retryStrategy":{"attempts":2}"#;
    let starts = running(&mut rig, array("a", 2, 2, retry));
    rig.exits(starts[0].job, 1);
    rig.wait(secs(3));
    report(&mut rig, &starts[0], &["end 0 1 exit=3 ms=1", "end 1 1 exit=0 ms=1"]);

    rig.wait(secs(5));
    let again = rig.take_starts();

    assert_eq!((again.len(), again[0].job), (1, job_id("a").child(0)));
    assert!(again[0].runner.is_none());
    assert_eq!(again[0].environment["AWS_BATCH_JOB_ATTEMPT"], "2");
}

#[test]
fn who_is_not_named_in_the_report_runs_again_at_no_charge_and_nobody_else_does() {
    let mut rig = Rig::new();
    let starts = running(&mut rig, array("a", 4, 4, ""));
    let a = job_id("a");
    rig.exits(starts[0].job, 137);
    for _ in 0..5 {
        rig.wait(secs(40));
        assert_eq!(reads(&mut rig), [starts[0].job]);
        report(&mut rig, &starts[0], &["end 0 1 exit=0 ms=1", "start 1 1"]);
    }

    assert_eq!(rig.status(a.child(0)), "SUCCEEDED");
    for n in 1..4 {
        let job = &rig.jobs[&a.child(n)];
        assert_eq!((job.state.status(), job.n_counted_attempts()), (JobStatus::Runnable, 0));
        assert_eq!(job.attempts[0].failure, Some(FailureCategory::Unknown));
    }
    rig.wait(secs(10));
    let again = rig.take_starts();
    assert_eq!(again.iter().map(children).collect::<Vec<_>>(), [vec![1, 2, 3]]);
    assert_eq!(again[0].attempt.get(), 2);
}

#[test]
fn a_child_that_has_lost_two_tasks_runs_alone() {
    let mut rig = Rig::new();
    let mut starts = running(&mut rig, array("a", 2, 2, ""));
    for round in 1..=2 {
        rig.exits(starts[0].job, 137);
        for _ in 0..5 {
            rig.wait(secs(40));
            report(&mut rig, &starts[0], &[]);
        }
        rig.take_effects();
        rig.wait(secs(10));
        starts = rig.take_starts();
        if round == 1 {
            assert_eq!(children(&starts[0]), [0, 1]);
            rig.accept(&starts[0]);
            rig.runs(starts[0].job);
        }
    }

    assert_eq!(starts.len(), 2);
    assert!(starts.iter().all(|start| start.runner.is_none()));
}

#[test]
fn a_report_that_cannot_be_read_names_nobody() {
    let mut rig = Rig::new();
    let starts = running(&mut rig, array("a", 2, 2, ""));
    rig.exits(starts[0].job, 1);
    for _ in 0..5 {
        rig.wait(secs(40));
        let (action, detail) = ("logs:GetLogEvents".into(), "no such stream".into());
        let error = CloudError::Misconfigured { action, detail };
        let (job, attempt) = (starts[0].job, starts[0].attempt);
        rig.answer(Answer::Report { job, attempt, result: Err(error) });
    }

    let job = &rig.jobs[&job_id("a").child(0)];
    assert_eq!(job.state.status(), JobStatus::Runnable);
    let reason = &job.attempts[0].reason;
    assert!(reason.contains("could not be read") && reason.contains("GetLogEvents"), "{reason}");
}

/// Found by random scenarios (seed 3322): credentials had expired for an hour, and children ran again that had ended well.
#[test]
fn a_report_that_may_not_be_read_is_waited_for() {
    let mut rig = Rig::new();
    let starts = running(&mut rig, array("a", 2, 2, ""));
    rig.exits(starts[0].job, 1);
    let (job, attempt) = (starts[0].job, starts[0].attempt);
    let mut n_asked = 0;
    for _ in 0..240 {
        rig.wait(secs(30));
        for effect in rig.take_effects() {
            if let Effect::ReadReport { .. } = effect {
                n_asked += 1;
                let (action, detail) = ("logs:GetLogEvents".into(), "ExpiredToken".into());
                let result = Err(CloudError::Denied { action, detail });
                rig.answer(Answer::Report { job, attempt, result });
            }
        }
    }
    assert!((20..200).contains(&n_asked), "it is asked now and then: {n_asked}");
    let is_told = rig.engine.breakers().keys().any(|id| id.subject == "logs:GetLogEvents");
    assert!(is_told, "somebody is to hear of it");
    assert_eq!(rig.status(job_id("a").child(0)), "RUNNING");

    rig.wait(secs(120));
    report(&mut rig, &starts[0], &["end 0 1 exit=0 ms=1", "end 1 1 exit=0 ms=1"]);

    assert_eq!(rig.status(job_id("a")), "SUCCEEDED");
    assert!(rig.take_starts().is_empty(), "nobody runs again");
}

#[test]
fn a_call_that_is_sent_again_after_a_crash_starts_the_same_children() {
    let mut rig = Rig::new();
    rig.send(array("a", 7, 3, ""));
    let starts = rig.provide(&mut 1);

    rig.restart();
    rig.wait(secs(1));
    let again = rig.take_starts();

    let told = |starts: &[TaskRequest]| -> Vec<(String, String)> {
        let mut told: Vec<(String, String)> = starts
            .iter()
            .map(|s| {
                (
                    s.token.to_string(),
                    s.runner.as_ref().map(ToString::to_string).unwrap_or_default(),
                )
            })
            .collect();
        told.sort();
        told
    };
    assert_eq!(told(&again), told(&starts));
}

#[test]
fn a_report_is_read_after_a_restart_too() {
    let mut rig = Rig::new();
    let starts = running(&mut rig, array("a", 2, 2, ""));
    rig.exits(starts[0].job, 1);

    rig.restart();
    rig.wait(secs(1));
    assert_eq!(reads(&mut rig), [starts[0].job]);
    report(&mut rig, &starts[0], &["end 0 1 exit=0 ms=1", "end 1 1 exit=9 ms=1"]);

    let a = job_id("a");
    assert_eq!((rig.status(a.child(0)), rig.status(a.child(1))), ("SUCCEEDED", "FAILED"));
}

#[test]
fn to_terminate_a_child_ends_its_task_and_the_others_run_again() {
    let mut rig = Rig::new();
    let starts = running(&mut rig, array("a", 3, 3, ""));
    let a = job_id("a");
    let order = end_job(Ending::Terminate, a.child(1).into(), "not needed").to_string();

    rig.send(order);
    assert_eq!(rig.take_stops().len(), 1);
    let now = rig.now;
    rig.tell(starts[0].job, |task| {
        task.status = spillway_core::task::TaskStatus::Stopped;
        task.stopped_at = Some(now);
        task.exit_code = Some(143);
        task.stop_code = Some("UserInitiated".into());
    });
    for _ in 0..5 {
        rig.wait(secs(40));
        report(&mut rig, &starts[0], &["end 0 1 exit=0 ms=1", "start 1 1", "start 2 1"]);
    }

    assert_eq!(rig.status(a.child(0)), "SUCCEEDED");
    let JobState::Failed { reason, .. } = rig.state(a.child(1)) else { panic!("it has not ended") };
    assert_eq!(reason, "not needed");
    let other = &rig.jobs[&a.child(2)];
    assert_eq!((other.state.status().is_terminal(), other.n_counted_attempts()), (false, 0));
}

#[test]
fn a_host_that_is_lost_leaves_the_ends_that_were_reported() {
    let mut rig = Rig::new();
    let starts = running(&mut rig, array("a", 2, 2, ""));
    let a = job_id("a");

    rig.terminated(1);
    rig.wait(secs(40));
    assert_eq!(reads(&mut rig), [starts[0].job]);
    report(&mut rig, &starts[0], &["end 0 1 exit=0 ms=1"]);
    for _ in 0..4 {
        rig.wait(secs(40));
        report(&mut rig, &starts[0], &[]);
    }

    assert_eq!(rig.status(a.child(0)), "SUCCEEDED");
    let other = &rig.jobs[&a.child(1)];
    let failure = other.attempts[0].failure;
    assert!(failure.is_some_and(FailureCategory::is_infrastructure), "{failure:?}");
    assert!(rig.host_statuses().contains(&"gone".to_owned()), "{:?}", rig.host_statuses());
}

#[test]
fn what_a_shared_task_costs_is_carried_by_its_children_to_the_micro_dollar() {
    let mut rig = Rig::new();
    let starts = running(&mut rig, array("a", 3, 3, ""));
    rig.wait(secs(31));
    rig.exits(starts[0].job, 0);

    let attempts: Vec<_> =
        (0..3).map(|n| rig.jobs[&job_id("a").child(n)].attempts[0].clone()).collect();
    let sum: MicroUsd = attempts.iter().map(|attempt| attempt.cost).sum();
    let host = &rig.hosts[&attempts[0].host];
    let held = attempts[0].stopped_at.duration_since(attempts[0].placed_at);
    let whole = cost::attempt_cost(host.price, held, &starts[0].spec.resources, &host.capacity);
    assert_eq!(sum, whole);
    let (least, most) =
        (attempts.iter().map(|a| a.cost).min(), attempts.iter().map(|a| a.cost).max());
    assert!(most.unwrap().saturating_sub(least.unwrap()) <= MicroUsd::new(1));
}

#[test]
fn the_children_of_a_shared_task_count_against_how_many_may_be_on_hosts() {
    let mut rig = Rig::new();
    rig.send(message(
        "a",
        r#","coalesce":{"size":8,"parallel":2},"array":{"maxConcurrency":3}"#,
        r#","arrayProperties":{"size":9}"#,
    ));

    let starts = rig.provide(&mut 1);

    assert_eq!(starts.iter().map(children).collect::<Vec<_>>(), [vec![0, 1, 2]]);
}

#[test]
fn a_dispatcher_without_a_runner_gives_each_child_its_own_task() {
    let queues = vec!["default".parse().unwrap()];
    let config = EngineConfig { queues, shares_tasks: false, ..EngineConfig::default() };
    let mut rig = Rig::with(config);
    rig.send(array("a", 3, 3, ""));

    let starts = rig.provide(&mut 1);

    assert_eq!(starts.len(), 3);
    assert!(starts.iter().all(|start| start.runner.is_none()));
    let warnings = &rig.jobs[&job_id("a")].warnings;
    assert!(warnings.iter().any(|text| text.contains("runner-image")), "{warnings:?}");
}
