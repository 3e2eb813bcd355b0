//! Room, and who may take it. What is free on a host is no room for jobs that may not run there: they would keep it from those who may,
//! for as long as they wait.

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::class::Choice;
use spillway_core::{HostTraits, JobClass, Resources};

/// How much there is of each resource. [`u64::MAX`] is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) cpu: u64,
    pub(crate) memory: u64,
    pub(crate) gpus: u64,
}

impl Room {
    /// There is none.
    pub(crate) const NONE: Self = Self { cpu: 0, memory: 0, gpus: 0 };

    /// There is no limit.
    pub(crate) const ENDLESS: Self = Self { cpu: u64::MAX, memory: u64::MAX, gpus: u64::MAX };

    pub(super) fn fits(&self, need: &Resources) -> bool {
        u64::from(need.cpu.get()) <= self.cpu
            && u64::from(need.memory.get()) <= self.memory
            && u64::from(need.gpus) <= self.gpus
    }

    /// Less by what a job needs; what has no end stays so.
    pub(super) fn take(&mut self, need: &Resources, n: u64) {
        let less = |left: u64, need: u64| {
            if left == u64::MAX { left } else { left.saturating_sub(need.saturating_mul(n)) }
        };
        self.cpu = less(self.cpu, need.cpu.get().into());
        self.memory = less(self.memory, need.memory.get().into());
        self.gpus = less(self.gpus, need.gpus.into());
    }

    const fn plus(&self, other: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            memory: self.memory.saturating_add(other.memory),
            gpus: self.gpus.saturating_add(other.gpus),
        }
    }
}

/// Room on hosts there are and on those that may be bought. It may be more than there really is, never less: what does not fit
/// beside others is found out by the planner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rooms {
    /// On the hosts there are, by what they are.
    hosts: BTreeMap<HostTraits, Room>,
    /// On hosts that may be bought.
    to_buy: Room,
    /// What those are; none is anything.
    buyable: Option<BTreeSet<HostTraits>>,
}

impl Rooms {
    /// There is no limit.
    pub(crate) const ENDLESS: Self = Self::to_buy(Room::ENDLESS);

    /// Room on hosts of any kind that may be bought.
    pub(crate) const fn to_buy(room: Room) -> Self {
        Self { hosts: BTreeMap::new(), to_buy: room, buyable: None }
    }

    /// Room on these hosts, each with what is free on it, and no other.
    pub(crate) fn on(hosts: impl Iterator<Item = (HostTraits, Resources)>) -> Self {
        let mut of: BTreeMap<HostTraits, Room> = BTreeMap::new();
        for (traits, free) in hosts {
            let room = of.entry(traits).or_insert(Room::NONE);
            *room = room.plus(&Room {
                cpu: free.cpu.get().into(),
                memory: free.memory.get().into(),
                gpus: free.gpus.into(),
            });
        }
        Self { hosts: of, to_buy: Room::NONE, buyable: None }
    }

    /// The same, and room on hosts of these kinds that may be bought.
    pub(crate) fn and_to_buy(self, room: Room, kinds: BTreeSet<HostTraits>) -> Self {
        Self { to_buy: room, buyable: Some(kinds), ..self }
    }

    /// All of it.
    pub(super) fn sum(&self) -> Room {
        self.hosts.values().fold(self.to_buy, |sum, room| sum.plus(room))
    }

    /// Whether anything of this size has room somewhere.
    pub(super) fn fits_any(&self, need: &Resources) -> bool {
        self.to_buy.fits(need) || self.hosts.values().any(|room| room.fits(need))
    }

    /// Whether there is room for one job of a class where it may run.
    pub(super) fn has(&self, class: &JobClass) -> bool {
        let need = class.least();
        let mut hosts = self.hosts.iter();
        hosts.any(|(traits, room)| allows(class, *traits) && room.fits(&need))
            || (self.sells(class) && self.to_buy.fits(&need))
    }

    /// Takes room for one job of a class: on hosts there are, of the kind with most to spare, else on one that may be bought.
    pub(super) fn take(&mut self, class: &JobClass) {
        let need = class.least();
        let hosts = self.hosts.iter_mut().filter(|(traits, _)| allows(class, **traits));
        let spare = hosts.map(|(_, room)| room).filter(|room| room.fits(&need));
        if let Some(widest) = spare.max_by_key(|room| (room.cpu, room.memory)) {
            widest.take(&need, 1);
        } else if self.sells(class) {
            self.to_buy.take(&need, 1);
        }
    }

    fn sells(&self, class: &JobClass) -> bool {
        self.buyable.as_ref().is_none_or(|kinds| kinds.iter().any(|traits| allows(class, *traits)))
    }
}

/// What the alternatives of a class need is known, not where each of them may run.
fn allows(class: &JobClass, traits: HostTraits) -> bool {
    matches!(class.choice, Some(Choice::Open { .. })) || class.allows(traits)
}

#[cfg(test)]
mod tests {
    use spillway_core::gpu::GpuKinds;
    use spillway_core::{Arch, CpuUnits, KindId, Market, MarketRule, MiB};

    use super::*;

    const SPOT: HostTraits = HostTraits { arch: Arch::Arm64, market: Market::Spot, gpu: None };
    const ON_DEMAND: HostTraits =
        HostTraits { arch: Arch::X86_64, market: Market::OnDemand, gpu: None };

    fn class(cpu: u32, market: MarketRule) -> JobClass {
        JobClass {
            need: Resources::new(CpuUnits::new(cpu), MiB::new(1), 0),
            arch: None,
            gpu_kinds: GpuKinds::ANY,
            market,
            shuns_spot: false,
            told_secs: None,
            kind: KindId::named("k"),
            start_by: None,
            end_by: None,
            shared: None,
            choice: None,
        }
    }

    fn free(cpu: u32) -> Resources {
        Resources::new(CpuUnits::new(cpu), MiB::new(4), 0)
    }

    #[test]
    fn what_is_free_where_a_job_may_not_run_is_no_room_for_it() {
        let mut rooms = Rooms::on([(SPOT, free(4))].into_iter());
        let (spot, on_demand) = (class(4, MarketRule::Spot), class(1, MarketRule::OnDemand));

        rooms.take(&on_demand);

        assert!(!rooms.has(&on_demand));
        assert!(rooms.has(&spot));
    }

    #[test]
    fn whoever_may_run_anywhere_takes_what_is_free_where_most_is() {
        let mut rooms = Rooms::on([(SPOT, free(4)), (ON_DEMAND, free(8))].into_iter());

        rooms.take(&class(4, MarketRule::Any));

        assert!(rooms.has(&class(4, MarketRule::Spot)));
        assert!(rooms.has(&class(4, MarketRule::OnDemand)));
        assert!(!rooms.has(&class(5, MarketRule::OnDemand)));
    }

    #[test]
    fn what_may_be_bought_is_room_for_those_who_may_run_on_it() {
        let limited = Room { cpu: 4, ..Room::ENDLESS };
        let none = Rooms::on(std::iter::empty());
        let mut rooms = none.and_to_buy(limited, BTreeSet::from([SPOT]));
        assert!(!rooms.has(&class(1, MarketRule::OnDemand)));
        assert!(rooms.has(&class(4, MarketRule::Any)));

        rooms.take(&class(4, MarketRule::Any));

        assert!(!rooms.has(&class(1, MarketRule::Any)));
        assert_eq!(rooms.sum().cpu, 0);
    }
}
