//! The least that hosts cost which hold a handful of jobs, by trying every way to part them; from the meaning of the file
//! alone.

use spillway_planner::problem::{JobLine, Offer, Problem};

use super::jobs::{holds, milli};

/// Jobs one by one; there are as many parts of them as numbers of so many bits.
pub(crate) const JOBS_MAX: u32 = 7;

/// The least, in millionths of a dollar per hour; none if some job fits nothing.
pub(crate) fn optimum(problem: &Problem) -> Option<u64> {
    let mut jobs: Vec<&JobLine> = Vec::new();
    for line in &problem.jobs {
        jobs.extend((0..line.count).map(|_| line));
    }
    let n_sets = 1_usize << jobs.len();
    let alone: Vec<Option<u64>> =
        (0..n_sets).map(|set| cheapest_host(&jobs, set, &problem.offers)).collect();
    let mut best: Vec<Option<u64>> = vec![None; n_sets];
    best[0] = Some(0);
    for set in 1..n_sets {
        // Some host holds the first job of the set; every subset with it may be what that host holds.
        let first = set & set.wrapping_neg();
        let mut part = set;
        while 0 < part {
            if part & first != 0
                && let (Some(host), Some(rest)) = (alone[part], best[set & !part])
            {
                let cost = host + rest;
                best[set] = Some(best[set].map_or(cost, |least| least.min(cost)));
            }
            part = (part - 1) & set;
        }
    }
    best[n_sets - 1]
}

fn cheapest_host(jobs: &[&JobLine], set: usize, offers: &[Offer]) -> Option<u64> {
    let members: Vec<&JobLine> =
        jobs.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, job)| *job).collect();
    let cpu: u64 = members.iter().map(|job| milli(job.vcpus)).sum();
    let memory: u64 = members.iter().map(|job| u64::from(job.memory_mib)).sum();
    let gpus: u32 = members.iter().map(|job| job.gpus).sum();
    let has_room = |offer: &&Offer| {
        cpu <= milli(offer.vcpus)
            && memory <= u64::from(offer.memory_mib)
            && gpus <= offer.gpus
            && members.iter().all(|job| holds(offer, job))
    };
    offers.iter().filter(has_room).map(micro).min()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::as_conversions,
    reason = "a price below a thousand dollars"
)]
fn micro(offer: &Offer) -> u64 {
    (offer.usd_per_hour * 1e6).round() as u64
}
