//! The plan in the words of the control loop: placements, launches, and why the rest waits.

use std::collections::BTreeMap;

use spillway_core::plan::{DemandKey, Placement, Plan, Report, WaitReason, Waiting};
use spillway_core::{MicroUsdPerHour, PlanInput, PlanPolicy, Planned};

use crate::amount::Amount;
use crate::bill::host::Run;
use crate::bill::prices::Prices;
use crate::bill::world::Backlog;
use crate::bound::{UnitPrices, one_job_bound};
use crate::headroom::Left;
use crate::launch::{Wanted, launches_of};
use crate::online::queue::Queue;
use crate::online::room::Rooms;
use crate::prune::Offer;
use crate::report;
use crate::solve::Shelf;

/// What the answer is given from.
pub(crate) struct Answer<'a> {
    pub(crate) input: &'a PlanInput,
    pub(crate) policy: &'a PlanPolicy,
    pub(crate) shelf: &'a Shelf,
    pub(crate) queue: &'a Queue,
    pub(crate) is_cooling: &'a [bool],
}

/// How many jobs of each group.
type Contents = Vec<(DemandKey, u32)>;

/// Jobs of one group that have no place now.
#[derive(Debug, Clone, Copy, Default)]
struct Unstarted {
    /// Nothing is planned for so many.
    left: u32,
    /// So many are to start later; when the first of them does, and as which way.
    later: u32,
    first: Option<(u32, DemandKey)>,
}

impl Answer<'_> {
    /// `later` is what waits for room, `backlog` what nothing is planned for, `left` what may still be bought.
    pub(crate) fn planned(
        &self,
        rooms: &Rooms,
        later: &[Run],
        backlog: &Backlog,
        left: &Left,
        prices: &Prices,
    ) -> Planned {
        let wanted = self.wanted(rooms);
        let bound = self.bound(&wanted, prices);
        let (by_price, catalog) = (&self.shelf.by_price, &self.input.catalog);
        let launches = launches_of(wanted, by_price, catalog, self.policy, &self.input.headroom);
        let report = Report {
            waiting: self.waiting(later, backlog, left),
            bound: MicroUsdPerHour::new(bound),
            n_offerings: u32::try_from(self.shelf.all.len()).unwrap_or(u32::MAX),
            n_undominated: u32::try_from(prices.offers.len()).unwrap_or(u32::MAX),
        };
        let placements = self.placements(rooms);
        Planned { plan: Plan { placements, launches, ..Plan::default() }, report }
    }

    fn key(&self, run: &Run) -> DemandKey {
        self.queue.keys[run.shape][run.rank]
    }

    fn placements(&self, rooms: &Rooms) -> Vec<Placement> {
        let mut placed: BTreeMap<_, u32> = BTreeMap::new();
        for (id, room) in rooms.all.iter().filter_map(|room| Some((room.id?, room))) {
            for run in &room.first {
                let count = placed.entry((id, self.key(run))).or_insert(0);
                *count = count.saturating_add(run.count);
            }
        }
        let placement = |((host, key), count)| Placement { host, key, count };
        placed.into_iter().map(placement).collect()
    }

    /// New hosts with what they run at first, equal ones together, in the order of their offerings and contents.
    fn wanted(&self, rooms: &Rooms) -> Vec<Wanted> {
        let mut counts: BTreeMap<(usize, Contents), (Offer, Amount, u32)> = BTreeMap::new();
        for room in rooms.all.iter().filter(|room| room.id.is_none()) {
            let (mut contents, mut load) = (BTreeMap::new(), Amount::default());
            for run in &room.first {
                load = load.plus(&self.queue.world.shapes[run.shape].need, run.count);
                let count = contents.entry(self.key(run)).or_insert(0_u32);
                *count = count.saturating_add(run.count);
            }
            let (offer, contents) = (room.seat.offer, contents.into_iter().collect());
            let count = counts.entry((offer.at, contents)).or_insert((offer, load, 0));
            count.2 += 1;
        }
        let wanted =
            |((_, contents), (offer, load, count))| Wanted { offer, count, load, contents };
        counts.into_iter().map(wanted).collect()
    }

    /// What hosts cost per hour at least that hold what the launches hold.
    fn bound(&self, wanted: &[Wanted], prices: &Prices) -> u64 {
        let shapes = &self.queue.world.shapes;
        let mut held = vec![0_u64; shapes.len()];
        for host in wanted {
            for (key, n) in &host.contents {
                if let Some((shape, _)) = self.queue.place(key) {
                    held[shape] += u64::from(*n) * u64::from(host.count);
                }
            }
        }
        if wanted.is_empty() {
            return 0;
        }
        let by_units = UnitPrices::solve(shapes, &held, &prices.offers).bound(shapes, &held);
        by_units.max(one_job_bound(shapes, &held, &self.shelf.frontier))
    }

    /// Jobs that stay waiting, each key once; of several ways of the same jobs, the one with the most to hope for.
    fn waiting(&self, later: &[Run], backlog: &Backlog, left: &Left) -> Vec<Waiting> {
        let world = &self.queue.world;
        let mut unstarted: BTreeMap<DemandKey, Unstarted> = BTreeMap::new();
        for (shape, keys) in self.queue.keys.iter().enumerate() {
            for (rank, key) in keys.iter().enumerate() {
                if world.is_first_way((shape, rank)) {
                    let left = backlog.left(shape, rank);
                    unstarted.insert(*key, Unstarted { left, ..Unstarted::default() });
                }
            }
        }
        for run in later {
            let key = self.key(run);
            let first = self.queue.ways(&key).first().copied().unwrap_or(key);
            if let Some(group) = unstarted.get_mut(&first) {
                group.later = group.later.saturating_add(run.count);
                let of_run = (run.start, key);
                group.first = Some(group.first.map_or(of_run, |first| first.min(of_run)));
            }
        }
        let mut waiting = Vec::new();
        for (first, group) in unstarted {
            let count = group.left.saturating_add(group.later);
            if count == 0 {
                continue;
            }
            let (key, reason) = match group {
                Unstarted { left: 0, first: Some((in_secs, key)), .. } => {
                    (key, WaitReason::RoomExpected { in_secs })
                }
                Unstarted { .. } => self.unbought(&first, left),
            };
            waiting.push(Waiting { key, count, reason });
        }
        waiting.sort_by_key(|waiting| waiting.key);
        waiting
    }

    /// Why nothing is bought for jobs, as whichever of their ways could soonest be bought for.
    fn unbought(&self, first: &DemandKey, left: &Left) -> (DemandKey, WaitReason) {
        let ways = self.queue.ways(first);
        let is_buyable =
            |key: &&DemandKey| self.queue.place(key).is_some_and(|at| self.queue.is_buyable[at.0]);
        if let Some(key) = ways.iter().find(is_buyable) {
            return (*key, report::limited(key, &self.shelf.all, left));
        }
        let reason = |key: &DemandKey| {
            (*key, report::unbuyable(key, self.input, self.policy, self.is_cooling))
        };
        let reasons: Vec<(DemandKey, WaitReason)> = ways.iter().map(reason).collect();
        let is_for_now =
            |(_, reason): &&(DemandKey, WaitReason)| !matches!(reason, WaitReason::TooLarge(_));
        let found = reasons.iter().find(is_for_now).or(reasons.first()).cloned();
        found.unwrap_or_else(|| reason(first))
    }
}
