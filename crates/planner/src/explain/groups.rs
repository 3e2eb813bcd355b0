//! What became of each group of jobs: the hosts it goes on, what is bought for it, what stays waiting and why, what an
//! hour of one such job is worth, and the cheapest host that holds one.

use std::collections::BTreeMap;

use spillway_core::plan::{DemandKey, PlannedLaunch, WaitReason};
use spillway_core::{Catalog, HostId, MicroUsdPerHour, Offering, PlanInput, Planned, PoolId};

use crate::demand::merged;
use crate::explain::Question;
use crate::explain::prices::Priced;
use crate::prune::is_allowed_size;

/// Jobs of a group on a host there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The host.
    pub host: HostId,
    /// How many.
    pub count: u32,
    /// In how many seconds they can start: 0 on a host that is ready.
    pub ready_in_secs: u32,
}

/// Jobs of a group on new hosts that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bought {
    /// The pool they are bought from first.
    pub pool: PoolId,
    /// What one host costs.
    pub price: MicroUsdPerHour,
    /// How many hosts.
    pub n_hosts: u32,
    /// How many jobs of the group are on each.
    pub n_each: u32,
    /// The dearest pool that would do instead, and what its host costs.
    pub dearest: Option<(PoolId, MicroUsdPerHour)>,
}

/// The cheapest host that holds one job of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cheapest {
    /// Where.
    pub pool: PoolId,
    /// What it costs.
    pub price: MicroUsdPerHour,
    /// How many such jobs it holds at once.
    pub n_fit: u32,
}

/// What became of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The group.
    pub key: DemandKey,
    /// How many jobs there are.
    pub count: u32,
    /// On hosts there are, those that are ready first.
    pub placed: Vec<Placed>,
    /// On new hosts.
    pub bought: Vec<Bought>,
    /// How many stay waiting.
    pub n_waiting: u32,
    /// Why they do; none where they are to go where something ends soon.
    pub reason: Option<WaitReason>,
    /// What an hour of one such job is worth; none where nothing holds one.
    pub worth: Option<MicroUsdPerHour>,
    /// The cheapest host for one of them alone.
    pub cheapest: Option<Cheapest>,
}

/// What became of every group of a question, in the order of their keys.
pub fn groups(question: &Question, planned: &Planned) -> Vec<Group> {
    let question = &question.as_planned(planned);
    let demands = merged(&question.input.demands);
    of_priced(question, planned, &Priced::new(&question.input, &question.policy, &demands))
}

/// The same at prices that are known.
pub(super) fn of_priced(question: &Question, planned: &Planned, priced: &Priced) -> Vec<Group> {
    let mut groups = fates(question, planned);
    let worths = priced.of_groups();
    for (key, group) in &mut groups {
        group.worth = worths.get(key).copied();
        group.cheapest = cheapest(question, key);
    }
    groups.into_values().collect()
}

/// The same without what it costs.
pub(super) fn fates(question: &Question, planned: &Planned) -> BTreeMap<DemandKey, Group> {
    let input = &question.input;
    let mut groups: BTreeMap<DemandKey, Group> = BTreeMap::new();
    for demand in merged(&input.demands) {
        let group = Group {
            key: demand.key,
            count: demand.count,
            placed: Vec::new(),
            bought: Vec::new(),
            n_waiting: demand.count,
            reason: None,
            worth: None,
            cheapest: None,
        };
        groups.insert(demand.key, group);
    }
    add_placements(&mut groups, input, planned);
    for launch in &planned.plan.launches {
        add_launch(&mut groups, launch);
    }
    for waiting in &planned.report.waiting {
        if let Some(group) = groups.get_mut(&waiting.key) {
            group.reason = Some(waiting.reason.clone());
        }
    }
    groups
}

fn add_placements(groups: &mut BTreeMap<DemandKey, Group>, input: &PlanInput, planned: &Planned) {
    let ready_in: BTreeMap<HostId, u32> = input
        .hosts
        .iter()
        .map(|host| (host.id, if host.ready { 0 } else { host.ready_in_secs.max(1) }))
        .collect();
    for placement in &planned.plan.placements {
        let Some(group) = groups.get_mut(&placement.key) else { continue };
        group.placed.push(Placed {
            host: placement.host,
            count: placement.count,
            ready_in_secs: ready_in.get(&placement.host).copied().unwrap_or_default(),
        });
        group.n_waiting = group.n_waiting.saturating_sub(placement.count);
    }
    for group in groups.values_mut() {
        group.placed.sort_by_key(|placed| (placed.ready_in_secs, placed.host));
    }
}

fn add_launch(groups: &mut BTreeMap<DemandKey, Group>, launch: &PlannedLaunch) {
    let Some(first) = launch.choices.first() else { return };
    let others = launch.choices.iter().skip(1);
    let dearest = others.max_by(|a, b| a.price.cmp(&b.price).then(b.pool.cmp(&a.pool)));
    for (key, n_each) in &launch.contents {
        let Some(group) = groups.get_mut(key) else { continue };
        group.bought.push(Bought {
            pool: first.pool.clone(),
            price: first.price,
            n_hosts: launch.count,
            n_each: *n_each,
            dearest: dearest.map(|choice| (choice.pool.clone(), choice.price)),
        });
        group.n_waiting = group.n_waiting.saturating_sub(n_each.saturating_mul(launch.count));
    }
}

/// The cheapest host for one job that may be bought and is not cooling down.
pub(crate) fn cheapest(question: &Question, key: &DemandKey) -> Option<Cheapest> {
    let offering = cheapest_offering(&question.input.catalog, question, key)?;
    Some(Cheapest {
        pool: offering.pool.clone(),
        price: offering.price,
        n_fit: key.need.times_in(&offering.capacity),
    })
}

fn cheapest_offering<'a>(
    catalog: &'a Catalog,
    question: &Question,
    key: &DemandKey,
) -> Option<&'a Offering> {
    let would_do = |offering: &&Offering| {
        key.allows(offering.traits())
            && key.need.fits(&offering.capacity)
            && is_allowed_size(&crate::amount::Amount::of(&offering.capacity), &question.policy)
            && !is_cooling(&question.input, &offering.pool)
    };
    let candidates = catalog.offerings().iter().filter(would_do);
    candidates.min_by(|a, b| a.price.cmp(&b.price).then_with(|| a.pool.cmp(&b.pool)))
}

/// Whether a pool is left alone now.
pub(crate) fn is_cooling(input: &PlanInput, pool: &PoolId) -> bool {
    input.cooling.get(pool).is_some_and(|until| input.now < *until)
}
