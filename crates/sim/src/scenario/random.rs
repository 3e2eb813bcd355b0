//! Small scenarios by the thousand: each seed is another world, other faults and other jobs.
//!
//! Faults end after some hours, so that everything must come to rest (see `S2` in [`crate::invariants`]). Each scenario switches some
//! classes of faults off, and how many it leaves on is drawn too ("swarm testing"): where everything goes wrong all the time, what needs
//! a quiet hour to happen never does.

mod budgets;

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use spillway_core::array::Indexes;
use spillway_core::coalesce::CoalesceRule;
use spillway_core::{
    Arch, ArraySpec, ConsumableName, CpuUnits, DependencyKind, Extras, Market, MiB,
    MicroUsdPerHour, QueueName, Quota, QuotaGroup, Scheduling,
};
use spillway_engine::{
    Caps, EngineConfig, FairShare, OfferingFilter, PoolRules, QueueRules, ShareRules, Weight,
};

use super::Scenario;
use super::duration::Distribution;
use super::estimate::Estimate;
use super::workload::{Arrival, JobGroup, RawMessages, Size, VariantRule, Workload};
use crate::catalog::ZONES;
use crate::dice::{Dice, Roll};
use crate::setting::{Chance, Span, Spread};
use crate::world::{Faults, Out, Outage, PoolPattern, PoolRule, Reclaim, WorldConfig};

/// CPU units and MiB of the largest jobs that are not huge.
const LARGEST: (u32, u32) = (8_192, 30_000);

/// When faults end.
const FAULTS_UNTIL: SignedDuration = SignedDuration::from_hours(3);

/// By when all must be at rest: a dispatcher may be away for a day and more, several times, and what it finds then takes its time.
pub const LIMIT: SignedDuration = SignedDuration::from_hours(150);

/// A job that can end does within two days: half an hour for an image that never comes, a few times, and a budget that a few such waits spend.
const PATIENCE: SignedDuration = SignedDuration::from_hours(48);

