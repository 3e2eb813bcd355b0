//! Demands that are the same jobs, each in another way. Who counts jobs counts them once; who cannot choose has it chosen.

use std::borrow::Cow;
use std::collections::BTreeMap;

use spillway_core::plan::{Demand, DemandKey};
use spillway_core::{ChoiceId, PlanInput, PlanPolicy, Planned};

use crate::online::cheapest_ways;

/// Of demands that are the same jobs in several ways, the first way of each: what is counted is counted once.
#[derive(Debug, Clone, Default)]
pub(crate) struct FirstWays(BTreeMap<ChoiceId, DemandKey>);

impl FirstWays {
    pub(crate) fn of(demands: &[Demand]) -> Self {
        let mut first: BTreeMap<ChoiceId, DemandKey> = BTreeMap::new();
        for key in demands.iter().map(|demand| demand.key) {
            let Some(way) = key.way else { continue };
            let known = first.entry(way.of).or_insert(key);
            if known.way.is_some_and(|known| way.ord < known.ord) {
                *known = key;
            }
        }
        Self(first)
    }

    /// The first way of the same jobs.
    pub(crate) fn key(&self, key: &DemandKey) -> DemandKey {
        key.way.and_then(|way| self.0.get(&way.of)).copied().unwrap_or(*key)
    }

    /// Whether it is that.
    pub(crate) fn has(&self, key: &DemandKey) -> bool {
        self.key(key) == *key
    }
}

/// The demands with each job counted once, the first way it may be run: for planners that know of no others.
pub fn first_ways(demands: &[Demand]) -> Vec<Demand> {
    let firsts = FirstWays::of(demands);
    demands.iter().filter(|demand| firsts.has(&demand.key)).copied().collect()
}

/// How many jobs there are.
pub(crate) fn n_jobs(input: &PlanInput) -> u64 {
    let firsts = FirstWays::of(&input.demands);
    let counted = input.demands.iter().filter(|demand| firsts.has(&demand.key));
    counted.fold(0, |n, demand| n.saturating_add(demand.count.into()))
}

fn has_ways(input: &PlanInput) -> bool {
    input.demands.iter().any(|demand| demand.key.way.is_some())
}

/// The same question with all jobs run the way that is expected to cost least on new hosts.
pub(crate) fn settled<'a>(input: &'a PlanInput, policy: &PlanPolicy) -> Cow<'a, PlanInput> {
    if !has_ways(input) {
        return Cow::Borrowed(input);
    }
    let cheapest = cheapest_ways(input, policy);
    let mut settled = input.clone();
    settled.demands.retain(|demand| {
        demand.key.way.is_none_or(|way| cheapest.get(&way.of) == Some(&demand.key))
    });
    Cow::Owned(settled)
}

/// What a plan made of each demand: of jobs that may be run in several ways, so many as it runs or leaves waiting in each.
pub(crate) fn as_planned(demands: &[Demand], planned: &Planned) -> Vec<Demand> {
    let mut counts: BTreeMap<DemandKey, u32> = BTreeMap::new();
    let mut add = |key: DemandKey, n: u32| {
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(n);
    };
    for placement in &planned.plan.placements {
        add(placement.key, placement.count);
    }
    for launch in &planned.plan.launches {
        for (key, n) in &launch.contents {
            add(*key, n.saturating_mul(launch.count));
        }
    }
    for waiting in &planned.report.waiting {
        add(waiting.key, waiting.count);
    }
    let of_plan = |demand: &Demand| {
        let count = match demand.key.way {
            Some(_) => counts.get(&demand.key).copied().unwrap_or(0),
            None => demand.count,
        };
        (0 < count).then_some(Demand { count, ..*demand })
    };
    demands.iter().filter_map(of_plan).collect()
}
