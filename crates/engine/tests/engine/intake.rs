//! Every message becomes a job, an order, a duplicate or a dead letter.

use spillway_core::effect::DeadLetter;
use spillway_core::{Effect, JobState};
use spillway_engine::{EngineConfig, JobException, JobPolicy, JobRules};

use crate::rig::{Rig, job_id, message, secs};

fn dead_letter(rig: &mut Rig) -> DeadLetter {
    let letters = rig.take_effects().into_iter().filter_map(|effect| match effect {
        Effect::DeadLetter(letter) => Some(letter),
        _ => None,
    });
    letters.last().expect("there is a dead letter")
}

fn order(action: &str, token: &str) -> String {
    let id = job_id(token);
    format!(r#"{{"spillway":{{"action":"{action}"}},"jobId":"{id}","reason":"not needed"}}"#)
}

#[test]
fn the_same_message_twice_is_one_job() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.take_effects();

    rig.send(message("a", "", ""));

    assert_eq!(rig.jobs.len(), 1);
    assert!(matches!(rig.take_effects()[..], [Effect::DeleteMessages { .. }]));
}

#[test]
fn a_duplicate_of_an_ended_job_runs_nothing() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);
    rig.exits(job, 0);

    rig.send(message("a", "", ""));
    rig.wait(secs(5));

    assert_eq!(rig.jobs.len(), 1);
    assert_eq!(rig.status(job), "SUCCEEDED");
}

#[test]
fn another_job_under_a_used_token_is_a_dead_letter() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));

    rig.send(message("a", "", r#","tags":{"other":"yes"}"#));

    assert_eq!(dead_letter(&mut rig).code, "TOKEN_REUSED");
}

#[test]
fn a_message_that_is_no_job_is_a_dead_letter_with_its_body_intact() {
    let mut rig = Rig::new();

    rig.send("{not json".to_owned());

    let letter = dead_letter(&mut rig);
    assert_eq!((letter.code.as_str(), letter.body.as_str()), ("INVALID_JSON", "{not json"));
}

#[test]
fn an_unknown_queue_is_named_together_with_the_known_ones() {
    let mut rig = Rig::new();

    rig.send(message("a", "", "").replace(r#""default""#, r#""defualt""#));

    let letter = dead_letter(&mut rig);
    assert_eq!(letter.code, "UNKNOWN_QUEUE");
    assert!(letter.reason.contains("defualt") && letter.reason.contains("default"));
}

#[test]
fn a_job_that_fits_nothing_fails_at_once_with_the_dimension_and_the_nearest_type() {
    let mut rig = Rig::new();

    rig.send(message("big", "", "").replace(r#""1024""#, r#""10485760""#));

    let JobState::Failed { reason, .. } = rig.state(job_id("big")) else { panic!("it has failed") };
    assert!(reason.contains("memory") && reason.contains("c5.xlarge"), "{reason}");
}

#[test]
fn a_role_that_the_operator_has_not_allowed_is_refused() {
    let mut rig = Rig::new();
    let body = message("a", "", "").replace(
        r#""image":"busybox""#,
        r#""image":"busybox","jobRoleArn":"arn:aws:iam::1:role/admin""#,
    );

    rig.send(body);

    let JobState::Failed { reason, .. } = rig.state(job_id("a")) else { panic!("it has failed") };
    assert!(reason.contains("jobs.allowed-roles"), "{reason}");
}

#[test]
fn what_one_sender_may_ask_for_another_may_not() {
    let trusted = JobException {
        senders: vec!["AROATRUSTED:*".to_owned()],
        queues: Vec::new(),
        rules: JobRules { privileged: true, ..JobRules::default() },
    };
    let jobs = JobPolicy { exceptions: vec![trusted], ..JobPolicy::default() };
    let queues = vec!["default".parse().unwrap()];
    let mut rig = Rig::with(EngineConfig { queues, jobs, ..EngineConfig::default() });
    let body = |token: &str| {
        message(token, "", "")
            .replace(r#""image":"busybox""#, r#""image":"busybox","privileged":true"#)
    };

    rig.send_as(body("a"), Some("AROATRUSTED:deploy"));
    rig.send_as(body("b"), Some("AIDASOMEBODY"));

    assert_eq!(rig.status(job_id("a")), "RUNNABLE");
    let JobState::Failed { reason, .. } = rig.state(job_id("b")) else { panic!("it has failed") };
    let told = "jobDefinition.containerProperties.privileged: a privileged container is refused by \
        jobs.allow-privileged";
    assert_eq!(reason, told);
}

#[test]
fn a_queued_job_is_cancelled_and_a_running_one_is_not() {
    let mut rig = Rig::new();
    let running = rig.run_job("a", "", "", 1);
    rig.send(message("b", "", r#","tags":{"k":"v"}"#).replace(r#""value":"1""#, r#""value":"4""#));

    rig.send(order("CancelJob", "a"));
    rig.send(order("CancelJob", "b"));

    assert_eq!(rig.status(running), "RUNNING");
    let JobState::Failed { reason, .. } = rig.state(job_id("b")) else { panic!("it is cancelled") };
    assert_eq!(reason, "not needed");
}

#[test]
fn a_terminated_job_is_stopped_and_fails_with_the_reason_given() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", r#","retryStrategy":{"attempts":5}"#, 1);
    rig.take_effects();

    rig.send(order("TerminateJob", "a"));
    let effects = rig.take_effects();
    let stop = effects.iter().find(|e| matches!(e, Effect::StopTask { .. }));
    assert!(stop.is_some(), "{effects:?}");
    rig.tell(job, |task| {
        task.status = spillway_core::task::TaskStatus::Stopped;
        task.exit_code = Some(143);
        task.stop_code = Some("UserInitiated".into());
    });

    let JobState::Failed { reason, .. } = rig.state(job) else { panic!("it has failed") };
    assert_eq!(reason, "not needed");
}

#[test]
fn an_order_that_overtakes_its_job_waits_for_it() {
    let mut rig = Rig::new();
    rig.take_effects();

    rig.send(order("CancelJob", "late"));

    assert!(rig.take_effects().is_empty(), "it is left in the queue and will come again");
}

#[test]
fn an_order_that_nobody_could_read_for_long_waits_for_its_job_all_the_same() {
    let mut rig = Rig::new();

    // It was sent an hour ago, its job a second before; nobody has read the queue since.
    rig.send_of(order("CancelJob", "late"), secs(3_600));
    assert!(rig.take_dead_letters().is_empty(), "its job is behind it on the queue");
    rig.send_of(message("late", "", ""), secs(3_601));
    rig.send_again(1, order("CancelJob", "late"));

    assert_eq!(rig.status(job_id("late")), "FAILED");
}

#[test]
fn an_order_for_a_job_that_never_comes_is_a_dead_letter() {
    let mut rig = Rig::new();

    rig.linger(order("CancelJob", "never"));

    assert_eq!(dead_letter(&mut rig).code, "UNKNOWN_JOB");
}
