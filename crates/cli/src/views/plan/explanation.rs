//! What became of each group of jobs and of each offering, as people and scripts see it: counts for people, full lists for
//! machines.

use std::collections::BTreeMap;

use serde::Serialize;
use spillway_core::{MicroUsdPerHour, PoolId};
use spillway_planner::explain::Explanation;
use spillway_planner::explain::groups::{Bought, Group};
use spillway_planner::explain::offerings::{OfferingReport, Verdict};

use super::GroupView;
use super::limits::sum_key;
use crate::output::{Field, Page, Rows};
use crate::views::time_text;

/// New hosts that hold jobs of a group.
#[derive(Debug, Serialize)]
pub struct BoughtView {
    /// The pool they are bought from first.
    pub pool: String,
    /// What one costs per hour.
    pub price_usd_per_hour: f64,
    /// How many.
    pub n_hosts: u32,
    /// Jobs of the group on each.
    pub n_jobs_each: u32,
    /// The dearest pool that would do instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dearest_alternative: Option<String>,
}

impl From<&Bought> for BoughtView {
    fn from(bought: &Bought) -> Self {
        let dearest = bought.dearest.as_ref();
        Self {
            pool: bought.pool.to_string(),
            price_usd_per_hour: bought.price.as_usd_f64(),
            n_hosts: bought.n_hosts,
            n_jobs_each: bought.n_each,
            dearest_alternative: dearest.map(|(pool, price)| format!("{pool} at {price}")),
        }
    }
}

/// The cheapest host for one job alone.
#[derive(Debug, Serialize)]
pub struct CheapestView {
    /// Its pool.
    pub pool: String,
    /// What it costs per hour.
    pub price_usd_per_hour: f64,
    /// How many such jobs it holds.
    pub n_fit: u32,
}

/// What became of a group.
#[derive(Debug, Serialize)]
pub struct GroupReportView {
    /// The jobs.
    pub jobs: GroupView,
    /// How many go on hosts there are.
    pub n_placed: u32,
    /// How many hosts those are.
    pub n_hosts: usize,
    /// What is bought for it.
    pub bought: Vec<BoughtView>,
    /// How many stay waiting.
    pub n_waiting: u32,
    /// Why they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What an hour of one job is worth: the least its needs cost on what can be bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worth_usd_per_hour: Option<f64>,
    /// The cheapest host for one of them alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cheapest_alone: Option<CheapestView>,
    #[serde(skip)]
    worth: String,
    #[serde(skip)]
    alone: String,
    #[serde(skip)]
    went: String,
}

impl From<&Group> for GroupReportView {
    fn from(group: &Group) -> Self {
        let cheapest = group.cheapest.as_ref();
        Self {
            jobs: GroupView::new(&group.key, group.count),
            n_placed: group.placed.iter().map(|placed| placed.count).sum(),
            n_hosts: group.placed.len(),
            bought: group.bought.iter().map(Into::into).collect(),
            n_waiting: group.n_waiting,
            reason: group.reason.as_ref().map(ToString::to_string),
            worth_usd_per_hour: group.worth.map(MicroUsdPerHour::as_usd_f64),
            cheapest_alone: cheapest.map(|cheapest| CheapestView {
                pool: cheapest.pool.to_string(),
                price_usd_per_hour: cheapest.price.as_usd_f64(),
                n_fit: cheapest.n_fit,
            }),
            worth: group.worth.map(|worth| worth.to_string()).unwrap_or_default(),
            alone: cheapest.map(|c| format!("{} {}", c.pool, c.price)).unwrap_or_default(),
            went: went(group),
        }
    }
}

/// Names so many kinds of host that a cell stays readable.
const NAMED_MAX: usize = 3;

fn went(group: &Group) -> String {
    let mut parts = Vec::new();
    let (n_now, n_later) = group.placed.iter().fold((0_u32, 0_u32), |(now, later), placed| {
        if placed.ready_in_secs == 0 {
            (now.saturating_add(placed.count), later)
        } else {
            (now, later.saturating_add(placed.count))
        }
    });
    if 0 < n_now {
        parts.push(format!("{n_now} start on hosts there are"));
    }
    if 0 < n_later {
        parts.push(format!("{n_later} have room on hosts that boot"));
    }
    let mut by_pool: BTreeMap<&PoolId, (u32, u32)> = BTreeMap::new();
    for bought in &group.bought {
        let (n_hosts, n_jobs) = by_pool.entry(&bought.pool).or_default();
        *n_hosts = n_hosts.saturating_add(bought.n_hosts);
        *n_jobs = n_jobs.saturating_add(bought.n_hosts.saturating_mul(bought.n_each));
    }
    let mut pools: Vec<(&PoolId, (u32, u32))> = by_pool.into_iter().collect();
    pools.sort_by_key(|(pool, (_, n_jobs))| (std::cmp::Reverse(*n_jobs), *pool));
    for (pool, (n_hosts, n_jobs)) in pools.iter().take(NAMED_MAX) {
        parts.push(format!("{n_jobs} on {n_hosts} new {pool}"));
    }
    if NAMED_MAX < pools.len() {
        parts.push(format!("others on {} more pools", pools.len() - NAMED_MAX));
    }
    if 0 < group.n_waiting {
        let why = group.reason.as_ref().map_or_else(
            || "for room that will come free".to_owned(),
            |reason| format!("because {reason}"),
        );
        parts.push(format!("{} wait {why}", group.n_waiting));
    }
    parts.join("; ")
}

