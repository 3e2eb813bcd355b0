//! Every plan is sound, and the same whatever the order of the question.

use proptest::prelude::*;
use spillway_planner::bill::{BillError, TimeRules, TimedProblem, plan};

use crate::verdict::{RULES, verified};
use crate::world::{jobs, offer, problems};

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_plan_is_accepted_by_the_verifier_and_costs_what_it_says(problem in problems(10, 12, 30)) {
        let bill = plan(&problem).unwrap();

        let feasible = verified(&problem, &bill).map_err(|v| TestCaseError::fail(v.to_string()))?;

        // Bills are counted to the second, the verifier counts to its millionth.
        prop_assert_eq!(feasible.cost, u128::from(bill.cost) * 1_000_000);
        prop_assert!(bill.bound <= bill.cost);
    }

    #[test]
    fn the_order_of_offers_and_jobs_changes_neither_bill_nor_bound(problem in problems(8, 8, 6)) {
        let bill = plan(&problem).unwrap();
        let mut turned = problem.clone();
        turned.offers.reverse();
        turned.jobs.reverse();

        let other = plan(&turned).unwrap();

        prop_assert_eq!((bill.cost, bill.bound), (other.cost, other.bound));
    }
}

#[test]
fn one_host_is_used_again_and_again_rather_than_many_once() {
    let problem = TimedProblem {
        offers: vec![offer("one", 1.0, 1000, 1.0), offer("many", 64.0, 64_000, 70.0)],
        jobs: vec![jobs(64, 1.0, 1000, 30.0)],
        time: RULES,
    };

    let bill = plan(&problem).unwrap();

    // 64 jobs one after the other and one boot.
    assert_eq!(bill.cost, 1_000_000 * (10 + 64 * 30));
    assert_eq!(bill.instances.len(), 1);
}

#[test]
fn a_long_job_does_not_keep_a_large_host() {
    let problem = TimedProblem {
        offers: vec![offer("small", 1.0, 1000, 1.0), offer("large", 64.0, 64_000, 32.0)],
        jobs: vec![jobs(1, 1.0, 1000, 3500.0), jobs(630, 1.0, 1000, 100.0)],
        time: RULES,
    };

    let bill = plan(&problem).unwrap();

    verified(&problem, &bill).unwrap();
    // Near to the long job on a small host and the short ones ten deep on a large one; a large host for all that
    // time would be three times as dear.
    let apart = 1_000_000 * 3510 + 32_000_000 * 1010;
    assert!(bill.cost <= apart / 100 * 102, "{} {apart}", bill.cost);
}

#[test]
fn nothing_to_do_costs_nothing() {
    let problem = TimedProblem { offers: Vec::new(), jobs: Vec::new(), time: RULES };

    let bill = plan(&problem).unwrap();

    assert_eq!((bill.cost, bill.bound, bill.instances.len()), (0, 0, 0));
}

#[test]
fn a_host_is_paid_for_the_least_that_is_billed() {
    let problem = TimedProblem {
        offers: vec![offer("one", 1.0, 1000, 1.0)],
        jobs: vec![jobs(1, 1.0, 1000, 5.0)],
        time: RULES,
    };

    let bill = plan(&problem).unwrap();

    assert_eq!((bill.cost, bill.bound), (60_000_000, 60_000_000));
}

#[test]
fn a_job_that_fits_nothing_is_named() {
    let problem = TimedProblem {
        offers: vec![offer("one", 1.0, 1000, 1.0)],
        jobs: vec![jobs(1, 1.0, 1000, 5.0), jobs(1, 1.0, 1001, 5.0)],
        time: RULES,
    };

    let error = plan(&problem).unwrap_err();

    assert_eq!(error, BillError::FitsNothing { index: 1 });
    assert!(error.is_infeasible());
}

#[test]
fn a_job_that_cannot_end_in_time_is_named() {
    let problem = TimedProblem {
        offers: vec![offer("one", 1.0, 1000, 1.0)],
        jobs: vec![jobs(1, 1.0, 1000, 3591.0)],
        time: RULES,
    };

    let error = plan(&problem).unwrap_err();

    assert_eq!(error, BillError::TooLong { index: 0, end_s: 3601, deadline_s: 3600 });
}

#[test]
fn a_time_that_is_no_whole_number_of_seconds_is_refused_by_name() {
    let time = TimeRules { boot_s: 0.5, ..RULES };
    let of_boot = TimedProblem { offers: Vec::new(), jobs: Vec::new(), time };
    let offers = vec![offer("one", 1.0, 1000, 1.0)];
    let jobs = vec![jobs(1, 1.0, 1000, -1.0)];
    let of_job = TimedProblem { offers, jobs, time: RULES };

    let texts = [of_boot, of_job].map(|problem| plan(&problem).unwrap_err().to_string());

    assert!(texts[0].starts_with("time.boot_s: 0.5 is not"), "{}", texts[0]);
    assert!(texts[1].starts_with("jobs[0].duration_s: -1 is not"), "{}", texts[1]);
}
