//! `cargo xtask bench-planner`: plans every problem of a folder, has each plan judged by the folder's own checker, and puts price, proof,
//! time and memory beside the best that is known and beside what others would pay.
//!
//! Problems, checker and best-known values are the folder's; none of them is part of this repository. Each problem is planned in a
//! process of its own, so that time and memory are its own.

mod alone;
mod known;
mod others;
mod table;

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use spillway_core::plan::Effort;

pub(crate) use alone::{peak_mb, run as run_alone};

use crate::shell::say;
use alone::Alone;
use known::Known;
use others::{Other, others};

/// Where problems are if no folder is named, from the workspace's folder.
const FOLDERS_DEFAULT: [&str; 2] = ["../shared/bench/public", "../shared/bench/public-time"];

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Wanted {
    /// Folders of problems, or single ones [default: ../shared/bench/public and public-time]
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The judge, run as `python3 CHECKER PROBLEM PLAN` [default: check.py in the folder or beside it]
    #[arg(long, value_name = "FILE")]
    checker: Option<PathBuf>,
    /// How much thought goes into static problems
    #[arg(long, value_enum, default_value_t = EffortChoice::Default)]
    effort: EffortChoice,
    /// How the table is printed
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Plan one problem, print what came of it as JSON, and the plan to this file
    #[arg(long, value_name = "PLAN", hide = true)]
    alone: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EffortChoice {
    /// What the dispatcher does
    Default,
    /// Longer; never a dearer plan
    High,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Tables
    Human,
    /// One JSON document
    Json,
}

/// What the judge says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Judged {
    Accepted,
    Refused,
    /// There is no judge.
    Unasked,
}

/// One problem's line. Money is dollars per hour for a static problem, dollars for one with durations.
#[derive(Debug, Serialize)]
struct Line {
    problem: String,
    jobs: u64,
    lines: usize,
    timed: bool,
    cost: f64,
    bound: f64,
    cost_over_best: Option<f64>,
    cost_over_bound: f64,
    bound_over_best_bound: Option<f64>,
    elapsed_ms: f64,
    peak_mb: f64,
    judged: Judged,
    others: Vec<Other>,
}

/// Does it. Whether every plan was accepted.
pub(crate) fn run(root: &Path, wanted: &Wanted) -> Result<bool> {
    let is_high = wanted.effort == EffortChoice::High;
    if let Some(plan) = &wanted.alone {
        let [problem] = wanted.folders.as_slice() else { bail!("--alone is for one problem") };
        let effort = if is_high { Effort::High } else { Effort::Default };
        return run_alone(problem, plan, effort).map(|()| true);
    }
    let mut lines = Vec::new();
    for problem in problems(root, &wanted.folders)? {
        let name = problem.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        say(&format!("planning {name}"));
        lines.push(line(&problem, name, wanted)?);
    }
    let text = match wanted.format {
        Format::Json => serde_json::to_string_pretty(&lines)? + "\n",
        Format::Human => table::text(&lines),
    };
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the table")?;
    Ok(lines.iter().all(|line| line.judged != Judged::Refused))
}

/// The problems of all folders, by name in each.
fn problems(root: &Path, named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut folders = named.to_vec();
    if folders.is_empty() {
        folders = FOLDERS_DEFAULT.iter().map(|folder| root.join(folder)).collect();
    }
    let mut problems = Vec::new();
    for folder in folders {
        if folder.is_file() {
            problems.push(folder);
            continue;
        }
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        let mut of_folder = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let is_answer = path.file_stem().is_some_and(|stem| stem == known::FILE_STEM);
            if path.extension() == Some(OsStr::new("json")) && !is_answer {
                of_folder.push(path);
            }
        }
        of_folder.sort();
        problems.extend(of_folder);
    }
    if problems.is_empty() {
        bail!("no problem was found");
    }
    Ok(problems)
}

fn line(problem: &Path, name: String, wanted: &Wanted) -> Result<Line> {
    let plan =
        std::env::temp_dir().join(format!("spillway-bench-{}-{name}.json", std::process::id()));
    let alone = plan_alone(problem, &plan, wanted.effort);
    let judged = alone.as_ref().map_or(Ok(Judged::Unasked), |_| judge(problem, &plan, wanted));
    // A plan that was never written need not be removed.
    let _ = std::fs::remove_file(&plan);
    let (alone, judged) = (alone?, judged?);
    let known = Known::of(problem, &name)?;
    let over =
        |value: f64, base: Option<f64>| base.filter(|base| 0.0 < *base).map(|base| value / base);
    Ok(Line {
        problem: name,
        jobs: alone.jobs,
        lines: alone.lines,
        timed: alone.timed,
        cost: alone.cost,
        bound: alone.bound,
        cost_over_best: over(alone.cost, known.best),
        cost_over_bound: over(alone.cost, Some(alone.bound)).unwrap_or(f64::INFINITY),
        bound_over_best_bound: over(alone.bound, known.bound),
        elapsed_ms: alone.elapsed_ms,
        peak_mb: alone.peak_mb,
        judged,
        others: others(problem, known.best.unwrap_or(alone.cost))?,
    })
}

/// Plans a problem in a process of its own.
fn plan_alone(problem: &Path, plan: &Path, effort: EffortChoice) -> Result<Alone> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(program);
    command.arg("bench-planner").arg(problem).arg("--alone").arg(plan);
    if effort == EffortChoice::High {
        command.args(["--effort", "high"]);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{} could not be planned", problem.display());
    }
    serde_json::from_slice(&output.stdout).context("the planning process said something else")
}

fn judge(problem: &Path, plan: &Path, wanted: &Wanted) -> Result<Judged> {
    let folder = problem.parent().unwrap_or(Path::new("."));
    let beside = [folder.join("check.py"), folder.join("../check.py")];
    let found = wanted.checker.clone().or_else(|| beside.into_iter().find(|path| path.is_file()));
    let Some(checker) = found else { return Ok(Judged::Unasked) };
    let mut command = Command::new("python3");
    command.arg(&checker).arg(problem).arg(plan).stdin(Stdio::null());
    let output = command.output().context("cannot run python3 for the checker")?;
    if output.status.success() {
        return Ok(Judged::Accepted);
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    say(&format!("{} refuses the plan: {}", checker.display(), said.trim()));
    Ok(Judged::Refused)
}
