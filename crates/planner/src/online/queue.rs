//! What waits, in the solver's terms: shapes, durations, and by when each group must have started.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;
use spillway_core::{PlanInput, PlanPolicy};

use crate::amount::Amount;
use crate::bill::world::{Clock, Group, World};
use crate::demand::{ClassSet, Shape, class_of};
use crate::solve::Shelf;

/// Nothing is planned further ahead: a hundred years.
const DEADLINE: u32 = 3_155_760_000;

/// All that waits.
pub(crate) struct Queue {
    /// Shapes and groups. Times are seconds from now.
    pub(crate) world: World,
    /// The key of each group.
    pub(crate) keys: Vec<Vec<DemandKey>>,
    /// For each shape whether anything that can be bought now holds it.
    pub(crate) is_buyable: Vec<bool>,
    places: BTreeMap<DemandKey, (usize, usize)>,
}

impl Queue {
    pub(crate) fn new(input: &PlanInput, policy: &PlanPolicy, shelf: &Shelf) -> Self {
        let mut asked: BTreeMap<DemandKey, (u32, u32)> = BTreeMap::new();
        for demand in &input.demands {
            let (count, waited) = asked.entry(demand.key).or_insert((0, 0));
            *count = count.saturating_add(demand.count);
            *waited = (*waited).max(demand.waited_secs);
        }
        let mut by_shape: BTreeMap<(ClassSet, Amount), Vec<(DemandKey, Group)>> = BTreeMap::new();
        for (key, (count, waited)) in asked {
            if count == 0 {
                continue;
            }
            let secs = key.expected_secs.unwrap_or(policy.prior_secs).clamp(1, DEADLINE / 4);
            // A job for which nothing is bought may wait as long as a new host would take, or as it has patience.
            let latest = policy.boot_secs.saturating_add(key.patience_secs).saturating_sub(waited);
            let haste = if key.patience_secs == 0 { env("ALPHA", 1.0) } else { 0.0 };
            let is_expected = false;
            let group = Group { secs, count, latest, is_expected, haste, lines: Vec::new() };
            let shape = (ClassSet::of(&key), Amount::of(&key.need));
            by_shape.entry(shape).or_default().push((key, group));
        }
        let (mut shapes, mut groups, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut places = BTreeMap::new();
        for ((classes, need), mut of_shape) in by_shape {
            of_shape.sort_by_key(|(key, group)| (Reverse(group.secs), group.latest, *key));
            let count = of_shape.iter().map(|(_, group)| u64::from(group.count)).sum();
            for (rank, (key, _)) in of_shape.iter().enumerate() {
                places.insert(*key, (shapes.len(), rank));
            }
            shapes.push(Shape { need, classes, count, groups: Vec::new() });
            let (of_keys, of_groups): (Vec<_>, Vec<_>) = of_shape.into_iter().unzip();
            keys.push(of_keys);
            groups.push(of_groups);
        }
        expect(input, policy, &mut shapes, &mut groups, &mut keys);
        let holds = |shape: &Shape| {
            let mut offers = shelf.frontier.iter();
            offers.any(|o| shape.classes.has(o.class) && shape.need.fits(&o.capacity))
        };
        let is_buyable = shapes.iter().map(holds).collect();
        let hazards = input.catalog.offerings().iter().map(|o| o.hazard.get()).collect();
        // EC2 bills 60 s at least.
        let clock = Clock { boot: policy.boot_secs, billed_min: 60, deadline: DEADLINE };
        let offers = shelf.by_price.clone();
        let world = World { shapes, groups, offers, file_indices: Vec::new(), hazards, clock };
        Self { world, keys, is_buyable, places }
    }

    /// The groups of jobs that have not come yet.
    pub(crate) fn expected(&self) -> impl Iterator<Item = (usize, usize)> {
        let groups = self.world.groups.iter().enumerate();
        groups.filter_map(|(shape, of_shape)| {
            Some((shape, of_shape.iter().position(|group| group.is_expected)?))
        })
    }

    /// The shape and group of a key.
    pub(crate) fn place(&self, key: &DemandKey) -> Option<(usize, usize)> {
        self.places.get(key).copied()
    }

    /// The last moment at which any of what waits may start on a host there is.
    pub(crate) fn latest(&self) -> u32 {
        let real = self.world.groups.iter().flatten().filter(|group| !group.is_expected);
        real.map(|group| group.latest).max().unwrap_or(0)
    }

    /// The least that any of what waits needs, in each dimension by itself.
    pub(crate) fn least(&self) -> Amount {
        let mut least = Amount([u32::MAX; 3]);
        for (shape, _) in self.world.shapes.iter().zip(&self.keys).filter(|(_, k)| !k.is_empty()) {
            least = least.clipped_to(&shape.need);
        }
        least
    }
}

/// Adds jobs that may be expected to come: for so many that run or wait one more of the same kind.
fn expect(
    input: &PlanInput,
    policy: &PlanPolicy,
    shapes: &mut Vec<Shape>,
    groups: &mut Vec<Vec<Group>>,
    keys: &mut Vec<Vec<DemandKey>>,
) {
    let part: u64 = std::env::var("GAMMA").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    if part == 0 {
        return;
    }
    let mut running: BTreeMap<(usize, Amount), u64> = BTreeMap::new();
    for host in &input.hosts {
        let class = class_of(host.arch, host.market);
        for busy in &host.busy {
            let n = running.entry((class, Amount::of(&busy.need))).or_insert(0);
            *n += u64::from(busy.count);
        }
        for (key, count) in &host.reserved {
            let n = running.entry((class, Amount::of(&key.need))).or_insert(0);
            *n += u64::from(*count);
        }
    }
    let mut counts: BTreeMap<(ClassSet, Amount), u64> = BTreeMap::new();
    for (shape, of_groups) in shapes.iter().zip(groups.iter()) {
        let n: u64 = of_groups.iter().map(|g| u64::from(g.count)).sum();
        counts.insert((shape.classes, shape.need), n);
    }
    for ((class, need), n) in running {
        let known = counts
            .iter_mut()
            .find(|((classes, of_shape), _)| *of_shape == need && classes.has(class));
        match known {
            Some((_, count)) => *count += n,
            None => {
                counts.insert((ClassSet::only(class), need), n);
            }
        }
    }
    for ((classes, need), n) in counts {
        let count = u32::try_from((n * 100 / part + 50) / 100).unwrap_or(u32::MAX);
        if count == 0 {
            continue;
        }
        let group = Group {
            secs: policy.prior_secs,
            count,
            latest: 0,
            is_expected: true,
            haste: 0.0,
            lines: Vec::new(),
        };
        match shapes.iter().position(|s| s.classes == classes && s.need == need) {
            Some(at) => {
                shapes[at].count += u64::from(count);
                groups[at].push(group);
            }
            None => {
                shapes.push(Shape { need, classes, count: count.into(), groups: Vec::new() });
                groups.push(vec![group]);
                keys.push(Vec::new());
            }
        }
    }
}

pub(crate) fn env(n: &str, d: f64) -> f64 {
    std::env::var(n).ok().and_then(|s| s.parse().ok()).unwrap_or(d)
}
