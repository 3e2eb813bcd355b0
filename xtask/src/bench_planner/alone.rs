//! One problem in a process of its own: its plan to a file, and what it took as JSON on stdout.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use spillway_core::PlanPolicy;
use spillway_core::plan::Effort;
use spillway_planner::bill::{self, TimedProblem};
use spillway_planner::problem::{Problem, solution};

/// What came of one problem.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Alone {
    pub(crate) jobs: u64,
    pub(crate) lines: usize,
    pub(crate) timed: bool,
    pub(crate) cost: f64,
    pub(crate) bound: f64,
    pub(crate) elapsed_ms: f64,
    /// The most memory the process ever held, in MB; 0 where the system does not tell.
    pub(crate) peak_mb: f64,
}

/// A problem of either kind.
pub(crate) enum AnyProblem {
    Static(Problem),
    Timed(TimedProblem),
}

pub(crate) fn read(problem: &Path) -> Result<AnyProblem> {
    let shown = problem.display().to_string();
    let text = std::fs::read_to_string(problem).with_context(|| format!("cannot read {shown}"))?;
    let value: serde_json::Value = serde_json::from_str(&text).with_context(|| shown.clone())?;
    let is_timed = value.get("time").is_some();
    Ok(if is_timed {
        AnyProblem::Timed(serde_json::from_value(value).with_context(|| shown)?)
    } else {
        AnyProblem::Static(serde_json::from_value(value).with_context(|| shown)?)
    })
}

/// Plans, writes the plan, and tells what it took.
pub(crate) fn run(problem: &Path, plan: &Path, effort: Effort) -> Result<()> {
    let problem = read(problem)?;
    let started = Instant::now();
    let (mut alone, answer) = match &problem {
        AnyProblem::Static(problem) => {
            let input = problem.to_exact_input()?;
            let policy = PlanPolicy { effort, ..PlanPolicy::default() };
            let planned = spillway_planner::plan(&input, &policy);
            let elapsed_ms = started.elapsed().as_secs_f64() * 1000.0;
            let solution = solution(problem, &planned)?;
            let (cost, bound) = (solution.cost_usd_per_hour, solution.lower_bound_usd_per_hour);
            let jobs = problem.jobs.iter().map(|line| u64::from(line.count)).sum();
            let lines = problem.jobs.len();
            let alone = Alone { jobs, lines, timed: false, cost, bound, elapsed_ms, peak_mb: 0.0 };
            (alone, serde_json::to_vec(&solution)?)
        }
        AnyProblem::Timed(problem) => {
            let solution = bill::plan(problem)?.to_solution();
            let elapsed_ms = started.elapsed().as_secs_f64() * 1000.0;
            let (cost, bound) = (solution.cost_usd, solution.lower_bound_usd);
            let jobs = problem.jobs.iter().map(|line| u64::from(line.count)).sum();
            let lines = problem.jobs.len();
            let alone = Alone { jobs, lines, timed: true, cost, bound, elapsed_ms, peak_mb: 0.0 };
            (alone, serde_json::to_vec(&solution)?)
        }
    };
    alone.peak_mb = peak_mb();
    std::fs::write(plan, answer).with_context(|| format!("cannot write {}", plan.display()))?;
    let told = serde_json::to_string(&alone)?;
    std::io::stdout().write_all(told.as_bytes()).context("nobody listens")
}

/// Linux tells the high-water mark of a process's memory in `VmHWM`, in kB.
pub(crate) fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb =
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|n| n.parse::<f64>().ok());
    kb.unwrap_or(0.0) / 1024.0
}
