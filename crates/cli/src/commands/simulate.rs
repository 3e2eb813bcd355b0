//! `spillway simulate`: a scenario in virtual time, scored, as often as asked for, under one policy or all of them.

mod compare;
mod kept;
mod recorded;
mod source;
mod view;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use jiff::SignedDuration;
use spillway_sim::run::listeners::Listeners;
use spillway_sim::run::{Outcome, RunError};
use spillway_sim::{Policy, Scenario};

use crate::config::LedgerPlace;
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use kept::Kept;
use recorded::SizeArgs;
use view::{RunView, SimulationView};

pub(crate) const LONG_ABOUT: &str = "\
Runs a scenario in a simulated cloud: the real control loop in virtual time, hours in seconds. Prints what became of the \
jobs, how long they waited, and the bill, split into work, idle and boot. Needs no account and buys nothing.

The same scenario and seed give the same run and the same trace, byte for byte. Invariants are checked after every step; \
if one breaks, the exit code is 4 and the line that replays the run is printed.

With --ledger the run leaves the ledger that a real dispatcher would have left: jobs, hosts and all other verbs that read \
show it. With --report it leaves the page that `spillway report` makes of that.

With --compare every scenario is run under Spillway and under honest models of how others decide (Karpenter, AWS Batch, EC2 Fleet, one \
type, one machine per job), in the same world with the same luck, and the bills and waits are put side by side, with the bill \
over a lower bound that knows all jobs and how long they run. With --problem the jobs of a benchmark problem arrive over a time.

With --jobs they are jobs that ran: sent again as they were submitted, each for as long as it ran, and telling nobody how long that will be. \
They are rows of a CSV file with the columns submitted, started and stopped (or duration), vcpus, memory, and if wanted name, gpus, architecture \
(x86_64 if it is not said), market and exit_code; what `aws batch describe-jobs` or `list-jobs` prints, pages one after another; or a ledger. They \
run in the world and under the configuration of the scenario, without one in the world that comes with Spillway and without limits.

Prices and interruptions are those of the scenario's world, by default a built-in list and none. With --prices what is sold, and for how \
much, is what a price list has. With --spot-traces each Spot pool follows a recording of how many instances could be had \
({\"metadata\": {\"gap_seconds\": 300}, \"data\": [1, 1, 0]}): where it shows none the pool is dry, and takes back what runs there.

