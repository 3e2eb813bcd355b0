//! The jobs that may run now, by lane and class, in the order they came. Children of arrays that have not started are bits in
//! here, not records: each array stands in line once, for as many of them as may start.

use std::collections::{BTreeMap, BTreeSet, btree_set};
use std::iter::{Copied, Peekable};
use std::num::NonZeroU32;

use spillway_core::array::{Indexes, child_seq};
use spillway_core::job::LinePlace;
use spillway_core::{JobClass, JobId, OrdSet};

use crate::lane::LaneOrd;

/// Jobs of one lane and one class. They differ in nothing but their place in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupKey {
    pub(crate) lane: LaneOrd,
    pub(crate) class: JobClass,
}

/// An array's place in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: GroupKey,
    /// The array's number in line; its children have those behind it.
    pub(crate) seq: u64,
    pub(crate) array: JobId,
    pub(crate) indexes: Indexes,
}

/// Children of one array that may start.
#[derive(Debug)]
struct Children {
    array: JobId,
    indexes: Indexes,
    ready: OrdSet,
    /// How many of them may start before one that runs has ended.
    room: u32,
}

impl Children {
    fn offered(&self) -> u32 {
        self.ready.len().min(self.room)
    }

    fn first(&self, seq: u64) -> impl Iterator<Item = (LinePlace, JobId)> {
        let room = usize::try_from(self.room).unwrap_or(usize::MAX);
        let ready = self.ready.iter().take(room);
        ready.filter_map(move |ord| {
            Some((fresh(child_seq(seq, ord)), self.indexes.child(self.array, ord)?))
        })
    }
}

/// Jobs of one lane and class that wait. Children of an array that share tasks are offered task by task: whoever asks for so
/// many gets the first of each of so many tasks.
#[derive(Debug)]
pub(crate) struct Group {
    jobs: BTreeSet<(LinePlace, JobId)>,
    arrays: BTreeMap<u64, Children>,
    /// Over both.
    n: u32,
    /// How many of the jobs have had an attempt.
    n_again: u32,
    /// How many share a task.
    per_task: NonZeroU32,
}

impl Group {
    fn of(class: &JobClass) -> Self {
        Self {
            jobs: BTreeSet::new(),
            arrays: BTreeMap::new(),
            n: 0,
            n_again: 0,
            per_task: class.shared.map_or(NonZeroU32::MIN, |shared| shared.size),
        }
    }

    fn recount(&mut self) {
        let jobs = u32::try_from(self.jobs.len()).unwrap_or(u32::MAX);
        self.n = self.arrays.values().fold(jobs, |n, of| n.saturating_add(of.offered()));
    }

    /// How many tasks may start.
    pub(crate) const fn len(&self) -> u32 {
        self.n.div_ceil(self.per_task.get())
    }

    /// How many jobs may start.
    pub(crate) const fn n_jobs(&self) -> u32 {
        self.n
    }

    /// How many of the tasks are of jobs that have had an attempt.
    pub(crate) const fn n_again(&self) -> u32 {
        self.n_again.div_ceil(self.per_task.get())
    }

    /// Whether a job with a record of its own is in it.
    pub(crate) fn has(&self, line: LinePlace, id: JobId) -> bool {
        self.jobs.contains(&(line, id))
    }