/// Messages that can never be a job.
const POISON: [&str; 6] = [
    "not json at all",
    "{\"jobName\": \"no-definition\", \"jobQueue\": \"default\"}",
    "{\"jobName\": 7, \"jobQueue\": [], \"jobDefinition\": {\"type\": \"container\"}}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    "{\"spillway\": {\"action\": \"Explode\"}}",
    "",
];

/// The random scenario of this seed.
pub fn random(seed: u64) -> Scenario {
    let dice = Dice::new(seed);
    let queues = "default".parse().into_iter().collect();
    let mut engine = EngineConfig { queues, ..EngineConfig::default() };
    engine.jobs.rules.host_network = true;
    let mut roll = dice.roll("random engine", &"");
    if roll.happens(Chance::percent(50)) {
        engine.limits.hosts_max = Some(pick(&mut roll, &[2, 5, 20]));
    }
    if roll.happens(Chance::percent(30)) {
        engine.limits.cpu_max = Some(CpuUnits::from_vcpus(pick(&mut roll, &[32, 64, 200])));
    }
    random_queues(dice, &mut engine);
    let approves_after = budgets::random_approval(dice, &mut engine);
    budgets::random(dice, &mut engine);
    engine.idle_timeout = SignedDuration::from_secs(pick(&mut roll, &[20, 60, 600]));
    engine.start_timeout = SignedDuration::from_mins(pick(&mut roll, &[5, 30]));
    engine.observe_every = SignedDuration::from_secs(pick(&mut roll, &[30, 60, 300]));

    if roll.happens(Chance::percent(30)) {
        let is_spot = roll.happens(Chance::percent(50));
        let market = if is_spot { Market::Spot } else { Market::OnDemand };
        let quota = Quota { market, group: QuotaGroup::Standard };
        let cpu = CpuUnits::from_vcpus(pick(&mut roll, &[32, 64]));
        engine.limits.quotas.set(quota, Some(cpu));
    }

    let mut world = random_world(dice);
    world.seed = seed;
    world.faults = random_faults(dice);
    world.outages = random_outages(dice);

    let mut roll = dice.roll("random workload", &"");
    let n_groups = 1 + roll.below(4);
    let mut groups: Vec<JobGroup> =
        (0..n_groups).filter_map(|ord| random_group(dice, ord, &engine)).collect();
    relate(dice, &mut groups);
    groups.iter_mut().for_each(keep_tasks_small);
    if world.pools.iter().any(|rule| rule.capacity == Some(0)) {
        // Where there is never any Spot, a job that insists on it would rightly wait for ever.
        for group in groups.iter_mut().filter(|g| g.market.as_deref() == Some("spot")) {
            group.market = Some("any".to_owned());
        }
    }
    if let Some(vcpus_max) = world.spot_vcpus_max {
        // And so would one that needs more Spot at once than the account may have.
        for group in groups.iter_mut().filter(|g| g.market.as_deref() == Some("spot")) {
            if u64::from(vcpus_max) < spot_vcpus_at_once(group) {
                group.market = Some("any".to_owned());
            }
        }
    }
    Scenario {
        name: format!("random-{seed}"),
        seed,
        start: "2026-01-05T00:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH),
        limit: if engine.budgets.is_empty() { LIMIT } else { budgets::LIMIT },
        patience: Some(PATIENCE),
        engine,
        world,
        workload: Workload { groups, raw: random_poison(dice), approves_after },
    }
}

fn pick<T: Copy + Default>(roll: &mut Roll, from: &[T]) -> T {
    let n = u64::try_from(from.len()).unwrap_or(0);
    let at = usize::try_from(roll.below(n)).unwrap_or(0);
    from.get(at).copied().unwrap_or_default()
}

/// Of a class that is on, a chance up to its highest.
fn random_faults(dice: Dice) -> Faults {
    let mut roll = dice.roll("random swarm", &"");
    let part_on = Chance::percent(pick(&mut roll, &[0, 10, 35, 60]));
    let mut faults = Faults { until: Some(Span(FAULTS_UNTIL)), ..Faults::default() };
    for class in Faults::CLASSES {
        let mut roll = dice.roll("random fault", &class.name);
        if roll.happens(part_on) {
            let ppm = 1 + roll.below(u64::from(class.highest.ppm()));
            *class.of(&mut faults) = Chance::from_ppm(u32::try_from(ppm).unwrap_or(0));
        }
    }
    faults
}

/// In one scenario of three something is out for a while, in some of these several things are.
fn random_outages(dice: Dice) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut roll = dice.roll("random outages", &"");
    while outages.len() < 3 && roll.happens(Chance::percent(33)) {
        let zone = ZONES.get(usize::try_from(roll.below(3)).unwrap_or(0)).copied();
        let arch = pick(&mut roll, &[false, true]);
        let zone = zone.and_then(|zone| zone.parse().ok()).map(Out::Zone);
        let arch = if arch { Arch::Arm64 } else { Arch::X86_64 };
        let kinds = [
            Some(Out::JobQueue),
            Some(Out::Cluster),
            Some(Out::Credentials),
            Some(Out::Ledger),
            zone,
            Some(Out::Spot),
            Some(Out::Ami(arch)),
        ];
        let n_kinds = u64::try_from(kinds.len()).unwrap_or(0);
        let at = usize::try_from(roll.below(n_kinds)).unwrap_or(0);
        let from = roll.within(Spread::of_secs(30, 5_400));
        let longest = pick(&mut roll, &[60, 600, 3_600, 3_600, 13 * 3_600]);
        let lasts = roll.within(Spread::of_secs(30, longest));
        outages.extend(kinds.into_iter().nth(at).flatten().map(|what| Outage {
            what,
            from,
            lasts,
        }));
    }
    outages.extend(random_breakages(dice));
    outages
}

