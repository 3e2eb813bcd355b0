//! Array jobs: which children may start, which are on hosts, and what becomes of the whole. A child is a bit until it is given
//! to a host, a record until its attempts are over, and a bit again.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use spillway_core::array::{self, ArrayRecord, ArraySpec, Indexes};
use spillway_core::dependency::{self, Outcome};
use spillway_core::job::JobStatus;
use spillway_core::{Change, Dependency, DependencyKind, Job, JobId, JobState, OrdSet};

use crate::engine::{Cx, Engine};
use crate::timer::Timer;
use crate::waiting::Place;

/// An array that has children to come.
#[derive(Debug)]
pub(crate) struct ArrayJob {
    pub(crate) spec: ArraySpec,
    /// Where its children stand in line.
    pub(crate) place: Place,
    /// Children that wait for something other than a machine.
    blocked: OrdSet,
    /// How many have a record.
    n_live: u32,
    succeeded: OrdSet,
    failed: OrdSet,
    /// Since when children have been in line, oldest first; empty if that has no limit.
    in_line_since: VecDeque<(Timestamp, OrdSet)>,
}

impl ArrayJob {
    fn indexes(&self) -> Indexes {
        self.spec.indexes
    }

    /// How many more children may start.
    fn room(&self) -> u32 {
        self.spec.max_concurrency.map_or(u32::MAX, |max| max.get().saturating_sub(self.n_live))
    }

    fn outcome(&self, ord: u32) -> Outcome {
        if self.succeeded.contains(ord) {
            Outcome::Succeeded
        } else if self.failed.contains(ord) {
            Outcome::Failed
        } else {
            Outcome::Open
        }
    }

    fn is_over(&self) -> bool {
        self.succeeded.len().saturating_add(self.failed.len()) == self.indexes().size
    }
}

impl Engine {
    /// Takes up an array; its children stay where they are until they are released.
    pub(crate) fn open_array(&mut self, job: &Job, record: Option<ArrayRecord>) {
        let Some(spec) = job.spec.array else { return };
        let indexes = spec.indexes;
        let ArrayRecord { succeeded, failed, .. } =
            record.unwrap_or_else(|| ArrayRecord::new(indexes));
        let mut blocked = OrdSet::below(indexes.size);
        for ord in succeeded.iter().chain(failed.iter()) {
            blocked.remove(ord);
        }
        let group = self.group_of(job);
        let place = Place { group, seq: job.seq, array: job.id, indexes };
        let in_line_since = VecDeque::new();
        let array = ArrayJob { spec, place, blocked, n_live: 0, succeeded, failed, in_line_since };
        self.arrays.insert(job.id, array);
    }

    /// A child that has a record already, after a restart.
    pub(crate) fn resume_child(&mut self, id: JobId) {
        let Some(array) = self.arrays.get_mut(&id.whole()) else { return };
        if let Some(ord) = id.index().and_then(|index| array.indexes().ord_of(index)) {
            array.blocked.remove(ord);
            array.n_live = array.n_live.saturating_add(1);
        }
    }

    /// Puts every child in line that waits for nothing any more. Whole jobs that the array waits for are not looked at here.
    pub(crate) fn release_children(&mut self, now: Timestamp, id: JobId) {
        let (Some(array), Some(job)) = (self.arrays.get(&id), self.jobs.get(&id)) else { return };
        let in_turn = |ord: u32| {
            let before = ord.checked_sub(1).filter(|_| array.spec.sequential);
            before.is_none_or(|before| array.succeeded.contains(before))
        };
        let pairs: Vec<JobId> = paired_with(&job.spec.depends_on).collect();
        let met = |ord: u32| {
            let index = array.indexes().index_of(ord);
            let of_pair = |pair: &JobId| index.map(|index| self.outcome(pair.child(index)));
            pairs.iter().all(|pair| of_pair(pair) == Some(Outcome::Succeeded))
        };
        let released: OrdSet = if pairs.is_empty() && !array.spec.sequential {
            array.blocked.clone()
        } else if array.spec.sequential {
            let next = array.blocked.iter().next().filter(|ord| in_turn(*ord) && met(*ord));
            next.into_iter().collect()
        } else {
            array.blocked.iter().filter(|ord| met(*ord)).collect()
        };
        self.put_in_line(now, id, released);
    }

    /// Puts one child in line if it waits for nothing any more.
    pub(crate) fn release_child(&mut self, now: Timestamp, id: JobId, ord: u32) {
        let (Some(array), Some(job)) = (self.arrays.get(&id), self.jobs.get(&id)) else { return };
        if array.spec.sequential {
            return self.release_children(now, id);
        }
        let Some(index) = array.indexes().index_of(ord).filter(|_| array.blocked.contains(ord))
        else {
            return;
        };
        let is_met = paired_with(&job.spec.depends_on)
            .all(|pair| self.outcome(pair.child(index)) == Outcome::Succeeded);
        if is_met {
            self.put_in_line(now, id, OrdSet::from_iter([ord]));
        }
    }

