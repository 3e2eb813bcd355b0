//! Checks of what is bought: pools, contents, limits, the bound.

use std::collections::BTreeSet;

use spillway_core::plan::{LimitKind, PlannedLaunch};
use spillway_core::{
    CpuUnits, HostTraits, Market, MicroUsdPerHour, MixRule, Offering, PlanInput, PlanPolicy,
    Planned, Quota,
};

use super::{Load, Violation};

pub(super) fn check(
    input: &PlanInput,
    policy: &PlanPolicy,
    planned: &Planned,
    violations: &mut Vec<Violation>,
) {
    for (ord, launch) in planned.plan.all_launches().enumerate() {
        if launch.count == 0 || launch.contents.is_empty() || launch.choices.is_empty() {
            violations.push(Violation::EmptyLaunch { launch: ord });
        }
        contents(ord, launch, input, violations);
        choices(ord, launch, policy, violations);
        pools(ord, launch, input, policy, violations);
    }
    limits(input, planned, violations);
    let price = planned.plan.price();
    if price < planned.report.bound {
        violations.push(Violation::BoundAbovePrice { bound: planned.report.bound, price });
    }
}

fn contents(
    ord: usize,
    launch: &PlannedLaunch,
    input: &PlanInput,
    violations: &mut Vec<Violation>,
) {
    let mut seen = BTreeSet::new();
    let pools = launch.choices.iter().filter_map(|choice| input.catalog.get(&choice.pool));
    let traits = |o: &Offering| HostTraits { arch: launch.arch, ..o.traits() };
    let hosts: Vec<HostTraits> = pools.map(traits).collect();
    for (key, count) in &launch.contents {
        if *count == 0 || !seen.insert(*key) {
            violations.push(Violation::BadContents { launch: ord, key: *key });
        }
        if !hosts.iter().all(|host| key.allows(*host)) {
            violations.push(Violation::LaunchNotAllowed { launch: ord, key: *key });
        }
    }
}

/// The choices as a list: not too many, none twice, cheapest first, none too dear.
fn choices(
    ord: usize,
    launch: &PlannedLaunch,
    policy: &PlanPolicy,
    violations: &mut Vec<Violation>,
) {
    let choices = &launch.choices;
    let distinct: BTreeSet<_> = choices.iter().map(|c| &c.pool).collect();
    let is_too_long = policy.choices_max.clamp(1, 300) < choices.len();
    if is_too_long || distinct.len() < choices.len() {
        violations.push(Violation::BadChoices { launch: ord, n_choices: choices.len() });
    }
    let Some((first, others)) = choices.split_first() else { return };
    let percent = 100 + u128::from(policy.choice_premium_percent);
    let price_max = u128::from(first.price.get()) * percent;
    let mut before = MicroUsdPerHour::ZERO;
    for other in others {
        if price_max < u128::from(other.price.get()) * 100 {
            violations.push(Violation::TooDear { launch: ord, pool: other.pool.clone() });
        }
        if other.price < before {
            violations.push(Violation::ChoicesUnsorted { launch: ord, pool: other.pool.clone() });
        }
        before = other.price;
    }
}

