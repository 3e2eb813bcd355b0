//! How attempts end, and what follows.

use spillway_core::input::{Answer, Input};
use spillway_core::job::FailureCategory;
use spillway_core::task::{CloudEvent, FleetSnapshot, InstanceStatus, TaskStatus};
use spillway_core::{Effect, JobState, Market};

use crate::rig::{Rig, job_id, message, secs};

#[test]
fn a_failed_job_runs_again_as_often_as_it_may() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", r#","retryStrategy":{"attempts":2}"#, 1);
    assert_eq!(rig.spec(job).attempts, 2);

    rig.exits(job, 3);
    rig.wait(secs(1));
    let again = rig.take_starts().pop().expect("it is started again");
    assert_eq!(again.attempt.get(), 2);
    assert_eq!(again.environment["AWS_BATCH_JOB_ATTEMPT"], "2");
    rig.accept(&again);
    rig.runs(job);
    rig.exits(job, 4);

    assert_eq!(rig.status(job), "FAILED");
    let codes: Vec<_> = rig.jobs[&job].attempts.iter().map(|a| a.exit_code).collect();
    assert_eq!(codes, [Some(3), Some(4)]);
}

#[test]
fn an_attempt_that_takes_too_long_is_stopped_and_not_retried() {
    let mut rig = Rig::new();
    let extra = r#","timeout":{"attemptDurationSeconds":60},"retryStrategy":{"attempts":3}"#;
    let job = rig.run_job("a", "", extra, 1);
    rig.take_effects();

    rig.wait(secs(59));
    assert!(!rig.take_effects().iter().any(|e| matches!(e, Effect::StopTask { .. })));
    rig.wait(secs(2));
    assert!(rig.take_effects().iter().any(|e| matches!(e, Effect::StopTask { .. })));
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.exit_code = Some(137);
        task.stop_code = Some("UserInitiated".into());
    });

    assert_eq!(rig.status(job), "FAILED");
    assert_eq!(rig.jobs[&job].attempts[0].failure, Some(FailureCategory::Timeout));
}

#[test]
fn a_container_that_ends_on_no_signal_ends_with_its_host() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", r#","timeout":{"attemptDurationSeconds":60}"#, 1);
    rig.wait(secs(61));
    assert_eq!(rig.take_stops().len(), 1);

    rig.wait(secs(600));
    assert_eq!(rig.take_stops().len(), 10, "it is told again and again");
    assert_eq!(rig.host_statuses(), ["registered"]);
    rig.wait(secs(60));
    let host = *rig.hosts.keys().next().unwrap();
    assert_eq!(rig.host_statuses(), ["draining"]);
    rig.answer(Answer::Drain { host, result: Ok(()) });
    assert_eq!(rig.host_statuses(), ["terminating"]);
    rig.terminated(1);
    rig.wait(secs(60));

    assert_eq!(rig.status(job), "FAILED");
    assert_eq!(rig.jobs[&job].attempts[0].failure, Some(FailureCategory::Timeout));
}

/// Seed 5974: the clock leaps while a stop is not heard.
#[test]
fn a_host_that_is_given_up_for_a_deaf_task_is_given_no_job_in_the_same_step() {
    let mut rig = Rig::new();
    rig.run_job("a", "", r#","timeout":{"attemptDurationSeconds":60}"#, 1);
    rig.wait(secs(61));
    assert_eq!(rig.take_stops().len(), 1);

    rig.send(message("b", "", ""));
    rig.now += secs(1800);
    rig.step(Input::Tick);

    assert_eq!(rig.status(job_id("b")), "RUNNABLE");
    assert_eq!(rig.host_statuses(), ["requested", "draining"], "another host is bought for it");
}

#[test]
fn a_stop_that_does_not_help_is_sent_again() {
    let mut rig = Rig::new();
    rig.run_job("a", "", r#","timeout":{"attemptDurationSeconds":60}"#, 1);
    rig.wait(secs(61));
    rig.take_effects();

    rig.wait(secs(61));

    assert!(rig.take_effects().iter().any(|e| matches!(e, Effect::StopTask { .. })));
}

#[test]
fn a_spot_notice_drains_the_host_and_stops_what_does_not_end_in_time() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", r#","market":"spot""#, "", 1);
    rig.take_effects();

    rig.event(CloudEvent::SpotInterruption { id: Rig::instance(1) });
    assert!(rig.take_effects().iter().any(|e| matches!(e, Effect::Drain { .. })));
    rig.wait(secs(80));
    assert!(!rig.take_effects().iter().any(|e| matches!(e, Effect::StopTask { .. })));
    rig.wait(secs(10));
    assert!(rig.take_effects().iter().any(|e| matches!(e, Effect::StopTask { .. })));
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.exit_code = Some(143);
        task.stop_code = Some("UserInitiated".into());
    });
    rig.wait(secs(2));

    assert_eq!(rig.status(job), "RUNNABLE");
    assert_eq!(rig.jobs[&job].attempts[0].failure, Some(FailureCategory::Spot));
    let launch = rig.take_launch();
    assert_eq!(launch.market, Market::Spot);
    assert_ne!(launch.choices[0].pool.zone.as_str(), "us-east-1a", "the pool is left alone");
}