    /// Those that may start, in the order of their numbers; of those that share a task, the first. The numbers of an array's children lie between those of no two
    /// children of another array, so that arrays can be taken one after the other.
    pub(crate) fn line(&self) -> Line<'_> {
        self.line_by(self.per_task.get() - 1)
    }

    /// The same, but for so many after each.
    fn line_by(&self, n_skipped: u32) -> Line<'_> {
        let children = self.arrays.iter().flat_map(|(seq, of)| of.first(*seq));
        Line {
            jobs: self.jobs.iter().copied().peekable(),
            children: Box::new(children),
            next: None,
            n_skipped,
            is_begun: false,
        }
    }

    /// All of them, whether or not they may start now.
    pub(crate) fn all(&self) -> Vec<JobId> {
        let of_array = |of: &Children| {
            let (array, indexes) = (of.array, of.indexes);
            of.ready.iter().filter_map(move |ord| indexes.child(array, ord)).collect::<Vec<_>>()
        };
        let jobs = self.jobs.iter().map(|(_, id)| *id);
        jobs.chain(self.arrays.values().flat_map(of_array)).collect()
    }

    /// Who starts together with this one, if it is the first of a task: itself and those behind it, as many as share one.
    fn task_from(&self, first: JobId) -> impl Iterator<Item = JobId> {
        let line = self.line_by(0).map(|(_, id)| id).skip_while(move |id| *id != first);
        line.take(usize::try_from(self.per_task.get()).unwrap_or(usize::MAX))
    }

    /// The first of the task that this one would be in.
    fn task_of(&self, id: JobId) -> Option<JobId> {
        let at = self.line_by(0).position(|(_, other)| other == id)?;
        let per_task = usize::try_from(self.per_task.get()).unwrap_or(usize::MAX);
        self.line().nth(at / per_task).map(|(_, first)| first)
    }

    /// The number and id of who is first; of an array, its own.
    pub(crate) fn head(&self) -> Option<(LinePlace, JobId)> {
        let offering = self.arrays.iter().find(|(_, of)| 0 < of.offered());
        let array = offering.map(|(seq, of)| (fresh(*seq), of.array));
        [self.jobs.first().copied(), array].into_iter().flatten().min()
    }
}

/// Jobs and children in one line.
pub(crate) struct Line<'a> {
    jobs: Peekable<Copied<btree_set::Iter<'a, (LinePlace, JobId)>>>,
    children: Box<dyn Iterator<Item = (LinePlace, JobId)> + 'a>,
    /// The next child.
    next: Option<(LinePlace, JobId)>,
    /// How many are left out after each.
    n_skipped: u32,
    is_begun: bool,
}

impl Line<'_> {
    fn one(&mut self) -> Option<(LinePlace, JobId)> {
        if self.next.is_none() {
            self.next = self.children.next();
        }
        let child = self.next;
        let job = self.jobs.next_if(|job| child.is_none_or(|child| *job < child));
        job.or_else(|| self.next.take())
    }
}

impl Iterator for Line<'_> {
    type Item = (LinePlace, JobId);

    fn next(&mut self) -> Option<Self::Item> {
        let n_skipped = if self.is_begun { self.n_skipped } else { 0 };
        self.is_begun = true;
        for _ in 0..n_skipped {
            self.one()?;
        }
        self.one()
    }
}

/// The place in line of one that has had no attempt.
pub(crate) const fn fresh(seq: u64) -> LinePlace {
    LinePlace { is_fresh: true, seq }
}

/// Runnable jobs in groups that are equal to the control loop. A retried job is first in line.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    lanes: BTreeMap<LaneOrd, BTreeMap<JobClass, Group>>,
}

impl Waiting {
    fn entry(&mut self, key: GroupKey) -> &mut Group {
        self.lanes
            .entry(key.lane)
            .or_default()
            .entry(key.class)
            .or_insert_with(|| Group::of(&key.class))
    }

    fn get_mut(&mut self, key: &GroupKey) -> Option<&mut Group> {
        self.lanes.get_mut(&key.lane)?.get_mut(&key.class)
    }

    pub(crate) fn get(&self, key: &GroupKey) -> Option<&Group> {
        self.lanes.get(&key.lane)?.get(&key.class)
    }

    pub(crate) fn insert(&mut self, key: GroupKey, line: LinePlace, id: JobId) {
        let group = self.entry(key);
        let is_new = group.jobs.insert((line, id));
        group.n = group.n.saturating_add(u32::from(is_new));
        group.n_again = group.n_again.saturating_add(u32::from(is_new && !line.is_fresh));
    }

    pub(crate) fn remove(&mut self, key: &GroupKey, line: LinePlace, id: JobId) {
        if let Some(group) = self.get_mut(key) {
            let was_there = group.jobs.remove(&(line, id));
            group.n = group.n.saturating_sub(u32::from(was_there));
            group.n_again = group.n_again.saturating_sub(u32::from(was_there && !line.is_fresh));
        }
        self.drop_if_empty(key);
    }

