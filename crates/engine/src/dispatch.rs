//! Who goes first: queues by priority, shares by what they have used, jobs by priority and by when they came. Says which of the
//! waiting jobs the planner may be asked about, and why the others are not; buys and places nothing.
//!
//! Where there is enough for all, nobody is ordered: that costs a look at every group of equal jobs, however many wait. Where
//! there is not, the line is walked until what there is is spoken for.

mod held_back;
mod remaining;
mod reservation;
mod rooms;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use spillway_core::{BreakerId, Gate, JobId, Pausable, QueueName, Resources, ShareId};

pub use held_back::HeldBack;
pub(crate) use rooms::{Room, Rooms};

use crate::breakers::Breakers;
use crate::budgets::Budgets;
use crate::config::EngineConfig;
use crate::gang::GangLine;
use crate::in_use::InUse;
use crate::lane::{Lane, LaneOrd, Lanes};
use crate::waiting::{GroupKey, Waiting};
use remaining::Remaining;
use walk::Walk;

/// All that a selection rests on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dispatch<'a> {
    pub(crate) now: Timestamp,
    pub(crate) config: &'a EngineConfig,
    pub(crate) waiting: &'a Waiting,
    pub(crate) gangs: &'a GangLine,
    pub(crate) lanes: &'a Lanes,
    pub(crate) in_use: &'a InUse,
    pub(crate) gates: &'a BTreeMap<Pausable, Gate>,
    pub(crate) breakers: &'a Breakers,
    pub(crate) budgets: &'a Budgets,
}

/// Who is meant, what there is for them, and who is spoken for already.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) room: Rooms,
    pub(crate) is_meant: &'a dyn IsMeant,
    /// How many of each group have been given a place that they do not have yet.
    pub(crate) kept: &'a BTreeMap<GroupKey, u32>,
    /// Jobs that are not offered, because room is being made for them.
    pub(crate) protected: &'a BTreeSet<(GroupKey, JobId)>,
    /// Whether everybody is to be told what keeps them back. Where nobody asks, the line is left when nothing is left to hand
    /// out.
    pub(crate) tells_why: bool,
}

/// Whether a queue's jobs are asked about.
pub(crate) trait IsMeant: std::fmt::Debug {
    fn is_meant(&self, queue: &QueueName) -> bool;

    /// Whether a group's jobs are, if their queue's are.
    fn has_use_for(&self, group: &GroupKey) -> bool;
}

/// All queues are.
#[derive(Debug)]
pub(crate) struct Everyone;

impl IsMeant for Everyone {
    fn is_meant(&self, _queue: &QueueName) -> bool {
        true
    }

    fn has_use_for(&self, _group: &GroupKey) -> bool {
        true
    }
}

/// Who may be offered to the planner now.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// How many of each group, from its front.
    pub(crate) counts: BTreeMap<GroupKey, u32>,
    /// The same one by one, first first; none if all of these groups are offered whole.
    pub(crate) picks: Option<Vec<(GroupKey, JobId)>>,
    /// Why no more of a group is.
    pub(crate) held: BTreeMap<GroupKey, HeldBack>,
    /// The first that there is no room for.
    pub(crate) head: Option<(GroupKey, JobId)>,
    /// Whether the walk ended before the line did.
    pub(crate) is_cut: bool,
    /// The least of each resource that somebody who waits needs.
    pub(crate) least: Option<Resources>,
}

