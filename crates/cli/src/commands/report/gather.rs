//! From the ledger to the numbers of a report. A million jobs pass by; what is kept does not grow with them but for eight bytes a job of
//! waits, and what their attempts paid.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use spillway_core::host::DrainCause;
use spillway_core::job::JobStatus;
use spillway_core::{Host, HostState, JobFilter, Market, MicroUsd, QueueName};
use spillway_engine::costs::CostKind;

use super::jobs::{HELD_PARTS, JobSums};
use super::series::{Axis, Lasting};
use crate::books::{Books, By, Window};
use crate::ledger::Reader;
use crate::views::cost::name_of;
use crate::views::report::table::Unit;
use crate::views::report::{
    CostPoint, Fact, FleetPoint, InterruptedRow, InterruptionPoint, JobsPoint, KindRow,
    PackingPoint, ReportView, TypeRow,
};
use crate::views::usd;

/// What is asked for.
pub(super) struct Request {
    pub(super) source: String,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) queue: Option<QueueName>,
    pub(super) now: Timestamp,
}

/// Owners are told apart by no more than that.
const BY: [By; 1] = [By::Queue];

/// All numbers.
pub(super) fn view(reader: &Reader, request: &Request) -> Result<ReportView> {
    let axis = axis(reader, request)?;
    let mut jobs = JobSums::new(axis, request.now, request.queue.clone());
    let books = Books::read_with(reader, &BY, request.now, None, |job| jobs.add(job))?;
    let fleet = FleetSums::of(books.hosts(), axis, request.now);
    let costs = CostSums::of(&books, axis, request.queue.as_ref());
    let waits = jobs.waits.bins();
    Ok(ReportView {
        source: request.source.clone(),
        as_of: request.now,
        since: axis.since,
        until: axis.until,
        step_s: axis.step.as_secs(),
        queue: request.queue.as_ref().map(ToString::to_string),
        summary: summary(&mut jobs, &fleet, &costs),
        fleet: fleet.points(axis),
        types: fleet.types(&costs),
        jobs: job_points(axis, &jobs),
        cost: costs.points(axis),
        kinds: costs.kinds(),
        waits,
        packing: packing(axis, &fleet, &jobs),
        interruptions: interruptions(axis, &fleet, &jobs),
        interrupted: fleet.interrupted(&costs),
        failures: jobs.failures(),
    })
}

/// The time that is told of: as asked for, else all that the ledger holds.
fn axis(reader: &Reader, request: &Request) -> Result<Axis> {
    let hosts = reader.hosts(true)?;
    let span = reader.span()?;
    let launched = hosts.iter().filter_map(|host| host.instance().map(|i| i.launched_at));
    let first = launched.chain(span.map(|(first, _)| first)).min();
    let hour_ago = request.now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(request.now);
    let since = request.since.or(first).unwrap_or(hour_ago);
    let until = match request.until {
        Some(until) => until.min(request.now),
        None if is_over(reader, &hosts)? => {
            let gone = hosts.iter().filter_map(|host| gone(host).map(|(at, _)| at));
            // Ends of jobs are known to the second.
            let ended =
                span.and_then(|(_, last)| last.checked_add(SignedDuration::from_secs(1)).ok());
            gone.chain(ended).max().unwrap_or(request.now)
        }
        None => request.now,
    };
    let until = until.max(since.checked_add(SignedDuration::from_secs(1)).unwrap_or(until));
    let axis = Axis::new(since, until);
    Ok(if request.since.is_some() { axis } else { axis.aligned() })
}

/// Whether nothing more comes of itself.
fn is_over(reader: &Reader, hosts: &[Host]) -> Result<bool> {
    let open = JobStatus::ALL.into_iter().filter(|status| !status.is_terminal()).collect();
    let open = reader.jobs(&JobFilter { statuses: open, limit: 1, ..JobFilter::default() })?;
    Ok(open.is_empty() && hosts.iter().all(|host| gone(host).is_some()))
}

const fn gone(host: &Host) -> Option<(Timestamp, DrainCause)> {
    match &host.state {
        HostState::Gone { at, cause, .. } => Some((*at, *cause)),
        HostState::Requested
        | HostState::Launched { .. }
        | HostState::Registered { .. }
        | HostState::Draining { .. }
        | HostState::Terminating { .. }
        | HostState::Lost { .. } => None,
    }
}

/// When EC2 began to take a host back, if it did.
fn taken_back(host: &Host) -> Option<Timestamp> {
    let (at, cause) = match &host.state {
        HostState::Draining { since, cause, .. } | HostState::Terminating { since, cause, .. } => {
            (*since, *cause)
        }
        HostState::Gone { at, cause, .. } => (*at, *cause),
        HostState::Requested
        | HostState::Launched { .. }
        | HostState::Registered { .. }
        | HostState::Lost { .. } => return None,
    };
    (cause == DrainCause::SpotInterruption).then(|| host.drained_at.unwrap_or(at))
}

