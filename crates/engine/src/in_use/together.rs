//! What is held, against what the nodes of a multi-node job take at once.

use spillway_core::Resources;

use super::{Amount, Holding, InUse};
use crate::config::{CapKind, Caps, EngineConfig};
use crate::dispatch::HeldBack;
use crate::lane::Lane;

/// What the nodes of a multi-node job take together.
#[derive(Debug)]
pub(crate) struct Together<'a> {
    pub(crate) lane: &'a Lane,
    pub(crate) need: Resources,
    pub(crate) n_hosts: u64,
}

impl InUse {
    /// Why all of a multi-node job may not be started beside others that go before it, as far as is known before its nodes
    /// have hosts: each is taken for a host more.
    pub(crate) fn refusal_of_all(
        &self,
        config: &EngineConfig,
        first: &[Together<'_>],
        more: &Together<'_>,
    ) -> Option<HeldBack> {
        let Lane { queue, consumes, .. } = more.lane;
        let (rules, share) = (config.queue(queue), more.lane.share());
        let of_queue: Vec<&Together<'_>> =
            first.iter().filter(|other| other.lane.queue == *queue).chain([more]).collect();
        let of_share: Vec<&Together<'_>> =
            of_queue.iter().copied().filter(|other| other.lane.share() == share).collect();
        if let Some(cap) = broken_by_all(&rules.caps, self.queue(queue), &of_queue) {
            return Some(HeldBack::QueueCap { queue: queue.clone(), cap });
        }
        let held = self.share(queue, &share);
        if let Some(cap) = broken_by_all(&rules.share_caps(&share), held, &of_share) {
            return Some(HeldBack::ShareCap { queue: queue.clone(), share, cap });
        }
        consumes.iter().find_map(|(name, needed)| {
            let of_first = first.iter().filter_map(|other| other.lane.consumes.get(name));
            let spoken_for = of_first.fold(self.consumed(name), |sum, n| sum.saturating_add(*n));
            let total = config.consumable(name);
            let (needed, free) = (*needed, total.saturating_sub(spoken_for));
            let why = HeldBack::Consumable { name: name.clone(), needed, free, total };
            (free < needed).then_some(why)
        })
    }

    /// Whether a job of this lane may hold all of these at once.
    pub(crate) fn have_room(
        &self,
        config: &EngineConfig,
        lane: &Lane,
        holdings: impl Iterator<Item = Holding>,
    ) -> bool {
        let (rules, share) = (config.queue(&lane.queue), lane.share());
        let caps_of_share = rules.share_caps(&share);
        let mut of_queue = self.queue(&lane.queue).clone();
        let mut of_share = self.share(&lane.queue, &share).clone();
        for holding in holdings {
            if of_queue.broken_by(&rules.caps, &holding).is_some()
                || of_share.broken_by(&caps_of_share, &holding).is_some()
            {
                return false;
            }
            of_queue.add(&holding);
            of_share.add(&holding);
        }
        lane.consumes.iter().all(|(name, quantity)| {
            self.consumed(name).saturating_add(*quantity) <= config.consumable(name)
        })
    }
}

/// The cap that these would break together beside what is held.
fn broken_by_all(caps: &Caps, held: &Amount, more: &[&Together<'_>]) -> Option<CapKind> {
    let (mut all_cpu, mut all_memory, mut all_gpus) = (held.cpu, held.memory, held.gpus);
    let mut n_hosts = held.n_hosts();
    for Together { need: Resources { cpu, memory, gpus }, n_hosts: n, .. } in more {
        all_cpu = all_cpu.saturating_add(cpu.get().into());
        all_memory = all_memory.saturating_add(memory.get().into());
        all_gpus = all_gpus.saturating_add((*gpus).into());
        n_hosts = n_hosts.saturating_add(*n);
    }
    let exceeds = |max: Option<u64>, n: u64| max.is_some_and(|max| max < n);
    // What the hosts of these will cost is not known yet; only where nothing is left it is clear.
    let is_spent = caps.price_max.is_some_and(|max| max.get() <= held.price);
    let broken = [
        (exceeds(caps.cpu_max.map(|max| max.get().into()), all_cpu), CapKind::Vcpus),
        (exceeds(caps.memory_max.map(|max| max.get().into()), all_memory), CapKind::Memory),
        (exceeds(caps.gpus_max.map(u64::from), all_gpus), CapKind::Gpus),
        (exceeds(caps.hosts_max.map(u64::from), n_hosts), CapKind::Hosts),
        (is_spent, CapKind::Price),
    ];
    broken.into_iter().find(|(is_broken, _)| *is_broken).map(|(_, cap)| cap)
}
