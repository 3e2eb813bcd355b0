//! From what was read to what is shown. The planner is asked where prices are known; nothing is bought.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::host::HostStatus;
use spillway_core::job::JobStatus;
use spillway_core::{
    Catalog, Host, HostId, HostState, Job, LedgerState, Market, MicroUsd, MicroUsdPerHour,
    Pausable, QueueName, cost,
};
use spillway_engine::Engine;

use super::reading::Reading;
use super::{bound, events, reasons};
use crate::config::Config;
use crate::prices::PricesView;
use crate::views::budget::BudgetRow;
use crate::views::burst::BurstView;
use crate::views::job::StatusCount;
use crate::views::top::{FleetRow, HostUseRow, Money, Packing, QueueRow, TopView};

/// All that is shown.
pub(super) fn view(
    reading: Reading,
    config: &Config,
    prices: Result<&(Catalog, PricesView), &str>,
) -> TopView {
    let now = reading.now;
    let used = used(&reading.state);
    let open: Vec<&Host> =
        reading.hosts.iter().filter(|host| host.status() != HostStatus::Gone).collect();
    let mut hosts: Vec<HostUseRow> = open.iter().map(|host| host_row(host, &used)).collect();
    hosts.sort_by(|a, b| {
        let key = |row: &HostUseRow| (row.instance_type.clone(), row.zone.clone(), row.market);
        (key(a), &a.instance_id, a.id).cmp(&(key(b), &b.instance_id, b.id))
    });
    let mut packing = Packing::default();
    for host in &hosts {
        packing.add(&host.packing);
    }
    let spent = reading.hosts.iter().map(|host| spent_since(host, reading.midnight, now)).sum();
    let queues = queues(&reading, config);
    let jobs = by_status(reading.counts.iter().map(|((_, status), n)| (*status, *n)));
    let events = events::events(&reading);
    let price: MicroUsdPerHour = open.iter().map(|host| host.price).sum();
    let today_since = reading.midnight;
    let busy: Vec<Job> = reading
        .state
        .jobs
        .iter()
        .filter(|job| job.state.live_attempt().is_some())
        .cloned()
        .collect();
    let n_pending = count_of(&jobs, JobStatus::Pending);
    let n_submitted = count_of(&jobs, JobStatus::Submitted);
    let mut engine = Engine::new(config.engine(), reading.state, now);
    if let Ok((catalog, _)) = prices {
        engine = engine.with_prices(catalog.clone(), now);
    }
    let (waiting, planned) =
        reasons::reasons(&engine, now, prices.is_ok(), (n_submitted, n_pending));
    let proven = prices.ok().zip(planned).map(|((_, source), planned)| {
        bound::proven(
            &busy,
            &planned,
            Arc::clone(engine.catalog()),
            &engine.plan_policy(),
            source,
            now,
        )
    });
    TopView {
        as_of: now,
        ledger: config.ledger.to_string(),
        jobs,
        queues,
        waiting,
        fleet: fleet(&hosts),
        hosts,
        packing,
        money: Money {
            price_usd_per_hour: price,
            proven,
            why_not_proven: prices.err().map(str::to_owned),
            spent_today_usd: spent,
            today_since,
        },
        burst: BurstView::of(&engine, config, None).filter(|burst| !burst.is_none()),
        budgets: engine.budget_standings(now).iter().map(BudgetRow::from).collect(),
        events,
    }
}

fn count_of(counts: &[StatusCount], status: JobStatus) -> u64 {
    counts.iter().find(|count| count.status == status).map_or(0, |count| count.count)
}

fn by_status(counts: impl Iterator<Item = (JobStatus, u64)>) -> Vec<StatusCount> {
    let mut sums: BTreeMap<JobStatus, u64> = BTreeMap::new();
    for (status, n) in counts {
        *sums.entry(status).or_default() += n;
    }
    let count = |status| StatusCount { status, count: sums.get(&status).copied().unwrap_or(0) };
    JobStatus::ALL.into_iter().map(count).collect()
}

