//! A job's own time limits, each from its message to what follows.

use spillway_core::Effect;
use spillway_core::job::FailureCategory;
use spillway_core::task::{CloudEvent, TaskStatus};

use crate::rig::{Rig, job_id, message, secs};

fn is_stopped(rig: &mut Rig) -> bool {
    rig.take_effects().iter().any(|effect| matches!(effect, Effect::StopTask { .. }))
}

fn stopped_by_us(rig: &mut Rig, job: spillway_core::JobId) {
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.exit_code = Some(143);
        task.stop_code = Some("UserInitiated".into());
    });
}

#[test]
fn a_job_that_waits_in_line_too_long_fails() {
    let mut rig = Rig::new();
    rig.send(message("a", r#","queueTimeoutSeconds":600"#, ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);

    rig.wait(secs(590));
    assert_eq!(rig.status(job_id("a")), "RUNNABLE");
    rig.wait(secs(15));

    assert_eq!(rig.status(job_id("a")), "FAILED");
    let spillway_core::JobState::Failed { reason, .. } = rig.state(job_id("a")) else { return };
    assert!(reason.contains("600 s (queueTimeoutSeconds)"), "{reason}");
}

#[test]
fn the_limit_of_a_wait_does_not_end_a_job_that_runs() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", r#","queueTimeoutSeconds":60"#, "", 1);

    rig.wait(secs(600));

    assert_eq!(rig.status(job), "RUNNING");
}

#[test]
fn a_limit_of_a_wait_holds_over_a_restart() {
    let mut rig = Rig::new();
    rig.send(message("a", r#","queueTimeoutSeconds":600"#, ""));
    rig.wait(secs(2));

    rig.restart_after(secs(700));

    assert_eq!(rig.status(job_id("a")), "FAILED");
}

#[test]
fn a_job_that_takes_too_long_altogether_is_stopped_and_not_tried_again() {
    let mut rig = Rig::new();
    let rule = r#","jobTimeoutSeconds":300,
        "evaluateOnExit":[{"onFailure":["timeout"],"action":"RETRY"}]"#;
    let job = rig.run_job("a", rule, r#","retryStrategy":{"attempts":5}"#, 1);
    rig.take_effects();

    rig.wait(secs(300));
    assert!(is_stopped(&mut rig));
    stopped_by_us(&mut rig, job);

    assert_eq!(rig.status(job), "FAILED");
    assert_eq!(rig.jobs[&job].attempts[0].failure, Some(FailureCategory::Timeout));
    let spillway_core::JobState::Failed { reason, .. } = rig.state(job) else { return };
    assert_eq!(reason, "Job duration exceeded timeout");
}

#[test]
fn a_job_that_takes_too_long_altogether_fails_where_it_waits() {
    let mut rig = Rig::new();
    rig.send(message("a", r#","jobTimeoutSeconds":120"#, ""));

    rig.wait(secs(121));

    assert_eq!(rig.status(job_id("a")), "FAILED");
}

#[test]
fn an_attempt_that_fails_after_the_jobs_time_is_the_last() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", r#","jobTimeoutSeconds":300"#, "", 1);
    rig.wait(secs(300));

    // The container ends by itself before the order reaches it, through no fault of its own.
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.stopped_reason = Some("Host EC2 (instance i-1) terminated.".into());
    });

    assert_eq!(rig.status(job), "FAILED");
}

#[test]
fn a_job_may_say_how_long_its_image_may_be_pulled() {
    let mut rig = Rig::new();
    rig.send(message("a", r#","startTimeoutSeconds":60"#, ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);
    rig.register(1);
    let start = rig.take_starts().pop().expect("the job is started");
    rig.accept(&start);

    rig.wait(secs(59));
    assert!(!is_stopped(&mut rig));
    rig.wait(secs(2));
    assert!(is_stopped(&mut rig));
    stopped_by_us(&mut rig, job_id("a"));

    assert_eq!(rig.status(job_id("a")), "RUNNABLE");
    assert_eq!(rig.jobs[&job_id("a")].attempts[0].failure, Some(FailureCategory::Pull));
}

#[test]
fn a_job_that_needs_longer_to_stop_is_told_of_a_reclaim_sooner() {
    let mut rig = Rig::new();
    rig.run_job("a", r#","market":"spot","stopTimeoutSeconds":100"#, "", 1);
    rig.take_effects();

    rig.event(CloudEvent::SpotInterruption { id: Rig::instance(1) });
    rig.wait(secs(14));
    assert!(!is_stopped(&mut rig));
    rig.wait(secs(2));

    assert!(is_stopped(&mut rig));
}
