//! What queues, shares and consumable resources hold together, counted anew from the live attempts: no cap is exceeded, and
//! nobody holds more of anything than there is.

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::host::HostStatus;
use spillway_core::id::HostId;
use spillway_core::{
    Change, ConsumableName, CpuUnits, MiB, MicroUsdPerHour, QueueName, Scheduling, ShareId, cost,
};
use spillway_engine::{Caps, Held, Step};

use super::{Invariants, Moment};
use crate::ledger::MemoryLedger;

#[derive(Debug, Default)]
struct Sum {
    held: Held,
    hosts: BTreeSet<HostId>,
}

impl Sum {
    fn add(&mut self, need: &spillway_core::Resources, host: HostId, price: MicroUsdPerHour) {
        let Held { cpu, memory, gpus, price: sum, .. } = self.held;
        self.hosts.insert(host);
        self.held = Held {
            cpu: CpuUnits::new(cpu.get() + need.cpu.get()),
            memory: MiB::new(memory.get() + need.memory.get()),
            gpus: gpus + need.gpus,
            n_hosts: u32::try_from(self.hosts.len()).unwrap_or(u32::MAX),
            price: sum.saturating_add(price),
        };
    }
}

impl Invariants {
    /// Whether anything could be broken.
    pub(super) fn has_queue_rules(&self) -> bool {
        !self.config.is_one_line() || !self.config.consumables.is_empty()
    }

    /// Counts what is held; called when a job has been placed.
    pub(super) fn check_held(&mut self, moment: Moment, ledger: &MemoryLedger) {
        let mut queues: BTreeMap<QueueName, Sum> = BTreeMap::new();
        let mut shares: BTreeMap<(QueueName, ShareId), Sum> = BTreeMap::new();
        let mut consumed: BTreeMap<ConsumableName, u64> = BTreeMap::new();
        for (id, live) in &self.live {
            let Some(job) = ledger.get_job(*id) else { continue };
            let price = ledger.get_host(live.host).map_or(MicroUsdPerHour::ZERO, |host| {
                cost::attempt_price(host.price, &live.need, &host.capacity)
            });
            let queue = job.spec.queue.clone();
            let none = Scheduling::default();
            let scheduling = job.spec.scheduling.as_deref().unwrap_or(&none);
            let share = job.spec.share();
            queues.entry(queue.clone()).or_default().add(&live.need, live.host, price);
            shares.entry((queue, share)).or_default().add(&live.need, live.host, price);
            for (name, quantity) in &scheduling.consumes {
                *consumed.entry(name.clone()).or_default() += quantity;
            }
        }
        let mut broken: Vec<String> = Vec::new();
        let mut check = |what: String, sum: &Sum, caps: &Caps| {
            if !sum.held.is_within(caps) {
                broken.push(format!("{what} holds {:?}, and may hold {caps:?}", sum.held));
            }
        };
        for (queue, sum) in &queues {
            check(format!("queue {queue}"), sum, &self.config.queue(queue).caps);
        }
        for ((queue, share), sum) in &shares {
            let caps = self.config.queue(queue).share_caps(share);
            check(format!("share {share} of queue {queue}"), sum, &caps);
        }
        for (name, held) in consumed {
            let total = self.config.consumable(&name);
            if total < held {
                broken.push(format!("{held} of {name} are held, of which there are {total}"));
            }
        }
        for text in broken {
            self.violate("Q1", moment, text);
        }
    }

    /// The caps of the pools that a step buys from, over their hosts that are paid for or asked for. EC2 may have put more into
    /// another than it was asked for: that is nobody's purchase.
    pub(super) fn check_pools(&mut self, moment: Moment, step: &Step, ledger: &MemoryLedger) {
        let mut bought: BTreeSet<usize> = BTreeSet::new();
        for change in &step.changes {
            if let Change::PutHost(host) = change
                && host.status() == HostStatus::Requested
            {
                bought.extend(self.config.pool_of_host(host));
            }
        }
        let mut pools: BTreeMap<usize, Sum> = BTreeMap::new();
        for id in self.open_hosts.keys() {
            let Some(host) = ledger.get_host(*id) else { continue };
            if let Some(pool) = self.config.pool_of_host(host) {
                pools.entry(pool).or_default().add(&host.capacity, *id, host.price);
            }
        }
        let mut broken = Vec::new();
        for (ord, sum) in pools.into_iter().filter(|(ord, _)| bought.contains(ord)) {
            let Some(pool) = self.config.pools.get(ord) else { continue };
            if !sum.held.is_within(&pool.caps) {
                let (name, caps) = (&pool.name, pool.caps);
                broken.push(format!("pool {name} has {:?}, and may have {caps:?}", sum.held));
            }
        }
        for text in broken {
            self.violate("I7", moment, text);
        }
    }
}
