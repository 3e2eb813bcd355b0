//! Room for the first in line. Whoever is first and finds none is not passed for ever: what comes free on a host that could hold
//! it is kept for it, or hosts take nothing more until they are gone and one can be bought for it. Others may run wherever
//! that takes nothing from what is kept, so they never delay it.

mod hold;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use spillway_core::array;
use spillway_core::job::LinePlace;
use spillway_core::plan::{LimitKind, WaitReason};
use spillway_core::{
    Busy, HostId, JobClass, JobId, LaunchId, Offering, Planned, Resources, VariantOrd,
};

pub(crate) use hold::{Hold, Making};

use crate::dispatch::Selection;
use crate::engine::{Cx, Engine};
use crate::fleet::Entry;
use crate::limits;
use crate::placement::BoughtFor;
use crate::question::{Question, Scope};
use crate::waiting::{GroupKey, fresh};

/// When there is expected to be `need`, in seconds. `busy` is in the order of its ends.
fn fits_after(need: &Resources, free: Resources, busy: &[Busy]) -> Option<u32> {
    let (mut secs, mut free) = (0, free);
    let mut ends = busy.iter();
    while !need.fits(&free) {
        let ending = ends.next()?;
        secs = ending.ends_in_secs;
        let freed = ending.need.checked_mul(ending.count)?;
        free = free.checked_add(&freed)?;
    }
    Some(secs)
}

impl Engine {
    /// Whether somebody who waits could take what a job needs piece by piece. Among those that need as much in every way, who
    /// is first is served first without room being made.
    pub(crate) fn could_be_passed(selection: &Selection, group: &GroupKey) -> bool {
        let need = &group.class.need;
        selection.least.is_some_and(|least| !need.fits(&least))
    }

    /// Begins to make room for a job, where that is quickest, as whichever of its alternatives. False if no room could ever be
    /// made: then nobody waits for it.
    pub(crate) fn make_room(
        &mut self,
        now: Timestamp,
        pool: Option<usize>,
        (group, job): (GroupKey, JobId),
    ) -> bool {
        let ways = self.ways_of_group(&group).into_iter();
        let quickest = ways.filter_map(|class| {
            let (secs, making) = self.quickest(now, pool, &class)?;
            Some((secs, class, making))
        });
        let Some((_, class, making)) = quickest.min_by_key(|(secs, ..)| *secs) else {
            return false;
        };
        self.holds.insert(pool.unwrap_or(0), Hold { job, group, class, making });
        true
    }

    /// In how many seconds, and how, there would be room for a class.
    fn quickest(
        &self,
        now: Timestamp,
        pool: Option<usize>,
        class: &JobClass,
    ) -> Option<(u32, Making)> {
        let mut forecasts = self.forecasts(now);
        let mut on_host: Option<(u32, HostId)> = None;
        let mut empties: Vec<(u32, HostId)> = Vec::new();
        let is_asked = |entry: &&Entry| entry.is_usable() && entry.is_of(pool);
        for entry in self.fleet.iter().filter(is_asked) {
            let id = entry.host.id;
            let busy = self.busy(now, entry, &mut forecasts);
            if class.allows(entry.host.traits())
                && let Some(secs) = fits_after(&class.need, entry.free(), &busy)
            {
                let candidate = (secs, id);
                on_host = Some(on_host.map_or(candidate, |best| best.min(candidate)));
            }
            empties.push((busy.last().map_or(0, |last| last.ends_in_secs), id));
        }
        match (on_host, self.headroom_after(now, pool, class, empties)) {
            (Some((secs, host)), Some((later, _))) if secs <= later => {
                Some((secs, Making::Host(host)))
            }
            (Some((secs, host)), None) => Some((secs, Making::Host(host))),
            (_, Some((secs, hosts))) => Some((secs, Making::Headroom(hosts))),
            (None, None) => None,
        }
    }

