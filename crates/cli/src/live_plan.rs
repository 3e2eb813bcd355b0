//! What the dispatcher would plan now, from what the ledger holds. Buys nothing and writes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::host::HostStatus;
use spillway_core::plan::{Headroom, HostView};
use spillway_core::{
    Catalog, CpuUnits, Demand, DemandKey, Host, HostId, JobState, LedgerState, MicroUsdPerHour,
    PlanInput, Resources,
};
use spillway_engine::Limits;

/// The planner's question for the jobs, hosts and cooldowns of `state`.
pub(crate) fn question(
    state: &LedgerState,
    catalog: Catalog,
    limits: &Limits,
    now: Timestamp,
) -> PlanInput {
    let cooling = state.cooling.iter().filter(|(_, cooldown)| now < cooldown.until);
    PlanInput {
        now,
        demands: demands(state),
        hosts: host_views(state),
        catalog: Arc::new(catalog.with_learned(&state.learned)),
        cooling: cooling.map(|(pool, cooldown)| (pool.clone(), cooldown.until)).collect(),
        headroom: headroom(&state.hosts, limits),
    }
}

fn demands(state: &LedgerState) -> Vec<Demand> {
    let mut counts: BTreeMap<DemandKey, u32> = BTreeMap::new();
    for job in &state.jobs {
        if matches!(job.state, JobState::Runnable { .. }) {
            let count = counts.entry(DemandKey::of(&job.spec)).or_default();
            *count = count.saturating_add(1);
        }
    }
    counts.into_iter().map(|(key, count)| Demand::new(key, count)).collect()
}

fn host_views(state: &LedgerState) -> Vec<HostView> {
    let mut held: BTreeMap<HostId, Resources> = BTreeMap::new();
    for job in &state.jobs {
        if let Some(live) = job.state.live_attempt() {
            let on_host = held.entry(live.host).or_default();
            *on_host = on_host.checked_add(&job.spec.resources).unwrap_or(*on_host);
        }
    }
    let view = |host: &Host| HostView {
        id: host.id,
        arch: host.arch,
        market: host.pool.market,
        price: host.price,
        free: host.capacity.saturating_sub(&held.get(&host.id).copied().unwrap_or_default()),
        busy: Vec::new(),
        reserved: host.reserved.clone(),
        ready: host.status() == HostStatus::Registered,
        ready_in_secs: 0,
    };
    state.hosts.iter().filter(|host| host.takes_work()).map(view).collect()
}

fn headroom(hosts: &[Host], limits: &Limits) -> Headroom {
    let n_hosts = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    let cpu = hosts.iter().fold(0_u32, |sum, host| sum.saturating_add(host.capacity.cpu.get()));
    let price: MicroUsdPerHour = hosts.iter().map(|host| host.price).sum();
    Headroom {
        hosts: limits.hosts_max.map(|max| max.saturating_sub(n_hosts)),
        cpu: limits.cpu_max.map(|max| CpuUnits::new(max.get().saturating_sub(cpu))),
        price: limits
            .price_max
            .map(|max| MicroUsdPerHour::new(max.get().saturating_sub(price.get()))),
    }
}
