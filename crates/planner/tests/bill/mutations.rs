//! The judge refuses a sound plan once one promise in it is broken, and says which.

use spillway_planner::bill::{
    Bill, BillViolation, TimedInstances, TimedJobLine, TimedProblem, check, plan,
};
use spillway_planner::problem::Offer;

use crate::world::{RULES, jobs, offer};

/// Two kinds of job on one host.
fn sound() -> (TimedProblem, Bill) {
    let only_arm = TimedJobLine { arch: "arm64".to_owned(), ..jobs(1, 1.0, 100, 50.0) };
    let arm = Offer { arch: "arm64".to_owned(), ..offer("arm", 2.0, 1000, 1.0) };
    let on_demand = TimedJobLine { spot_ok: false, ..jobs(1, 1.0, 100, 50.0) };
    let steady = Offer { market: "on-demand".to_owned(), ..offer("steady", 2.0, 1000, 3.0) };
    let problem = TimedProblem {
        offers: vec![arm, steady, offer("x", 2.0, 1000, 9.0)],
        jobs: vec![jobs(3, 1.0, 100, 100.0), only_arm, on_demand],
        time: RULES,
    };
    let bill = plan(&problem).unwrap();
    assert_eq!(check(&problem, &bill), []);
    (problem, bill)
}

/// What the judge says once `break_it` has been done to a sound plan.
fn broken(break_it: impl FnOnce(&mut Bill)) -> Vec<BillViolation> {
    let (problem, mut bill) = sound();
    break_it(&mut bill);
    check(&problem, &bill)
}

fn is_any(violations: &[BillViolation], is_it: impl Fn(&BillViolation) -> bool) -> bool {
    violations.iter().any(is_it)
}

/// The host that runs a job line.
fn host_of(bill: &mut Bill, job: usize) -> &mut TimedInstances {
    bill.instances.iter_mut().find(|i| i.runs.iter().any(|run| run.0 == job)).unwrap()
}

#[test]
fn a_run_left_out_is_missed() {
    let violations = broken(|bill| host_of(bill, 1).runs.retain(|run| run.0 != 1));

    let of_job_1 = BillViolation::NotConserved { job: 1, asked: 1, given: 0 };
    assert!(violations.contains(&of_job_1), "{violations:?}");
}

#[test]
fn a_host_too_many_runs_jobs_twice() {
    let violations = broken(|bill| bill.instances[0].count += 1);

    let is_it = |v: &BillViolation| matches!(v, BillViolation::NotConserved { .. });
    assert!(is_any(&violations, is_it), "{violations:?}");
}

#[test]
fn a_start_before_the_host_is_up_is_seen() {
    let violations = broken(|bill| bill.instances[0].runs[0].2 = 9);

    let is_it = |v: &BillViolation| matches!(v, BillViolation::BeforeBoot { start_s: 9, .. });
    assert!(is_any(&violations, is_it), "{violations:?}");
}

#[test]
fn an_end_after_the_deadline_is_seen() {
    let violations = broken(|bill| bill.instances[0].runs[0].2 = 3590);

    let is_it = |v: &BillViolation| matches!(v, BillViolation::AfterDeadline { .. });
    assert!(is_any(&violations, is_it), "{violations:?}");
}

#[test]
fn more_at_once_than_fits_is_seen() {
    let violations = broken(|bill| host_of(bill, 0).runs.push((0, 3, 10)));

    let is_it = |v: &BillViolation| matches!(v, BillViolation::OverCapacity { at_s: 10, .. });
    assert!(is_any(&violations, is_it), "{violations:?}");
}

#[test]
fn the_wrong_architecture_and_the_wrong_market_are_seen() {
    for job in [1, 2] {
        let violations = broken(|bill| {
            let host = host_of(bill, job);
            host.instance_type = "x".to_owned();
            host.market = "spot".to_owned();
        });

        let is_it =
            |v: &BillViolation| matches!(v, BillViolation::NotAllowed { job: j, .. } if *j == job);
        assert!(is_any(&violations, is_it), "{violations:?}");
    }
}

#[test]
fn a_pool_nobody_offers_is_seen() {
    let violations = broken(|bill| bill.instances[0].az = "us-east-1f".to_owned());

    assert!(violations.contains(&BillViolation::UnknownPool { host: 0 }), "{violations:?}");
}

#[test]
fn a_job_that_is_not_there_and_a_run_of_nothing_are_seen() {
    let unknown = broken(|bill| bill.instances[0].runs.push((7, 1, 10)));
    let nothing = broken(|bill| bill.instances[0].runs.push((0, 0, 10)));

    assert!(unknown.contains(&BillViolation::UnknownJob { host: 0, job: 7 }), "{unknown:?}");
    assert!(nothing.contains(&BillViolation::CountsNothing { host: 0 }), "{nothing:?}");
}

#[test]
fn a_wrong_sum_and_a_bound_above_it_are_seen() {
    let sum = broken(|bill| bill.cost += 1);
    let bound = broken(|bill| bill.bound = bill.cost + 1);

    assert!(is_any(&sum, |v| matches!(v, BillViolation::WrongCost { .. })), "{sum:?}");
    assert!(is_any(&bound, |v| matches!(v, BillViolation::BelowBound { .. })), "{bound:?}");
}
