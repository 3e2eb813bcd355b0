//! Problems without durations, from those with, and what is asked of them.

use proptest::prelude::*;
use spillway_core::PlanPolicy;
use spillway_planner::certificate::{certify, certify_each};
use spillway_planner::plan_and_prices;
use spillway_planner::problem::{JobLine, Problem, Solution, solution};
use spillway_planner::verify::Certificate;

use crate::timed;

/// Problems in which every job fits something.
pub(crate) fn problems(
    n_offers: usize,
    n_lines: usize,
    count_max: u32,
) -> impl Strategy<Value = Problem> {
    timed::problems(n_offers, n_lines, count_max).prop_map(|timed| {
        let line = |job: spillway_planner::bill::TimedJobLine| JobLine {
            count: job.count,
            vcpus: job.vcpus,
            memory_mib: job.memory_mib,
            gpus: job.gpus,
            arch: job.arch,
            spot_ok: job.spot_ok,
        };
        Problem { offers: timed.offers, jobs: timed.jobs.into_iter().map(line).collect() }
    })
}

/// A plan of ours, with its certificate.
pub(crate) fn planned(problem: &Problem) -> (Solution, Certificate) {
    let input = problem.to_exact_input().unwrap();
    let (mut planned, prices) = plan_and_prices(&input, &PlanPolicy::default());
    let certificate = certify(problem, &prices).unwrap();
    planned.report.bound = spillway_core::MicroUsdPerHour::new(certificate.bound);
    (solution(problem, &planned).unwrap(), certificate)
}

/// A certificate of each kind that can be made for a problem.
pub(crate) fn certificates(problem: &Problem) -> Vec<Certificate> {
    let input = problem.to_exact_input().unwrap();
    let (_, prices) = plan_and_prices(&input, &PlanPolicy::default());
    certify_each(problem, &prices).unwrap()
}
