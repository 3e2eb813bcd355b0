//! Small scenarios by the thousand: each seed is another world, other faults and other jobs.
//!
//! Faults end after some hours, so that everything must come to rest (see `S2` in [`crate::invariants`]).

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use spillway_core::array::Indexes;
use spillway_core::{ArraySpec, CpuUnits, DependencyKind, Market, MiB, Quota, QuotaGroup};
use spillway_engine::EngineConfig;

use super::Scenario;
use super::duration::Distribution;
use super::estimate::Estimate;
use super::workload::{Arrival, JobGroup, Size, Workload};
use crate::dice::{Dice, Roll};
use crate::setting::{Chance, Spread};
use crate::world::{Faults, PoolPattern, PoolRule, Reclaim, WorldConfig};

/// When faults end.
const FAULTS_UNTIL: SignedDuration = SignedDuration::from_hours(3);

/// By when all must be at rest.
const LIMIT: SignedDuration = SignedDuration::from_hours(30);

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

    let mut roll = dice.roll("random workload", &"");
    let n_groups = 1 + roll.below(4);
    let mut groups: Vec<JobGroup> =
        (0..n_groups).filter_map(|ord| random_group(dice, ord, &engine)).collect();
    relate(dice, &mut groups);
    if world.pools.iter().any(|rule| rule.capacity == Some(0)) {
        // Where there is never any Spot, a job that insists on it would rightly wait for ever.
        for group in groups.iter_mut().filter(|g| g.market.as_deref() == Some("spot")) {
            group.market = Some("any".to_owned());
        }
    }
    Scenario {
        name: format!("random-{seed}"),
        seed,
        start: "2026-01-05T00:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH),
        limit: LIMIT,
        engine,
        world,
        workload: Workload { groups, raw: Vec::new() },
    }
}

fn pick<T: Copy + Default>(roll: &mut Roll, from: &[T]) -> T {
    let n = u64::try_from(from.len()).unwrap_or(0);
    let at = usize::try_from(roll.below(n)).unwrap_or(0);
    from.get(at).copied().unwrap_or_default()
}

/// A chance that is none at all in about two of three scenarios.
fn maybe(dice: Dice, purpose: &str, highest: Chance) -> Chance {
    let mut roll = dice.roll("random fault", &purpose);
    if !roll.happens(Chance::percent(35)) {
        return Chance::NEVER;
    }
    let ppm = 1 + roll.below(u64::from(highest.ppm()));
    Chance::from_ppm(u32::try_from(ppm).unwrap_or(0))
}

fn random_faults(dice: Dice) -> Faults {
    let maybe = |purpose: &str, percent| maybe(dice, purpose, Chance::percent(percent));
    Faults {
        until: Some(FAULTS_UNTIL),
        message_duplicates: maybe("message duplicates", 50),
        event_duplicates: maybe("event duplicates", 50),
        event_losses: maybe("event losses", 60),
        unsettled_calls: maybe("unsettled calls", 15),
        throttled_calls: maybe("throttled calls", 20),
        dry_pools: maybe("dry pools", 60),
        unregistered_hosts: maybe("unregistered hosts", 15),
        host_deaths: maybe("host deaths", 50),
        agent_absences: maybe("agent absences", 100),
        pull_failures: maybe("pull failures", 10),
        missing_notices: maybe("missing notices", 50),
        crashes: maybe("crashes", 5),
    }
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
    Some(JobGroup {
        name: format!("group-{ord}").parse().ok()?,
        count: u32::try_from(1 + roll.below(14)).unwrap_or(1),
        queue: engine.queues.first()?.clone(),
        image: pick(
            &mut roll,
            &["busybox:1.36", "busybox:1.36", "busybox:1.36", "missing/x", "stuck/x", "tool:2"],
        )
        .to_owned(),
        command: None,
        sizes: vec![Size::only(
            CpuUnits::new(pick(&mut roll, &[256, 512, 1024, 2048, 4096, 8192])),
            MiB::new(pick(&mut roll, &[128, 512, 1000, 2000, 4096, 7900, 16_000, 30_000])),
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
        timeout: has_timeout.then_some(SignedDuration::from_secs(90)),
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
        nodes: random_nodes(dice, ord),
        after: Vec::new(),
    })
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

/// One in six of the groups that are not of arrays is of multi-node jobs.
fn random_nodes(dice: Dice, ord: u64) -> Option<u32> {
    let mut roll = dice.roll("random nodes", &ord);
    let is_one = random_array(dice, ord).is_none() && roll.happens(Chance::percent(17));
    is_one.then(|| pick(&mut roll, &[1, 2, 3, 5]))
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
