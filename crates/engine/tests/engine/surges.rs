//! Money that is paid in vain: hosts that come and go and run nothing to its end.

use jiff::SignedDuration;
use spillway_core::{Breaker, BreakerId, MicroUsd, message as order};
use spillway_engine::{EngineConfig, limits};

use crate::gangs;
use crate::rig::{Rig, message, secs};

/// The floor is a tenth of a cent: two hosts' minute.
fn rig() -> Rig {
    let queues = vec!["default".parse().unwrap()];
    let surge_floor = Some(MicroUsd::new(1_000));
    Rig::with(EngineConfig { queues, surge_floor, ..EngineConfig::default() })
}

/// One job that fills a host of two vCPUs.
fn whole_host(token: &str) -> String {
    let two = r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#;
    message(token, "", two)
}

fn surge(rig: &Rig) -> Option<&Breaker> {
    rig.engine.breakers().get(&BreakerId::spend())
}

fn n_bought(rig: &mut Rig) -> u32 {
    rig.take_launches().iter().map(|launch| launch.count).sum()
}

/// Hosts come, are given jobs, and are taken back before these are done; returns when a breaker has opened.
fn taken_back(rig: &mut Rig, n_given: &mut u32) {
    for n in 0..4 {
        rig.send(whole_host(&format!("job-{n}")));
    }
    for _ in 0..10 {
        let first = *n_given;
        let starts = rig.provide(n_given);
        for start in &starts {
            rig.accept(start);
            rig.runs(start.job);
        }
        rig.wait(secs(20));
        for n in first..*n_given {
            rig.terminated(n);
        }
        rig.wait(secs(40));
        if surge(rig).is_some() {
            break;
        }
    }
    assert!(surge(rig).is_some(), "it never opened");
    rig.take_effects();
}

#[test]
fn hosts_that_are_gone_before_any_job_is_done_stop_all_buying() {
    let mut rig = rig();
    taken_back(&mut rig, &mut 1);

    rig.wait(secs(120));

    let breaker = surge(&rig).unwrap().clone();
    assert!(breaker.reason.contains("went to"), "{breaker}");
    assert!(breaker.reason.ends_with("hosts that ran nothing to its end"), "{breaker}");
    assert_eq!(n_bought(&mut rig), 0);
}

#[test]
fn a_single_host_is_bought_as_a_probe_and_an_attempt_that_ends_on_it_lets_all_go_on() {
    let mut rig = rig();
    let mut n_given = 1;
    taken_back(&mut rig, &mut n_given);

    rig.wait(SignedDuration::from_mins(6));
    let launch = rig.take_launch();
    assert_eq!(launch.count, 1);
    rig.give(&launch, n_given);
    rig.register(n_given);
    rig.wait(secs(2));
    let start = rig.take_starts().pop().unwrap();
    rig.accept(&start);
    rig.runs(start.job);
    rig.wait(SignedDuration::from_mins(10));
    assert_eq!(n_bought(&mut rig), 0, "it has not shown anything yet");
    rig.exits(start.job, 1);
    rig.wait(secs(5));

    assert!(surge(&rig).is_none(), "a job that fails by itself has come to its end");
    assert!(0 < n_bought(&mut rig) || !rig.take_starts().is_empty());
}

#[test]
fn a_probe_that_fails_waits_twice_as_long() {
    let mut rig = rig();
    let mut n_given = 1;
    taken_back(&mut rig, &mut n_given);
    rig.wait(SignedDuration::from_mins(6));
    let launch = rig.take_launch();
    rig.give(&launch, n_given);
    rig.register(n_given);
    rig.wait(secs(30));
    rig.terminated(n_given);
    rig.wait(secs(60));
    rig.take_effects();

    let breaker = surge(&rig).unwrap();
    assert_eq!(breaker.n_probes, 1);
    rig.wait(SignedDuration::from_mins(7));
    assert_eq!(n_bought(&mut rig), 0);
    rig.wait(SignedDuration::from_mins(3));
    assert_eq!(n_bought(&mut rig), 1);
}

