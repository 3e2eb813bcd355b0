//! The straight way, from the message to the exit code and the machine given back.

use spillway_core::effect::{LaunchRequest, TaskRequest};
use spillway_core::input::Answer;
use spillway_core::task::{CloudEvent, InstanceStatus};
use spillway_core::{CloudError, Effect, HostState, JobState, Market, MicroUsd};

use crate::rig::{Rig, job_id, message, pool, secs};

fn ended(rig: &mut Rig, n: u32) {
    let id = Rig::instance(n);
    rig.event(CloudEvent::Instance { id, status: InstanceStatus::Terminated });
}

#[test]
fn a_message_becomes_a_machine_a_task_and_an_exit_code() {
    let mut rig = Rig::new();
    rig.take_effects();

    rig.send(message("a", "", ""));
    assert_eq!(rig.status(job_id("a")), "RUNNABLE");
    assert!(matches!(rig.take_effects()[..], [Effect::DeleteMessages { .. }]));

    rig.wait(secs(2));
    let launch: LaunchRequest = rig.take_launch();
    assert_eq!(launch.choices[0].pool, pool("c5.large", "us-east-1a", Market::Spot));
    assert_eq!((launch.count, launch.token.to_string()), (1, launch.launch.to_string()));

    rig.give(&launch, 1);
    rig.wait(secs(40));
    assert_eq!(rig.status(job_id("a")), "RUNNABLE");
    rig.register(1);
    let start: TaskRequest = rig.take_starts().pop().unwrap();
    assert_eq!(start.instance, Rig::instance(1));
    assert_eq!(start.token.to_string(), format!("{}-1", job_id("a")));
    assert_eq!(start.environment["AWS_BATCH_JOB_ID"], job_id("a").to_string());
    assert_eq!(rig.status(job_id("a")), "STARTING");

    rig.accept(&start);
    rig.runs(job_id("a"));
    assert_eq!(rig.status(job_id("a")), "RUNNING");

    rig.wait(secs(60));
    rig.exits(job_id("a"), 0);
    assert_eq!(rig.status(job_id("a")), "SUCCEEDED");
    let attempt = &rig.jobs[&job_id("a")].attempts[0];
    assert_eq!(attempt.exit_code, Some(0));
    assert!(MicroUsd::ZERO < attempt.cost);
}

#[test]
fn a_host_with_nothing_to_do_is_drained_then_terminated_then_billed() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);
    rig.exits(job, 0);
    rig.take_effects();

    rig.wait(rig.config.idle_timeout + secs(1));
    let [Effect::Drain { host, .. }] = rig.take_effects()[..] else {
        panic!("it is drained first")
    };
    rig.answer(Answer::Drain { host, result: Ok(()) });
    let effects = rig.take_effects();
    let [Effect::Terminate { hosts }] = &effects[..] else {
        panic!("then it is ended: {effects:?}")
    };
    assert_eq!(hosts[..], [(host, Rig::instance(1))]);
    ended(&mut rig, 1);

    let HostState::Gone { bill, .. } = &rig.hosts[&host].state else { panic!("it is gone") };
    assert!(rig.jobs[&job].attempts[0].cost < *bill);
    assert!(rig.engine.is_idle());
}

#[test]
fn a_host_with_nothing_on_it_goes_though_the_call_that_drains_it_is_throttled() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);
    rig.exits(job, 0);
    rig.take_effects();
    rig.wait(rig.config.idle_timeout + secs(1));
    let [Effect::Drain { host, .. }] = rig.take_effects()[..] else {
        panic!("it is drained first")
    };

    let throttled = CloudError::Throttled {
        action: "ecs:UpdateContainerInstancesState".into(),
        detail: String::new(),
    };
    rig.answer(Answer::Drain { host, result: Err(throttled) });

    assert!(rig.take_effects().iter().any(|e| matches!(e, Effect::Terminate { .. })));
}

#[test]
fn a_job_that_fits_a_running_host_buys_nothing() {
    let mut rig = Rig::new();
    rig.run_job("a", "", "", 1);
    rig.take_effects();

    rig.send(message("b", "", ""));
    rig.wait(secs(2));

    let effects = rig.take_effects();
    assert!(!effects.iter().any(|e| matches!(e, Effect::Launch(_))), "{effects:?}");
    assert_eq!(rig.status(job_id("b")), "STARTING");
}

#[test]
fn a_burst_is_planned_at_once_and_planning_again_buys_nothing_more() {
    let mut rig = Rig::new();
    for n in 0..10 {
        rig.send(message(&format!("job-{n}"), "", ""));
    }

    rig.wait(secs(2));
    let n_hosts: u32 = rig.take_launches().iter().map(|launch| launch.count).sum();
    rig.send(message("late", "", ""));
    rig.wait(secs(2));
    let n_more: u32 = rig.take_launches().iter().map(|launch| launch.count).sum();

    assert_eq!(n_hosts, 5, "ten jobs of 1 vCPU fill five hosts of 2");
    assert!(n_more <= 1, "only the late one needs room");
}

#[test]
fn a_job_stays_submitted_until_prices_are_known() {
    let mut rig = Rig::new();
    let state = spillway_core::LedgerState::new(spillway_core::id::LedgerId::from_uuid(
        uuid::Uuid::from_u128(9),
    ));
    rig.engine = spillway_engine::Engine::new(rig.config.clone(), state, rig.now);

    rig.send(message("early", "", ""));
    assert!(matches!(rig.state(job_id("early")), JobState::Submitted));
    rig.answer(Answer::Catalog { result: Ok(crate::rig::catalog()) });

    assert_eq!(rig.status(job_id("early")), "RUNNABLE");
}
