//! One job that waits: what everything on offer says to it, when it should start, and the smallest changes that would
//! start it now, each with its price.

mod alternatives;
mod start;
mod ways;

use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::plan::{DemandKey, FilterKind, FilterSet, LimitKind};
use spillway_core::quantity::Dimension;
use spillway_core::{Offering, Quota};

use crate::amount::Amount;
use crate::explain::Question;
use crate::explain::groups::is_cooling;
use crate::prune::is_allowed_size;

pub use alternatives::{Alternative, alternatives};
pub use start::{Start, start, start_as};
pub use ways::{Change, Onto, Way, ways};

/// Why an offering would not do for a job now. In the order in which it is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// The job is not for its architecture.
    Arch,
    /// The job is not for its market.
    Market,
    /// It is too small.
    TooSmall(Dimension),
    /// Its GPUs are of a kind the job does not accept.
    GpuKind,
    /// A list of the configuration leaves it out.
    LeftOut(FilterKind),
    /// It is larger than `plan.max-host-vcpus`.
    OverHostSize,
    /// It is left alone after a lack of capacity.
    Cooling,
    /// A limit leaves no room for one.
    OverLimit(LimitKind),
}

/// What everything on offer says to one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Offerings in all.
    pub n_offerings: u32,
    /// Those that would do now.
    pub n_would_do: u32,
    /// How many are kept from it by what; each counts once.
    pub obstacles: BTreeMap<Obstacle, u32>,
    /// When the first pool that cools down and would do is tried again.
    pub first_retry: Option<Timestamp>,
}

/// Counts over everything on offer.
pub fn counts(question: &Question, key: &DemandKey) -> Counts {
    let mut counts = Counts::default();
    for (offering, left_out) in question.offered.iter() {
        counts.n_offerings = counts.n_offerings.saturating_add(1);
        let Some(obstacle) = obstacle(question, key, offering, left_out) else {
            counts.n_would_do = counts.n_would_do.saturating_add(1);
            continue;
        };
        if obstacle == Obstacle::Cooling {
            let until = question.input.cooling.get(&offering.pool).copied();
            counts.first_retry = [counts.first_retry, until].into_iter().flatten().min();
        }
        let n = counts.obstacles.entry(obstacle).or_default();
        *n = n.saturating_add(1);
    }
    counts
}

/// What keeps a job from an offering now, if anything does.
fn obstacle(
    question: &Question,
    key: &DemandKey,
    offering: &Offering,
    left_out: FilterSet,
) -> Option<Obstacle> {
    if key.arch.is_some_and(|arch| arch != offering.arch) {
        return Some(Obstacle::Arch);
    }
    if !key.market.allows(offering.pool.market) {
        return Some(Obstacle::Market);
    }
    if let Some(dimension) = key.need.exceeds(&offering.capacity) {
        return Some(Obstacle::TooSmall(dimension));
    }
    if !key.gpu_kinds.allows(offering.gpu) {
        return Some(Obstacle::GpuKind);
    }
    if let Some(kind) = left_out.first() {
        return Some(Obstacle::LeftOut(kind));
    }
    if !is_allowed_size(&Amount::of(&offering.capacity), &question.policy) {
        return Some(Obstacle::OverHostSize);
    }
    if is_cooling(&question.input, &offering.pool) {
        return Some(Obstacle::Cooling);
    }
    over_limit(question, offering).map(Obstacle::OverLimit)
}

/// The limit that leaves no room for one more host of an offering.
fn over_limit(question: &Question, offering: &Offering) -> Option<LimitKind> {
    let headroom = question.input.headroom;
    if headroom.hosts == Some(0) {
        return Some(LimitKind::Hosts);
    }
    if headroom.cpu.is_some_and(|left| left < offering.capacity.cpu) {
        return Some(LimitKind::Vcpus);
    }
    let quota = Quota::of(&offering.pool);
    let left = quota.and_then(|quota| headroom.quotas.get(quota));
    if let Some(quota) = quota.filter(|_| left.is_some_and(|left| left < offering.capacity.cpu)) {
        return Some(LimitKind::Quota(quota));
    }
    if headroom.price.is_some_and(|left| left < offering.price) {
        return Some(headroom.price_limit());
    }
    crate::mix::broken(&question.input, &question.policy, offering).map(LimitKind::Mix)
}
