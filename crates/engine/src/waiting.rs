//! The jobs that may run now, by class, in the order they came.

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::{JobClass, JobId};

/// Runnable jobs in groups that are equal to the control loop. A retried job keeps its number, so it is first in line.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    groups: BTreeMap<JobClass, BTreeSet<(u64, JobId)>>,
}

impl Waiting {
    pub(crate) fn insert(&mut self, class: JobClass, seq: u64, id: JobId) {
        self.groups.entry(class).or_default().insert((seq, id));
    }

    pub(crate) fn remove(&mut self, class: &JobClass, seq: u64, id: JobId) {
        if let Some(group) = self.groups.get_mut(class) {
            group.remove(&(seq, id));
            if group.is_empty() {
                self.groups.remove(class);
            }
        }
    }

    /// The first `n` jobs of some classes together; they stay in line until they are removed.
    pub(crate) fn first(&self, classes: &[JobClass], n: u32) -> Vec<JobId> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let groups = classes.iter().filter_map(|class| self.groups.get(class));
        let mut first: Vec<(u64, JobId)> =
            groups.flat_map(|group| group.iter().take(n)).copied().collect();
        if 1 < classes.len() {
            first.sort_unstable();
        }
        first.into_iter().take(n).map(|(_, id)| id).collect()
    }

    /// Whether a job of this class waits.
    pub(crate) fn has(&self, class: &JobClass) -> bool {
        self.groups.contains_key(class)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many jobs of a class wait.
    pub(crate) fn count(&self, class: &JobClass) -> u32 {
        self.groups.get(class).map_or(0, |jobs| u32::try_from(jobs.len()).unwrap_or(u32::MAX))
    }

    /// All classes, with how many of each wait and which of them came first.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (&JobClass, u32, JobId)> {
        let line = |(class, jobs): (_, &BTreeSet<(u64, JobId)>)| {
            let (_, first) = jobs.first()?;
            Some((class, u32::try_from(jobs.len()).unwrap_or(u32::MAX), *first))
        };
        self.groups.iter().filter_map(line)
    }
}
