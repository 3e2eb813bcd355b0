//! Promises of the dispatcher's plan, that knows of time: soundness, idempotence, no order, and that nobody waits for ever.

use proptest::prelude::*;
use spillway_core::plan::{Headroom, WaitReason};
use spillway_core::{PlanInput, PlanPolicy, Planned, Planner};
use spillway_planner::Spillway;
use spillway_planner::check::check;

use crate::properties::shuffled;
use crate::world::{carried_out, policies, policy, questions};

/// What a dispatcher that remembers nothing plans.
fn plan(input: &PlanInput, policy: &PlanPolicy) -> Planned {
    Spillway::default().plan(input, policy)
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
