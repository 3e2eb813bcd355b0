//! What the limits cost, as people and scripts see it.

use serde::Serialize;
use spillway_core::MicroUsdPerHour;
use spillway_core::plan::LimitKind;
use spillway_planner::explain::Outcome;
use spillway_planner::explain::limits::{Limit, LimitPrice, LimitPrices, Raise};

use crate::output::{Field, Page, Tone};

/// What a plan comes to.
#[derive(Debug, Serialize)]
pub struct OutcomeView {
    /// Jobs that get a place.
    pub n_held: u64,
    /// Jobs that stay waiting.
    pub n_waiting: u64,
    /// New hosts.
    pub n_hosts: u32,
    /// What they cost per hour.
    pub cost_usd_per_hour: f64,
}

impl From<&Outcome> for OutcomeView {
    fn from(outcome: &Outcome) -> Self {
        Self {
            n_held: outcome.n_held,
            n_waiting: outcome.n_waiting,
            n_hosts: outcome.n_hosts,
            cost_usd_per_hour: outcome.price.as_usd_f64(),
        }
    }
}

/// A limit raised by a step.
#[derive(Debug, Serialize)]
pub struct RaisedView {
    /// The step, as `16 vCPU`.
    pub by: String,
    /// The plan then.
    pub plan: OutcomeView,
}

/// What one limit costs.
#[derive(Debug, Serialize)]
pub struct LimitView {
    /// The key of the configuration; `cooling` for pools that are left alone.
    pub limit: String,
    /// Whether it makes a difference.
    pub binds: bool,
    /// What it costs per hour where as many jobs get a place without it; none where more do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs_usd_per_hour: Option<f64>,
    /// The smallest raise of those tried that makes a difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raised: Option<RaisedView>,
    /// The plan without it.
    pub lifted: OutcomeView,
    /// Types that would be bought then and cannot be now.
    pub would_buy: Vec<String>,
    #[serde(skip)]
    text: String,
}

/// What all limits cost.
#[derive(Debug, Serialize)]
pub struct LimitsView {
    /// Each for itself, the others as they are.
    pub limits: Vec<LimitView>,
    /// The plan without any limit on hosts, vCPUs and dollars, where none of them binds alone and they do together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_all_sums: Option<OutcomeView>,
    /// The plan if there were no Spot; none for a plan that buys none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_spot: Option<OutcomeView>,
    #[serde(skip)]
    together_text: Option<String>,
    #[serde(skip)]
    spot_text: Option<String>,
}

impl LimitsView {
    /// The view of what was found.
    pub fn new(prices: &LimitPrices) -> Self {
        let base = &prices.base;
        let limits = prices.limits.iter().map(|limit| LimitView::new(limit, base)).collect();
        let without_spot = prices.without_spot.as_ref();
        Self {
            limits,
            without_all_sums: prices.together.as_ref().map(Into::into),
            together_text: prices.together.as_ref().map(|outcome| {
                format!(
                    "no limit on a sum binds alone; without all of them {}",
                    difference(base, outcome)
                )
            }),
            without_spot: without_spot.map(Into::into),
            spot_text: without_spot.map(|outcome| spot_text(base, outcome)),
        }
    }

    pub(super) fn fields(&self, page: &mut Page) {
        for limit in &self.limits {
            let tone = if limit.binds { Tone::Warning } else { Tone::Plain };
            page.field("Limit", Field::toned(limit.text.as_str(), tone));
        }
        if let Some(text) = &self.together_text {
            page.field("Limit", Field::toned(text.as_str(), Tone::Warning));
        }
        if let Some(text) = &self.spot_text {
            page.field("Spot", text.as_str());
        }
        if self.limits.is_empty() && self.spot_text.is_none() {
            page.field("Limit", "none is set");
        }
    }
}

impl LimitView {
    fn new(price: &LimitPrice, base: &Outcome) -> Self {
        let is_same_work = price.lifted.n_held == base.n_held;
        let saved = base.price.get().saturating_sub(price.lifted.price.get());
        let costs = is_same_work.then_some(MicroUsdPerHour::new(saved).as_usd_f64());
        Self {
            limit: limit_text(price.limit),
            binds: price.binds(base),
            costs_usd_per_hour: costs,
            raised: price.raised.as_ref().map(|(raise, outcome)| RaisedView {
                by: raise_text(*raise),
                plan: outcome.into(),
            }),
            lifted: (&price.lifted).into(),
            would_buy: price.wanted.clone(),
            text: text(price, base),
        }
    }
}

