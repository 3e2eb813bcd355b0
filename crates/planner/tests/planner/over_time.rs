//! Promises of the dispatcher's plan, that knows of time: soundness, idempotence, no order, and that nobody waits for ever.

use proptest::prelude::*;
use spillway_core::plan::{Demand, DemandKey, Headroom, HostView, WaitReason};
use spillway_core::{
    Arch, Busy, CpuUnits, Market, MarketRule, MicroUsdPerHour, Offering, PlanInput, PlanPolicy,
    Planned, Planner, PoolId,
};
use spillway_planner::Spillway;
use spillway_planner::check::check;

use crate::properties::shuffled;
use crate::world::{
    carried_out, host_id, job, offering, policies, policy, question, questions, resources,
};

/// What a dispatcher that remembers nothing plans.
fn plan(input: &PlanInput, policy: &PlanPolicy) -> Planned {
    Spillway::default().plan(input, policy)
}

/// A host of 16 vCPU with nothing on it, kept for these.
fn empty_host(ord: u32, reserved: &[(DemandKey, u32)], ready: bool) -> HostView {
    HostView {
        gpu: None,
        id: host_id(ord),
        arch: Arch::X86_64,
        market: Market::Spot,
        price: MicroUsdPerHour::new(100_000),
        free: resources(16_384, 65_536, 0),
        busy: Vec::new(),
        reserved: reserved.to_vec(),
        ready,
        ready_in_secs: if ready { 0 } else { 60 },
    }
}

/// Found by `cargo xtask random-problems`, seed 1, case 469 of its first version.
#[test]
fn a_host_that_boots_is_given_no_more_than_fits_beside_what_it_was_bought_for() {
    let short = DemandKey { expected_secs: Some(60), ..job(8192, 1024) };
    let long = DemandKey { expected_secs: Some(4000), ..job(8192, 1024) };
    let offerings = [offering("large", 16_384, 65_536, 900_000)];
    let mut input = question(&[(short, 4), (long, 2)], &offerings);
    // The work of the first starts on the idle one; then the first is there for what the second was bought for.
    let bought_for = [(short, 2)];
    input.hosts = vec![
        empty_host(0, &bought_for, false),
        empty_host(1, &bought_for, false),
        empty_host(2, &[], true),
    ];

    let planned = plan(&input, &policy());

    assert_eq!(check(&input, &policy(), &planned), vec![]);
    assert_eq!(planned.report.waiting, vec![]);
}

/// Found by `cargo xtask random-problems`, seed 1, case 438 of its first version.
#[test]
fn nobody_waits_for_room_on_a_host_that_was_bought_and_did_not_come() {
    let now = DemandKey { expected_secs: Some(600), ..job(1024, 1024) };
    let patient = DemandKey { patience_secs: 7200, ..now };
    let offerings = [offering("one", 1024, 2048, 100_000)];
    let input = question(&[(now, 1), (patient, 1)], &offerings);
    let mut planner = Spillway::default();
    let first = planner.plan(&input, &policy());
    let is_room_expected = |planned: &Planned| {
        let reasons = planned.report.waiting.iter().map(|line| &line.reason);
        { reasons }.any(|reason| matches!(reason, WaitReason::RoomExpected { .. }))
    };
    let limited =
        PlanInput { headroom: Headroom { hosts: Some(0), ..Headroom::default() }, ..input.clone() };

    let again = planner.plan(&limited, &policy());

    assert!(is_room_expected(&first), "{first:?}");
    assert!(!is_room_expected(&again), "{again:?}");
}

/// Found by `cargo xtask random-problems`, seed 1, case 2119 of its first version.
#[test]
fn what_waits_for_room_starts_when_the_host_is_idle_sooner_than_was_thought() {
    let key = DemandKey { expected_secs: Some(600), patience_secs: 7200, ..job(8192, 1024) };
    let offerings = [offering("large", 16_384, 65_536, 900_000)];
    let mut input = question(&[(key, 1)], &offerings);
    let busy = Busy { ends_in_secs: 180, need: resources(16_384, 1024, 0), count: 1 };
    let host = empty_host(0, &[], true);
    let full = HostView { free: resources(0, 1024, 0), busy: vec![busy], ..host.clone() };
    input.hosts = vec![full];
    let mut planner = Spillway::default();
    let first = planner.plan(&input, &policy());
    input.hosts = vec![host];

    let again = planner.plan(&input, &policy());

    assert_eq!((first.plan.placements.len(), first.plan.launches.len()), (0, 0));
    assert_eq!(again.plan.placements.len(), 1);
}

