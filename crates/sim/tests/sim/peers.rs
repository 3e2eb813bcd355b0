//! Models of others: each plan is sound by the planner's judge in any world, small cases are decided as the product would, and none
//! falls over at absurd input.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use spillway_core::id::LaunchId;
use spillway_core::plan::{Demand, DemandKey, Headroom, HostView, PlannedLaunch, WaitReason};
use spillway_core::{
    Arch, Catalog, CpuUnits, GpuKind, GpuKinds, Hazard, HostId, Market, MarketRule, MiB,
    MicroUsdPerHour, Offering, PlanInput, PlanPolicy, Planned, PoolId, Resources,
};
use spillway_planner::check::check;
use spillway_sim::dice::{Dice, Roll};
use spillway_sim::peer::{PEERS, Peer};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn resources(cpu: u32, memory: u32, gpus: u32) -> Resources {
    Resources::new(CpuUnits::new(cpu), MiB::new(memory), gpus)
}

fn job(cpu: u32, memory: u32) -> DemandKey {
    DemandKey {
        need: resources(cpu, memory, 0),
        arch: None,
        gpu_kinds: GpuKinds::ANY,
        market: MarketRule::Any,
        expected_secs: None,
        patience_secs: 0,
        way: None,
    }
}

fn offering(name: &str, market: Market, cpu: u32, memory: u32, price: u64) -> Offering {
    let zone = "us-east-1a".parse().unwrap();
    Offering {
        pool: PoolId { instance_type: name.to_owned(), zone, market },
        arch: Arch::X86_64,
        gpu: None,
        capacity: resources(cpu, memory, 0),
        price: MicroUsdPerHour::new(price),
        hazard: Hazard::NEVER,
    }
}

fn spot(name: &str, cpu: u32, memory: u32, price: u64) -> Offering {
    offering(name, Market::Spot, cpu, memory, price)
}

fn question(jobs: &[(DemandKey, u32)], offerings: &[Offering]) -> PlanInput {
    PlanInput {
        now: NOW,
        demands: jobs.iter().map(|(key, count)| Demand::new(*key, *count)).collect(),
        hosts: Vec::new(),
        catalog: Arc::new(Catalog::new(NOW, offerings.to_vec())),
        cooling: BTreeMap::new(),
        headroom: Headroom::default(),
        fleet: BTreeMap::new(),
        gangs: spillway_core::plan::Gangs::default(),
    }
}

fn host(ord: u32, free: Resources) -> HostView {
    let launch: LaunchId = "00000000-0000-5000-8000-000000000001".parse().unwrap();
    HostView {
        id: HostId::derive(launch, ord),
        arch: Arch::X86_64,
        gpu: None,
        market: Market::Spot,
        price: MicroUsdPerHour::new(100_000),
        free,
        busy: Vec::new(),
        reserved: Vec::new(),
        ready: true,
        ready_in_secs: 0,
    }
}

fn pick<T: Clone>(roll: &mut Roll, from: &[T]) -> T {
    let n = u64::try_from(from.len()).unwrap();
    from[usize::try_from(roll.below(n)).unwrap()].clone()
}

fn maybe<T>(roll: &mut Roll, one_in: u64, value: impl FnOnce(&mut Roll) -> T) -> Option<T> {
    (roll.below(one_in) == 0).then(|| value(roll))
}

fn number(roll: &mut Roll, below: u64) -> u32 {
    u32::try_from(roll.below(below)).unwrap()
}

fn random_key(roll: &mut Roll) -> DemandKey {
    let need = resources(
        pick(roll, &[0, 256, 512, 1024, 1025, 2048, 4096, 9000]),
        pick(roll, &[1, 512, 1024, 2047, 2048, 4096, 16_384, 50_000]),
        pick(roll, &[0, 0, 0, 0, 1, 2]),
    );
    DemandKey {
        need,
        arch: pick(roll, &[None, None, Some(Arch::X86_64), Some(Arch::Arm64)]),
        gpu_kinds: pick(roll, &[GpuKinds::ANY, GpuKinds::ANY, vec![GpuKind::T4].into()]),
        market: pick(
            roll,
            &[MarketRule::Any, MarketRule::Any, MarketRule::Spot, MarketRule::OnDemand],
        ),
        expected_secs: pick(roll, &[None, Some(60), Some(3600)]),
        patience_secs: 0,
        way: None,
    }
}

