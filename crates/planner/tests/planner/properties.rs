//! Promises that hold for every question: soundness, idempotence, no order, agreement with admission.

use std::sync::Arc;

use proptest::prelude::*;
use spillway_core::plan::{Effort, Headroom, WaitReason};
use spillway_core::{
    Arch, Catalog, CpuUnits, Market, MicroUsdPerHour, Offering, PlanInput, PlanPolicy, Planned,
};
use spillway_planner::check::check;
use spillway_planner::{admit, plan};

use crate::world::{carried_out, job, offering, policies, policy, question, questions};

/// The same question with everything in another order.
pub(crate) fn shuffled(input: &PlanInput, seed: usize) -> PlanInput {
    let mut other = input.clone();
    let rotate = |n: usize| if n == 0 { 0 } else { seed % n };
    let at = rotate(other.demands.len());
    other.demands.rotate_left(at);
    other.demands.reverse();
    let at = rotate(other.hosts.len());
    other.hosts.rotate_left(at);
    for host in &mut other.hosts {
        host.reserved.reverse();
        host.busy.reverse();
    }
    let mut offerings = other.catalog.offerings().to_vec();
    let at = rotate(offerings.len());
    offerings.rotate_left(at);
    offerings.reverse();
    other.catalog = Arc::new(Catalog::new(input.now, offerings));
    other
}

/// Found by `a_plan_that_was_carried_out_leaves_nothing_to_buy_and_moves_nothing`.
#[test]
fn what_a_limit_leaves_over_does_not_wait_beside_a_host_that_has_room_for_it() {
    let arm = |offering: Offering| Offering { arch: Arch::Arm64, ..offering };
    let mut key = job(0, 2047);
    key.arch = Some(Arch::Arm64);
    let mut dry = arm(offering("t5.large", 8192, 7800, 466_970));
    dry.pool.market = Market::OnDemand;
    let mut first = arm(offering("t2.large", 16_384, 7800, 241_215));
    first.pool.zone = "us-east-1b".parse().unwrap();
    let small = arm(offering("t5.large", 8192, 7800, 1_413_207));
    let large = offering("t6.large", 8192, 65_536, 1_676_263);
    let jobs = [(key, 9), (job(4096, 2047), 5)];
    let mut input = question(&jobs, &[first, dry.clone(), small, large]);
    input.cooling.insert(dry.pool, input.now + jiff::SignedDuration::from_mins(3));
    input.headroom = Headroom {
        hosts: Some(5),
        cpu: Some(CpuUnits::new(30_720)),
        price: Some(MicroUsdPerHour::new(6_345_441)),
        ..Headroom::default()
    };
    let planned = plan(&input, &policy());
    let after = carried_out(&input, &planned);

    let again = plan(&after, &policy());

    let n_waiting = |planned: &Planned| planned.report.waiting.iter().map(|w| w.count).sum::<u32>();
    assert_eq!(n_waiting(&again), n_waiting(&planned));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_judge_finds_nothing_wrong_with_any_plan(input in questions(), policy in policies()) {
        let planned = plan(&input, &policy);

        prop_assert_eq!(check(&input, &policy, &planned), vec![]);
        prop_assert!(planned.report.bound <= planned.plan.price());
    }

    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_buy_and_moves_nothing(input in questions()) {
        let policy = policy();
        let planned = plan(&input, &policy);
        let after = carried_out(&input, &planned);

        let again = plan(&after, &policy);

        prop_assert_eq!(&again.plan.launches, &vec![]);
        for placement in &again.plan.placements {
            let host = after.hosts.iter().find(|host| host.id == placement.host).unwrap();
            let reserved = host.reserved.iter().filter(|(key, _)| *key == placement.key);
            let reserved: u32 = reserved.map(|(_, count)| count).sum();
            prop_assert!(!host.ready, "work for a host that was ready was placed at once");
            prop_assert_eq!(placement.count, reserved);
        }
        prop_assert_eq!(again.report.waiting.len(), planned.report.waiting.len());
    }

    #[test]
    fn the_order_of_jobs_hosts_and_offerings_changes_nothing(input in questions(), seed in 0_usize..64) {
        let policy = policy();

        prop_assert_eq!(plan(&shuffled(&input, seed), &policy), plan(&input, &policy));
    }

    #[test]
    fn what_admission_turns_away_never_fits_and_what_it_admits_is_never_too_large(
        mut input in questions(),
        policy in policies(),
    ) {
        input.hosts.clear();
        let planned = plan(&input, &policy);

        for demand in &input.demands {
            let is_admitted = admit(&demand.key, &input.catalog, &policy).is_ok();
            let line = planned.report.waiting.iter().find(|line| line.key == demand.key);
            let is_too_large = line.is_some_and(|line| matches!(line.reason, WaitReason::TooLarge(_)));
            prop_assert_eq!(is_admitted, !is_too_large);
            if is_too_large {
                prop_assert_eq!(line.map(|line| line.count), Some(demand.count));
            }
        }
    }

    #[test]
    fn without_limits_and_dry_pools_every_admitted_job_gets_a_host(
        mut input in questions(),
        policy in policies(),
    ) {
        input.headroom = spillway_core::plan::Headroom::default();
        input.cooling.clear();

        let planned = plan(&input, &policy);

        for line in &planned.report.waiting {
            prop_assert!(admit(&line.key, &input.catalog, &policy).is_err(), "{line:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn more_effort_never_makes_a_plan_dearer_nor_its_bound_lower(
        mut input in questions(),
        policy in policies(),
    ) {
        input.headroom = spillway_core::plan::Headroom::default();
        let high = PlanPolicy { effort: Effort::High, ..policy.clone() };

        let (quick, thorough) = (plan(&input, &policy), plan(&input, &high));

        prop_assert_eq!(check(&input, &high, &thorough), vec![]);
        prop_assert!(thorough.plan.price() <= quick.plan.price());
        prop_assert!(quick.report.bound <= thorough.report.bound);
        prop_assert!(thorough.report.bound <= thorough.plan.price());
    }
}
