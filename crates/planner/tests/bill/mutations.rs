//! The verifier refuses a sound plan once one promise in it is broken, and says which.

use spillway_planner::bill::{Bill, TimedInstances, TimedJobLine, TimedProblem, plan};
use spillway_planner::problem::Offer;
use spillway_planner::verify::Fault;

use crate::verdict::{RULES, verified};
use crate::world::{jobs, offer};

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
    verified(&problem, &bill).unwrap();
    (problem, bill)
}

/// What the verifier says once `break_it` has been done to a sound plan.
fn broken(break_it: impl FnOnce(&mut Bill)) -> String {
    let (problem, mut bill) = sound();
    break_it(&mut bill);
    verified(&problem, &bill).unwrap_err().to_string()
}

/// The host that runs a job line.
fn host_of(bill: &mut Bill, job: usize) -> &mut TimedInstances {
    bill.instances.iter_mut().find(|i| i.runs.iter().any(|run| run.0 == job)).unwrap()
}

#[test]
fn a_run_left_out_is_missed() {
    let said = broken(|bill| host_of(bill, 1).runs.retain(|run| run.0 != 1));

    assert_eq!(said, "jobs[1]: 1 of its 1 jobs are on no host");
}

#[test]
fn a_host_too_many_runs_jobs_twice() {
    let said = broken(|bill| bill.instances[0].count += 1);

    assert!(said.contains(" more than its "), "{said}");
}

#[test]
fn a_start_before_the_host_is_up_is_seen() {
    let said = broken(|bill| bill.instances[0].runs[0].2 = 9);

    assert!(said.ends_with("start at 9 s, before it is up at 10 s"), "{said}");
}

#[test]
fn an_end_after_the_deadline_is_seen() {
    let said = broken(|bill| bill.instances[0].runs[0].2 = 3590);

    assert!(said.ends_with("s, after the deadline of 3600 s"), "{said}");
}

#[test]
fn more_at_once_than_fits_is_seen_with_the_dimension_the_amount_and_the_time() {
    let said = broken(|bill| host_of(bill, 0).runs.push((0, 3, 10)));

    let vcpus = "its jobs need 5 vCPU, 3 more than its 2 at 10 s";
    assert!(said.ends_with(vcpus), "{said}");
}

#[test]
fn the_wrong_architecture_and_the_wrong_market_are_seen() {
    let on_x86 = |job| {
        broken(|bill| {
            let host = host_of(bill, job);
            host.instance_type = "x".to_owned();
            host.market = "spot".to_owned();
        })
    };

    let (arch, market) = (on_x86(1), on_x86(2));

    assert!(arch.ends_with("jobs[1] do not run on its architecture"), "{arch}");
    assert!(market.ends_with("jobs[2] may not run on Spot"), "{market}");
}

#[test]
fn a_pool_nobody_offers_is_seen() {
    let said = broken(|bill| bill.instances[0].az = "us-east-1f".to_owned());

    assert!(said.starts_with("instances[0] (arm, spot, us-east-1f): "), "{said}");
    assert!(said.ends_with(&Fault::NotOffered.to_string()), "{said}");
}

#[test]
fn a_job_that_is_not_there_and_a_run_of_nothing_are_seen() {
    let unknown = broken(|bill| bill.instances[0].runs.push((7, 1, 10)));
    let nothing = broken(|bill| bill.instances[0].runs.push((0, 0, 10)));

    assert!(unknown.ends_with("it names jobs[7], the problem has 3 job lines"), "{unknown}");
    assert!(nothing.ends_with("it names jobs[0] with a count of 0"), "{nothing}");
}