/// In one scenario of five an image cannot be pulled for a while, or a call is not allowed.
fn random_breakages(dice: Dice) -> Option<Outage> {
    let mut roll = dice.roll("random breakages", &"");
    if !roll.happens(Chance::percent(20)) {
        return None;
    }
    let call = |action: &str| Out::Call(action.to_owned());
    let kinds = [
        Out::Image("busybox:1.36".to_owned()),
        call("ecs:RunTask"),
        call("ec2:CreateFleet"),
        call("ecs:StopTask"),
        call("ec2:TerminateInstances"),
    ];
    let n_kinds = u64::try_from(kinds.len()).unwrap_or(0);
    let at = usize::try_from(roll.below(n_kinds)).unwrap_or(0);
    let from = roll.within(Spread::of_secs(30, 5_400));
    let longest = pick(&mut roll, &[60, 600, 3_600, 3_600, 13 * 3_600]);
    let lasts = roll.within(Spread::of_secs(30, longest));
    kinds.into_iter().nth(at).map(|what| Outage { what, from, lasts })
}

/// In one scenario of four somebody sends what can never be a job.
fn random_poison(dice: Dice) -> Vec<RawMessages> {
    let mut roll = dice.roll("random poison", &"");
    if !roll.happens(Chance::percent(25)) {
        return Vec::new();
    }
    let arrival = Arrival { over: Some(SignedDuration::from_mins(40)), ..Arrival::default() };
    let bodies = POISON.into_iter().filter(|_| roll.happens(Chance::percent(50)));
    vec![RawMessages { bodies: bodies.map(str::to_owned).collect(), arrival }]
}

fn random_world(dice: Dice) -> WorldConfig {
    let mut roll = dice.roll("random world", &"");
    let mut world = WorldConfig::default();
    if roll.happens(Chance::percent(40)) {
        world.interruptions = Chance::percent(pick(&mut roll, &[5, 50, 200]));
    }
    if roll.happens(Chance::percent(30)) {
        world.event_latency = Spread::of_millis(0, pick(&mut roll, &[200, 20_000, 120_000]));
    }
    if roll.happens(Chance::percent(30)) {
        world.call_latency = Spread::of_millis(5, pick(&mut roll, &[50, 2_000, 15_000]));
    }
    if roll.happens(Chance::percent(30)) {
        world.list_lag = Spread::of_secs(0, pick(&mut roll, &[10, 60, 120]));
    }
    if roll.happens(Chance::percent(30)) {
        world.overhead_permille = pick(&mut roll, &[(10, 20), (60, 120), (0, 120)]);
    }
    if roll.happens(Chance::percent(30)) {
        world.visibility_timeout = SignedDuration::from_secs(pick(&mut roll, &[5, 30]));
    }
    if roll.happens(Chance::percent(25)) {
        let pools = PoolPattern { market: Some(Market::Spot), ..PoolPattern::default() };
        let capacity = Some(pick(&mut roll, &[0, 1, 3]));
        world.pools.push(PoolRule { pools, capacity, ..PoolRule::default() });
    }
    if roll.happens(Chance::percent(15)) {
        world.spot_vcpus_max = Some(pick(&mut roll, &[16, 64]));
    }
    let mut beside = dice.roll("random extras", &"");
    if beside.happens(Chance::percent(50)) {
        let price = pick(&mut beside, &[1, 3_288, 8_288, 60_000]);
        world.extras = Extras::everywhere(MicroUsdPerHour::new(price));
    }
    if dice.roll("random buckets", &"").happens(Chance::percent(15)) {
        world.api_percent = 10;
    }
    if roll.happens(Chance::percent(30)) {
        world.reclaims.push(Reclaim {
            at: roll.within(Spread::of_secs(60, 3600)),
            pools: PoolPattern::default(),
            part: Chance::percent(pick(&mut roll, &[30, 100])),
        });
    }
    world
}