    /// The hosts that must go so that one can be bought for such a job, and when it would be up. None if that is never.
    fn headroom_after(
        &self,
        now: Timestamp,
        pool: Option<usize>,
        class: &JobClass,
        mut empties: Vec<(u32, HostId)>,
    ) -> Option<(u32, BTreeSet<HostId>)> {
        let host_cpu_max = self.config.plan.host_cpu_max;
        let would_do = |offering: &&Offering| {
            class.allows(offering.traits())
                && class.need.fits(&offering.capacity)
                && host_cpu_max.is_none_or(|max| offering.capacity.cpu <= max)
                && self.cooling.get(&offering.pool).is_none_or(|cooldown| cooldown.until <= now)
        };
        let offerings: Vec<&Offering> =
            self.catalog_of(pool).offerings().iter().filter(would_do).collect();
        let fits_without = |gone: &BTreeSet<HostId>| {
            let headroom = self.headroom_without(now, pool, gone);
            offerings.iter().any(|offering| self.is_buyable(pool, offering, &headroom))
        };
        let boot_secs = self.plan_policy().boot_secs;
        let mut gone = BTreeSet::new();
        let mut secs = 0;
        if !fits_without(&gone) {
            empties.sort_unstable();
            let mut rest = empties.iter();
            loop {
                let (ends_in_secs, host) = rest.next()?;
                gone.insert(*host);
                secs = limits::GIVE_BACK_SECS.saturating_add(*ends_in_secs);
                if fits_without(&gone) {
                    break;
                }
            }
            // Some of them may be of no use to it.
            for (_, host) in &empties {
                if gone.remove(host) && !fits_without(&gone) {
                    gone.insert(*host);
                }
            }
        }
        Some((secs.saturating_add(boot_secs), gone))
    }

    /// What could be bought if some hosts were gone.
    fn headroom_without(
        &self,
        now: Timestamp,
        pool: Option<usize>,
        gone: &BTreeSet<HostId>,
    ) -> spillway_core::plan::Headroom {
        let mut headroom = self.headroom(now, pool);
        for entry in gone.iter().filter_map(|id| self.fleet.get(*id)) {
            let (cpu, price) = (entry.host.capacity.cpu, entry.host.price);
            headroom.hosts = headroom.hosts.map(|left| left.saturating_add(1));
            headroom.cpu = headroom
                .cpu
                .map(|left| spillway_core::CpuUnits::new(left.get().saturating_add(cpu.get())));
            headroom.price = headroom.price.map(|left| left.saturating_add(price));
            if let Some(quota) = spillway_core::Quota::of(&entry.host.pool) {
                let left = headroom.quotas.get(quota);
                let more = left.map(|left| left.get().saturating_add(cpu.get()));
                headroom.quotas.set(quota, more.map(spillway_core::CpuUnits::new));
            }
        }
        headroom
    }

    /// Gives a job the room that was made for it, if there is enough by now. Forgets what is of no use any more.
    pub(crate) fn serve_hold(&mut self, cx: &mut Cx, pool: Option<usize>) {
        let at = pool.unwrap_or(0);
        let Some(hold) = self.holds.get(&at).cloned() else { return };
        if !self.is_wanted(&hold) {
            self.holds.remove(&at);
            return;
        }
        if let Some(place) = self.room_now(cx.now, pool, &hold)
            && self.start_on(cx, None, hold.job, place)
        {
            self.holds.remove(&at);
            return;
        }
        match hold.making {
            Making::Host(host) => {
                if !self.fleet.get(host).is_some_and(Entry::is_usable) {
                    self.holds.remove(&at);
                }
            }
            Making::Headroom(hosts) => {
                let is_usable = |id: &HostId| self.fleet.get(*id).is_some_and(Entry::is_usable);
                let (left, gone): (BTreeSet<HostId>, BTreeSet<HostId>) =
                    hosts.into_iter().partition(is_usable);
                let is_leaving = gone.iter().any(|id| self.fleet.get(*id).is_some());
                for host in &left {
                    self.give_back(cx, *host);
                }
                let making = Making::Headroom(left.union(&gone).copied().collect());
                let hold = Hold { making, ..hold };
                self.holds.insert(at, hold.clone());
                if !self.buy_for(cx, pool, &hold) && left.is_empty() && !is_leaving {
                    self.holds.remove(&at);
                }
            }
        }
    }

    /// A host that could start the job now, and as which of its alternatives: the one that is kept for it, or any other that has
    /// come to have room.
    fn room_now(
        &self,
        now: Timestamp,
        pool: Option<usize>,
        hold: &Hold,
    ) -> Option<(HostId, VariantOrd)> {
        let is_asked =
            |entry: &&Entry| entry.is_usable() && entry.is_ready(now) && entry.is_of(pool);
        let ways = self.ways_of_group(&hold.group);
        let start = |entry: &Entry| {
            let has_room = |class: &&JobClass| {
                class.allows(entry.host.traits()) && class.need.fits(&entry.free())
            };
            let class = ways.iter().find(has_room)?;
            Some((entry.host.id, class.way().map(|way| way.ord).unwrap_or_default()))
        };
        self.fleet.iter().filter(is_asked).find_map(start)
    }

