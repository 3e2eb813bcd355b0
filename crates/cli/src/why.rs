//! Why a job waits, from what the ledger holds: machines on their way, calls that fail, pools that are dry, limits.

mod ways;

use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::dependency::Outcome;
use spillway_core::error::LedgerError;
use spillway_core::host::{HostState, HostStatus};
use spillway_core::job::JobStatus;
use spillway_core::plan::GangVerdict;
use spillway_core::{
    BreakerKind, CpuUnits, Dependency, HeldBurst, Host, HostId, Job, JobClass, JobState, Launch,
    LaunchState, LedgerState, MicroUsdPerHour, Planner, Quota,
};
use spillway_engine::{Engine, HeldBack};
use spillway_planner::Spillway;

use crate::config::Config;
use crate::ledger::Reader;
use crate::views::array::ArrayView;
use crate::views::time_text;
pub(crate) use ways::{standing_of, ways_out};

/// A host as people look it up: EC2's id if there is one, type, zone and market.
pub(crate) fn host_text(host: &Host) -> String {
    let instance = host.instance().map(|instance| format!("{} ", instance.id)).unwrap_or_default();
    format!("{instance}{} ({})", host.pool, host.status())
}

/// Everything the ledger knows about why `job` is on no host, most telling first; nothing for a job that is.
pub(crate) fn reasons(
    job: &Job,
    state: &LedgerState,
    engine: &Engine,
    config: &Config,
) -> Vec<String> {
    match &job.state {
        JobState::Submitted => {
            vec!["accepted; the dispatcher has not looked at it yet".to_owned()]
        }
        JobState::Pending => pending(job, engine).into_iter().map(|(_, reason)| reason).collect(),
        JobState::Runnable { .. } => reasons_of_runnable(job, state, engine, config),
        JobState::Starting { .. }
        | JobState::Running { .. }
        | JobState::Succeeded { .. }
        | JobState::Failed { .. } => Vec::new(),
    }
}