fn random_group(dice: Dice, ord: u64, engine: &EngineConfig) -> Option<JobGroup> {
    let mut roll = dice.roll("random group", &ord);
    let durations = [
        Distribution::Even(Spread::of_secs(1, 30)),
        Distribution::Even(Spread::of_secs(30, 900)),
        Distribution::LogNormal {
            median: SignedDuration::from_secs(60),
            p95: SignedDuration::from_secs(1200),
            max: SignedDuration::from_hours(2),
        },
    ];
    let at = usize::try_from(roll.below(3)).unwrap_or(0);
    let has_timeout = roll.happens(Chance::percent(15));
    let is_spread = roll.happens(Chance::percent(60));
    let is_endless = dice.roll("random endless", &ord).happens(Chance::percent(5));
    let is_huge = dice.roll("random huge", &ord).happens(Chance::percent(4));
    let endless = ["sleep".to_owned(), "infinity".to_owned()];
    Some(JobGroup {
        name: format!("group-{ord}").parse().ok()?,
        count: u32::try_from(1 + roll.below(14)).unwrap_or(1),
        queue: random_queue(dice, ord, engine)?,
        image: pick(
            &mut roll,
            &["busybox:1.36", "busybox:1.36", "busybox:1.36", "missing/x", "stuck/x", "tool:2"],
        )
        .to_owned(),
        command: is_endless.then(|| endless.into()),
        sizes: vec![Size::only(
            CpuUnits::new(pick(&mut roll, &[256, 512, 1024, 2048, 4096, LARGEST.0])),
            if is_huge {
                MiB::from_gib(4_000)
            } else {
                MiB::new(pick(&mut roll, &[128, 512, 1000, 2000, 4096, 7900, 16_000, LARGEST.1]))
            },
            u32::from(roll.happens(Chance::percent(5))),
        )],
        architecture: [None, Some("x86_64"), Some("arm64"), Some("any")]
            .get(usize::try_from(roll.below(4)).unwrap_or(0))
            .copied()
            .flatten()
            .map(str::to_owned),
        gpu_kinds: Vec::new(),
        market: [None, None, Some("any"), Some("spot"), Some("on-demand")]
            .get(usize::try_from(roll.below(5)).unwrap_or(0))
            .copied()
            .flatten()
            .map(str::to_owned),
        duration: durations.into_iter().nth(at)?,
        estimate: if roll.happens(Chance::percent(70)) {
            Estimate::Exact
        } else {
            Estimate::Unknown
        },
        exits: vec![(0, 8), (1, 1), (3, 1)],
        oom: Chance::percent(3),
        ignores_sigterm: Chance::percent(10),
        attempts: Some(pick(&mut roll, &[1, 2, 3])),
        timeout: (has_timeout || is_endless).then_some(SignedDuration::from_secs(90)),
        resend: Chance::percent(pick(&mut roll, &[0, 0, 20])),
        cancel: Chance::percent(pick(&mut roll, &[0, 0, 20])),
        terminate: Chance::percent(pick(&mut roll, &[0, 0, 20])),
        end_after: Spread::of_secs(0, pick(&mut roll, &[5, 90, 1200])),
        arrival: Arrival {
            at: SignedDuration::ZERO,
            every: SignedDuration::ZERO,
            over: is_spread.then_some(SignedDuration::from_mins(40)),
            rates: Vec::new(),
        },
        array: random_array(dice, ord),
        coalesce: random_coalesce(dice, ord, engine),
        variants: random_variants(dice, ord),
        nodes: random_nodes(dice, ord),
        after: Vec::new(),
        scheduling: random_scheduling(dice, ord, engine),
    })
}

