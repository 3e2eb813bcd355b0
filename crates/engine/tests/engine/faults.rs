//! What the world does when it does not do what it was asked.

use spillway_core::effect::{LaunchAnswer, PoolError, PoolFault, Refusal, TaskStart};
use spillway_core::input::Answer;
use spillway_core::quantity::Dimension;
use spillway_core::task::{FleetSnapshot, InstanceReport, InstanceStatus};
use spillway_core::{Arch, CloudError, CpuUnits, Effect, HostState, Market, MiB, Resources};

use crate::rig::{Rig, job_id, message, pool, secs};

fn unsettled() -> CloudError {
    CloudError::Unsettled { action: "ec2:CreateFleet".into(), detail: "timed out".into() }
}

fn dry(pool: spillway_core::PoolId) -> LaunchAnswer {
    let error = PoolError {
        pool: Some(pool),
        fault: PoolFault::NoCapacity,
        code: "InsufficientInstanceCapacity".into(),
    };
    LaunchAnswer { errors: vec![error], ..LaunchAnswer::default() }
}

#[test]
fn a_call_without_an_answer_is_sent_again_with_the_same_token() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let first = rig.take_launch();

    rig.answer(Answer::Launch { launch: first.launch, result: Err(unsettled()) });
    rig.wait(secs(5));
    let second = rig.take_launch();

    assert_eq!(first, second);
}

#[test]
fn a_dry_pool_is_left_alone_and_the_rest_is_bought_elsewhere_at_once() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let first = rig.take_launch();
    let dry_pool = first.choices[0].pool.clone();

    rig.answer(Answer::Launch { launch: first.launch, result: Ok(dry(dry_pool.clone())) });

    let second = rig.take_launch();
    assert_ne!(first.token, second.token);
    assert!(second.choices.iter().all(|choice| choice.pool != dry_pool));
}

#[test]
fn calls_that_meet_the_same_dry_pool_at_once_are_one_failure_of_it() {
    let mut rig = Rig::new();
    let mut launches = Vec::new();
    for token in ["a", "b", "c"] {
        // More than half of a host each, so each is bought one of its own.
        let two = r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#;
        rig.send(message(token, "", two));
        rig.wait(secs(2));
        launches.extend(rig.take_launches());
    }
    let pool = launches[0].choices[0].pool.clone();
    assert!(2 < launches.len() && launches.iter().all(|l| l.choices[0].pool == pool));

    for launch in launches {
        rig.answer(Answer::Launch { launch: launch.launch, result: Ok(dry(pool.clone())) });
    }

    assert_eq!(rig.n_pool_failures(&pool), 1);
}

#[test]
fn a_quota_stops_the_market_and_not_only_the_pool() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let first = rig.take_launch();
    assert_eq!(first.market, Market::Spot);

    let error = PoolError {
        pool: None,
        fault: PoolFault::QuotaReached,
        code: "MaxSpotInstanceCountExceeded".into(),
    };
    let answer = LaunchAnswer { errors: vec![error], ..LaunchAnswer::default() };
    rig.answer(Answer::Launch { launch: first.launch, result: Ok(answer) });

    assert_eq!(rig.take_launch().market, Market::OnDemand);
}

#[test]
fn a_dispatcher_killed_between_launch_and_answer_sends_the_same_launch_again() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let before = rig.take_launch();

    rig.restart();

    assert_eq!(rig.take_launch(), before);
}

#[test]
fn a_dispatcher_killed_between_start_and_answer_sends_the_same_start_again() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);
    rig.register(1);
    let before = rig.take_starts().pop().unwrap();

    rig.restart();
    let after = rig.take_starts().pop().unwrap();

    assert_eq!(before, after);
}

#[test]
fn a_restart_in_the_middle_of_a_run_goes_on_watching() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);

    rig.restart();
    rig.exits(job, 0);

    assert_eq!(rig.status(job), "SUCCEEDED");
    assert_eq!(rig.jobs[&job].attempts.len(), 1);
}

#[test]
fn a_refused_task_goes_elsewhere_and_costs_the_job_nothing() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);
    rig.register(1);
    let start = rig.take_starts().pop().unwrap();

    let refusal = Refusal::NoRoom { dimension: Some(Dimension::Memory) };
    let result = Ok(TaskStart::Refused(refusal));
    rig.answer(Answer::RunTask { job: start.job, attempt: start.attempt, result });
    rig.wait(secs(200));
    let again = rig.take_starts().pop().expect("it is started again");

    assert_eq!(again.attempt.get(), 2);
    assert_eq!(rig.jobs[&job_id("a")].n_counted_attempts(), 0);
    assert_eq!(rig.distinct_hosts_tried(job_id("a")), 1);
}

