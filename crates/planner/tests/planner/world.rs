//! Small worlds for the planner: builders with defaults, and proptest strategies that draw from a coarse grid, so that
//! jobs often fit exactly, tie, or miss by one unit.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use spillway_core::id::LaunchId;
use spillway_core::plan::{Demand, DemandKey, Gangs, Headroom, HostView, PlannedLaunch};
use spillway_core::{
    Arch, Busy, Catalog, ChoiceId, CpuUnits, GpuKind, GpuKinds, Hazard, HostId, Market, MarketRule,
    MiB, MicroUsdPerHour, MixRules, Offering, PlanInput, PlanPolicy, Planned, PoolId, Quotas,
    Resources, VariantOrd, Way,
};

pub(crate) const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub(crate) fn host_id(ord: u32) -> HostId {
    let launch: LaunchId = "00000000-0000-5000-8000-000000000001".parse().unwrap();
    HostId::derive(launch, ord)
}

/// CPU units, MiB and GPUs.
pub(crate) fn resources(cpu: u32, memory: u32, gpus: u32) -> Resources {
    Resources::new(CpuUnits::new(cpu), MiB::new(memory), gpus)
}

/// A job of any architecture and market.
pub(crate) fn job(cpu: u32, memory: u32) -> DemandKey {
    DemandKey {
        need: resources(cpu, memory, 0),
        arch: None,
        gpu_kinds: GpuKinds::ANY,
        market: MarketRule::Any,
        expected_secs: None,
        patience_secs: 0,
        way: None,
    }
}

/// A Spot offering of x86 in the first zone.
pub(crate) fn offering(name: &str, cpu: u32, memory: u32, price: u64) -> Offering {
    Offering {
        pool: PoolId {
            instance_type: name.to_owned(),
            zone: "us-east-1a".parse().unwrap(),
            market: Market::Spot,
        },
        arch: Arch::X86_64,
        gpu: None,
        capacity: resources(cpu, memory, 0),
        price: MicroUsdPerHour::new(price),
        hazard: Hazard::NEVER,
    }
}

/// A question with these jobs and offerings, no hosts and no limits.
pub(crate) fn question(jobs: &[(DemandKey, u32)], offerings: &[Offering]) -> PlanInput {
    PlanInput {
        now: NOW,
        demands: jobs.iter().map(|(key, count)| Demand::new(*key, *count)).collect(),
        hosts: Vec::new(),
        catalog: Arc::new(Catalog::new(NOW, offerings.to_vec())),
        cooling: BTreeMap::new(),
        headroom: Headroom::default(),
        fleet: BTreeMap::new(),
        gangs: Gangs::default(),
    }
}

/// Cheapest pools only, so that a launch is served as planned.
pub(crate) fn policy() -> PlanPolicy {
    PlanPolicy::default()
}

pub(crate) fn keys() -> impl Strategy<Value = DemandKey> {
    let need = (
        select(vec![0_u32, 256, 512, 1024, 1025, 2048, 4096, 9000]),
        select(vec![1_u32, 512, 1024, 2047, 2048, 4096, 16_384, 50_000]),
        select(vec![0_u32, 0, 0, 0, 1, 2]),
    );
    let arch = select(vec![None, None, Some(Arch::X86_64), Some(Arch::Arm64)]);
    let market =
        select(vec![MarketRule::Any, MarketRule::Any, MarketRule::Spot, MarketRule::OnDemand]);
    let expected_secs = select(vec![None, Some(60), Some(3600)]);
    let patience_secs = select(vec![0_u32, 0, 0, 300, 7200]);
    let kinds = select(vec![vec![], vec![], vec![GpuKind::T4], vec![GpuKind::T4, GpuKind::L4]]);
    let key = (need, arch, kinds, market, expected_secs, patience_secs);
    key.prop_map(|((cpu, memory, gpus), arch, kinds, market, expected_secs, patience_secs)| {
        DemandKey {
            need: resources(cpu, memory, gpus),
            arch,
            gpu_kinds: if 0 < gpus { kinds.into() } else { GpuKinds::ANY },
            market,
            expected_secs,
            patience_secs,
            way: None,
        }
    })
}

