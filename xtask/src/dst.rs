//! `cargo xtask dst`: random scenarios by the thousand over the simulated AWS, each checked after every step, and the catalogue of faults held
//! against what they met.
//!
//! A seed is a scenario: what fails is run again by one command, with as few faults as still make it fail. It exits non-zero when
//! anything broke, when a fault of the catalogue never happened, or when time passed too slowly to prove anything.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use spillway_sim::Fault;
use spillway_sim::dst::{self, Broken, Hunt, Tally};
use spillway_sim::run;
use spillway_sim::scenario::random;

use crate::shell::{Shell, say};

/// So many simulated hours must pass in a minute.
const HOURS_PER_MINUTE_MIN: f64 = 100.0;

/// Fewer seeds than this cannot be expected to meet every fault.
const COVERING_SEEDS: u64 = 500;

/// So many of those that broke are shrunk and shown.
const SHOWN_MAX: usize = 5;

/// What to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Wanted {
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Begin no run after so many minutes
    #[arg(long, value_name = "M")]
    minutes: Option<u64>,
    /// Run each seed twice: the two must take the same decisions
    #[arg(long)]
    doublecheck: bool,
    /// Leave parts of the scenarios out, by the names that a shrunk failure is printed with
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    without: Vec<String>,
    /// Write down what happens under the first seed, one JSON object per line
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// How many runs at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
}

/// Whether everything held.
pub(crate) fn run(shell: &Shell, wanted: &Wanted) -> Result<bool> {
    let end = wanted.seed.checked_add(wanted.seeds).context("these go beyond the last seed")?;
    let hunt = Hunt {
        seeds: wanted.seed..end,
        doublecheck: wanted.doublecheck,
        n_threads: wanted.threads,
        without: wanted.without.iter().cloned().collect(),
    };
    if let Some(path) = &wanted.trace {
        write_trace(&hunt, path)
            .with_context(|| format!("cannot write the trace {}", path.display()))?;
    }
    let started = Instant::now();
    let deadline = wanted.minutes.map(|minutes| started + Duration::from_secs(60 * minutes));
    let is_over =
        || shell.is_interrupted() || deadline.is_some_and(|deadline| deadline <= Instant::now());
    let mut shown = started;
    let tally = dst::hunt(&hunt, &is_over, |tally| {
        if Duration::from_secs(30) <= shown.elapsed() {
            shown = Instant::now();
            say(&format!("{} runs, {} broken", tally.n_runs, tally.broken.len()));
        }
    })?;
    let took = started.elapsed();
    report(&tally, took)?;
    for broken in &tally.broken {
        say(&format!("seed {}: {}", broken.seed, broken.first));
    }
    for broken in tally.broken.iter().take(SHOWN_MAX) {
        show(broken)?;
    }
    Ok(verdict(wanted, &tally, took))
}

fn write_trace(hunt: &Hunt, path: &Path) -> Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    run::run(&dst::scenario(hunt.seeds.start, &hunt.without), Some(&mut out))?;
    out.flush()?;
    Ok(())
}

/// Simulated hours per real minute.
fn pace(tally: &Tally, took: Duration) -> f64 {
    tally.simulated.as_secs_f64() / 3600.0 / (took.as_secs_f64() / 60.0).max(1e-9)
}

fn report(tally: &Tally, took: Duration) -> Result<()> {
    let mut text = String::new();
    writeln!(text, "{:>9}  fault", "times")?;
    for fault in Fault::ALL {
        writeln!(text, "{:>9}  {fault}", tally.coverage.get(fault))?;
    }
    let hours = tally.simulated.as_secs_f64() / 3600.0;
    writeln!(
        text,
        "{} runs in {:.0} s: {hours:.0} simulated hours, {:.0} a minute; {} steps, {} jobs, {} crashes of the dispatcher",
        tally.n_runs,
        took.as_secs_f64(),
        pace(tally, took),
        tally.n_events,
        tally.n_jobs,
        tally.n_crashes,
    )?;
    write!(
        text,
        "{} broken, {} of {} faults met",
        tally.broken.len(),
        Fault::ALL.len() - tally.coverage.missing().len(),
        Fault::ALL.len()
    )?;
    say(&text);
    Ok(())
}

/// One that broke, with as little as still breaks it, and the line that runs it again.
fn show(broken: &Broken) -> Result<()> {
    let left_out = dst::shrink(broken)?;
    let all = dst::parts(&random::random(broken.seed));
    let kept: Vec<&str> =
        all.iter().filter(|part| !left_out.contains(*part)).map(String::as_str).collect();
    say(&format!(
        "seed {}: {}\n    it takes: {}\n    run it again: {}",
        broken.seed,
        broken.first,
        kept.join(", "),
        replay(broken.seed, &left_out),
    ));
    Ok(())
}

fn replay(seed: u64, left_out: &BTreeSet<String>) -> String {
    let mut line = format!("cargo xtask dst --seeds 1 --seed {seed}");
    if !left_out.is_empty() {
        let parts: Vec<&str> = left_out.iter().map(String::as_str).collect();
        line = format!("{line} --without {}", parts.join(","));
    }
    line
}

fn verdict(wanted: &Wanted, tally: &Tally, took: Duration) -> bool {
    let mut is_good = tally.broken.is_empty();
    if tally.n_runs < COVERING_SEEDS || !wanted.without.is_empty() {
        return is_good;
    }
    let missing = tally.coverage.missing();
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        say(&format!("never happened: {}", names.join("; ")));
        is_good = false;
    }
    if pace(tally, took) < HOURS_PER_MINUTE_MIN {
        say(&format!("fewer than {HOURS_PER_MINUTE_MIN:.0} simulated hours a minute"));
        is_good = false;
    }
    is_good
}
