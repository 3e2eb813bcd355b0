//! An independent judge of bill plans: whether every job runs once, where it may, in the room there is and in time,
//! and what that is billed.
//!
//! Written from the meaning of the file alone; it shares no code with the solver and must never do so. It walks
//! through every host second by second of change, in 128 bits.

use std::collections::BTreeMap;

use crate::bill::Bill;
use crate::bill::problem::{TimedJobLine, TimedProblem};
use crate::problem::Offer;

/// A promise that a plan does not keep. Hosts are named by their place in the list of instances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillViolation {
    /// No such offering.
    #[error("instances[{host}] is of a pool that is not on offer")]
    UnknownPool {
        /// Which.
        host: usize,
    },
    /// A group of no hosts, or a run of no jobs.
    #[error("instances[{host}] counts nothing")]
    CountsNothing {
        /// Which.
        host: usize,
    },
    /// No such job line.
    #[error("instances[{host}] runs jobs[{job}], which is not there")]
    UnknownJob {
        /// Which.
        host: usize,
        /// The index given.
        job: usize,
    },
    /// The wrong architecture or market.
    #[error("instances[{host}] runs jobs[{job}], which may not run there")]
    NotAllowed {
        /// Which.
        host: usize,
        /// The job line.
        job: usize,
    },
    /// A job that starts before its host is up.
    #[error("instances[{host}] starts jobs[{job}] at {start_s} s, before it is up")]
    BeforeBoot {
        /// Which.
        host: usize,
        /// The job line.
        job: usize,
        /// When.
        start_s: u32,
    },
    /// A job that ends too late.
    #[error("instances[{host}] ends jobs[{job}] after the deadline")]
    AfterDeadline {
        /// Which.
        host: usize,
        /// The job line.
        job: usize,
    },
    /// More at once than there is room for.
    #[error("instances[{host}] holds more than it can at {at_s} s")]
    OverCapacity {
        /// Which.
        host: usize,
        /// When.
        at_s: u64,
    },
    /// A job line of which not all jobs, or more than all, are run.
    #[error("{given} of {asked} of jobs[{job}] are run")]
    NotConserved {
        /// The job line.
        job: usize,
        /// How many there are.
        asked: u128,
        /// How many are run.
        given: u128,
    },
    /// The hosts cost something else than the plan says.
    #[error("the plan says it costs {said}, its hosts cost {cost}")]
    WrongCost {
        /// In the plan.
        said: u64,
        /// Counted.
        cost: u128,
    },
    /// The plan costs less than its own bound: the bound is wrong.
    #[error("the plan costs {cost}, and its bound is {bound}")]
    BelowBound {
        /// In the plan.
        cost: u64,
        /// In the plan.
        bound: u64,
    },
}

/// What is wrong with a plan; nothing if it is sound.
pub fn check(problem: &TimedProblem, bill: &Bill) -> Vec<BillViolation> {
    let mut violations = Vec::new();
    let mut given = vec![0_u128; problem.jobs.len()];
    let mut cost: u128 = 0;
    for (host, group) in bill.instances.iter().enumerate() {
        let is_of = |o: &&Offer| {
            o.instance_type == group.instance_type && o.market == group.market && o.az == group.az
        };
        let Some(offer) = problem.offers.iter().find(is_of) else {
            violations.push(BillViolation::UnknownPool { host });
            continue;
        };
        if group.count == 0 || group.runs.iter().any(|(_, n, _)| *n == 0) {
            violations.push(BillViolation::CountsNothing { host });
        }
        let mut last_end: u64 = 0;
        let mut changes: BTreeMap<u64, [i128; 3]> = BTreeMap::new();
        for (job, n, start_s) in &group.runs {
            let (job, start_s) = (*job, *start_s);
            let Some(line) = problem.jobs.get(job) else {
                violations.push(BillViolation::UnknownJob { host, job });
                continue;
            };
            given[job] += u128::from(*n) * u128::from(group.count);
            if !may_run(line, offer) {
                violations.push(BillViolation::NotAllowed { host, job });
            }
            let end = f64::from(start_s) + line.duration_s;
            if f64::from(start_s) < problem.time.boot_s {
                violations.push(BillViolation::BeforeBoot { host, job, start_s });
            }
            if problem.time.deadline_s < end {
                violations.push(BillViolation::AfterDeadline { host, job });
            }
            let end = whole(end);
            last_end = last_end.max(end);
            let need = [thousandths(line.vcpus), line.memory_mib.into(), line.gpus.into()];
            for (at, sign) in [(u64::from(start_s), 1), (end, -1)] {
                let change = changes.entry(at).or_default();
                for (sum, need) in change.iter_mut().zip(need) {
                    *sum += sign * i128::from(need) * i128::from(*n);
                }
            }
        }
        let room = [thousandths(offer.vcpus), offer.memory_mib.into(), offer.gpus.into()];
        let mut used = [0_i128; 3];
        for (at_s, change) in changes {
            for (used, change) in used.iter_mut().zip(change) {
                *used += change;
            }
            if used.iter().zip(room).any(|(used, room)| i128::from(room) < *used) {
                violations.push(BillViolation::OverCapacity { host, at_s });
            }
        }
        let price = whole((offer.usd_per_hour * 1e6).round());
        let secs = last_end.max(whole(problem.time.min_billed_s));
        cost += u128::from(price) * u128::from(secs) * u128::from(group.count);
    }
    for (job, (line, given)) in problem.jobs.iter().zip(given).enumerate() {
        let asked = u128::from(line.count);
        if asked != given {
            violations.push(BillViolation::NotConserved { job, asked, given });
        }
    }
    if u128::from(bill.cost) != cost {
        violations.push(BillViolation::WrongCost { said: bill.cost, cost });
    }
    if bill.cost < bill.bound {
        violations.push(BillViolation::BelowBound { cost: bill.cost, bound: bill.bound });
    }
    violations
}

fn may_run(line: &TimedJobLine, offer: &Offer) -> bool {
    let is_arch = line.arch == "any" || line.arch == offer.arch;
    let is_market = line.spot_ok || offer.market != "spot";
    is_arch && is_market
}

fn thousandths(vcpus: f64) -> u64 {
    whole((vcpus * 1000.0).round())
}

/// The whole part of a number that is not negative; the judge's own, so that it shares nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "the cast saturates, and a number that large is in no sound plan"
)]
const fn whole(x: f64) -> u64 {
    x as u64
}