pub(crate) fn demands(n_max: usize, count_max: u32) -> impl Strategy<Value = Vec<Demand>> {
    let waited_secs = select(vec![0_u32, 0, 30, 500]);
    let demands = btree_map(keys(), (1..=count_max, waited_secs), 0..=n_max);
    let demand =
        |(key, (count, waited_secs))| Demand { key, count, waited_secs, n_again: count / 4 };
    demands.prop_map(move |demands| demands.into_iter().map(demand).collect())
}

/// Sizes of one architecture, prices of each zone and market by themselves: what EC2 sells, only smaller.
pub(crate) fn offerings(n_max: usize) -> impl Strategy<Value = Vec<Offering>> {
    let size = (
        select(vec![0_u32, 1024, 2048, 4096, 8192, 16_384]),
        select(vec![1024_u32, 1900, 3900, 7800, 16_384, 65_536]),
        select(vec![0_u32, 0, 0, 1, 4]),
    );
    let type_of = (0_u8..8, size, any::<bool>(), gpu_of_host());
    let hazard = select(vec![0_u32, 0, 100, 100_000, 2_000_000]);
    let pool = (select(vec!["us-east-1a", "us-east-1b"]), any::<bool>(), 0_u64..2_000_000, hazard);
    vec((type_of, pool), 0..=n_max).prop_map(|drawn| {
        let mut types: BTreeMap<u8, (Resources, Arch, Option<GpuKind>)> = BTreeMap::new();
        let mut offerings = Vec::new();
        for ((name, (cpu, memory, gpus), is_arm, gpu), (zone, is_spot, price, hazard)) in drawn {
            let arch = if is_arm { Arch::Arm64 } else { Arch::X86_64 };
            let gpu = gpu.filter(|_| 0 < gpus);
            let (capacity, arch, gpu) =
                *types.entry(name).or_insert((resources(cpu, memory, gpus), arch, gpu));
            let pool = PoolId {
                // Types of two quotas.
                instance_type: format!("{}{name}.large", if name < 5 { "t" } else { "x" }),
                zone: zone.parse().unwrap(),
                market: if is_spot { Market::Spot } else { Market::OnDemand },
            };
            let price = MicroUsdPerHour::new(price);
            let hazard = if is_spot { hazard } else { 0 };
            let hazard = Hazard::per_million_hours(hazard);
            offerings.push(Offering { pool, arch, gpu, capacity, price, hazard });
        }
        offerings
    })
}

/// The kind of GPU of a host that has any: a few, and one that nobody knows.
fn gpu_of_host() -> impl Strategy<Value = Option<GpuKind>> {
    select(vec![None, Some(GpuKind::T4), Some(GpuKind::T4), Some(GpuKind::L4), Some(GpuKind::A100)])
}

/// What a running job may hold.
fn keys_need() -> impl Strategy<Value = Resources> {
    keys().prop_map(|key| key.need)
}

fn hosts(keys: Vec<DemandKey>) -> impl Strategy<Value = Vec<HostView>> {
    let free = (
        select(vec![0_u32, 512, 2048, 4096, 8192]),
        select(vec![0_u32, 1000, 4096, 16_384]),
        select(vec![0_u32, 0, 1]),
    );
    let keys = if keys.is_empty() { vec![job(256, 512)] } else { keys };
    let reserved = vec((select(keys), 1_u32..4), 0..3);
    let busy = (1_u32..5000, keys_need(), 1_u32..3);
    let busy = vec(busy, 0..3);
    let host = (free, any::<bool>(), gpu_of_host(), any::<bool>(), any::<bool>(), reserved, busy);
    vec(host, 0..5).prop_map(|drawn| {
        let mut hosts = Vec::new();
        for (ord, (free, is_arm, gpu, is_spot, ready, reserved, drawn_busy)) in (0..).zip(drawn) {
            let (cpu, memory, gpus) = free;
            let busy = |(ends_in_secs, need, count)| Busy { ends_in_secs, need, count };
            hosts.push(HostView {
                id: host_id(ord),
                arch: if is_arm { Arch::Arm64 } else { Arch::X86_64 },
                gpu: gpu.filter(|_| 0 < gpus),
                market: if is_spot { Market::Spot } else { Market::OnDemand },
                price: MicroUsdPerHour::new(100_000),
                free: resources(cpu, memory, gpus),
                busy: if ready { drawn_busy.into_iter().map(busy).collect() } else { Vec::new() },
                reserved,
                ready,
                ready_in_secs: if ready { 0 } else { 90 },
            });
        }
        hosts
    })
}

