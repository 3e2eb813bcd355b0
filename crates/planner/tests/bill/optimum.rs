//! The bound is below the least bill that a brute force finds, and the plan is not below that.

use proptest::prelude::*;
use spillway_core::plan::DemandKey;
use spillway_planner::bill::{TimedJobLine, TimedProblem, area_bound, plan};
use spillway_planner::certificate::certify_bill;
use spillway_planner::problem::{JobLine, Offer, Problem};

use crate::world::{holds, problems};

/// Jobs one by one; a brute force takes no more than this.
const JOBS_MAX: usize = 5;

/// The least bill, by trying every way to part the jobs, every offering, and every order in which a host starts them.
fn optimum(problem: &TimedProblem) -> u64 {
    let mut jobs: Vec<&TimedJobLine> = Vec::new();
    for line in &problem.jobs {
        jobs.extend((0..line.count).map(|_| line));
    }
    let n_sets = 1_usize << jobs.len();
    let alone: Vec<Option<u64>> = (0..n_sets).map(|set| one_host(problem, &jobs, set)).collect();
    let mut best: Vec<Option<u64>> = vec![None; n_sets];
    best[0] = Some(0);
    for set in 1..n_sets {
        // Some host runs the first job of the set; every subset with it may be all that host runs.
        let first = set & set.wrapping_neg();
        let mut part = set;
        while 0 < part {
            if part & first != 0
                && let (Some(host), Some(rest)) = (alone[part], best[set & !part])
            {
                best[set] = Some(best[set].map_or(host + rest, |least| least.min(host + rest)));
            }
            part = (part - 1) & set;
        }
    }
    best[n_sets - 1].unwrap()
}

/// The least that one host costs which runs all of a set.
fn one_host(problem: &TimedProblem, jobs: &[&TimedJobLine], set: usize) -> Option<u64> {
    let members: Vec<&TimedJobLine> =
        jobs.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, job)| *job).collect();
    let mut best: Option<u64> = None;
    for offer in &problem.offers {
        if !members.iter().all(|job| holds(offer, job)) {
            continue;
        }
        let mut order = members.clone();
        let end = shortest(offer, problem.time.boot_s, &mut order, 0);
        if end <= problem.time.deadline_s {
            let micro = (offer.usd_per_hour * 1e6).round();
            let cost = whole(micro * end.max(problem.time.min_billed_s));
            best = Some(best.map_or(cost, |least| least.min(cost)));
        }
    }
    best
}

/// The earliest end over all orders: each job starts as early as it can after the others before it in the order are
/// in place. Some order gives the earliest end there is (serial schedule generation).
fn shortest(offer: &Offer, boot: f64, order: &mut Vec<&TimedJobLine>, fixed: usize) -> f64 {
    if fixed == order.len() {
        return end_in_order(offer, boot, order);
    }
    let mut best = f64::INFINITY;
    for at in fixed..order.len() {
        order.swap(fixed, at);
        best = best.min(shortest(offer, boot, order, fixed + 1));
        order.swap(fixed, at);
    }
    best
}

fn end_in_order(offer: &Offer, boot: f64, order: &[&TimedJobLine]) -> f64 {
    let mut placed: Vec<(f64, &TimedJobLine)> = Vec::new();
    let mut last = 0.0_f64;
    for job in order {
        let mut starts: Vec<f64> = placed.iter().map(|(start, j)| start + j.duration_s).collect();
        starts.push(boot);
        starts.sort_by(f64::total_cmp);
        let fits = |start: &f64| {
            // What is used is highest where something starts; a job of no length uses its room for no time.
            let mut moments: Vec<f64> = placed.iter().map(|(s, _)| *s).collect();
            moments.push(*start);
            moments.iter().filter(|m| *start <= **m && **m < start + job.duration_s).all(|m| {
                let running = placed.iter().filter(|(s, j)| s <= m && *m < s + j.duration_s);
                let (mut cpu, mut memory, mut gpus) = (job.vcpus, job.memory_mib, job.gpus);
                for (_, other) in running {
                    cpu += other.vcpus;
                    memory += other.memory_mib;
                    gpus += other.gpus;
                }
                cpu <= offer.vcpus + 1e-9 && memory <= offer.memory_mib && gpus <= offer.gpus
            })
        };
        let start = starts.into_iter().find(fits).unwrap();
        last = last.max(start + job.duration_s);
        placed.push((start, job));
    }
    last
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "a small whole number"
)]
fn whole(x: f64) -> u64 {
    x.round() as u64
}

fn tiny() -> impl Strategy<Value = TimedProblem> {
    problems(5, 5, 3).prop_map(|mut problem| {
        let n_jobs = |p: &TimedProblem| p.jobs.iter().map(|job| job.count).sum::<u32>();
        while JOBS_MAX < usize::try_from(n_jobs(&problem)).unwrap() {
            problem.jobs.pop();
        }
        problem
    })
}

/// Seconds of work of each kind.
fn work(problem: &TimedProblem) -> Vec<(DemandKey, u64)> {
    let mut work = Vec::new();
    for job in &problem.jobs {
        let line = JobLine {
            count: job.count,
            vcpus: job.vcpus,
            memory_mib: job.memory_mib,
            gpus: job.gpus,
            arch: job.arch.clone(),
            spot_ok: job.spot_ok,
        };
        let alone = Problem { offers: Vec::new(), jobs: vec![line] }.to_input().unwrap();
        let secs = whole(job.duration_s);
        work.extend(alone.demands.iter().map(|d| (d.key, u64::from(d.count) * secs)));
    }
    work
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_tiny_problems_the_least_bill_is_between_the_bound_and_the_plan(problem in tiny()) {
        let bill = plan(&problem).unwrap();

        let optimum = optimum(&problem);

        let certified = certify_bill(&problem, &bill).unwrap().bound;
        prop_assert!(bill.bound <= optimum, "the bound {} is above {optimum}", bill.bound);
        prop_assert!(certified <= optimum, "the certified bound {certified} is above {optimum}");
        prop_assert!(optimum <= bill.cost, "the plan {} is below {optimum}", bill.cost);
    }

    #[test]
    fn on_tiny_problems_what_the_work_alone_costs_is_below_the_least_bill(problem in tiny()) {
        let offers = Problem { offers: problem.offers.clone(), jobs: Vec::new() };
        let offerings = offers.to_input().unwrap().catalog.offerings().to_vec();

        let bound = area_bound(&offerings, &work(&problem));

        let optimum = optimum(&problem);
        prop_assert!(bound <= optimum, "the bound {bound} is above {optimum}");
    }
}