/// Hosts of one type and market.
struct OfType {
    n_hosts: u64,
    hours: Lasting,
    cpu: Lasting,
}

/// What hosts there were.
struct FleetSums {
    spot: Lasting,
    on_demand: Lasting,
    spot_cpu: Lasting,
    on_demand_cpu: Lasting,
    registered_cpu: Lasting,
    registered_memory: Lasting,
    types: BTreeMap<(String, Market), OfType>,
    /// Spot hosts by type and zone: all, and those that were taken back.
    interrupted: BTreeMap<(String, String), (u64, u64)>,
    taken_back: Vec<u64>,
}

impl FleetSums {
    fn of(hosts: &[Host], axis: Axis, now: Timestamp) -> Self {
        let none = Lasting::new(axis);
        let mut sums = Self {
            spot: none.clone(),
            on_demand: none.clone(),
            spot_cpu: none.clone(),
            on_demand_cpu: none.clone(),
            registered_cpu: none.clone(),
            registered_memory: none,
            types: BTreeMap::new(),
            interrupted: BTreeMap::new(),
            taken_back: vec![0; axis.n_buckets()],
        };
        for host in hosts {
            sums.add(host, axis, now);
        }
        sums
    }

    fn add(&mut self, host: &Host, axis: Axis, now: Timestamp) {
        let Some(from) = host.instance().map(|instance| instance.launched_at) else { return };
        let until = gone(host).map_or(now, |(at, _)| at);
        let cpu = i64::from(host.capacity.cpu.get());
        let (hosts, cpus) = match host.pool.market {
            Market::Spot => (&mut self.spot, &mut self.spot_cpu),
            Market::OnDemand => (&mut self.on_demand, &mut self.on_demand_cpu),
        };
        hosts.add(from, until, 1);
        cpus.add(from, until, cpu);
        if let Some(registered_at) = host.registered_at {
            self.registered_cpu.add(registered_at, until, cpu);
            let memory = host.capacity.memory.get().into();
            self.registered_memory.add(registered_at, until, memory);
        }
        if until <= axis.since || axis.until <= from {
            return;
        }
        let key = (host.pool.instance_type.clone(), host.pool.market);
        let of_type = self.types.entry(key).or_insert_with(|| OfType {
            n_hosts: 0,
            hours: Lasting::new(axis),
            cpu: Lasting::new(axis),
        });
        of_type.n_hosts += 1;
        of_type.hours.add(from, until, 1);
        of_type.cpu.add(from, until, cpu);
        if host.pool.market == Market::Spot {
            let key = (host.pool.instance_type.clone(), host.pool.zone.to_string());
            let (n_hosts, n_taken) = self.interrupted.entry(key).or_default();
            *n_hosts += 1;
            if let Some(bucket) = taken_back(host).and_then(|at| axis.bucket(at)) {
                *n_taken += 1;
                self.taken_back.get_mut(bucket).into_iter().for_each(|n| *n += 1);
            }
        }
    }

    fn points(&self, axis: Axis) -> Vec<FleetPoint> {
        let (spot, on_demand) = (self.spot.means_milli(), self.on_demand.means_milli());
        let (spot_cpu, on_demand_cpu) =
            (self.spot_cpu.means_milli(), self.on_demand_cpu.means_milli());
        let all =
            axis.starts().into_iter().zip(spot).zip(on_demand).zip(spot_cpu).zip(on_demand_cpu);
        all.map(|((((at, spot), on_demand), spot_cpu), on_demand_cpu)| FleetPoint {
            at,
            spot_hosts: hundredths(spot),
            on_demand_hosts: hundredths(on_demand),
            spot_vcpus: vcpus(spot_cpu),
            on_demand_vcpus: vcpus(on_demand_cpu),
        })
        .collect()
    }

