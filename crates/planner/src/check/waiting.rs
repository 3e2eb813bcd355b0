//! Checks of the reasons in the report: that each is true, and that nothing waits for a host that may be bought.

use std::collections::BTreeMap;

use spillway_core::plan::{DemandKey, LimitKind, NoFit, WaitReason};
use spillway_core::quantity::Dimension;
use spillway_core::{Offering, PlanInput, PlanPolicy, Planned, Quota};

use super::mix::Shares;
use super::{Load, Violation};

pub(super) fn check(
    input: &PlanInput,
    policy: &PlanPolicy,
    planned: &Planned,
    violations: &mut Vec<Violation>,
) {
    let spent = Spent::of(input, planned);
    let shares = Shares::after(input, planned);
    for line in &planned.report.waiting {
        let is_true = match &line.reason {
            WaitReason::RoomExpected { in_secs } => {
                *in_secs <= may_wait(input, policy, &line.key)
                    && is_room_possible(input, planned, &line.key)
            }
            WaitReason::StartRate { per_sec } => takes_long_to_start(input, policy, *per_sec),
            WaitReason::NoCatalog => input.catalog.offerings().is_empty(),
            WaitReason::TooLarge(no_fit) => {
                holding(input, policy, &line.key).is_empty()
                    && is_no_fit(input, policy, &line.key, no_fit)
            }
            WaitReason::CoolingDown { n_pools, until } => {
                let holding = holding(input, policy, &line.key);
                let untils: Vec<_> =
                    holding.iter().filter_map(|o| input.cooling.get(&o.pool)).collect();
                holding.iter().all(|o| is_cooling(input, o))
                    && u32::try_from(untils.len()) == Ok(*n_pools)
                    && untils.into_iter().min() == Some(until)
            }
            WaitReason::LimitReached { limit } => {
                let mut holding = holding(input, policy, &line.key);
                holding.retain(|offering| !is_cooling(input, offering));
                let is_unaffordable = |o: &&Offering| {
                    !spent.leaves_room(input, o) || shares.broken_by_one_more(policy, o).is_some()
                };
                let is_limit_set = match limit {
                    LimitKind::Hosts => {
                        input.headroom.hosts.is_some() || spent.hosts == u32::MAX.into()
                    }
                    LimitKind::Vcpus => input.headroom.cpu.is_some(),
                    LimitKind::Price | LimitKind::Approval => {
                        input.headroom.price.is_some() && *limit == input.headroom.price_limit()
                    }
                    LimitKind::Mix(rule) => policy.mix.is_set(*rule),
                    LimitKind::Quota(quota) => {
                        let is_counted = |o: &&Offering| Quota::of(&o.pool) == Some(*quota);
                        input.headroom.quotas.get(*quota).is_some()
                            && holding.iter().any(is_counted)
                    }
                };
                !holding.is_empty() && holding.iter().all(is_unaffordable) && is_limit_set
            }
        };
        if !is_true {
            let (key, reason) = (line.key, line.reason.clone());
            violations.push(Violation::WrongReason { key, reason });
        }
    }
}

/// How long the group's jobs may still be left waiting for room: as long as a new host would take, and as they have
/// patience, less what the first of them has waited already.
fn may_wait(input: &PlanInput, policy: &PlanPolicy, key: &DemandKey) -> u32 {
    let of_key = input.demands.iter().filter(|demand| demand.key == *key);
    let waited = of_key.map(|demand| demand.waited_secs).max().unwrap_or(0);
    policy.boot_secs.saturating_add(key.patience_secs).saturating_sub(waited)
}

/// Who could all be started within so many seconds does not wait for starts.
const SOON_SECS: u64 = 4;

/// Whether all that waits takes long to start.
fn takes_long_to_start(input: &PlanInput, policy: &PlanPolicy, per_sec: u32) -> bool {
    let n_jobs: u64 = super::asked(input).values().map(|(_, count)| u64::from(*count)).sum();
    let n_started = u64::from(per_sec) * SOON_SECS;
    policy.task_starts_per_sec.is_some_and(|max| max.get() == per_sec) && n_started < n_jobs
}

