//! What live attempts hold, by queue, share and consumable resource, and what shares have used. Derived from the jobs' states
//! at every move, so that nothing can be held twice or not be given back; only what was used is remembered in the ledger.

mod together;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use spillway_core::{
    Change, ConsumableName, HostId, JobId, MicroUsdPerHour, QueueName, Resources, ShareId, ShareUse,
};
pub(crate) use together::Together;

use crate::config::{CapKind, Caps, EngineConfig};
use crate::lane::Lane;

/// What some jobs hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) cpu: u64,
    pub(crate) memory: u64,
    pub(crate) gpus: u64,
    pub(crate) price: u64,
    /// The hosts they are on, with how many are.
    hosts: BTreeMap<HostId, u32>,
    pub(crate) n_jobs: u32,
}

/// What whoever has no jobs on hosts holds.
static NOTHING: Amount =
    Amount { cpu: 0, memory: 0, gpus: 0, price: 0, hosts: BTreeMap::new(), n_jobs: 0 };

impl Amount {
    pub(crate) fn n_hosts(&self) -> u64 {
        u64::try_from(self.hosts.len()).unwrap_or(u64::MAX)
    }

    fn add(&mut self, holding: &Holding) {
        self.cpu = self.cpu.saturating_add(holding.need.cpu.get().into());
        self.memory = self.memory.saturating_add(holding.need.memory.get().into());
        self.gpus = self.gpus.saturating_add(holding.need.gpus.into());
        self.price = self.price.saturating_add(holding.price.get());
        self.n_jobs = self.n_jobs.saturating_add(1);
        *self.hosts.entry(holding.host).or_default() += 1;
    }

    fn take(&mut self, holding: &Holding) {
        self.cpu = self.cpu.saturating_sub(holding.need.cpu.get().into());
        self.memory = self.memory.saturating_sub(holding.need.memory.get().into());
        self.gpus = self.gpus.saturating_sub(holding.need.gpus.into());
        self.price = self.price.saturating_sub(holding.price.get());
        self.n_jobs = self.n_jobs.saturating_sub(1);
        if let Some(n) = self.hosts.get_mut(&holding.host) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                self.hosts.remove(&holding.host);
            }
        }
    }

    /// The cap that another job on this host would break.
    fn broken_by(&self, caps: &Caps, holding: &Holding) -> Option<CapKind> {
        let adds_host = u64::from(!self.hosts.contains_key(&holding.host));
        let exceeds = |max: Option<u64>, held: u64, more: u64| {
            max.is_some_and(|max| max < held.saturating_add(more))
        };
        let need = &holding.need;
        let broken = [
            (caps.cpu_max.map(|n| n.get().into()), self.cpu, need.cpu.get().into(), CapKind::Vcpus),
            (
                caps.memory_max.map(|n| n.get().into()),
                self.memory,
                need.memory.get().into(),
                CapKind::Memory,
            ),
            (caps.gpus_max.map(u64::from), self.gpus, need.gpus.into(), CapKind::Gpus),
            (caps.hosts_max.map(u64::from), self.n_hosts(), adds_host, CapKind::Hosts),
            (
                caps.price_max.map(MicroUsdPerHour::get),
                self.price,
                holding.price.get(),
                CapKind::Price,
            ),
        ];
        broken.into_iter().find(|(max, held, more, _)| exceeds(*max, *held, *more)).map(|b| b.3)
    }
}

/// What one live attempt holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) lane: Lane,
    pub(crate) need: Resources,
    pub(crate) host: HostId,
    /// Its share of the host's price.
    pub(crate) price: MicroUsdPerHour,
}

/// What a share holds and has used.
#[derive(Debug, Default)]
pub(crate) struct Share {
    pub(crate) amount: Amount,
    /// In 1/1024 vCPU times seconds, as of `as_of_sec`.
    used: u64,
    as_of_sec: i64,
}