#[test]
fn a_job_that_ends_inside_the_notice_has_succeeded() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", r#","market":"spot""#, "", 1);
    rig.event(CloudEvent::SpotInterruption { id: Rig::instance(1) });

    rig.wait(secs(30));
    rig.exits(job, 0);

    assert_eq!(rig.status(job), "SUCCEEDED");
}

#[test]
fn a_host_that_is_terminated_takes_its_attempts_along_and_none_is_charged_to_the_job() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);

    rig.event(CloudEvent::Instance { id: Rig::instance(1), status: InstanceStatus::Terminated });
    assert_eq!(rig.status(job), "RUNNING", "its task may still say how it ended");
    rig.wait(secs(40));

    assert_eq!(rig.status(job), "RUNNABLE");
    let lost = &rig.jobs[&job].attempts[0];
    assert!(lost.reason.starts_with("Host EC2 (instance i-"), "{}", lost.reason);
    assert_eq!(rig.jobs[&job].n_counted_attempts(), 0);
}

#[test]
fn a_host_that_ecs_says_has_ended_is_given_no_more_work_before_ec2_says_so_too() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);

    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.stop_code = Some("TerminationNotice".into());
        task.stopped_reason = Some("Host EC2 (instance i-1) terminated.".into());
    });
    rig.wait(secs(30));

    let is_start = |effect: &Effect| matches!(effect, Effect::RunTask(_));
    assert!(!rig.effects.iter().any(is_start), "the dead host is left alone");
    assert_eq!(rig.take_launch().count, 1, "and another one is bought");
}

#[test]
fn a_task_that_ecs_has_forgotten_is_of_unknown_end_and_runs_again() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);
    let JobState::Running { attempt, .. } = rig.state(job) else { panic!("it runs") };
    let task = attempt.task.clone().unwrap();

    rig.wait(secs(3600));
    let snapshot = FleetSnapshot { missing_tasks: vec![task], ..FleetSnapshot::default() };
    rig.answer(Answer::Observe { asked_at: rig.now, snapshot });

    assert_eq!(rig.status(job), "RUNNABLE");
    let attempt = &rig.jobs[&job].attempts[0];
    assert_eq!(attempt.failure, Some(FailureCategory::Unknown));
    assert!(attempt.started_at.is_some(), "that it ran is known");
}

#[test]
fn old_news_changes_nothing() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);
    let JobState::Running { attempt, .. } = rig.state(job).clone() else { panic!("it runs") };
    assert_eq!(attempt.task_version, 2);

    rig.tell(job, |task| {
        task.version = 1;
        task.status = TaskStatus::Stopped;
        task.exit_code = Some(9);
    });

    assert_eq!(rig.status(job), "RUNNING");
}

/// Found by random scenarios (seed 1997): the host drained, and waited for a task of which nobody could tell how it ended.
#[test]
fn a_host_that_drains_and_whose_agent_stays_away_is_ended() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);
    rig.send(message("b", "", ""));
    rig.wait(secs(2));
    assert_eq!(rig.take_starts().len(), 1, "beside the first; nobody ever says what became of it");
    rig.wait(secs(60 * 60));
    assert_eq!(rig.host_statuses(), ["draining"]);
    assert_eq!(rig.status(job), "RUNNING", "what runs on it may end");

    rig.agent(1, false);
    rig.wait(secs(6 * 60));

    assert_eq!(rig.host_statuses(), ["terminating"]);
}
