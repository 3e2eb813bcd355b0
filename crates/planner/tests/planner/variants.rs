//! Jobs that may be run in several ways: each is run once, the way that costs least as things are.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use proptest::prelude::*;
use spillway_core::plan::{Demand, DemandKey, Headroom, HostView, WaitReason};
use spillway_core::{
    Arch, Busy, Catalog, ChoiceId, GpuKind, Market, MicroUsdPerHour, Offering, PlanInput,
    PlanPolicy, Planned, Planner, Quota, VariantOrd, Way,
};
use spillway_planner::Spillway;
use spillway_planner::check::{Violation, check};
use spillway_planner::explain::{self, Outcome};

use crate::properties::shuffled;
use crate::world::{
    carried_out, host_id, job, offering, policies, policy, question, questions_with_ways, resources,
};

const ON_GPU: VariantOrd = VariantOrd::BASE;
const ON_CPU: VariantOrd = VariantOrd::new(1);

fn plan(input: &PlanInput, policy: &PlanPolicy) -> Planned {
    Spillway::default().plan(input, policy)
}

fn way(ord: VariantOrd, key: DemandKey) -> DemandKey {
    DemandKey { way: Some(Way { of: ChoiceId::from_number(7), ord }), ..key }
}

/// Ten minutes on a GPU, or two hours on eight vCPU.
fn gpu_or_cpu() -> [DemandKey; 2] {
    let on_gpu = DemandKey { need: resources(4096, 8192, 1), ..job(0, 0) };
    [
        way(ON_GPU, DemandKey { expected_secs: Some(600), ..on_gpu }),
        way(ON_CPU, DemandKey { expected_secs: Some(7200), ..job(8192, 8192) }),
    ]
}

fn gpu_host(price: u64) -> Offering {
    let host = offering("g4dn.xlarge", 4096, 16_384, price);
    Offering { capacity: resources(4096, 16_384, 1), gpu: Some(GpuKind::T4), ..host }
}

fn cpu_host(price: u64) -> Offering {
    offering("c7i.2xlarge", 8192, 16_384, price)
}

fn both(count: u32) -> Vec<(DemandKey, u32)> {
    gpu_or_cpu().map(|key| (key, count)).to_vec()
}

/// How many jobs are to run each way, on hosts there are and on new ones.
fn chosen(planned: &Planned) -> BTreeMap<VariantOrd, u32> {
    let mut chosen: BTreeMap<VariantOrd, u32> = BTreeMap::new();
    let mut add = |key: &DemandKey, n: u32| {
        *chosen.entry(key.way.unwrap().ord).or_default() += n;
    };
    for placement in &planned.plan.placements {
        add(&placement.key, placement.count);
    }
    for launch in &planned.plan.launches {
        for (key, n) in &launch.contents {
            add(key, n * launch.count);
        }
    }
    chosen
}

#[test]
fn a_job_runs_the_way_that_costs_least_whichever_that_is() {
    // 690 s of the one against 7290 s of the other.
    let dear_gpu = question(&both(5), &[gpu_host(2_000_000), cpu_host(150_000)]);
    let cheap_gpu = question(&both(5), &[gpu_host(500_000), cpu_host(150_000)]);

    let where_dear = plan(&dear_gpu, &policy());
    let where_cheap = plan(&cheap_gpu, &policy());

    assert_eq!(chosen(&where_dear), BTreeMap::from([(ON_CPU, 5)]));
    assert_eq!(chosen(&where_cheap), BTreeMap::from([(ON_GPU, 5)]));
    for (input, planned) in [(&dear_gpu, &where_dear), (&cheap_gpu, &where_cheap)] {
        assert_eq!(check(input, &policy(), planned), vec![]);
        assert_eq!(planned.report.waiting, vec![]);
    }
}

#[test]
fn a_patient_job_does_so_too() {
    let patient = |key| DemandKey { patience_secs: 3600, ..key };
    let jobs: Vec<(DemandKey, u32)> = gpu_or_cpu().map(|key| (patient(key), 12)).to_vec();
    let dear_gpu = question(&jobs, &[gpu_host(2_000_000), cpu_host(150_000)]);
    let cheap_gpu = question(&jobs, &[gpu_host(500_000), cpu_host(150_000)]);

    let where_dear = plan(&dear_gpu, &policy());
    let where_cheap = plan(&cheap_gpu, &policy());

    assert_eq!(chosen(&where_dear).get(&ON_GPU), None, "{where_dear:?}");
    assert_eq!(chosen(&where_cheap).get(&ON_CPU), None, "{where_cheap:?}");
    assert_eq!(check(&dear_gpu, &policy(), &where_dear), vec![]);
    assert_eq!(check(&cheap_gpu, &policy(), &where_cheap), vec![]);
}

