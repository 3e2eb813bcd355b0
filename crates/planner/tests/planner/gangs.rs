//! Multi-node jobs: whole or not at all, beside every other promise.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use spillway_core::plan::{DemandKey, GangDemand, GangVerdict, Headroom, HostView, PlannedLaunch};
use spillway_core::{Catalog, Hazard, HostId, JobId, Offering, PlanInput, Planned, Planner};
use spillway_planner::Spillway;
use spillway_planner::check::{GangFault, Violation, check};

use crate::properties::shuffled;
use crate::world::{
    NOW, carried_out, host_id, job, keys, offering, policies, policy, question, questions,
};

fn gang_id(n: u32) -> JobId {
    JobId::derive(&"q".parse().unwrap(), &n.to_string())
}

fn gang(n: u32, nodes: &[(DemandKey, u32)]) -> GangDemand {
    GangDemand { job: gang_id(n), nodes: nodes.to_vec(), hold_secs: 900 }
}

fn solve(input: &PlanInput) -> Planned {
    Spillway::default().plan(input, &policy())
}

fn host(ord: u32, cpu: u32, ready: bool) -> HostView {
    HostView {
        id: host_id(ord),
        arch: spillway_core::Arch::X86_64,
        market: spillway_core::Market::Spot,
        gpu: None,
        price: spillway_core::MicroUsdPerHour::new(1000),
        free: crate::world::resources(cpu, 8192, 0),
        busy: Vec::new(),
        reserved: Vec::new(),
        ready,
        ready_in_secs: if ready { 0 } else { 30 },
    }
}

/// Small gangs of up to two kinds of node.
fn gangs() -> impl Strategy<Value = Vec<GangDemand>> {
    let nodes = proptest::collection::btree_map(keys(), 1_u32..4, 1..=2);
    let hold = proptest::sample::select(vec![0_u32, 60, 900]);
    proptest::collection::vec((nodes, hold), 1..4).prop_map(|drawn| {
        let gang = |(n, (nodes, hold_secs)): (u32, (std::collections::BTreeMap<_, _>, u32))| {
            let nodes =
                nodes.into_iter().map(|(key, n)| (DemandKey { patience_secs: 0, ..key }, n));
            GangDemand { job: gang_id(n), nodes: nodes.collect(), hold_secs }
        };
        (0..).zip(drawn).map(gang).collect()
    })
}

