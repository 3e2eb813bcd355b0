//! What a dispatcher that starts finds in the ledger in memory.

use std::collections::BTreeMap;

use spillway_core::change::EndedJob;
use spillway_core::launch::LaunchState;
use spillway_core::{Job, JobId, JobState, Launch, LedgerState};

use super::{MemoryLedger, is_gone};

impl MemoryLedger {
    /// What a dispatcher starts from: all that is not over.
    pub fn open_state(&self) -> LedgerState {
        let mut jobs: Vec<Job> = Vec::new();
        let mut ended: BTreeMap<JobId, EndedJob> = BTreeMap::new();
        for job in self.jobs.values() {
            match job.state {
                JobState::Succeeded { .. } | JobState::Failed { .. }
                    if job.id != job.id.whole() => {}
                JobState::Succeeded { .. } | JobState::Failed { .. } => {
                    ended.extend(EndedJob::of(job.body_hash, &job.state).map(|e| (job.id, e)));
                }
                JobState::Submitted
                | JobState::Pending
                | JobState::Runnable { .. }
                | JobState::Starting { .. }
                | JobState::Running { .. } => jobs.push(job.as_ref().clone()),
            }
        }
        let is_open = |l: &&Launch| matches!(l.state, LaunchState::Open { .. });
        LedgerState {
            ledger: self.id,
            jobs,
            ended,
            arrays: self.array_records(),
            hosts: self.hosts.values().filter(|h| !is_gone(h)).cloned().collect(),
            launches: self.launches.values().filter(is_open).cloned().collect(),
            learned: self.learned.clone(),
            cooling: self.cooling.clone(),
            history: self.history.clone(),
            definitions: self.definitions.values().cloned().collect(),
            schedules: self.schedules.values().cloned().collect(),
            gates: self.gates.clone(),
            breakers: self.breakers.clone(),
            burst: self.burst.clone(),
            shares: self.shares.clone(),
            spending: self.spending.clone(),
            n_launches: self.n_launches,
            n_jobs: self.n_jobs,
        }
    }
}
