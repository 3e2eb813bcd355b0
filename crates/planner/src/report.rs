//! Why jobs are in no host of the plan, each reason with its numbers.

use spillway_core::PlanInput;
use spillway_core::PlanPolicy;
use spillway_core::plan::{DemandKey, WaitReason};

use crate::admit::admit;
use crate::amount::Amount;
use crate::headroom::Left;
use crate::prune::{Offer, is_allowed_size};

/// Why nothing that can be bought now holds a job of this kind: no catalog, too large, or all that would do cools down.
pub(crate) fn unbuyable(
    key: &DemandKey,
    input: &PlanInput,
    policy: &PlanPolicy,
    is_cooling: &[bool],
) -> WaitReason {
    let catalog = &input.catalog;
    if catalog.as_of.is_none() && catalog.offerings().is_empty() {
        return WaitReason::NoCatalog;
    }
    if let Err(no_fit) = admit(key, catalog, policy) {
        return WaitReason::TooLarge(no_fit);
    }
    let need = Amount::of(&key.need);
    let (mut n_pools, mut until) = (0, None);
    for (offering, is_cooling) in catalog.offerings().iter().zip(is_cooling) {
        let capacity = Amount::of(&offering.capacity);
        let would_do = *is_cooling
            && key.allows(offering.traits())
            && need.fits(&capacity)
            && is_allowed_size(&capacity, policy);
        if would_do {
            n_pools += 1;
            let of_pool = input.cooling.get(&offering.pool).copied();
            until = [until, of_pool].into_iter().flatten().min();
        }
    }
    WaitReason::CoolingDown { n_pools, until: until.unwrap_or(input.now) }
}

/// Why a job that could be bought for was not: the limit that keeps every offering that holds it from being bought.
pub(crate) fn limited(key: &DemandKey, all: &[Offer], left: &Left) -> WaitReason {
    let need = Amount::of(&key.need);
    let classes = crate::demand::ClassSet::of(key);
    let holds = |o: &&Offer| classes.has(o.class) && need.fits(&o.capacity);
    WaitReason::LimitReached { limit: left.binding(all.iter().filter(holds)) }
}
