//! Children of arrays in the ledger in memory: those that have ended are packed, so that a million of them fit into it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use jiff::Timestamp;
use spillway_core::array::{self, ArrayRecord, Indexes};
use spillway_core::coalesce::SharedPart;
use spillway_core::task_spec::ContainerEnd;
use spillway_core::{
    Attempt, AttemptOrd, Expectation, FailureCategory, HostId, InstanceId, Job, JobId, JobState,
    MicroUsd, OrdSet, PoolId, TaskArn, VariantOrd,
};

use super::MemoryLedger;

/// How a child ended that had a record.
#[derive(Debug, Clone)]
struct Packed {
    at: Timestamp,
    /// None if it succeeded.
    reason: Option<Arc<str>>,
    /// The first of its attempts among those of the array, and how many.
    attempts: (usize, usize),
}

/// An attempt that shares with others what is the same for many.
#[derive(Debug, Clone)]
struct PackedAttempt {
    ord: AttemptOrd,
    place: Arc<Place>,
    task: Option<PackedArn>,
    placed_at: Timestamp,
    started_at: Option<Timestamp>,
    stopped_at: Timestamp,
    exit_code: Option<i32>,
    reason: Arc<str>,
    container_reason: Option<Arc<str>>,
    containers: Box<[ContainerEnd]>,
    failure: Option<FailureCategory>,
    cost: MicroUsd,
    expected: Option<Expectation>,
    shared: Option<Box<SharedPart>>,
    variant: VariantOrd,
}

/// A task's ARN: those of one cluster differ by the number at their end.
#[derive(Debug, Clone)]
enum PackedArn {
    Numbered { prefix: Arc<str>, number: u128 },
    Odd(TaskArn),
}

impl PackedArn {
    fn unpack(&self) -> Option<TaskArn> {
        match self {
            Self::Numbered { prefix, number } => format!("{prefix}/{number:032x}").parse().ok(),
            Self::Odd(arn) => Some(arn.clone()),
        }
    }
}

/// Where an attempt ran.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    host: HostId,
    instance: InstanceId,
    pool: PoolId,
}

/// What many attempts have in common, once.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    places: BTreeSet<Arc<Place>>,
    texts: BTreeSet<Arc<str>>,
}

impl Shared {
    pub(super) const fn new() -> Self {
        Self { places: BTreeSet::new(), texts: BTreeSet::new() }
    }

    fn place(&mut self, attempt: &Attempt) -> Arc<Place> {
        let place = Place {
            host: attempt.host,
            instance: attempt.instance.clone(),
            pool: attempt.pool.clone(),
        };
        if let Some(known) = self.places.get(&place) {
            return Arc::clone(known);
        }
        let new = Arc::new(place);
        self.places.insert(Arc::clone(&new));
        new
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }

    fn arn(&mut self, arn: TaskArn) -> PackedArn {
        let parts = arn.as_str().rsplit_once('/');
        let numbered = parts.and_then(|(prefix, end)| {
            let number = u128::from_str_radix(end, 16).ok()?;
            let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            (end.len() == 32 && end.bytes().all(is_hex)).then_some((prefix, number))
        });
        match numbered {
            Some((prefix, number)) => PackedArn::Numbered { prefix: self.text(prefix), number },
            None => PackedArn::Odd(arn),
        }
    }

    fn pack(&mut self, attempt: Attempt) -> PackedAttempt {
        let (place, reason) = (self.place(&attempt), self.text(&attempt.reason));
        let container_reason = attempt.container_reason.as_deref().map(|text| self.text(text));
        let Attempt { ord, task, placed_at, started_at, stopped_at, .. } = attempt;
        let Attempt { exit_code, containers, failure, cost, expected, variant, shared, .. } =
            attempt;
        PackedAttempt {
            ord,
            place,
            task: task.map(|arn| self.arn(arn)),
            placed_at,
            started_at,
            stopped_at,
            exit_code,
            reason,
            container_reason,
            containers,
            failure,
            cost,
            expected,
            shared,
            variant,
        }
    }
}

