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

/// Where the mean over all seeds lies, of which the runs are a sample: in 95 of 100 such samples between `low` and `high`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Band {
    mean: f64,
    low: f64,
    high: f64,
}

/// 97.5 % of Student's t distribution with 1, 2, ... degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

impl Band {
    /// Of at least two values.
    fn of(values: &[f64]) -> Option<Self> {
        let n = f64::from(u32::try_from(values.len()).ok()?);
        let freedom = values.len().checked_sub(2)?;
        // Beyond the table a little wider than it is.
        let t = STUDENT.get(freedom).copied().unwrap_or(1.96 + 2.5 / n);
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = t * (squares / (n - 1.0) / n).sqrt();
        Some(Self { mean, low: mean - error, high: mean + error })
    }

    /// For people.
    fn text(&self, show: impl Fn(f64) -> String) -> String {
        format!("{} to {}", show(self.low.max(0.0)), show(self.high))
    }
}

/// Dollars as [`MicroUsd`] shows them.
fn usd_of(usd: f64) -> String {
    if usd < 1.0 { format!("${usd:.4}") } else { format!("${usd:.2}") }
}

fn span_of(secs: f64) -> String {
    jiff::SignedDuration::try_from_secs_f64(secs.round()).map_or_else(|_| "-".to_owned(), span_text)
}

/// Bands over the seeds of several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Bands {
    bill_usd: Band,
    wait_mean_s: Band,
    makespan_s: Band,
}

impl Bands {
    fn of(runs: &[RunView]) -> Option<Self> {
        let band = |of: &dyn Fn(&Score) -> f64| {
            Band::of(&runs.iter().map(|run| of(&run.score)).collect::<Vec<f64>>())
        };
        Some(Self {
            bill_usd: band(&|score| score.bill.total.as_usd_f64())?,
            wait_mean_s: band(&|score| score.wait.mean.as_secs_f64())?,
            makespan_s: band(&|score| score.makespan.as_secs_f64())?,
        })
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
    /// Of several runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    bands: Option<Bands>,
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
            bands: Bands::of(&runs),
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

fn many_runs(page: &mut Page, runs: &[RunView], bands: Option<&Bands>) {
    let n_ok = runs.iter().filter(|run| run.is_ok()).count();
    let tone = if n_ok == runs.len() { Tone::Good } else { Tone::Bad };
    page.field("Runs", Field::toned(format!("{n_ok} of {} ok", runs.len()), tone));
    let scores = || runs.iter().map(|run| &run.score);
    let mut table =
        Rows::new(&["OVER ALL RUNS", "LEAST", "MEAN", "MOST", "MEAN OF ALL SEEDS, 95 %"]);
    let mut with_band = |name: &str, [least, mean, most]: [Field; 3], band: Option<String>| {
        table.row([name.into(), least, mean, most, band.unwrap_or_default().into()]);
    };
    with_band(
        "bill",
        money(scores().map(|s| s.bill.total)),
        bands.map(|bands| bands.bill_usd.text(usd_of)),
    );
    with_band(
        "mean wait",
        time(scores().map(|s| s.wait.mean)),
        bands.map(|bands| bands.wait_mean_s.text(span_of)),
    );
    with_band(
        "makespan",
        time(scores().map(|s| s.makespan)),
        bands.map(|bands| bands.makespan_s.text(span_of)),
    );
    let mut row = |name: &str, amounts: [Field; 3]| with_band(name, amounts, None);
    row("of it work", money(scores().map(|s| s.bill.work)));
    row("of it idle", money(scores().map(|s| s.bill.idle)));
    row("of it boot", money(scores().map(|s| s.bill.boot)));
    row("one On-Demand VM per job", money(scores().map(|s| s.on_demand_one_vm_per_job)));
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
            runs => many_runs(page, runs, self.bands.as_ref()),
        }
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.runs.iter().try_for_each(|run| lines.item(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_is_that_of_students_t() {
        // Mean 5, sum of squares 16, four values, three degrees of freedom.
        let even = Band::of(&[3.0, 7.0, 3.0, 7.0]).unwrap();
        let error = 3.182 * (16.0_f64 / 3.0 / 4.0).sqrt();
        assert!((even.mean - 5.0).abs() < 1e-9, "{even:?}");
        assert!((even.high - 5.0 - error).abs() < 1e-9, "{even:?}");
        assert!((5.0 - even.low - error).abs() < 1e-9, "{even:?}");
        assert_eq!(Band::of(&[3.0]), None);
        let equal = vec![4.0; 50];
        assert!(Band::of(&equal).is_some_and(|band| (band.high - 4.0).abs() < 1e-9));
    }
}