    /// Puts children of an array in line; `room` more of all that are in line may start.
    pub(crate) fn add_children(&mut self, place: &Place, ords: &OrdSet, room: u32) {
        if ords.is_empty() {
            return;
        }
        let Place { group, seq, array, indexes } = *place;
        let group = self.entry(group);
        let new = || Children { array, indexes, ready: OrdSet::new(), room };
        let children = group.arrays.entry(seq).or_insert_with(new);
        children.room = room;
        for (first, last) in ords.runs() {
            children.ready.insert_run(first, last);
        }
        group.recount();
    }

    /// Says how many more of an array's children may start.
    pub(crate) fn set_room(&mut self, place: &Place, room: u32) {
        let Some(group) = self.get_mut(&place.group) else { return };
        let Some(children) = group.arrays.get_mut(&place.seq) else { return };
        let before = children.offered();
        children.room = room;
        group.n = group.n.saturating_sub(before).saturating_add(children.offered());
    }

    /// Takes a child out of line; false if it is not there.
    pub(crate) fn take_child(&mut self, place: &Place, ord: u32) -> bool {
        let Some(group) = self.get_mut(&place.group) else { return false };
        let Some(children) = group.arrays.get_mut(&place.seq) else { return false };
        let before = children.offered();
        let was_there = children.ready.remove(ord);
        group.n = group.n.saturating_sub(before).saturating_add(children.offered());
        if children.ready.is_empty() {
            group.arrays.remove(&place.seq);
        }
        self.drop_if_empty(&place.group);
        was_there
    }

    /// An array's children that are in line, whether or not there is room for them.
    pub(crate) fn children(&self, place: &Place) -> Option<&OrdSet> {
        Some(&self.get(&place.group)?.arrays.get(&place.seq)?.ready)
    }

    fn drop_if_empty(&mut self, key: &GroupKey) {
        let Some(groups) = self.lanes.get_mut(&key.lane) else { return };
        let is_empty = |group: &Group| group.jobs.is_empty() && group.arrays.is_empty();
        if groups.get(&key.class).is_some_and(is_empty) {
            groups.remove(&key.class);
        }
        if groups.is_empty() {
            self.lanes.remove(&key.lane);
        }
    }

    /// Who starts together with a job that [`Self::first`] or a [`Line`] gave.
    pub(crate) fn task_from(&self, key: &GroupKey, first: JobId) -> Vec<JobId> {
        if key.class.shared.is_none() {
            return vec![first];
        }
        self.get(key).map(|group| group.task_from(first).collect()).unwrap_or_default()
    }

    /// The one for whose task a job that may start is offered: itself where it shares none.
    pub(crate) fn task_of(&self, key: &GroupKey, id: JobId) -> Option<JobId> {
        if key.class.shared.is_none() {
            return Some(id);
        }
        self.get(key)?.task_of(id)
    }

    /// The first `n` jobs of some groups together, one for each task; they stay in line until they are removed.
    pub(crate) fn first(&self, groups: &[GroupKey], n: usize) -> Vec<(GroupKey, JobId)> {
        let mut first: Vec<(LinePlace, JobId, usize)> = Vec::new();
        for (at, group) in groups.iter().enumerate() {
            let line = self.get(group).into_iter().flat_map(Group::line);
            first.extend(line.take(n).map(|(place, id)| (place, id, at)));
        }
        first.sort_unstable();
        let group = |at: usize| groups.get(at).copied();
        first.into_iter().take(n).filter_map(|(_, id, at)| Some((group(at)?, id))).collect()
    }

    /// Whether a job of this class waits, in any lane; or one that has it for one of its alternatives.
    pub(crate) fn has(&self, class: &JobClass) -> bool {
        if class.way().is_some() {
            return self.groups().any(|(key, _)| key.class.may_be(class));
        }
        let of_class = self.lanes.values().filter_map(|groups| groups.get(class));
        of_class.into_iter().any(|group| 0 < group.n)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.values().flat_map(BTreeMap::values).all(|group| group.n == 0)
    }

    /// All groups of which some may start, lane by lane.
    pub(crate) fn by_lane(
        &self,
    ) -> impl Iterator<Item = (LaneOrd, impl Iterator<Item = (GroupKey, &Group)>)> {
        self.lanes.iter().map(|(lane, groups)| {
            let key = |class: &JobClass| GroupKey { lane: *lane, class: *class };
            let groups = groups.iter().map(move |(class, group)| (key(class), group));
            (*lane, groups.filter(|(_, group)| 0 < group.n))
        })
    }

