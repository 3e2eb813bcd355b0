//! The fleet itself: what waits, what runs where, and what becomes of a plan. It never looks at what a plan is for.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use spillway_core::id::LaunchId;
use spillway_core::plan::{Demand, DemandKey, Headroom, HostView, PlannedLaunch};
use spillway_core::{
    Arch, Busy, Catalog, HostId, Market, MicroUsdPerHour, PlanInput, PlanPolicy, Planned, PoolId,
    Resources,
};

use super::COOLDOWN;
use crate::random_problems::draw::Draw;
use crate::random_problems::files::Fault;

/// Jobs that came together and wait.
#[derive(Debug, Clone)]
struct Batch {
    /// As they came: with all their patience.
    key: DemandKey,
    came: i64,
    count: u32,
}

/// Tasks on a host.
#[derive(Debug, Clone)]
struct Task {
    key: DemandKey,
    count: u32,
    expected_end: i64,
    end: i64,
}

#[derive(Debug, Clone)]
struct Host {
    id: HostId,
    arch: Arch,
    market: Market,
    price: MicroUsdPerHour,
    capacity: Resources,
    ready_at: i64,
    tasks: Vec<Task>,
    /// Work it is kept for, by the jobs' batch.
    kept: Vec<(usize, u32)>,
}

#[derive(Debug)]
pub(super) struct Fleet {
    now: i64,
    catalog: Arc<Catalog>,
    /// What comes again and again, so many at a time.
    kinds: Vec<(DemandKey, u32)>,
    batches: Vec<Batch>,
    hosts: Vec<Host>,
    cooling: BTreeMap<PoolId, Timestamp>,
    /// All hosts are of one launch: their ids only have to differ.
    launch: LaunchId,
    n_bought: u32,
    /// Whether the last plan came about exactly.
    is_as_planned: bool,
}

impl Fleet {
    pub(super) fn new(catalog: Catalog, kinds: Vec<(DemandKey, u32)>) -> Result<Self, Fault> {
        Ok(Self {
            now: 0,
            catalog: Arc::new(catalog),
            kinds,
            batches: Vec::new(),
            hosts: Vec::new(),
            cooling: BTreeMap::new(),
            launch: "00000000-0000-5000-8000-000000000001".parse()?,
            n_bought: 0,
            is_as_planned: false,
        })
    }

    pub(super) const fn n_hosts(&self) -> usize {
        self.hosts.len()
    }

    pub(super) const fn is_as_planned(&self) -> bool {
        self.is_as_planned
    }

    /// Time passes: tasks end, hosts come up or are lost, jobs come.
    pub(super) fn live(&mut self, draw: &mut Draw, policy: &PlanPolicy) {
        self.now += i64::from(if draw.percent(20) { 0 } else { draw.magnitude(2000) });
        let now = self.now;
        let mut lost = Vec::new();
        self.hosts.retain_mut(|host| {
            host.tasks.retain(|task| now < task.end);
            let is_lost = draw.percent(3);
            if is_lost {
                lost.extend(host.tasks.iter().map(|task| (task.key, task.count)));
            }
            !is_lost
        });
        for (key, count) in lost {
            self.batches.push(Batch { key, came: now, count });
        }
        for host in &mut self.hosts {
            // A host that registers with less than its type promises; and one that takes longer to boot.
            let is_new = host.tasks.is_empty() && host.ready_at <= now;
            if is_new && draw.percent(3) {
                let (cpu, memory) = (host.capacity.cpu, host.capacity.memory.get());
                let memory = spillway_core::MiB::new(memory - memory / 16);
                host.capacity = Resources::new(cpu, memory, host.capacity.gpus);
            }
            if now < host.ready_at && draw.percent(10) {
                host.ready_at = now + i64::from(policy.boot_secs) + 1;
            }
        }
        for _ in 0..draw.below(4) {
            let (mut key, count) = self.kinds[draw.index(self.kinds.len())];
            key.expected_secs = draw.one_of(&[None, Some(1), Some(60), Some(600), Some(4000)]);
            key.patience_secs = draw.one_of(&[0, 0, 0, 60, 600, 7200]);
            let count = draw.between(1, count);
            self.batches.push(Batch { key, came: now, count });
        }
    }

    /// What a batch is to the planner by now.
    fn key_now(&self, batch: &Batch) -> (DemandKey, u32) {
        let waited = u32::try_from(self.now - batch.came).unwrap_or(u32::MAX);
        let patience_secs = batch.key.patience_secs.saturating_sub(waited);
        let over = waited.saturating_sub(batch.key.patience_secs);
        (DemandKey { patience_secs, ..batch.key }, over)
    }

    pub(super) fn question(&self, headroom: Headroom) -> PlanInput {
        let mut demands: BTreeMap<DemandKey, Demand> = BTreeMap::new();
        for batch in self.batches.iter().filter(|batch| 0 < batch.count) {
            let (key, waited_secs) = self.key_now(batch);
            let demand =
                demands.entry(key).or_insert(Demand { key, count: 0, waited_secs, n_again: 0 });
            demand.count += batch.count;
            demand.waited_secs = demand.waited_secs.max(waited_secs);
        }
        PlanInput {
            now: self.time(),
            demands: demands.into_values().collect(),
            hosts: self.hosts.iter().map(|host| self.view(host)).collect(),
            catalog: Arc::clone(&self.catalog),
            cooling: self.cooling.clone(),
            headroom,
            fleet: BTreeMap::new(),
            gangs: spillway_core::plan::Gangs::default(),
        }
    }

