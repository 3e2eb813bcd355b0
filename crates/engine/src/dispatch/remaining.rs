//! What there is left to hand out: room on hosts and within the limits, caps of queues and shares, consumable resources.

use std::collections::BTreeMap;

use spillway_core::{ConsumableName, QueueName, Resources, ShareId};

use super::reservation::Reservation;
use super::rooms::{Room, Rooms};
use super::{Asked, Dispatch, HeldBack, Total};
use crate::config::{CapKind, Caps};
use crate::in_use::Amount;
use crate::lane::Lane;

/// What is left of the caps of a queue or share.
#[derive(Debug, Clone, Copy)]
struct Left {
    room: Room,
    /// What all of it would be: a job that needs more never fits and keeps nobody back.
    whole: Room,
    /// A cap on hosts or dollars that is reached. Before that, placement and the headroom to buy see to them.
    reached: Option<CapKind>,
}

impl Left {
    fn of(caps: &Caps, held: &Amount) -> Self {
        let max = |max: Option<u32>| max.map_or(u64::MAX, u64::from);
        let whole = Room {
            cpu: max(caps.cpu_max.map(spillway_core::CpuUnits::get)),
            memory: max(caps.memory_max.map(spillway_core::MiB::get)),
            gpus: max(caps.gpus_max),
        };
        let left = |whole: u64, held: u64| {
            if whole == u64::MAX { whole } else { whole.saturating_sub(held) }
        };
        let room = Room {
            cpu: left(whole.cpu, held.cpu),
            memory: left(whole.memory, held.memory),
            gpus: left(whole.gpus, held.gpus),
        };
        let reached = if caps.price_max.is_some_and(|max| max.get() <= held.price) {
            Some(CapKind::Price)
        } else {
            None
        };
        Self { room, whole, reached }
    }

    /// The cap that a job would break.
    fn broken_by(&self, need: &Resources) -> Option<CapKind> {
        if self.room.cpu < need.cpu.get().into() {
            Some(CapKind::Vcpus)
        } else if self.room.memory < need.memory.get().into() {
            Some(CapKind::Memory)
        } else if self.room.gpus < need.gpus.into() {
            Some(CapKind::Gpus)
        } else {
            self.reached
        }
    }

    /// Who waits for this cap keeps it from those behind, or they would pass it for ever.
    fn close(&mut self, need: &Resources) {
        if self.whole.fits(need) {
            self.room = Room::NONE;
        }
    }

    fn holds(&self, total: &Total) -> bool {
        self.reached.is_none()
            && total.cpu <= self.room.cpu
            && total.memory <= self.room.memory
            && total.gpus <= self.room.gpus
    }
}

/// What is left of everything.
#[derive(Debug)]
pub(super) struct Remaining {
    pub(super) room: Rooms,
    queues: BTreeMap<QueueName, Left>,
    /// Of shares with caps.
    shares: BTreeMap<QueueName, BTreeMap<Option<ShareId>, Left>>,
    reservations: BTreeMap<QueueName, Reservation>,
    /// What is left, and how much there is.
    consumables: BTreeMap<ConsumableName, (u64, u64)>,
}

