//! What others would pay for the same problem: the models that `spillway simulate --compare` runs, asked for one plan.
//!
//! A problem with durations they plan as if all jobs ran at once, which is how they decide; a host is paid until its longest job ends.

use std::path::Path;

use anyhow::{Result, bail};
use serde::Serialize;
use spillway_core::plan::{Demand, PlannedLaunch};
use spillway_core::{PlanInput, PlanPolicy};
use spillway_planner::bill::{TimeRules, TimedProblem};
use spillway_planner::check::check;
use spillway_planner::problem::{JobLine, Problem};
use spillway_sim::peer::{PEERS, Peer};

use super::alone::{AnyProblem, read};

/// One other's plan.
#[derive(Debug, Serialize)]
pub(crate) struct Other {
    pub(crate) policy: &'static str,
    pub(crate) cost: f64,
    /// Over the best known cost, or over ours where none is known.
    pub(crate) over_best: f64,
}

pub(crate) fn others(problem: &Path, best: f64) -> Result<Vec<Other>> {
    let (input, time) = match read(problem)? {
        AnyProblem::Static(problem) => (problem.to_input()?, None),
        AnyProblem::Timed(problem) => (at_once(&problem)?, Some(problem.time)),
    };
    PEERS.iter().map(|peer| other(peer, &input, time, best)).collect()
}

fn other(peer: &Peer, input: &PlanInput, time: Option<TimeRules>, best: f64) -> Result<Other> {
    let policy = PlanPolicy::default();
    let planned = peer.planner().plan(input, &policy);
    if let Some(violation) = check(input, &policy, &planned).first() {
        bail!("the plan of {} is not sound: {violation}", peer.name);
    }
    let cost = match time {
        None => planned.plan.price().as_usd_f64(),
        Some(time) => planned.plan.launches.iter().map(|launch| bill(launch, time)).sum(),
    };
    Ok(Other { policy: peer.name, cost, over_best: cost / best })
}

/// All jobs of a problem with durations at once. Jobs of different durations stay apart.
fn at_once(problem: &TimedProblem) -> Result<PlanInput> {
    let offers = Problem { offers: problem.offers.clone(), jobs: Vec::new() };
    let mut input = offers.to_input()?;
    for job in &problem.jobs {
        let line = JobLine {
            count: job.count,
            vcpus: job.vcpus,
            memory_mib: job.memory_mib,
            gpus: job.gpus,
            arch: job.arch.clone(),
            spot_ok: job.spot_ok,
        };
        let alone = Problem { offers: Vec::new(), jobs: vec![line] }.to_input()?;
        for mut demand in alone.demands {
            demand.key.expected_secs = format!("{:.0}", job.duration_s).parse().ok();
            input.demands.push(demand);
        }
    }
    input.demands.sort_unstable();
    input.demands.dedup_by(|later, first| {
        let is_same = later.key == first.key;
        if is_same {
            *first = Demand::new(first.key, first.count.saturating_add(later.count));
        }
        is_same
    });
    Ok(input)
}

/// What the hosts of a launch are paid: from launch to the end of the longest job.
fn bill(launch: &PlannedLaunch, time: TimeRules) -> f64 {
    let longest = launch.contents.iter().filter_map(|(key, _)| key.expected_secs).max();
    let life = time.boot_s + longest.map_or(0.0, f64::from);
    launch.price().as_usd_f64() / 3600.0 * life.max(time.min_billed_s)
}
