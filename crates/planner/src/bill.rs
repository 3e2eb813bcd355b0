//! The bill planner: all jobs are known, each with its duration, and a host is paid from its launch to the end of its
//! last job. Which hosts, and what runs on them when, so that the bill is least?
//!
//! Pure as the rest of the planner: no clock, no chance; it stops by counted work. Money is counted in millionths of a
//! dollar per hour times seconds, so that nothing is rounded. `README.md`, "The bill", states the method and the proof.

mod area;
pub(crate) mod build;
pub(crate) mod fill;
pub(crate) mod host;
pub(crate) mod prices;
mod problem;
pub(crate) mod schedule;
pub(crate) mod search;
mod sequence;
pub(crate) mod world;

use std::collections::BTreeMap;

pub use area::area_bound;
pub use problem::{
    BillError, BillSolution, TimeRules, TimedInstances, TimedJobLine, TimedProblem, TimedRun,
};

use crate::amount::score_of;
use crate::bill::host::Host;
use crate::bill::world::{Line, World};
use crate::certificate::Proof;

/// What hosts are launched, and what runs on them when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// The hosts, equal ones together.
    pub instances: Vec<TimedInstances>,
    /// What they cost: millionths of a dollar per hour, times seconds.
    pub cost: u64,
    /// What any plan costs at least, proven; in the same unit.
    pub bound: u64,
    /// What an hour of a job of each line is worth, in millionths of a millionth of a dollar: what the bound rests on,
    /// and of which a certificate can be made. None where it rests on resource prices or on one job.
    pub(crate) job_prices: Vec<u64>,
}

/// Plans for the least bill.
///
/// # Errors
/// The line and field that cannot be understood, or the job that fits nothing or cannot end by the deadline.
pub fn plan(problem: &TimedProblem) -> Result<Bill, BillError> {
    let world = World::new(problem)?;
    if world.shapes.is_empty() {
        return Ok(Bill { instances: Vec::new(), cost: 0, bound: 0, job_prices: Vec::new() });
    }
    let prices = prices::Prices::solve(&world);
    let hosts = search::search(&world, &prices);
    let cost = hosts.iter().fold(0_u64, |sum, host| sum.saturating_add(host.cost(world.clock)));
    let instances = instances(problem, &world, hosts);
    let job_prices = job_prices(problem, &world, &prices.proof);
    Ok(Bill { instances, cost, bound: prices.bound, job_prices })
}

impl Bill {
    /// In the form the benchmark's judge reads.
    pub fn to_solution(&self) -> BillSolution {
        let dollars = |cost: u64| score_of(cost) / 3.6e9;
        BillSolution {
            instances: self.instances.clone(),
            cost_usd: dollars(self.cost),
            lower_bound_usd: dollars(self.bound),
            gap: (0 < self.bound).then(|| score_of(self.cost) / score_of(self.bound) - 1.0),
        }
    }
}

/// The prices of shapes as prices of the lines they come from.
fn job_prices(problem: &TimedProblem, world: &World, proof: &Proof) -> Vec<u64> {
    let mut job_prices = vec![0; problem.jobs.len()];
    for (groups, price) in world.groups.iter().zip(&proof.prices) {
        for (line, _) in groups.iter().flat_map(|group| &group.lines) {
            if let Some(of_line) = job_prices.get_mut(*line) {
                *of_line = *price;
            }
        }
    }
    job_prices
}

/// Deals each group's jobs back to the lines they came from, in order.
fn instances(problem: &TimedProblem, world: &World, mut hosts: Vec<Host>) -> Vec<TimedInstances> {
    for host in &mut hosts {
        host.runs.sort_unstable();
    }
    hosts.sort_by(|a, b| (a.offer.at, &a.runs).cmp(&(b.offer.at, &b.runs)));
    let mut piles: Vec<Vec<Vec<Line>>> = Vec::with_capacity(world.groups.len());
    for groups in &world.groups {
        let reversed = |g: &world::Group| g.lines.iter().rev().copied().collect();
        piles.push(groups.iter().map(reversed).collect());
    }
    let mut counts: BTreeMap<(usize, Vec<TimedRun>), u32> = BTreeMap::new();
    for host in hosts {
        let mut runs = Vec::with_capacity(host.runs.len());
        for run in host.runs {
            let pile = &mut piles[run.shape][run.rank];
            let mut n = run.count;
            while 0 < n
                && let Some((line, left)) = pile.last_mut()
            {
                let dealt = n.min(*left);
                runs.push((*line, dealt, run.start));
                *left -= dealt;
                n -= dealt;
                if *left == 0 {
                    pile.pop();
                }
            }
        }
        runs.sort_unstable_by_key(|(line, n, start)| (*start, *line, *n));
        *counts.entry((host.offer.at, runs)).or_insert(0) += 1;
    }
    let of_offer = |((at, runs), count): ((usize, Vec<TimedRun>), u32)| {
        let offer = &problem.offers[world.file_indices[at]];
        TimedInstances {
            instance_type: offer.instance_type.clone(),
            market: offer.market.clone(),
            az: offer.az.clone(),
            count,
            runs,
        }
    };
    counts.into_iter().map(of_offer).collect()
}