/// Whether every node could have a host of its own, tried one by one.
fn can_start(nodes: &[DemandKey], hosts: &[&HostView], used: &mut BTreeSet<HostId>) -> bool {
    let Some((key, rest)) = nodes.split_first() else { return true };
    for host in hosts {
        let mut free = host.free;
        for (other, n) in &host.reserved {
            let kept = other.need.checked_mul(*n).unwrap_or(free);
            free = free.saturating_sub(&kept);
        }
        if key.allows(host.traits()) && key.need.fits(&free) && used.insert(host.id) {
            let is_done = can_start(rest, hosts, used);
            used.remove(&host.id);
            if is_done {
                return true;
            }
        }
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_judge_finds_nothing_wrong_with_any_plan_that_has_gangs(
        input in questions(), policy in policies(), gangs in gangs(), seated in any::<u8>(),
    ) {
        let mut input = input;
        input.gangs.waiting = gangs;
        let seated_hosts = input.hosts.iter().enumerate().filter(|(n, _)| n % 8 == usize::from(seated % 8));
        input.gangs.hosts = seated_hosts.map(|(_, host)| host.id).collect();

        let planned = Spillway::default().plan(&input, &policy);

        prop_assert_eq!(check(&input, &policy, &planned), vec![]);
        prop_assert!(planned.report.bound <= planned.plan.price());
        let other = Spillway::default().plan(&shuffled(&input, 7), &policy);
        prop_assert_eq!(other.plan.gangs, planned.plan.gangs);
    }

    #[test]
    fn one_that_may_hold_nothing_starts_exactly_where_there_is_room_for_all_at_once(
        input in questions(), gangs in gangs(),
    ) {
        let mut input = input;
        input.gangs.waiting = gangs;
        input.gangs.waiting.truncate(1);
        input.gangs.waiting[0].hold_secs = 0;
        let nodes: Vec<DemandKey> = input.gangs.waiting[0].nodes.iter()
            .flat_map(|(key, n)| std::iter::repeat_n(*key, usize::try_from(*n).unwrap()))
            .collect();
        let ready: Vec<&HostView> = input.hosts.iter().filter(|host| host.ready).collect();

        let planned = solve(&input);

        let starts = planned.plan.gangs[0].verdict == GangVerdict::Start;
        prop_assert_eq!(starts, can_start(&nodes, &ready, &mut BTreeSet::new()));
    }

    #[test]
    fn without_limits_whatever_is_sold_is_bought_whole_and_starts_when_it_has_booted(
        input in questions(), gangs in gangs(),
    ) {
        let mut input = input;
        input.headroom = Headroom::default();
        // What interruptions may destroy counts for new hosts only: a node may be better off where another was bought for.
        let safe = input.catalog.offerings().iter().cloned();
        let safe = safe.map(|offering| Offering { hazard: Hazard::default(), ..offering }).collect();
        input.catalog = Arc::new(Catalog::new(NOW, safe));
        // And what hosts were bought for is not there, which may come or stay away meanwhile.
        input.hosts.iter_mut().for_each(|host| host.reserved.clear());
        input.gangs.waiting = gangs;
        input.gangs.waiting.truncate(1);
        input.gangs.waiting[0].hold_secs = 900;

        let planned = solve(&input);

        let plan = &planned.plan.gangs[0];
        let GangVerdict::Hold { .. } = plan.verdict else { return Ok(()) };
        let n_bought: u32 = plan.launches.iter().map(|launch| launch.count).sum();
        let n_seats = u32::try_from(plan.seats.len()).unwrap();
        if n_bought == 0 {
            // Room that boots or comes free is kept, and what else it takes is bought then.
            return Ok(());
        }
        prop_assert_eq!(n_bought + n_seats, input.gangs.waiting[0].n_nodes());
        let mut after = carried_out(&input, &planned);
        let launches: Vec<PlannedLaunch> = plan.launches.clone();
        for (ord, launch) in (5000..).step_by(100).zip(&launches) {
            for n in 0..launch.count {
                let mut bought = host(ord + n, 0, true);
                let offering = input.catalog.get(&launch.choices[0].pool).unwrap();
                bought.arch = launch.arch;
                bought.gpu = offering.gpu;
                bought.market = launch.choices[0].pool.market;
                bought.price = launch.choices[0].price;
                bought.free = launch.capacity;
                after.hosts.push(bought);
            }
        }
        for host in &mut after.hosts {
            (host.ready, host.ready_in_secs) = (true, 0);
        }
        let again = solve(&after);

        prop_assert_eq!(&again.plan.gangs[0].verdict, &GangVerdict::Start);
    }
}

#[test]
fn two_that_need_the_same_hosts_never_hold_half_of_them_each() {
    let mut input = question(&[], &[]);
    input.headroom = Headroom { hosts: Some(0), ..Headroom::default() };
    input.hosts = (0..3).map(|ord| host(ord, 4096, true)).collect();
    input.gangs.waiting = vec![gang(0, &[(job(4096, 512), 2)]), gang(1, &[(job(4096, 512), 2)])];

    let planned = solve(&input);

    let [first, second] = planned.plan.gangs.as_slice() else { panic!("two were asked for") };
    assert_eq!((&first.verdict, first.seats.len()), (&GangVerdict::Start, 2));
    assert!(matches!(second.verdict, GangVerdict::Wait { .. }) && second.seats.is_empty());
}

#[test]
fn what_ordinary_jobs_wait_for_is_not_what_a_gang_is_kept() {
    let mut input = question(&[(job(4096, 512), 5)], &[]);
    input.headroom = Headroom { hosts: Some(0), ..Headroom::default() };
    input.hosts = vec![host(0, 4096, true), host(1, 4096, false)];
    input.gangs.waiting = vec![gang(0, &[(job(4096, 512), 2)])];

    let planned = solve(&input);

    assert!(matches!(planned.plan.gangs[0].verdict, GangVerdict::Hold { .. }));
    assert!(planned.plan.placements.is_empty());
}

#[test]
fn nodes_go_where_together_they_cost_least() {
    // The large host could take the small node too, but then nothing would be left for the large one.
    let mut input = question(&[], &[]);
    input.headroom = Headroom { hosts: Some(0), ..Headroom::default() };
    input.hosts = vec![host(0, 8192, true), host(1, 1024, true)];
    input.gangs.waiting = vec![gang(0, &[(job(1024, 512), 1), (job(8192, 512), 1)])];

    let planned = solve(&input);

    assert_eq!(planned.plan.gangs[0].verdict, GangVerdict::Start);
}

#[test]
fn a_limit_in_the_way_of_the_last_node_keeps_all_from_being_bought() {
    let mut input = question(&[], &[offering("c5.large", 2048, 4096, 1000)]);
    input.headroom = Headroom { hosts: Some(2), ..Headroom::default() };
    input.gangs.waiting = vec![gang(0, &[(job(2048, 512), 3)])];

    let planned = solve(&input);

    assert!(matches!(planned.plan.gangs[0].verdict, GangVerdict::Wait { .. }));
    assert_eq!(planned.plan.n_hosts(), 0);
    input.headroom.hosts = Some(3);
    assert_eq!(solve(&input).plan.n_hosts(), 3);
}

#[test]
fn the_judge_sees_every_way_to_have_a_gang_in_parts() {
    let mut input = question(&[], &[offering("c5.large", 4096, 8192, 1000)]);
    input.hosts = vec![host(0, 4096, true), host(1, 4096, true)];
    input.gangs.waiting = vec![gang(0, &[(job(4096, 512), 2)])];
    let sound = solve(&input);
    assert_eq!(check(&input, &policy(), &sound), vec![]);
    let faults = |change: &dyn Fn(&mut Planned)| -> Vec<GangFault> {
        let mut planned = sound.clone();
        change(&mut planned);
        let found = check(&input, &policy(), &planned).into_iter();
        found
            .filter_map(|v| if let Violation::Gang { what, .. } = v { Some(what) } else { None })
            .collect()
    };

    assert_eq!(faults(&|p| p.plan.gangs.clear()), [GangFault::NotAnswered]);
    assert_eq!(faults(&|p| p.plan.gangs[0].seats.truncate(1)), [GangFault::Partial]);
    assert!(faults(&|p| p.plan.gangs[0].seats[1].host = host_id(0)).contains(&GangFault::Shared));
    assert!(faults(&|p| p.plan.gangs[0].seats[1].host = host_id(9)).contains(&GangFault::BadSeat));
    assert_eq!(faults(&|p| p.plan.gangs[0].verdict = GangVerdict::Paused).len(), 2);
}
