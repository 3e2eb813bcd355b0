//! The jobs that may run now, by class, in the order they came.

use std::collections::{BTreeMap, BTreeSet};

use spillway_core::job::LinePlace;
use spillway_core::{JobClass, JobId};

/// Runnable jobs in groups that are equal to the control loop. A retried job is first in line.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    groups: BTreeMap<JobClass, BTreeSet<(LinePlace, JobId)>>,
}

impl Waiting {
    pub(crate) fn insert(&mut self, class: JobClass, line: LinePlace, id: JobId) {
        self.groups.entry(class).or_default().insert((line, id));
    }

    pub(crate) fn remove(&mut self, class: &JobClass, line: LinePlace, id: JobId) {
        if let Some(group) = self.groups.get_mut(class) {
            group.remove(&(line, id));
            if group.is_empty() {
                self.groups.remove(class);
            }
        }
    }

    /// The first `n` jobs of some classes together; they stay in line until they are removed.
    pub(crate) fn first(&self, classes: &[JobClass], n: u32) -> Vec<JobId> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let groups = classes.iter().filter_map(|class| self.groups.get(class));
        let mut first: Vec<(LinePlace, JobId)> =
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
        let line = |(class, jobs): (_, &BTreeSet<(LinePlace, JobId)>)| {
            let (_, first) = jobs.first()?;
            Some((class, u32::try_from(jobs.len()).unwrap_or(u32::MAX), *first))
        };
        self.groups.iter().filter_map(line)
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use spillway_core::job::{Job, JobState};
    use spillway_core::message::{self, Request};
    use uuid::Uuid;

    use super::*;

    fn class() -> JobClass {
        let body = r#"{"jobName":"j","jobQueue":"q","jobDefinition":{"containerProperties":{"image":"i",
            "resourceRequirements":[{"type":"VCPU","value":"1"},{"type":"MEMORY","value":"512"}]}}}"#;
        let Request::Submit { spec, .. } = message::parse(body).unwrap().request else {
            panic!("it is a job");
        };
        let job = Job {
            id: id(0),
            spec: spec.into(),
            body_hash: spillway_core::job::BodyHash(0),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            seq: 0,
            state: JobState::Submitted,
            attempts: Vec::new(),
            warnings: Vec::new(),
        };
        JobClass::of(&job, SignedDuration::ZERO)
    }

    fn id(n: u128) -> JobId {
        JobId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn a_retried_job_goes_before_those_that_came_before_it() {
        let mut waiting = Waiting::default();
        let class = class();
        for (is_fresh, seq) in [(true, 1), (true, 2), (false, 7), (false, 5)] {
            waiting.insert(class, LinePlace { is_fresh, seq }, id(seq.into()));
        }

        let line = waiting.first(&[class], u32::MAX);

        assert_eq!(line, [5, 7, 1, 2].map(id));
    }
}