impl Share {
    /// What it has used up to `now_sec`. At every whole multiple of `decay_secs` since 1970 what was used is halved, for all
    /// shares at the same moments: halving never changes who has used more.
    fn used_at(&self, now_sec: i64, decay_secs: i64) -> u64 {
        let mut used = self.used;
        let mut at = self.as_of_sec;
        let grown = |used: u64, secs: i64| {
            used.saturating_add(self.amount.cpu.saturating_mul(u64::try_from(secs).unwrap_or(0)))
        };
        for _ in 0..u64::BITS {
            let next = (at.div_euclid(decay_secs) + 1).saturating_mul(decay_secs);
            if now_sec < next {
                return grown(used, now_sec.saturating_sub(at).max(0));
            }
            used = grown(used, next - at) / 2;
            at = next;
        }
        // All that was used before has been halved away: what remains is what it holds, counted for one period.
        grown(0, decay_secs)
    }
}

/// What is held by whom, and what was used.
#[derive(Debug, Default)]
pub(crate) struct InUse {
    holdings: BTreeMap<JobId, Holding>,
    queues: BTreeMap<QueueName, Amount>,
    shares: BTreeMap<(QueueName, ShareId), Share>,
    consumed: BTreeMap<ConsumableName, u64>,
    /// Shares whose use must be written.
    touched: BTreeSet<(QueueName, ShareId)>,
}

impl InUse {
    pub(crate) fn new(shares: BTreeMap<(QueueName, ShareId), ShareUse>) -> Self {
        let share = |share: ShareUse| Share {
            amount: Amount::default(),
            used: share.used,
            as_of_sec: share.as_of_sec,
        };
        let shares = shares.into_iter().map(|(key, used)| (key, share(used))).collect();
        Self { shares, ..Self::default() }
    }

    /// After a restart: a job holds this, and has since its share was last written.
    pub(crate) fn resume(&mut self, id: JobId, holding: Holding) {
        self.add(id, holding);
    }

    /// A job holds this now, or nothing.
    pub(crate) fn hold(
        &mut self,
        config: &EngineConfig,
        now: Timestamp,
        id: JobId,
        holding: Option<Holding>,
    ) {
        if self.holdings.get(&id) == holding.as_ref() {
            return;
        }
        if let Some(before) = self.holdings.remove(&id) {
            self.touch(config, now, &before.lane);
            self.remove(&before);
        }
        if let Some(holding) = holding {
            self.touch(config, now, &holding.lane);
            self.add(id, holding);
        }
    }

    /// Brings what a share has used up to now, before it holds more or less.
    fn touch(&mut self, config: &EngineConfig, now: Timestamp, lane: &Lane) {
        let Some(decay_secs) = decay_secs(config, &lane.queue) else { return };
        let key = (lane.queue.clone(), lane.share());
        let share = self
            .shares
            .entry(key.clone())
            .or_insert_with(|| Share { as_of_sec: now.as_second(), ..Share::default() });
        share.used = share.used_at(now.as_second(), decay_secs);
        share.as_of_sec = share.as_of_sec.max(now.as_second());
        self.touched.insert(key);
    }

    fn add(&mut self, id: JobId, holding: Holding) {
        self.queues.entry(holding.lane.queue.clone()).or_default().add(&holding);
        let key = (holding.lane.queue.clone(), holding.lane.share());
        self.shares.entry(key).or_default().amount.add(&holding);
        for (name, quantity) in &holding.lane.consumes {
            let held = self.consumed.entry(name.clone()).or_default();
            *held = held.saturating_add(*quantity);
        }
        self.holdings.insert(id, holding);
    }

    fn remove(&mut self, holding: &Holding) {
        if let Some(amount) = self.queues.get_mut(&holding.lane.queue) {
            amount.take(holding);
        }
        let key = (holding.lane.queue.clone(), holding.lane.share());
        if let Some(share) = self.shares.get_mut(&key) {
            share.amount.take(holding);
            let is_over = share.amount.n_jobs == 0 && share.used == 0;
            if is_over && !self.touched.contains(&key) {
                self.shares.remove(&key);
            }
        }
        for (name, quantity) in &holding.lane.consumes {
            if let Some(held) = self.consumed.get_mut(name) {
                *held = held.saturating_sub(*quantity);
            }
        }
    }