    /// The same in one.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (GroupKey, &Group)> {
        self.by_lane().flat_map(|(_, groups)| groups)
    }
}

#[cfg(test)]
mod tests {
    use spillway_core::{CpuUnits, KindId, MarketRule, MiB, Resources};

    use super::*;

    fn group() -> GroupKey {
        let spec = crate::lane::Lane::of_queue("q");
        GroupKey { lane: crate::lane::Lanes::default().ord(spec), class: class() }
    }

    fn class() -> JobClass {
        JobClass {
            need: Resources::new(CpuUnits::from_vcpus(1), MiB::from_gib(1), 0),
            arch: None,
            gpu_kinds: spillway_core::gpu::GpuKinds::ANY,
            market: MarketRule::Any,
            shuns_spot: false,
            told_secs: None,
            kind: KindId::named("k"),
            start_by: None,
            end_by: None,
            shared: None,
            choice: None,
        }
    }

    fn first(waiting: &Waiting, n: usize) -> Vec<JobId> {
        waiting.first(&[group()], n).into_iter().map(|(_, id)| id).collect()
    }

    fn id(token: &str) -> JobId {
        JobId::derive(&"q".parse().unwrap(), token)
    }

    fn place(token: &str, seq: u64, size: u32) -> Place {
        Place { group: group(), seq, array: id(token), indexes: Indexes::of_size(size) }
    }

    #[test]
    fn arrays_and_jobs_stand_in_one_line_in_the_order_they_came() {
        let mut waiting = Waiting::default();
        let (a, b) = (place("a", 10, 3), place("b", 14, 2));
        waiting.add_children(&b, &OrdSet::below(2), u32::MAX);
        waiting.insert(group(), fresh(20), id("last"));
        waiting.add_children(&a, &OrdSet::below(3), u32::MAX);
        waiting.insert(group(), fresh(12), a.array.child(1));
        assert!(waiting.take_child(&a, 1));

        let line = first(&waiting, 10);

        let expected = [
            a.array.child(0),
            a.array.child(1),
            a.array.child(2),
            b.array.child(0),
            b.array.child(1),
            id("last"),
        ];
        assert_eq!(line, expected);
        assert_eq!(first(&waiting, 2), expected[..2]);
        assert_eq!(waiting.get(&group()).map(Group::len), Some(6));
    }

    #[test]
    fn a_retried_job_goes_before_those_that_came_before_it() {
        let mut waiting = Waiting::default();
        let a = place("a", 10, 2);
        waiting.add_children(&a, &OrdSet::below(2), u32::MAX);
        for (is_fresh, seq) in [(true, 1), (true, 2), (false, 7), (false, 5)] {
            waiting.insert(group(), LinePlace { is_fresh, seq }, id(&seq.to_string()));
        }

        let line = first(&waiting, usize::MAX);

        let singles = ["5", "7", "1", "2"].map(id).into_iter();
        let children = [0, 1].map(|n| a.array.child(n));
        assert_eq!(line, singles.chain(children).collect::<Vec<_>>());
    }

    #[test]
    fn an_array_offers_no_more_than_it_has_room_for() {
        let mut waiting = Waiting::default();
        let a = place("a", 0, 1_000_000);
        waiting.add_children(&a, &OrdSet::below(1_000_000), 2);

        assert_eq!(first(&waiting, 10), [a.array.child(0), a.array.child(1)]);
        assert!(waiting.take_child(&a, 0));
        waiting.set_room(&a, 0);
        assert!(waiting.is_empty() && !waiting.has(&class()));
        assert_eq!(waiting.groups().count(), 0);
        waiting.set_room(&a, 1);
        assert_eq!(first(&waiting, 10), [a.array.child(1)]);
    }

    #[test]
    fn nothing_is_left_of_what_has_left_the_line() {
        let mut waiting = Waiting::default();
        let a = place("a", 0, 2);
        waiting.add_children(&a, &OrdSet::below(2), 2);
        waiting.insert(group(), fresh(9), id("x"));

        assert!(waiting.take_child(&a, 0) && waiting.take_child(&a, 1));
        assert!(!waiting.take_child(&a, 1));
        waiting.remove(&group(), fresh(9), id("x"));

        assert!(waiting.is_empty() && waiting.lanes.is_empty());
    }
}
