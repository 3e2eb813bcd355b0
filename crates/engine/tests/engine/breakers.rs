//! What has failed again and again is left alone, tried by a single probe, and used again once that succeeds.

use spillway_core::effect::{LaunchRequest, TaskRequest};
use spillway_core::input::Answer;
use spillway_core::task::TaskStatus;
use spillway_core::{
    Arch, Breaker, BreakerId, CloudError, Effect, FailureCategory, JobId, JobState, Market, message,
};
use spillway_engine::{EngineConfig, HeldBack, limits};

use crate::rig::{Rig, job_id, message as job_message, secs};

const NOT_FOUND: &str =
    "CannotPullContainerError: Error response from daemon: manifest for busybox not found";

/// One job that fills a host of two vCPUs.
fn whole_host(token: &str) -> String {
    let two = r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#;
    job_message(token, "", two)
}

/// The same with another image.
fn with_image(token: &str, image: &str) -> String {
    whole_host(token).replace("busybox", image)
}

fn open<'a>(rig: &'a Rig, id: &BreakerId) -> Option<&'a Breaker> {
    rig.engine.breakers().get(id)
}

fn busybox() -> BreakerId {
    BreakerId::image("busybox")
}

fn run_task() -> BreakerId {
    BreakerId::call("ecs:RunTask")
}

/// The image of a task that was started cannot be pulled.
fn not_pulled(rig: &mut Rig, start: &TaskRequest) {
    rig.accept(start);
    rig.tell(start.job, |task| {
        task.status = TaskStatus::Stopped;
        task.stop_code = Some("TaskFailedToStart".into());
        task.stopped_reason = Some("Task failed to start".into());
        task.container_reason = Some(NOT_FOUND.into());
    });
}

fn denied(start: &TaskRequest) -> Answer {
    let detail = "AccessDeniedException: not authorized".to_owned();
    let result = Err(CloudError::Denied { action: "ecs:RunTask".to_owned(), detail });
    Answer::RunTask { job: start.job, attempt: start.attempt, result }
}

fn launch_denied(launch: &LaunchRequest) -> Answer {
    let detail = "UnauthorizedOperation: not authorized".to_owned();
    let result = Err(CloudError::Denied { action: "ec2:CreateFleet".to_owned(), detail });
    Answer::Launch { launch: launch.launch, result }
}

/// Three jobs on three hosts whose image cannot be pulled, and one that has not been placed; instances are numbered from 1.
fn with_bad_image() -> Rig {
    let mut rig = Rig::new();
    for token in ["a", "b", "c"] {
        rig.send(whole_host(token));
    }
    let mut n_given = 1;
    let starts = rig.provide(&mut n_given);
    assert_eq!(starts.len(), 3);
    for start in &starts {
        not_pulled(&mut rig, start);
    }
    rig.take_effects();
    rig
}

fn n_hosts_wanted(effects: &[Effect]) -> u32 {
    effects.iter().map(|effect| if let Effect::Launch(l) = effect { l.count } else { 0 }).sum()
}

fn n_starts(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::RunTask(_))).count()
}

/// What is done while time passes, nothing of it answered.
fn wanted_within(rig: &mut Rig, time: jiff::SignedDuration) -> Vec<Effect> {
    rig.take_effects();
    rig.wait(time);
    rig.take_effects()
}

#[test]
fn an_image_that_three_tasks_could_not_pull_starts_nothing_and_buys_nothing() {
    let mut rig = with_bad_image();
    for n in 0..20 {
        rig.send(whole_host(&format!("later-{n}")));
    }

    let effects = wanted_within(&mut rig, secs(120));

    assert_eq!((n_starts(&effects), n_hosts_wanted(&effects)), (0, 0), "{effects:?}");
    let breaker = open(&rig, &busybox()).expect("it is open");
    assert_eq!((breaker.n_failed, breaker.reason.as_str()), (3, NOT_FOUND));
}

#[test]
fn jobs_with_another_image_go_on() {
    let mut rig = with_bad_image();
    rig.send(with_image("other", "alpine"));

    let effects = wanted_within(&mut rig, secs(5));

    assert_eq!(n_starts(&effects), 1);
}

#[test]
fn two_failures_are_no_breaker_and_a_success_between_counts_anew() {
    let mut rig = Rig::new();
    for token in ["a", "b", "c", "d"] {
        rig.send(whole_host(token));
    }
    let starts = rig.provide(&mut 1);

    not_pulled(&mut rig, &starts[0]);
    not_pulled(&mut rig, &starts[1]);
    rig.accept(&starts[2]);
    rig.runs(starts[2].job);
    not_pulled(&mut rig, &starts[3]);

    assert!(rig.engine.breakers().is_empty());
}

#[test]
fn a_disk_that_is_full_is_the_hosts_fault() {
    let mut rig = Rig::new();
    for token in ["a", "b", "c"] {
        rig.send(whole_host(token));
    }
    let starts = rig.provide(&mut 1);

    for start in &starts {
        rig.accept(start);
        rig.tell(start.job, |task| {
            task.status = TaskStatus::Stopped;
            task.container_reason =
                Some("CannotPullContainerError: write /x: no space left on device".into());
        });
    }

    assert!(rig.engine.breakers().is_empty());
}

