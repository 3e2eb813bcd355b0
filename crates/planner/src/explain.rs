//! Why a plan is as it is, in numbers: where each group of jobs went, what became of each offering, what the limits
//! cost, how price falls with patience, and what would start one job now.
//!
//! All of it looks at a question and its plan from outside and may plan again with one thing changed; none of it takes
//! part in planning. Pure as the planner: the same question has the same explanation. Prices of jobs are for telling;
//! what decides is always a plan.

pub mod frontier;
pub mod groups;
pub mod job;
pub mod limits;
pub mod offerings;
mod outcome;
mod prices;

use std::borrow::Cow;
use std::collections::BTreeMap;

use spillway_core::plan::{FilterKind, FilterSet};
use spillway_core::{
    Catalog, CpuUnits, HostId, MicroUsdPerHour, Offering, PlanInput, PlanPolicy, Planned,
    Planner as _, Resources,
};

pub use outcome::{Outcome, n_jobs};

use crate::demand::{Unplaced, merged};
use crate::explain::groups::Group;
use crate::explain::offerings::OfferingReport;
use crate::explain::prices::Priced;
use crate::variants::as_planned;

/// Everything on offer, and what the configuration's lists leave out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offered {
    all: Catalog,
    /// For each offering the lists that leave it out.
    left_out: Vec<FilterSet>,
}

impl Offered {
    /// Everything, with the lists that leave it out.
    pub fn iter(&self) -> impl Iterator<Item = (&Offering, FilterSet)> {
        self.all.offerings().iter().zip(self.left_out.iter().copied())
    }

    /// What might be bought without one of the lists.
    pub fn allowed_without(&self, kind: FilterKind) -> Catalog {
        let Some(as_of) = self.all.as_of else { return Catalog::default() };
        let allowed = self.iter().filter(|(_, set)| set.without(kind).is_empty());
        Catalog::new(as_of, allowed.map(|(offering, _)| offering.clone()).collect())
    }
}

/// A question to the planner, together with what it is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What the planner is asked. Its catalog is what may be bought.
    pub input: PlanInput,
    /// How it plans.
    pub policy: PlanPolicy,
    /// Everything on offer.
    pub offered: Offered,
}

impl Question {
    /// A question whose catalog is taken from `all`; `left_out_by` says which lists leave an offering out. What the
    /// question's own catalog knows of an offering counts.
    pub fn new(
        input: PlanInput,
        policy: PlanPolicy,
        all: &Catalog,
        left_out_by: impl Fn(&Offering) -> FilterSet,
    ) -> Self {
        let known =
            |offering: &Offering| input.catalog.get(&offering.pool).unwrap_or(offering).clone();
        let offerings: Vec<Offering> = all.offerings().iter().map(known).collect();
        let all = all.as_of.map(|as_of| Catalog::new(as_of, offerings)).unwrap_or_default();
        let left_out = all.offerings().iter().map(left_out_by).collect();
        Self { input, policy, offered: Offered { all, left_out } }
    }

    /// What a job meets that a plan leaves waiting: others have taken room on hosts there are, and part of the limits.
    #[must_use]
    pub fn after(&self, planned: &Planned) -> Self {
        let mut after = self.clone();
        let mut taken: BTreeMap<HostId, Resources> = BTreeMap::new();
        for placement in &planned.plan.placements {
            let of_host = taken.entry(placement.host).or_default();
            let load = placement.key.need.checked_mul(placement.count);
            *of_host = load.and_then(|load| of_host.checked_add(&load)).unwrap_or(*of_host);
        }
        for host in &mut after.input.hosts {
            host.free = host.free.saturating_sub(&taken.get(&host.id).copied().unwrap_or_default());
        }
        let headroom = &mut after.input.headroom;
        for launch in &planned.plan.launches {
            let cpu = launch.capacity.cpu.get().saturating_mul(launch.count);
            headroom.hosts = headroom.hosts.map(|left| left.saturating_sub(launch.count));
            headroom.cpu = headroom.cpu.map(|left| CpuUnits::new(left.get().saturating_sub(cpu)));
            if let Some(first) = launch.choices.first() {
                headroom.quotas.take(&first.pool, CpuUnits::new(cpu));
                let of_pool = after.input.fleet.entry(first.pool.clone()).or_default();
                *of_pool = CpuUnits::new(of_pool.get().saturating_add(cpu));
            }
            let price = launch.price().get();
            headroom.price =
                headroom.price.map(|left| MicroUsdPerHour::new(left.get().saturating_sub(price)));
        }
        after
    }

    /// The same with the work as the plan would do it: what may be run in several ways is run in those it chose.
    fn as_planned(&self, planned: &Planned) -> Cow<'_, Self> {
        if self.input.demands.iter().all(|demand| demand.key.way.is_none()) {
            return Cow::Borrowed(self);
        }
        let mut settled = self.clone();
        settled.input.demands = as_planned(&self.input.demands, planned);
        Cow::Owned(settled)
    }

    /// What the dispatcher's planner answers.
    pub fn plan(&self) -> Planned {
        answer(&self.input, &self.policy)
    }
}

/// What became of all groups of jobs and of everything on offer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Every group, in the order of their keys.
    pub groups: Vec<Group>,
    /// Everything on offer, in the order of the pools; nothing where no job needs a new host.
    pub offerings: Vec<OfferingReport>,
}

impl Explanation {
    /// Explains a plan.
    pub fn of(question: &Question, planned: &Planned) -> Self {
        let question = &question.as_planned(planned);
        let all = merged(&question.input.demands);
        let rest = offerings::without_hosts(question, planned);
        let price = |groups: &[Unplaced]| Priced::new(&question.input, &question.policy, groups);
        let of_all = price(&all);
        let groups = groups::of_priced(question, planned, &of_all);
        // Prices take as long as a plan does: where no job goes on a host there is they are the same.
        let of_rest = if rest == all { of_all } else { price(&rest) };
        let offerings = offerings::of_priced(question, planned, &rest, &of_rest);
        Self { groups, offerings }
    }
}

/// What the dispatcher's planner answers when it remembers nothing.
fn answer(input: &PlanInput, policy: &PlanPolicy) -> Planned {
    let mut planner = crate::Spillway::default();
    planner.plan(input, policy)
}