#[test]
fn where_the_cheaper_is_dry_the_other_is_bought() {
    let mut input = question(&both(3), &[gpu_host(500_000), cpu_host(150_000)]);
    let dry = gpu_host(500_000).pool;
    input.cooling.insert(dry, input.now + SignedDuration::from_mins(3));

    let planned = plan(&input, &policy());

    assert_eq!(chosen(&planned), BTreeMap::from([(ON_CPU, 3)]));
    assert_eq!(check(&input, &policy(), &planned), vec![]);
}

#[test]
fn what_a_quota_leaves_over_runs_the_other_way() {
    let mut input = question(&both(3), &[gpu_host(500_000), cpu_host(150_000)]);
    let quota = Quota::of(&gpu_host(1).pool).unwrap();
    input.headroom.quotas.set(quota, Some(spillway_core::CpuUnits::from_vcpus(4)));

    let planned = plan(&input, &policy());

    assert_eq!(chosen(&planned), BTreeMap::from([(ON_GPU, 1), (ON_CPU, 2)]));
    assert_eq!(check(&input, &policy(), &planned), vec![]);
}

#[test]
fn room_that_is_paid_for_goes_before_a_cheaper_host_to_be_bought() {
    let mut input = question(&both(1), &[gpu_host(500_000), cpu_host(150_000)]);
    // It is kept for a day by what it runs.
    let busy = Busy { ends_in_secs: 86_400, need: resources(8192, 1024, 0), count: 1 };
    input.hosts = vec![HostView {
        id: host_id(0),
        arch: Arch::X86_64,
        market: Market::Spot,
        gpu: None,
        price: MicroUsdPerHour::new(300_000),
        free: resources(8192, 16_384, 0),
        busy: vec![busy],
        reserved: Vec::new(),
        ready: true,
        ready_in_secs: 0,
    }];

    let planned = plan(&input, &policy());

    assert_eq!(chosen(&planned), BTreeMap::from([(ON_CPU, 1)]));
    assert_eq!(planned.plan.launches, vec![]);
}

#[test]
fn one_architecture_is_taken_where_the_other_costs_more() {
    let key = DemandKey { expected_secs: Some(1800), ..job(1024, 2048) };
    let ways = [Arch::X86_64, Arch::Arm64].map(|arch| DemandKey { arch: Some(arch), ..key });
    let jobs = [(way(ON_GPU, ways[0]), 40), (way(ON_CPU, ways[1]), 40)];
    let arm = Offering { arch: Arch::Arm64, ..offering("m7g.large", 2048, 8192, 80_000) };
    let x86 = |price| offering("m7i.large", 2048, 8192, price);

    let by_arm = plan(&question(&jobs, &[x86(100_000), arm.clone()]), &policy());
    let by_x86 = plan(&question(&jobs, &[x86(60_000), arm]), &policy());

    assert_eq!(chosen(&by_arm), BTreeMap::from([(ON_CPU, 40)]));
    assert_eq!(chosen(&by_x86), BTreeMap::from([(ON_GPU, 40)]));
}

#[test]
fn jobs_that_nothing_holds_in_any_way_wait_once() {
    let input = question(&both(3), &[offering("t3.small", 1024, 2048, 10_000)]);

    let planned = plan(&input, &policy());

    assert_eq!(planned.report.waiting.len(), 1);
    let line = &planned.report.waiting[0];
    assert!(line.count == 3 && matches!(line.reason, WaitReason::TooLarge(_)), "{line:?}");
    assert_eq!(check(&input, &policy(), &planned), vec![]);
}

#[test]
fn the_judge_sees_a_job_that_is_run_both_ways_and_one_run_in_a_way_nobody_asked_for() {
    let input = question(&both(1), &[gpu_host(500_000), cpu_host(150_000)]);
    let planned = plan(&input, &policy());
    let [gpu, cpu] = gpu_or_cpu();
    let mut twice = planned.clone();
    twice.plan.launches[0].contents.push((cpu, 1));
    let mut other = planned.clone();
    let foreign = DemandKey { need: resources(1, 1, 0), ..gpu };
    other.plan.launches[0].contents = vec![(foreign, 1)];

    let is_unconserved = |planned: &Planned| {
        let found = check(&input, &policy(), planned);
        found.iter().any(|violation| matches!(violation, Violation::NotConserved { .. }))
    };

    assert!(is_unconserved(&twice) && is_unconserved(&other) && !is_unconserved(&planned));
}