/// Why a job is PENDING: a word that scripts can go by, and a sentence.
pub(crate) fn pending(job: &Job, engine: &Engine) -> Vec<(&'static str, String)> {
    let mut reasons: Vec<(&'static str, String)> = Vec::new();
    for (Dependency { job: target, kind }, outcome) in engine.waits_for(job.id) {
        reasons.push(match outcome {
            Outcome::Unknown => (
                "job-not-arrived",
                format!("waits for job {target}, whose message has not arrived"),
            ),
            Outcome::Open | Outcome::Succeeded | Outcome::Failed => {
                ("waits-for-job", format!("waits for job {target} {kind}"))
            }
        });
    }
    if job.id.node_index().is_some() {
        let reason = "its own attempt has ended; its job goes on, or is to be tried again";
        reasons.push(("job-goes-on", reason.to_owned()));
    }
    let array = job.spec.array.filter(|_| reasons.is_empty());
    match (array, job.id.index()) {
        (Some(array), Some(_)) if array.sequential => {
            reasons.push(("waits-for-job", "waits for the child before it to succeed".to_owned()));
        }
        (Some(_), None) => {
            reasons.push(("children-to-come", "its children have not all ended".to_owned()));
        }
        (Some(_) | None, _) => {}
    }
    reasons
}

/// Why a multi-node job waits: what keeps it from being planned at all, else what the next plan would make of it: a word
/// that scripts can go by, and a sentence.
pub(crate) fn of_nodes(
    job: &Job,
    n_nodes: u32,
    engine: &Engine,
    now: Timestamp,
) -> (&'static str, String) {
    let held_back = engine.held_back(now);
    if let Some(why) = engine.why_held_back(&held_back, job) {
        return (why.code(), why.to_string());
    }
    let (question, _) = engine.plan_input_for(now, job.id);
    let planned = Spillway::default().plan(&question, &engine.plan_policy());
    let gang = planned.plan.gangs.iter().find(|gang| gang.job == job.id);
    let Some(gang) = gang else {
        return ("tried-again-soon", "it is about to be tried again".to_owned());
    };
    let n_bought: u32 = gang.launches.iter().map(|launch| launch.count).sum();
    match &gang.verdict {
        GangVerdict::Start => {
            ("room", format!("there is room for all {n_nodes} nodes: it starts with the next plan"))
        }
        GangVerdict::Hold { in_secs } => {
            let n_kept = gang.seats.len();
            let text = format!(
                "all {n_nodes} nodes start together: room is kept on {n_kept} hosts and {n_bought} more are \
                 bought; expected in {in_secs} s"
            );
            ("nodes-start-together", text)
        }
        GangVerdict::Wait { reason } => {
            ("no-room-for-all-nodes", format!("no room for all {n_nodes} nodes at once: {reason}"))
        }
        GangVerdict::Paused => {
            let text = format!(
                "room was kept for its {n_nodes} nodes for as long as may be, and did not suffice; others have \
                 their turn"
            );
            ("paused", text)
        }
    }
}

/// What became of an array's children; nothing for a job that is none.
pub(crate) fn array(
    job: &Job,
    engine: &Engine,
    reader: &Reader,
) -> Result<Option<ArrayView>, LedgerError> {
    let Some(spec) = job.spec.array else { return Ok(None) };
    if let Some(index) = job.id.index() {
        return Ok(Some(ArrayView::child(spec, index).coalesced(job.spec.coalesce)));
    }
    let summary: BTreeMap<JobStatus, u32> = match engine.status_summary(job.id) {
        Some(summary) => summary,
        // It has ended, so none of its children waits: what the ledger says is all there is.
        None => reader.child_counts(job.id)?.into_iter().collect(),
    };
    Ok(Some(ArrayView::whole(spec, &summary).coalesced(job.spec.coalesce)))
}

fn reasons_of_runnable(
    job: &Job,
    state: &LedgerState,
    engine: &Engine,
    config: &Config,
) -> Vec<String> {
    let mut reasons: Vec<String> =
        held_back(job, engine).into_iter().map(|why| why.to_string()).collect();
    reasons.extend(notes(job, state, config));
    if reasons.is_empty() {
        reasons.push(format!(
            "nothing in the ledger holds it back; `spillway why {}` says more",
            job.id
        ));
    }
    reasons
}

/// Why a job in line is not even offered a place, if it is not: its queue, its share, or what others hold.
pub(crate) fn held_back(job: &Job, engine: &Engine) -> Option<HeldBack> {
    let held_back = engine.held_back(Timestamp::now());
    engine.why_held_back(&held_back, job).cloned()
}

/// What in the ledger has to do with a job that waits, most telling first.
pub(crate) fn notes(job: &Job, state: &LedgerState, config: &Config) -> Vec<String> {
    let patience = config.engine().patience.of(&job.spec.queue);
    let class = JobClass::waiting(job, patience, job.spec.variant_ords());
    let mut notes: Vec<String> =
        state.hosts.iter().filter_map(|host| booting(host, &class)).collect();
    notes.extend(state.hosts.iter().filter_map(|host| leaving(host, job, state)));
    notes.extend(state.launches.iter().filter_map(failing_call));
    notes.extend(limits(&state.hosts, config));
    notes.extend(state.burst.held.map(|held| {
        let HeldBurst { price, .. } = held;
        let hash = held.hash();
        format!(
            "limits.approve-over: {price} for the fleet awaits approval: spillway approve {hash}"
        )
    }));
    notes.extend(cooling(state));
    let quotas = state.breakers.iter().filter(|(id, _)| id.kind == BreakerKind::Quota);
    notes.extend(
        quotas.map(|(id, breaker)| format!("EC2 has refused to go beyond {id}: {breaker}")),
    );
    notes
}

/// A host with room for it that takes no work any more.
fn leaving(host: &Host, job: &Job, state: &LedgerState) -> Option<String> {
    let cause = match &host.state {
        HostState::Draining { cause, .. } | HostState::Terminating { cause, .. } => {
            cause.to_string()
        }
        HostState::Lost { .. } => "nobody answers for it".to_owned(),
        HostState::Requested
        | HostState::Launched { .. }
        | HostState::Registered { .. }
        | HostState::Gone { .. } => return None,
    };
    let is_on_it =
        |other: &&Job| other.state.live_attempt().is_some_and(|live| live.host == host.id);
    let on_it = state.jobs.iter().filter(is_on_it);
    let free = on_it.fold(host.capacity, |free, job| free.saturating_sub(&job.held()));
    let mut ways = job.spec.variant_ords();
    let would_do = ways.any(|variant| {
        job.spec.allows_variant(variant, host.traits()) && job.need_as(variant).fits(&free)
    });
    would_do.then(|| format!("{} has room for it and takes no work: {cause}", host_text(host)))
}

/// A host as people look it up, by Spillway's id of it.
pub(crate) fn host_name(id: HostId, state: &LedgerState) -> String {
    let found = state.hosts.iter().find(|host| host.id == id);
    found.map_or_else(|| id.to_string(), host_text)
}

fn booting(host: &Host, class: &JobClass) -> Option<String> {
    let kept = host.reserved.iter().find(|(reserved, _)| class.may_be(reserved));
    let n_kept = kept.map(|(_, n)| *n)?;
    let stands = match host.status() {
        HostStatus::Requested => "is being bought",
        HostStatus::Launched => "boots",
        HostStatus::Registered => "is up",
        HostStatus::Draining | HostStatus::Terminating | HostStatus::Lost | HostStatus::Gone => {
            return None;
        }
    };
    Some(format!("{} {stands}; it was bought for {n_kept} such jobs", host_text(host)))
}

fn failing_call(launch: &Launch) -> Option<String> {
    let LaunchState::Open { retry_at, n_failed } = launch.state else { return None };
    if n_failed == 0 {
        return None;
    }
    let pool = launch.choices.first().map_or_else(String::new, |choice| choice.pool.to_string());
    let n_hosts = launch.hosts.len();
    let next = time_text(retry_at);
    Some(format!(
        "the call that buys {n_hosts} hosts in {pool} has failed {n_failed} times; next try {next}"
    ))
}

/// The limits that are used up.
fn limits(hosts: &[Host], config: &Config) -> Vec<String> {
    let limits = config.engine().limits;
    let n_hosts = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    let cpu = hosts.iter().fold(0_u32, |sum, host| sum.saturating_add(host.capacity.cpu.get()));
    let price: MicroUsdPerHour = hosts.iter().map(|host| host.price).sum();
    let mut reasons = Vec::new();
    if limits.hosts_max.is_some_and(|max| max <= n_hosts) {
        reasons.push(format!("limits.max-hosts is used up: {n_hosts} hosts"));
    }
    if limits.cpu_max.is_some_and(|max| max.get() <= cpu) {
        reasons.push(format!("limits.max-vcpus is used up: {} vCPUs", CpuUnits::new(cpu)));
    }
    if limits.price_max.is_some_and(|max| max <= price) {
        reasons.push(format!("limits.max-price-per-hour is used up: {price}"));
    }
    for (quota, max) in limits.quotas.iter() {
        let counted = hosts.iter().filter(|host| Quota::of(&host.pool) == Some(quota));
        let cpu = counted.fold(0_u32, |sum, host| sum.saturating_add(host.capacity.cpu.get()));
        if max.get() <= cpu {
            let used = CpuUnits::new(cpu);
            reasons.push(format!("limits.vcpu-quotas {quota} is used up: {used} vCPUs"));
        }
    }
    reasons
}

fn cooling(state: &LedgerState) -> Option<String> {
    let first = state.cooling.values().map(|cooldown| cooldown.until).min()?;
    let n_pools = state.cooling.len();
    let until = time_text(first);
    Some(format!(
        "{n_pools} pools are left alone after a lack of capacity, the first until {until}"
    ))
}