/// Two in three scenarios have several queues, some of them with shares, caps, pools and licences.
fn random_queues(dice: Dice, engine: &mut EngineConfig) {
    let mut roll = dice.roll("random queues", &"");
    if roll.happens(Chance::percent(35)) {
        return;
    }
    for name in ["urgent", "shared"] {
        engine.queues.extend(name.parse::<QueueName>());
    }
    let vcpus = |n: Option<u32>| n.filter(|n| 0 < *n).map(CpuUnits::from_vcpus);
    let caps = |roll: &mut Roll| Caps {
        cpu_max: vcpus(Some(pick(roll, &[0, 0, 16, 32]))),
        hosts_max: Some(pick(roll, &[0, 0, 0, 1, 3])).filter(|n| 0 < *n),
        price_max: Some(pick(roll, &[0, 0, 0, 3_000_000]))
            .filter(|n| 0 < *n)
            .map(MicroUsdPerHour::new),
        ..Caps::default()
    };
    let urgent = QueueRules { priority: 10, caps: caps(&mut roll), ..QueueRules::default() };
    let weight = Weight::from_parts(pick(&mut roll, &[2_500, 10_000, 40_000]));
    let share = "team*".parse().ok().map(|pattern| ShareRules {
        pattern,
        weight: weight.unwrap_or(Weight::ONE),
        caps: caps(&mut roll),
    });
    let shared = QueueRules {
        fair_share: Some(FairShare {
            compute_reservation: pick(&mut roll, &[0, 0, 25]),
            ..FairShare::default()
        }),
        caps: caps(&mut roll),
        shares: share.into_iter().collect(),
        ..QueueRules::default()
    };
    for (name, rules) in [("urgent", urgent), ("shared", shared)] {
        engine.queue_rules.extend(name.parse::<QueueName>().map(|name| (name, rules)));
    }
    engine.consumables.extend("licences".parse::<ConsumableName>().map(|name| (name, 3)));
    if roll.happens(Chance::percent(40)) {
        let pool = |name: &str, markets: Vec<Market>, caps: Caps| {
            let offerings = OfferingFilter { markets, ..OfferingFilter::default() };
            name.parse().map(|name| PoolRules { name, offerings, caps })
        };
        engine.pools.extend(pool("cheap", vec![Market::Spot], caps(&mut roll)));
        engine.pools.extend(pool("rest", Vec::new(), Caps::default()));
    }
}

fn random_queue(dice: Dice, ord: u64, engine: &EngineConfig) -> Option<QueueName> {
    let mut roll = dice.roll("random queue", &ord);
    let n = u64::try_from(engine.queues.len()).unwrap_or(1);
    let at = usize::try_from(roll.below(n)).unwrap_or(0);
    engine.queues.get(at).cloned()
}

fn random_scheduling(dice: Dice, ord: u64, engine: &EngineConfig) -> Scheduling {
    let mut roll = dice.roll("random scheduling", &ord);
    if engine.consumables.is_empty() {
        return Scheduling::default();
    }
    let shares = ["teamA", "teamB", "solo"];
    let at = usize::try_from(roll.below(3)).unwrap_or(0);
    let takes = pick(&mut roll, &[0, 0, 0, 1, 2]);
    let names = engine.consumables.keys().take(usize::from(0 < takes));
    Scheduling {
        share: shares.get(at).and_then(|share| share.parse().ok()),
        priority: pick(&mut roll, &[0, 0, 5]),
        consumes: names.map(|name| (name.clone(), takes)).collect(),
    }
}

/// One group in three is of arrays.
fn random_array(dice: Dice, ord: u64) -> Option<ArraySpec> {
    let mut roll = dice.roll("random array", &ord);
    if !roll.happens(Chance::percent(35)) {
        return None;
    }
    let indexes = Indexes {
        first: pick(&mut roll, &[0, 0, 7]),
        step: NonZeroU32::new(pick(&mut roll, &[1, 1, 3]))?,
        size: pick(&mut roll, &[2, 5, 11]),
    };
    let max_concurrency = NonZeroU32::new(pick(&mut roll, &[0, 0, 1, 3]));
    Some(ArraySpec { indexes, max_concurrency, sequential: roll.happens(Chance::percent(15)) })
}

/// A shared task needs no more than the largest of the single jobs: else one could be sent that rightly waits for ever, because no
/// host of its size is within the limits.
fn keep_tasks_small(group: &mut JobGroup) {
    let (Some(rule), Some(size)) = (&mut group.coalesce, group.sizes.first()) else { return };
    let by_cpu = LARGEST.0 / size.cpu.get().max(1);
    let by_memory = LARGEST.1 / size.memory.get().max(1);
    let n = by_cpu.min(by_memory).min(if 0 < size.gpus { 1 } else { u32::MAX });
    rule.parallel = rule.parallel.min(NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN));
}

