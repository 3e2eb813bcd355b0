//! The bound: below the optimum that a brute force finds, below the price of the plan, and monotone.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use spillway_core::plan::{Demand, DemandKey};
use spillway_core::{Catalog, Market, MicroUsdPerHour, Offering, PlanInput, PlanPolicy, Resources};
use spillway_planner::certificate::certify;
use spillway_planner::problem::Problem;
use spillway_planner::verify::{self, Terms};
use spillway_planner::{plan, plan_and_prices};

use crate::world::{demands, job, offering, offerings, policies, policy, question, questions};

/// Jobs one by one; a brute force takes no more than this.
const JOBS_MAX: usize = 7;

/// The least that hosts cost which hold all jobs, by trying every way to part them; none if some job fits nothing.
fn optimum(input: &PlanInput) -> Option<u64> {
    let mut jobs: Vec<DemandKey> = Vec::new();
    for demand in &input.demands {
        jobs.extend((0..demand.count).map(|_| demand.key));
    }
    let n_sets = 1_usize << jobs.len();
    let alone: Vec<Option<u64>> =
        (0..n_sets).map(|set| cheapest_host(&jobs, set, input.catalog.offerings())).collect();
    let mut best: Vec<Option<u64>> = vec![None; n_sets];
    best[0] = Some(0);
    for set in 1..n_sets {
        // Some host holds the first job of the set; every subset with it may be that host's contents.
        let first = set & set.wrapping_neg();
        let mut contents = set;
        while 0 < contents {
            if contents & first != 0
                && let (Some(host), Some(rest)) = (alone[contents], best[set & !contents])
            {
                let cost = host + rest;
                best[set] = Some(best[set].map_or(cost, |least| least.min(cost)));
            }
            contents = (contents - 1) & set;
        }
    }
    best[n_sets - 1]
}

fn cheapest_host(jobs: &[DemandKey], set: usize, offerings: &[Offering]) -> Option<u64> {
    let members =
        || jobs.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, job)| job);
    let load = members().try_fold(Resources::ZERO, |sum, job| sum.checked_add(&job.need))?;
    let holds =
        |o: &&Offering| load.fits(&o.capacity) && members().all(|job| job.allows(o.traits()));
    offerings.iter().filter(holds).map(|o| o.price.get()).min()
}

fn tiny() -> impl Strategy<Value = PlanInput> {
    let jobs = demands(4, 3).prop_map(|mut demands| {
        while JOBS_MAX < demands.iter().map(|d| usize::try_from(d.count).unwrap()).sum() {
            demands.pop();
        }
        demands
    });
    (jobs, offerings(10)).prop_map(|(demands, offerings)| {
        let jobs: Vec<(DemandKey, u32)> = demands.iter().map(|d| (d.key, d.count)).collect();
        question(&jobs, &offerings)
    })
}

/// A job that fits nothing is no part of the bound: leave it out.
fn only_what_fits(input: &mut PlanInput) {
    let catalog = Arc::clone(&input.catalog);
    input.demands.retain(|d| spillway_planner::admit(&d.key, &catalog, &policy()).is_ok());
}

