//! Many random scenarios, judged: what broke, with the fewest faults that still break it, and which faults were met at all.
//!
//! A run is good when every invariant held after every step, everything came to rest once faults had ended, and, where it is asked
//! for, a second run took the same decisions. [`crate::invariants`] says what is checked, [`crate::fault`] what is counted.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use jiff::SignedDuration;

use crate::fault::Coverage;
use crate::run::{self, Outcome, RunError};
use crate::scenario::{Scenario, random};
use crate::setting::Chance;
use crate::world::Faults;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunt {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// Whether every seed is run twice, and the two must be one.
    pub doublecheck: bool,
    /// How many threads.
    pub n_threads: usize,
    /// Parts of the scenarios that are left out, by the names of [`parts`].
    pub without: BTreeSet<String>,
}

/// A seed that broke something.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Which.
    pub seed: u64,
    /// What it broke first, in words; with its event and time.
    pub first: String,
    /// The invariant; none for a run that differs from itself.
    pub invariant: Option<&'static str>,
}

/// What came of all runs.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many runs.
    pub n_runs: u64,
    /// How much time passed in them.
    pub simulated: SignedDuration,
    /// How many inputs their control loops took.
    pub n_events: u64,
    /// How often each fault happened.
    pub coverage: Coverage,
    /// Jobs that ended.
    pub n_jobs: u64,
    /// How often a dispatcher died or was paused.
    pub n_crashes: u64,
    /// Those that broke, by seed.
    pub broken: Vec<Broken>,
}

