//! `cargo xtask random-problems`: plans problems drawn by lot, of the kinds that people have, and sees that every promise of
//! the planner is kept: the verifier accepts each plan and refuses it altered, brute force finds nothing cheaper, order and
//! threads change nothing, and the checker finds nothing wrong with what a live fleet is told.
//!
//! A case is a seed and a number: what fails is drawn again by one command. Nothing is timed, and how many cases run at once
//! changes nothing but the time it takes.

mod brute;
mod draw;
mod files;
mod jobs;
mod live;
mod market;
mod outside;
mod tally;

use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, bail};

use crate::shell::{Shell, say};
use draw::Draw;
use files::Fault;
use outside::Outside;
use tally::Tally;

/// What to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Wanted {
    /// How many problems
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    cases: u64,
    /// The number of the first
    #[arg(long, value_name = "N", default_value_t = 0)]
    first: u64,
    /// Other problems for every other number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// A judge from outside, run as `python3 CHECKER PROBLEM PLAN` on some of the problems that have files
    #[arg(long, value_name = "FILE")]
    checker: Option<PathBuf>,
    /// It judges one of so many problems
    #[arg(long, value_name = "N", default_value_t = 100, requires = "checker")]
    check_every: u64,
    /// Keep the files of each problem and its plan in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// How many problems at once [default: the processors there are]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// A kind of problem.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// All jobs at once.
    Static,
    /// The same, so few that brute force can tell.
    Tiny,
    /// Jobs with durations and a deadline.
    Timed,
    /// A fleet that lives.
    Live,
}

impl Kind {
    const fn of_case(case: u64) -> Self {
        match case % KINDS_IN_TURN {
            0..6 => Self::Static,
            6..12 => Self::Tiny,
            12..14 => Self::Timed,
            _ => Self::Live,
        }
    }

    const fn place(self) -> usize {
        match self {
            Self::Static => 0,
            Self::Tiny => 1,
            Self::Timed => 2,
            Self::Live => 3,
        }
    }
}

/// After so many cases kinds come in the same order again.
const KINDS_IN_TURN: u64 = 20;

/// Problems between two words to whoever waits.
const PROGRESS_CASES: u64 = 5000;

/// After so many failures the rest is not worth the wait.
const FAILURES_MAX: usize = 20;

/// Does it. Whether nothing was wrong.
pub(crate) fn run(shell: &Shell, wanted: &Wanted) -> Result<bool> {
    if let Some(folder) = &wanted.keep {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let n_threads =
        wanted.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let all = All { shell, wanted, next: AtomicU64::new(0), failures: Mutex::default() };
    let tally = std::thread::scope(|threads| {
        let of_thread = || all.work();
        let running: Vec<_> =
            (0..n_threads.unwrap_or(1)).map(|_| threads.spawn(of_thread)).collect();
        let mut tally = Tally::default();
        for thread in running {
            tally += &thread.join().map_err(|_| anyhow::anyhow!("a thread gave up"))?;
        }
        Ok::<_, anyhow::Error>(tally)
    })?;
    let mut failures = all.failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failures.sort();
    let mut text = tally.to_string();
    for (case, fault) in &failures {
        let seed = wanted.seed;
        let again = format!("--seed {seed} --first {case} --cases 1 --keep .");
        writeln!(text, "failed: {fault}\n  again: cargo xtask random-problems {again}")?;
    }
    std::io::stdout().write_all(text.as_bytes()).context("cannot print the report")?;
    if shell.is_interrupted() {
        bail!("interrupted");
    }
    Ok(failures.is_empty())
}

/// What threads share.
struct All<'a> {
    shell: &'a Shell,
    wanted: &'a Wanted,
    /// How many problems have been begun.
    next: AtomicU64,
    failures: Mutex<Vec<(u64, String)>>,
}

impl All<'_> {
    /// Takes one problem after the other until there is none left.
    fn work(&self) -> Tally {
        let mut tally = Tally::default();
        let outside = Outside::new(self.wanted.checker.clone());
        loop {
            let nth = self.next.fetch_add(1, Ordering::Relaxed);
            let is_over = self.wanted.cases <= nth || FAILURES_MAX <= self.n_failures();
            if is_over || self.shell.is_interrupted() {
                return tally;
            }
            let case = self.wanted.first + nth;
            if 0 < nth && nth.is_multiple_of(PROGRESS_CASES) {
                say(&format!("{nth} problems, {} failures", self.n_failures()));
            }
            let found = catch_unwind(AssertUnwindSafe(|| self.judge(case, &outside, &mut tally)));
            let fault = match found {
                Ok(Ok(())) => continue,
                Ok(Err(fault)) => fault.to_string(),
                Err(_) => "a panic, told above".to_owned(),
            };
            say(&format!("case {case}: {fault}"));
            if let Ok(mut failures) = self.failures.lock() {
                failures.push((case, fault));
            }
        }
    }

    fn n_failures(&self) -> usize {
        self.failures.lock().map_or(0, |failures| failures.len())
    }

    fn judge(&self, case: u64, outside: &Outside, tally: &mut Tally) -> Result<(), Fault> {
        let mut draw = Draw::of_case(self.wanted.seed, case);
        let kind = Kind::of_case(case);
        tally.problems[kind.place()] += 1;
        let keep = |problem: serde_json::Result<serde_json::Value>| {
            self.wanted
                .keep
                .as_deref()
                .map_or(Ok(()), |folder| write(folder, case, "problem", &problem?))
        };
        let files = match kind {
            Kind::Static | Kind::Tiny => {
                let is_tiny = matches!(kind, Kind::Tiny);
                let problem = if is_tiny { files::tiny_problem } else { files::static_problem };
                let problem = problem(&mut draw);
                keep(serde_json::to_value(&problem))?;
                files::judge_static(&problem, &mut draw, tally)?
            }
            Kind::Timed => {
                let problem = files::timed_problem(&mut draw);
                keep(serde_json::to_value(&problem))?;
                files::judge_timed(&problem, &mut draw, tally)?
            }
            Kind::Live => return live::judge(&mut draw, tally),
        };
        if let Some(folder) = &self.wanted.keep {
            write(folder, case, "plan", &files.plan)?;
        }
        // All kinds of a turn, or none.
        let is_sampled = (case / KINDS_IN_TURN).is_multiple_of(self.wanted.check_every.max(1));
        if is_sampled && outside.judge(&files)? {
            tally.accepted_outside += 1;
        }
        Ok(())
    }
}

fn write(folder: &Path, case: u64, what: &str, value: &serde_json::Value) -> Result<(), Fault> {
    std::fs::write(folder.join(format!("{case}-{what}.json")), value.to_string())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_promise_is_broken_on_a_thousand_random_problems() {
        let wanted = Wanted {
            cases: 1000,
            first: 0,
            seed: 2,
            checker: None,
            check_every: 100,
            keep: None,
            threads: None,
        };

        let is_good = run(&Shell::new().unwrap(), &wanted).unwrap();

        assert!(is_good, "the report above has a command for each failure");
    }
}
