//! Rules of the mix: shares of markets, pools and zones that no plan breaks by what it buys.

use proptest::prelude::*;
use spillway_core::plan::{Headroom, LimitKind, WaitReason};
use spillway_core::{
    CpuUnits, DemandKey, Market, MarketRule, MicroUsdPerHour, MixRule, MixRules, Offering,
    PlanInput, PlanPolicy, Planned, Planner, PoolId,
};
use spillway_planner::Spillway;
use spillway_planner::check::{Violation, check};
use spillway_planner::explain::Question;
use spillway_planner::explain::limits::{Limit, limits};
use spillway_planner::plan;

use crate::properties::shuffled;
use crate::world::{job, mixes, offering, policies, policy, question, questions};

/// Hosts with 4 vCPUs in three zones, On-Demand at three times the Spot price; zones differ a little.
fn shop() -> Vec<Offering> {
    let mut all = Vec::new();
    for (zone, more) in [("us-east-1a", 0), ("us-east-1b", 2_000), ("us-east-1c", 4_000)] {
        for (market, price) in [(Market::Spot, 60_000), (Market::OnDemand, 180_000)] {
            let mut offering = offering("c5.xlarge", 4096, 7600, price + more);
            offering.pool.zone = zone.parse().unwrap();
            offering.pool.market = market;
            all.push(offering);
        }
    }
    all
}

/// A job that fills a host.
fn large() -> DemandKey {
    job(4096, 7000)
}

fn with(mix: MixRules) -> PlanPolicy {
    PlanPolicy { mix, ..policy() }
}

/// Whole hosts of 4 vCPUs by market.
fn markets(planned: &Planned) -> (u32, u32) {
    let of = |market| {
        let launches = planned.plan.launches.iter().filter(|l| l.market() == Some(market));
        launches.map(|l| l.count).sum()
    };
    (of(Market::OnDemand), of(Market::Spot))
}

/// The static and the dispatcher's plan, both judged.
fn both(input: &PlanInput, policy: &PlanPolicy) -> [Planned; 2] {
    let plans = [plan(input, policy), Spillway::default().plan(input, policy)];
    for planned in &plans {
        assert_eq!(check(input, policy, planned), vec![]);
    }
    plans
}

#[test]
fn the_base_is_bought_on_demand_and_the_rest_on_spot() {
    let mix = MixRules { on_demand_base: CpuUnits::from_vcpus(8), ..MixRules::NONE };
    let input = question(&[(large(), 10)], &shop());

    for planned in both(&input, &with(mix)) {
        assert_eq!(markets(&planned), (2, 8));
        assert_eq!(planned.report.waiting, vec![]);
    }
}

#[test]
fn hosts_there_are_count_for_the_base() {
    let mix = MixRules { on_demand_base: CpuUnits::from_vcpus(8), ..MixRules::NONE };
    let mut input = question(&[(large(), 10)], &shop());
    let on_demand = shop().into_iter().find(|o| o.pool.market == Market::OnDemand).unwrap();
    input.fleet.insert(on_demand.pool, CpuUnits::from_vcpus(4));

    for planned in both(&input, &with(mix)) {
        assert_eq!(markets(&planned), (1, 9));
    }
}

#[test]
fn spot_has_no_more_than_its_part() {
    let mix = MixRules { spot_percent_max: 60, ..MixRules::NONE };
    let input = question(&[(large(), 10)], &shop());

    for planned in both(&input, &with(mix)) {
        assert_eq!(markets(&planned), (4, 6));
        assert_eq!(planned.report.waiting, vec![]);
    }
}

#[test]
fn jobs_that_insist_on_on_demand_wait_for_the_floor_of_spot() {
    let mix = MixRules { spot_percent_min: 50, ..MixRules::NONE };
    let key = DemandKey { market: MarketRule::OnDemand, ..large() };
    let input = question(&[(key, 6), (large(), 3)], &shop());

    for planned in both(&input, &with(mix)) {
        assert_eq!(markets(&planned), (3, 3));
        let reason = WaitReason::LimitReached { limit: LimitKind::Mix(MixRule::SpotMin) };
        let waiting = &planned.report.waiting;
        assert_eq!((waiting.len(), waiting[0].count, &waiting[0].reason), (1, 3, &reason));
    }
}

