//! The jobs that this process has sent and the ledger may not have yet: whoever submits a job may ask for it at once. A memory and
//! no record; what is in the ledger is told from there.

use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_core::{Job, JobId};

/// So many are remembered, the newest: a dispatcher takes some hundreds of messages a second, so one that runs has long taken
/// what is forgotten. A job is a kilobyte or two.
const SENT_MAX: usize = 50_000;

/// Jobs on their way.
#[derive(Debug, Default)]
pub(super) struct Sent {
    n_ever: u64,
    jobs: BTreeMap<u64, Arc<Job>>,
    numbers: BTreeMap<JobId, u64>,
}

impl Sent {
    /// Remembers one.
    pub(super) fn add(&mut self, job: Job) {
        if self.numbers.contains_key(&job.id) {
            return;
        }
        self.n_ever += 1;
        self.numbers.insert(job.id, self.n_ever);
        self.jobs.insert(self.n_ever, Arc::new(job));
        if SENT_MAX < self.jobs.len()
            && let Some((_, oldest)) = self.jobs.pop_first()
        {
            self.numbers.remove(&oldest.id);
        }
    }

    /// One of them.
    pub(super) fn get(&self, id: JobId) -> Option<Arc<Job>> {
        self.jobs.get(self.numbers.get(&id)?).cloned()
    }

    /// Forgets one: the ledger has it.
    pub(super) fn forget(&mut self, id: JobId) {
        if let Some(number) = self.numbers.remove(&id) {
            self.jobs.remove(&number);
        }
    }

    /// All, the newest first.
    pub(super) fn newest_first(&self) -> Vec<Arc<Job>> {
        self.jobs.values().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::detail::tests::job;
    use super::*;

    fn id(n: usize) -> JobId {
        JobId::derive(&"q".parse().unwrap(), &n.to_string())
    }

    #[test]
    fn the_newest_are_remembered_and_what_the_ledger_has_is_not() {
        let mut sent = Sent::default();
        let one = job();
        for n in (0..=SENT_MAX).chain([SENT_MAX]) {
            sent.add(Job { id: id(n), ..one.clone() });
        }
        sent.forget(id(7));

        assert!(sent.get(id(0)).is_none() && sent.get(id(7)).is_none());
        assert!(sent.get(id(1)).is_some());
        let newest = sent.newest_first();
        assert_eq!((newest.len(), newest[0].id), (SENT_MAX - 1, id(SENT_MAX)));
    }
}
