//! EC2's vCPU quotas: what one counts is never passed, and work goes on to what it does not count.

use spillway_core::plan::{LimitKind, WaitReason};
use spillway_core::{CpuUnits, Market, MicroUsdPerHour, Offering, PlanInput, Quota, Quotas};
use spillway_planner::check::{Violation, check};
use spillway_planner::explain::Question;
use spillway_planner::explain::limits::{Limit, Raise, limits};
use spillway_planner::plan;

use crate::world::{job, offering, policy, question};

fn quota(name: &str) -> Quota {
    name.parse().unwrap()
}

fn vcpus(name: &str, n: u32) -> Quotas {
    vec![(quota(name), CpuUnits::from_vcpus(n))].into()
}

/// A cheap Spot type, the same On-Demand, and a dearer Spot type of another quota; 4 vCPUs each.
fn shop() -> Vec<Offering> {
    let mut on_demand = offering("c5.xlarge", 4096, 7600, 170_000);
    on_demand.pool.market = Market::OnDemand;
    vec![
        offering("c5.xlarge", 4096, 7600, 60_000),
        on_demand,
        offering("x2.xlarge", 4096, 60_000, 120_000),
    ]
}

/// So many jobs that fill a host each.
fn jobs(n: u32, quotas: Quotas) -> PlanInput {
    let mut input = question(&[(job(4096, 7000), n)], &shop());
    input.headroom.quotas = quotas;
    input
}

/// How many hosts of each pool are bought.
fn bought(input: &PlanInput) -> Vec<(String, u32)> {
    let planned = plan(input, &policy());
    assert_eq!(check(input, &policy(), &planned), vec![]);
    let of_launch = |l: &spillway_core::plan::PlannedLaunch| {
        (format!("{} {}", l.choices[0].pool.instance_type, l.choices[0].pool.market), l.count)
    };
    planned.plan.launches.iter().map(of_launch).collect()
}

#[test]
fn what_a_quota_leaves_over_is_bought_where_it_does_not_count() {
    let bought = bought(&jobs(5, vcpus("spot/standard", 9)));

    assert_eq!(bought, [("c5.xlarge spot".to_owned(), 2), ("x2.xlarge spot".to_owned(), 3)]);
}

#[test]
fn a_quota_of_one_market_leaves_the_other_alone() {
    let quotas = vec![
        (quota("spot/standard"), CpuUnits::from_vcpus(0)),
        (quota("spot/x"), CpuUnits::from_vcpus(3)),
    ];

    assert_eq!(bought(&jobs(2, quotas.into())), [("c5.xlarge on-demand".to_owned(), 2)]);
}

#[test]
fn a_job_that_only_a_full_quota_keeps_waiting_is_told_which() {
    let mut input = jobs(3, vcpus("spot/standard", 8));
    input.demands[0].key.market = spillway_core::MarketRule::Spot;
    input.catalog = spillway_core::Catalog::new(input.now, shop()[..2].to_vec()).into();

    let planned = plan(&input, &policy());

    let reason = WaitReason::LimitReached { limit: LimitKind::Quota(quota("spot/standard")) };
    assert_eq!(planned.report.waiting.len(), 1);
    assert_eq!((planned.report.waiting[0].count, &planned.report.waiting[0].reason), (1, &reason));
    assert!(reason.to_string().contains("vcpu-quotas spot/standard"), "{reason}");
}

#[test]
fn the_judge_counts_alternatives_too() {
    let input = jobs(2, Quotas::NONE);
    let planned = plan(&input, &policy());
    let tight = PlanInput {
        headroom: spillway_core::plan::Headroom {
            quotas: vcpus("spot/standard", 4),
            ..input.headroom
        },
        ..input
    };

    let violations = check(&tight, &policy(), &planned);

    let limit = LimitKind::Quota(quota("spot/standard"));
    let exceeded = Violation::LimitExceeded { limit, bought: 8192, headroom: 4096 };
    assert_eq!(violations, [exceeded]);
}

#[test]
fn a_quota_is_priced_by_what_more_of_it_saves() {
    let input = jobs(5, vcpus("spot/standard", 8));
    let all = (*input.catalog).clone();
    let question = Question::new(input, policy(), &all, |_| spillway_core::plan::FilterSet::EMPTY);

    let prices = limits(&question, &question.plan());

    let [limit] = prices.limits.as_slice() else { panic!("{prices:?}") };
    assert_eq!(limit.limit, Limit::Sum(LimitKind::Quota(quota("spot/standard"))));
    let saved = prices.base.price.get() - limit.lifted.price.get();
    assert_eq!(MicroUsdPerHour::new(saved), MicroUsdPerHour::new(3 * 60_000));
    let step = Raise::Quota(quota("spot/standard"), CpuUnits::from_vcpus(16));
    assert_eq!(limit.raised.map(|(raise, _)| raise), Some(step));
}
