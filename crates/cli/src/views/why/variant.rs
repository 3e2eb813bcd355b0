//! The variants of a job that waits: what each would cost, and which is to be run.

use serde::Serialize;
use spillway_core::{MicroUsd, VariantOrd};
use spillway_planner::explain::job::Alternative;

use super::super::plan::frontier::span;
use super::super::usd;

/// One variant.
#[derive(Debug, Serialize)]
pub struct VariantCostView {
    /// Its number: 0 is the job as it is written.
    pub variant: u8,
    /// What it asks for.
    pub needs: String,
    /// How long it is expected to run, in seconds; nothing if nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_s: Option<u32>,
    /// What one job is expected to cost so on hosts bought for its like; nothing if nothing that can be bought now holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// Whether the plan would run this job so.
    pub is_chosen: bool,
    /// Why it is chosen, or is not.
    pub reason: String,
}

/// All of them, the cheapest first.
pub(super) fn of(all: &[Alternative], chosen: VariantOrd) -> Vec<VariantCostView> {
    let cheapest = all.first().and_then(|first| first.cost);
    let view = |alternative: &Alternative| {
        let key = alternative.key;
        let ord = key.way.map(|way| way.ord).unwrap_or_default();
        let is_chosen = ord == chosen;
        VariantCostView {
            variant: ord.get(),
            needs: spillway_core::DemandKey { way: None, ..key }.to_string(),
            expected_s: key.expected_secs,
            cost_usd: alternative.cost.map(usd),
            is_chosen,
            reason: reason(alternative.cost, cheapest, is_chosen).to_owned(),
        }
    };
    all.iter().map(view).collect()
}

fn reason(cost: Option<MicroUsd>, cheapest: Option<MicroUsd>, is_chosen: bool) -> &'static str {
    match (cost, is_chosen) {
        (None, false) => "nothing that can be bought now holds it",
        (None, true) => "nothing that can be bought now holds any of them, this one least of all",
        (Some(_), true) if cost == cheapest => "costs least",
        (Some(_), true) => "there is room for it that costs less, or what costs less is used up",
        (Some(_), false) if cost == cheapest => "would cost least; its hosts or limits are used up",
        (Some(_), false) => "costs more",
    }
}

impl VariantCostView {
    /// For people.
    pub(super) fn text(&self) -> String {
        let Self { variant, needs, reason, .. } = self;
        let expected = self.expected_s.map_or_else(String::new, |secs| format!(", {}", span(secs)));
        let cost = self.cost_usd.map_or_else(String::new, |usd| format!(" ${usd:.4} a job;"));
        let mark = if self.is_chosen { "takes" } else { "not" };
        format!("{mark} {variant} ({needs}{expected}):{cost} {reason}")
    }
}