/// How many vCPUs the smallest hosts have that hold one job of a group, all its nodes at once: hosts have 2, 4, 8 and so on.
fn spot_vcpus_at_once(group: &JobGroup) -> u64 {
    let of_size = |size: &Size| u64::from(size.cpu.get()).div_ceil(1024).next_power_of_two().max(2);
    let largest = group.sizes.iter().map(of_size).max().unwrap_or(0);
    largest * u64::from(group.nodes.unwrap_or(1))
}

/// In every second scenario arrays share tasks, where they may.
fn random_coalesce(dice: Dice, ord: u64, engine: &EngineConfig) -> Option<CoalesceRule> {
    if !dice.roll("random coalesce", &"").happens(Chance::percent(50)) {
        return None;
    }
    let is_sequential = random_array(dice, ord)?.sequential;
    if is_sequential || !random_scheduling(dice, ord, engine).consumes.is_empty() {
        return None;
    }
    let mut roll = dice.roll("random coalesce", &ord);
    let size = NonZeroU32::new(pick(&mut roll, &[2, 3, 8]))?;
    let parallel = NonZeroU32::new(pick(&mut roll, &[1, 1, 2, 4]))?;
    Some(CoalesceRule { size, parallel: parallel.min(size) })
}

/// One in six of the groups that are not of arrays is of multi-node jobs.
fn random_nodes(dice: Dice, ord: u64) -> Option<u32> {
    let mut roll = dice.roll("random nodes", &ord);
    let is_one = random_array(dice, ord).is_none() && roll.happens(Chance::percent(17));
    is_one.then(|| pick(&mut roll, &[1, 2, 3, 5]))
}

/// One in five of the groups that are not of multi-node jobs may be run in other ways.
fn random_variants(dice: Dice, ord: u64) -> Vec<VariantRule> {
    let mut roll = dice.roll("random variants", &ord);
    if random_nodes(dice, ord).is_some() || !roll.happens(Chance::percent(20)) {
        return Vec::new();
    }
    let n = pick(&mut roll, &[1, 1, 2, 8]);
    let variant = |_: u32| {
        let cpu = CpuUnits::new(pick(&mut roll, &[256, 1024, 4096, 16_384, 400_000]));
        let memory = MiB::new(pick(&mut roll, &[128, 1000, 4096, 30_000]));
        let gpus = u32::from(roll.happens(Chance::percent(20)));
        let stretch = Chance::percent(pick(&mut roll, &[25, 100, 400]));
        VariantRule {
            size: Size { stretch, ..Size::only(cpu, memory, gpus) },
            architecture: [None, Some("x86_64"), Some("arm64"), Some("any")]
                .get(usize::try_from(roll.below(4)).unwrap_or(0))
                .copied()
                .flatten()
                .map(str::to_owned),
            image: pick(&mut roll, &[None, None, Some("other:1"), Some("missing/y")])
                .map(str::to_owned),
        }
    };
    (0..n).map(variant).collect()
}

/// Some groups wait for the one before them.
fn relate(dice: Dice, groups: &mut [JobGroup]) {
    for at in 1..groups.len() {
        let mut roll = dice.roll("random dependency", &at);
        let kinds = [DependencyKind::AfterOk, DependencyKind::AfterAny, DependencyKind::AfterNotOk];
        let kind = usize::try_from(roll.below(3)).ok().and_then(|n| kinds.get(n).copied());
        let (Some(kind), true) = (kind, roll.happens(Chance::percent(40))) else { continue };
        let is_pair = roll.happens(Chance::percent(50));
        let before = groups.get(at - 1).map(|group| (group.name.clone(), group.array));
        let (Some((name, array)), Some(group)) = (before, groups.get_mut(at)) else { continue };
        let is_pair = is_pair
            && array.is_some()
            && group.array.map(|array| array.indexes) == array.map(|array| array.indexes);
        group.after.push((name, if is_pair { DependencyKind::NToN } else { kind }));
    }
}