/// Whether a host we have, or one that is bought, could hold one of them once it has less to do.
fn is_room_possible(input: &PlanInput, planned: &Planned, key: &DemandKey) -> bool {
    let load = Load::of(&[(*key, 1)]);
    let on_host = input.hosts.iter().any(|host| {
        let mut all = Load::default();
        all.add(&host.free, 1);
        for busy in &host.busy {
            all.add(&busy.need, busy.count);
        }
        let holds = load.0.iter().zip(all.0).all(|(need, all)| *need <= all);
        holds && key.allows(host.traits())
    });
    let on_launch = planned.plan.all_launches().any(|launch| {
        let first = launch.choices.first().and_then(|choice| input.catalog.get(&choice.pool));
        first.is_some_and(|offering| key.allows(offering.traits())) && load.fits(&launch.capacity)
    });
    on_host || on_launch
}

fn is_cooling(input: &PlanInput, offering: &Offering) -> bool {
    input.cooling.get(&offering.pool).is_some_and(|until| input.now < *until)
}

/// All offerings within the policy that a job may run on, cooling down or not.
fn allowed<'a>(input: &'a PlanInput, policy: &PlanPolicy, key: &DemandKey) -> Vec<&'a Offering> {
    let mut allowed = Vec::new();
    for offering in input.catalog.offerings() {
        let is_small_enough = policy.host_cpu_max.is_none_or(|max| offering.capacity.cpu <= max);
        if is_small_enough && key.allows(offering.traits()) {
            allowed.push(offering);
        }
    }
    allowed
}

/// Those that one job fits on.
fn holding<'a>(input: &'a PlanInput, policy: &PlanPolicy, key: &DemandKey) -> Vec<&'a Offering> {
    let load = Load::of(&[(*key, 1)]);
    let mut holding = allowed(input, policy, key);
    holding.retain(|offering| load.fits(&offering.capacity));
    holding
}

fn is_no_fit(input: &PlanInput, policy: &PlanPolicy, key: &DemandKey, no_fit: &NoFit) -> bool {
    let allowed = allowed(input, policy, key);
    match no_fit {
        NoFit::NoOffering { arch, market, gpu_kinds } => {
            allowed.is_empty()
                && (*arch, *market, *gpu_kinds) == (key.arch, key.market, key.gpu_kinds)
        }
        NoFit::Exceeds { dimension, need, nearest, nearest_has } => {
            let is_named =
                |o: &&Offering| o.pool.instance_type == *nearest && o.capacity == *nearest_has;
            let is_exceeded = match dimension {
                Dimension::Cpu => nearest_has.cpu < need.cpu,
                Dimension::Memory => nearest_has.memory < need.memory,
                Dimension::Gpu => nearest_has.gpus < need.gpus,
            };
            *need == key.need && is_exceeded && allowed.iter().any(is_named)
        }
    }
}

/// What the launches take of the headroom as planned.
struct Spent {
    hosts: u128,
    cpu: u128,
    price: u128,
    of_quota: BTreeMap<Quota, u128>,
}

impl Spent {
    fn of(input: &PlanInput, planned: &Planned) -> Self {
        let mut spent = Self { hosts: 0, cpu: 0, price: 0, of_quota: BTreeMap::new() };
        for launch in planned.plan.all_launches() {
            let count = u128::from(launch.count);
            let first = launch.choices.first().and_then(|c| input.catalog.get(&c.pool));
            spent.hosts += count;
            let cpu = first.map_or(0, |o| u128::from(o.capacity.cpu.get()) * count);
            spent.cpu += cpu;
            if let Some(quota) = first.and_then(|o| Quota::of(&o.pool)) {
                *spent.of_quota.entry(quota).or_default() += cpu;
            }
            spent.price += first.map_or(0, |o| u128::from(o.price.get()) * count);
        }
        spent
    }

    /// Whether one more host of this offering could still be bought.
    fn leaves_room(&self, input: &PlanInput, offering: &Offering) -> bool {
        let headroom = &input.headroom;
        let hosts_max = headroom.hosts.unwrap_or(u32::MAX);
        let cpu = self.cpu + u128::from(offering.capacity.cpu.get());
        let price = self.price + u128::from(offering.price.get());
        let is_in_quota = Quota::of(&offering.pool).is_none_or(|quota| {
            let spent = self.of_quota.get(&quota).copied().unwrap_or(0);
            let cpu = spent + u128::from(offering.capacity.cpu.get());
            headroom.quotas.get(quota).is_none_or(|max| cpu <= u128::from(max.get()))
        });
        is_in_quota
            && self.hosts < u128::from(hosts_max)
            && headroom.cpu.is_none_or(|max| cpu <= u128::from(max.get()))
            && headroom.price.is_none_or(|max| price <= u128::from(max.get()))
    }
}
