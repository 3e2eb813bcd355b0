//! The frontier of start time and bill, as people and scripts see it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Serialize;
use spillway_core::plan::LimitKind;
use spillway_core::{MicroUsd, PlanPolicy};
use spillway_planner::explain::frontier::{Point, Work};

use super::limits::sum_key;
use crate::output::{Field, Page, Rows, Tone};
use crate::views::{span_text, usd};

/// A schedule.
#[derive(Debug, Serialize)]
pub struct PointView {
    /// Every job has started within so many seconds from now, boot included.
    pub all_start_within_s: u32,
    /// When jobs start on average.
    pub mean_start_s: u32,
    /// Every job has ended.
    pub all_end_within_s: u32,
    /// What it is billed in all.
    pub bill_usd: f64,
    /// No schedule that keeps the same times is billed less.
    pub lower_bound_usd: f64,
    /// Hosts bought.
    pub n_hosts: u32,
    /// What they cost per hour while all of them run.
    pub cost_usd_per_hour: f64,
    /// How many of each pool.
    pub pools: BTreeMap<String, u32>,
    /// Limits that leave no room for it.
    pub over_limits: Vec<String>,
    #[serde(skip)]
    over: String,
    #[serde(skip)]
    bill: MicroUsd,
    #[serde(skip)]
    bound: MicroUsd,
    #[serde(skip)]
    price: String,
}

impl From<&Point> for PointView {
    fn from(point: &Point) -> Self {
        let schedule = &point.schedule;
        Self {
            all_start_within_s: schedule.last_start_secs,
            mean_start_s: schedule.mean_start_secs,
            all_end_within_s: schedule.last_end_secs,
            bill_usd: usd(schedule.bill),
            lower_bound_usd: usd(schedule.bound),
            n_hosts: schedule.n_hosts,
            cost_usd_per_hour: schedule.price.as_usd_f64(),
            pools: schedule.pools.iter().map(|(pool, n)| (pool.to_string(), *n)).collect(),
            over_limits: point.over.iter().map(|kind| sum_key(*kind)).collect(),
            over: over_text(&point.over),
            bill: schedule.bill,
            bound: schedule.bound,
            price: schedule.price.to_string(),
        }
    }
}

/// The cheapest schedule by a deadline.
#[derive(Debug, Serialize)]
pub struct DeadlineView {
    /// The deadline, in seconds from now.
    pub deadline_s: u32,
    /// How long jobs have to be let wait beyond the boot of a host for it.
    pub patience_s: u32,
    /// The schedule.
    pub schedule: PointView,
}

/// The frontier, and what a deadline costs.
#[derive(Debug, Serialize)]
pub struct FrontierView {
    /// Jobs that are planned for.
    pub n_jobs: u64,
    /// Jobs of them whose duration nobody knows.
    pub n_unknown_duration: u64,
    /// What those are taken to run.
    pub assumed_s: u32,
    /// Schedules that no other one of them beats in both, the soonest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frontier: Vec<PointView>,
    /// The cheapest schedule by the deadline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DeadlineView>,
}

impl FrontierView {
    /// The view of schedules for some work.
    pub fn new(
        work: &Work,
        policy: &PlanPolicy,
        points: &[Point],
        deadline: Option<(u32, &Point)>,
    ) -> Self {
        let deadline = deadline.map(|(deadline_s, point)| DeadlineView {
            deadline_s,
            patience_s: point.schedule.last_start_secs.saturating_sub(policy.boot_secs),
            schedule: point.into(),
        });
        Self {
            n_jobs: work.n_jobs(),
            n_unknown_duration: work.n_unknown,
            assumed_s: policy.prior_secs,
            frontier: points.iter().map(Into::into).collect(),
            deadline,
        }
    }

    pub(crate) fn show(&self, page: &mut Page) {
        if !self.frontier.is_empty() {
            page.table(table(&self.frontier));
        }
        if let Some(deadline) = &self.deadline {
            let at = &deadline.schedule;
            let over = match at.over.as_str() {
                "" => String::new(),
                over => format!("; {over}"),
            };
            page.field(
                "Deadline",
                format!(
                    "{}: a bill of {}, with {} hosts at {}; `plan.patience` of {} allows it. All have ended after {}; no \
                     schedule is billed less than {}{over}",
                    span(deadline.deadline_s),
                    at.bill,
                    at.n_hosts,
                    at.price,
                    span(deadline.patience_s),
                    span(at.all_end_within_s),
                    at.bound,
                ),
            );
        }
        page.field("Durations", self.durations_text());
    }

    fn durations_text(&self) -> String {
        let unknown = match self.n_unknown_duration {
            0 => String::new(),
            n => format!(
                "; {n} of {} jobs have none and are taken to run {}",
                self.n_jobs,
                span(self.assumed_s)
            ),
        };
        format!("as expected{unknown}. No probability is given: how far they err is not known")
    }
}

/// The longest bar.
const BAR_MAX: u8 = 24;

/// A bar as long as a value is beside the largest; never none.
pub(crate) fn bar(value: f64, most: f64) -> String {
    let is_as_long = |length: &u8| value * f64::from(BAR_MAX) <= most * f64::from(*length);
    let length = (1..BAR_MAX).find(is_as_long).unwrap_or(BAR_MAX);
    "█".repeat(length.into())
}

fn table(points: &[PointView]) -> Rows {
    let head =
        ["ALL START WITHIN", "ON AVERAGE", "ALL END WITHIN", "HOSTS", "PRICE", "BILL", "", ""];
    let mut table = Rows::new(&head);
    let most = points.iter().map(|point| point.bill_usd).fold(0.0, f64::max);
    for point in points {
        table.row([
            span(point.all_start_within_s).into(),
            span(point.mean_start_s).into(),
            span(point.all_end_within_s).into(),
            point.n_hosts.to_string().into(),
            point.price.as_str().into(),
            point.bill.to_string().into(),
            Field::toned(bar(point.bill_usd, most), Tone::Busy),
            Field::toned(point.over.as_str(), Tone::Warning),
        ]);
    }
    table
}

/// `over max-hosts, max-vcpus`.
fn over_text(limits: &[LimitKind]) -> String {
    if limits.is_empty() {
        return String::new();
    }
    let names: Vec<String> = limits.iter().map(ToString::to_string).collect();
    format!("over {}", names.join(", "))
}

/// Seconds for people.
pub(crate) fn span(secs: u32) -> String {
    span_text(SignedDuration::from_secs(secs.into()))
}
