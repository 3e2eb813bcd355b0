//! A dispatcher that was away: what happened meanwhile is learnt before anything overdue is given up.

use jiff::SignedDuration;
use spillway_core::effect::TaskRequest;
use spillway_core::input::Answer;
use spillway_core::job::FailureCategory;
use spillway_core::task::{FleetSnapshot, TaskStatus};
use spillway_core::{CloudError, Effect};
use spillway_engine::EngineConfig;

use crate::rig::{Rig, job_id, message, secs};

/// One job whose start has been sent; nobody has answered yet.
fn sent_start(rig: &mut Rig) -> TaskRequest {
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);
    rig.register(1);
    rig.take_starts().pop().expect("the job is started")
}

fn is_terminate(effect: &Effect) -> bool {
    matches!(effect, Effect::Terminate { .. })
}

#[test]
fn a_host_that_registered_while_nobody_listened_is_kept() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);

    rig.restart_after(rig.config.register_timeout + secs(60));
    assert!(!rig.take_effects().iter().any(is_terminate));
    rig.register(1);

    assert_eq!(rig.host_statuses(), ["registered"]);
    assert_eq!(rig.status(job_id("a")), "STARTING");
}

/// Found by random scenarios (seed 5233): a dispatcher that dies every few minutes waited for news of it anew each time.
#[test]
fn a_host_that_never_registers_is_ended_by_a_dispatcher_that_keeps_dying() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);

    rig.restart_after(rig.config.register_timeout);
    rig.wait(secs(50));
    assert!(!rig.take_effects().iter().any(is_terminate), "news may be on its way");
    rig.restart_after(secs(10));
    rig.wait(secs(70));

    assert!(rig.take_effects().iter().any(is_terminate));
}

#[test]
fn a_task_that_started_while_nobody_listened_is_not_stopped() {
    let mut rig = Rig::new();
    let start = sent_start(&mut rig);
    rig.accept(&start);

    rig.restart_after(rig.config.start_timeout + secs(60));
    assert_eq!(rig.take_stops(), []);
    rig.runs(start.job);
    rig.wait(secs(1_000));

    assert_eq!(rig.status(start.job), "RUNNING");
    assert_eq!(rig.take_stops(), []);
}

#[test]
fn a_start_is_not_sent_again_once_ecs_may_have_forgotten_its_token() {
    let mut rig = Rig::new();
    let start = sent_start(&mut rig);
    rig.made(&start);

    rig.restart_after(SignedDuration::from_hours(13));
    assert_eq!(rig.take_starts(), [], "it would be a second task");
    rig.runs(start.job);
    rig.exits(start.job, 0);

    assert_eq!(rig.status(start.job), "SUCCEEDED");
    assert_eq!(rig.jobs[&start.job].attempts.len(), 1);
}

#[test]
fn a_start_that_nobody_can_settle_ends_its_host_before_the_job_runs_again() {
    let mut rig = Rig::new();
    let start = sent_start(&mut rig);

    rig.restart_after(SignedDuration::from_hours(13));
    rig.take_effects();
    rig.wait(secs(301));
    let host = rig.hosts.values().next().unwrap().id;
    assert!(rig.take_effects().iter().any(|e| matches!(e, Effect::Drain { .. })));
    rig.answer(Answer::Drain { host, result: Ok(()) });
    assert!(rig.take_effects().iter().any(is_terminate));
    assert_eq!(rig.status(start.job), "STARTING", "its task may still be running");
    rig.terminated(1);
    rig.wait(secs(40));

    assert_eq!(rig.status(start.job), "RUNNABLE");
    assert_eq!(rig.jobs[&start.job].n_counted_attempts(), 0);
}

#[test]
fn a_start_that_is_never_answered_does_not_keep_its_host_for_ever() {
    let mut rig = Rig::new();
    let start = sent_start(&mut rig);
    let denied = || CloudError::Denied { action: "ecs:RunTask".into(), detail: "no".into() };

    for _ in 0..20 {
        let result = Err(denied());
        rig.answer(Answer::RunTask { job: start.job, attempt: start.attempt, result });
        rig.wait(secs(121));
    }

    assert!(rig.take_effects().iter().any(|e| matches!(e, Effect::Drain { .. })));
}

#[test]
fn a_launch_that_is_not_answered_for_an_hour_is_planned_anew() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let first = rig.take_launch();

    rig.restart_after(SignedDuration::from_hours(2));
    let second = rig.take_launch();

    assert_ne!(first.token, second.token);
    assert_eq!(rig.host_statuses().iter().filter(|s| *s == "requested").count(), 1);
}

#[test]
fn what_a_host_was_bought_for_does_not_keep_it_after_a_restart() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);
    let order = spillway_core::message::end_job(
        spillway_core::message::Ending::Cancel,
        job_id("a").into(),
        "not needed",
    );
    rig.send(order.to_string());

    rig.restart_after(secs(10));
    rig.register(1);
    rig.take_effects();
    rig.wait(rig.config.idle_timeout + secs(1));

    assert!(rig.take_effects().iter().any(|e| matches!(e, Effect::Drain { .. })));
}

#[test]
fn a_time_limit_that_passed_while_nobody_listened_is_kept_at_once() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", r#","timeout":{"attemptDurationSeconds":60}"#, 1);

    rig.restart_after(secs(600));
    assert_eq!(rig.take_stops().len(), 1);
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.exit_code = Some(137);
        task.stop_code = Some("UserInitiated".into());
    });

    assert_eq!(rig.jobs[&job].attempts[0].failure, Some(FailureCategory::Timeout));
}

#[test]
fn an_idle_host_goes_however_often_its_dispatcher_dies() {
    let config = EngineConfig { idle_timeout: secs(600), ..Rig::new().config };
    let mut rig = Rig::with(config);
    let job = rig.run_job("a", "", "", 1);
    rig.exits(job, 0);
    rig.take_effects();

    for _ in 0..3 {
        rig.restart_after(secs(5));
        rig.wait(secs(121));
    }

    let drains = rig.take_effects().into_iter().filter(|e| matches!(e, Effect::Drain { .. }));
    assert_eq!(drains.count(), 1);
}

#[test]
fn a_task_that_another_clock_made_old_is_not_missing_yet() {
    let mut rig = Rig::new();
    let start = sent_start(&mut rig);
    let task = rig.accept(&start).arn;

    // The next dispatcher's clock is ahead by nine minutes, and ECS's list does not show the task yet.
    rig.restart_after(secs(540));
    let (asked_at, missing_tasks) = (rig.now, vec![task]);
    let snapshot = FleetSnapshot { missing_tasks, ..FleetSnapshot::default() };
    rig.answer(Answer::Observe { asked_at, snapshot });

    assert_eq!(rig.status(start.job), "STARTING");
}