fn limit_text(limit: Limit) -> String {
    match limit {
        Limit::Sum(kind) => format!("limits.{kind}"),
        Limit::HostVcpus => "plan.max-host-vcpus".to_owned(),
        Limit::Filter(kind) => kind.to_string(),
        Limit::Cooling => "cooling".to_owned(),
    }
}

fn raise_text(raise: Raise) -> String {
    match raise {
        Raise::Hosts(1) => "1 host".to_owned(),
        Raise::Hosts(n) => format!("{n} hosts"),
        Raise::Vcpus(cpu) | Raise::Quota(_, cpu) => format!("{cpu} vCPU"),
        Raise::Price(price) => price.to_string(),
    }
}

fn text(price: &LimitPrice, base: &Outcome) -> String {
    let name = match price.limit {
        Limit::Cooling => "leaving dry pools alone".to_owned(),
        limit @ (Limit::Sum(_) | Limit::HostVcpus | Limit::Filter(_)) => limit_text(limit),
    };
    if !price.binds(base) {
        return format!("{name} costs nothing now");
    }
    let mut parts = Vec::new();
    if let Some((raise, outcome)) = &price.raised {
        parts.push(format!("with {} more {}", raise_text(*raise), difference(base, outcome)));
    }
    let is_told = price.raised.as_ref().is_some_and(|(_, raised)| *raised == price.lifted);
    if !is_told {
        parts.push(format!("without it {}", difference(base, &price.lifted)));
    }
    let head = if price.lifted.n_held == base.n_held {
        let saved = base.price.get().saturating_sub(price.lifted.price.get());
        format!("{name} costs {}", MicroUsdPerHour::new(saved))
    } else {
        let n_more = price.lifted.n_held.saturating_sub(base.n_held);
        format!("{name} keeps {n_more} {} waiting", jobs(n_more))
    };
    let wanted = match price.wanted.as_slice() {
        [] => String::new(),
        types => format!("; it would buy {}", first_few(types)),
    };
    format!("{head}: {}{wanted}", parts.join("; "))
}

/// What is better in another plan.
fn difference(base: &Outcome, other: &Outcome) -> String {
    let n_more = other.n_held.saturating_sub(base.n_held);
    let money = more_or_less(base.price, other.price);
    if n_more == 0 {
        return format!("the same jobs cost {money}");
    }
    let each = other.price.get().saturating_sub(base.price.get()) / n_more;
    let each = if 1 < n_more && base.price < other.price {
        format!(" ({} each)", MicroUsdPerHour::new(each))
    } else {
        String::new()
    };
    format!("{n_more} more {} a place, for {money}{each}", get(n_more))
}

const fn jobs(n: u64) -> &'static str {
    if n == 1 { "job" } else { "jobs" }
}

const fn get(n: u64) -> &'static str {
    if n == 1 { "job gets" } else { "jobs get" }
}

/// `$0.12/h more`, `$0.12/h less`, or `no more`.
pub(crate) fn more_or_less(from: MicroUsdPerHour, to: MicroUsdPerHour) -> String {
    let (from, to) = (from.get(), to.get());
    let by = MicroUsdPerHour::new(from.abs_diff(to));
    match to.cmp(&from) {
        std::cmp::Ordering::Less => format!("{by} less"),
        std::cmp::Ordering::Equal => "no more".to_owned(),
        std::cmp::Ordering::Greater => format!("{by} more"),
    }
}

/// Names so many that a line stays a line.
const NAMED_MAX: usize = 4;

fn first_few(names: &[String]) -> String {
    let n_more = names.len().saturating_sub(NAMED_MAX);
    let few: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
    if n_more == 0 { few.join(", ") } else { format!("{} and {n_more} more", few.join(", ")) }
}

fn spot_text(base: &Outcome, without: &Outcome) -> String {
    let is_same_work = without.n_held == base.n_held;
    if is_same_work {
        return format!(
            "saves {}: On-Demand alone costs {}",
            MicroUsdPerHour::new(without.price.get().saturating_sub(base.price.get())),
            without.price
        );
    }
    format!(
        "without it {} jobs instead of {} get a place, for {}",
        without.n_held,
        base.n_held,
        more_or_less(base.price, without.price)
    )
}

/// The name of a limit on a sum, as the configuration has it.
pub(crate) fn sum_key(kind: LimitKind) -> String {
    limit_text(Limit::Sum(kind))
}