impl From<&PackedAttempt> for Attempt {
    fn from(packed: &PackedAttempt) -> Self {
        let place = packed.place.as_ref();
        Self {
            ord: packed.ord,
            host: place.host,
            instance: place.instance.clone(),
            pool: place.pool.clone(),
            task: packed.task.as_ref().and_then(PackedArn::unpack),
            placed_at: packed.placed_at,
            started_at: packed.started_at,
            stopped_at: packed.stopped_at,
            exit_code: packed.exit_code,
            reason: packed.reason.as_ref().to_owned(),
            container_reason: packed.container_reason.as_deref().map(str::to_owned),
            containers: packed.containers.clone(),
            failure: packed.failure,
            cost: packed.cost,
            expected: packed.expected,
            shared: packed.shared.clone(),
            variant: packed.variant,
        }
    }
}

/// What became of an array's children, but for those with a record that have not ended.
#[derive(Debug, Clone)]
pub(super) struct Children {
    record: ArrayRecord,
    /// By their ordinal numbers.
    packed: Vec<Option<Packed>>,
    attempts: Vec<PackedAttempt>,
    /// Those that ended without a record.
    runs: Vec<(u32, u32, JobState)>,
}

impl Children {
    pub(super) fn of(job: &Job) -> Option<Self> {
        let record = ArrayRecord::new(job.spec.array?.indexes);
        Some(Self { record, packed: Vec::new(), attempts: Vec::new(), runs: Vec::new() })
    }

    fn packed(&self, ord: u32) -> Option<&Packed> {
        self.packed.get(usize::try_from(ord).ok()?)?.as_ref()
    }

    pub(super) const fn indexes(&self) -> Indexes {
        self.record.indexes
    }

    /// Children end that have no record.
    pub(super) fn end(&mut self, runs: &[(u32, u32)], state: &JobState) {
        for (first, last) in runs {
            self.record.failed.insert_run(*first, *last);
            self.runs.push((*first, *last, state.clone()));
        }
    }

    fn has_ended(&self, ord: u32) -> bool {
        self.record.succeeded.contains(ord) || self.record.failed.contains(ord)
    }

    /// A child that has no open record.
    pub(super) fn child(&self, array: &Job, index: u32) -> Option<Job> {
        let ord = self.indexes().ord_of(index)?;
        let id = array.id.child(index);
        if let Some(packed) = self.packed(ord) {
            let at = packed.at;
            let state = match &packed.reason {
                None => JobState::Succeeded { at },
                Some(reason) => JobState::Failed { at, reason: reason.as_ref().to_owned() },
            };
            let (first, n) = packed.attempts;
            let attempts = self.attempts.iter().skip(first).take(n).map(Attempt::from).collect();
            return Some(Job { attempts, ..array::child_of(array, id, ord, state) });
        }
        let run = self.runs.iter().find(|(first, last, _)| (*first..=*last).contains(&ord));
        let state =
            run.map_or_else(|| array::unrecorded_state(array), |(_, _, state)| state.clone());
        Some(array::child_of(array, id, ord, state))
    }
}

/// What the changes of one batch have made of arrays.
#[derive(Default)]
pub(super) struct Batch {
    added: BTreeMap<JobId, Indexes>,
    ended: BTreeMap<JobId, OrdSet>,
}

impl Batch {
    pub(super) fn add(&mut self, job: &Job) {
        self.added.extend(job.spec.array.map(|array| (job.id, array.indexes)));
    }

    pub(super) fn end(&mut self, array: JobId, runs: &[(u32, u32)]) {
        let ended = self.ended.entry(array).or_default();
        for (first, last) in runs {
            ended.insert_run(*first, *last);
        }
    }
}

impl MemoryLedger {
    pub(super) fn indexes_of(&self, batch: &Batch, array: JobId) -> Option<Indexes> {
        let known = self.arrays.get(&array).map(Children::indexes);
        known.or_else(|| batch.added.get(&array).copied())
    }

    pub(super) fn ord_of(&self, batch: &Batch, id: JobId) -> Option<u32> {
        self.indexes_of(batch, id.whole())?.ord_of(id.index()?)
    }