fn random_offerings(roll: &mut Roll) -> Vec<Offering> {
    let mut types = Vec::new();
    for name in 0..8 {
        let capacity = resources(
            pick(roll, &[0, 1024, 2048, 4096, 8192, 16_384]),
            pick(roll, &[1024, 1900, 3900, 7800, 16_384, 65_536]),
            pick(roll, &[0, 0, 0, 1, 4]),
        );
        let gpu = pick(roll, &[None, Some(GpuKind::T4), Some(GpuKind::L4)]);
        let gpu = gpu.filter(|_| 0 < capacity.gpus);
        types.push((format!("t{name}.large"), capacity, pick(roll, &Arch::ALL), gpu));
    }
    let mut offerings = Vec::new();
    for _ in 0..roll.below(17) {
        let (instance_type, capacity, arch, gpu) = pick(roll, &types);
        let zone = pick(roll, &["us-east-1a", "us-east-1b"]).parse().unwrap();
        let market = pick(roll, &[Market::Spot, Market::OnDemand]);
        let pool = PoolId { instance_type, zone, market };
        let price = MicroUsdPerHour::new(roll.below(2_000_000));
        let hazard = Hazard::per_million_hours(pick(roll, &[0, 50, 400]));
        offerings.push(Offering { pool, arch, gpu, capacity, price, hazard });
    }
    offerings
}

fn random_question(seed: u64) -> (PlanInput, PlanPolicy) {
    let mut roll = Dice::new(seed).roll("question", &"");
    let roll = &mut roll;
    let mut jobs = Vec::new();
    for _ in 0..roll.below(9) {
        jobs.push((random_key(roll), 1 + number(roll, 12)));
    }
    jobs.sort_unstable();
    jobs.dedup_by_key(|(key, _)| *key);
    let mut input = question(&jobs, &random_offerings(roll));
    for ord in 0..number(roll, 5) {
        let free = resources(
            pick(roll, &[0, 512, 2048, 4096, 8192]),
            pick(roll, &[0, 1000, 4096, 16_384]),
            pick(roll, &[0, 0, 1]),
        );
        let mut host = host(ord, free);
        host.arch = pick(roll, &Arch::ALL);
        host.market = pick(roll, &[Market::Spot, Market::OnDemand]);
        host.ready = roll.below(2) == 0;
        for _ in 0..roll.below(3) {
            let key = if jobs.is_empty() { random_key(roll) } else { pick(roll, &jobs).0 };
            host.reserved.push((key, 1 + number(roll, 3)));
        }
        input.hosts.push(host);
    }
    for offering in Arc::clone(&input.catalog).offerings() {
        if let Some(minutes) = maybe(roll, 5, |roll| pick(roll, &[0, 3])) {
            let until = NOW + SignedDuration::from_mins(minutes);
            input.cooling.insert(offering.pool.clone(), until);
        }
    }
    let quota = CpuUnits::from_vcpus(pick(roll, &[1000, 1000, 8, 3]));
    input.headroom = Headroom {
        hosts: maybe(roll, 3, |roll| number(roll, 6)),
        cpu: maybe(roll, 3, |roll| CpuUnits::from_vcpus(number(roll, 40))),
        price: maybe(roll, 3, |roll| MicroUsdPerHour::new(roll.below(8_000_000))),
        quotas: vec![("spot/standard".parse().unwrap(), quota)].into(),
        ..spillway_core::plan::Headroom::default()
    };
    let policy = PlanPolicy {
        host_cpu_max: maybe(roll, 5, |roll| CpuUnits::from_vcpus(1 + number(roll, 8))),
        choices_max: usize::try_from(1 + roll.below(6)).unwrap(),
        choice_premium_percent: number(roll, 30),
        ..PlanPolicy::default()
    };
    (input, policy)
}

fn plan(peer: &Peer, input: &PlanInput) -> Planned {
    peer.planner().plan(input, &PlanPolicy::default())
}

fn plan_by(name: &str, input: &PlanInput) -> Planned {
    plan(Peer::named(name).unwrap(), input)
}

