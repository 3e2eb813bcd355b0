//! What is asked of the ledger in memory. It changes nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use spillway_core::array::child_seq;
use spillway_core::definition::DefinitionRecord;
use spillway_core::error::LedgerError;
use spillway_core::id::HostId;
use spillway_core::job::JobStatus;
use spillway_core::port::{JobFilter, LedgerReader};
use spillway_core::{
    Breaker, BreakerId, Burst, Gate, Host, HostState, Job, JobId, Launch, LedgerState, Pausable,
    QueueName, ScheduleRecord,
};

use super::{MemoryLedger, is_gone};

impl LedgerReader for MemoryLedger {
    fn job(&self, id: JobId) -> Result<Option<Job>, LedgerError> {
        Ok(self.get_job(id).map(Cow::into_owned))
    }

    fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, LedgerError> {
        let all: Vec<Cow<'_, Job>> = if let Some(array) = filter.array {
            let nodes = self.jobs.range(array.node(0)..).take_while(|(id, _)| id.whole() == array);
            let main = self.jobs.get(&array).filter(|job| job.spec.gang.is_some());
            let nodes =
                nodes.map(|(_, job)| job).chain(main).map(|job| Cow::Borrowed(job.as_ref()));
            self.children_of(array).chain(nodes).collect()
        } else {
            let all = self.jobs.values().map(AsRef::as_ref);
            let wholes = all.filter(|job: &&Job| job.id == job.id.whole());
            wholes.map(Cow::Borrowed).collect()
        };
        // The main node is the job, and is listed where its index says.
        let place = |job: &Job| match job.spec.gang.as_ref().filter(|_| filter.array.is_some()) {
            Some(gang) if job.id.node_index().is_none() => child_seq(job.seq, gang.main),
            Some(_) | None => job.seq,
        };
        let below = match filter.after {
            None => u64::MAX,
            Some(after) => {
                let after = all.iter().find(|job| job.id == after);
                after.map_or(0, |job| place(job))
            }
        };
        let is_wanted = |job: &Cow<'_, Job>| place(job) < below && filter.matches(job);
        let mut jobs: Vec<Cow<'_, Job>> = all.into_iter().filter(is_wanted).collect();
        jobs.sort_by_key(|job| std::cmp::Reverse(place(job)));
        Ok(jobs.into_iter().take(filter.limit).map(Cow::into_owned).collect())
    }

    fn job_counts(&self) -> Result<Vec<(JobStatus, u64)>, LedgerError> {
        let mut counts: BTreeMap<JobStatus, u64> = BTreeMap::new();
        for job in self.all_jobs().filter(|job| job.id.node_index().is_none()) {
            *counts.entry(job.state.status()).or_default() += 1;
        }
        let count = |status| (status, counts.get(&status).copied().unwrap_or(0));
        Ok(JobStatus::ALL.into_iter().map(count).collect())
    }

    fn queue_counts(&self) -> Result<BTreeMap<(QueueName, JobStatus), u64>, LedgerError> {
        let mut counts: BTreeMap<(QueueName, JobStatus), u64> = BTreeMap::new();
        for job in self.all_jobs().filter(|job| job.id.node_index().is_none()) {
            *counts.entry((job.spec.queue.clone(), job.state.status())).or_default() += 1;
        }
        Ok(counts)
    }

    fn child_counts(&self, array: JobId) -> Result<Vec<(JobStatus, u32)>, LedgerError> {
        let mut counts: BTreeMap<JobStatus, u32> = BTreeMap::new();
        for child in self.children_of(array) {
            *counts.entry(child.state.status()).or_default() += 1;
        }
        Ok(counts.into_iter().collect())
    }

    fn last_ended(&self, limit: usize) -> Result<Vec<Job>, LedgerError> {
        let all = self.jobs.values().filter(|job| job.id.node_index().is_none());
        let mut ended: Vec<(Timestamp, &Job)> =
            all.filter_map(|job| Some((job.state.ended_at()?, job.as_ref()))).collect();
        ended.sort_by_key(|(at, _)| std::cmp::Reverse(at.as_second()));
        Ok(ended.into_iter().take(limit).map(|(_, job)| job.clone()).collect())
    }

    fn span(&self) -> Result<Option<(Timestamp, Timestamp)>, LedgerError> {
        let whole_sec = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
        let first = self.jobs.values().map(|job| job.created_at).min().map(whole_sec);
        let last = self.jobs.values().filter_map(|job| job.state.ended_at()).max().map(whole_sec);
        Ok(first.map(|first| (first, last.unwrap_or(first).max(first))))
    }

    fn host(&self, id: HostId) -> Result<Option<Host>, LedgerError> {
        Ok(self.hosts.get(&id).cloned())
    }

    fn hosts(&self, with_gone: bool) -> Result<Vec<Host>, LedgerError> {
        Ok(self.hosts.values().filter(|h| with_gone || !is_gone(h)).cloned().collect())
    }

    fn hosts_since(&self, at: Timestamp) -> Result<Vec<Host>, LedgerError> {
        let is_gone_before =
            |host: &Host| matches!(host.state, HostState::Gone { at: gone_at, .. } if gone_at < at);
        Ok(self.hosts.values().filter(|host| !is_gone_before(host)).cloned().collect())
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

    fn breakers(&self) -> Result<BTreeMap<BreakerId, Breaker>, LedgerError> {
        Ok(self.all_breakers().clone())
    }

    fn burst(&self) -> Result<Burst, LedgerError> {
        Ok(self.the_burst().clone())
    }

    fn gates(&self) -> Result<BTreeMap<Pausable, Gate>, LedgerError> {
        Ok(self.all_gates().clone())
    }

    fn state(&self) -> Result<LedgerState, LedgerError> {
        Ok(self.open_state())
    }
}
