//! A job's alternatives: what each would cost on new hosts, and which of them a plan takes.

use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;
use spillway_core::{MicroUsd, Planned};

use crate::amount::whole_of;
use crate::explain::Question;
use crate::online::costs_of_ways;
use crate::variants::as_planned;

/// One alternative of equal jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alternative {
    /// What the planner knows of it.
    pub key: DemandKey,
    /// What one job is expected to cost so on hosts bought for its like, boots and interruptions included; none if nothing
    /// that can be bought now holds it.
    pub cost: Option<MicroUsd>,
    /// How many jobs the plan runs so.
    pub n_planned: u32,
}

/// The alternatives of the jobs of a key, the cheapest first; nothing if they have but one.
pub fn alternatives(question: &Question, planned: &Planned, key: &DemandKey) -> Vec<Alternative> {
    let Some(way) = key.way else { return Vec::new() };
    let costs = costs_of_ways(&question.input, &question.policy);
    let demands = as_planned(&question.input.demands, planned);
    let n_planned: BTreeMap<DemandKey, u32> =
        demands.into_iter().map(|demand| (demand.key, demand.count)).collect();
    let waiting = |key: &DemandKey| {
        let of_key = planned.report.waiting.iter().filter(|line| line.key == *key);
        of_key.fold(0_u32, |n, line| n.saturating_add(line.count))
    };
    let costs = costs.get(&way.of).into_iter().flatten();
    let alternative = |(key, cost): &(DemandKey, f64)| Alternative {
        key: *key,
        cost: cost
            .is_finite()
            .then(|| MicroUsd::new(u64::try_from(whole_of(cost.round())).unwrap_or(u64::MAX))),
        n_planned: n_planned.get(key).copied().unwrap_or(0).saturating_sub(waiting(key)),
    };
    costs.map(alternative).collect()
}
