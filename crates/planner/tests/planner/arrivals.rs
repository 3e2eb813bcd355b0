//! Jobs that come one after another, and what a planner that remembers makes of it.

use jiff::SignedDuration;
use spillway_core::plan::{Demand, HostView, Planner};
use spillway_core::{
    Arch, Busy, DemandKey, Market, MicroUsdPerHour, Offering, PlanInput, PlanPolicy, Planned,
};
use spillway_planner::Spillway;

use crate::world::{NOW, host_id, job, offering, policy, question, resources};

/// A small host, and one that is eight times as large for less than eight times the price.
fn shop() -> Vec<Offering> {
    vec![offering("small", 1024, 4096, 50_000), offering("large", 8192, 32_768, 240_000)]
}

fn long() -> DemandKey {
    DemandKey { expected_secs: Some(1800), ..job(1024, 4096) }
}

/// A ready host of 8 vCPU with so many jobs of one vCPU on it, that end in so many seconds.
fn host(ord: u32, n_busy: u32, ends_in_secs: u32) -> HostView {
    let busy = Busy { ends_in_secs, need: resources(1024, 4096, 0), count: n_busy };
    HostView {
        id: host_id(ord),
        arch: Arch::X86_64,
        gpu: None,
        market: Market::Spot,
        price: MicroUsdPerHour::new(240_000),
        free: resources(1024 * (8 - n_busy), 4096 * (8 - n_busy), 0),
        busy: if n_busy == 0 { Vec::new() } else { vec![busy] },
        reserved: Vec::new(),
        ready: true,
        ready_in_secs: 0,
    }
}

fn at(secs: i64, input: &PlanInput) -> PlanInput {
    PlanInput { now: NOW + SignedDuration::from_secs(secs), ..input.clone() }
}

/// The types that are bought, with how many of each.
fn types(planned: &Planned) -> Vec<(&str, u32)> {
    let of = |launch: &'_ spillway_core::plan::PlannedLaunch| launch.count;
    let launches = planned.plan.launches.iter();
    launches.map(|l| (l.choices[0].pool.instance_type.as_str(), of(l))).collect()
}

#[test]
fn a_lone_job_is_bought_the_cheapest_host_that_holds_it() {
    let planned = Spillway::default().plan(&question(&[(long(), 1)], &shop()), &policy());

    assert_eq!(types(&planned), [("small", 1)]);
}

/// A host for one, and one for five at the price of three.
fn shop_of_fives() -> Vec<Offering> {
    vec![offering("one", 1024, 4096, 50_000), offering("five", 5120, 20_480, 150_000)]
}

#[test]
fn two_jobs_out_of_the_blue_have_a_host_each_where_that_is_cheaper() {
    let input = question(&[(long(), 2)], &shop_of_fives());

    assert_eq!(types(&Spillway::default().plan(&input, &policy())), [("one", 2)]);
}

/// What is bought for two jobs after one has come every five seconds for half an hour and found room on a host that has
/// just let one go.
fn bought_after_half_an_hour(n_again: u32) -> Vec<(String, u32)> {
    let mut spillway = Spillway::default();
    for n in 0..360_i64 {
        let mut input = at(n * 5, &question(&[(long(), 1)], &shop_of_fives()));
        input.demands[0].n_again = n_again;
        input.hosts = vec![host(9, 7, 3600)];
        assert!(spillway.plan(&input, &policy()).plan.launches.is_empty());
    }
    let mut input = at(1800, &question(&[(long(), 2)], &shop_of_fives()));
    input.hosts = (0..4).map(|ord| host(ord, 8, 3600)).collect();
    types(&spillway.plan(&input, &policy())).iter().map(|(t, n)| ((*t).to_owned(), *n)).collect()
}

#[test]
fn when_jobs_have_kept_coming_the_next_two_are_bought_a_host_with_room_for_more() {
    assert_eq!(bought_after_half_an_hour(0), [("five".to_owned(), 1)]);
}

#[test]
fn jobs_that_come_back_from_lost_hosts_are_no_sign_of_more() {
    assert_eq!(bought_after_half_an_hour(1), [("one".to_owned(), 2)]);
}

#[test]
fn equal_jobs_at_once_share_the_host_that_is_cheapest_for_each() {
    let planned = Spillway::default().plan(&question(&[(long(), 16)], &shop()), &policy());

    assert_eq!(types(&planned), [("large", 2)]);
}

#[test]
fn a_short_job_goes_beside_a_long_one_and_not_on_an_idle_host() {
    let short = DemandKey { expected_secs: Some(60), ..long() };
    let mut input = question(&[(short, 1)], &shop());
    input.hosts = vec![host(0, 0, 0), host(1, 1, 7200)];

    let planned = Spillway::default().plan(&input, &policy());

    let [placement] = planned.plan.placements.as_slice() else { panic!("{planned:?}") };
    assert_eq!(placement.host, host_id(1));
}

#[test]
fn a_job_for_hours_does_not_keep_a_large_host_that_is_about_to_empty() {
    let hours = DemandKey { expected_secs: Some(4 * 3600), ..long() };
    let mut input = question(&[(hours, 1)], &shop());
    input.hosts = vec![host(0, 1, 30)];

    let planned = Spillway::default().plan(&input, &policy());

    assert_eq!(types(&planned), [("small", 1)]);
}

#[test]
fn an_idle_host_is_kept_for_half_a_boot_and_then_given_back() {
    let mut spillway = Spillway::default();
    let mut input = question(&[], &shop());
    input.hosts = vec![host(0, 0, 0)];
    let policy = PlanPolicy { boot_secs: 100, ..policy() };
    let mut given_back = |secs| spillway.plan(&at(secs, &input), &policy).plan.give_back;

    assert_eq!(given_back(0), []);
    assert_eq!(given_back(49), []);
    assert_eq!(given_back(50), [host_id(0)]);
}

#[test]
fn work_in_between_begins_the_wait_of_an_idle_host_anew() {
    let mut spillway = Spillway::default();
    let mut idle = question(&[], &shop());
    idle.hosts = vec![host(0, 0, 0)];
    let mut busy = idle.clone();
    let whole = DemandKey { need: resources(8192, 32_768, 0), ..long() };
    busy.demands = vec![Demand::new(whole, 1)];
    let policy = PlanPolicy { boot_secs: 100, ..policy() };

    assert_eq!(spillway.plan(&at(0, &idle), &policy).plan.give_back, []);
    assert_eq!(spillway.plan(&at(40, &busy), &policy).plan.give_back, []);
    assert_eq!(spillway.plan(&at(60, &idle), &policy).plan.give_back, []);
    assert_eq!(spillway.plan(&at(110, &idle), &policy).plan.give_back, [host_id(0)]);
}
