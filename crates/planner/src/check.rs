//! An independent judge of plans: whether a plan keeps every promise, however it was made.
//!
//! Written from the meaning of [`PlanInput`] and [`Planned`] alone; it shares no code with the solver and must never
//! do so. Sums are in 128 bits, so that no plan is large enough to wrap around a check.

mod gangs;
mod launches;
mod mix;
mod violation;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::plan::{DemandKey, HostView, Placement};
use spillway_core::{ChoiceId, HostId, PlanInput, PlanPolicy, Planned, Resources};

pub use violation::{GangFault, Violation};

/// What is wrong with a plan; nothing if it is sound.
pub fn check(input: &PlanInput, policy: &PlanPolicy, planned: &Planned) -> Vec<Violation> {
    let mut violations = Vec::new();
    conservation(input, planned, &mut violations);
    placements(input, planned, &mut violations);
    reservations(input, planned, &mut violations);
    gangs::check(input, planned, &mut violations);
    launches::check(input, policy, planned, &mut violations);
    mix::check(input, policy, planned, &mut violations);
    waiting::check(input, policy, planned, &mut violations);
    violations
}

/// A sum of resources in 128 bits: CPU units, MiB, GPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Load([u128; 3]);

impl Load {
    fn add(&mut self, need: &Resources, count: u32) {
        let each = [need.cpu.get(), need.memory.get(), need.gpus];
        for (sum, each) in self.0.iter_mut().zip(each) {
            *sum += u128::from(each) * u128::from(count);
        }
    }

    fn of(contents: &[(DemandKey, u32)]) -> Self {
        let mut load = Self::default();
        for (key, count) in contents {
            load.add(&key.need, *count);
        }
        load
    }

    fn fits(&self, room: &Resources) -> bool {
        let room = [room.cpu.get(), room.memory.get(), room.gpus];
        self.0.iter().zip(room).all(|(load, room)| *load <= u128::from(room))
    }
}

/// The same jobs, whichever way they are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Jobs {
    /// There is but one.
    One(DemandKey),
    /// All demands with this are they.
    Any(ChoiceId),
}

impl Jobs {
    fn of(key: &DemandKey) -> Self {
        key.way.map_or(Self::One(*key), |way| Self::Any(way.of))
    }
}

/// How many jobs of each group there are, and a key of theirs. A group given twice counts once, with both counts as far as 32
/// bits hold.
fn asked(input: &PlanInput) -> BTreeMap<Jobs, (DemandKey, u32)> {
    let mut of_key: BTreeMap<DemandKey, u32> = BTreeMap::new();
    for demand in &input.demands {
        let count = of_key.entry(demand.key).or_insert(0);
        *count = count.saturating_add(demand.count);
    }
    let mut asked: BTreeMap<Jobs, (DemandKey, u32)> = BTreeMap::new();
    for (key, n) in of_key {
        let (_, count) = asked.entry(Jobs::of(&key)).or_insert((key, n));
        *count = n.min(*count);
    }
    asked
}

/// Every job is on one host, or in one launch, or in the report: as one of its alternatives, if it has several, that was asked for.
fn conservation(input: &PlanInput, planned: &Planned, violations: &mut Vec<Violation>) {
    let asked_keys: BTreeSet<DemandKey> = input.demands.iter().map(|demand| demand.key).collect();
    let jobs = |key: &DemandKey| {
        if asked_keys.contains(key) { Jobs::of(key) } else { Jobs::One(*key) }
    };
    let mut given: BTreeMap<Jobs, (DemandKey, u128)> = BTreeMap::new();
    let mut give = |key: &DemandKey, n: u128| {
        given.entry(jobs(key)).or_insert((*key, 0)).1 += n;
    };
    for placement in &planned.plan.placements {
        give(&placement.key, u128::from(placement.count));
    }
    for launch in &planned.plan.launches {
        for (key, count) in &launch.contents {
            give(key, u128::from(*count) * u128::from(launch.count));
        }
    }
    let mut waiting: BTreeMap<Jobs, (DemandKey, u128)> = BTreeMap::new();
    for line in &planned.report.waiting {
        if waiting.insert(jobs(&line.key), (line.key, u128::from(line.count))).is_some() {
            violations.push(Violation::WaitsTwice { key: line.key });
        }
        if line.count == 0 {
            violations.push(Violation::NobodyWaits { key: line.key });
        }
    }
    let asked = asked(input);
    let all: BTreeSet<Jobs> =
        asked.keys().chain(given.keys()).chain(waiting.keys()).copied().collect();
    for jobs in all {
        let (of_asked, of_given, of_waiting) =
            (asked.get(&jobs), given.get(&jobs), waiting.get(&jobs));
        let keys = [of_asked.map(|(key, _)| *key), of_given.map(|(key, _)| *key)];
        let key = keys.into_iter().flatten().next().or(of_waiting.map(|(key, _)| *key));
        let asked = of_asked.map_or(0, |(_, n)| *n);
        let given = of_given.map_or(0, |(_, n)| *n);
        let waiting = of_waiting.map_or(0, |(_, n)| *n);
        if let (Some(key), true) = (key, given + waiting != u128::from(asked)) {
            violations.push(Violation::NotConserved { key, asked, given, waiting });
        }
    }
}