    fn time(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(self.now)
    }

    fn view(&self, host: &Host) -> HostView {
        let mut reserved: BTreeMap<DemandKey, u32> = BTreeMap::new();
        for (batch, count) in &host.kept {
            let (key, _) = self.key_now(&self.batches[*batch]);
            *reserved.entry(key).or_insert(0) += count;
        }
        let busy = |task: &Task| Busy {
            // What should have ended already ends at any moment.
            ends_in_secs: u32::try_from(task.expected_end - self.now).unwrap_or(0).max(1),
            need: task.key.need,
            count: task.count,
        };
        let mut busy: Vec<Busy> = host.tasks.iter().map(busy).collect();
        busy.sort_unstable();
        HostView {
            id: host.id,
            arch: host.arch,
            market: host.market,
            gpu: None,
            price: host.price,
            free: host.free(),
            busy,
            reserved: reserved.into_iter().collect(),
            ready: host.ready_at <= self.now,
            ready_in_secs: u32::try_from(host.ready_at - self.now).unwrap_or(0),
        }
    }

    /// Starts, keeps, buys and gives back as planned, but for pools that turn out dry.
    pub(super) fn carry_out(
        &mut self,
        planned: &Planned,
        draw: &mut Draw,
        policy: &PlanPolicy,
    ) -> Result<(), Fault> {
        let gone = &planned.plan.give_back;
        if self.hosts.iter().any(|host| gone.contains(&host.id) && !host.tasks.is_empty()) {
            return Err("a host with tasks on it is given back".into());
        }
        self.hosts.retain(|host| !gone.contains(&host.id));
        self.is_as_planned = true;
        for host in &mut self.hosts {
            host.kept.clear();
        }
        // What starts goes first, so that the oldest jobs do not wait for hosts to boot.
        let mut taken = vec![0_u32; self.batches.len()];
        let (now, mut kept) = (self.now, Vec::new());
        for placement in &planned.plan.placements {
            let at = self.hosts.iter().position(|host| host.id == placement.host);
            let at = at.ok_or("work is placed on a host that is given back")?;
            if now < self.hosts[at].ready_at {
                kept.push((at, placement.key, placement.count));
                continue;
            }
            for (batch, count) in self.take(&placement.key, placement.count, &mut taken) {
                let key = self.batches[batch].key;
                let expected = key.expected_secs.unwrap_or(policy.prior_secs);
                // As long as expected, or up to four times less or more.
                let secs = if draw.percent(40) {
                    expected
                } else {
                    expected.saturating_mul(draw.between(1, 16)) / 4
                };
                let (expected_end, end) = (now + i64::from(expected), now + i64::from(secs.max(1)));
                self.batches[batch].count -= count;
                taken[batch] -= count;
                self.hosts[at].tasks.push(Task { key, count, expected_end, end });
            }
        }
        for (at, key, count) in kept {
            self.hosts[at].kept =
                [self.hosts[at].kept.clone(), self.take(&key, count, &mut taken)].concat();
        }
        for launch in &planned.plan.launches {
            for _ in 0..launch.count {
                self.buy(launch, draw, policy, &mut taken);
            }
        }
        Ok(())
    }

    /// Which jobs of a group are meant: those that came first and are not taken yet.
    fn take(&self, key: &DemandKey, count: u32, taken: &mut [u32]) -> Vec<(usize, u32)> {
        let mut left = count;
        let mut found = Vec::new();
        for (at, batch) in self.batches.iter().enumerate() {
            let n = (batch.count - taken[at]).min(left);
            if 0 < n && self.key_now(batch).0 == *key {
                taken[at] += n;
                left -= n;
                found.push((at, n));
            }
        }
        found
    }

    fn buy(
        &mut self,
        launch: &PlannedLaunch,
        draw: &mut Draw,
        policy: &PlanPolicy,
        taken: &mut [u32],
    ) {
        let mut choice = &launch.choices[0];
        if draw.percent(10) {
            self.is_as_planned = false;
            self.cooling.insert(choice.pool.clone(), self.time() + COOLDOWN);
            match launch.choices.get(1) {
                Some(next) => choice = next,
                None => return,
            }
        }
        let mut kept = Vec::new();
        for (key, count) in &launch.contents {
            kept.extend(self.take(key, *count, taken));
        }
        self.n_bought += 1;
        let capacity = self.catalog.get(&choice.pool).map_or(launch.capacity, |o| o.capacity);
        self.hosts.push(Host {
            id: HostId::derive(self.launch, self.n_bought),
            arch: launch.arch,
            market: choice.pool.market,
            price: choice.price,
            capacity,
            ready_at: self.now + i64::from(policy.boot_secs),
            tasks: Vec::new(),
            kept,
        });
    }

    /// Whether a plan places nothing but what hosts that boot are kept for.
    pub(super) fn is_only_what_is_kept(&self, again: &Planned) -> bool {
        again.plan.placements.iter().all(|placement| {
            let host = self.hosts.iter().find(|host| host.id == placement.host);
            host.map(|host| self.view(host)).is_some_and(|host| {
                let of_key = host.reserved.iter().find(|(key, _)| *key == placement.key);
                !host.ready && of_key.is_some_and(|(_, count)| *count == placement.count)
            })
        })
    }
}

impl Host {
    fn free(&self) -> Resources {
        let mut free = self.capacity;
        for task in &self.tasks {
            let load = task.key.need.checked_mul(task.count).unwrap_or(self.capacity);
            free = free.saturating_sub(&load);
        }
        free
    }
}
