//! A benchmark problem with durations as a scenario: its offers are what the world sells, its jobs arrive over a time.
//!
//! The problem knows all jobs from the beginning and has a deadline; the scenario has neither. Jobs come independently of each other,
//! evenly over the time (given their number, a Poisson process), and tell their duration.

use jiff::{SignedDuration, Timestamp};
use spillway_core::{CpuUnits, MiB};
use spillway_engine::EngineConfig;
use spillway_planner::bill::TimedProblem;
use spillway_planner::problem::Problem;

use super::workload::{Arrival, JobGroup, Size, Workload};
use super::{Scenario, ScenarioError};
use crate::setting::Spread;
use crate::world::WorldConfig;

/// Boots take a quarter more or less than the problem says: a world where all were equal would not be one.
const BOOT_SPREAD_PARTS: i32 = 4;

/// How much time may pass after the last arrival, beyond the problem's own deadline.
const LIMIT_MORE: SignedDuration = SignedDuration::from_hours(24);

impl Scenario {
    /// The problem as a scenario of this name, with jobs arriving over `over`. No limits but what is on offer.
    pub fn of_problem(
        name: &str,
        problem: &TimedProblem,
        over: SignedDuration,
    ) -> Result<Self, ScenarioError> {
        let invalid = |error: &dyn std::fmt::Display| ScenarioError::invalid(error.to_string());
        let start = super::file::START_DEFAULT.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let offers = Problem { offers: problem.offers.clone(), jobs: Vec::new() };
        let catalog = offers.to_input().map_err(|e| invalid(&e))?.catalog;
        let boot = seconds(problem.time.boot_s);
        let world = WorldConfig {
            boot: Spread {
                min: boot - boot / BOOT_SPREAD_PARTS,
                max: boot + boot / BOOT_SPREAD_PARTS,
            },
            offers: catalog.offerings().to_vec(),
            ..WorldConfig::default()
        };
        let queue: spillway_core::QueueName = "default".parse().map_err(|e| invalid(&e))?;
        let mut engine = EngineConfig { queues: vec![queue.clone()], ..EngineConfig::default() };
        engine.limits.hosts_max = None;
        engine.limits.cpu_max = None;
        engine.plan.boot_secs = u32::try_from(boot.as_secs()).unwrap_or(u32::MAX);
        let mut groups = Vec::with_capacity(problem.jobs.len());
        for (index, job) in problem.jobs.iter().enumerate() {
            let wrong = |error: &dyn std::fmt::Display| {
                ScenarioError::invalid(format!("jobs[{index}]: {error}"))
            };
            let cpu: CpuUnits = format!("{:.3}", job.vcpus).parse().map_err(|e| wrong(&e))?;
            let name = format!("job-{index}").parse().map_err(|e| wrong(&e))?;
            let size = Size::only(cpu, MiB::new(job.memory_mib), job.gpus);
            groups.push(JobGroup {
                count: job.count,
                architecture: Some(job.arch.clone()),
                market: Some(if job.spot_ok { "any" } else { "on-demand" }.to_owned()),
                arrival: Arrival { over: Some(over), ..Arrival::default() },
                ..JobGroup::plain(name, queue.clone(), size, seconds(job.duration_s))
            });
        }
        Ok(Self {
            name: name.to_owned(),
            seed: 0,
            start,
            patience: None,
            limit: over + seconds(problem.time.deadline_s) + LIMIT_MORE,
            engine,
            world,
            workload: Workload { groups, ..Workload::default() },
        })
    }
}

/// Seconds of a file; nonsense is no time at all.
fn seconds(value: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(value)
        .unwrap_or(SignedDuration::ZERO)
        .max(SignedDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBLEM: &str = r#"{
        "offers": [
            {"type": "c5.large", "market": "spot", "az": "us-east-1a", "vcpus": 2, "memory_mib": 3900, "gpus": 0,
             "arch": "x86_64", "usd_per_hour": 0.03},
            {"type": "c5.large", "market": "on-demand", "az": "us-east-1a", "vcpus": 2, "memory_mib": 3900, "gpus": 0,
             "arch": "x86_64", "usd_per_hour": 0.085}
        ],
        "jobs": [
            {"count": 5, "vcpus": 0.5, "memory_mib": 900, "gpus": 0, "arch": "any", "spot_ok": true, "duration_s": 120},
            {"count": 2, "vcpus": 2, "memory_mib": 3900, "gpus": 0, "arch": "x86_64", "spot_ok": false, "duration_s": 60}
        ],
        "time": {"boot_s": 90, "min_billed_s": 60, "deadline_s": 3600}
    }"#;

    #[test]
    fn a_problem_runs_in_a_world_that_sells_its_offers_and_nothing_else() {
        let problem: TimedProblem = serde_json::from_str(PROBLEM).unwrap();
        let hour = SignedDuration::from_hours(1);
        let scenario = Scenario::of_problem("small", &problem, hour).unwrap();

        let outcome = crate::run::run(&scenario, None).unwrap();

        assert_eq!(outcome.n_violations, 0, "{:?}", outcome.violations);
        assert_eq!(outcome.score.jobs.succeeded, 7);
        assert!(outcome.score.hosts.iter().all(|hosts| hosts.instance_type == "c5.large"));
        let arrivals: Vec<Timestamp> = scenario.messages().iter().map(|sent| sent.at).collect();
        assert!(arrivals.iter().all(|at| *at <= scenario.start + hour));
    }
}