/// Type, market and number of hosts of each launch.
fn bought(planned: &Planned) -> Vec<(String, Market, u32)> {
    let of_launch = |launch: &PlannedLaunch| {
        let pool = &launch.choices[0].pool;
        (pool.instance_type.clone(), pool.market, launch.count)
    };
    planned.plan.launches.iter().map(of_launch).collect()
}

#[test]
fn every_plan_of_every_peer_passes_the_judge() {
    for seed in 0..4000 {
        let (input, policy) = random_question(seed);
        for peer in &PEERS {
            let planned = peer.planner().plan(&input, &policy);

            assert_eq!(check(&input, &policy, &planned), vec![], "{} seed {seed}", peer.name);
        }
    }
}

#[test]
fn a_peer_decides_the_same_for_the_same_question_in_another_order() {
    for seed in 0..500 {
        let (input, policy) = random_question(seed);
        let mut other = input.clone();
        other.demands.reverse();
        other.hosts.reverse();
        for peer in &PEERS {
            let planned = peer.planner().plan(&input, &policy);
            assert_eq!(planned, peer.planner().plan(&other, &policy), "{} seed {seed}", peer.name);
        }
    }
}

#[test]
fn work_goes_on_hosts_there_are_but_for_the_one_that_never_does() {
    let mut input = question(&[(job(1024, 1024), 2)], &[spot("c5.large", 2048, 4096, 30_000)]);
    input.hosts.push(host(0, resources(2048, 4096, 0)));

    for peer in &PEERS {
        let planned = plan(peer, &input);

        let (n_placed, n_bought) = (planned.plan.placements.len(), planned.plan.n_hosts());
        let expected = if peer.name == "one-vm-per-job" { (0, 2) } else { (1, 0) };
        assert_eq!((n_placed, n_bought), expected, "{}", peer.name);
    }
}

#[test]
fn karpenter_grows_a_node_to_the_largest_type_and_buys_the_cheapest_that_holds_it() {
    let jobs = [(job(1024, 1024), 3)];
    let offerings = [
        spot("c5.large", 2048, 4096, 10_000),
        spot("c5.xlarge", 4096, 8192, 90_000),
        spot("m5.xlarge", 4096, 16_384, 80_000),
    ];

    let planned = plan_by("karpenter", &question(&jobs, &offerings));

    assert_eq!(bought(&planned), [("m5.xlarge".to_owned(), Market::Spot, 1)]);
}

#[test]
fn in_one_pool_a_pod_for_on_demand_pulls_its_node_there_and_in_two_pools_not() {
    let on_demand = DemandKey { market: MarketRule::OnDemand, ..job(1024, 1024) };
    let jobs = [(on_demand, 1), (job(1024, 1024), 1)];
    let offerings = [
        offering("c5.large", Market::OnDemand, 2048, 4096, 85_000),
        spot("c5.large", 2048, 4096, 30_000),
    ];
    let input = question(&jobs, &offerings);

    assert_eq!(
        bought(&plan_by("karpenter", &input)),
        [("c5.large".to_owned(), Market::OnDemand, 1)]
    );
    assert_eq!(bought(&plan_by("karpenter-two-pools", &input)).len(), 2);
}

#[test]
fn karpenter_leaves_gpus_to_those_who_need_them() {
    let gpu = Offering {
        capacity: resources(8192, 32_768, 1),
        ..spot("g5.2xlarge", 8192, 32_768, 20_000)
    };
    let offerings = [gpu, spot("c5.large", 2048, 4096, 30_000)];

    let planned = plan_by("karpenter", &question(&[(job(1024, 1024), 4)], &offerings));

    assert_eq!(bought(&planned), [("c5.large".to_owned(), Market::Spot, 2)]);
}

#[test]
fn batch_takes_the_least_price_per_vcpu_that_holds_the_job_whatever_its_memory_costs() {
    let offerings = [
        spot("c5.large", 2048, 4096, 30_000),
        spot("m5.large", 2048, 8192, 34_000),
        spot("r5.large", 2048, 16_384, 44_000),
    ];
    // Four such jobs fill an r5.large, and two an m5.large.
    let planned =
        plan_by("batch-best-fit-progressive", &question(&[(job(512, 4000), 4)], &offerings));

    assert_eq!(bought(&planned), [("c5.large".to_owned(), Market::Spot, 4)]);
}