    /// What must be written of what was used; what has faded to nothing is forgotten.
    pub(crate) fn take_changes(&mut self, changes: &mut Vec<Change>) {
        for (queue, share) in std::mem::take(&mut self.touched) {
            let key = (queue.clone(), share.clone());
            let Some(of) = self.shares.get(&key) else { continue };
            let is_over = of.used == 0 && of.amount.n_jobs == 0;
            let used = (!is_over).then_some(ShareUse { used: of.used, as_of_sec: of.as_of_sec });
            if is_over {
                self.shares.remove(&key);
            }
            changes.push(Change::PutShare { queue, share, used });
        }
    }

    /// What the jobs of a queue hold.
    pub(crate) fn queue(&self, queue: &QueueName) -> &Amount {
        self.queues.get(queue).unwrap_or(&NOTHING)
    }

    /// What the jobs of a share hold.
    pub(crate) fn share(&self, queue: &QueueName, share: &ShareId) -> &Amount {
        let found = self.shares.get(&(queue.clone(), share.clone()));
        found.map_or(&NOTHING, |share| &share.amount)
    }

    /// What a share has used up to now, in 1/1024 vCPU times seconds.
    pub(crate) fn used(
        &self,
        config: &EngineConfig,
        now: Timestamp,
        queue: &QueueName,
        share: &ShareId,
    ) -> u64 {
        let found = self.shares.get(&(queue.clone(), share.clone()));
        let decay = decay_secs(config, queue);
        found.zip(decay).map_or(0, |(share, decay)| share.used_at(now.as_second(), decay))
    }

    /// The shares of a queue that have used something or hold something.
    pub(crate) fn shares_of(&self, queue: &QueueName) -> impl Iterator<Item = &ShareId> {
        self.shares.keys().filter(move |(of, _)| of == queue).map(|(_, share)| share)
    }

    /// How much of a consumable resource is held.
    pub(crate) fn consumed(&self, name: &ConsumableName) -> u64 {
        self.consumed.get(name).copied().unwrap_or(0)
    }

    /// Whether one more job would break a cap of its queue or share, or take more of something than there is.
    pub(crate) fn has_room_for(&self, config: &EngineConfig, holding: &Holding) -> bool {
        let Lane { queue, consumes, .. } = &holding.lane;
        let rules = config.queue(queue);
        let share = holding.lane.share();
        self.queue(queue).broken_by(&rules.caps, holding).is_none()
            && self.share(queue, &share).broken_by(&rules.share_caps(&share), holding).is_none()
            && consumes.iter().all(|(name, quantity)| {
                self.consumed(name).saturating_add(*quantity) <= config.consumable(name)
            })
    }
}

/// How long what was used by the shares of a queue counts; none if they do not take turns.
fn decay_secs(config: &EngineConfig, queue: &QueueName) -> Option<i64> {
    let fair = config.queue(queue).fair_share?;
    Some(fair.decay.max(SignedDuration::from_secs(1)).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(cpu: u64, used: u64, as_of_sec: i64) -> Share {
        Share { amount: Amount { cpu, ..Amount::default() }, used, as_of_sec }
    }

    #[test]
    fn what_was_used_is_halved_at_whole_multiples_of_the_decay() {
        assert_eq!(share(0, 800, 50).used_at(99, 100), 800);
        assert_eq!(share(0, 800, 50).used_at(100, 100), 400);
        assert_eq!(share(0, 800, 50).used_at(399, 100), 100);
        assert_eq!(share(0, u64::MAX, 0).used_at(100_000_000, 100), 0);
    }

    #[test]
    fn it_makes_no_difference_how_often_it_is_counted() {
        for steps in [vec![1_000], vec![90, 100, 101, 350, 1_000], vec![999, 1_000]] {
            let mut counted = share(3, 7, 10);
            for now in steps {
                counted.used = counted.used_at(now, 100);
                counted.as_of_sec = now;
            }
            assert_eq!(counted.used, share(3, 7, 10).used_at(1_000, 100));
        }
    }
}
