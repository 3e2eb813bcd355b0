//! What `simulate` answers.

use std::path::PathBuf;

use serde::Serialize;
use spillway_core::MicroUsd;
use spillway_sim::invariants::Violation;
use spillway_sim::{Policy, Score};

use super::Run;
use crate::output::{Field, Lines, Page, Rows, Tone, View};
use crate::views::score::{as_view, hosts_table, score_fields};
use crate::views::span_text;

/// One run.
#[derive(Debug, Serialize)]
pub(super) struct RunView {
    seed: u64,
    /// Whether all came to rest within the scenario's limit.
    converged: bool,
    /// How many inputs the control loop took.
    n_events: u64,
    /// Equal hashes are equal runs. 16 hex digits: more than a JSON number holds everywhere.
    trace_hash: String,
    /// Whether the second run of the seed was another one.
    differs: bool,
    #[serde(serialize_with = "as_view")]
    score: Score,
    n_violations: u64,
    violations: Vec<Violation>,
}

impl RunView {
    pub(super) fn new(run: &Run) -> Self {
        Self {
            seed: run.seed,
            converged: run.outcome.converged,
            n_events: run.outcome.n_events,
            trace_hash: format!("{:016x}", run.outcome.trace_hash),
            differs: run.differs,
            score: run.outcome.score.clone(),
            n_violations: run.outcome.n_violations,
            violations: run.outcome.violations.clone(),
        }
    }

    const fn is_ok(&self) -> bool {
        self.converged && !self.differs && self.n_violations == 0
    }
}

/// The answer of `simulate`.
#[derive(Debug, Serialize)]
pub(super) struct SimulationView {
    scenario: String,
    /// Who decided.
    policy: &'static str,
    /// Whether every run converged and broke nothing.
    ok: bool,
    /// Whether every seed was run twice.
    doublechecked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<PathBuf>,
    runs: Vec<RunView>,
}

impl SimulationView {
    pub(super) fn new(
        scenario: &str,
        policy: Policy,
        trace: Option<PathBuf>,
        doublechecked: bool,
        runs: Vec<RunView>,
    ) -> Self {
        let ok = runs.iter().all(RunView::is_ok);
        Self {
            scenario: scenario.to_owned(),
            policy: policy.name(),
            ok,
            doublechecked,
            trace,
            runs,
        }
    }
}

fn one_run(page: &mut Page, run: &RunView) {
    page.field("Seed", run.seed.to_string());
    score_fields(page, &run.score);
    page.field("Trace hash", format!("{} over {} events", run.trace_hash, run.n_events));
    for violation in &run.violations {
        page.field("Broken", Field::toned(violation.to_string(), Tone::Bad));
    }
    page.table(hosts_table(&run.score.hosts));
}

/// Least, mean and most of something over all runs.
fn spread<T: Copy + Ord>(
    values: impl Iterator<Item = T> + Clone,
    mean: impl FnOnce(Vec<T>) -> String,
    show: impl Fn(T) -> String,
) -> [Field; 3] {
    let text = |value: Option<T>| value.map_or_else(|| "-".to_owned(), &show);
    [
        text(values.clone().min()).into(),
        mean(values.clone().collect()).into(),
        text(values.max()).into(),
    ]
}

fn mean_of(sum: u128, n: usize) -> u64 {
    let mean = u128::try_from(n).ok().and_then(|n| sum.checked_div(n)).unwrap_or_default();
    u64::try_from(mean).unwrap_or(u64::MAX)
}

fn money(values: impl Iterator<Item = MicroUsd> + Clone) -> [Field; 3] {
    let mean = |all: Vec<MicroUsd>| {
        let sum = all.iter().map(|amount| u128::from(amount.get())).sum();
        MicroUsd::new(mean_of(sum, all.len())).to_string()
    };
    spread(values, mean, |amount| amount.to_string())
}

fn time(values: impl Iterator<Item = jiff::SignedDuration> + Clone) -> [Field; 3] {
    let mean = |all: Vec<jiff::SignedDuration>| {
        let sum = all.iter().map(|span| u128::try_from(span.as_secs()).unwrap_or(0)).sum();
        let secs = i64::try_from(mean_of(sum, all.len())).unwrap_or(i64::MAX);
        span_text(jiff::SignedDuration::from_secs(secs))
    };
    spread(values, mean, span_text)
}

fn number(values: impl Iterator<Item = u64> + Clone) -> [Field; 3] {
    let mean = |all: Vec<u64>| {
        let sum = all.iter().map(|n| u128::from(*n)).sum();
        mean_of(sum, all.len()).to_string()
    };
    spread(values, mean, |n| n.to_string())
}

fn many_runs(page: &mut Page, runs: &[RunView]) {
    let n_ok = runs.iter().filter(|run| run.is_ok()).count();
    let tone = if n_ok == runs.len() { Tone::Good } else { Tone::Bad };
    page.field("Runs", Field::toned(format!("{n_ok} of {} ok", runs.len()), tone));
    let scores = || runs.iter().map(|run| &run.score);
    let mut table = Rows::new(&["OVER ALL RUNS", "LEAST", "MEAN", "MOST"]);
    let mut row = |name: &str, [least, mean, most]: [Field; 3]| {
        table.row([name.into(), least, mean, most]);
    };
    row("bill", money(scores().map(|s| s.bill.total)));
    row("of it work", money(scores().map(|s| s.bill.work)));
    row("of it idle", money(scores().map(|s| s.bill.idle)));
    row("of it boot", money(scores().map(|s| s.bill.boot)));
    row("one On-Demand VM per job", money(scores().map(|s| s.on_demand_one_vm_per_job)));
    row("makespan", time(scores().map(|s| s.makespan)));
    row("mean wait", time(scores().map(|s| s.wait.mean)));
    row("jobs failed", number(scores().map(|s| s.jobs.failed)));
    row("retries", number(scores().map(|s| s.n_retries)));
    row("interruptions", number(scores().map(|s| s.n_interruptions)));
    row("crashes of the dispatcher", number(scores().map(|s| s.n_crashes)));
    page.table(table);
    let mut broken = Rows::new(&["SEED", "BROKEN", "FIRST"]);
    for run in runs.iter().filter(|run| !run.is_ok()) {
        let first = run.violations.first().map(ToString::to_string);
        let late = || "not over within the limit, or two different runs".to_owned();
        broken.row([
            run.seed.to_string().into(),
            Field::toned(run.n_violations.to_string(), Tone::Bad),
            first.unwrap_or_else(late).into(),
        ]);
    }
    page.table(broken);
}

impl View for SimulationView {
    fn page(&self, page: &mut Page) {
        page.field("Scenario", self.scenario.as_str());
        page.field("Policy", self.policy);
        match self.runs.as_slice() {
            [run] => one_run(page, run),
            runs => many_runs(page, runs),
        }
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.runs.iter().try_for_each(|run| lines.item(run))
    }
}