    fn types(&self, costs: &CostSums) -> Vec<TypeRow> {
        let row = |((instance_type, market), of_type): (&(String, Market), &OfType)| {
            let cost = costs.of_types.get(&(instance_type.clone(), *market));
            let cost = cost.copied().unwrap_or(MicroUsd::ZERO);
            let row = TypeRow {
                instance_type: instance_type.clone(),
                market: market.to_string(),
                hosts: of_type.n_hosts,
                host_hours: hundredths(of_type.hours.hours_milli()),
                vcpu_hours: vcpus(of_type.cpu.hours_milli()),
                cost_usd: usd(cost),
            };
            (cost, row)
        };
        let mut rows: Vec<(MicroUsd, TypeRow)> = self.types.iter().map(row).collect();
        // The dearest first, those of one cost by name.
        rows.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    fn interrupted(&self, costs: &CostSums) -> Vec<InterruptedRow> {
        let row = |(key, (hosts, interrupted)): (&(String, String), &(u64, u64))| InterruptedRow {
            instance_type: key.0.clone(),
            zone: key.1.clone(),
            hosts: *hosts,
            interrupted: *interrupted,
            lost_usd: usd(costs.lost.get(key).copied().unwrap_or(MicroUsd::ZERO)),
        };
        self.interrupted.iter().map(row).collect()
    }
}

/// What was paid, to the micro-dollar.
struct CostSums {
    /// By bucket, in the order of [`CostKind::ALL`].
    buckets: Vec<[MicroUsd; CostKind::ALL.len()]>,
    kinds: [MicroUsd; CostKind::ALL.len()],
    total: MicroUsd,
    on_demand: MicroUsd,
    /// Of all queues.
    of_types: BTreeMap<(String, Market), MicroUsd>,
    /// Of all queues, on Spot.
    lost: BTreeMap<(String, String), MicroUsd>,
}

impl CostSums {
    fn of(books: &Books<'_>, axis: Axis, queue: Option<&QueueName>) -> Self {
        let mut sums = Self {
            buckets: vec![[MicroUsd::ZERO; CostKind::ALL.len()]; axis.n_buckets()],
            kinds: [MicroUsd::ZERO; CostKind::ALL.len()],
            total: MicroUsd::ZERO,
            on_demand: MicroUsd::ZERO,
            of_types: BTreeMap::new(),
            lost: BTreeMap::new(),
        };
        let mut cuts = axis.starts();
        cuts.push(axis.until);
        let window = Window { since: axis.since, until: axis.until };
        let queue = queue.map(ToString::to_string);
        books.each_piece(window, &cuts, |host, keys, piece| {
            let pool = &host.pool;
            let of_type = sums.of_types.entry((pool.instance_type.clone(), pool.market));
            *of_type.or_insert(MicroUsd::ZERO) += piece.cost;
            if piece.kind == CostKind::Lost && pool.market == Market::Spot {
                let key = (pool.instance_type.clone(), pool.zone.to_string());
                *sums.lost.entry(key).or_insert(MicroUsd::ZERO) += piece.cost;
            }
            let payer = keys.and_then(<[_]>::first).and_then(Option::as_ref);
            if queue.is_some() && payer != queue.as_ref() {
                return;
            }
            sums.total += piece.cost;
            sums.on_demand += piece.on_demand;
            let kind = CostKind::ALL.into_iter().position(|kind| kind == piece.kind);
            let bucket = axis.bucket(piece.from).and_then(|n| sums.buckets.get_mut(n));
            if let (Some(kind), Some(bucket)) = (kind, bucket) {
                bucket.get_mut(kind).into_iter().for_each(|part| *part += piece.cost);
                sums.kinds.get_mut(kind).into_iter().for_each(|part| *part += piece.cost);
            }
        });
        sums
    }

    fn points(&self, axis: Axis) -> Vec<CostPoint> {
        let point = |(at, parts): (Timestamp, &[MicroUsd; CostKind::ALL.len()])| {
            // In the order of `CostKind::ALL`, which the compiler holds to its length.
            let [work, lost, unused, idle, boot, drain] = *parts;
            CostPoint {
                at,
                work_usd: usd(work),
                lost_usd: usd(lost),
                unused_usd: usd(unused),
                idle_usd: usd(idle),
                boot_usd: usd(boot),
                drain_usd: usd(drain),
            }
        };
        axis.starts().into_iter().zip(&self.buckets).map(point).collect()
    }