fn hosts(input: &PlanInput) -> BTreeMap<HostId, &HostView> {
    input.hosts.iter().map(|host| (host.id, host)).collect()
}

fn by_host(placements: &[Placement]) -> BTreeMap<HostId, Vec<&Placement>> {
    let mut by_host: BTreeMap<HostId, Vec<&Placement>> = BTreeMap::new();
    for placement in placements {
        by_host.entry(placement.host).or_default().push(placement);
    }
    by_host
}

/// Hosts we have hold only what they may, and no more than is free.
fn placements(input: &PlanInput, planned: &Planned, violations: &mut Vec<Violation>) {
    let hosts = hosts(input);
    for (id, placements) in by_host(&planned.plan.placements) {
        let Some(host) = hosts.get(&id) else {
            violations.push(Violation::UnknownHost { host: id });
            continue;
        };
        let mut load = Load::default();
        let mut seen = BTreeSet::new();
        for placement in placements {
            if placement.count == 0 || !seen.insert(placement.key) {
                violations.push(Violation::BadPlacement { host: id, key: placement.key });
            }
            if !placement.key.allows(host.traits()) {
                violations.push(Violation::HostNotAllowed { host: id, key: placement.key });
            }
            load.add(&placement.key.need, placement.count);
        }
        // What a multi-node job starts on or keeps is not there for others.
        let kept = gangs::seat_on(planned, id).map_or(Resources::ZERO, |seat| seat.key.need);
        let free = host.free.saturating_sub(&kept);
        if !load.fits(&free) {
            violations.push(Violation::HostOverfull { host: id, free, load: load.0 });
        }
    }
}

/// What a host was bought for goes there before the same kind of job goes anywhere else; but instead of waiting for a
/// host that boots it may start at once on one that is ready.
fn reservations(input: &PlanInput, planned: &Planned, violations: &mut Vec<Violation>) {
    let hosts = hosts(input);
    let by_host = by_host(&planned.plan.placements);
    let placed = |id: HostId, key: &DemandKey| {
        let of_host = by_host.get(&id).into_iter().flatten();
        of_host.filter(|p| p.key == *key).map(|p| u128::from(p.count)).sum::<u128>()
    };
    let reserved = |host: &HostView, key: &DemandKey| {
        let of_key = host.reserved.iter().filter(|(reserved, _)| reserved == key);
        of_key.map(|(_, count)| u128::from(*count)).sum::<u128>()
    };
    let (mut elsewhere, mut at_once) = (BTreeSet::new(), BTreeSet::new());
    elsewhere.extend(planned.report.waiting.iter().map(|w| w.key));
    elsewhere.extend(planned.plan.launches.iter().flat_map(|l| &l.contents).map(|(key, _)| *key));
    for placement in &planned.plan.placements {
        let reserved = hosts.get(&placement.host).map_or(0, |host| reserved(host, &placement.key));
        if reserved < placed(placement.host, &placement.key) {
            let is_ready = hosts.get(&placement.host).is_some_and(|host| host.ready);
            let list = if is_ready { &mut at_once } else { &mut elsewhere };
            list.insert(placement.key);
        }
    }
    for host in hosts.values() {
        // What was reserved may no longer fit, on a host that registered with less; then nothing is promised.
        if !Load::of(&host.reserved).fits(&host.free) {
            continue;
        }
        for (key, _) in &host.reserved {
            let is_short = placed(host.id, key) < reserved(host, key);
            let is_elsewhere = elsewhere.contains(key) || (host.ready && at_once.contains(key));
            if is_short && is_elsewhere && key.allows(host.traits()) {
                violations.push(Violation::ReservationIgnored { host: host.id, key: *key });
            }
        }
    }
}