    /// Whether a child has a record or has ended.
    pub(super) fn has_child(&self, batch: &Batch, id: JobId, ord: u32) -> bool {
        let has_ended = |of: &Children| of.has_ended(ord);
        self.jobs.contains_key(&id)
            || self.arrays.get(&id.whole()).is_some_and(has_ended)
            || batch.ended.get(&id.whole()).is_some_and(|ended| ended.contains(ord))
    }

    /// A job, or a child that has or had a record.
    pub(super) fn recorded(&self, id: JobId) -> Option<Cow<'_, Job>> {
        if let (None, Some(index)) = (self.jobs.get(&id), id.index()) {
            let children = self.arrays.get(&id.whole())?;
            let ord = children.indexes().ord_of(index)?;
            children.packed(ord)?;
        }
        self.get_job(id)
    }

    /// All children of an array.
    pub(super) fn children_of(&self, array: JobId) -> impl Iterator<Item = Cow<'_, Job>> {
        let indexes = self.arrays.get(&array).map(Children::indexes);
        let ords = 0..indexes.map_or(0, |indexes| indexes.size);
        let ids = ords.filter_map(move |ord| indexes?.child(array, ord));
        ids.filter_map(|id| self.get_job(id))
    }

    /// What a dispatcher needs of every array.
    pub(super) fn array_records(&self) -> BTreeMap<JobId, ArrayRecord> {
        let record = |(id, of): (&JobId, &Children)| (*id, self.array_record(*id, of));
        self.arrays.iter().map(record).collect()
    }

    /// Children that never had a record ended with their array, if that has ended.
    fn array_record(&self, id: JobId, children: &Children) -> ArrayRecord {
        let ArrayRecord { indexes, succeeded, failed } = children.record.clone();
        let is_over = self.jobs.get(&id).is_some_and(|job| job.state.status().is_terminal());
        if !is_over {
            return ArrayRecord { indexes, succeeded, failed };
        }
        let mut failed = OrdSet::below(indexes.size);
        for ord in succeeded.iter() {
            failed.remove(ord);
        }
        ArrayRecord { indexes, succeeded: OrdSet::new(), failed }
    }

    /// Notes that a child has ended, if it has. It is packed with the next changes: until then it may be looked at.
    pub(super) fn note_if_ended(&mut self, id: JobId) {
        let (Some(job), Some(children)) = (self.jobs.get(&id), self.arrays.get_mut(&id.whole()))
        else {
            return;
        };
        let Some(ord) = id.index().and_then(|index| children.indexes().ord_of(index)) else {
            return;
        };
        match job.state {
            JobState::Succeeded { .. } => children.record.succeeded.insert(ord),
            JobState::Failed { .. } => children.record.failed.insert(ord),
            JobState::Submitted
            | JobState::Pending
            | JobState::Runnable { .. }
            | JobState::Starting { .. }
            | JobState::Running { .. } => return,
        };
        self.unpacked.push((id, ord));
    }

    /// Packs the children that have ended since.
    pub(super) fn pack(&mut self) {
        for (id, ord) in mem::take(&mut self.unpacked) {
            let Some(children) = self.arrays.get_mut(&id.whole()) else { continue };
            let Some(job) = self.jobs.remove(&id) else { continue };
            let (at, reason) = match &job.state {
                JobState::Failed { at, reason } => (*at, Some(self.shared.text(reason))),
                JobState::Succeeded { at } => (*at, None),
                JobState::Submitted
                | JobState::Pending
                | JobState::Runnable { .. }
                | JobState::Starting { .. }
                | JobState::Running { .. } => continue,
            };
            let attempts = (children.attempts.len(), job.attempts.len());
            let packed = job.attempts.into_iter().map(|attempt| self.shared.pack(attempt));
            children.attempts.extend(packed);
            let Ok(at_ord) = usize::try_from(ord) else { continue };
            if children.packed.len() <= at_ord {
                children.packed.resize_with(at_ord + 1, || None);
            }
            if let Some(place) = children.packed.get_mut(at_ord) {
                *place = Some(Packed { at, reason, attempts });
            }
        }
    }
}
