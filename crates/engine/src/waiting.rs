//! The jobs that may run now, by class, in the order they came. Children of arrays that have not started are bits in here, not
//! records: each array stands in line once, for as many of them as may start.

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::array::{Indexes, child_seq};
use spillway_core::job::LinePlace;
use spillway_core::{JobClass, JobId, OrdSet};

/// An array's place in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) class: JobClass,
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
}

#[derive(Debug, Default)]
struct Group {
    jobs: BTreeSet<(LinePlace, JobId)>,
    arrays: BTreeMap<u64, Children>,
    /// Over both.
    n: u32,
    /// How many of the jobs have had an attempt.
    n_again: u32,
}

impl Group {
    fn recount(&mut self) {
        let jobs = u32::try_from(self.jobs.len()).unwrap_or(u32::MAX);
        self.n = self.arrays.values().fold(jobs, |n, of| n.saturating_add(of.offered()));
    }

    /// The first `n`, with their numbers. The numbers of an array's children lie between those of no two jobs or children of
    /// another array, so that arrays can be taken one after the other.
    fn first(&self, n: usize) -> impl Iterator<Item = (LinePlace, JobId)> {
        let children = self.arrays.iter().flat_map(|(seq, of)| {
            let room = usize::try_from(of.room).unwrap_or(usize::MAX);
            let ready = of.ready.iter().take(room);
            ready.filter_map(|ord| {
                Some((fresh(child_seq(*seq, ord)), of.indexes.child(of.array, ord)?))
            })
        });
        self.jobs.iter().copied().take(n).chain(children.take(n))
    }

    /// The number and id of who is first; of an array, its own.
    fn head(&self) -> Option<(LinePlace, JobId)> {
        let offering = self.arrays.iter().find(|(_, of)| 0 < of.offered());
        let array = offering.map(|(seq, of)| (fresh(*seq), of.array));
        [self.jobs.first().copied(), array].into_iter().flatten().min()
    }
}

/// The place in line of one that has had no attempt.
const fn fresh(seq: u64) -> LinePlace {
    LinePlace { is_fresh: true, seq }
}

/// Runnable jobs in groups that are equal to the control loop. A retried job is first in line.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    groups: BTreeMap<JobClass, Group>,
}

impl Waiting {
    pub(crate) fn insert(&mut self, class: JobClass, line: LinePlace, id: JobId) {
        let group = self.groups.entry(class).or_default();
        let is_new = group.jobs.insert((line, id));
        group.n = group.n.saturating_add(u32::from(is_new));
        group.n_again = group.n_again.saturating_add(u32::from(is_new && !line.is_fresh));
    }

    pub(crate) fn remove(&mut self, class: &JobClass, line: LinePlace, id: JobId) {
        if let Some(group) = self.groups.get_mut(class) {
            let was_there = group.jobs.remove(&(line, id));
            group.n = group.n.saturating_sub(u32::from(was_there));
            group.n_again = group.n_again.saturating_sub(u32::from(was_there && !line.is_fresh));
        }
        self.drop_if_empty(class);
    }

    /// Puts children of an array in line; `room` more of all that are in line may start.
    pub(crate) fn add_children(&mut self, place: &Place, ords: &OrdSet, room: u32) {
        if ords.is_empty() {
            return;
        }
        let Place { class, seq, array, indexes } = *place;
        let group = self.groups.entry(class).or_default();
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
        let Some(group) = self.groups.get_mut(&place.class) else { return };
        let Some(children) = group.arrays.get_mut(&place.seq) else { return };
        let before = children.offered();
        children.room = room;
        group.n = group.n.saturating_sub(before).saturating_add(children.offered());
    }

    /// Takes a child out of line; false if it is not there.
    pub(crate) fn take_child(&mut self, place: &Place, ord: u32) -> bool {
        let Some(group) = self.groups.get_mut(&place.class) else { return false };
        let Some(children) = group.arrays.get_mut(&place.seq) else { return false };
        let before = children.offered();
        let was_there = children.ready.remove(ord);
        group.n = group.n.saturating_sub(before).saturating_add(children.offered());
        if children.ready.is_empty() {
            group.arrays.remove(&place.seq);
        }
        self.drop_if_empty(&place.class);
        was_there
    }

    /// An array's children that are in line, whether or not there is room for them.
    pub(crate) fn children(&self, place: &Place) -> Option<&OrdSet> {
        Some(&self.groups.get(&place.class)?.arrays.get(&place.seq)?.ready)
    }

    fn drop_if_empty(&mut self, class: &JobClass) {
        let is_empty = |group: &Group| group.jobs.is_empty() && group.arrays.is_empty();
        if self.groups.get(class).is_some_and(is_empty) {
            self.groups.remove(class);
        }
    }

