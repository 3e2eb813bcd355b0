//! Checks of multi-node jobs: all nodes or none, each on a host of its own.

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::plan::{DemandKey, GangDemand, GangPlan, GangSeat, GangVerdict, HostView};
use spillway_core::{HostId, PlanInput, Planned};

use super::violation::{GangFault, Violation};
use super::{Load, hosts};

/// The seat that some job has on a host.
pub(super) fn seat_on(planned: &Planned, host: HostId) -> Option<GangSeat> {
    let seats = planned.plan.gangs.iter().flat_map(|gang| &gang.seats);
    seats.copied().find(|seat| seat.host == host)
}

pub(super) fn check(input: &PlanInput, planned: &Planned, violations: &mut Vec<Violation>) {
    let hosts = hosts(input);
    let asked = input.gangs.waiting.iter().map(|gang| gang.job);
    let answered = planned.plan.gangs.iter().map(|gang| gang.job);
    for job in asked.chain(answered).collect::<BTreeSet<_>>() {
        let n_asked = input.gangs.waiting.iter().filter(|gang| gang.job == job).count();
        let n_answered = planned.plan.gangs.iter().filter(|gang| gang.job == job).count();
        if (n_asked, n_answered) != (1, 1) {
            violations.push(Violation::Gang { job, what: GangFault::NotAnswered });
        }
    }
    let mut seated: BTreeSet<HostId> = BTreeSet::new();
    for plan in &planned.plan.gangs {
        let Some(demand) = input.gangs.waiting.iter().find(|gang| gang.job == plan.job) else {
            continue;
        };
        for what in faults(input, &hosts, demand, plan, &mut seated) {
            violations.push(Violation::Gang { job: plan.job, what });
        }
    }
}

fn faults(
    input: &PlanInput,
    hosts: &BTreeMap<HostId, &HostView>,
    demand: &GangDemand,
    plan: &GangPlan,
    seated: &mut BTreeSet<HostId>,
) -> BTreeSet<GangFault> {
    let mut faults = BTreeSet::new();
    let mut places: BTreeMap<DemandKey, u128> = BTreeMap::new();
    let mut has_room = true;
    for seat in &plan.seats {
        *places.entry(seat.key).or_default() += 1;
        if !seated.insert(seat.host) {
            faults.insert(GangFault::Shared);
        }
        let Some(host) = hosts.get(&seat.host).filter(|host| seat.key.allows(host.traits())) else {
            faults.insert(GangFault::BadSeat);
            continue;
        };
        let is_free =
            Load::of(&[(seat.key, 1)]).fits(&host.free) && !input.gangs.hosts.contains(&host.id);
        has_room &= is_free;
        if plan.verdict == GangVerdict::Start && !(host.ready && is_free) {
            faults.insert(GangFault::NoRoom);
        }
    }
    for launch in &plan.launches {
        match launch.contents.as_slice() {
            [(key, 1)] => *places.entry(*key).or_default() += u128::from(launch.count),
            _ => {
                faults.insert(GangFault::BadLaunch);
            }
        }
    }
    let mut asked: BTreeMap<DemandKey, u128> = BTreeMap::new();
    for (key, count) in &demand.nodes {
        *asked.entry(*key).or_default() += u128::from(*count);
    }
    if places.iter().any(|(key, n)| asked.get(key).copied().unwrap_or(0) < *n) {
        faults.insert(GangFault::TooMany);
    }
    let is_whole = asked.iter().all(|(key, n)| places.get(key).copied().unwrap_or(0) == *n);
    match plan.verdict {
        GangVerdict::Start => {
            if !is_whole || !plan.launches.is_empty() {
                faults.insert(GangFault::Partial);
            }
        }
        GangVerdict::Hold { .. } => {
            let is_sure = is_whole && has_room;
            if !plan.launches.is_empty() && !is_sure {
                faults.insert(GangFault::BoughtInParts);
            }
        }
        GangVerdict::Wait { .. } | GangVerdict::Paused => {
            if !places.is_empty() {
                faults.insert(GangFault::Partial);
            }
        }
    }
    let holds = matches!(plan.verdict, GangVerdict::Hold { .. }) || !plan.launches.is_empty();
    let is_said_to_hold_nothing = plan.verdict == GangVerdict::Paused;
    if holds && demand.hold_secs == 0 || is_said_to_hold_nothing && 0 < demand.hold_secs {
        faults.insert(GangFault::NotAllowed);
    }
    faults
}