    fn kinds(&self) -> Vec<KindRow> {
        let row = |(kind, cost): (CostKind, MicroUsd)| KindRow {
            kind: name_of(kind),
            cost_usd: usd(cost),
            percent: percent(cost.get().into(), self.total.get().into()),
        };
        let total = KindRow { kind: "all", cost_usd: usd(self.total), percent: 100.0 };
        CostKind::ALL.into_iter().zip(self.kinds).map(row).chain([total]).collect()
    }
}

fn job_points(axis: Axis, jobs: &JobSums) -> Vec<JobsPoint> {
    let (waiting, starting, running) =
        (jobs.waiting.means_milli(), jobs.starting.means_milli(), jobs.running.means_milli());
    let means = waiting.into_iter().zip(starting).zip(running);
    let counts = jobs.accepted.iter().zip(&jobs.succeeded).zip(&jobs.failed);
    let all = axis.starts().into_iter().zip(means).zip(counts);
    all.map(|((at, ((waiting, starting), running)), ((accepted, succeeded), failed))| JobsPoint {
        at,
        waiting: hundredths(waiting),
        starting: hundredths(starting),
        running: hundredths(running),
        accepted: *accepted,
        succeeded: *succeeded,
        failed: *failed,
    })
    .collect()
}

fn packing(axis: Axis, fleet: &FleetSums, jobs: &JobSums) -> Vec<PackingPoint> {
    let held = |held: &Lasting| held.means_milli().into_iter().map(|milli| milli / HELD_PARTS);
    let cpu = fleet.registered_cpu.means_milli().into_iter().zip(held(&jobs.held_cpu));
    let memory = fleet.registered_memory.means_milli().into_iter().zip(held(&jobs.held_memory));
    let part = |of: i64, held: i64| (0 < of).then(|| percent(held.into(), of.into()));
    let all = axis.starts().into_iter().zip(cpu).zip(memory);
    all.map(|((at, (cpu, held_cpu)), (memory, held_memory))| PackingPoint {
        at,
        vcpus: vcpus(cpu),
        vcpus_held: vcpus(held_cpu),
        vcpu_percent: part(cpu, held_cpu),
        memory_percent: part(memory, held_memory),
    })
    .collect()
}

fn interruptions(axis: Axis, fleet: &FleetSums, jobs: &JobSums) -> Vec<InterruptionPoint> {
    let all = axis.starts().into_iter().zip(&fleet.taken_back).zip(&jobs.lost);
    let point = |((at, hosts), attempts): ((Timestamp, &u64), &u64)| InterruptionPoint {
        at,
        hosts: *hosts,
        attempts: *attempts,
    };
    all.map(point).collect()
}

fn summary(jobs: &mut JobSums, fleet: &FleetSums, costs: &CostSums) -> Vec<Fact> {
    let count = |n: u64| Some(f64::from(u32::try_from(n).unwrap_or(u32::MAX)));
    let sum = |all: &[u64]| count(all.iter().sum());
    let fact = |key, name, value, unit| Fact { key, name, value, unit };
    let saved = costs.on_demand.saturating_sub(costs.total);
    let n_hosts = fleet.types.values().map(|of_type| of_type.n_hosts).sum();
    let hours = fleet.spot.hours_milli().saturating_add(fleet.on_demand.hours_milli());
    let waits = &mut jobs.waits;
    let (mean, p50, p95, max) =
        (waits.mean(), waits.quantile(50), waits.quantile(95), waits.quantile(100));
    vec![
        fact("cost_usd", "Cost", Some(usd(costs.total)), Unit::Usd),
        fact("on_demand_usd", "The same hosts On-Demand", Some(usd(costs.on_demand)), Unit::Usd),
        fact("saved_usd", "Saved by Spot", Some(usd(saved)), Unit::Usd),
        fact("accepted", "Jobs accepted", sum(&jobs.accepted), Unit::Count),
        fact("succeeded", "Jobs succeeded", sum(&jobs.succeeded), Unit::Count),
        fact("failed", "Jobs failed", sum(&jobs.failed), Unit::Count),
        fact("wait_mean_s", "Mean wait", mean, Unit::Seconds),
        fact("wait_p50_s", "Wait, p50", p50, Unit::Seconds),
        fact("wait_p95_s", "Wait, p95", p95, Unit::Seconds),
        fact("wait_max_s", "Longest wait", max, Unit::Seconds),
        fact("hosts", "Hosts", count(n_hosts), Unit::Count),
        fact("host_hours", "Host hours", Some(hundredths(hours)), Unit::Hours),
        fact("interrupted_hosts", "Spot hosts taken back", sum(&fleet.taken_back), Unit::Count),
        fact("lost_attempts", "Attempts lost", sum(&jobs.lost), Unit::Count),
    ]
}

/// Thousandths as a number.
#[expect(clippy::cast_precision_loss, reason = "only shown, never summed or compared")]
pub(super) fn thousandths(n: i64) -> f64 {
    n as f64 / 1000.0
}

/// Thousandths as a number to the hundredth.
#[expect(clippy::cast_precision_loss, reason = "only shown, never summed or compared")]
fn hundredths(n: i64) -> f64 {
    n.saturating_add(5).div_euclid(10) as f64 / 100.0
}

/// Thousandths of CPU units as vCPUs.
fn vcpus(n: i64) -> f64 {
    let per_vcpu = i64::from(spillway_core::CpuUnits::from_vcpus(1).get());
    hundredths(n / per_vcpu)
}

/// A part of a whole in percent, to the tenth.
pub(super) fn percent(part: i128, whole: i128) -> f64 {
    let per_mille = (part * 1000 + whole / 2).checked_div(whole).unwrap_or(0);
    i32::try_from(per_mille).map_or(f64::INFINITY, |n| f64::from(n) / 10.0)
}
