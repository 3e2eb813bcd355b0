//! What `simulate --compare` answers: a table for each scenario.

use serde::Serialize;
use spillway_core::MicroUsd;
use spillway_sim::run::Outcome;
use spillway_sim::{Policy, Score};

use super::Results;
use crate::output::{Field, Lines, Page, Rows, Tone, View};
use crate::views::span_text;

/// One figure over all seeds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Figure {
    mean: f64,
    /// The standard deviation over the seeds; 0 for one.
    deviation: f64,
    least: f64,
    most: f64,
}

impl Figure {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.collect();
        if values.is_empty() {
            return Self::default();
        }
        let n = values.iter().fold(0.0, |n, _| n + 1.0);
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            deviation: if n < 2.0 { 0.0 } else { (squares / (n - 1.0)).sqrt() },
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    }

    /// The mean, and how far seeds differ if they do.
    fn text(&self, show: impl Fn(f64) -> String) -> String {
        if self.deviation == 0.0 {
            show(self.mean)
        } else {
            format!("{} ±{}", show(self.mean), show(self.deviation))
        }
    }
}

/// How one policy did.
#[derive(Debug, Serialize)]
struct PolicyView {
    policy: &'static str,
    about: &'static str,
    /// Whether every run came to rest and broke nothing.
    ok: bool,
    bill_usd: Figure,
    /// The bill over the clairvoyant bound.
    over_bound: Figure,
    wait_mean_s: Figure,
    wait_p95_s: Figure,
    makespan_s: Figure,
    launches: Figure,
    hosts: Figure,
    interruptions: Figure,
    /// The part of the bill for hosts that nothing runs on, or not all of.
    idle_share: Figure,
    /// The part of the bill for boots.
    boot_share: Figure,
}

impl PolicyView {
    fn new(policy: Policy, outcomes: &[Outcome], bounds: &[MicroUsd]) -> Self {
        let figure = |of: &dyn Fn(&Score) -> f64| Figure::of(outcomes.iter().map(|o| of(&o.score)));
        let over = outcomes
            .iter()
            .zip(bounds)
            .map(|(outcome, bound)| ratio(outcome.score.bill.total, *bound));
        Self {
            policy: policy.name(),
            about: policy.about(),
            ok: outcomes.iter().all(|outcome| outcome.converged && outcome.n_violations == 0),
            bill_usd: figure(&|score| score.bill.total.as_usd_f64()),
            over_bound: Figure::of(over),
            wait_mean_s: figure(&|score| score.wait.mean.as_secs_f64()),
            wait_p95_s: figure(&|score| score.wait.p95.as_secs_f64()),
            makespan_s: figure(&|score| score.makespan.as_secs_f64()),
            launches: figure(&|score| whole(score.n_launches)),
            hosts: figure(&|score| whole(score.hosts.iter().map(|hosts| hosts.n).sum())),
            interruptions: figure(&|score| whole(score.n_interruptions)),
            idle_share: figure(&|score| ratio(score.bill.idle, score.bill.total)),
            boot_share: figure(&|score| ratio(score.bill.boot, score.bill.total)),
        }
    }
}

fn ratio(part: MicroUsd, whole: MicroUsd) -> f64 {
    if whole == MicroUsd::ZERO { 0.0 } else { part.as_usd_f64() / whole.as_usd_f64() }
}

/// Counts of a run are far below where a float loses one.
fn whole(n: u64) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}

/// Spillway beside the cheapest of the others.
#[derive(Debug, Serialize)]
struct BesideBest {
    /// The other.
    policy: &'static str,
    /// How much less Spillway is billed, as a part of the other's bill; negative if it is more.
    saving: f64,
    /// Whether jobs wait no longer on average.
    waits_no_longer: bool,
}

/// One scenario under all policies.
#[derive(Debug, Serialize)]
pub(super) struct ScenarioView {
    scenario: String,
    n_jobs: u64,
    seeds: Vec<u64>,
    /// No policy is billed less: it knows all jobs and how long they run.
    bound_usd: Figure,
    policies: Vec<PolicyView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beside_best: Option<BesideBest>,
}