    fn put_in_line(&mut self, now: Timestamp, id: JobId, ords: OrdSet) {
        let limit = self.jobs.get(&id).and_then(|job| job.spec.time_limits.queue);
        let Some(array) = self.arrays.get_mut(&id).filter(|_| !ords.is_empty()) else { return };
        for ord in ords.iter() {
            array.blocked.remove(ord);
        }
        self.waiting.add_children(&array.place, &ords, array.room());
        self.waits.is_released = true;
        if let Some(limit) = limit {
            array.in_line_since.push_back((now, ords));
            self.timers.set(now + limit, Timer::QueueTimeout(id));
        }
    }

    /// The children that have been in line since `then` or longer, as far as they still are.
    pub(crate) fn waited_since(&mut self, id: JobId, then: Timestamp) -> OrdSet {
        let Some(array) = self.arrays.get_mut(&id) else { return OrdSet::new() };
        let mut overdue = OrdSet::new();
        while let Some((_, ords)) = array.in_line_since.pop_front_if(|(since, _)| *since <= then) {
            for (first, last) in ords.runs() {
                overdue.insert_run(first, last);
            }
        }
        overdue
    }

    /// A child of an array that has no record yet, as it would be if it had one.
    pub fn child(&self, id: JobId) -> Option<Job> {
        let (array, parent) = (self.arrays.get(&id.whole())?, self.jobs.get(&id.whole())?);
        let ord = array.indexes().ord_of(id.index()?)?;
        let is_ready = self.waiting.children(&array.place).is_some_and(|set| set.contains(ord));
        let state = if is_ready {
            JobState::Runnable { since: parent.created_at }
        } else if array.blocked.contains(ord) {
            parent.state.clone()
        } else {
            return None;
        };
        Some(array::child_of(parent, id, ord, state))
    }

    /// Gives a child that is in line a record, because it is given to a host; false if it is not in line.
    pub(crate) fn begin_child(&mut self, id: JobId) -> bool {
        let Some(job) = self.child(id) else { return false };
        let Some(array) = self.arrays.get_mut(&id.whole()) else { return false };
        let ord = id.index().and_then(|index| array.indexes().ord_of(index));
        if !ord.is_some_and(|ord| self.waiting.take_child(&array.place, ord)) {
            return false;
        }
        array.n_live = array.n_live.saturating_add(1);
        self.waiting.set_room(&array.place, array.room());
        self.jobs.insert(id, Box::new(job));
        true
    }

    /// A child with a record has ended.
    pub(crate) fn child_ended(&mut self, cx: &mut Cx, id: JobId, succeeded: bool) {
        let Some(array) = self.arrays.get_mut(&id.whole()) else { return };
        let Some(ord) = id.index().and_then(|index| array.indexes().ord_of(index)) else { return };
        array.n_live = array.n_live.saturating_sub(1);
        if succeeded {
            array.succeeded.insert(ord)
        } else {
            array.failed.insert(ord)
        };
        self.waiting.set_room(&array.place, array.room());
        self.note_settled(id);
        if array_is_sequential(self.arrays.get(&id.whole())) {
            if succeeded {
                self.release_children(cx.now, id.whole());
            } else {
                self.fail_rest(cx, id);
            }
        }
        self.close_if_over(cx, id.whole());
    }

    /// One child of a sequential array has failed: those behind it never run.
    fn fail_rest(&mut self, cx: &mut Cx, failed: JobId) {
        let Some(array) = self.arrays.get(&failed.whole()) else { return };
        let is_behind = |ord: &u32| {
            array.indexes().index_of(*ord).is_some_and(|index| failed.index() < Some(index))
        };
        let rest: OrdSet = array.blocked.iter().filter(is_behind).collect();
        let reason =
            dependency::never_met(Dependency { job: failed, kind: DependencyKind::AfterOk });
        self.end_children(cx, failed.whole(), &rest, &reason);
    }

    /// Ends children that have no record; those of `ords` that have one, or are over, stay as they are.
    pub(crate) fn end_children(&mut self, cx: &mut Cx, id: JobId, ords: &OrdSet, reason: &str) {
        let Some(array) = self.arrays.get_mut(&id) else { return };
        let mut ended = OrdSet::new();
        for ord in ords.iter() {
            if array.blocked.remove(ord) || self.waiting.take_child(&array.place, ord) {
                array.failed.insert(ord);
                ended.insert(ord);
            }
        }
        if ended.is_empty() {
            return;
        }
        let state = JobState::Failed { at: cx.now, reason: reason.to_owned() };
        let runs = ended.runs().collect();
        cx.changes.push(Change::EndChildren { array: id, runs, state });
        let indexes = array.indexes();
        let is_sequential = array.spec.sequential;
        if self.waits.knows(id) {
            for child in ended.iter().filter_map(|ord| indexes.child(id, ord)) {
                self.note_settled(child);
            }
        }
        if is_sequential
            && let Some(child) = ended.iter().next().and_then(|ord| indexes.child(id, ord))
        {
            self.fail_rest(cx, child);
        }
        self.close_if_over(cx, id);
    }

