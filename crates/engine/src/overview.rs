//! Queues, shares, pools and consumable resources as people look at them: who waits, what is held, and why nothing starts.
//! Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use spillway_core::{
    ConsumableName, CpuUnits, Gate, Job, JobId, MiB, MicroUsdPerHour, Pausable, QueueName, ShareId,
};

use crate::config::{Caps, PoolRules};
use crate::dispatch::HeldBack;
use crate::engine::Engine;
use crate::in_use::Amount;
use crate::waiting::GroupKey;

/// What is held, in the units of caps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// CPU.
    pub cpu: CpuUnits,
    /// Memory.
    pub memory: MiB,
    /// GPUs.
    pub gpus: u32,
    /// Hosts.
    pub n_hosts: u32,
    /// Dollars per hour.
    pub price: MicroUsdPerHour,
}

fn short(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Held {
    fn of(amount: &Amount) -> Self {
        Self {
            cpu: CpuUnits::new(short(amount.cpu)),
            memory: MiB::new(short(amount.memory)),
            gpus: short(amount.gpus),
            n_hosts: short(amount.n_hosts()),
            price: MicroUsdPerHour::new(amount.price),
        }
    }

    /// Whether it is within caps.
    pub fn is_within(&self, caps: &Caps) -> bool {
        caps.cpu_max.is_none_or(|max| self.cpu <= max)
            && caps.memory_max.is_none_or(|max| self.memory <= max)
            && caps.gpus_max.is_none_or(|max| self.gpus <= max)
            && caps.hosts_max.is_none_or(|max| self.n_hosts <= max)
            && caps.price_max.is_none_or(|max| self.price <= max)
    }
}

/// A share of a queue, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareStanding {
    /// The share.
    pub share: ShareId,
    /// Jobs that may start when there is room.
    pub n_waiting: u64,
    /// Jobs on hosts.
    pub n_placed: u32,
    /// What these hold.
    pub held: Held,
    /// What it has used, as far as it still counts, in vCPU-seconds.
    pub used_vcpu_secs: u64,
}

/// A queue, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueStanding {
    /// The queue.
    pub queue: QueueName,
    /// The newest order to pause or resume it, if there ever was one.
    pub gate: Option<Gate>,
    /// Jobs that may start when there is room.
    pub n_waiting: u64,
    /// Jobs on hosts.
    pub n_placed: u32,
    /// What these hold.
    pub held: Held,
    /// Its shares that have jobs or have used something, by name.
    pub shares: Vec<ShareStanding>,
    /// Why some of its jobs are not even offered a place.
    pub held_back: Vec<HeldBack>,
}

/// Jobs of one queue that may start when there is room, and are or are not offered a place for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InLine {
    /// The queue.
    pub queue: QueueName,
    /// Why they are not offered a place; none if they are.
    pub held_back: Option<HeldBack>,
    /// How many.
    pub n_jobs: u64,
}

/// A pool, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolStanding {
    /// What the configuration says of it.
    pub rules: PoolRules,
    /// The newest order to pause or resume it, if there ever was one.
    pub gate: Option<Gate>,
    /// What its hosts have.
    pub held: Held,
    /// The queues that use it.
    pub queues: Vec<QueueName>,
}

/// A consumable resource, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumableStanding {
    /// Its name.
    pub name: ConsumableName,
    /// How much there is.
    pub total: u64,
    /// How much live attempts hold.
    pub held: u64,
}

/// Why jobs that could run are not offered a place, worked out once for all that wait.
#[derive(Debug)]
pub struct HeldBackJobs {
    groups: BTreeMap<GroupKey, HeldBack>,
    gangs: BTreeMap<JobId, HeldBack>,
    room_is_made_for: BTreeSet<JobId>,
}

impl Engine {
    /// Why jobs are not offered a place now.
    pub fn held_back(&self, now: Timestamp) -> HeldBackJobs {
        HeldBackJobs {
            groups: self.held_back_groups(now),
            gangs: self.held_back_gangs(now),
            room_is_made_for: self.holds.values().map(|hold| hold.job).collect(),
        }
    }