#[test]
fn price_and_capacity_optimized_takes_the_calm_pool_though_it_is_dearer() {
    let calm =
        Offering { hazard: Hazard::per_million_hours(40), ..spot("m5.large", 2048, 8192, 36_000) };
    let wild =
        Offering { hazard: Hazard::per_million_hours(400), ..spot("c5.large", 2048, 8192, 30_000) };
    let input = question(&[(job(2048, 4000), 1)], &[calm, wild]);

    let progressive = plan_by("batch-best-fit-progressive", &input);
    let optimized = plan_by("batch-spot-capacity-optimized", &input);

    assert_eq!(bought(&progressive), [("c5.large".to_owned(), Market::Spot, 1)]);
    assert_eq!(bought(&optimized), [("m5.large".to_owned(), Market::Spot, 1)]);
}

#[test]
fn a_fleet_has_one_pool_that_holds_the_largest_of_its_jobs() {
    let jobs = [(job(1024, 7000), 1), (job(1024, 1000), 6)];
    let offerings = [spot("c5.large", 2048, 4096, 20_000), spot("m5.large", 2048, 8192, 36_000)];

    let planned = plan_by("fleet-lowest-price", &question(&jobs, &offerings));

    assert!(bought(&planned).iter().all(|(name, _, _)| name == "m5.large"), "{planned:?}");
    assert_eq!(planned.plan.n_hosts(), 4);
}

#[test]
fn the_best_single_type_is_the_one_on_which_all_cost_least() {
    let jobs = [(job(1024, 3000), 6)];
    let offerings = [
        spot("c5.large", 2048, 4096, 30_000),
        spot("c5.xlarge", 4096, 8192, 55_000),
        spot("m5.large", 2048, 8192, 40_000),
    ];

    let planned = plan_by("best-single-type", &question(&jobs, &offerings));

    // Six c5.large cost 180, three c5.xlarge 165, three m5.large 120.
    assert_eq!(bought(&planned), [("m5.large".to_owned(), Market::Spot, 3)]);
}

#[test]
fn one_vm_per_job_is_the_cheapest_host_for_each() {
    let offerings = [spot("c5.large", 2048, 4096, 30_000), spot("c5.xlarge", 4096, 8192, 50_000)];

    let planned = plan_by("one-vm-per-job", &question(&[(job(512, 512), 3)], &offerings));

    assert_eq!(bought(&planned), [("c5.large".to_owned(), Market::Spot, 3)]);
}

#[test]
fn what_cannot_be_bought_waits_with_a_true_reason() {
    let mut input = question(&[(job(1024, 1024), 5)], &[spot("c5.large", 2048, 4096, 30_000)]);
    input.headroom.hosts = Some(1);

    for peer in &PEERS {
        let planned = plan(peer, &input);

        assert_eq!(planned.plan.n_hosts(), 1, "{}", peer.name);
        let waiting = &planned.report.waiting[0];
        assert!(matches!(waiting.reason, WaitReason::LimitReached { .. }), "{}", peer.name);
    }
}

#[test]
fn no_peer_falls_over_at_absurd_input() {
    let mut giant = job(u32::MAX, u32::MAX);
    giant.need.gpus = u32::MAX;
    let huge = Offering { capacity: giant.need, ..spot("huge", 0, 0, 7) };
    let worlds = [
        question(&[(giant, 3), (job(1, 1), u32::MAX)], std::slice::from_ref(&huge)),
        question(
            &[(job(0, 0), u32::MAX), (job(1024, 1024), 2)],
            &[spot("void", 0, 0, 5), spot("real", 1024, 1024, 100)],
        ),
        question(
            &[(job(1024, 1024), u32::MAX), (job(1023, 1024), u32::MAX)],
            &[spot("one", 1024, 1024, 10_000)],
        ),
        question(
            &[(job(1024, 1024), 9)],
            &[spot("gold", 2048, 4096, u64::MAX), spot("free", 1024, 1024, 0)],
        ),
        question(&[(job(1024, 1024), 9)], &[]),
        question(&[], &[huge]),
    ];
    for (ord, input) in worlds.iter().enumerate() {
        for peer in &PEERS {
            let planned = plan(peer, input);

            let policy = PlanPolicy::default();
            assert_eq!(check(input, &policy, &planned), vec![], "{} world {ord}", peer.name);
        }
    }
}