fn headroom() -> impl Strategy<Value = Headroom> {
    let limits = (
        option::weighted(0.3, 0_u32..6),
        option::weighted(0.3, (0_u32..40).prop_map(CpuUnits::from_vcpus)),
        option::weighted(0.3, (0_u64..8_000_000).prop_map(MicroUsdPerHour::new)),
    );
    let quota = || option::weighted(0.2, (0_u32..40).prop_map(CpuUnits::from_vcpus));
    (limits, quota(), quota(), quota()).prop_map(|((hosts, cpu, price), t_spot, t, x)| {
        let mut quotas = Quotas::NONE;
        quotas.set("spot/standard".parse().unwrap(), t_spot);
        quotas.set("on-demand/standard".parse().unwrap(), t);
        quotas.set("spot/x".parse().unwrap(), x);
        Headroom { hosts, cpu, price, quotas, ..Headroom::default() }
    })
}

pub(crate) fn policies() -> impl Strategy<Value = PlanPolicy> {
    let host_cpu_max = option::weighted(0.2, (1_u32..9).prop_map(CpuUnits::from_vcpus));
    (host_cpu_max, 1_usize..6, 0_u32..30).prop_map(|(host_cpu_max, choices_max, percent)| {
        PlanPolicy {
            host_cpu_max,
            choices_max,
            choice_premium_percent: percent,
            ..PlanPolicy::default()
        }
    })
}

/// What hosts there are have, by pool.
fn fleet(offerings: &[Offering], cpu: &[u32]) -> BTreeMap<PoolId, CpuUnits> {
    let of_pool = |(offering, cpu): (&Offering, &u32)| (offering.pool.clone(), CpuUnits::new(*cpu));
    offerings.iter().zip(cpu).map(of_pool).collect()
}

/// Rules of the mix, some of them set.
pub(crate) fn mixes() -> impl Strategy<Value = MixRules> {
    let percent = |none: u32, strict: Vec<u32>| prop_oneof![2 => Just(none), 1 => select(strict)];
    let base = prop_oneof![2 => Just(0_u32), 1 => 1_u32..20];
    let rules = (
        base,
        percent(0, vec![1, 30, 50, 99]),
        percent(100, vec![0, 30, 50, 99]),
        percent(100, vec![0, 20, 50]),
        percent(100, vec![0, 40, 60]),
        select(vec![0_u32, 4, 16]),
    );
    rules.prop_map(|(base, spot_percent_min, spot_percent_max, pool, zone, above)| MixRules {
        on_demand_base: CpuUnits::from_vcpus(base),
        spot_percent_min,
        spot_percent_max,
        pool_percent_max: pool,
        zone_percent_max: zone,
        spread_above: CpuUnits::from_vcpus(above),
    })
}

/// Everything at once: hosts with reservations, dry pools, limits.
pub(crate) fn questions() -> impl Strategy<Value = PlanInput> {
    let standing = vec(select(vec![0_u32, 0, 0, 2048, 16_384]), 16);
    let base = (demands(8, 12), offerings(16), headroom(), vec(any::<u8>(), 16), standing);
    base.prop_flat_map(|(demands, offerings, headroom, cooling, standing)| {
        let keys = demands.iter().map(|demand| demand.key).collect();
        hosts(keys).prop_map(move |hosts| {
            let mut cooling_until = BTreeMap::new();
            for (offering, draw) in offerings.iter().zip(&cooling) {
                // One in eight cools down, one in eight has just done so.
                if *draw < 64 {
                    let minutes = if *draw < 32 { 3 } else { 0 };
                    let until = NOW + SignedDuration::from_mins(minutes);
                    cooling_until.insert(offering.pool.clone(), until);
                }
            }
            PlanInput {
                now: NOW,
                demands: demands.clone(),
                hosts,
                catalog: Arc::new(Catalog::new(NOW, offerings.clone())),
                cooling: cooling_until,
                headroom,
                fleet: fleet(&offerings, &standing),
                gangs: Gangs::default(),
            }
        })
    })
}

