//! Why a job stays waiting when a model has done all it could.

use spillway_core::plan::{LimitKind, WaitReason};
use spillway_core::{PlanInput, PlanPolicy, Quota};

use super::draft::{Group, Left, Offer};

/// The reason for jobs that could not be bought for: nothing on offer holds them, all that does is cooling down, or a limit.
pub(super) fn of(
    group: &Group,
    input: &PlanInput,
    policy: &PlanPolicy,
    offers: &[Offer],
    left: &Left,
) -> WaitReason {
    let catalog = &input.catalog;
    if catalog.as_of.is_none() && catalog.offerings().is_empty() {
        return WaitReason::NoCatalog;
    }
    if let Err(no_fit) = spillway_planner::admit(&group.key, catalog, policy) {
        return WaitReason::TooLarge(no_fit);
    }
    if offers.iter().any(|offer| offer.holds(group)) {
        let price = input.headroom.price_limit();
        return WaitReason::LimitReached { limit: binding(group, offers, left, price) };
    }
    let (mut n_pools, mut until) = (0, None);
    for offering in catalog.offerings() {
        let would_do = group.key.allows(offering.traits())
            && group.need.fits(&offering.capacity)
            && policy.host_cpu_max.is_none_or(|max| offering.capacity.cpu <= max);
        let cools_until = input.cooling.get(&offering.pool).filter(|until| input.now < **until);
        if let Some(of_pool) = cools_until.filter(|_| would_do) {
            n_pools += 1;
            until = Some(until.map_or(*of_pool, |soonest| (*of_pool).min(soonest)));
        }
    }
    WaitReason::CoolingDown { n_pools, until: until.unwrap_or(input.now) }
}

fn binding(group: &Group, offers: &[Offer], left: &Left, price: LimitKind) -> LimitKind {
    if left.hosts == 0 {
        return LimitKind::Hosts;
    }
    let has_cpu =
        |o: &&Offer| o.holds(group) && left.cpu.is_none_or(|cpu| o.capacity.cpu.get() <= cpu);
    let full_quota = |o: &Offer| {
        let is_full = |quota: &Quota| left.quotas.get(*quota) < Some(o.capacity.cpu);
        o.quota.filter(is_full)
    };
    let mut binding = LimitKind::Vcpus;
    for offer in offers.iter().filter(has_cpu) {
        match full_quota(offer) {
            None => return price,
            Some(quota) => binding = LimitKind::Quota(quota),
        }
    }
    binding
}
