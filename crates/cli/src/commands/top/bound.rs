//! What the hosts cost per hour, held against what the planner proves: nothing that holds the same jobs is cheaper.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use spillway_core::plan::{Demand, Gangs, Headroom};
use spillway_core::{
    Catalog, DemandKey, Job, JobClass, MixRules, PlanInput, PlanPolicy, Planned, Planner,
};
use spillway_planner::Spillway;

use crate::prices::PricesView;
use crate::views::top::Proven;

/// What is proven of the hosts there are and of those that the next plan buys.
pub(super) fn proven(
    busy: &[Job],
    next: &Planned,
    catalog: Arc<Catalog>,
    policy: &PlanPolicy,
    prices: &PricesView,
    now: Timestamp,
) -> Proven {
    // From nothing, with no limit in the way and everything at once: whatever the fleet is, it holds these jobs.
    let input = PlanInput {
        now,
        demands: demands(busy),
        hosts: Vec::new(),
        catalog,
        cooling: BTreeMap::new(),
        headroom: Headroom::default(),
        fleet: BTreeMap::new(),
        gangs: Gangs::default(),
    };
    let policy = PlanPolicy { mix: MixRules::NONE, task_starts_per_sec: None, ..policy.clone() };
    let planned = Spillway::default().plan(&input, &policy);
    Proven {
        prices: prices.source.clone(),
        bound_usd_per_hour: planned.report.bound,
        next_usd_per_hour: next.plan.price(),
        next_bound_usd_per_hour: next.report.bound,
    }
}

/// What is on hosts, as if it waited.
fn demands(busy: &[Job]) -> Vec<Demand> {
    let mut counts: BTreeMap<DemandKey, u32> = BTreeMap::new();
    for job in busy.iter().filter(|job| !job.rides_along()) {
        for class in JobClass::ways(job, SignedDuration::ZERO, [job.variant()]) {
            let key = DemandKey {
                need: job.held(),
                arch: class.arch,
                gpu_kinds: class.gpu_kinds,
                market: class.market,
                expected_secs: None,
                patience_secs: 0,
                way: None,
            };
            *counts.entry(key).or_default() += 1;
        }
    }
    counts.into_iter().map(|(key, count)| Demand::new(key, count)).collect()
}
