//! The optimizer. Sees [`PlanInput`] and [`PlanPolicy`], nothing else.
//!
//! Pure: the same question has the same answer, in whatever order demands, hosts and offerings are given. It reads no
//! clock and stops by counted work, so a plan is the same on every machine. `README.md` beside this states the
//! problem, what is proven and what is heuristic.

mod admit;
mod amount;
pub mod bill;
mod bound;
mod buy;
mod center;
pub mod certificate;
pub mod check;
mod cholesky;
mod correct;
mod deal;
mod demand;
mod dive;
mod draw;
mod exact;
pub mod explain;
mod fill;
mod fluid;
mod gang;
mod generate;
mod headroom;
mod improve;
mod knapsack;
mod launch;
mod limits;
mod master;
mod mix;
mod multiplier;
mod online;
mod pass;
pub mod problem;
mod prune;
mod repack;
mod report;
mod search;
mod simplex;
mod solve;
mod threads;
mod tiny;
mod variants;
pub mod verify;
mod work;

use spillway_core::plan::{DemandKey, Plan, Report, Waiting};
use spillway_core::{MicroUsdPerHour, PlanInput, PlanPolicy, Planned, Planner};

pub use admit::{admit, holders};
pub use certificate::JobPrices;
pub use threads::Threads;
pub use variants::first_ways;

use crate::amount::Amount;
use crate::demand::{ClassSet, Unplaced, shapes};
use crate::headroom::Left;
use crate::solve::{Shelf, Solved};

/// Our planner, as the control loop asks it: jobs have durations, hosts are paid from launch to termination.
#[derive(Debug, Clone, Default)]
pub struct Spillway {
    memory: online::Memory,
}

impl Planner for Spillway {
    fn plan(&mut self, input: &PlanInput, policy: &PlanPolicy) -> Planned {
        gang::plan(input, policy, |input| {
            if policy.mix.is_none() {
                return online::plan(input, policy, &mut self.memory);
            }
            let before = self.memory.clone();
            mix::plan(input, policy, |input| {
                self.memory = before.clone();
                online::plan(input, policy, &mut self.memory)
            })
        })
    }
}

/// Holds all that waits at once, at the least price per hour, whatever its durations: first on the hosts there are,
/// then on what is bought. Total: a job that fits nothing is a line in the report. Of alternatives the one counts that is
/// expected to cost least.
pub fn plan(input: &PlanInput, policy: &PlanPolicy) -> Planned {
    let settled = variants::settled(input, policy);
    gang::plan(&settled, policy, |input| {
        mix::plan(input, policy, |input| plan_and_prices(input, policy).0)
    })
}

/// The same without the rules of the mix and with every demand taken for jobs of its own, and the prices of jobs that the bound rests on, of which a certificate can be
/// made.
pub fn plan_and_prices(input: &PlanInput, policy: &PlanPolicy) -> (Planned, JobPrices) {
    plan_and_prices_on(Threads::Two, input, policy)
}

/// The same on so many threads: for those who want to see that the number changes nothing.
pub fn plan_and_prices_on(
    threads: Threads,
    input: &PlanInput,
    policy: &PlanPolicy,
) -> (Planned, JobPrices) {
    let mut unplaced = demand::merged(&input.demands);
    let placements = fill::fill(input, &mut unplaced);
    unplaced.retain(|group| 0 < group.count);

    let is_cooling = prune::cooling_flags(input);
    let all = prune::buyable(input, &is_cooling, policy);
    let n_offerings = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let mut report = Report { n_offerings, ..Report::default() };
    let mut launches = Vec::new();
    let mut prices = JobPrices::default();
    if !unplaced.is_empty() {
        let shelf = stock(input, all);
        let mut buyable: Vec<Unplaced> = Vec::with_capacity(unplaced.len());
        for group in unplaced {
            if fits_any(&group.key, &shelf) {
                buyable.push(group);
            } else {
                let reason = report::unbuyable(&group.key, input, policy, &is_cooling);
                report.waiting.push(Waiting { key: group.key, count: group.count, reason });
            }
        }
        let shapes = shapes(&buyable);
        let solved = solve::solve(&shapes, &shelf, &input.headroom, policy.effort, threads);
        report.bound = MicroUsdPerHour::new(solved.bound);
        report.n_undominated = u32::try_from(solved.n_undominated).unwrap_or(u32::MAX);
        prices = JobPrices::of(&shapes, &solved.proof);
        let hosts = &solved.packing;
        launches = launch::launches(
            hosts,
            &shapes,
            &shelf.by_price,
            &input.catalog,
            policy,
            &input.headroom,
        );
        let limited = limited(&buyable, &launches, &solved, &shelf, input);
        report.waiting.extend(limited);
        report.waiting.sort_by_key(|waiting| waiting.key);
    }
    let plan = Plan { placements, launches, ..Plan::default() };
    (Planned { plan, report }, prices)
}

fn stock(input: &PlanInput, all: Vec<prune::Offer>) -> Shelf {
    let by_price_and_pool = |offer: &prune::Offer| (offer.price, offer.at);
    let mut cheapest = prune::cheapest_zones(&input.catalog, &all);
    cheapest.sort_unstable_by_key(by_price_and_pool);
    let frontier = solve::frontier(&cheapest);
    let mut by_price = all.clone();
    by_price.sort_unstable_by_key(by_price_and_pool);
    Shelf { all, by_price, frontier }
}

fn fits_any(key: &DemandKey, shelf: &Shelf) -> bool {
    let need = Amount::of(&key.need);
    let classes = ClassSet::of(key);
    shelf.frontier.iter().any(|o| classes.has(o.class) && need.fits(&o.capacity))
}

/// What could be bought for and was not.
fn limited(
    buyable: &[Unplaced],
    launches: &[spillway_core::plan::PlannedLaunch],
    solved: &Solved,
    shelf: &Shelf,
    input: &PlanInput,
) -> Vec<Waiting> {
    if solved.packing.left.iter().all(|n| *n == 0) {
        return Vec::new();
    }
    let mut left = Left::of(&input.headroom);
    for host in &solved.packing.hosts {
        left.take(&host.offer, host.count);
    }
    let mut waiting = Vec::new();
    for group in buyable {
        let mut count = u64::from(group.count);
        for launch in launches {
            for (key, n) in &launch.contents {
                if *key == group.key {
                    count = count.saturating_sub(u64::from(*n) * u64::from(launch.count));
                }
            }
        }
        if 0 < count {
            let reason = report::limited(&group.key, &shelf.all, &left);
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            waiting.push(Waiting { key: group.key, count, reason });
        }
    }
    waiting
}
