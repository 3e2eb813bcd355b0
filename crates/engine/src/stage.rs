//! A plan in stages: which pool is asked about when, and for whom. With one pool and no caps on hosts or dollars there is one
//! stage, and one question in it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use spillway_core::plan::Headroom;
use spillway_core::{DemandKey, JobClass, JobId, PoolName, QueueName, ShareId};

use crate::backfill::{Hold, Making};
use crate::config::{Caps, EngineConfig, QueueRules};
use crate::dispatch::{Asked, HeldBack, IsMeant, Selection};
use crate::engine::Engine;
use crate::lane::Lane;
use crate::room::{least, left_hosts, left_price, nothing_to_buy};
use crate::waiting::GroupKey;

/// One pool, asked about for the queues that it is the next pool of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    /// None is everything there is.
    pub(crate) pool: Option<usize>,
    queues: BTreeSet<QueueName>,
    /// Whether no later stage asks about this pool.
    pub(crate) is_last: bool,
}

impl Stage {
    fn has(&self, queue: &QueueName) -> bool {
        self.pool.is_none() || self.queues.contains(queue)
    }
}

/// Who a stage is for: those of its queues for whom its pool could ever have a host.
#[derive(Debug)]
struct Meant<'a> {
    stage: &'a Stage,
    /// Of its queues, and for other pools alone.
    strangers: BTreeSet<GroupKey>,
}

impl IsMeant for Meant<'_> {
    fn is_meant(&self, queue: &QueueName) -> bool {
        self.stage.has(queue)
    }

    fn has_use_for(&self, group: &GroupKey) -> bool {
        !self.strangers.contains(group)
    }
}

impl IsMeant for Stage {
    fn is_meant(&self, queue: &QueueName) -> bool {
        self.has(queue)
    }

    fn has_use_for(&self, _group: &GroupKey) -> bool {
        true
    }
}

/// Jobs that are asked about by themselves, because of caps on hosts or dollars: a queue, or a share of one.
pub(crate) type Band = (QueueName, Option<ShareId>);

/// The stages of a plan, in order: all first pools, then all second ones.
fn stages(config: &EngineConfig, is_paused: impl Fn(usize) -> bool) -> Vec<Stage> {
    if config.pools.is_empty() {
        return vec![Stage { pool: None, queues: BTreeSet::new(), is_last: true }];
    }
    let mut stages: Vec<Stage> = Vec::new();
    let pools: BTreeMap<&QueueName, Vec<usize>> =
        config.queues.iter().map(|queue| (queue, config.pools_of(queue))).collect();
    let n_ranks = pools.values().map(Vec::len).max().unwrap_or(0);
    for rank in 0..n_ranks {
        for pool in (0..config.pools.len()).filter(|pool| !is_paused(*pool)) {
            let is_next = |pools: &Vec<usize>| pools.get(rank) == Some(&pool);
            let queues: BTreeSet<QueueName> = pools
                .iter()
                .filter(|(_, pools)| is_next(pools))
                .map(|(queue, _)| (*queue).clone())
                .collect();
            if !queues.is_empty() {
                stages.push(Stage { pool: Some(pool), queues, is_last: false });
            }
        }
    }
    // A pool of no queue is looked at too: its hosts are given back.
    for pool in 0..config.pools.len() {
        let last = stages.iter_mut().rev().find(|stage| stage.pool == Some(pool));
        if let Some(last) = last {
            last.is_last = true;
        }
    }
    stages
}

impl Engine {
    pub(crate) fn stages(&self) -> Vec<Stage> {
        stages(&self.config, |pool| self.is_pool_paused(pool))
    }

    /// Who may be offered in a stage.
    pub(crate) fn selection(
        &self,
        now: Timestamp,
        stage: &Stage,
        kept: &BTreeMap<GroupKey, u32>,
        tells_why: bool,
    ) -> Selection {
        let protected: BTreeSet<(GroupKey, JobId)> =
            self.holds.values().map(|hold| (hold.group, hold.job)).collect();
        let room = self.room(now, stage.pool, &self.holds);
        let meant = Meant { stage, strangers: self.strangers(stage) };
        let asked = Asked { room, is_meant: &meant, kept, protected: &protected, tells_why };
        self.dispatch(now).select(&asked)
    }

