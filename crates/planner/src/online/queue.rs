//! What waits, in the solver's terms: shapes, durations, and by when each group must have started.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use spillway_core::plan::DemandKey;
use spillway_core::{PlanInput, PlanPolicy};

use crate::amount::Amount;
use crate::bill::world::{Clock, Group, World};
use crate::demand::{ClassSet, Shape};
use crate::solve::Shelf;

/// Nothing is planned further ahead: a hundred years.
const DEADLINE: u32 = 3_155_760_000;

/// What a second of waiting costs, as a part of what a second of the job is worth, where nobody has patience.
const HASTE: f64 = 1.0;

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
            let haste = if key.patience_secs == 0 { HASTE } else { 0.0 };
            let group = Group { secs, count, latest, haste, lines: Vec::new() };
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

    /// The shape and group of a key.
    pub(crate) fn place(&self, key: &DemandKey) -> Option<(usize, usize)> {
        self.places.get(key).copied()
    }

    /// The last moment at which any of what waits may start on a host there is.
    pub(crate) fn latest(&self) -> u32 {
        let real = self.world.groups.iter().flatten();
        real.map(|group| group.latest).max().unwrap_or(0)
    }

    /// The least that any of what waits needs, in each dimension by itself.
    pub(crate) fn least(&self) -> Amount {
        let mut least = Amount([u32::MAX; 3]);
        for shape in &self.world.shapes {
            least = least.clipped_to(&shape.need);
        }
        least
    }
}
