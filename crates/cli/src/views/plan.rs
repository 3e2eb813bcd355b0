//! A plan as people and scripts see it: what would be bought, for which work, and the proven bound beside the price.

pub mod explanation;
pub mod frontier;
pub mod limits;

use serde::Serialize;
use spillway_core::{Arch, DemandKey, GpuKinds, Market, MarketRule, MicroUsdPerHour, Planned};

use super::burst::BurstView;
use super::job::ResourcesView;
use crate::output::{Field, Page, Rows, Tone, View};
use crate::prices::PricesView;
use explanation::ExplanationView;
use frontier::FrontierView;
use limits::LimitsView;

/// A group of equal jobs.
#[derive(Debug, Serialize)]
pub struct GroupView {
    /// What each needs.
    pub resources: ResourcesView,
    /// The architecture; none is either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<Arch>,
    /// The kinds of GPU it accepts; none is any.
    #[serde(skip_serializing_if = "GpuKinds::is_any")]
    pub gpu_kinds: GpuKinds,
    /// Where it may run.
    pub market: MarketRule,
    /// How many.
    pub count: u32,
    #[serde(skip)]
    text: String,
}

impl GroupView {
    pub(crate) fn new(key: &DemandKey, count: u32) -> Self {
        Self {
            resources: (&key.need).into(),
            arch: key.arch,
            gpu_kinds: key.gpu_kinds,
            market: key.market,
            count,
            text: key.to_string(),
        }
    }
}

/// Hosts that would be bought.
#[derive(Debug, Serialize)]
pub struct LaunchView {
    /// The type of the first choice.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// The market of all choices.
    pub market: Option<Market>,
    /// How many hosts.
    pub count: u32,
    /// What one costs per hour.
    pub price_usd_per_hour: f64,
    /// Near-equal pools that would do too, cheapest first.
    pub alternatives: Vec<String>,
    /// What goes on each of them.
    pub jobs_per_instance: Vec<GroupView>,
    #[serde(skip)]
    price: MicroUsdPerHour,
}

/// Jobs that stay waiting.
#[derive(Debug, Serialize)]
pub struct WaitingView {
    /// Which.
    pub jobs: GroupView,
    /// Why, with numbers.
    pub reason: String,
}

/// The answer of `plan`.
#[derive(Debug, Serialize)]
pub struct PlanView {
    /// The prices it is for.
    pub prices: PricesView,
    /// How many jobs wait for a place.
    pub n_jobs: u32,
    /// How many of them go on hosts there are.
    pub n_placed: u32,
    /// What would be bought.
    pub launches: Vec<LaunchView>,
    /// What stays waiting.
    pub waiting: Vec<WaitingView>,
    /// What all launches cost per hour.
    pub cost_usd_per_hour: f64,
    /// No set of new hosts that holds the same costs less.
    pub lower_bound_usd_per_hour: f64,
    /// Cost over bound, less one.
    pub gap: f64,
    /// How long it took to plan.
    pub elapsed_ms: f64,
    /// Why the plan is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<ExplanationView>,
    /// What the limits cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsView>,
    /// What patience saves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<FrontierView>,
    /// What awaits approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<BurstView>,
    #[serde(skip)]
    summary: String,
}

/// How far a cost is above its bound, as a part of the bound; 0 where both are nothing.
pub(crate) fn gap(cost: MicroUsdPerHour, bound: MicroUsdPerHour) -> f64 {
    if bound == MicroUsdPerHour::ZERO {
        return 0.0;
    }
    cost.as_usd_f64() / bound.as_usd_f64() - 1.0
}

impl PlanView {
    /// The view of an answer to `n_jobs` jobs.
    pub fn new(planned: &Planned, n_jobs: u32, prices: PricesView, elapsed_ms: f64) -> Self {
        let launch = |launch: &spillway_core::plan::PlannedLaunch| {
            let mut choices = launch.choices.iter();
            let first = choices.next();
            let price = first.map_or(MicroUsdPerHour::ZERO, |choice| choice.price);
            LaunchView {
                instance_type: first.map(|c| c.pool.instance_type.clone()).unwrap_or_default(),
                zone: first.map(|c| c.pool.zone.to_string()).unwrap_or_default(),
                market: launch.market(),
                count: launch.count,
                price_usd_per_hour: price.as_usd_f64(),
                alternatives: choices.map(|c| format!("{} at {}", c.pool, c.price)).collect(),
                jobs_per_instance: launch
                    .contents
                    .iter()
                    .map(|(k, n)| GroupView::new(k, *n))
                    .collect(),
                price,
            }
        };
        let (cost, bound) = (planned.plan.price(), planned.report.bound);
        let gap = gap(cost, bound);
        let n_hosts = planned.plan.n_hosts();
        Self {
            n_jobs,
            n_placed: planned.plan.placements.iter().map(|p| p.count).sum(),
            launches: planned.plan.launches.iter().map(launch).collect(),
            waiting: planned
                .report
                .waiting
                .iter()
                .map(|w| WaitingView {
                    jobs: GroupView::new(&w.key, w.count),
                    reason: w.reason.to_string(),
                })
                .collect(),
            cost_usd_per_hour: cost.as_usd_f64(),
            lower_bound_usd_per_hour: bound.as_usd_f64(),
            gap,
            elapsed_ms,
            summary: format!(
                "{n_hosts} new hosts at {cost}; no set costs less than {bound} (gap {:.2} %)",
                100.0 * gap
            ),
            prices,
            explanation: None,
            limits: None,
            patience: None,
            burst: None,
        }
    }
}

impl View for PlanView {
    fn page(&self, page: &mut Page) {
        let mut table = Rows::new(&["TYPE", "ZONE", "MARKET", "HOSTS", "EACH", "JOBS ON EACH"]);
        for launch in &self.launches {
            let jobs = launch.jobs_per_instance.iter();
            let jobs: Vec<String> =
                jobs.map(|group| format!("{} x ({})", group.count, group.text)).collect();
            table.row([
                launch.instance_type.as_str().into(),
                launch.zone.as_str().into(),
                launch.market.map(|m| m.to_string()).unwrap_or_default().into(),
                launch.count.to_string().into(),
                launch.price.to_string().into(),
                jobs.join("; ").into(),
            ]);
        }
        page.table(table);
        page.field(
            "Jobs",
            format!("{}, {} of them on hosts there are", self.n_jobs, self.n_placed),
        );
        page.field("To buy", self.summary.as_str());
        if let Some(burst) = &self.burst {
            burst.fields(page);
        }
        let as_of = self.prices.as_of.map(|at| format!(", as of {}", super::time_text(at)));
        page.field(
            "Prices",
            format!(
                "{}{}, {} offerings",
                self.prices.source,
                as_of.unwrap_or_default(),
                self.prices.n_offerings
            ),
        );
        for waiting in &self.waiting {
            let text =
                format!("{} x ({}): {}", waiting.jobs.count, waiting.jobs.text, waiting.reason);
            page.field("Waiting", Field::toned(text, Tone::Warning));
        }
        if let Some(explanation) = &self.explanation {
            explanation.show(page);
        }
        if let Some(limits) = &self.limits {
            limits.fields(page);
        }
        if let Some(patience) = &self.patience {
            patience.show(page);
        }
    }
}