    /// The first `n` jobs of some classes together; they stay in line until they are removed.
    pub(crate) fn first(&self, classes: &[JobClass], n: u32) -> Vec<JobId> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let groups = classes.iter().filter_map(|class| self.groups.get(class));
        let mut first: Vec<(LinePlace, JobId)> = groups.flat_map(|group| group.first(n)).collect();
        first.sort_unstable();
        first.into_iter().take(n).map(|(_, id)| id).collect()
    }

    /// Whether a job of this class waits.
    pub(crate) fn has(&self, class: &JobClass) -> bool {
        0 < self.count(class)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.values().all(|group| group.n == 0)
    }

    /// How many jobs of a class wait.
    pub(crate) fn count(&self, class: &JobClass) -> u32 {
        self.groups.get(class).map_or(0, |group| group.n)
    }

    /// How many of them have had an attempt.
    pub(crate) fn count_again(&self, class: &JobClass) -> u32 {
        self.groups.get(class).map_or(0, |group| group.n_again)
    }

    /// All classes, with how many of each wait and which of them came first: of children that have no record, their array.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (&JobClass, u32, JobId)> {
        let line = |(class, group): (_, &Group)| {
            let (_, first) = group.head()?;
            Some((class, group.n, first))
        };
        self.groups.iter().filter_map(line)
    }
}

#[cfg(test)]
mod tests {
    use spillway_core::{CpuUnits, KindId, MarketRule, MiB, Resources};

    use super::*;

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
        }
    }

    fn id(token: &str) -> JobId {
        JobId::derive(&"q".parse().unwrap(), token)
    }

    fn place(token: &str, seq: u64, size: u32) -> Place {
        Place { class: class(), seq, array: id(token), indexes: Indexes::of_size(size) }
    }

    #[test]
    fn arrays_and_jobs_stand_in_one_line_in_the_order_they_came() {
        let mut waiting = Waiting::default();
        let (a, b) = (place("a", 10, 3), place("b", 14, 2));
        waiting.add_children(&b, &OrdSet::below(2), u32::MAX);
        waiting.insert(class(), fresh(20), id("last"));
        waiting.add_children(&a, &OrdSet::below(3), u32::MAX);
        waiting.insert(class(), fresh(12), a.array.child(1));
        assert!(waiting.take_child(&a, 1));

        let line = waiting.first(&[class()], 10);

        let expected = [
            a.array.child(0),
            a.array.child(1),
            a.array.child(2),
            b.array.child(0),
            b.array.child(1),
            id("last"),
        ];
        assert_eq!(line, expected);
        assert_eq!(waiting.first(&[class()], 2), expected[..2]);
        assert_eq!(waiting.count(&class()), 6);
    }

    #[test]
    fn a_retried_job_goes_before_those_that_came_before_it() {
        let mut waiting = Waiting::default();
        let a = place("a", 10, 2);
        waiting.add_children(&a, &OrdSet::below(2), u32::MAX);
        for (is_fresh, seq) in [(true, 1), (true, 2), (false, 7), (false, 5)] {
            waiting.insert(class(), LinePlace { is_fresh, seq }, id(&seq.to_string()));
        }

        let line = waiting.first(&[class()], u32::MAX);

        let singles = ["5", "7", "1", "2"].map(id).into_iter();
        let children = [0, 1].map(|n| a.array.child(n));
        assert_eq!(line, singles.chain(children).collect::<Vec<_>>());
    }

    #[test]
    fn an_array_offers_no_more_than_it_has_room_for() {
        let mut waiting = Waiting::default();
        let a = place("a", 0, 1_000_000);
        waiting.add_children(&a, &OrdSet::below(1_000_000), 2);

        assert_eq!(waiting.first(&[class()], 10), [a.array.child(0), a.array.child(1)]);
        assert!(waiting.take_child(&a, 0));
        waiting.set_room(&a, 0);
        assert!(waiting.is_empty() && !waiting.has(&class()));
        assert_eq!(waiting.classes().count(), 0);
        waiting.set_room(&a, 1);
        assert_eq!(waiting.first(&[class()], 10), [a.array.child(1)]);
    }

    #[test]
    fn nothing_is_left_of_what_has_left_the_line() {
        let mut waiting = Waiting::default();
        let a = place("a", 0, 2);
        waiting.add_children(&a, &OrdSet::below(2), 2);
        waiting.insert(class(), fresh(9), id("x"));

        assert!(waiting.take_child(&a, 0) && waiting.take_child(&a, 1));
        assert!(!waiting.take_child(&a, 1));
        waiting.remove(&class(), fresh(9), id("x"));

        assert!(waiting.is_empty() && waiting.groups.is_empty());
    }
}
