//! `cargo xtask soak`: a month in virtual time with a million jobs, every class of faults on, and Spot capacity that comes and goes as it was
//! recorded. Everything must come to rest with nothing lost, nothing doubled and nothing leaked, or it exits non-zero.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use spillway_core::Change;
use spillway_sim::run::Outcome;
use spillway_sim::run::listeners::{Commits, Listeners};
use spillway_sim::scenario::SpotRecordings;
use spillway_sim::{Fault, Policy, Scenario};

use crate::bench_planner::peak_mb;
use crate::shell::say;

/// What happens in it, but for Spot.
const BASE: &str = include_str!("soak/base.toml");

/// So many jobs are in [`BASE`].
const BASE_JOBS: u64 = 1_000_000;

/// So many images are new at the same moment: more than task definitions can be registered at once.
const TOOLS: u32 = 40;

/// A job of one of them.
const TOOL: &str = r#"
[[workload.jobs]]
name = "tool-{tool}"
image = "tool:{tool}"
count = 1
vcpus = 0.25
memory = "256MiB"
duration = ["20s", "3m"]
"#;

/// What to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Wanted {
    /// About how many jobs, children of arrays counted one by one
    #[arg(long, value_name = "N", default_value_t = BASE_JOBS)]
    jobs: u64,
    /// The luck of the world
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Recordings of Spot capacity to replay, as JSON files below this folder; without, pools run dry by chance alone
    #[arg(long, value_name = "DIR")]
    spot_traces: Option<PathBuf>,
}

/// How often it is said how far it is.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// Says how far it is.
struct Progress {
    since: Timestamp,
    shown: Instant,
    n_ended: u64,
}

impl Commits for Progress {
    fn commit(&mut self, now: Timestamp, changes: &[Change]) -> io::Result<()> {
        for change in changes {
            if let Change::MoveJob { state, .. } = change {
                self.n_ended += u64::from(state.status().is_terminal());
            }
        }
        if SAY_EVERY <= self.shown.elapsed() {
            self.shown = Instant::now();
            let days = now.duration_since(self.since).as_secs_f64() / 86_400.0;
            say(&format!("day {days:.1}: {} jobs have ended", self.n_ended));
        }
        Ok(())
    }
}

/// Whether everything held.
pub(crate) fn run(wanted: &Wanted) -> Result<bool> {
    let scenario = scenario(wanted)?;
    let n_jobs = n_jobs(&scenario);
    let n_pools = scenario.world.pools.len();
    say(&format!("{n_jobs} jobs; {n_pools} Spot pools follow recordings"));
    let started = Instant::now();
    let mut progress = Progress { since: scenario.start, shown: started, n_ended: 0 };
    let listeners = Listeners { trace: None, ledger: Some(&mut progress) };
    let outcome = Policy::Spillway.run(&scenario, listeners)?;
    say(&report(&outcome, n_jobs, started.elapsed())?);
    let is_whole = n_lost(&outcome, n_jobs) == 0 && outcome.unrecorded.is_zero();
    Ok(outcome.converged && outcome.n_violations == 0 && is_whole)
}

fn scenario(wanted: &Wanted) -> Result<Scenario> {
    let mut text = BASE.to_owned();
    for tool in 0..TOOLS {
        writeln!(text, "{}", TOOL.replace("{tool}", &tool.to_string()))?;
    }
    let mut scenario =
        Scenario::parse(&text, None).context("the soak's own scenario")?.with_seed(wanted.seed);
    for group in &mut scenario.workload.groups {
        let count = u64::from(group.count) * wanted.jobs / BASE_JOBS;
        group.count = u32::try_from(count.max(1))?;
    }
    if let Some(folder) = &wanted.spot_traces {
        let recordings = SpotRecordings::read(folder)?;
        let end = scenario.world.faults.until.map_or(SignedDuration::ZERO, |until| until.0);
        scenario.follow_spot(&recordings, end);
    }
    Ok(scenario)
}

/// How many jobs are sent; an array is its children.
fn n_jobs(scenario: &Scenario) -> u64 {
    let of_group = |group: &spillway_sim::scenario::workload::JobGroup| {
        let size = group.array.as_ref().map_or(1, |array| u64::from(array.indexes.size));
        u64::from(group.count) * size
    };
    scenario.workload.groups.iter().map(of_group).sum()
}

/// The invariants that forbid something to happen twice.
const DOUBLED: [&str; 4] = ["I1", "I2", "I7", "T2"];

/// Jobs that were sent and of which there is no end.
const fn n_lost(outcome: &Outcome, n_jobs: u64) -> u64 {
    let jobs = &outcome.score.jobs;
    n_jobs.saturating_sub(jobs.succeeded + jobs.failed)
}

fn report(outcome: &Outcome, n_jobs: u64, took: Duration) -> Result<String> {
    let (score, mut text) = (&outcome.score, String::new());
    let days = outcome.lasted.as_secs_f64() / 86_400.0;
    let jobs = &score.jobs;
    writeln!(
        text,
        "{days:.1} days of virtual time, {} steps of the control loop",
        outcome.n_events
    )?;
    writeln!(
        text,
        "jobs: {} succeeded, {} failed, {} open",
        jobs.succeeded, jobs.failed, jobs.open
    )?;
    writeln!(text, "attempts: {}, of which {} again", score.n_attempts, score.n_retries)?;
    let n_hosts: u64 = score.hosts.iter().map(|hosts| hosts.n).sum();
    writeln!(
        text,
        "hosts: {n_hosts}, of which {} interrupted and {} dead; {} crashes of the dispatcher; {} calls over a limit",
        score.n_interruptions, score.n_host_deaths, score.n_crashes, outcome.n_over_limit
    )?;
    writeln!(
        text,
        "bill: {}; mean wait: {:.0} s",
        score.bill.total,
        score.wait.mean.as_secs_f64()
    )?;
    let missing: Vec<&str> = Fault::ALL
        .into_iter()
        .filter(|fault| outcome.coverage.get(*fault) == 0)
        .map(Fault::title)
        .collect();
    writeln!(text, "faults met: {} of {}", Fault::ALL.len() - missing.len(), Fault::ALL.len())?;
    for fault in missing {
        writeln!(text, "  never: {fault}")?;
    }
    let n_doubled: u64 =
        DOUBLED.iter().filter_map(|invariant| outcome.n_violations_of.get(invariant)).sum();
    writeln!(text, "lost jobs: {}", n_lost(outcome, n_jobs))?;
    writeln!(text, "duplicate effects: {n_doubled}")?;
    writeln!(text, "leaked instance-minutes: {:.1}", outcome.unrecorded.as_secs_f64() / 60.0)?;
    writeln!(text, "violations of any invariant: {}", outcome.n_violations)?;
    for violation in outcome.violations.iter().take(5) {
        writeln!(text, "  {violation}")?;
    }
    writeln!(text, "real time: {:.0} s; peak memory: {:.0} MB", took.as_secs_f64(), peak_mb())?;
    Ok(text)
}
