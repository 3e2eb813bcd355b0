//! ECS starts a limited number of tasks in a second: nothing is bought for more than can be started soon.

use std::num::NonZeroU32;

use proptest::prelude::*;

use spillway_core::plan::{DemandKey, HostView, WaitReason};
use spillway_core::{
    Arch, Busy, Market, MicroUsdPerHour, PlanInput, PlanPolicy, Planned, Planner, Resources,
};
use spillway_planner::Spillway;
use spillway_planner::check::check;

use crate::world::{host_id, job, offering, policy, question, questions, resources};

fn at_rate(per_sec: u32) -> PlanPolicy {
    PlanPolicy { task_starts_per_sec: NonZeroU32::new(per_sec), ..policy() }
}

/// A million jobs of one vCPU, and hosts of sixteen.
fn million(expected_secs: Option<u32>) -> PlanInput {
    let key = DemandKey { expected_secs, ..job(1024, 1024) };
    question(&[(key, 1_000_000)], &[offering("c5.4xlarge", 16_384, 30_000, 160_000)])
}

/// A host of that size.
fn host(ord: u32, free: Resources) -> HostView {
    HostView {
        id: host_id(ord),
        arch: Arch::X86_64,
        gpu: None,
        market: Market::Spot,
        price: MicroUsdPerHour::new(160_000),
        free,
        busy: Vec::new(),
        reserved: Vec::new(),
        ready: true,
        ready_in_secs: 0,
    }
}

fn checked(input: &PlanInput, policy: &PlanPolicy) -> Planned {
    let planned = Spillway::default().plan(input, policy);
    assert_eq!(check(input, policy, &planned), vec![]);
    planned
}

/// For how many jobs there is room on what is bought.
fn n_bought_for(planned: &Planned) -> u64 {
    u64::from(planned.plan.n_hosts()) * 16
}

#[test]
fn of_a_million_jobs_those_get_hosts_that_can_be_started_soon() {
    let input = million(None);

    let planned = checked(&input, &at_rate(40));

    // Half as long again as a host boots: 135 s.
    assert_eq!(n_bought_for(&planned).div_ceil(16), (40_u64 * 135).div_ceil(16));
    let [waiting] = &planned.report.waiting[..] else { panic!("{:?}", planned.report) };
    assert_eq!(waiting.reason, WaitReason::StartRate { per_sec: 40 });
    assert_eq!(u64::from(waiting.count), 1_000_000 - 40 * 135);
}

#[test]
fn short_jobs_get_no_more_hosts_than_can_be_kept_busy() {
    let planned = checked(&million(Some(20)), &at_rate(40));

    // 20 s, and 15 s until the place is free again.
    assert_eq!(n_bought_for(&planned), (40_u64 * 35).next_multiple_of(16));
}

#[test]
fn without_a_rate_all_that_waits_is_bought_for() {
    let planned = checked(&million(None), &policy());

    assert_eq!(n_bought_for(&planned), 1_000_000);
}

#[test]
fn nothing_is_bought_while_there_is_room_for_all_that_can_be_started() {
    let mut input = million(None);
    for ord in 0..250 {
        input.hosts.push(host(ord, resources(16_384, 30_000, 0)));
    }

    let planned = checked(&input, &at_rate(40));

    assert_eq!(planned.plan.n_hosts(), 0);
    let n_placed: u32 = planned.plan.placements.iter().map(|p| p.count).sum();
    assert_eq!(n_placed, 160, "no more than four seconds of starts");
}

#[test]
fn hosts_whose_jobs_last_longer_than_a_boot_leave_the_starts_to_new_ones() {
    let full = |ends_in_secs: u32| {
        let mut input = million(None);
        for ord in 0..250 {
            let mut host = host(ord, resources(0, 14_000, 0));
            host.busy = vec![Busy { ends_in_secs, need: resources(1024, 1024, 0), count: 16 }];
            input.hosts.push(host);
        }
        n_bought_for(&checked(&input, &at_rate(40)))
    };

    assert_eq!(full(100), 0, "4,000 places come free, enough for 100 s");
    assert_eq!(full(3_600), (40_u64 * 135).next_multiple_of(16));
}

/// 160 hosts that are full of jobs of one vCPU, which end one by one within a minute.
fn busy_hosts(input: &mut PlanInput) {
    for ord in 0..160 {
        let mut host = host(ord, resources(0, 14_000, 0));
        let busy = |n: u32| Busy { ends_in_secs: n * 4, need: resources(1024, 1024, 0), count: 1 };
        host.busy = (0..16).map(busy).collect();
        input.hosts.push(host);
    }
}

#[test]
fn the_last_of_many_short_jobs_start_where_the_others_end() {
    let key = DemandKey { expected_secs: Some(60), ..job(1024, 1024) };
    let mut input = question(&[(key, 2_400)], &[offering("c5.4xlarge", 16_384, 30_000, 160_000)]);
    busy_hosts(&mut input);

    // 2,400 are started in 60 s, and 2,560 places come free in that time.
    assert_eq!(n_bought_for(&checked(&input, &at_rate(40))), 0);
    input.hosts.truncate(40);
    assert_eq!(n_bought_for(&checked(&input, &at_rate(40))), 2_400 - 640);
}

#[test]
fn jobs_that_fit_nothing_that_comes_free_are_bought_for_beside_many_that_do() {
    let short = DemandKey { expected_secs: Some(60), ..job(1024, 1024) };
    let large = DemandKey { expected_secs: Some(60), ..job(8_192, 1024) };
    let offerings = [offering("c5.4xlarge", 16_384, 30_000, 160_000)];
    let mut input = question(&[(short, 100_000), (large, 1_000)], &offerings);
    busy_hosts(&mut input);

    let planned = checked(&input, &at_rate(40));

    let large_bought: u32 = planned
        .plan
        .launches
        .iter()
        .map(|launch| {
            let of_large = launch.contents.iter().filter(|(key, _)| *key == large);
            launch.count * of_large.map(|(_, n)| n).sum::<u32>()
        })
        .sum();
    assert_eq!(large_bought, 3_000 * 1_000 / 101_000 + 1, "their part of the starts in 75 s");
}

proptest! {
    #[test]
    fn any_plan_at_any_rate_is_sound(input in questions(), per_sec in 1_u32..40) {
        let policy = at_rate(per_sec);
        let planned = Spillway::default().plan(&input, &policy);
        prop_assert_eq!(check(&input, &policy, &planned), vec![]);
    }
}