    /// What keeps every group back of which not all may be offered now, and the jobs that room is being made for.
    pub(crate) fn held_back_groups(&self, now: Timestamp) -> BTreeMap<GroupKey, HeldBack> {
        let mut held: BTreeMap<GroupKey, HeldBack> = BTreeMap::new();
        let mut offered: BTreeSet<GroupKey> = BTreeSet::new();
        let kept = BTreeMap::new();
        for stage in self.stages() {
            let selection = self.selection(now, &stage, &kept, true);
            for (group, why) in selection.held {
                // Who is offered in one pool is not kept back by another.
                held.insert(group, why);
            }
            held.retain(|group, _| !selection.counts.contains_key(group));
            offered.extend(selection.counts.into_keys());
        }
        for (group, _) in self.waiting.groups() {
            if !offered.contains(&group) && !held.contains_key(&group) {
                held.extend(self.waits_for_paused(&group).map(|why| (group, why)));
            }
        }
        // All but one of a group wait for the probe, and whoever is asked why may be any of them.
        let dispatch = self.dispatch(now);
        for (group, _) in self.waiting.groups() {
            let lane = self.lanes.get(group.lane);
            if let Some(why) = lane.and_then(|lane| dispatch.breakers.broken(lane)) {
                held.entry(group).or_insert(why);
            }
        }
        held
    }

    /// Jobs that are asked about together, those without caps of their own first.
    pub(crate) fn bands(&self, selection: Selection) -> Vec<(Option<Band>, Selection)> {
        let is_capped = |caps: &Caps| caps.hosts_max.is_some() || caps.price_max.is_some();
        let mut rules = self.config.queue_rules.values();
        let has_caps = |rules: &QueueRules| {
            is_capped(&rules.caps) || rules.shares.iter().any(|share| is_capped(&share.caps))
        };
        if !rules.any(has_caps) {
            return vec![(None, selection)];
        }
        let band_of = |group: &GroupKey| -> Option<Band> {
            let lane = self.lanes.get(group.lane)?;
            let rules = self.config.queue(&lane.queue);
            let share = lane.share();
            let share = is_capped(&rules.share_caps(&share)).then_some(share);
            (share.is_some() || is_capped(&rules.caps)).then(|| (lane.queue.clone(), share))
        };
        let mut bands: BTreeMap<Option<Band>, Selection> = BTreeMap::new();
        // Hosts that are of no use to anybody are found when there is nobody too.
        bands.insert(None, Selection::default());
        for (group, count) in selection.counts {
            bands.entry(band_of(&group)).or_default().counts.insert(group, count);
        }
        if let Some(picks) = selection.picks {
            for band in bands.values_mut() {
                band.picks = Some(Vec::new());
            }
            for pick in picks {
                let of = bands.entry(band_of(&pick.0)).or_default();
                of.picks.get_or_insert_default().push(pick);
            }
        }
        for band in bands.values_mut() {
            // Whoever is left out may be passed by any who wait for the pool, of its band or not.
            band.least = selection.least;
        }
        bands.into_iter().collect()
    }