#[test]
fn one_probe_goes_when_it_is_due_and_its_success_lets_all_start() {
    let mut rig = with_bad_image();
    let due = open(&rig, &busybox()).and_then(Breaker::probe_at).unwrap();
    assert_eq!(due.duration_since(rig.now), limits::IMAGE_PROBE);
    let mut n_given = 10;
    let time = due.duration_since(rig.now);
    rig.wait(time);

    let probes = rig.provide(&mut n_given);
    assert_eq!(probes.len(), 1, "{probes:?}");
    let while_probed = wanted_within(&mut rig, secs(60));
    assert_eq!((n_starts(&while_probed), n_hosts_wanted(&while_probed)), (0, 0));
    rig.accept(&probes[0]);
    rig.runs(probes[0].job);

    assert!(rig.engine.breakers().is_empty());
    let others = rig.provide(&mut n_given);
    assert_eq!(others.len(), 2, "{others:?}");
}

#[test]
fn a_probe_that_fails_doubles_the_pause() {
    let mut rig = with_bad_image();
    rig.wait(limits::IMAGE_PROBE);
    let probes = rig.provide(&mut 10);

    not_pulled(&mut rig, &probes[0]);

    let breaker = open(&rig, &busybox()).unwrap();
    let pause = breaker.probe_at().unwrap().duration_since(rig.now);
    assert_eq!((pause, breaker.n_probes), (limits::IMAGE_PROBE * 2, 1));
}

#[test]
fn a_probe_that_shows_nothing_is_followed_by_another_at_once() {
    let mut rig = with_bad_image();
    rig.wait(limits::IMAGE_PROBE);
    let mut n_given = 10;
    let probes = rig.provide(&mut n_given);
    rig.accept(&probes[0]);

    rig.terminated(10);
    rig.wait(secs(60));
    rig.take_effects();
    let again = rig.provide(&mut n_given);

    assert!(again.len() <= 1);
    assert!(open(&rig, &busybox()).is_some_and(|breaker| breaker.n_probes == 0));
}

#[test]
fn a_breaker_survives_a_restart() {
    let mut rig = with_bad_image();
    rig.send(whole_host("later"));
    rig.restart_after(secs(10));

    let effects = wanted_within(&mut rig, secs(60));

    assert_eq!((n_starts(&effects), n_hosts_wanted(&effects)), (0, 0));
    assert!(open(&rig, &busybox()).is_some());
}

#[test]
fn a_restart_while_a_probe_is_under_way_lets_no_second_one_go() {
    let mut rig = with_bad_image();
    rig.wait(limits::IMAGE_PROBE);
    let probes = rig.provide(&mut 10);
    rig.accept(&probes[0]);
    rig.restart_after(secs(1));

    let effects = wanted_within(&mut rig, secs(60));

    assert_eq!(n_starts(&effects), 0, "{effects:?}");
    assert!(open(&rig, &busybox()).is_some_and(|breaker| breaker.probe_at().is_none()));
}

#[test]
fn who_waits_for_an_open_breaker_is_told_so_with_its_numbers() {
    let mut rig = with_bad_image();
    rig.send(whole_host("later"));

    let held = rig.engine.held_back(rig.now);
    let why = rig.engine.why_held_back(&held, &rig.jobs[&job_id("later")]);

    let Some(why @ HeldBack::BreakerOpen { breaker, .. }) = why else { panic!("{why:?}") };
    assert_eq!((why.code(), breaker.n_failed), ("breaker-open", 3));
}

#[test]
fn an_order_closes_a_breaker_and_one_that_is_older_than_it_does_not() {
    let mut rig = with_bad_image();
    let order = message::reset_breaker(&busybox()).to_string();

    rig.send_of(order.clone(), secs(60));
    assert!(open(&rig, &busybox()).is_some());
    rig.send(order);

    assert!(rig.engine.breakers().is_empty());
}

#[test]
fn what_nobody_asks_for_is_forgotten_after_a_day() {
    let mut rig = with_bad_image();
    for token in ["a", "b", "c"] {
        rig.send(message::end_job(message::Ending::Cancel, job_id(token).into(), "no").to_string());
    }

    rig.wait(limits::BREAKER_KEPT + limits::IMAGE_PROBE);
    rig.answer(Answer::Observe {
        asked_at: rig.now,
        snapshot: spillway_core::task::FleetSnapshot::default(),
    });
    rig.wait(secs(120));

    assert!(rig.engine.breakers().is_empty());
}

#[test]
fn who_waits_for_an_image_that_stays_away_for_a_day_fails_with_its_reason() {
    let mut rig = with_bad_image();
    for n in 0..5 {
        rig.send(whole_host(&format!("later-{n}")));
    }
    let mut n_given = 10;

    for _ in 0..60 {
        rig.wait(limits::BREAKER_PROBE_MAX);
        for start in rig.provide(&mut n_given) {
            not_pulled(&mut rig, &start);
        }
    }

    let later = rig.jobs[&job_id("later-4")].state.clone();
    let JobState::Failed { reason, .. } = later else { panic!("{later:?}") };
    assert!(reason.contains("busybox") && reason.contains(NOT_FOUND), "{reason}");
}