/// Runs all seeds; `until` may end it early between two runs, and `each` is told of every run. In whatever order runs end, the
/// tally is the same.
pub fn hunt(
    hunt: &Hunt,
    until: &(dyn Fn() -> bool + Sync),
    mut each: impl FnMut(&Tally),
) -> Result<Tally, RunError> {
    let next = AtomicU64::new(hunt.seeds.start);
    let (ended, endings) = mpsc::channel();
    let mut tally = Tally::default();
    std::thread::scope(|scope| {
        for _ in 0..hunt.n_threads.max(1) {
            let (ended, next) = (ended.clone(), &next);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_wanted = seed < hunt.seeds.end && !until();
                    // Nobody listens any more once a run has failed.
                    if !is_wanted || ended.send(run_one(hunt, seed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(ended);
        for ending in endings {
            let (outcome, broken) = ending?;
            tally.add(&outcome, broken);
            each(&tally);
        }
        Ok::<_, RunError>(())
    })?;
    tally.broken.sort_by_key(|broken| broken.seed);
    Ok(tally)
}

/// The random scenario of a seed without some of its parts.
pub fn scenario(seed: u64, without: &BTreeSet<String>) -> Scenario {
    let mut scenario = random::random(seed);
    for part in without {
        leave_out(&mut scenario, part);
    }
    scenario
}

fn run_one(hunt: &Hunt, seed: u64) -> Result<(Outcome, Option<Broken>), RunError> {
    let scenario = scenario(seed, &hunt.without);
    let outcome = run::run(&scenario, None)?;
    let mut broken = judge(seed, &outcome);
    if hunt.doublecheck && broken.is_none() {
        let again = run::run(&scenario, None)?;
        if (again.trace_hash, again.n_events) != (outcome.trace_hash, outcome.n_events) {
            let first = "the same seed took other decisions the second time".to_owned();
            broken = Some(Broken { seed, first, invariant: None });
        }
    }
    Ok((outcome, broken))
}

/// What a run broke first.
fn judge(seed: u64, outcome: &Outcome) -> Option<Broken> {
    let first = outcome.violations.first()?;
    let same = outcome.violations.iter().filter(|v| v.invariant == first.invariant);
    let more: Vec<&str> = same.skip(1).take(4).map(|v| v.text.as_str()).collect();
    let more = if more.is_empty() { String::new() } else { format!("; {}", more.join("; ")) };
    Some(Broken { seed, first: format!("{first}{more}"), invariant: Some(first.invariant) })
}

impl Tally {
    fn add(&mut self, outcome: &Outcome, broken: Option<Broken>) {
        self.n_runs += 1;
        self.simulated += outcome.lasted;
        self.n_events += outcome.n_events;
        self.coverage.merge(&outcome.coverage);
        self.n_jobs += outcome.score.jobs.succeeded + outcome.score.jobs.failed;
        self.n_crashes += outcome.score.n_crashes;
        self.broken.extend(broken);
    }
}

/// The part that is whatever is multi-node of all groups: their jobs are single ones without it.
pub const MULTI_NODE: &str = "multi-node";

/// The part that is all budgets.
const BUDGETS: &str = "budgets";

/// What of a scenario can be left out to find what breaks it: fault classes that are on, outages, reclaims, groups of jobs, poison.
pub fn parts(scenario: &Scenario) -> Vec<String> {
    let mut parts = Vec::new();
    let mut faults = scenario.world.faults;
    for class in Faults::CLASSES {
        if *class.of(&mut faults) != Chance::NEVER {
            parts.push(class.name.to_owned());
        }
    }
    let numbered =
        |name: &str, n: usize| (0..n).map(|at| format!("{name}-{at}")).collect::<Vec<_>>();
    parts.extend(numbered("outage", scenario.world.outages.len()));
    parts.extend(numbered("reclaim", scenario.world.reclaims.len()));
    parts.extend(numbered("jobs", scenario.workload.groups.len()));
    parts.extend(numbered("raw", scenario.workload.raw.len()));
    if scenario.workload.groups.iter().any(|group| group.nodes.is_some()) {
        parts.push(MULTI_NODE.to_owned());
    }
    if !scenario.engine.budgets.is_empty() {
        parts.push(BUDGETS.to_owned());
    }
    parts
}

/// Leaves a part out, so that every other keeps its name and its luck. A name that is none changes nothing.
pub fn leave_out(scenario: &mut Scenario, part: &str) {
    if let Some(class) = Faults::CLASSES.iter().find(|class| class.name == part) {
        *class.of(&mut scenario.world.faults) = Chance::NEVER;
        return;
    }
    if part == MULTI_NODE {
        for group in &mut scenario.workload.groups {
            group.nodes = None;
        }
        return;
    }
    if part == BUDGETS {
        scenario.engine.budgets.clear();
        scenario.limit = random::LIMIT;
        return;
    }
    let Some((kind, at)) = part.rsplit_once('-') else { return };
    let Ok(at) = at.parse::<usize>() else { return };
    match kind {
        "outage" => {
            if let Some(outage) = scenario.world.outages.get_mut(at) {
                outage.lasts = SignedDuration::ZERO;
            }
        }
        "reclaim" => {
            if let Some(reclaim) = scenario.world.reclaims.get_mut(at) {
                reclaim.part = Chance::NEVER;
            }
        }
        "jobs" => {
            if let Some(group) = scenario.workload.groups.get_mut(at) {
                group.count = 0;
            }
        }
        "raw" => {
            if let Some(raw) = scenario.workload.raw.get_mut(at) {
                raw.bodies.clear();
            }
        }
        _ => {}
    }
}

/// The parts of a broken seed that can be left out with the same invariant still breaking: what remains is what it takes.
pub fn shrink(broken: &Broken) -> Result<BTreeSet<String>, RunError> {
    let mut left_out = BTreeSet::new();
    let Some(invariant) = broken.invariant else { return Ok(left_out) };
    let mut scenario = random::random(broken.seed);
    let parts = parts(&scenario);
    loop {
        let n_before = left_out.len();
        for part in &parts {
            if left_out.contains(part) {
                continue;
            }
            let mut without = scenario.clone();
            leave_out(&mut without, part);
            let outcome = run::run(&without, None)?;
            if outcome.violations.iter().any(|violation| violation.invariant == invariant) {
                scenario = without;
                left_out.insert(part.clone());
            }
        }
        if left_out.len() == n_before {
            return Ok(left_out);
        }
    }
}