    /// The children that an order is for and that have no record, and those that have one.
    pub(crate) fn children_within(
        &self,
        id: JobId,
        within: Option<Indexes>,
    ) -> (OrdSet, Vec<JobId>) {
        let Some(array) = self.arrays.get(&id) else { return (OrdSet::new(), Vec::new()) };
        let is_meant = |index: u32| within.is_none_or(|within| within.ord_of(index).is_some());
        let ready = self.waiting.children(&array.place);
        let without = array.blocked.iter().chain(ready.into_iter().flat_map(OrdSet::iter));
        let without = without.filter(|ord| array.indexes().index_of(*ord).is_some_and(is_meant));
        let with = self.jobs.range(id.child(0)..=id.child(u32::MAX)).map(|(id, _)| *id);
        let with = with.filter(|id| id.index().is_some_and(is_meant));
        (without.collect(), with.collect())
    }

    /// Whether a child has not been given to a host, nor has any other of its array.
    pub(crate) fn is_untouched(&self, id: JobId) -> bool {
        self.arrays.get(&id).is_some_and(|array| {
            array.n_live == 0 && array.succeeded.is_empty() && array.failed.is_empty()
        })
    }

    /// An array whose children have all ended has ended.
    fn close_if_over(&mut self, cx: &mut Cx, id: JobId) {
        let Some(array) = self.arrays.get(&id).filter(|array| array.is_over()) else { return };
        let state = if array.failed.is_empty() {
            JobState::Succeeded { at: cx.now }
        } else {
            JobState::Failed { at: cx.now, reason: dependency::CHILD_FAILED.to_owned() }
        };
        self.move_job(cx, id, state, None);
    }

    /// An array that has ended is only remembered by which of its children failed; those that never began share its fate.
    pub(crate) fn shelve_array(&mut self, id: JobId) {
        let Some(array) = self.arrays.remove(&id) else { return };
        let indexes = array.indexes();
        let mut failed = OrdSet::below(indexes.size);
        for ord in array.succeeded.iter() {
            failed.remove(ord);
        }
        let left = self.waiting.children(&array.place).cloned().unwrap_or_default();
        for ord in left.iter() {
            self.waiting.take_child(&array.place, ord);
        }
        let record = ArrayRecord { indexes, succeeded: OrdSet::new(), failed };
        self.past_arrays.insert(id, record);
    }

    /// Where a child stands for those that wait for it. None if there is no such child.
    pub(crate) fn child_outcome(&self, array: JobId, index: u32) -> Option<Outcome> {
        if let Some(open) = self.arrays.get(&array) {
            return Some(open.outcome(open.indexes().ord_of(index)?));
        }
        let past = self.past_arrays.get(&array)?;
        let has_failed = past.failed.contains(past.indexes.ord_of(index)?);
        Some(if has_failed { Outcome::Failed } else { Outcome::Succeeded })
    }

    /// Which children an array has.
    pub(crate) fn indexes_of(&self, array: JobId) -> Option<Indexes> {
        let open = self.arrays.get(&array).map(ArrayJob::indexes);
        open.or_else(|| self.past_arrays.get(&array).map(|past| past.indexes))
    }

    /// How many children of an array that has not ended are in each state, and whether others are.
    pub fn status_summary(&self, id: JobId) -> Option<BTreeMap<JobStatus, u32>> {
        let (array, parent) = (self.arrays.get(&id)?, self.jobs.get(&id)?);
        let mut summary: BTreeMap<JobStatus, u32> = BTreeMap::new();
        let ready = self.waiting.children(&array.place).map_or(0, OrdSet::len);
        let counted = [
            // SUBMITTED or PENDING, as their array.
            (parent.state.status(), array.blocked.len()),
            (JobStatus::Runnable, ready),
            (JobStatus::Succeeded, array.succeeded.len()),
            (JobStatus::Failed, array.failed.len()),
        ];
        for (status, n) in counted {
            *summary.entry(status).or_default() += n;
        }
        for child in self.jobs.range(id.child(0)..=id.child(u32::MAX)).map(|(_, job)| job) {
            *summary.entry(child.state.status()).or_default() += 1;
        }
        Some(summary)
    }
}

/// The arrays that an array waits for child by child.
fn paired_with(dependencies: &[Dependency]) -> impl Iterator<Item = JobId> {
    dependencies.iter().filter(|d| d.kind == DependencyKind::NToN).map(|d| d.job)
}

fn array_is_sequential(array: Option<&ArrayJob>) -> bool {
    array.is_some_and(|array| array.spec.sequential)
}
