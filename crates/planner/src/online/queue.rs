//! What waits, in the solver's terms: shapes, durations, and by when each group must have started.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_core::plan::DemandKey;
use spillway_core::{ChoiceId, PlanInput, PlanPolicy, VariantOrd, Way};

use crate::amount::{Amount, score_of};
use crate::bill::world::{Clock, Group, Place, Ways, World};
use crate::demand::{ClassSet, Shape};
use crate::headroom::Left;
use crate::solve::Shelf;

/// Nothing is planned further ahead: a hundred years.
const DEADLINE: u32 = 3_155_760_000;

/// What a second of waiting costs, as a part of what a second of the job is worth, where nobody has patience.
const HASTE: f64 = 1.0;

/// What jobs of one shape have in common, and which way they are run where there are several.
type ShapeKey = (ClassSet, Amount, Option<Way>);

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
        let mut n_of: BTreeMap<ChoiceId, u32> = BTreeMap::new();
        for (key, (count, _)) in &asked {
            let Some(way) = key.way else { continue };
            n_of.entry(way.of).and_modify(|n| *n = (*n).min(*count)).or_insert(*count);
        }
        // Ways of the same jobs are shapes of their own: what each is worth is a matter of how long it runs.
        let mut by_shape: BTreeMap<ShapeKey, Vec<(DemandKey, Group)>> = BTreeMap::new();
        for (key, (count, waited)) in asked {
            let count = key.way.and_then(|way| n_of.get(&way.of)).map_or(count, |n| *n);
            if count == 0 {
                continue;
            }
            let secs = key.expected_secs.unwrap_or(policy.prior_secs).clamp(1, DEADLINE / 4);
            // A job for which nothing is bought may wait as long as a new host would take, or as it has patience.
            let latest = policy.boot_secs.saturating_add(key.patience_secs).saturating_sub(waited);
            let haste = if key.patience_secs == 0 { HASTE } else { 0.0 };
            let group = Group { secs, count, latest, haste, lines: Vec::new() };
            let shape = (ClassSet::of(&key), Amount::of(&key.need), key.way);
            by_shape.entry(shape).or_default().push((key, group));
        }
        let (mut shapes, mut groups, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        let mut places = BTreeMap::new();
        for ((classes, need, _), mut of_shape) in by_shape {
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
        let file_indices = Vec::new();
        let mut world = World { shapes, groups, offers, file_indices, hazards, clock, ways: None };
        world.ways = ways(&world, &places, shelf, &Left::of(&input.headroom));
        Self { world, keys, is_buyable, places }
    }

    /// The keys that are the same jobs as one, that among them, the cheapest way first.
    pub(crate) fn ways(&self, key: &DemandKey) -> Vec<DemandKey> {
        let place = self.place(key);
        let ways = self.world.ways.as_ref().zip(place).and_then(|(ways, at)| ways.of_place(at));
        let of_ways = ways.map(|ways| ways.iter().map(|(shape, rank)| self.keys[*shape][*rank]));
        of_ways.map_or_else(|| vec![*key], Iterator::collect)
    }

    /// Of each set of ways the cheapest.
    pub(crate) fn cheapest_ways(&self) -> BTreeMap<ChoiceId, DemandKey> {
        let sets = self.world.ways.iter().flat_map(|ways| ways.sets());
        let first = |set: &Vec<Place>| {
            let (shape, rank) = set.first()?;
            let key = self.keys[*shape][*rank];
            Some((key.way?.of, key))
        };
        sets.filter_map(first).collect()
    }

    /// What one job of each set of ways is expected to cost each way, the cheapest first: millionths of a dollar.
    pub(crate) fn costs_of_ways(
        &self,
        market: &Shelf,
        left: &Left,
    ) -> BTreeMap<ChoiceId, Vec<(DemandKey, f64)>> {
        const SECS_PER_HOUR: f64 = 3600.0;
        let mut costs: BTreeMap<ChoiceId, Vec<(DemandKey, f64)>> = BTreeMap::new();
        for (shape, rank) in self.world.ways.iter().flat_map(|ways| ways.sets()).flatten() {
            let key = self.keys[*shape][*rank];
            let count = f64::from(self.world.groups[*shape][*rank].count.max(1));
            if let Some(way) = key.way {
                let cost = cost_of(&self.world, (*shape, *rank), market, left);
                costs.entry(way.of).or_default().push((key, cost / count / SECS_PER_HOUR));
            }
        }
        costs
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

/// The groups that are the same jobs; of each set the way first that is expected to cost least on new hosts.
fn ways(
    world: &World,
    places: &BTreeMap<DemandKey, Place>,
    shelf: &Shelf,
    left: &Left,
) -> Option<Arc<Ways>> {
    let mut sets: BTreeMap<ChoiceId, Vec<(VariantOrd, Place)>> = BTreeMap::new();
    for (key, place) in places {
        if let Some(Way { of, ord }) = key.way {
            sets.entry(of).or_default().push((ord, *place));
        }
    }
    let ranked = |set: Vec<(VariantOrd, Place)>| {
        let cost =
            |(ord, place): (VariantOrd, Place)| (cost_of(world, place, shelf, left), ord, place);
        let mut ranked: Vec<(f64, VariantOrd, Place)> = set.into_iter().map(cost).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        ranked.into_iter().map(|(_, _, place)| place).collect()
    };
    Ways::of(sets.into_values().map(ranked).collect())
}

/// What all jobs of a group are expected to cost on new hosts of their own, with what interruptions take; without end where
/// nothing can be bought for them.
fn cost_of(world: &World, (shape, rank): Place, shelf: &Shelf, left: &Left) -> f64 {
    let (of_shape, group) = (&world.shapes[shape], &world.groups[shape][rank]);
    let (clock, mut least) = (world.clock, f64::INFINITY);
    for offer in &shelf.frontier {
        let times = of_shape.need.times_in(&offer.capacity);
        if !of_shape.classes.has(offer.class) || times == 0 || left.times(offer) == 0 {
            continue;
        }
        let n_hosts = f64::from(group.count.div_ceil(times));
        let paid = f64::from(group.secs.saturating_add(clock.boot).max(clock.billed_min));
        let lost = 1.0 + world.loss(offer, group.secs);
        least = least.min(score_of(offer.price) * n_hosts * paid * lost);
    }
    least
}
