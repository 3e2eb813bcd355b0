//! How long a plan takes: `cargo bench -p spillway-planner --bench plan`.

#![expect(clippy::unwrap_used, reason = "a benchmark without its question is none")]

#[path = "shared/market.rs"]
mod market;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use spillway_core::id::LaunchId;
use spillway_core::plan::{Demand, DemandKey, Headroom, HostView};
use spillway_core::{
    Arch, Catalog, CpuUnits, GpuKinds, HostId, Market, MarketRule, MiB, MicroUsdPerHour, PlanInput,
    PlanPolicy, Resources,
};
use spillway_planner::check::check;
use spillway_planner::{admit, plan};

use market::{Draw, catalog};

/// So many jobs of so many shapes; a tenth must not run on Spot.
fn demands(n_shapes: u32, n_jobs: u32) -> Vec<Demand> {
    let mut draw = Draw(11);
    let mut counts: BTreeMap<DemandKey, u32> = BTreeMap::new();
    for ord in 0..n_shapes {
        let cpu = CpuUnits::new(128 * (1 + draw.below(64)));
        let memory = MiB::new(cpu.get() * (1 + draw.below(9)) + 64 * draw.below(16));
        let market = if ord % 10 == 0 { MarketRule::OnDemand } else { MarketRule::Any };
        let need = Resources::new(cpu, memory, 0);
        let key = DemandKey {
            need,
            arch: None,
            gpu_kinds: GpuKinds::ANY,
            market,
            expected_secs: None,
            patience_secs: 0,
            way: None,
        };
        *counts.entry(key).or_insert(0) += n_jobs / n_shapes;
    }
    counts.into_iter().map(|(key, count)| Demand::new(key, count)).collect()
}

fn question(catalog: &Arc<Catalog>, demands: Vec<Demand>, hosts: Vec<HostView>) -> PlanInput {
    PlanInput {
        now: Timestamp::UNIX_EPOCH,
        demands,
        hosts,
        catalog: Arc::clone(catalog),
        cooling: BTreeMap::new(),
        headroom: Headroom::default(),
        fleet: BTreeMap::new(),
        gangs: spillway_core::plan::Gangs::default(),
    }
}

fn hosts(n: u32) -> Vec<HostView> {
    let launch: LaunchId = "00000000-0000-5000-8000-000000000001".parse().unwrap();
    let mut draw = Draw(13);
    let mut hosts = Vec::new();
    for ord in 0..n {
        let free = Resources::new(CpuUnits::new(draw.below(8192)), MiB::new(draw.below(32_768)), 0);
        hosts.push(HostView {
            id: HostId::derive(launch, ord),
            arch: Arch::ALL[usize::try_from(ord % 2).unwrap()],
            gpu: None,
            market: Market::Spot,
            price: MicroUsdPerHour::new(100_000),
            free,
            busy: Vec::new(),
            reserved: Vec::new(),
            ready: true,
            ready_in_secs: 0,
        });
    }
    hosts
}

fn plans(c: &mut Criterion) {
    let catalog = Arc::new(catalog());
    let policy = PlanPolicy::default();
    let mut full = question(&catalog, demands(100, 100_000), hosts(1000));
    full.headroom.hosts = Some(0);
    let cases = [
        ("1 job", question(&catalog, demands(1, 1), Vec::new())),
        ("10 shapes, 200 jobs", question(&catalog, demands(10, 200), Vec::new())),
        ("100 shapes, 100,000 jobs", question(&catalog, demands(100, 100_000), Vec::new())),
        (
            "again with 1,000 hosts and 100,000 queued",
            question(&catalog, demands(100, 100_000), hosts(1000)),
        ),
        ("the same at the limit", full),
        ("1,000 shapes, 20,000 jobs", question(&catalog, demands(1000, 20_000), Vec::new())),
    ];
    let mut group = c.benchmark_group("plan");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3));
    for (name, input) in &cases {
        let planned = plan(input, &policy);
        assert_eq!(check(input, &policy, &planned), vec![], "{name}");
        group.bench_function(*name, |b| b.iter(|| black_box(plan(black_box(input), &policy))));
    }
    group.finish();

    let key = demands(1, 1)[0].key;
    c.bench_function("admit", |b| b.iter(|| admit(black_box(&key), &catalog, &policy)));
}

criterion_group!(benches, plans);
criterion_main!(benches);