#[test]
fn a_large_fleet_is_spread_over_zones_and_a_small_one_is_not() {
    let mix =
        MixRules { zone_percent_max: 40, spread_above: CpuUnits::from_vcpus(8), ..MixRules::NONE };
    let in_zones = |n| {
        let input = question(&[(large(), n)], &shop());
        both(&input, &with(mix)).map(|planned| {
            let zone = |pool: &PoolId| pool.zone.as_str().chars().last().unwrap();
            let launches = planned.plan.launches.iter();
            let mut zones: Vec<(char, u32)> =
                launches.map(|l| (zone(&l.choices[0].pool), l.count)).collect();
            zones.sort_unstable();
            zones
        })
    };

    assert_eq!(in_zones(2), [(); 2].map(|()| vec![('a', 2)]));
    assert_eq!(in_zones(10), [(); 2].map(|()| vec![('a', 4), ('b', 4), ('c', 2)]));
}

#[test]
fn the_judge_names_the_rule_that_a_plan_breaks() {
    let input = question(&[(large(), 10)], &shop());
    let planned = plan(&input, &policy());
    let rules = |mix| {
        let violations = check(&input, &with(mix), &planned);
        let broken = violations.into_iter().find_map(|violation| {
            if let Violation::MixBroken { rule, .. } = violation { Some(rule) } else { None }
        });
        broken.unwrap()
    };
    let above = CpuUnits::ZERO;

    let base = CpuUnits::from_vcpus(4);
    assert_eq!(rules(MixRules { on_demand_base: base, ..MixRules::NONE }), MixRule::OnDemandBase);
    assert_eq!(rules(MixRules { spot_percent_max: 90, ..MixRules::NONE }), MixRule::SpotMax);
    let pool = MixRules { pool_percent_max: 90, spread_above: above, ..MixRules::NONE };
    assert_eq!(rules(pool), MixRule::Pool);
    let zone = MixRules { zone_percent_max: 90, spread_above: above, ..MixRules::NONE };
    assert_eq!(rules(zone), MixRule::Zone);
}

#[test]
fn a_rule_is_priced_by_the_plan_without_it() {
    let input = question(&[(large(), 10)], &shop());
    let mix = MixRules { spot_percent_max: 60, ..MixRules::NONE };
    let all = (*input.catalog).clone();
    let question = Question::new(input, with(mix), &all, |_| spillway_core::plan::FilterSet::EMPTY);

    let prices = limits(&question, &question.plan());

    let [limit] = prices.limits.as_slice() else { panic!("{prices:?}") };
    assert_eq!(limit.limit, Limit::Sum(LimitKind::Mix(MixRule::SpotMax)));
    let costs = prices.base.price.get() - limit.lifted.price.get();
    assert_eq!(MicroUsdPerHour::new(costs), MicroUsdPerHour::new(4 * 120_000));
}

#[test]
fn a_rule_that_allows_nothing_is_the_reason() {
    let mix = MixRules { spot_percent_max: 0, ..MixRules::NONE };
    let key = DemandKey { market: MarketRule::Spot, ..large() };
    let mut input = question(&[(key, 2)], &shop());
    input.headroom = Headroom { hosts: Some(5), ..Headroom::default() };

    for planned in both(&input, &with(mix)) {
        let reason = WaitReason::LimitReached { limit: LimitKind::Mix(MixRule::SpotMax) };
        assert_eq!(planned.report.waiting[0].reason, reason);
        assert_eq!(planned.plan.launches, vec![]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_plan_breaks_a_rule(input in questions(), policy in policies(), mix in mixes()) {
        let policy = PlanPolicy { mix, ..policy };

        let planned = plan(&input, &policy);
        let over_time = Spillway::default().plan(&input, &policy);

        prop_assert_eq!(check(&input, &policy, &planned), vec![]);
        prop_assert_eq!(check(&input, &policy, &over_time), vec![]);
    }

    #[test]
    fn the_order_of_everything_changes_no_mix(input in questions(), mix in mixes(), seed in 0_usize..64) {
        let policy = PlanPolicy { mix, ..policy() };

        prop_assert_eq!(plan(&shuffled(&input, seed), &policy), plan(&input, &policy));
    }
}
