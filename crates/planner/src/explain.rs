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

use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::plan::{FilterKind, FilterSet};
use spillway_core::{Catalog, Offering, PlanInput, PlanPolicy};

pub use outcome::Outcome;
pub use prices::JobPrices;

/// Everything on offer, and what the configuration's lists leave out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offered {
    all: Catalog,
    /// For each offering the lists that leave it out.
    left_out: Vec<FilterSet>,
}

impl Offered {
    /// All of `all`; `left_out_by` says which lists leave an offering out.
    pub fn new(all: Catalog, left_out_by: impl Fn(&Offering) -> FilterSet) -> Self {
        let left_out = all.offerings().iter().map(left_out_by).collect();
        Self { all, left_out }
    }

    /// Everything, with the lists that leave it out.
    pub fn iter(&self) -> impl Iterator<Item = (&Offering, FilterSet)> {
        self.all.offerings().iter().zip(self.left_out.iter().copied())
    }

    /// What may be bought.
    pub fn allowed(&self) -> Catalog {
        self.catalog(FilterSet::is_empty)
    }

    /// What might be bought without one of the lists.
    pub fn allowed_without(&self, kind: FilterKind) -> Catalog {
        self.catalog(|set| set.without(kind).is_empty())
    }

    fn catalog(&self, is_in: impl Fn(FilterSet) -> bool) -> Catalog {
        let Some(as_of) = self.all.as_of else { return Catalog::default() };
        self.catalog_of(as_of, is_in)
    }

    fn catalog_of(&self, as_of: Timestamp, is_in: impl Fn(FilterSet) -> bool) -> Catalog {
        let kept = self.iter().filter(|(_, set)| is_in(*set));
        Catalog::new(as_of, kept.map(|(offering, _)| offering.clone()).collect())
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
    /// A question whose catalog is what `offered` allows.
    pub fn new(input: PlanInput, policy: PlanPolicy, offered: Offered) -> Self {
        let catalog = Arc::new(offered.allowed());
        Self { input: PlanInput { catalog, ..input }, policy, offered }
    }
}