/// Found by `cargo xtask random-problems`, seed 1, case 35939.
#[test]
fn nobody_waits_for_room_on_a_host_that_registered_with_less_than_was_thought() {
    let now = DemandKey { expected_secs: Some(600), ..job(1024, 1024) };
    let patient = DemandKey { patience_secs: 7200, ..now };
    let mut input = question(&[(now, 1), (patient, 1)], &[offering("one", 1024, 1024, 100_000)]);
    let mut planner = Spillway::default();
    let first = planner.plan(&input, &policy());
    let host = HostView { free: resources(1024, 960, 0), ..empty_host(0, &[(now, 1)], true) };
    input.hosts = vec![host];
    input.headroom.hosts = Some(0);

    let again = planner.plan(&input, &policy());

    assert_eq!((first.plan.n_hosts(), first.report.waiting.len()), (1, 1));
    assert_eq!(check(&input, &policy(), &again), vec![]);
}

/// Found by lot: a host is bought for one job that may not wait and two that may; then another host is bought, which holds
/// that one job too, and what waits for the first would wait for no host at all.
#[test]
fn nobody_waits_for_room_on_a_host_that_is_not_bought_after_all() {
    let patient = DemandKey {
        market: MarketRule::Spot,
        expected_secs: Some(3600),
        patience_secs: 7200,
        ..job(1024, 2047)
    };
    let now = DemandKey { arch: Some(Arch::X86_64), expected_secs: Some(3600), ..job(4096, 1) };
    let on_demand =
        |of: Offering| Offering { pool: PoolId { market: Market::OnDemand, ..of.pool }, ..of };
    let offerings = [
        offering("spot", 4096, 7800, 478_916),
        on_demand(offering("cheap", 8192, 65_536, 33_360)),
        on_demand(offering("dear", 8192, 65_536, 1_191_537)),
        on_demand(offering("small", 2048, 65_536, 20_106)),
    ];
    let mut input = question(&[(patient, 2), (now, 5)], &offerings);
    input.demands[1] = Demand { waited_secs: 500, n_again: 1, ..input.demands[1] };
    let host = HostView {
        market: Market::OnDemand,
        free: resources(4096, 1000, 0),
        ..empty_host(0, &[], true)
    };
    input.hosts = vec![host];
    input.headroom =
        Headroom { hosts: Some(3), cpu: Some(CpuUnits::from_vcpus(20)), ..Headroom::default() };
    let mut planner = Spillway::default();
    let first = planner.plan(&input, &policy());
    let after = carried_out(&input, &first);

    let again = planner.plan(&after, &policy());

    assert_eq!(again.plan.launches, vec![]);
    assert_eq!(first.report.waiting, vec![]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_judge_finds_nothing_wrong_with_any_plan_over_time(input in questions(), policy in policies()) {
        let planned = plan(&input, &policy);

        prop_assert_eq!(check(&input, &policy, &planned), vec![]);
        prop_assert!(planned.report.bound <= planned.plan.price());
    }

    #[test]
    fn a_plan_over_time_that_was_carried_out_leaves_nothing_to_buy_and_moves_nothing(input in questions()) {
        let (mut planner, policy) = (Spillway::default(), policy());
        let planned = planner.plan(&input, &policy);
        let after = carried_out(&input, &planned);

        let again = planner.plan(&after, &policy);

        prop_assert_eq!(&again.plan.launches, &vec![]);
        for placement in &again.plan.placements {
            let host = after.hosts.iter().find(|host| host.id == placement.host).unwrap();
            let reserved = host.reserved.iter().filter(|(key, _)| *key == placement.key);
            let reserved: u32 = reserved.map(|(_, count)| count).sum();
            prop_assert!(!host.ready, "work for a host that was ready was placed at once");
            prop_assert_eq!(placement.count, reserved);
        }
    }

    #[test]
    fn the_order_of_jobs_hosts_and_offerings_changes_no_plan_over_time(input in questions(), seed in 0_usize..64) {
        let policy = policy();

        prop_assert_eq!(plan(&shuffled(&input, seed), &policy), plan(&input, &policy));
    }

    #[test]
    fn nobody_waits_for_room_longer_than_a_new_host_and_patience_allow(mut input in questions()) {
        let policy = policy();
        input.headroom = Headroom::default();
        input.cooling.clear();
        for demand in &mut input.demands {
            demand.waited_secs = policy.boot_secs + demand.key.patience_secs + 1;
        }

        let planned = plan(&input, &policy);

        for line in &planned.report.waiting {
            prop_assert!(matches!(line.reason, WaitReason::TooLarge(_) | WaitReason::NoCatalog), "{line:?}");
        }
    }
}