/// What became of an offering.
#[derive(Debug, Serialize)]
pub struct OfferingReportView {
    /// Type, zone and market.
    pub pool: String,
    /// What it costs per hour.
    pub price_usd_per_hour: f64,
    /// `taken`, `alternative`, or why not.
    pub verdict: &'static str,
    /// The number that belongs to it: hosts taken, what it lacks, what it is worth, what stands in for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How much dearer it is than what it could hold is worth, as a part of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub premium: Option<f64>,
}

impl From<&OfferingReport> for OfferingReportView {
    fn from(report: &OfferingReport) -> Self {
        let (verdict, detail) = match &report.verdict {
            Verdict::Taken { n_hosts } => ("taken", Some(format!("{n_hosts} hosts"))),
            Verdict::Alternative => ("alternative", None),
            Verdict::LeftOut(kind) => ("left-out", Some(kind.to_string())),
            Verdict::OverHostSize => ("over-host-size", None),
            Verdict::Cooling { until } => ("cooling", Some(format!("until {}", time_text(*until)))),
            Verdict::NotAllowed => ("not-allowed", None),
            Verdict::TooSmall(dimension) => ("too-small", Some(dimension.to_string())),
            Verdict::OverLimit(kind) => ("over-limit", Some(sum_key(*kind))),
            Verdict::Dominated { by } => ("dominated", Some(format!("by {by}"))),
            Verdict::TooDear { worth } => ("too-dear", Some(format!("worth {worth}"))),
            Verdict::AsGood => ("as-good", None),
        };
        Self {
            pool: report.pool.to_string(),
            price_usd_per_hour: report.price.as_usd_f64(),
            verdict,
            detail,
            premium: report.premium(),
        }
    }
}

/// Why the plan is as it is.
#[derive(Debug, Serialize)]
pub struct ExplanationView {
    /// What became of each group.
    pub groups: Vec<GroupReportView>,
    /// What became of each offering; nothing where no job needs a new host.
    pub offerings: Vec<OfferingReportView>,
    #[serde(skip)]
    summary: Vec<(u32, String)>,
    #[serde(skip)]
    runner_up: Option<String>,
}

impl ExplanationView {
    /// The view of what was found.
    pub fn new(explanation: &Explanation) -> Self {
        let Explanation { groups, offerings } = explanation;
        Self {
            groups: groups.iter().map(Into::into).collect(),
            offerings: offerings.iter().map(Into::into).collect(),
            summary: summary(offerings),
            runner_up: runner_up(offerings),
        }
    }

    pub(super) fn show(&self, page: &mut Page) {
        let mut table = Rows::new(&["JOBS", "EACH NEEDS", "WHERE THEY GO", "JOB-HOUR", "ALONE"]);
        for group in &self.groups {
            table.row([
                group.jobs.count.to_string().into(),
                group.jobs.text.as_str().into(),
                group.went.as_str().into(),
                group.worth.as_str().into(),
                group.alone.as_str().into(),
            ]);
        }
        page.table(table);
        for (n, text) in &self.summary {
            page.field("Offerings", Field::from(format!("{n} of {} {text}", self.offerings.len())));
        }
        if let Some(text) = &self.runner_up {
            page.field("Runner-up", text.as_str());
        }
    }
}

/// How many offerings there are of each verdict, those that were taken first.
fn summary(offerings: &[OfferingReport]) -> Vec<(u32, String)> {
    let mut counts: BTreeMap<(u8, String), u32> = BTreeMap::new();
    for report in offerings {
        let n = counts.entry(class_text(&report.verdict)).or_default();
        *n = n.saturating_add(1);
    }
    counts.into_iter().map(|((_, text), n)| (n, text)).collect()
}

fn class_text(verdict: &Verdict) -> (u8, String) {
    match verdict {
        Verdict::Taken { .. } => (0, "taken".to_owned()),
        Verdict::Alternative => (1, "would do instead, at nearly the price".to_owned()),
        Verdict::AsGood => (2, "as good as what is taken".to_owned()),
        Verdict::TooDear { .. } => (3, "dearer than what they could hold is worth".to_owned()),
        Verdict::Dominated { .. } => (4, "no better than another that costs no more".to_owned()),
        Verdict::TooSmall(dimension) => (5, format!("too small: {dimension}")),
        Verdict::OverLimit(kind) => (6, format!("too much for {}", sum_key(*kind))),
        Verdict::OverHostSize => (7, "larger than plan.max-host-vcpus".to_owned()),
        Verdict::Cooling { .. } => (8, "cooling down after a lack of capacity".to_owned()),
        Verdict::LeftOut(kind) => (9, format!("left out by {kind}")),
        Verdict::NotAllowed => (10, "of an architecture or market no job may run on".to_owned()),
    }
}

/// The best of those that were not taken.
fn runner_up(offerings: &[OfferingReport]) -> Option<String> {
    let priced = offerings.iter().filter_map(|report| Some((report.premium()?, report)));
    let (premium, best) =
        priced.min_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| x.pool.cmp(&y.pool)))?;
    Some(format!(
        "{} at {}, {:.1} % over what it could hold is worth",
        best.pool,
        best.price,
        100.0 * premium
    ))
}
