//! What is asked of the ledger in memory. It changes nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use spillway_core::definition::DefinitionRecord;
use spillway_core::error::LedgerError;
use spillway_core::id::HostId;
use spillway_core::job::JobStatus;
use spillway_core::port::{JobFilter, LedgerReader};
use spillway_core::{Gate, Host, Job, JobId, Launch, LedgerState, Pausable, ScheduleRecord};

use super::{MemoryLedger, is_gone};

impl LedgerReader for MemoryLedger {
    fn job(&self, id: JobId) -> Result<Option<Job>, LedgerError> {
        Ok(self.get_job(id).map(Cow::into_owned))
    }

    fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, LedgerError> {
        let all: Vec<Cow<'_, Job>> = if let Some(array) = filter.array {
            self.children_of(array).collect()
        } else {
            let all = self.jobs.values().map(AsRef::as_ref);
            let wholes = all.filter(|job: &&Job| job.id.index().is_none());
            wholes.map(Cow::Borrowed).collect()
        };
        let below = match filter.after {
            None => u64::MAX,
            Some(after) => {
                let after = all.iter().find(|job| job.id == after);
                after.map_or(0, |job| job.seq)
            }
        };
        let is_wanted = |job: &Cow<'_, Job>| job.seq < below && filter.matches(job);
        let mut jobs: Vec<Cow<'_, Job>> = all.into_iter().filter(is_wanted).collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(job.seq));
        Ok(jobs.into_iter().take(filter.limit).map(Cow::into_owned).collect())
    }

    fn job_counts(&self) -> Result<Vec<(JobStatus, u64)>, LedgerError> {
        let mut counts: BTreeMap<JobStatus, u64> = BTreeMap::new();
        for job in self.all_jobs() {
            *counts.entry(job.state.status()).or_default() += 1;
        }
        let count = |status| (status, counts.get(&status).copied().unwrap_or(0));
        Ok(JobStatus::ALL.into_iter().map(count).collect())
    }

    fn child_counts(&self, array: JobId) -> Result<Vec<(JobStatus, u32)>, LedgerError> {
        let mut counts: BTreeMap<JobStatus, u32> = BTreeMap::new();
        for child in self.children_of(array) {
            *counts.entry(child.state.status()).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn host(&self, id: HostId) -> Result<Option<Host>, LedgerError> {
        Ok(self.hosts.get(&id).cloned())
    }

    fn hosts(&self, with_gone: bool) -> Result<Vec<Host>, LedgerError> {
        Ok(self.hosts.values().filter(|h| with_gone || !is_gone(h)).cloned().collect())
    }

    fn launches(&self, limit: usize) -> Result<Vec<Launch>, LedgerError> {
        let mut launches: Vec<&Launch> = self.launches.values().collect();
        launches.sort_by_key(|l| (std::cmp::Reverse(l.decided_at), l.id));
        Ok(launches.into_iter().take(limit).cloned().collect())
    }

    fn definitions(&self) -> Result<Vec<DefinitionRecord>, LedgerError> {
        Ok(self.definitions.values().cloned().collect())
    }

    fn schedules(&self) -> Result<Vec<ScheduleRecord>, LedgerError> {
        Ok(self.schedules.values().cloned().collect())
    }

    fn gates(&self) -> Result<BTreeMap<Pausable, Gate>, LedgerError> {
        Ok(self.all_gates().clone())
    }

    fn state(&self) -> Result<LedgerState, LedgerError> {
        Ok(self.open_state())
    }
}
