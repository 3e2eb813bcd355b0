//! How long the dispatcher's plan takes again after one job has come or ended, with 1,000 hosts and a long queue:
//! `cargo bench -p spillway-planner --bench replan`.
//!
//! The states are such as a running dispatcher has them: hosts are busy, each with jobs that end at different times;
//! the queue waits because a limit is reached, or for hosts that have been bought and boot.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark without its question is none"
)]

#[path = "shared/cpu.rs"]
mod cpu;
#[path = "shared/market.rs"]
mod market;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use cpu::CpuTime;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use spillway_core::id::LaunchId;
use spillway_core::plan::{Busy, Demand, DemandKey, Headroom, HostView, Plan};
use spillway_core::{
    Arch, CpuUnits, GpuKinds, HostId, Market, MarketRule, MiB, MicroUsdPerHour, PlanInput,
    PlanPolicy, Planner, Resources,
};
use spillway_planner::Spillway;
use spillway_planner::check::check;

/// Shapes of the queue, and durations of each.
const SHAPES: u32 = 100;
const DURATIONS: [u32; 6] = [61, 119, 235, 571, 1113, 4241];

use market::{Draw, catalog};

fn needs() -> Vec<Resources> {
    let mut draw = Draw(11);
    let need = |_| {
        let cpu = CpuUnits::new(128 * (1 + draw.below(64)));
        Resources::new(cpu, MiB::new(cpu.get() * (1 + draw.below(9)) + 64 * draw.below(16)), 0)
    };
    (0..SHAPES).map(need).collect()
}

fn key(need: Resources, ord: u32, secs: u32, patience_secs: u32) -> DemandKey {
    let market = if ord.is_multiple_of(10) { MarketRule::OnDemand } else { MarketRule::Any };
    DemandKey {
        need,
        arch: None,
        gpu_kinds: GpuKinds::ANY,
        market,
        expected_secs: Some(secs),
        patience_secs,
        way: None,
    }
}

/// So many jobs of a hundred shapes and six durations; a tenth must not run on Spot.
fn demands(n_jobs: u32, patience_secs: u32) -> Vec<Demand> {
    let each = n_jobs / SHAPES / u32::try_from(DURATIONS.len()).unwrap();
    let mut counts: BTreeMap<DemandKey, u32> = BTreeMap::new();
    for (ord, need) in (0..).zip(needs()) {
        for secs in DURATIONS {
            *counts.entry(key(need, ord, secs, patience_secs)).or_insert(0) += each;
        }
    }
    counts.into_iter().map(|(key, count)| Demand::new(key, count)).collect()
}

fn host_id(ord: u32) -> HostId {
    let launch: LaunchId = "00000000-0000-5000-8000-000000000001".parse().unwrap();
    HostId::derive(launch, ord)
}

/// Hosts of 32 vCPUs that are full but for what nothing fits in.
fn busy_hosts(n: u32) -> Vec<HostView> {
    let (mut draw, needs) = (Draw(13), needs());
    let mut hosts = Vec::new();
    for ord in 0..n {
        let mut free = Resources::new(CpuUnits::from_vcpus(32), MiB::from_gib(121), 0);
        let mut busy = Vec::new();
        for _ in 0..200 {
            let need = needs[usize::try_from(draw.below(SHAPES)).unwrap()];
            if let Some(left) = free.checked_sub(&need) {
                free = left;
                busy.push(Busy { ends_in_secs: 1 + draw.below(4000), need, count: 1 });
            }
        }
        busy.sort_unstable();
        hosts.push(HostView {
            id: host_id(ord),
            arch: Arch::ALL[usize::try_from(ord % 2).unwrap()],
            gpu: None,
            market: Market::Spot,
            price: MicroUsdPerHour::new(400_000),
            free,
            busy,
            reserved: Vec::new(),
            ready: true,
            ready_in_secs: 0,
        });
    }
    hosts
}