    /// What may be bought for some jobs: what their pool leaves, and their own caps. A host that boots may become theirs.
    pub(crate) fn headroom_of_band(
        &self,
        now: Timestamp,
        pool: Option<usize>,
        band: Option<&Band>,
    ) -> Headroom {
        let whole = self.headroom(now, pool);
        // Room that is made for somebody is of no use to others, but says nothing of what all of them would need.
        let is_made = |hold: &Hold| matches!(hold.making, Making::Headroom(_));
        if !self.is_as_if_approved() && self.holds.values().any(is_made) {
            return nothing_to_buy(whole);
        }
        let Some((queue, share)) = band else { return whole };
        let booting = self.fleet.iter().filter(|entry| entry.host.container_instance().is_none());
        let (mut n_booting, mut price_booting) = (0_u64, 0_u64);
        for entry in booting {
            n_booting = n_booting.saturating_add(1);
            price_booting = price_booting.saturating_add(entry.host.price.get());
        }
        let rules = self.config.queue(queue);
        let mut headroom = whole;
        let mut bound = |caps: &Caps, n_hosts: u64, price: u64| {
            let hosts = left_hosts(caps.hosts_max, n_hosts.saturating_add(n_booting));
            let price = left_price(caps.price_max, price.saturating_add(price_booting));
            headroom.hosts = least(headroom.hosts, hosts);
            headroom.bound_price(price);
        };
        let of_queue = self.in_use.queue(queue);
        bound(&rules.caps, of_queue.n_hosts(), of_queue.price);
        if let Some(share) = share {
            let of_share = self.in_use.share(queue, share);
            bound(&rules.share_caps(share), of_share.n_hosts(), of_share.price);
        }
        headroom
    }

    /// Whether a group fits into nothing that any of its queue's pools has, as whichever of its alternatives.
    pub(crate) fn fits_nowhere(&self, group: &GroupKey) -> bool {
        let Some(lane) = self.lanes.get(group.lane) else { return false };
        let mut ways = self.ways_of_group(group).into_iter();
        ways.all(|class| self.admit_by_pools(&lane.queue, &[key_of(&class)]).is_err())
    }

    /// The paused pools of a group's queue that could have a host for it, if it is for those that nobody offers it.
    fn waits_for_paused(&self, group: &GroupKey) -> Option<HeldBack> {
        let queue = self.lanes.get(group.lane)?.queue.clone();
        let ways = self.ways_of_group(group);
        let could_hold = |pool: usize| {
            ways.iter().any(|class| self.admit_by_pool(Some(pool), &[key_of(class)]).is_ok())
        };
        let of_queue = self.config.pools_of(&queue).into_iter();
        let paused = of_queue.filter(|pool| self.is_pool_paused(*pool) && could_hold(*pool));
        let pools: Vec<PoolName> =
            paused.filter_map(|pool| Some(self.config.pools.get(pool)?.name.clone())).collect();
        (!pools.is_empty()).then_some(HeldBack::PoolsPaused { queue, pools })
    }

    /// The groups of a stage's queues that fit into nothing its pool has or could have, and into what another pool of their queue
    /// could: to offer them here would keep its room from those who can use it.
    fn strangers(&self, stage: &Stage) -> BTreeSet<GroupKey> {
        let mut strangers = BTreeSet::new();
        if stage.pool.is_none() {
            return strangers;
        }
        // Few sizes are asked for, by however many lanes.
        let mut known: BTreeMap<DemandKey, bool> = BTreeMap::new();
        let mut has_any = |class: &JobClass| {
            let key = key_of(class);
            *known.entry(key).or_insert_with(|| {
                self.admit_by_pool(stage.pool, &[key]).is_ok()
                    || self.fleet.iter().filter(|entry| entry.is_of(stage.pool)).any(|entry| {
                        class.allows(entry.host.traits()) && class.need.fits(&entry.host.capacity)
                    })
            })
        };
        for (ord, groups) in self.waiting.by_lane() {
            let lane = self.lanes.get(ord).filter(|lane| stage.has(&lane.queue));
            let has_choice = |lane: &Lane| 1 < self.config.pools_of(&lane.queue).len();
            if !lane.is_some_and(has_choice) {
                continue;
            }
            for (key, _) in groups {
                let is_here = self.any_way(&key, &mut has_any);
                if !is_here && !self.fits_nowhere(&key) {
                    strangers.insert(key);
                }
            }
        }
        strangers
    }
}

/// What a class asks of a host, whatever it is expected to take.
const fn key_of(class: &JobClass) -> DemandKey {
    DemandKey {
        need: class.need,
        arch: class.arch,
        gpu_kinds: class.gpu_kinds,
        market: class.market,
        expected_secs: None,
        patience_secs: 0,
        way: None,
    }
}