#[test]
fn a_start_that_is_not_allowed_is_called_off_and_only_a_probe_starts_again() {
    let mut rig = Rig::new();
    for token in ["a", "b", "c"] {
        rig.send(whole_host(token));
    }
    let mut n_given = 1;
    let starts = rig.provide(&mut n_given);
    for start in &starts {
        rig.answer(denied(start));
    }

    let effects = wanted_within(&mut rig, secs(100));

    assert_eq!((n_starts(&effects), n_hosts_wanted(&effects)), (0, 0), "{effects:?}");
    for token in ["a", "b", "c"] {
        assert_eq!(rig.status(job_id(token)), "RUNNABLE");
        assert_eq!(rig.jobs[&job_id(token)].attempts[0].failure, Some(FailureCategory::Held));
    }
    rig.wait(secs(20));
    assert_eq!(rig.provide(&mut n_given).len(), 1);
}

#[test]
fn a_start_that_is_allowed_again_closes_the_breaker() {
    let mut rig = Rig::new();
    rig.send(whole_host("a"));
    let mut n_given = 1;
    let starts = rig.provide(&mut n_given);
    rig.answer(denied(&starts[0]));
    rig.wait(limits::CALL_RETRY_MAX);
    let probes = rig.provide(&mut n_given);

    rig.accept(&probes[0]);

    assert!(rig.engine.breakers().is_empty());
}

#[test]
fn no_job_fails_however_often_its_start_is_not_allowed() {
    let mut rig = Rig::new();
    rig.send(whole_host("a"));
    let mut n_given = 1;

    let mut n_denied = 0;
    for _ in 0..200 {
        for start in rig.provide(&mut n_given) {
            n_denied += 1;
            rig.answer(denied(&start));
        }
        rig.wait(secs(600));
    }

    assert!(limits::INFRASTRUCTURE_FAILURES_MAX < n_denied, "{n_denied}");
    assert_eq!(rig.status(job_id("a")), "RUNNABLE");
    assert_eq!(rig.jobs[&job_id("a")].n_infrastructure_failures(), 0);
}

#[test]
fn a_role_that_may_not_be_passed_stops_only_those_that_name_it() {
    let role = "arn:aws:iam::1:role/x";
    let with_role = |token: &str| {
        let named = format!(r#""image":"busybox","jobRoleArn":"{role}""#);
        whole_host(token).replace(r#""image":"busybox""#, &named)
    };
    let mut config =
        EngineConfig { queues: vec!["default".parse().unwrap()], ..EngineConfig::default() };
    config.jobs.rules.roles = vec!["*".to_owned()];
    let mut rig = Rig::with(config);
    rig.send(with_role("a"));
    let mut n_given = 1;
    let starts = rig.provide(&mut n_given);
    rig.answer(denied(&starts[0]));

    rig.send(whole_host("b"));
    let starts = rig.provide(&mut n_given);

    let started: Vec<JobId> = starts.iter().map(|start| start.job).collect();
    assert_eq!(started, [job_id("b")]);
    assert!(open(&rig, &run_task()).is_none() && rig.engine.breakers().len() == 1);
}

#[test]
fn a_launch_that_is_not_allowed_is_given_up_and_one_host_is_the_probe() {
    let mut rig = Rig::new();
    for n in 0..6 {
        rig.send(whole_host(&n.to_string()));
    }
    rig.wait(secs(2));
    for launch in rig.take_launches() {
        rig.answer(launch_denied(&launch));
    }

    let before = wanted_within(&mut rig, secs(110));
    let after = wanted_within(&mut rig, secs(20));

    assert_eq!((n_hosts_wanted(&before), n_hosts_wanted(&after)), (0, 1));
    let Some(Effect::Launch(probe)) = after.iter().find(|e| matches!(e, Effect::Launch(_))) else {
        panic!("{after:?}")
    };
    rig.give(probe, 1);
    assert!(rig.engine.breakers().is_empty());
    rig.wait(secs(2));
    assert_eq!(n_hosts_wanted(&rig.take_effects()), 5);
}

#[test]
fn hosts_that_never_register_are_a_breaker_with_a_reason() {
    let mut rig = Rig::new();
    for n in 0..limits::UNREGISTERED_MAX {
        rig.send(whole_host(&n.to_string()));
    }
    rig.wait(secs(2));
    let mut n_given = 1;
    for launch in rig.take_launches() {
        rig.give(&launch, n_given);
        n_given += launch.count;
    }

    rig.wait(limits::REGISTER_TIMEOUT_DEFAULT + secs(1));

    let breaker = open(&rig, &BreakerId::host(Arch::X86_64)).expect("it is open");
    assert_eq!(breaker.n_failed, limits::UNREGISTERED_MAX);
    assert!(breaker.reason.contains("did not register within 15 min"), "{}", breaker.reason);
    assert!(breaker.reason.contains(&Market::Spot.to_string()), "{}", breaker.reason);
}