    /// Buys a host for a job that room was made for, if it can be bought by now; from then on that host is kept for it.
    fn buy_for(&mut self, cx: &mut Cx, pool: Option<usize>, hold: &Hold) -> bool {
        let mut selection = Selection::default();
        selection.counts.insert(hold.group, 1);
        selection.picks = Some(vec![(hold.group, hold.job)]);
        let scope = Scope {
            selection: &selection,
            gangs: &[],
            pool,
            headroom: self.headroom(cx.now, pool),
            holds: &BTreeMap::new(),
        };
        let mut question = self.question(cx.now, &scope);
        question.input.hosts.clear();
        let policy = self.plan_policy_at(cx.now);
        let planned = self.planner.plan(&question.input, &policy);
        let before = self.n_launches;
        for launch in &planned.plan.launches {
            self.decide_launch(cx, BoughtFor::Jobs(&mut question), pool, launch);
        }
        let launch = (before < self.n_launches).then(|| LaunchId::derive(self.ledger, before));
        let Some(host) = launch.map(|launch| HostId::derive(launch, 0)) else { return false };
        let hold = Hold { making: Making::Host(host), ..hold.clone() };
        self.holds.insert(pool.unwrap_or(0), hold);
        true
    }

    /// Whether the job still waits, may start, and nobody of a higher priority has come since.
    fn is_wanted(&self, hold: &Hold) -> bool {
        let is_in_line = self.line_of(&hold.group, hold.job).is_some();
        let Some(lane) = self.lanes.get(hold.group.lane) else { return false };
        let dispatch = self.dispatch(Timestamp::UNIX_EPOCH);
        let priority = self.config.queue(&lane.queue).priority;
        let is_passed = self.waiting.groups().any(|(key, _)| {
            self.lanes.get(key.lane).is_some_and(|other| {
                let of_other = self.config.queue(&other.queue).priority;
                let is_alike = other.queue == lane.queue && other.share() == lane.share();
                let goes_first =
                    priority < of_other || (is_alike && lane.priority < other.priority);
                goes_first && dispatch.shut(other).is_none()
            })
        });
        is_in_line && !is_passed && dispatch.shut(lane).is_none()
    }

    /// Where a job stands in line; none if it does not.
    fn line_of(&self, group: &GroupKey, id: JobId) -> Option<LinePlace> {
        if let Some(job) = self.jobs.get(&id) {
            let line = job.line();
            return self.waiting.get(group)?.has(line, id).then_some(line);
        }
        let place = &self.arrays.get(&id.whole())?.place;
        let ord = place.indexes.ord_of(id.index()?)?;
        let is_ready = self.waiting.children(place)?.contains(ord);
        is_ready.then(|| fresh(array::child_seq(place.seq, ord)))
    }