fn question(demands: Vec<Demand>, hosts: Vec<HostView>, headroom: Headroom) -> PlanInput {
    PlanInput {
        now: Timestamp::UNIX_EPOCH,
        demands,
        hosts,
        catalog: Arc::new(catalog()),
        cooling: BTreeMap::new(),
        headroom,
        fleet: BTreeMap::new(),
        gangs: spillway_core::plan::Gangs::default(),
    }
}

/// The world a second after a plan was carried out.
fn carried_out(input: &PlanInput, plan: &Plan) -> PlanInput {
    let mut after = input.clone();
    after.now = input.now + SignedDuration::from_secs(1);
    for host in &mut after.hosts {
        let placed = plan.placements.iter().filter(|p| p.host == host.id);
        if !host.ready {
            host.reserved = placed.map(|p| (p.key, p.count)).collect();
            continue;
        }
        for placement in placed {
            let (need, count) = (placement.key.need, placement.count);
            host.free = host.free.checked_sub(&need.checked_mul(count).unwrap()).unwrap();
            let ends_in_secs = placement.key.expected_secs.unwrap();
            host.busy.push(Busy { ends_in_secs, need, count });
            let demand = after.demands.iter_mut().find(|d| d.key == placement.key).unwrap();
            demand.count -= count;
        }
        host.busy.sort_unstable();
    }
    after.demands.retain(|demand| 0 < demand.count);
    let mut ord = 10_000;
    after.headroom.hosts = after.headroom.hosts.map(|left| left - plan.n_hosts());
    for launch in &plan.launches {
        for _ in 0..launch.count {
            after.hosts.push(HostView {
                id: host_id(ord),
                arch: launch.arch,
                gpu: None,
                market: launch.market().unwrap(),
                price: launch.choices[0].price,
                free: launch.capacity,
                busy: Vec::new(),
                reserved: launch.contents.clone(),
                ready: false,
                ready_in_secs: 89,
            });
            ord += 1;
        }
    }
    after
}

/// One job of the first host has ended.
fn one_ended(mut input: PlanInput) -> PlanInput {
    let host = input.hosts.iter_mut().find(|host| !host.busy.is_empty()).unwrap();
    let ended = host.busy.remove(0);
    host.free = host.free.checked_add(&ended.need).unwrap();
    input
}

/// One more job has come.
fn one_came(mut input: PlanInput) -> PlanInput {
    input.demands[0].count += 1;
    input
}

fn replans(c: &mut Criterion<CpuTime>) {
    let policy = PlanPolicy::default();
    let mut group = c.benchmark_group("re-plan with 1,000 hosts");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    for (size, n_jobs) in [("100,000", 100_000), ("1,000,000", 1_000_000)] {
        let at_limit = Headroom { hosts: Some(0), ..Headroom::default() };
        let limited = question(demands(n_jobs, 0), busy_hosts(1000), at_limit);
        let half = Headroom { hosts: Some(500), ..Headroom::default() };
        let covered = question(demands(n_jobs, 0), busy_hosts(500), half);
        let patient = question(demands(n_jobs, 7200), busy_hosts(1000), at_limit);
        for (state, input) in [
            ("at a limit", limited),
            ("half of them under way", covered),
            ("patient, at a limit", patient),
        ] {
            let mut planner = Spillway::default();
            let first = planner.plan(&input, &policy);
            let after = carried_out(&input, &first.plan);
            for (event, input) in
                [("one ended", one_ended(after.clone())), ("one came", one_came(after))]
            {
                let name = format!("{size} queued, {state}, {event}");
                let again = planner.clone().plan(&input, &policy);
                assert_eq!(check(&input, &policy, &again), vec![], "{name}");
                group.bench_function(&name, |b| {
                    b.iter_batched(
                        || planner.clone(),
                        |mut planner| black_box(planner.plan(black_box(&input), &policy)),
                        criterion::BatchSize::SmallInput,
                    );
                });
            }
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = replans
}
criterion_main!(benches);
