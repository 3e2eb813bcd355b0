//! `simulate --compare`: every scenario under every policy, with the same luck, side by side.

mod view;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::Result;
use spillway_core::MicroUsd;
use spillway_sim::Policy;
use spillway_sim::clairvoyant;
use spillway_sim::run::listeners::Listeners;
use spillway_sim::run::{Outcome, RunError};

use super::source::Source;
use super::{SimulateArgs, seeds};
use crate::context::Context;
use crate::error::Complaint;
use crate::exit::ExitStatus;
use view::{ComparisonView, ScenarioView};

/// One thing to do: runs and bounds are independent of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    /// Index of the scenario.
    source: usize,
    seed: u64,
    /// Index of the policy; none is the bound.
    policy: Option<usize>,
}

#[derive(Debug)]
enum Done {
    Ran(Box<Outcome>),
    Bounded(MicroUsd),
}

/// All that was done for one scenario: for each seed the bound and the outcome under each policy, in order.
#[derive(Debug)]
struct Results {
    seeds: Vec<u64>,
    bounds: Vec<MicroUsd>,
    /// By policy, then by seed.
    outcomes: Vec<Vec<Outcome>>,
}

/// Runs everything and prints the tables.
pub(super) fn run(
    sources: &[Source],
    args: &SimulateArgs,
    context: &Context,
) -> Result<ExitStatus> {
    let policies = Policy::all();
    let mut tasks = Vec::new();
    for (source, of_source) in sources.iter().enumerate() {
        for seed in seeds(args, &of_source.scenario)? {
            tasks.extend((0..policies.len()).map(|p| Task { source, seed, policy: Some(p) }));
            tasks.push(Task { source, seed, policy: None });
        }
    }
    let started = Instant::now();
    let done = do_all(&tasks, sources, &policies, context)?;
    let n_runs = tasks.iter().filter(|task| task.policy.is_some()).count();
    let results = by_source(done, sources.len(), policies.len());
    let views = sources
        .iter()
        .zip(&results)
        .map(|(source, results)| ScenarioView::new(&source.scenario.name, &policies, results));
    let view = ComparisonView::new(views.collect());
    context.output.show(&view)?;
    context.output.note(&format!("{n_runs} runs in {:.1} s", started.elapsed().as_secs_f64()));
    verdict(sources, &policies, &results)
}

/// On all processors. The order in which they end changes nothing.
fn do_all(
    tasks: &[Task],
    sources: &[Source],
    policies: &[Policy],
    context: &Context,
) -> Result<BTreeMap<Task, Done>> {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let mut progress = context.output.progress();
    let is_live = context.output.has_live_line();
    let (ended, endings) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..n_threads {
            let (ended, next) = (ended.clone(), &next);
            scope.spawn(move || {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Nobody listens any more once a run has failed.
                    if ended.send((*task, perform(*task, sources, policies))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(ended);
        let mut done = BTreeMap::new();
        for (task, result) in endings {
            done.extend(result?.map(|result| (task, result)));
            if is_live {
                progress.set(&format!("{} of {} done", done.len(), tasks.len()));
            }
        }
        Ok(done)
    })
}

fn perform(task: Task, sources: &[Source], policies: &[Policy]) -> Result<Option<Done>, RunError> {
    let Some(source) = sources.get(task.source) else { return Ok(None) };
    let scenario = source.scenario.clone().with_seed(task.seed);
    let done = match task.policy {
        None => Some(Done::Bounded(clairvoyant::bound(&scenario))),
        Some(at) => match policies.get(at) {
            Some(policy) => Some(Done::Ran(Box::new(policy.run(&scenario, Listeners::default())?))),
            None => None,
        },
    };
    Ok(done)
}

fn by_source(done: BTreeMap<Task, Done>, n_sources: usize, n_policies: usize) -> Vec<Results> {
    let empty = || Results {
        seeds: Vec::new(),
        bounds: Vec::new(),
        outcomes: (0..n_policies).map(|_| Vec::new()).collect(),
    };
    let mut results: Vec<Results> = (0..n_sources).map(|_| empty()).collect();
    for (task, done) in done {
        let Some(of_source) = results.get_mut(task.source) else { continue };
        match done {
            Done::Bounded(bound) => {
                of_source.seeds.push(task.seed);
                of_source.bounds.push(bound);
            }
            Done::Ran(outcome) => {
                let of_policy = task.policy.and_then(|at| of_source.outcomes.get_mut(at));
                if let Some(outcomes) = of_policy {
                    outcomes.push(*outcome);
                }
            }
        }
    }
    results
}

/// The first run that broke an invariant decides, else the first that did not come to rest.
fn verdict(sources: &[Source], policies: &[Policy], results: &[Results]) -> Result<ExitStatus> {
    let mut late = None;
    for (source, results) in sources.iter().zip(results) {
        for (policy, outcomes) in policies.iter().zip(&results.outcomes) {
            for (seed, outcome) in results.seeds.iter().zip(outcomes) {
                let what =
                    format!("seed {seed} of {} under {}", source.scenario.name, policy.name());
                let replay =
                    format!("replay it: spillway simulate {} --seed {seed}", source.flags(*policy));
                let broken =
                    outcome.violations.iter().find(|violation| violation.invariant != "S2");
                if let Some(first) = broken {
                    let complaint = Complaint::usage(format!("{what} broke {first}"));
                    return Err(complaint.status(ExitStatus::Infeasible).hint(replay).into());
                }
                if !outcome.converged {
                    late.get_or_insert((what, replay));
                }
            }
        }
    }
    match late {
        None => Ok(ExitStatus::Ok),
        Some((what, replay)) => {
            let complaint = Complaint::usage(format!("{what} was not over within its limit"));
            Err(complaint.status(ExitStatus::NotConverged).hint(replay).into())
        }
    }
}