fn bound(input: &PlanInput) -> u64 {
    plan(input, &policy()).report.bound.get()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_tiny_problems_the_plan_costs_what_brute_force_finds_and_the_bound_no_more(mut input in tiny()) {
        only_what_fits(&mut input);
        let planned = plan(&input, &policy());

        let optimum = optimum(&input).unwrap();

        prop_assert!(planned.report.bound.get() <= optimum, "{} {optimum}", planned.report.bound);
        prop_assert_eq!(optimum, planned.plan.price().get());
    }

    #[test]
    fn what_launches_hold_as_a_problem_has_a_certified_bound_that_they_do_not_cost_less_than(
        input in questions(),
        policy in policies(),
    ) {
        let planned = plan(&input, &policy);

        let problem = Problem::of_launches(&input, &policy, &planned);
        let (again, prices) =
            plan_and_prices(&problem.to_exact_input().unwrap(), &PlanPolicy::default());
        let certified = certify(&problem, &prices).unwrap();

        let proven = verify::certificate(&Terms::of(&problem).unwrap(), &certified);
        prop_assert_eq!(proven.map(|proven| proven.bound), Ok(certified.bound));
        prop_assert!(certified.bound <= planned.plan.price().get(), "{}", certified.bound);
        prop_assert_eq!(again.report.waiting, vec![], "all of them fit");
        let held = planned.plan.launches.iter().map(|launch| {
            launch.count * launch.contents.iter().map(|(_, each)| each).sum::<u32>()
        });
        prop_assert_eq!(held.sum::<u32>(), problem.jobs.iter().map(|line| line.count).sum::<u32>());
    }

    #[test]
    fn an_offering_more_never_raises_the_bound(mut input in tiny(), more in offerings(3)) {
        only_what_fits(&mut input);
        let mut all = input.catalog.offerings().to_vec();
        // A type is one thing wherever it is sold: what is new has names of its own.
        all.extend(more.into_iter().map(|mut offering| {
            offering.pool.instance_type.push_str("-new");
            offering
        }));
        let richer = PlanInput { catalog: Arc::new(Catalog::new(input.now, all)), ..input.clone() };

        prop_assert!(bound(&richer) <= bound(&input), "{} {}", bound(&richer), bound(&input));
    }

    #[test]
    fn a_lower_price_never_raises_the_bound(mut input in tiny(), at in 0_usize..16, percent in 0_u64..100) {
        only_what_fits(&mut input);
        let mut offerings = input.catalog.offerings().to_vec();
        let n = offerings.len();
        if let Some(offering) = offerings.get_mut(at % n.max(1)) {
            offering.price = MicroUsdPerHour::new(offering.price.get() * percent / 100);
        }
        let catalog = Arc::new(Catalog::new(input.now, offerings));
        let cheaper = PlanInput { catalog, ..input.clone() };

        prop_assert!(bound(&cheaper) <= bound(&input), "{} {}", bound(&cheaper), bound(&input));
    }

    #[test]
    fn one_job_more_never_lowers_the_bound(mut input in tiny(), more in demands(1, 1)) {
        input.demands.extend(more);
        only_what_fits(&mut input);
        let mut counts: BTreeMap<DemandKey, u32> = BTreeMap::new();
        for demand in &input.demands {
            *counts.entry(demand.key).or_insert(0) += demand.count;
        }
        input.demands = counts.iter().map(|(key, count)| Demand::new(*key, *count)).collect();
        let mut fewer = input.clone();
        if let Some(last) = fewer.demands.last_mut() {
            last.count -= 1;
        }
        fewer.demands.retain(|demand| 0 < demand.count);

        prop_assert!(bound(&fewer) <= bound(&input), "{} {}", bound(&fewer), bound(&input));
    }
}

#[test]
fn two_jobs_that_together_fill_a_cheap_host_are_bought_one_host_and_the_bound_says_so() {
    let offerings = [offering("small", 1024, 2048, 60_000), offering("large", 2048, 4096, 100_000)];

    let planned = plan(&question(&[(job(1024, 1024), 2)], &offerings), &policy());

    assert_eq!(planned.plan.n_hosts(), 1);
    assert_eq!(planned.plan.price(), MicroUsdPerHour::new(100_000));
    assert_eq!(planned.report.bound, MicroUsdPerHour::new(100_000));
}

#[test]
fn what_cannot_be_shared_is_seen_by_the_bound() {
    // Three of these never fit on one host: resources alone would allow one and a half hosts for three jobs.
    let offerings = [offering("host", 3072, 8192, 100_000)];

    let planned = plan(&question(&[(job(1537, 1024), 40)], &offerings), &policy());

    assert_eq!(planned.plan.n_hosts(), 40);
    assert_eq!(planned.report.bound, planned.plan.price());
}

#[test]
fn on_demand_only_jobs_do_not_pull_the_others_out_of_spot() {
    let spot = offering("host", 4096, 8192, 30_000);
    let mut on_demand = offering("host", 4096, 8192, 100_000);
    on_demand.pool.market = Market::OnDemand;
    let mut careful = job(4096, 1024);
    careful.market = spillway_core::MarketRule::OnDemand;

    let jobs = [(careful, 1), (job(4096, 1024), 3)];
    let planned = plan(&question(&jobs, &[spot, on_demand]), &policy());

    assert_eq!(planned.plan.price(), MicroUsdPerHour::new(190_000));
    assert_eq!(planned.report.bound, MicroUsdPerHour::new(190_000));
}
