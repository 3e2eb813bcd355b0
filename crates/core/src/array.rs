//! Array jobs: which children there are, and what became of them, in bits rather than in records. Decides nothing.

mod ord_set;

use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use ord_set::OrdSet;

use crate::id::JobId;
use crate::job::{Job, JobState};

/// Which indexes: `first`, `first + step`, and so on. A child is known by its index to people and by its ordinal number,
/// from 0, in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Indexes {
    /// The index of the first child.
    pub first: u32,
    /// From one index to the next.
    pub step: NonZeroU32,
    /// How many.
    pub size: u32,
}

impl Indexes {
    /// `0..size`, as AWS Batch numbers children.
    pub const fn of_size(size: u32) -> Self {
        Self { first: 0, step: NonZeroU32::MIN, size }
    }

    /// From `first` to at most `last`, by `step`. None if that is nothing.
    pub fn between(first: u32, last: u32, step: NonZeroU32) -> Option<Self> {
        let size = last.checked_sub(first)? / step.get() + 1;
        Some(Self { first, step, size })
    }

    /// The index of a child.
    pub fn index_of(&self, ord: u32) -> Option<u32> {
        let within = (ord < self.size).then_some(ord)?;
        within.checked_mul(self.step.get())?.checked_add(self.first)
    }

    /// The ordinal number of the child with this index.
    pub fn ord_of(&self, index: u32) -> Option<u32> {
        let from_first = index.checked_sub(self.first)?;
        let ord = from_first / self.step.get();
        (from_first.is_multiple_of(self.step.get()) && ord < self.size).then_some(ord)
    }

    /// The last index; of no children, the first.
    pub fn last(&self) -> u32 {
        self.index_of(self.size.saturating_sub(1)).unwrap_or(self.first)
    }

    /// The id of a child of `array`.
    pub fn child(&self, array: JobId, ord: u32) -> Option<JobId> {
        self.index_of(ord).map(|index| array.child(index))
    }
}

/// The place in line of a child: right behind its array.
pub fn child_seq(array_seq: u64, ord: u32) -> u64 {
    array_seq.saturating_add(1).saturating_add(u64::from(ord))
}

/// The state of a child that has no record of its own, as far as its array's record tells it: one that might wait for
/// something is taken to.
pub fn unrecorded_state(array: &Job) -> JobState {
    let spec = &array.spec;
    let is_sequential = spec.array.is_some_and(|array| array.sequential);
    let waits_for_nobody = spec.depends_on.is_empty() && !is_sequential;
    if waits_for_nobody && matches!(array.state, JobState::Pending) {
        JobState::Runnable { since: array.created_at }
    } else {
        array.state.clone()
    }
}

/// A child with this state, and otherwise what its array is.
pub fn child_of(array: &Job, id: JobId, ord: u32, state: JobState) -> Job {
    Job {
        id,
        spec: Arc::clone(&array.spec),
        body_hash: array.body_hash,
        created_at: array.created_at,
        seq: child_seq(array.seq, ord),
        state,
        attempts: Vec::new(),
        warnings: Vec::new(),
    }
}

/// What an array job asks for beyond what its children do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArraySpec {
    /// Which children there are.
    pub indexes: Indexes,
    /// How many may be on hosts at once; none is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<NonZeroU32>,
    /// Whether each child waits for the one before it (`SEQUENTIAL`).
    #[serde(default)]
    pub sequential: bool,
}

/// What became of the children of an array, by their ordinal numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayRecord {
    /// Which there are.
    pub indexes: Indexes,
    /// Those that succeeded.
    pub succeeded: OrdSet,
    /// Those that failed.
    pub failed: OrdSet,
}

impl ArrayRecord {
    /// Of an array whose children have all yet to end.
    pub const fn new(indexes: Indexes) -> Self {
        Self { indexes, succeeded: OrdSet::new(), failed: OrdSet::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_and_an_ordinal_number_name_the_same_child() {
        let step = NonZeroU32::new(5).unwrap();
        let indexes = Indexes::between(100, 199, step).unwrap();

        assert_eq!((indexes.size, indexes.last()), (20, 195));
        assert_eq!((indexes.index_of(1), indexes.ord_of(105)), (Some(105), Some(1)));
        assert_eq!((indexes.index_of(20), indexes.ord_of(200)), (None, None));
        assert_eq!((indexes.ord_of(99), indexes.ord_of(101)), (None, None));
        assert_eq!(Indexes::between(5, 4, step), None);
    }
}
