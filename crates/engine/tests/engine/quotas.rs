//! Quotas of the account that EC2 refuses to go beyond: what there is of them is used, and more is asked for by one probe at a time.

use spillway_core::effect::{LaunchAnswer, LaunchRequest, LaunchedInstance, PoolError, PoolFault};
use spillway_core::{Answer, Breaker, BreakerId, CpuUnits, Effect, JobId};
use spillway_engine::limits;

use crate::rig::{Rig, job_id, message, secs};

/// By then a probe may go, and those who wait are not told any more that the room of others will do.
const DUE: jiff::SignedDuration = jiff::SignedDuration::from_mins(20);

/// A job on Spot that fills a host of two vCPUs.
fn spot(token: &str) -> String {
    let two = r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#;
    message(token, r#","market":"spot""#, two)
}

fn quota() -> BreakerId {
    BreakerId::quota("spot/standard".parse().unwrap())
}

fn open(rig: &Rig) -> Option<&Breaker> {
    rig.engine.breakers().get(&quota())
}

/// EC2 gives so many of what was asked for, numbered from `first`; the rest would be beyond the quota.
fn give_within(rig: &mut Rig, launch: &LaunchRequest, n: u32, first: u32) {
    let given = |ord: u32| LaunchedInstance {
        id: Rig::instance(ord),
        pool: launch.choices[0].pool.clone(),
        launched_at: Some(rig.now),
    };
    let error = |choice: &spillway_core::launch::PoolChoice| PoolError {
        pool: Some(choice.pool.clone()),
        fault: PoolFault::QuotaReached,
        code: "MaxSpotInstanceCountExceeded".into(),
    };
    let errors = if n < launch.count { launch.choices.iter().map(error).collect() } else { vec![] };
    let answer = LaunchAnswer {
        instances: (first..first + n).map(given).collect(),
        errors,
        request_id: None,
    };
    rig.answer(Answer::Launch { launch: launch.launch, result: Ok(answer) });
}

/// Of four jobs that need a host each two run, on instances 1 and 2: the quota is four vCPUs.
fn with_two_of_four() -> (Rig, Vec<JobId>) {
    let mut rig = Rig::new();
    for token in ["a", "b", "c", "d"] {
        rig.send(spot(token));
    }
    rig.wait(secs(2));
    let mut n = 0;
    for launch in rig.take_launches() {
        let given = launch.count.min(2 - n);
        give_within(&mut rig, &launch, given, n + 1);
        n += given;
    }
    rig.register(1);
    rig.register(2);
    let starts = rig.take_starts();
    for start in &starts {
        rig.accept(start);
        rig.runs(start.job);
    }
    (rig, starts.iter().map(|start| start.job).collect())
}

fn launches_within(rig: &mut Rig, time: jiff::SignedDuration) -> Vec<LaunchRequest> {
    let end = rig.now + time;
    let mut launches = Vec::new();
    while rig.now < end {
        rig.wait(secs(10));
        launches.extend(rig.take_launches());
    }
    launches
}

#[test]
fn what_was_in_use_when_ec2_refused_more_is_as_much_as_is_bought() {
    let (mut rig, running) = with_two_of_four();

    assert_eq!(running.len(), 2);
    assert_eq!(open(&rig).and_then(|b| b.ceiling), Some(CpuUnits::from_vcpus(5)));
    assert_eq!(launches_within(&mut rig, limits::POOL_COOLDOWN - secs(30)), []);
}

#[test]
fn what_a_host_gives_back_is_bought_again_at_once() {
    let (mut rig, running) = with_two_of_four();
    let ended = rig.state(running[0]).live_attempt().unwrap().host;
    rig.exits(running[0], 0);
    rig.wait(secs(2));

    // Another job is on its host.
    let starts = rig.take_starts();
    assert_eq!(starts.len(), 1);
    assert_eq!(rig.state(starts[0].job).live_attempt().unwrap().host, ended);
    // When the host is lost there is room for another.
    rig.terminated(1);
    rig.terminated(2);
    rig.wait(secs(60));

    let launches = rig.take_launches();
    assert_eq!(launches.iter().map(|launch| launch.count).sum::<u32>(), 2, "{launches:?}");
    assert!(open(&rig).is_some(), "it is not known whether there is more");
}

#[test]
fn one_probe_goes_beyond_and_the_next_waits_longer_if_it_is_refused() {
    let (mut rig, _) = with_two_of_four();

    let first = launches_within(&mut rig, DUE);
    assert_eq!(first.len(), 1, "{first:?}");
    give_within(&mut rig, &first[0], 0, 3);
    assert_eq!(launches_within(&mut rig, limits::POOL_COOLDOWN + secs(60)), []);
    let second = launches_within(&mut rig, limits::POOL_COOLDOWN);

    assert_eq!(second.len(), 1, "{second:?}");
    assert_eq!(open(&rig).map(|b| (b.n_probes, b.n_failed)), Some((1, 2)));
}

#[test]
fn a_probe_that_is_served_shows_that_there_is_more() {
    let (mut rig, _) = with_two_of_four();

    let probe = launches_within(&mut rig, DUE);
    give_within(&mut rig, &probe[0], probe[0].count, 3);

    assert_eq!(open(&rig), None);
}

#[test]
fn a_dispatcher_that_starts_again_knows_what_there_is() {
    let (mut rig, _) = with_two_of_four();

    rig.restart();

    assert_eq!(open(&rig).and_then(|b| b.ceiling), Some(CpuUnits::from_vcpus(5)));
    assert_eq!(launches_within(&mut rig, limits::POOL_COOLDOWN - secs(60)), []);
}

#[test]
fn who_may_goes_on_demand_meanwhile() {
    let (mut rig, _) = with_two_of_four();
    let two = r#","containerOverrides":{"resourceRequirements":[{"type":"VCPU","value":"2"}]}"#;
    rig.send(message("any", r#","market":"any""#, two));
    rig.wait(secs(5));

    let launches: Vec<Effect> = rig.take_effects();
    let on_demand = |effect: &&Effect| matches!(effect, Effect::Launch(l) if l.market == spillway_core::Market::OnDemand);
    assert_eq!(launches.iter().filter(on_demand).count(), 1);
    assert_eq!(rig.status(job_id("any")), "RUNNABLE");
}