    /// Why a job is not offered a place, if it is in line and is not.
    pub fn why_held_back<'a>(&self, all: &'a HeldBackJobs, job: &Job) -> Option<&'a HeldBack> {
        if all.room_is_made_for.contains(&job.id) {
            return Some(&HeldBack::MakingRoom);
        }
        if job.spec.gang.is_some() {
            return all.gangs.get(&job.id.whole());
        }
        all.groups.get(&self.known_group_of(job)?)
    }

    /// All jobs that may start when there is room, counted by queue and by what holds them back, those that nothing does first. A
    /// group of which only a part may be offered a place counts as held back.
    pub fn in_line(&self, now: Timestamp) -> Vec<InLine> {
        let all = self.held_back(now);
        let groups = self.waiting.groups().filter_map(|(key, group)| {
            let queue = &self.lanes.get(key.lane)?.queue;
            Some((queue, all.groups.get(&key), u64::from(group.len())))
        });
        let gangs = self.gangs.iter().map(|(_, id, lane)| (&lane.queue, all.gangs.get(&id), 1));
        let blocked = self
            .gangs
            .blocked()
            .filter_map(|id| Some((&self.jobs.get(&id)?.spec.queue, all.gangs.get(&id), 1)));
        let mut lines: Vec<InLine> = Vec::new();
        for (queue, held_back, n_jobs) in groups.chain(gangs).chain(blocked) {
            let is_it =
                |line: &&mut InLine| line.queue == *queue && line.held_back.as_ref() == held_back;
            match lines.iter_mut().find(is_it) {
                Some(line) => line.n_jobs = line.n_jobs.saturating_add(n_jobs),
                None => lines.push(InLine {
                    queue: queue.clone(),
                    held_back: held_back.cloned(),
                    n_jobs,
                }),
            }
        }
        lines.retain(|line| 0 < line.n_jobs);
        lines.sort_by_key(|line| line.held_back.is_some());
        lines
    }

    /// All queues, in the order of the configuration.
    pub fn queue_standings(&self, now: Timestamp) -> Vec<QueueStanding> {
        let mut waiting: BTreeMap<(QueueName, ShareId), u64> = BTreeMap::new();
        for (key, group) in self.waiting.groups() {
            if let Some(lane) = self.lanes.get(key.lane) {
                let n = waiting.entry((lane.queue.clone(), lane.share())).or_default();
                *n = n.saturating_add(group.n_jobs().into());
            }
        }
        for (_, _, lane) in self.gangs.iter() {
            let n = waiting.entry((lane.queue.clone(), lane.share())).or_default();
            *n = n.saturating_add(1);
        }
        let of_groups = self.held_back_groups(now);
        let of_groups = of_groups
            .iter()
            .filter_map(|(group, why)| Some((&self.lanes.get(group.lane)?.queue, why)));
        let of_gangs = self.held_back_gangs(now);
        let of_gangs =
            of_gangs.iter().filter_map(|(id, why)| Some((&self.jobs.get(id)?.spec.queue, why)));
        let held_back: Vec<(&QueueName, &HeldBack)> = of_groups.chain(of_gangs).collect();
        let standing = |queue: &QueueName| {
            let names: BTreeSet<ShareId> = waiting
                .keys()
                .filter(|(of, _)| of == queue)
                .map(|(_, share)| share.clone())
                .chain(self.in_use.shares_of(queue).cloned())
                .collect();
            let share = |share: ShareId| {
                let amount = self.in_use.share(queue, &share);
                let used = self.in_use.used(&self.config, now, queue, &share);
                ShareStanding {
                    n_waiting: waiting
                        .get(&(queue.clone(), share.clone()))
                        .copied()
                        .unwrap_or_default(),
                    n_placed: amount.n_jobs,
                    held: Held::of(amount),
                    used_vcpu_secs: used / u64::from(CpuUnits::from_vcpus(1).get()),
                    share,
                }
            };
            let shares: Vec<ShareStanding> = names.into_iter().map(share).collect();
            let amount = self.in_use.queue(queue);
            let mut reasons: Vec<HeldBack> = Vec::new();
            for (of, why) in &held_back {
                if *of == queue && !reasons.contains(why) {
                    reasons.push(HeldBack::clone(why));
                }
            }
            QueueStanding {
                queue: queue.clone(),
                gate: self.gates.get(&Pausable::Queue(queue.clone())).copied(),
                n_waiting: shares.iter().map(|share| share.n_waiting).sum(),
                n_placed: amount.n_jobs,
                held: Held::of(amount),
                shares,
                held_back: reasons,
            }
        };
        self.config.queues.iter().map(standing).collect()
    }

    /// All pools, in the order of the configuration.
    pub fn pool_standings(&self) -> Vec<PoolStanding> {
        let standing = |(ord, rules): (usize, &PoolRules)| {
            let totals = self.totals_of(Some(ord));
            let uses = |queue: &&QueueName| self.config.pools_of(queue).contains(&ord);
            PoolStanding {
                rules: rules.clone(),
                gate: self.gates.get(&Pausable::Pool(rules.name.clone())).copied(),
                held: Held {
                    cpu: CpuUnits::new(short(totals.cpu)),
                    memory: MiB::new(short(totals.memory)),
                    gpus: short(totals.gpus),
                    n_hosts: short(totals.n_hosts),
                    price: MicroUsdPerHour::new(totals.price),
                },
                queues: self.config.queues.iter().filter(uses).cloned().collect(),
            }
        };
        self.config.pools.iter().enumerate().map(standing).collect()
    }

    /// All consumable resources, by name.
    pub fn consumable_standings(&self) -> Vec<ConsumableStanding> {
        let standing = |(name, total): (&ConsumableName, &u64)| ConsumableStanding {
            name: name.clone(),
            total: *total,
            held: self.in_use.consumed(name),
        };
        self.config.consumables.iter().map(standing).collect()
    }

    /// What the jobs of a share of a queue hold now.
    pub fn held_by_share(&self, queue: &QueueName, share: &ShareId) -> Held {
        Held::of(self.in_use.share(queue, share))
    }
}