    /// The first in line that the limits left without a place, if there is one.
    pub(crate) fn left_out(
        &self,
        question: &Question,
        planned: &Planned,
    ) -> Option<(GroupKey, JobId)> {
        let is_limit = |reason: &WaitReason| match reason {
            WaitReason::LimitReached { limit } => match limit {
                LimitKind::Hosts
                | LimitKind::Vcpus
                | LimitKind::Price
                | LimitKind::Approval
                | LimitKind::Quota(_) => true,
                LimitKind::Mix(_) => false,
            },
            WaitReason::TooLarge(_)
            | WaitReason::CoolingDown { .. }
            | WaitReason::NoCatalog
            | WaitReason::StartRate { .. }
            | WaitReason::RoomExpected { .. } => false,
        };
        let limited = planned.report.waiting.iter().filter(|waiting| is_limit(&waiting.reason));
        let dispatch = self.dispatch(question.input.now);
        let firsts = limited.filter_map(|waiting| {
            let total = question.input.demands.iter().find(|demand| demand.key == waiting.key)?;
            let n_placed = total.count.saturating_sub(waiting.count);
            let jobs = question.jobs(&self.waiting, &waiting.key, n_placed.saturating_add(1));
            let (group, id) = jobs.last().copied()?;
            let lane = self.lanes.get(group.lane)?;
            let stands_at = self.line_of(&group, id)?;
            Some((dispatch.rank(lane), stands_at, id, group))
        });
        firsts.min().map(|(.., id, group)| (group, id))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use spillway_core::{CpuUnits, MiB};

    use super::hold::beside;
    use super::*;

    fn of(cpu: u32, memory: u32) -> Resources {
        Resources::new(CpuUnits::new(cpu), MiB::new(memory), 0)
    }

    fn any_need(most: u32) -> impl Strategy<Value = Resources> {
        (1..=most, 1..=most).prop_map(|(cpu, memory)| of(cpu, memory))
    }

    /// Tasks with their real ends and the estimated ones.
    type Task = (u32, u32, Resources);

    #[derive(Debug, Clone)]
    struct ModelHost {
        free: Resources,
        tasks: Vec<Task>,
    }

    impl ModelHost {
        fn full_of(tasks: &[Task]) -> Self {
            let mut host = Self { free: of(16, 16), tasks: Vec::new() };
            for task in tasks {
                host.start(*task);
            }
            host
        }

        fn start(&mut self, task: Task) {
            if task.2.fits(&self.free) {
                self.free = self.free.saturating_sub(&task.2);
                self.tasks.push(task);
            }
        }

        fn end_by(&mut self, minute: u32) {
            let (ended, run) = self.tasks.iter().partition(|(end, ..)| *end <= minute);
            let ended: Vec<Task> = ended;
            self.tasks = run;
            for (.., need) in ended {
                self.free = self.free.checked_add(&need).unwrap();
            }
        }
    }

    /// The minute at which the first in line starts, when a host is kept for it by `beside`, and what others come meanwhile.
    fn start_of_first(
        hosts: &[ModelHost],
        first: &Resources,
        others: &[(u32, usize, Task)],
    ) -> (u32, u32) {
        let expected = |host: &ModelHost| {
            let busy = |(_, ends_in_secs, need): &Task| Busy {
                ends_in_secs: *ends_in_secs,
                need: *need,
                count: 1,
            };
            let mut busy: Vec<Busy> = host.tasks.iter().map(busy).collect();
            busy.sort_unstable();
            fits_after(first, host.free, &busy)
        };
        let held = (0..hosts.len()).min_by_key(|at| expected(&hosts[*at])).unwrap();
        let mut hosts = hosts.to_vec();
        let mut n_passed = 0;
        for minute in 0..200 {
            for host in &mut hosts {
                host.end_by(minute);
            }
            if hosts.iter().any(|host| first.fits(&host.free)) {
                return (minute, n_passed);
            }
            for (_, at, (secs, told, need)) in others.iter().filter(|other| other.0 == minute) {
                let at = at % hosts.len();
                let free = hosts[at].free;
                let spare = if at == held { beside(first, free) } else { free };
                if need.fits(&spare) {
                    hosts[at].start((minute + secs, minute + told, *need));
                    n_passed += 1;
                }
            }
        }
        unreachable!("all tasks end");
    }

    proptest! {
        /// The model goes minute by minute over hosts whose tasks end at other times than was expected.
        #[test]
        fn who_passes_the_first_in_line_never_delays_it(
            running in prop::collection::vec(
                prop::collection::vec((1_u32..30, 1_u32..30, any_need(8)), 1..8), 1..4),
            first in any_need(16),
            others in prop::collection::vec(
                (0_u32..30, 0_usize..4, (1_u32..60, 1_u32..60, any_need(8))), 0..30),
        ) {
            let hosts: Vec<ModelHost> = running.iter().map(|tasks| ModelHost::full_of(tasks)).collect();
            let of_held = |hosts: &[ModelHost]| {
                // Alone on the host that is kept for it.
                let at = (0..hosts.len()).min_by_key(|at| {
                    let mut busy: Vec<Busy> = hosts[*at].tasks.iter().map(|(_, told, need)| Busy {
                        ends_in_secs: *told, need: *need, count: 1,
                    }).collect();
                    busy.sort_unstable();
                    fits_after(&first, hosts[*at].free, &busy)
                }).unwrap();
                start_of_first(&hosts[at..=at], &first, &[]).0
            };

            let (start, _) = start_of_first(&hosts, &first, &others);

            prop_assert!(start <= of_held(&hosts), "{start}");
        }
    }

    #[test]
    fn others_pass_on_every_host_but_the_one_that_is_kept() {
        let hosts =
            [ModelHost::full_of(&[(20, 20, of(8, 8))]), ModelHost::full_of(&[(50, 50, of(8, 8))])];
        let small = (100, 100, of(4, 4));

        let (start, n_passed) =
            start_of_first(&hosts, &of(16, 16), &[(1, 0, small), (2, 1, small), (3, 1, small)]);

        assert_eq!((start, n_passed), (20, 2));
    }

    #[test]
    fn beside_the_first_is_what_it_leaves() {
        assert_eq!(beside(&of(10, 8), of(12, 12)), of(2, 4));
        assert_eq!(beside(&of(10, 8), of(6, 12)), Resources::ZERO);
    }
}