impl ScenarioView {
    pub(super) fn new(scenario: &str, policies: &[Policy], results: &Results) -> Self {
        let of_policy = |(policy, outcomes): (&Policy, &Vec<Outcome>)| {
            PolicyView::new(*policy, outcomes, &results.bounds)
        };
        let policies: Vec<PolicyView> =
            policies.iter().zip(&results.outcomes).map(of_policy).collect();
        let outcomes = results.outcomes.first().and_then(|outcomes| outcomes.first());
        Self {
            scenario: scenario.to_owned(),
            n_jobs: outcomes.map_or(0, |outcome| outcome.score.jobs.total),
            seeds: results.seeds.clone(),
            bound_usd: Figure::of(results.bounds.iter().map(|bound| bound.as_usd_f64())),
            beside_best: beside_best(&policies),
            policies,
        }
    }
}

fn beside_best(policies: &[PolicyView]) -> Option<BesideBest> {
    let is_ours = |view: &&PolicyView| view.policy == Policy::Spillway.name();
    let ours = policies.iter().find(is_ours)?;
    let others = policies.iter().filter(|view| !is_ours(view) && view.ok);
    let best = others.min_by(|a, b| a.bill_usd.mean.total_cmp(&b.bill_usd.mean))?;
    Some(BesideBest {
        policy: best.policy,
        saving: 1.0 - ours.bill_usd.mean / best.bill_usd.mean,
        waits_no_longer: ours.wait_mean_s.mean <= best.wait_mean_s.mean,
    })
}

/// The answer of `simulate --compare`.
#[derive(Debug, Serialize)]
pub(super) struct ComparisonView {
    scenarios: Vec<ScenarioView>,
}

impl ComparisonView {
    pub(super) const fn new(scenarios: Vec<ScenarioView>) -> Self {
        Self { scenarios }
    }
}

fn dollars(value: f64) -> String {
    if value < 10.0 { format!("${value:.3}") } else { format!("${value:.2}") }
}

fn seconds(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.1}s")
    } else {
        span_text(jiff::SignedDuration::from_secs_f64(value))
    }
}

fn percent(value: f64) -> String {
    format!("{:.0} %", 100.0 * value)
}

fn count(value: f64) -> String {
    format!("{value:.0}")
}

impl ScenarioView {
    fn page(&self, page: &mut Page) {
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        page.field("Scenario", self.scenario.as_str());
        page.field("Jobs", self.n_jobs.to_string());
        page.field("Seeds", seeds.join(", "));
        page.field(
            "Least bill",
            format!(
                "{} for one who knows all jobs and how long they run",
                self.bound_usd.text(dollars)
            ),
        );
        if let Some(beside) = &self.beside_best {
            let waits = if beside.waits_no_longer { "no longer" } else { "longer" };
            let tone = if 0.0 < beside.saving && beside.waits_no_longer {
                Tone::Good
            } else {
                Tone::Warning
            };
            let text = format!(
                "{:.1} % under the best of the others ({}), jobs wait {waits}",
                100.0 * beside.saving,
                beside.policy
            );
            page.field("Spillway", Field::toned(text, tone));
        }
        let mut table = Rows::new(&[
            "POLICY",
            "BILL",
            "OVER LEAST",
            "MEAN WAIT",
            "P95 WAIT",
            "MAKESPAN",
            "LAUNCHES",
            "HOSTS",
            "INTERRUPTED",
            "IDLE",
            "BOOT",
        ]);
        for view in &self.policies {
            let name = if view.ok {
                Field::from(view.policy)
            } else {
                Field::toned(format!("{} (broken or late)", view.policy), Tone::Bad)
            };
            table.row([
                name,
                view.bill_usd.text(dollars).into(),
                view.over_bound.text(|value| format!("{value:.2}")).into(),
                view.wait_mean_s.text(seconds).into(),
                view.wait_p95_s.text(seconds).into(),
                view.makespan_s.text(seconds).into(),
                view.launches.text(count).into(),
                view.hosts.text(count).into(),
                view.interruptions.text(count).into(),
                view.idle_share.text(percent).into(),
                view.boot_share.text(percent).into(),
            ]);
        }
        page.table(table);
    }
}

impl View for ComparisonView {
    fn page(&self, page: &mut Page) {
        for scenario in &self.scenarios {
            scenario.page(page);
        }
    }

    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        self.scenarios.iter().try_for_each(|scenario| lines.item(scenario))
    }
}
