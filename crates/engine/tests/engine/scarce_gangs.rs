//! Multi-node jobs where hosts are scarce: for how long room is kept, where else it is looked for, and how often it is paid in vain.

use jiff::SignedDuration;
use spillway_core::effect::{
    Effect, LaunchAnswer, LaunchRequest, LaunchedInstance, PoolError, PoolFault,
};
use spillway_core::launch::PoolChoice;
use spillway_core::{Answer, Market};
use spillway_engine::{Caps, limits};

use crate::gangs::{config, gang, pool, rig};
use crate::rig::{Rig, job_id, secs};

/// One host is free and one is not: the free one is kept, and for how long is limited.
#[test]
fn room_that_is_kept_is_given_up_after_a_while() {
    let mut rig = rig(Some(2));
    rig.run_job(
        "busy",
        "",
        r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#,
        1,
    );
    rig.run_job(
        "brief",
        "",
        r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#,
        2,
    );
    rig.send(gang("g", 2, r#","market":"any""#, ""));
    rig.wait(secs(2));
    rig.exits(job_id("brief"), 0);
    rig.take_effects();

    rig.wait(rig.config.idle_timeout.saturating_mul(3));
    let is_drain = |effect: &Effect| matches!(effect, Effect::Drain { .. });
    assert!(!rig.take_effects().iter().any(is_drain), "its host is kept");
    assert_eq!(rig.status(job_id("g")), "RUNNABLE");
    rig.wait(limits::GANG_HOLD_MAX);

    assert!(rig.take_effects().iter().any(is_drain), "nothing is kept for ever");
}

/// EC2 gives so many of what was asked for, numbered from `first`, and has no more in any of the pools.
fn give_part(rig: &mut Rig, launch: &LaunchRequest, n: u32, first: u32) {
    let dry = |choice: &PoolChoice| PoolError {
        pool: Some(choice.pool.clone()),
        fault: PoolFault::NoCapacity,
        code: "InsufficientInstanceCapacity".into(),
    };
    let given = |n: u32| LaunchedInstance {
        id: Rig::instance(n),
        pool: launch.choices[0].pool.clone(),
        launched_at: Some(rig.now),
    };
    let instances = (first..first + n).map(given).collect();
    let errors = launch.choices.iter().map(dry).collect();
    let answer = LaunchAnswer { instances, errors, request_id: None };
    rig.answer(Answer::Launch { launch: launch.launch, result: Ok(answer) });
}

/// There is one Spot host, ever, and a job needs two at once: what is paid for nothing becomes less and less.
#[test]
fn hosts_are_bought_in_vain_less_and_less_often() {
    let mut rig = rig(None);
    rig.send(gang("g", 2, r#","market":"spot""#, ""));
    let (begun, mut bought, mut alive) = (rig.now, Vec::new(), 0);
    while rig.now < begun + SignedDuration::from_hours(12) {
        rig.wait(secs(20));
        for effect in rig.take_effects() {
            match effect {
                Effect::Launch(launch) => {
                    let n = u32::from(alive == 0);
                    alive += n;
                    let ord = u32::try_from(bought.len()).unwrap() + 1;
                    give_part(&mut rig, &launch, n, ord);
                    if 0 < n {
                        bought.push(rig.now);
                        rig.register(ord);
                    }
                }
                Effect::Drain { .. } => {
                    rig.terminated(u32::try_from(bought.len()).unwrap());
                    alive = 0;
                }
                _ => {}
            }
        }
    }

    let pauses: Vec<i64> =
        bought.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs() / 60).collect();
    assert!((5..20).contains(&bought.len()), "{pauses:?}");
    assert!(55 <= *pauses.last().unwrap(), "{pauses:?}");
    assert_eq!(rig.status(job_id("g")), "RUNNABLE");
}

/// What one keeps for as long as may be is not kept as long again by the next.
#[test]
fn room_is_not_kept_by_one_job_after_another() {
    let mut rig = rig(Some(2));
    let two_vcpus =
        r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#;
    rig.run_job("busy", "", two_vcpus, 1);
    rig.run_job("brief", "", two_vcpus, 2);
    for token in ["a", "b", "c", "d"] {
        rig.send(gang(token, 2, r#","market":"any""#, ""));
    }
    rig.wait(secs(2));
    rig.exits(job_id("brief"), 0);
    rig.take_effects();

    rig.wait(limits::GANG_HOLD_MAX + rig.config.idle_timeout.saturating_mul(2));

    let is_drain = |effect: &Effect| matches!(effect, Effect::Drain { .. });
    assert!(rig.take_effects().iter().any(is_drain), "nothing is kept for ever");
}

#[test]
fn a_job_whose_first_pool_has_nothing_goes_to_the_next() {
    let mut config = config();
    config.pools = vec![
        pool("cheap", vec![Market::Spot], Caps::default()),
        pool("rest", vec![Market::OnDemand], Caps::default()),
    ];
    let mut rig = Rig::with(config);
    rig.send(gang("g", 3, r#","market":"any""#, ""));
    rig.wait(secs(2));

    // Spot has nothing anywhere.
    let mut launches = Vec::new();
    for _ in 0..20 {
        launches = rig.take_launches();
        if launches.iter().any(|launch| launch.choices[0].pool.market == Market::OnDemand) {
            break;
        }
        for launch in &launches {
            give_part(&mut rig, launch, 0, 1);
        }
        rig.wait(secs(2));
    }

    let on_demand = |launch: &&LaunchRequest| launch.choices[0].pool.market == Market::OnDemand;
    assert_eq!(launches.iter().filter(on_demand).map(|launch| launch.count).sum::<u32>(), 3);
}