/// The same with some of the jobs being others in another way.
pub(crate) fn questions_with_ways() -> impl Strategy<Value = PlanInput> {
    (questions(), vec(0_usize..4, 8)).prop_map(|(input, sizes)| with_ways(&input, &sizes))
}

/// Makes sets of so many of the demands: as many jobs, with as much patience.
pub(crate) fn with_ways(input: &PlanInput, sizes: &[usize]) -> PlanInput {
    let mut input = input.clone();
    let mut of_key = BTreeMap::new();
    let mut at = 0;
    for (number, size) in (0..).zip(sizes) {
        let Some(first) = input.demands.get(at).copied() else { break };
        let end = (at + (*size).max(1)).min(input.demands.len());
        for (ord, demand) in (0..).zip(&mut input.demands[at..end]).filter(|_| 1 < *size) {
            let before = demand.key;
            let (of, ord) = (ChoiceId::from_number(number), VariantOrd::new(ord));
            let way = Some(Way { of, ord });
            let key = DemandKey { patience_secs: first.key.patience_secs, way, ..before };
            *demand = Demand { key, ..first };
            of_key.insert(before, key);
        }
        at = end;
    }
    for (key, _) in input.hosts.iter_mut().flat_map(|host| &mut host.reserved) {
        *key = of_key.get(key).copied().unwrap_or(*key);
    }
    input
}

/// The world after a plan was carried out: tasks run on hosts that were ready, hosts that were bought are on their way.
pub(crate) fn carried_out(input: &PlanInput, planned: &Planned) -> PlanInput {
    let mut after = input.clone();
    for host in &mut after.hosts {
        let placed = planned.plan.placements.iter().filter(|p| p.host == host.id);
        if !host.ready {
            host.reserved = placed.map(|p| (p.key, p.count)).collect();
            continue;
        }
        host.reserved.clear();
        for placement in placed {
            let load = placement.key.need.checked_mul(placement.count).unwrap();
            host.free = host.free.checked_sub(&load).unwrap();
            let ends_in_secs = placement.key.expected_secs.unwrap_or(policy().prior_secs);
            let (need, count) = (placement.key.need, placement.count);
            host.busy.push(Busy { ends_in_secs, need, count });
            let key = placement.key;
            let is_same = |other: &DemandKey| match key.way {
                Some(way) => other.way.is_some_and(|other| other.of == way.of),
                None => *other == key,
            };
            for demand in after.demands.iter_mut().filter(|demand| is_same(&demand.key)) {
                demand.count -= placement.count;
            }
        }
    }
    for host in &mut after.hosts {
        host.busy.sort_unstable();
    }
    after.hosts.retain(|host| !planned.plan.give_back.contains(&host.id));
    after.demands.retain(|demand| 0 < demand.count);
    let mut ord = 1000;
    for launch in &planned.plan.launches {
        for _ in 0..launch.count {
            after.hosts.push(bought(input, launch, host_id(ord)));
            ord += 1;
        }
        let headroom = &mut after.headroom;
        headroom.hosts = headroom.hosts.map(|hosts| hosts - launch.count);
        let cpu = launch.capacity.checked_mul(launch.count).unwrap().cpu.get();
        headroom.cpu = headroom.cpu.map(|left| CpuUnits::new(left.get() - cpu));
        headroom.quotas.take(&launch.choices[0].pool, CpuUnits::new(cpu));
        let of_pool = after.fleet.entry(launch.choices[0].pool.clone()).or_default();
        *of_pool = CpuUnits::new(of_pool.get() + cpu);
        let price = launch.price().get();
        headroom.price = headroom.price.map(|left| MicroUsdPerHour::new(left.get() - price));
    }
    after
}

fn bought(input: &PlanInput, launch: &PlannedLaunch, id: HostId) -> HostView {
    HostView {
        id,
        arch: launch.arch,
        gpu: input.catalog.get(&launch.choices[0].pool).unwrap().gpu,
        market: launch.market().unwrap(),
        price: launch.choices[0].price,
        free: launch.capacity,
        busy: Vec::new(),
        reserved: launch.contents.clone(),
        ready: false,
        ready_in_secs: 90,
    }
}