impl Dispatch<'_> {
    /// Who may be offered.
    pub(crate) fn select(&self, asked: &Asked<'_>) -> Selection {
        let mut selection = Selection::default();
        let mut totals: BTreeMap<LaneOrd, (&Lane, Total)> = BTreeMap::new();
        let mut all: Vec<(GroupKey, u32, &Lane)> = Vec::new();
        let mut probed = self.probed_by_kept(asked);
        for (ord, groups) in self.waiting.by_lane() {
            let Some(lane) = self.lanes.get(ord) else { continue };
            if !asked.is_meant.is_meant(&lane.queue) {
                continue;
            }
            let shut = self.shut(lane);
            for (key, group) in groups.filter(|(key, _)| asked.is_meant.has_use_for(key)) {
                let need = key.class.need;
                let of_key = key.class.least();
                selection.least =
                    Some(selection.least.map_or(of_key, |least| least.each_min(&of_key)));
                if let Some(why) = &shut {
                    selection.held.insert(key, why.clone());
                    continue;
                }
                let kept = asked.kept.get(&key).copied().unwrap_or(0);
                let mut n = group.len().saturating_sub(kept);
                let breakers = self.breakers.probed_by(lane);
                if !breakers.is_empty() && 0 < n {
                    // One job is the probe, whichever lanes and groups wait for what it shows.
                    n = u32::from(!breakers.iter().any(|id| probed.contains(id)));
                    probed.extend(breakers);
                    selection.held.extend(self.breakers.broken(lane).map(|why| (key, why)));
                }
                totals.entry(ord).or_insert((lane, Total::default())).1.add(&need, n);
                all.push((key, n, lane));
            }
        }
        let lanes = || totals.values().map(|(lane, _)| *lane);
        let mut remaining = Remaining::new(self, asked, lanes());
        let mut ranks = lanes().map(|lane| self.rank(lane));
        let first = ranks.next();
        if ranks.all(|rank| Some(&rank) == first.as_ref()) {
            // Where nobody goes before anybody but by when they came, the planner may take those that are cheapest together;
            // `backfill` sees to it that nobody is passed for ever.
            remaining.room = Rooms::ENDLESS;
        }
        if remaining.holds(totals.values().map(|(lane, total)| (*lane, total))) {
            for (key, n, _) in all {
                let is_here = |protected: &&(GroupKey, JobId)| protected.0 == key;
                let n_protected = asked.protected.iter().filter(is_here).count();
                let n = n.saturating_sub(u32::try_from(n_protected).unwrap_or(u32::MAX));
                if 0 < n {
                    selection.counts.insert(key, n);
                }
            }
            return selection;
        }
        Walk::new(self, asked, &all).run(&mut remaining, &mut selection);
        selection
    }

    /// Why nothing of a lane starts at all.
    pub(crate) fn shut(&self, lane: &Lane) -> Option<HeldBack> {
        let is_paused =
            |target: &Pausable| self.gates.get(target).is_some_and(|gate| gate.is_paused);
        if is_paused(&Pausable::Queue(lane.queue.clone())) {
            return Some(HeldBack::QueuePaused { queue: lane.queue.clone() });
        }
        if !self.config.pools.is_empty() {
            let pools = self.config.pools_of(&lane.queue);
            let pools = || pools.iter().filter_map(|ord| self.config.pools.get(*ord));
            if pools().all(|pool| is_paused(&Pausable::Pool(pool.name.clone()))) {
                let pools = pools().map(|pool| pool.name.clone()).collect();
                return Some(HeldBack::PoolsPaused { queue: lane.queue.clone(), pools });
            }
        }
        if let Some(why) = self.budgets.shut(lane) {
            return Some(why);
        }
        let missing =
            lane.consumes.keys().find(|name| !self.config.consumables.contains_key(*name));
        if let Some(name) = missing {
            return Some(HeldBack::Consumable { name: name.clone(), needed: 1, free: 0, total: 0 });
        }
        self.breakers.shut(self.now, lane)
    }

    /// What those who have been given a place that they do not have yet will be a probe of.
    fn probed_by_kept(&self, asked: &Asked<'_>) -> BTreeSet<&BreakerId> {
        if self.breakers.is_empty() {
            return BTreeSet::new();
        }
        let kept = asked.kept.iter().filter(|(_, n)| 0 < **n);
        let lanes = kept.filter_map(|(key, _)| self.lanes.get(key.lane));
        lanes.flat_map(|lane| self.breakers.probed_by(lane)).collect()
    }

    /// The groups of a demand in the order in which their lanes go, as far as one goes before another whatever its jobs are:
    /// each list is one line.
    pub(crate) fn by_rank(&self, keys: &[GroupKey]) -> Vec<Vec<GroupKey>> {
        let mut ranked: BTreeMap<Rank, Vec<GroupKey>> = BTreeMap::new();
        for key in keys {
            let Some(lane) = self.lanes.get(key.lane) else { continue };
            ranked.entry(self.rank(lane)).or_default().push(*key);
        }
        ranked.into_values().collect()
    }

    pub(crate) fn rank(&self, lane: &Lane) -> Rank {
        let rules = self.config.queue(&lane.queue);
        let share = rules.fair_share.is_some().then(|| {
            let share = lane.share();
            (self.score(&lane.queue, &share), share)
        });
        (u32::MAX - rules.priority, share, u16::MAX - lane.priority)
    }

    /// How much a share has had, for what it should have; who has had least goes first. What it holds now counts as if it
    /// had held it for as long as what was used takes to halve: what starts together is shared too.
    fn score(&self, queue: &QueueName, share: &ShareId) -> u128 {
        let used = self.in_use.used(self.config, self.now, queue, share);
        let held = self.in_use.share(queue, share).cpu;
        self.score_of(queue, share, used, held)
    }

    fn score_of(&self, queue: &QueueName, share: &ShareId, used: u64, held: u64) -> u128 {
        self.scale(queue, share).score(used, held)
    }

    /// What a share's score is made with.
    fn scale(&self, queue: &QueueName, share: &ShareId) -> Scale {
        let rules = self.config.queue(queue);
        let decay = rules.fair_share.unwrap_or_default().decay.as_secs();
        Scale { decay_secs: decay.max(1).unsigned_abs(), weight: rules.weight(share).parts() }
    }
}

/// What a share's score is made with: how long what it used takes to halve, and its weight.
#[derive(Debug, Clone, Copy, Default)]
struct Scale {
    decay_secs: u64,
    weight: u32,
}

impl Scale {
    fn score(self, used: u64, held: u64) -> u128 {
        let held = u128::from(held) * u128::from(self.decay_secs);
        (u128::from(used) + held) * u128::from(self.weight)
    }
}

/// Queues by priority, shares by their score, lanes by priority.
pub(crate) type Rank = (u32, Option<(u128, ShareId)>, u16);

/// What all jobs of a lane need together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Total {
    cpu: u64,
    memory: u64,
    gpus: u64,
    n_jobs: u64,
}

impl Total {
    fn add(&mut self, need: &Resources, n: u32) {
        let n = u64::from(n);
        let sum = |sum: u64, each: u32| sum.saturating_add(u64::from(each).saturating_mul(n));
        self.cpu = sum(self.cpu, need.cpu.get());
        self.memory = sum(self.memory, need.memory.get());
        self.gpus = sum(self.gpus, need.gpus);
        self.n_jobs = self.n_jobs.saturating_add(n);
    }
}

#[cfg(test)]
mod tests;