#[test]
fn a_plan_of_nothing_but_prices_takes_the_cheapest_way() {
    let input = question(&both(5), &[gpu_host(500_000), cpu_host(150_000)]);

    let planned = spillway_planner::plan(&input, &policy());

    assert_eq!(chosen(&planned), BTreeMap::from([(ON_GPU, 5)]));
    assert_eq!(planned.report.waiting, vec![]);
}

#[test]
fn an_explanation_counts_each_job_once_in_the_way_it_is_run() {
    let mut input = question(&both(3), &[gpu_host(500_000), cpu_host(150_000)]);
    let quota = Quota::of(&gpu_host(1).pool).unwrap();
    input.headroom.quotas.set(quota, Some(spillway_core::CpuUnits::from_vcpus(4)));
    let asked = explain::Question::new(input.clone(), policy(), &input.catalog, |_| {
        spillway_core::plan::FilterSet::default()
    });
    let planned = asked.plan();

    let groups = explain::groups::groups(&asked, &planned);

    let counts: Vec<(VariantOrd, u32)> =
        groups.iter().map(|group| (group.key.way.unwrap().ord, group.count)).collect();
    assert_eq!(counts, [(ON_GPU, 1), (ON_CPU, 2)]);
    assert!(groups.iter().all(|group| group.n_waiting == 0));
    assert_eq!(Outcome::of(&input, &planned).n_waiting, 0);
}

#[test]
fn demands_that_should_be_as_many_and_are_not_count_as_the_fewest() {
    let [gpu, cpu] = gpu_or_cpu();
    let mut input = question(&[], &[gpu_host(500_000), cpu_host(150_000)]);
    input.demands = vec![Demand::new(gpu, 2), Demand::new(cpu, 5)];

    let planned = plan(&input, &policy());

    assert_eq!(chosen(&planned), BTreeMap::from([(ON_GPU, 2)]));
}

/// The price of what a question comes to, with all jobs held.
fn bill(input: &PlanInput) -> (u64, u64) {
    let planned = plan(input, &policy());
    let outcome = Outcome::of(input, &planned);
    (outcome.n_waiting, outcome.price.get())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_job_is_run_one_way_whatever_the_world(
        input in questions_with_ways(),
        policy in policies(),
    ) {
        let planned = plan(&input, &policy);

        prop_assert_eq!(check(&input, &policy, &planned), vec![]);
    }

    #[test]
    fn a_plan_with_ways_that_was_carried_out_buys_nothing_more(input in questions_with_ways()) {
        let mut planner = Spillway::default();
        let planned = planner.plan(&input, &policy());
        let after = carried_out(&input, &planned);

        let again = planner.plan(&after, &policy());

        prop_assert_eq!(check(&after, &policy(), &again), vec![]);
        prop_assert_eq!(&again.plan.launches, &vec![]);
    }

    #[test]
    fn the_order_of_ways_changes_no_plan(input in questions_with_ways(), seed in 0_usize..100) {
        prop_assert_eq!(plan(&input, &policy()), plan(&shuffled(&input, seed), &policy()));
    }

    #[test]
    fn jobs_of_two_ways_cost_no_more_than_those_of_the_dearer(
        (gpu_price, cpu_price) in (100_000_u64..3_000_000, 50_000_u64..1_000_000),
        count in 1_u32..20,
    ) {
        let offerings = [gpu_host(gpu_price), cpu_host(cpu_price)];
        let one = |key: DemandKey| question(&[(DemandKey { way: None, ..key }, count)], &offerings);
        // In equal times what a host costs per hour is what it costs.
        let ways = gpu_or_cpu().map(|key| DemandKey { expected_secs: Some(3600), ..key });
        let dearer = ways.map(|key| bill(&one(key))).into_iter().max().unwrap();

        let either = bill(&question(&ways.map(|key| (key, count)), &offerings));

        prop_assert!(either <= dearer, "{either:?} {dearer:?}");
    }
}

#[test]
fn without_a_catalog_they_wait_once() {
    let mut input = question(&both(2), &[]);
    input.catalog = Arc::new(Catalog::default());
    input.headroom = Headroom::default();

    let planned = plan(&input, &policy());

    assert_eq!(planned.report.waiting.len(), 1);
    assert_eq!(check(&input, &policy(), &planned), vec![]);
}
