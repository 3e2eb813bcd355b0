//! Plans benchmark problems: `cargo run --release -p spillway-planner --example problem -- FILE...`.
//!
//! Prints a line for each file; with `--high` thinks longer; with `--out DIR` writes the plan there, for the benchmark's judge.

#![expect(clippy::print_stdout, reason = "a measuring tool prints")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use spillway_core::PlanPolicy;
use spillway_core::plan::Effort;
use spillway_planner::check::check;
use spillway_planner::plan;
use spillway_planner::problem::{Problem, solution};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out: Option<PathBuf> = None;
    let mut policy = PlanPolicy::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--out" {
            out = args.next().map(PathBuf::from);
        } else if arg == "--high" {
            policy.effort = Effort::High;
        } else {
            solve(Path::new(&arg), out.as_deref(), &policy)?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "measuring is what this is for")]
fn solve(file: &Path, out: Option<&Path>, policy: &PlanPolicy) -> Result<(), Box<dyn Error>> {
    let problem: Problem = serde_json::from_str(&fs::read_to_string(file)?)?;
    let input = problem.to_exact_input()?;
    let started = Instant::now();
    let planned = plan(&input, policy);
    let elapsed = started.elapsed();
    for violation in check(&input, policy, &planned) {
        println!("  VIOLATION {violation}");
    }
    let answer = solution(&problem, &planned)?;
    println!(
        "{:24} {:>14.6} bound {:>14.6} gap {:.4} hosts {:>6} launches {:>5} of {:>4} {:>9.2} ms",
        file.file_stem().map(|s| s.to_string_lossy()).unwrap_or_default(),
        answer.cost_usd_per_hour,
        answer.lower_bound_usd_per_hour,
        answer.gap.unwrap_or(0.0),
        planned.plan.n_hosts(),
        planned.plan.launches.len(),
        planned.report.n_undominated,
        elapsed.as_secs_f64() * 1e3,
    );
    if let (Some(out), Some(name)) = (out, file.file_name()) {
        fs::write(out.join(name), serde_json::to_string(&answer)?)?;
    }
    Ok(())
}