Examples:
  spillway simulate tests/scenarios/small.toml
  spillway simulate s.toml --seed 7 --trace trace.jsonl
  spillway simulate s.toml --ledger run.db && spillway jobs list --ledger run.db --status FAILED
  spillway simulate s.toml --report run.html
  spillway simulate s.toml --runs 200 --doublecheck --format json
  spillway simulate tests/scenarios/traces/*.toml --compare
  spillway simulate --jobs october.csv --compare
  spillway simulate s.toml --prices today.json
  spillway simulate s.toml --spot-traces recordings/ --compare
  spillway simulate small-pools.toml --jobs batch-jobs.json --job-vcpus 2 --job-memory 4GiB
  spillway simulate --problem timed.json --arrive-over 2h --compare --seeds 3";

/// Flags of `simulate`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct SimulateArgs {
    /// The scenario, a TOML file; several with --compare
    #[arg(value_name = "SCENARIO", group = "what")]
    pub scenarios: Vec<PathBuf>,
    /// The scenario as a flag
    #[arg(long, short, value_name = "FILE", group = "what")]
    pub scenario: Vec<PathBuf>,
    /// A benchmark problem with durations, a JSON file: its offers are what is sold, its jobs arrive over a time
    #[arg(long, value_name = "FILE", group = "what", requires = "arrive_over")]
    pub problem: Vec<PathBuf>,
    /// Over how much time the jobs of a problem arrive, evenly and at random
    #[arg(long, value_name = "DURATION", requires = "problem", value_parser = source::span)]
    pub arrive_over: Option<SignedDuration>,
    /// Jobs as they were recorded, in place of the scenario's: a CSV file, what AWS Batch lists or describes as JSON, or a ledger
    #[arg(long, value_name = "FILE", group = "what", conflicts_with = "problem")]
    pub jobs: Option<PathBuf>,
    /// What the record does not say.
    #[command(flatten)]
    pub sizes: SizeArgs,
    /// What is sold in place of the scenario's world: a price list as `spillway prices --format json` prints it, or the offers of a problem
    #[arg(long, value_name = "FILE", conflicts_with = "problem")]
    pub prices: Option<PathBuf>,
    /// Spot capacity as it was recorded: a folder of recordings (*.json), which the pools follow
    #[arg(long, value_name = "FOLDER")]
    pub spot_traces: Option<PathBuf>,
    /// The luck of the run, or of the first of several [default: the scenario's]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How many runs, each with the next seed
    #[arg(long, visible_alias = "seeds", value_name = "N", default_value = "1")]
    pub runs: NonZeroU64,
    /// Who decides: Spillway, or the model of another
    #[arg(long, value_name = "NAME", default_value = "spillway", value_parser = source::policy_names())]
    pub policy: String,
    /// Run everything under every policy and compare
    #[arg(long, conflicts_with_all = ["policy", "trace", "report", "doublecheck"])]
    pub compare: bool,
    /// Run each seed twice and compare: a difference is a broken invariant
    #[arg(long)]
    pub doublecheck: bool,
    /// Write everything that happened as JSON lines; for one run only
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Write a page of pictures and numbers about the run, as `spillway report` does; for one run only
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// One run.
#[derive(Debug)]
struct Run {
    seed: u64,
    outcome: Outcome,
    /// Whether the same seed gave something else the second time.
    differs: bool,
}

/// A run leaves its ledger in a file.
fn kept_ledger(text: &str) -> Result<PathBuf> {
    match text.parse()? {
        LedgerPlace::File(path) => Ok(path),
        LedgerPlace::Table(_) => {
            Err(Complaint::usage("the ledger of a simulated run is a file").into())
        }
    }
}

/// Runs and scores.
pub fn run(args: &SimulateArgs, context: &Context) -> Result<ExitStatus> {
    let sources = source::all(args, context)?;
    if args.compare && context.global.ledger.is_some() {
        return Err(Complaint::usage("--ledger is for one run, and --compare makes many")
            .hint("run one policy with --policy NAME")
            .into());
    }
    if args.compare {
        return compare::run(&sources, args, context);
    }
    let [source] = sources.as_slice() else {
        return Err(Complaint::usage("more than one scenario is given, and not --compare")
            .hint("run one at a time, or compare the policies on all of them with --compare")
            .into());
    };
    let ledger = context.global.ledger.as_deref().map(kept_ledger).transpose()?;
    let (trace, report) = (args.trace.as_deref(), args.report.as_deref());
    let kept = Kept { trace, ledger: ledger.as_deref(), report };
    if kept.is_any() && 1 < args.runs.get() {
        return Err(Complaint::usage(
            "--trace, --ledger and --report are for one run, and --runs asks for more",
        )
        .hint("choose the run with --seed N")
        .into());
    }
    let policy = source::policy(&args.policy)?;
    let scenario = &source.scenario;
    let seeds = seeds(args, scenario)?;
    let started = Instant::now();
    let runs = if kept.is_any() {
        let scenario = scenario.clone().with_seed(seeds.start);
        let outcome = kept.run(&scenario, policy)?;
        vec![checked(&scenario, policy, outcome, args.doublecheck)?]
    } else {
        run_all(scenario, policy, seeds, args.doublecheck, context)?
    };
    let views = runs.iter().map(RunView::new).collect();
    let trace = args.trace.clone();
    let view = SimulationView::new(&scenario.name, policy, trace, args.doublecheck, views);
    context.output.show(&view)?;
    let (n_runs, seconds) = (runs.len(), started.elapsed().as_secs_f64());
    let n_events: u64 = runs.iter().map(|run| run.outcome.n_events).sum();
    context.output.note(&format!("{n_runs} runs, {n_events} events in {seconds:.1} s"));
    verdict(&runs, &source.flags(policy))
}

fn seeds(args: &SimulateArgs, scenario: &Scenario) -> Result<Range<u64>, Complaint> {
    let first = args.seed.unwrap_or(scenario.seed);
    let end = first.checked_add(args.runs.get());
    let end = end.ok_or_else(|| Complaint::usage("--seed and --runs go beyond the last seed"))?;
    Ok(first..end)
}

fn run_seed(
    scenario: &Scenario,
    policy: Policy,
    seed: u64,
    doublecheck: bool,
) -> Result<Run, RunError> {
    let scenario = scenario.clone().with_seed(seed);
    let outcome = policy.run(&scenario, Listeners::default())?;
    checked(&scenario, policy, outcome, doublecheck)
}

/// What came of a run, held against a second one if that is asked for.
fn checked(
    scenario: &Scenario,
    policy: Policy,
    outcome: Outcome,
    doublecheck: bool,
) -> Result<Run, RunError> {
    let differs = doublecheck && differs(&outcome, &policy.run(scenario, Listeners::default())?);
    Ok(Run { seed: scenario.seed, outcome, differs })
}

fn differs(one: &Outcome, other: &Outcome) -> bool {
    (one.trace_hash, one.n_events, &one.score) != (other.trace_hash, other.n_events, &other.score)
}

/// Runs all seeds on all processors. The order in which they end changes nothing.
fn run_all(
    scenario: &Scenario,
    policy: Policy,
    seeds: Range<u64>,
    doublecheck: bool,
    context: &Context,
) -> Result<Vec<Run>> {
    let n_runs = seeds.end - seeds.start;
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(seeds.start);
    let mut progress = context.output.progress();
    let is_live = context.output.has_live_line() && 1 < n_runs;
    let (ended, endings) = mpsc::channel();
    let runs = std::thread::scope(|scope| {
        for _ in 0..n_threads {
            let (ended, next) = (ended.clone(), &next);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_wanted = seed < seeds.end;
                    // Nobody listens any more once a run has failed.
                    if !is_wanted
                        || ended.send(run_seed(scenario, policy, seed, doublecheck)).is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(ended);
        let mut runs = BTreeMap::new();
        let mut n_broken = 0;
        for run in endings {
            let run = run?;
            n_broken += u64::from(is_broken(&run));
            runs.insert(run.seed, run);
            if is_live {
                progress.set(&format!("{} of {n_runs} runs, {n_broken} broken", runs.len()));
            }
        }
        Ok::<_, RunError>(runs)
    })?;
    Ok(runs.into_values().collect())
}

fn is_broken(run: &Run) -> bool {
    run.differs || 0 < run.outcome.n_violations
}

/// Whether the run's only fault is that it was not over in time.
fn is_only_late(run: &Run) -> bool {
    let late = |v: &spillway_sim::invariants::Violation| v.invariant == "S2";
    !run.differs && !run.outcome.converged && run.outcome.violations.iter().all(late)
}

/// The first run that is broken, else the first that is late, decides.
fn verdict(runs: &[Run], flags: &str) -> Result<ExitStatus> {
    let broken = runs.iter().find(|run| is_broken(run) && !is_only_late(run));
    let Some(run) = broken.or_else(|| runs.iter().find(|run| !run.outcome.converged)) else {
        return Ok(ExitStatus::Ok);
    };
    let seed = run.seed;
    let replay = format!("spillway simulate {flags} --seed {seed} --trace trace.jsonl");
    let complaint = match run.outcome.violations.first() {
        _ if run.differs => Complaint::usage(format!("seed {seed} gave two different runs"))
            .status(ExitStatus::Infeasible),
        Some(first) => {
            let status =
                if is_only_late(run) { ExitStatus::NotConverged } else { ExitStatus::Infeasible };
            Complaint::usage(format!("seed {seed} broke {first}")).status(status)
        }
        None => Complaint::usage(format!("seed {seed} was not over within its limit"))
            .status(ExitStatus::NotConverged),
    };
    Err(complaint.hint(format!("replay it: {replay}")).into())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use spillway_sim::invariants::Violation;

    use super::*;
    use crate::{error, world};

    fn ran(seed: u64, invariants: &[&'static str], converged: bool) -> Run {
        let quiet = world::built_in("").unwrap();
        let mut outcome = Policy::Spillway.run(&quiet, Listeners::default()).unwrap();
        let violation = |invariant: &&'static str| Violation {
            invariant,
            event: 812,
            at: Timestamp::UNIX_EPOCH,
            text: "seen".to_owned(),
        };
        outcome.violations = invariants.iter().map(violation).collect();
        outcome.n_violations = u64::try_from(invariants.len()).unwrap();
        outcome.converged = converged;
        Run { seed, outcome, differs: false }
    }

    fn end(runs: &[Run]) -> (u8, String) {
        match verdict(runs, "--scenario s.toml") {
            Ok(status) => (status.code(), String::new()),
            Err(error) => {
                let verdict = error::verdict(&error);
                (verdict.status.code(), format!("{error} | {}", verdict.hint.unwrap_or_default()))
            }
        }
    }

    #[test]
    fn a_broken_invariant_is_exit_code_four_with_seed_event_and_the_line_that_replays_it() {
        let (code, text) = end(&[ran(6, &[], true), ran(7, &["I2"], true)]);

        assert_eq!(code, 4);
        assert!(text.starts_with("seed 7 broke I2 at event 812"), "{text}");
        let replay = "spillway simulate --scenario s.toml --seed 7 --trace trace.jsonl";
        assert!(text.ends_with(replay), "{text}");
    }

    #[test]
    fn a_broken_invariant_counts_more_than_a_run_that_is_late() {
        assert_eq!(end(&[ran(1, &["S2"], false)]).0, 5);
        assert_eq!(end(&[ran(1, &["S2"], false), ran(2, &["I7"], true)]).0, 4);
    }

    #[test]
    fn two_different_runs_of_one_seed_are_a_broken_invariant() {
        let mut run = ran(3, &[], true);
        run.differs = true;

        assert_eq!(end(&[run]).0, 4);
    }

    #[test]
    fn runs_without_a_fault_are_a_success() {
        assert_eq!(end(&[ran(1, &[], true), ran(2, &[], true)]).0, 0);
    }
}