/// Those of the configuration in its order, then whatever else has jobs in the ledger.
fn queues(reading: &Reading, config: &Config) -> Vec<QueueRow> {
    let mut names: Vec<QueueName> = config.engine().queues;
    for (queue, _) in reading.counts.keys() {
        if !names.contains(queue) {
            names.push(queue.clone());
        }
    }
    let row = |queue: QueueName| {
        let of_queue = reading.counts.iter().filter(|((of, _), _)| *of == queue);
        let gate = reading.state.gates.get(&Pausable::Queue(queue.clone()));
        QueueRow {
            jobs: by_status(of_queue.map(|((_, status), n)| (*status, *n))),
            paused: gate.is_some_and(|gate| gate.is_paused),
            queue: queue.to_string(),
        }
    };
    names.into_iter().map(row).collect()
}

/// What attempts hold of each host, and how many they are.
fn used(state: &LedgerState) -> BTreeMap<HostId, (u64, Packing)> {
    let mut used: BTreeMap<HostId, (u64, Packing)> = BTreeMap::new();
    for job in &state.jobs {
        let Some(live) = job.state.live_attempt() else { continue };
        // Of a task that children share, the one that leads it holds all.
        let need = job.held();
        let (n_jobs, packing) = used.entry(live.host).or_default();
        *n_jobs += 1;
        packing.vcpus_used += need.cpu.as_vcpus_f64();
        packing.memory_used_mib += u64::from(need.memory.get());
    }
    used
}

fn host_row(host: &Host, used: &BTreeMap<HostId, (u64, Packing)>) -> HostUseRow {
    let (jobs, mut packing) = used.get(&host.id).copied().unwrap_or_default();
    // What is not registered can hold nothing yet.
    if host.registered_at.is_some() {
        packing.vcpus = host.capacity.cpu.as_vcpus_f64();
        packing.memory_mib = host.capacity.memory.get().into();
    }
    HostUseRow {
        id: host.id,
        instance_id: host.instance().map(|instance| instance.id.to_string()),
        instance_type: host.pool.instance_type.clone(),
        zone: host.pool.zone.to_string(),
        market: host.pool.market,
        status: host.status(),
        jobs,
        packing,
        price_usd_per_hour: host.price,
    }
}

fn fleet(hosts: &[HostUseRow]) -> Vec<FleetRow> {
    let mut rows: BTreeMap<(&str, &str, Market), FleetRow> = BTreeMap::new();
    for host in hosts {
        let key = (host.instance_type.as_str(), host.zone.as_str(), host.market);
        let row = rows.entry(key).or_insert_with(|| FleetRow {
            instance_type: host.instance_type.clone(),
            zone: host.zone.clone(),
            market: host.market,
            hosts: 0,
            booting: 0,
            leaving: 0,
            packing: Packing::default(),
            price_usd_per_hour: MicroUsdPerHour::ZERO,
        });
        row.hosts += 1;
        match host.status {
            HostStatus::Requested | HostStatus::Launched => row.booting += 1,
            HostStatus::Draining | HostStatus::Terminating | HostStatus::Lost => row.leaving += 1,
            HostStatus::Registered | HostStatus::Gone => {}
        }
        row.packing.add(&host.packing);
        row.price_usd_per_hour =
            [row.price_usd_per_hour, host.price_usd_per_hour].into_iter().sum();
    }
    rows.into_values().collect()
}

/// What a host has cost from `since` to `now`.
fn spent_since(host: &Host, since: Timestamp, now: Timestamp) -> MicroUsd {
    let total = host.bill(now);
    let Some(launched_at) = host.instance().map(|instance| instance.launched_at) else {
        return MicroUsd::ZERO;
    };
    if matches!(host.state, HostState::Gone { at, .. } if at < since) {
        return MicroUsd::ZERO;
    }
    if since <= launched_at {
        return total;
    }
    total.saturating_sub(cost::bill(host.price, launched_at, since))
}