/// Where jobs are longer than Spot hosts live, hosts do not come and go: that is Spot's usual loss.
#[test]
fn a_probe_that_outlives_what_a_surge_is_lets_all_go_on() {
    let mut rig = rig();
    let mut n_given = 1;
    taken_back(&mut rig, &mut n_given);
    rig.wait(SignedDuration::from_mins(6));
    let launch = rig.take_launch();
    rig.give(&launch, n_given);
    rig.register(n_given);
    rig.wait(secs(2));
    let start = rig.take_starts().pop().unwrap();
    rig.accept(&start);
    rig.runs(start.job);

    rig.wait(limits::SPEND_WINDOW);
    rig.terminated(n_given);
    rig.wait(secs(60));

    assert!(surge(&rig).is_none());
}

/// One host would show nothing of it; what is bought for it in vain is bought less and less often by itself.
#[test]
fn a_multi_node_job_gets_all_its_hosts_though_money_is_paid_in_vain() {
    let mut config = gangs::config();
    config.surge_floor = Some(MicroUsd::new(1_000));
    let mut rig = Rig::with(config);
    taken_back(&mut rig, &mut 1);

    rig.send(gangs::gang("g", 3, r#","market":"any""#, ""));
    rig.wait(secs(5));

    assert!(surge(&rig).is_some());
    assert_eq!(n_bought(&mut rig), 3);
}

#[test]
fn a_probe_is_probed_again_after_a_restart_and_an_order_ends_it() {
    let mut rig = rig();
    taken_back(&mut rig, &mut 1);
    rig.restart_after(secs(1));
    rig.wait(secs(60));
    assert_eq!(n_bought(&mut rig), 0);

    rig.send(order::reset_breaker(&BreakerId::spend()).to_string());
    rig.wait(secs(5));

    assert!(surge(&rig).is_none());
    assert!(1 < n_bought(&mut rig));
}

#[test]
fn hosts_that_nobody_needs_any_more_are_no_surge() {
    let mut rig = rig();
    let mut n_given = 1;
    for round in 0..6 {
        for n in 0..4 {
            rig.send(whole_host(&format!("job-{round}-{n}")));
        }
        rig.wait(secs(2));
        let first = n_given;
        for launch in rig.take_launches() {
            rig.give(&launch, n_given);
            n_given += launch.count;
        }
        for n in 0..4 {
            let job = crate::rig::job_id(&format!("job-{round}-{n}"));
            let cancel = format!(
                r#"{{"jobId":"{job}","reason":"a mistake","spillway":{{"action":"CancelJob"}}}}"#
            );
            rig.send(cancel);
        }
        rig.wait(secs(60));
        for n in first..n_given {
            rig.register(n);
        }
        rig.wait(SignedDuration::from_mins(3));
        for n in first..n_given {
            rig.terminated(n);
        }
        rig.wait(secs(5));
    }

    assert!(24 <= n_given, "hosts were bought: {n_given}");
    assert!(surge(&rig).is_none());
}

#[test]
fn where_most_of_the_fleet_works_nothing_is_held_back() {
    let mut rig = rig();
    let mut n_given = 1;
    for n in 0..20 {
        rig.send(whole_host(&format!("steady-{n}")));
    }
    for start in rig.provide(&mut n_given) {
        rig.accept(&start);
        rig.runs(start.job);
    }
    rig.wait(SignedDuration::from_mins(30));
    for n in 0..6 {
        rig.send(whole_host(&format!("late-{n}")));
    }
    let first = n_given;
    for start in rig.provide(&mut n_given) {
        rig.accept(&start);
        rig.runs(start.job);
    }
    rig.wait(secs(20));
    for n in first..n_given {
        rig.terminated(n);
    }

    rig.wait(secs(60));

    assert!(6 <= n_given - first);
    assert!(surge(&rig).is_none());
}
