//! The jobs that may run now, by what they need, in the order they came.

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::{Demand, DemandKey, Job, JobId};

/// Runnable jobs in groups that are equal to the planner. A retried job keeps its number, so it is first in line.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    groups: BTreeMap<DemandKey, BTreeSet<(u64, JobId)>>,
}

impl Waiting {
    pub(crate) fn insert(&mut self, job: &Job) {
        self.groups.entry(DemandKey::of(&job.spec)).or_default().insert((job.seq, job.id));
    }

    pub(crate) fn remove(&mut self, job: &Job) {
        let key = DemandKey::of(&job.spec);
        if let Some(group) = self.groups.get_mut(&key) {
            group.remove(&(job.seq, job.id));
            if group.is_empty() {
                self.groups.remove(&key);
            }
        }
    }

    /// The first `n` jobs of a group; they stay in line until they are removed.
    pub(crate) fn first(&self, key: &DemandKey, n: u32) -> Vec<JobId> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        self.groups.get(key).into_iter().flatten().take(n).map(|(_, id)| *id).collect()
    }

    /// Whether a job of this group waits.
    pub(crate) fn has(&self, key: &DemandKey) -> bool {
        self.groups.contains_key(key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(crate) fn demands(&self) -> Vec<Demand> {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.groups.iter().map(|(key, jobs)| Demand::new(*key, count(jobs.len()))).collect()
    }
}