#[test]
fn a_host_that_registers_short_is_learnt_and_the_job_goes_where_it_fits() {
    let mut rig = Rig::new();
    let need_all = message("a", "", "").replace(r#""1024""#, r#""4096""#);
    rig.send(need_all);
    rig.wait(secs(2));
    let launch = rig.take_launch();
    assert_eq!(launch.choices[0].pool.instance_type, "c5.large");
    rig.give(&launch, 1);

    rig.register_with(1, Resources::new(CpuUnits::from_vcpus(2), MiB::new(3900), 0));
    rig.wait(secs(2));

    let second = rig.take_launch();
    assert_eq!(second.choices[0].pool.instance_type, "c5.xlarge");
}

#[test]
fn an_instance_with_our_tag_and_no_record_is_taken_in_and_given_back() {
    let mut rig = Rig::new();
    let seen = InstanceReport {
        id: Rig::instance(9),
        pool: pool("c5.large", "us-east-1a", Market::Spot),
        arch: Arch::X86_64,
        launched_at: rig.now,
        status: InstanceStatus::Running,
        launch: None,
        address: None,
    };
    let look = |rig: &mut Rig| {
        let snapshot = FleetSnapshot { instances: Some(vec![seen.clone()]), ..Default::default() };
        rig.answer(Answer::Observe { asked_at: rig.now, snapshot });
    };

    look(&mut rig);
    assert!(rig.hosts.is_empty(), "its launch may still be answered");
    rig.wait(secs(40));
    look(&mut rig);
    assert_eq!(rig.host_statuses(), ["launched"]);
    rig.take_effects();
    rig.wait(rig.config.register_timeout + secs(1));

    assert!(rig.take_effects().iter().any(|e| matches!(e, Effect::Terminate { .. })));
}

#[test]
fn where_no_host_registers_one_at_a_time_is_bought_to_see_whether_they_do_again() {
    let mut rig = Rig::new();
    let mut n_given = 0;
    for token in ["a", "b", "c", "d", "e", "f"] {
        // More than half of a host each, so each is bought one of its own.
        let two = r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#;
        rig.send(message(token, "", two));
        rig.wait(secs(2));
        for launch in rig.take_launches() {
            rig.give(&launch, n_given + 1);
            n_given += launch.count;
        }
    }
    assert!(5 <= n_given, "{n_given}");

    // The second round is of those that were bought before the fifth had failed.
    for _ in 0..2 {
        rig.wait(rig.config.register_timeout);
        for launch in rig.take_launches() {
            rig.give(&launch, n_given + 1);
            n_given += launch.count;
        }
    }
    (1..=n_given).for_each(|n| rig.terminated(n));
    rig.wait(secs(25 * 60));
    assert_eq!(rig.take_launches(), [], "the broken AMI is left alone");

    rig.wait(secs(10 * 60));
    let probe = rig.take_launch();
    assert_eq!(probe.count, 1);
    rig.give(&probe, n_given + 1);
    rig.wait(secs(60));
    assert_eq!(rig.take_launches(), [], "one probe at a time");
    rig.register(n_given + 1);
    rig.wait(secs(2));

    let more: u32 = rig.take_launches().iter().map(|launch| launch.count).sum();
    assert!(2 < more, "it is mended, and all is bought that is needed: {more}");
}

#[test]
fn a_host_that_never_registers_is_ended_and_its_pool_left_alone() {
    let mut rig = Rig::new();
    rig.send(message("a", "", ""));
    rig.wait(secs(2));
    let launch = rig.take_launch();
    rig.give(&launch, 1);

    rig.wait(rig.config.register_timeout + secs(1));

    let effects = rig.take_effects();
    assert!(effects.iter().any(|e| matches!(e, Effect::Terminate { .. })));
    let retry = effects.iter().find_map(|e| match e {
        Effect::Launch(request) => Some(request.choices[0].pool.clone()),
        _ => None,
    });
    assert_ne!(retry, Some(launch.choices[0].pool.clone()));
}

#[test]
fn a_failed_look_says_nothing_about_what_is_there() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);

    for _ in 0..10 {
        rig.wait(secs(600));
        let snapshot = FleetSnapshot::default();
        rig.answer(Answer::Observe { asked_at: rig.now, snapshot });
    }

    assert_eq!(rig.status(job), "RUNNING");
    assert!(rig.hosts.values().all(|h| matches!(h.state, HostState::Registered { .. })));
}

#[test]
fn an_instance_that_ec2_does_not_show_again_and_again_is_over() {
    let mut rig = Rig::new();
    let job = rig.run_job("a", "", "", 1);

    for _ in 0..3 {
        rig.wait(secs(600));
        let snapshot = FleetSnapshot { instances: Some(Vec::new()), ..FleetSnapshot::default() };
        rig.answer(Answer::Observe { asked_at: rig.now, snapshot });
    }
    rig.wait(secs(60));

    assert_eq!(rig.status(job), "RUNNABLE");
    assert!(rig.hosts.values().any(|h| matches!(h.state, HostState::Gone { .. })));
}