/// Each choice as a pool: on offer now at that price, like the others, and large enough.
fn pools(
    ord: usize,
    launch: &PlannedLaunch,
    input: &PlanInput,
    policy: &PlanPolicy,
    violations: &mut Vec<Violation>,
) {
    let load = Load::of(&launch.contents);
    for (place, choice) in launch.choices.iter().enumerate() {
        let pool = &choice.pool;
        let Some(offering) = input.catalog.get(pool) else {
            violations.push(Violation::UnknownPool { launch: ord, pool: pool.clone() });
            continue;
        };
        if input.cooling.get(pool).is_some_and(|until| input.now < *until) {
            violations.push(Violation::CoolingPool { launch: ord, pool: pool.clone() });
        }
        if offering.arch != launch.arch || Some(pool.market) != launch.market() {
            violations.push(Violation::MixedChoices { launch: ord, pool: pool.clone() });
        }
        if offering.price != choice.price {
            let (pool, price, actual) = (pool.clone(), choice.price, offering.price);
            violations.push(Violation::WrongPrice { launch: ord, pool, price, actual });
        }
        if policy.host_cpu_max.is_some_and(|max| max < offering.capacity.cpu) {
            violations.push(Violation::TooLargeHost { launch: ord, pool: pool.clone() });
        }
        if !load.fits(&offering.capacity) {
            let (pool, capacity) = (pool.clone(), offering.capacity);
            violations.push(Violation::LaunchOverfull {
                launch: ord,
                pool,
                capacity,
                load: load.0,
            });
        }
        if place == 0 && offering.capacity != launch.capacity {
            let (says, has) = (launch.capacity, offering.capacity);
            violations.push(Violation::WrongCapacity { launch: ord, says, has });
        }
    }
}

/// No limit is passed even if every launch is served by its largest and its dearest pool.
fn limits(input: &PlanInput, planned: &Planned, violations: &mut Vec<Violation>) {
    let (mut hosts, mut cpu, mut price): (u128, u128, u128) = (0, 0, 0);
    for launch in planned.plan.all_launches() {
        let count = u128::from(launch.count);
        let offerings = launch.choices.iter().filter_map(|c| input.catalog.get(&c.pool));
        let offerings: Vec<&Offering> = offerings.collect();
        let largest = offerings.iter().map(|o| o.capacity.cpu.get()).max().unwrap_or(0);
        let dearest = offerings.iter().map(|o| o.price.get()).max().unwrap_or(0);
        hosts += count;
        cpu += count * u128::from(largest);
        price += count * u128::from(dearest);
    }
    let headroom = &input.headroom;
    for (quota, left) in headroom.quotas.iter() {
        let most = |launch: &PlannedLaunch| {
            let counted = launch.choices.iter().filter(|c| Quota::of(&c.pool) == Some(quota));
            let offerings = counted.filter_map(|c| input.catalog.get(&c.pool));
            let largest = offerings.map(|o| o.capacity.cpu.get()).max().unwrap_or(0);
            u128::from(largest) * u128::from(launch.count)
        };
        let bought: u128 = planned.plan.all_launches().map(most).sum();
        let headroom = u128::from(left.get());
        if headroom < bought {
            let limit = LimitKind::Quota(quota);
            violations.push(Violation::LimitExceeded { limit, bought, headroom });
        }
    }
    let of_market = |market: Market| {
        let launches = planned.plan.all_launches().filter(|l| l.market() == Some(market));
        let largest = |launch: &PlannedLaunch| {
            let offerings = launch.choices.iter().filter_map(|c| input.catalog.get(&c.pool));
            let largest = offerings.map(|o| o.capacity.cpu.get()).max().unwrap_or(0);
            u128::from(largest) * u128::from(launch.count)
        };
        launches.map(largest).sum::<u128>()
    };
    let cpu_max = |cpu: Option<CpuUnits>| cpu.map(|cpu| u128::from(cpu.get()));
    let limits = [
        (
            LimitKind::Mix(MixRule::SpotMin),
            of_market(Market::OnDemand),
            cpu_max(headroom.on_demand),
        ),
        (LimitKind::Mix(MixRule::SpotMax), of_market(Market::Spot), cpu_max(headroom.spot)),
        (LimitKind::Hosts, hosts, headroom.hosts.map(u128::from)),
        (LimitKind::Vcpus, cpu, headroom.cpu.map(|cpu| u128::from(cpu.get()))),
        (headroom.price_limit(), price, headroom.price.map(|price| u128::from(price.get()))),
    ];
    for (limit, bought, headroom) in limits {
        if let Some(headroom) = headroom
            && headroom < bought
        {
            violations.push(Violation::LimitExceeded { limit, bought, headroom });
        }
    }
}