impl Remaining {
    pub(super) fn new<'l>(
        of: &Dispatch<'_>,
        asked: &Asked<'_>,
        lanes: impl Iterator<Item = &'l Lane>,
    ) -> Self {
        let mut consumables = BTreeMap::new();
        let mut shares: BTreeMap<QueueName, BTreeMap<Option<ShareId>, Left>> = BTreeMap::new();
        let mut queues = BTreeMap::new();
        for lane in lanes {
            let rules = of.config.queue(&lane.queue);
            let share = lane.share();
            queues
                .entry(lane.queue.clone())
                .or_insert_with(|| Left::of(&rules.caps, of.in_use.queue(&lane.queue)));
            let caps = rules.share_caps(&share);
            if !caps.is_none() {
                let held = of.in_use.share(&lane.queue, &share);
                let of_queue = shares.entry(lane.queue.clone()).or_default();
                of_queue.insert(lane.named_share().clone(), Left::of(&caps, held));
            }
            for name in lane.consumes.keys() {
                let total = of.config.consumable(name);
                let free = total.saturating_sub(of.in_use.consumed(name));
                consumables.insert(name.clone(), (free, total));
            }
        }
        let reserved = |queue: &QueueName| Some((queue.clone(), of.reservation(queue)?));
        let reservations = queues.keys().filter_map(reserved).collect();
        let room = asked.room.clone();
        let mut remaining = Self { room, queues, shares, reservations, consumables };
        for (key, n) in asked.kept {
            let Some(lane) = of.lanes.get(key.lane) else { continue };
            // The room is what there is beside what is kept.
            remaining.charge(lane, &key.class.need, u64::from(*n));
        }
        remaining
    }

    /// Whether there is enough for all.
    pub(super) fn holds<'l>(&self, totals: impl Iterator<Item = (&'l Lane, &'l Total)>) -> bool {
        let mut all = Total::default();
        let mut queues: BTreeMap<&QueueName, Total> = BTreeMap::new();
        let mut shares: BTreeMap<(&QueueName, &Option<ShareId>), Total> = BTreeMap::new();
        let mut consumed: BTreeMap<&ConsumableName, u64> = BTreeMap::new();
        for (lane, total) in totals {
            all.plus(total);
            queues.entry(&lane.queue).or_default().plus(total);
            if !self.shares.is_empty() {
                shares.entry((&lane.queue, lane.named_share())).or_default().plus(total);
            }
            for (name, each) in &lane.consumes {
                let sum = consumed.entry(name).or_default();
                *sum = sum.saturating_add(each.saturating_mul(total.n_jobs));
            }
        }
        let room = self.room.sum();
        let has_room = all.cpu <= room.cpu && all.memory <= room.memory && all.gpus <= room.gpus;
        has_room
            && queues.iter().all(|(queue, total)| {
                self.queues.get(*queue).is_none_or(|left| left.holds(total))
                    && self.reservations.get(*queue).is_none_or(|kept| total.cpu <= kept.left)
            })
            && shares.iter().all(|((queue, share), total)| {
                let left = self.shares.get(*queue).and_then(|shares| shares.get(*share));
                left.is_none_or(|left| left.holds(total))
            })
            && consumed
                .iter()
                .all(|(name, sum)| self.consumables.get(*name).is_none_or(|(left, _)| sum <= left))
    }

    /// What keeps a job back, room apart. What it waits for is closed to those behind it.
    pub(super) fn refusal(&mut self, lane: &Lane, need: &Resources) -> Option<HeldBack> {
        let queue = &lane.queue;
        if let Some(left) = self.queues.get_mut(queue)
            && let Some(cap) = left.broken_by(need)
        {
            left.close(need);
            return Some(HeldBack::QueueCap { queue: queue.clone(), cap });
        }
        if let Some(left) = self.share_mut(lane)
            && let Some(cap) = left.broken_by(need)
        {
            left.close(need);
            return Some(HeldBack::ShareCap { queue: queue.clone(), share: lane.share(), cap });
        }
        if let Some(reservation) = self.reservations.get_mut(queue)
            && !reservation.allows(need.cpu.get().into())
        {
            reservation.left = 0;
            return Some(HeldBack::ComputeReservation { queue: queue.clone() });
        }
        for (name, needed) in &lane.consumes {
            let Some((left, total)) = self.consumables.get_mut(name) else { continue };
            if *left < *needed {
                let (needed, free, total) = (*needed, *left, *total);
                if needed <= total {
                    *left = 0;
                }
                return Some(HeldBack::Consumable { name: name.clone(), needed, free, total });
            }
        }
        None
    }

    fn share_mut(&mut self, lane: &Lane) -> Option<&mut Left> {
        self.shares.get_mut(&lane.queue)?.get_mut(lane.named_share())
    }

    /// So many equal jobs get what they need, room apart.
    pub(super) fn charge(&mut self, lane: &Lane, need: &Resources, n: u64) {
        if let Some(left) = self.queues.get_mut(&lane.queue) {
            left.room.take(need, n);
        }
        if let Some(left) = self.share_mut(lane) {
            left.room.take(need, n);
        }
        if let Some(reservation) = self.reservations.get_mut(&lane.queue) {
            reservation.take(u64::from(need.cpu.get()).saturating_mul(n));
        }
        for (name, needed) in &lane.consumes {
            if let Some((left, _)) = self.consumables.get_mut(name) {
                *left = left.saturating_sub(needed.saturating_mul(n));
            }
        }
    }
}

impl Total {
    fn plus(&mut self, other: &Self) {
        self.cpu = self.cpu.saturating_add(other.cpu);
        self.memory = self.memory.saturating_add(other.memory);
        self.gpus = self.gpus.saturating_add(other.gpus);
        self.n_jobs = self.n_jobs.saturating_add(other.n_jobs);
    }
}
