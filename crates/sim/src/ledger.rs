//! The ledger in memory: what every other ledger must do, in the simplest way.
//!
//! It applies all changes of a step or none, and refuses those that would break what it promises: a job is added once,
//! and its end is written once. Contract tests compare durable ledgers with it.

mod arrays;
mod reader;
mod state;

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use spillway_core::array;
use spillway_core::catalog::InstanceType;
use spillway_core::change::Cooldown;
use spillway_core::definition::DefinitionRecord;
use spillway_core::error::LedgerError;
use spillway_core::gang::node_of;
use spillway_core::host::HostStatus;
use spillway_core::id::{HostId, JobName, LedgerId};
use spillway_core::job::JobStatus;
use spillway_core::port::Ledger;
use spillway_core::{
    Attempt, Breaker, BreakerId, Burst, Change, Durations, Gate, History, Host, Job, JobId, Launch,
    LaunchId, LedgerState, MicroUsd, Pausable, Payer, PoolId, QueueName, Resources, ScheduleRecord,
    ShareId, ShareUse,
};

use arrays::{Batch, Children, Shared};

/// A change that a ledger must refuse. It means that the control loop is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadChange {
    /// The job is there already.
    #[error("job {0} is added twice")]
    AddedTwice(JobId),
    /// The job is not there.
    #[error("job {0} is moved but was never added")]
    NeverAdded(JobId),
    /// The job has ended.
    #[error("job {0} is moved to {1} after its end")]
    MovedAfterEnd(JobId, JobStatus),
    /// The attempt that ended is not newer than the last that did.
    #[error("attempt {1} of job {0} ends twice")]
    AttemptTwice(JobId, u32),
}

impl From<BadChange> for LedgerError {
    fn from(bad: BadChange) -> Self {
        Self::Corrupt { detail: bad.to_string() }
    }
}

/// A ledger in memory.
#[derive(Debug, Clone)]
pub struct MemoryLedger {
    id: LedgerId,
    /// All but the children of arrays that have ended; of those, the ones that ended with the last changes.
    jobs: BTreeMap<JobId, Box<Job>>,
    /// Those, and their ordinal numbers.
    unpacked: Vec<(JobId, u32)>,
    arrays: BTreeMap<JobId, Children>,
    shared: Shared,
    hosts: BTreeMap<HostId, Host>,
    launches: BTreeMap<LaunchId, Launch>,
    learned: BTreeMap<InstanceType, Resources>,
    definitions: BTreeMap<(JobName, u32), DefinitionRecord>,
    schedules: BTreeMap<JobName, ScheduleRecord>,
    cooling: BTreeMap<PoolId, Cooldown>,
    history: History,
    gates: BTreeMap<Pausable, Gate>,
    breakers: BTreeMap<BreakerId, Breaker>,
    burst: Burst,
    shares: BTreeMap<(QueueName, ShareId), ShareUse>,
    spending: BTreeMap<(Date, Payer), MicroUsd>,
    n_launches: u64,
    n_jobs: u64,
}

/// What a change of this batch has made of a job.
struct Seen {
    is_ended: bool,
    last_attempt: u32,
}

impl MemoryLedger {
    /// An empty ledger.
    pub const fn new(id: LedgerId) -> Self {
        Self {
            id,
            jobs: BTreeMap::new(),
            unpacked: Vec::new(),
            arrays: BTreeMap::new(),
            shared: Shared::new(),
            hosts: BTreeMap::new(),
            launches: BTreeMap::new(),
            learned: BTreeMap::new(),
            definitions: BTreeMap::new(),
            schedules: BTreeMap::new(),
            cooling: BTreeMap::new(),
            history: History {
                kinds: BTreeMap::new(),
                spot: BTreeMap::new(),
                boots: Durations::new(),
            },
            gates: BTreeMap::new(),
            breakers: BTreeMap::new(),
            burst: Burst { held: None, approved: None },
            shares: BTreeMap::new(),
            spending: BTreeMap::new(),
            n_launches: 0,
            n_jobs: 0,
        }
    }

    /// All jobs there ever were: of arrays, their children; of multi-node jobs, the other nodes too.
    pub fn all_jobs(&self) -> impl Iterator<Item = Cow<'_, Job>> {
        let is_one = |job: &&Job| job.id.index().is_none() && job.spec.array.is_none();
        let ones = self.jobs.values().map(AsRef::as_ref).filter(is_one).map(Cow::Borrowed);
        ones.chain(self.arrays.keys().flat_map(|array| self.children_of(*array)))
    }

    /// One job, array, or child of one, whether or not the child has a record.
    pub fn get_job(&self, id: JobId) -> Option<Cow<'_, Job>> {
        match (self.get_unpacked(id), id.index()) {
            (Some(job), _) => Some(Cow::Borrowed(job)),
            (None, Some(index)) => {
                let array = self.jobs.get(&id.whole())?;
                let children = self.arrays.get(&id.whole())?;
                children.child(array, index).map(Cow::Owned)
            }
            (None, None) => None,
        }
    }

    /// The same, but for children of arrays that have ended or were never begun.
    pub fn get_unpacked(&self, id: JobId) -> Option<&Job> {
        let is_main = |job: &Job, node| job.spec.gang.as_ref().is_some_and(|g| g.main == node);
        if let (Some(node), Some(job)) = (id.node_index(), self.jobs.get(&id.whole()))
            && is_main(job, node)
        {
            return Some(job);
        }
        self.jobs.get(&id).map(AsRef::as_ref)
    }

    /// All hosts there ever were.
    pub fn all_hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// One host.
    pub fn get_host(&self, id: HostId) -> Option<&Host> {
        self.hosts.get(&id)
    }

    /// One schedule, whether or not it was deleted.
    pub fn get_schedule(&self, name: &JobName) -> Option<&ScheduleRecord> {
        self.schedules.get(name)
    }

    /// All revisions of job definitions.
    pub fn all_definitions(&self) -> impl Iterator<Item = &DefinitionRecord> {
        self.definitions.values()
    }

    /// What has been paused or resumed.
    pub const fn all_gates(&self) -> &BTreeMap<Pausable, Gate> {
        &self.gates
    }

    /// What is held until somebody approves it, and what is approved.
    pub const fn the_burst(&self) -> &Burst {
        &self.burst
    }

    /// What is left alone after failures.
    pub const fn all_breakers(&self) -> &BTreeMap<BreakerId, Breaker> {
        &self.breakers
    }

    /// All launches there ever were.
    pub fn all_launches(&self) -> impl Iterator<Item = &Launch> {
        self.launches.values()
    }

    /// One launch.
    pub fn get_launch(&self, id: LaunchId) -> Option<&Launch> {
        self.launches.get(&id)
    }

    /// Applies all changes, or none if one of them is bad.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), BadChange> {
        self.check(changes)?;
        self.pack();
        for change in changes {
            self.apply_one(change);
        }
        Ok(())
    }

    fn check(&self, changes: &[Change]) -> Result<(), BadChange> {
        let last_ord = |attempts: &[Attempt]| attempts.last().map_or(0, |a| a.ord.get());
        let mut seen: BTreeMap<JobId, Seen> = BTreeMap::new();
        let mut batch = Batch::default();
        for change in changes {
            match change {
                Change::AddJob(job) => {
                    if seen.contains_key(&job.id) || self.jobs.contains_key(&job.id) {
                        return Err(BadChange::AddedTwice(job.id));
                    }
                    let is_ended = job.state.status().is_terminal();
                    let last_attempt = last_ord(&job.attempts);
                    seen.insert(job.id, Seen { is_ended, last_attempt });
                    batch.add(job);
                }
                Change::AddChild { id, state } if id.node_index().is_some() => {
                    let is_known = seen.contains_key(id) || self.jobs.contains_key(id);
                    if is_known {
                        return Err(BadChange::AddedTwice(*id));
                    }
                    let whole = id.whole();
                    if !seen.contains_key(&whole) && !self.jobs.contains_key(&whole) {
                        return Err(BadChange::NeverAdded(*id));
                    }
                    let is_ended = state.status().is_terminal();
                    seen.insert(*id, Seen { is_ended, last_attempt: 0 });
                }
                Change::AddChild { id, state } => {
                    let ord = self.ord_of(&batch, *id).ok_or(BadChange::NeverAdded(*id))?;
                    if seen.contains_key(id) || self.has_child(&batch, *id, ord) {
                        return Err(BadChange::AddedTwice(*id));
                    }
                    let is_ended = state.status().is_terminal();
                    seen.insert(*id, Seen { is_ended, last_attempt: 0 });
                }
                Change::EndChildren { array, runs, .. } => {
                    for ord in runs.iter().flat_map(|(first, last)| *first..=*last) {
                        let indexes = self.indexes_of(&batch, *array);
                        let child = indexes.and_then(|indexes| indexes.child(*array, ord));
                        let child = child.ok_or(BadChange::NeverAdded(*array))?;
                        if seen.contains_key(&child) || self.has_child(&batch, child, ord) {
                            return Err(BadChange::AddedTwice(child));
                        }
                    }
                    batch.end(*array, runs);
                }
                Change::MoveJob { id, state, ended } => {
                    let known = self.recorded(*id).map(|job| Seen {
                        is_ended: job.state.status().is_terminal(),
                        last_attempt: last_ord(&job.attempts),
                    });
                    let before = seen.remove(id).or(known).ok_or(BadChange::NeverAdded(*id))?;
                    if before.is_ended {
                        return Err(BadChange::MovedAfterEnd(*id, state.status()));
                    }
                    let last_attempt = match ended {
                        Some(ended) if ended.ord.get() <= before.last_attempt => {
                            return Err(BadChange::AttemptTwice(*id, ended.ord.get()));
                        }
                        Some(ended) => ended.ord.get(),
                        None => before.last_attempt,
                    };
                    let is_ended = state.status().is_terminal();
                    seen.insert(*id, Seen { is_ended, last_attempt });
                }
                Change::PutHost(_)
                | Change::PutLaunch(_)
                | Change::Learn { .. }
                | Change::Cool { .. }
                | Change::PutKind { .. }
                | Change::PutSpot { .. }
                | Change::PutBoots(_)
                | Change::PutDefinition(_)
                | Change::PutSchedule(_)
                | Change::PutGate { .. }
                | Change::PutBreaker { .. }
                | Change::PutBurst(_)
                | Change::PutShare { .. }
                | Change::Heard(_)
                | Change::PutSpending { .. }
                | Change::Counters { .. } => {}
            }
        }
        Ok(())
    }

    fn apply_one(&mut self, change: &Change) {
        match change {
            Change::AddJob(job) => {
                if let Some(children) = Children::of(job) {
                    self.arrays.insert(job.id, children);
                }
                self.jobs.insert(job.id, job.clone());
            }
            Change::AddChild { id, state } if id.node_index().is_some() => {
                let job = self.jobs.get(&id.whole());
                let node = job.and_then(|job| node_of(job, id.node_index()?, state.clone()));
                self.jobs.extend(node.map(|node| (*id, Box::new(node))));
            }
            Change::AddChild { id, state } => {
                let (array, children) = (self.jobs.get(&id.whole()), self.arrays.get(&id.whole()));
                let ord = children.and_then(|of| of.indexes().ord_of(id.index()?));
                if let (Some(array), Some(ord)) = (array, ord) {
                    let child = array::child_of(array, *id, ord, state.clone());
                    self.jobs.insert(*id, Box::new(child));
                    self.note_if_ended(*id);
                }
            }
            Change::EndChildren { array, runs, state } => {
                if let Some(children) = self.arrays.get_mut(array) {
                    children.end(runs, state);
                }
            }
            Change::MoveJob { id, state, ended } => {
                if let Some(job) = self.jobs.get_mut(id) {
                    job.state = state.clone();
                    job.attempts.reserve_exact(usize::from(ended.is_some()));
                    job.attempts.extend(ended.as_deref().cloned());
                }
                self.note_if_ended(*id);
            }
            Change::PutHost(host) => {
                self.hosts.insert(host.id, host.as_ref().clone());
            }
            Change::PutLaunch(launch) => {
                self.launches.insert(launch.id, launch.as_ref().clone());
            }
            Change::PutDefinition(record) => {
                let key = (record.name.clone(), record.revision);
                self.definitions.insert(key, record.as_ref().clone());
            }
            Change::PutSchedule(record) => {
                self.schedules.insert(record.spec.name.clone(), record.as_ref().clone());
            }
            Change::PutGate { target, gate } => {
                self.gates.insert(target.clone(), *gate);
            }
            Change::PutBreaker { target, breaker } => {
                put(&mut self.breakers, target.clone(), breaker.as_deref().cloned());
            }
            Change::PutBurst(burst) => self.burst = burst.as_ref().clone(),
            Change::PutShare { queue, share, used } => {
                put(&mut self.shares, (queue.clone(), share.clone()), *used);
            }
            Change::PutSpending { day, payer, spent } => {
                put(&mut self.spending, (*day, payer.clone()), *spent);
            }
            Change::Learn { instance_type, registered } => {
                self.learned.insert(instance_type.clone(), *registered);
            }
            Change::Cool { pool, cooldown } => put(&mut self.cooling, pool.clone(), *cooldown),
            Change::PutKind { kind, history } => {
                put(&mut self.history.kinds, *kind, history.as_deref().cloned());
            }
            Change::PutSpot { instance_type, zone, evidence } => {
                self.history.spot.insert((instance_type.clone(), zone.clone()), *evidence);
            }
            // Who said what is kept by ledgers in files alone.
            Change::Heard(_) => {}
            Change::PutBoots(boots) => self.history.boots = boots.clone(),
            Change::Counters { n_launches, n_jobs } => {
                self.n_launches = *n_launches;
                self.n_jobs = *n_jobs;
            }
        }
    }
}

/// Writes what is known of something; none forgets it.
fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

fn is_gone(host: &Host) -> bool {
    host.status() == HostStatus::Gone
}

impl Ledger for MemoryLedger {
    async fn load(&mut self) -> Result<LedgerState, LedgerError> {
        Ok(self.open_state())
    }

    async fn commit(&mut self, _now: Timestamp, changes: &[Change]) -> Result<(), LedgerError> {
        self.apply(changes).map_err(LedgerError::from)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use spillway_core::change::EndedJob;
    use spillway_core::job::{BodyHash, ContainerSpec, JobSpec};
    use spillway_core::{JobState, QueueName};
    use uuid::Uuid;

    use super::*;

    fn ledger() -> MemoryLedger {
        MemoryLedger::new(LedgerId::from_uuid(Uuid::nil()))
    }

    fn job(token: &str) -> Job {
        let queue: QueueName = "default".parse().unwrap();
        let (id, name) = (JobId::derive(&queue, token), "job".parse().unwrap());
        let container = ContainerSpec::new("busybox");
        Job {
            id,
            spec: Arc::new(JobSpec::new(name, queue, container, Resources::ZERO)),
            body_hash: BodyHash(7),
            created_at: Timestamp::UNIX_EPOCH,
            seq: 0,
            state: JobState::Runnable { since: Timestamp::UNIX_EPOCH },
            attempts: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn succeed(id: JobId) -> Change {
        let state = JobState::Succeeded { at: Timestamp::UNIX_EPOCH };
        Change::MoveJob { id, state, ended: None }
    }

    #[test]
    fn a_job_is_added_once_and_ends_once() {
        let mut ledger = ledger();
        let job = job("a");
        let add = Change::AddJob(Box::new(job.clone()));

        assert_eq!(ledger.apply(std::slice::from_ref(&add)), Ok(()));
        assert_eq!(ledger.apply(&[add]), Err(BadChange::AddedTwice(job.id)));
        assert_eq!(ledger.apply(&[succeed(job.id)]), Ok(()));
        let again = ledger.apply(&[succeed(job.id)]);
        assert_eq!(again, Err(BadChange::MovedAfterEnd(job.id, JobStatus::Succeeded)));
    }

    #[test]
    fn all_changes_of_a_step_are_applied_or_none() {
        let mut ledger = ledger();
        let (a, b) = (job("a"), job("b"));

        let result = ledger.apply(&[Change::AddJob(Box::new(a.clone())), succeed(b.id)]);

        assert_eq!(result, Err(BadChange::NeverAdded(b.id)));
        assert!(ledger.get_job(a.id).is_none());
    }

    #[test]
    fn an_ended_job_is_only_remembered_by_its_hash() {
        let mut ledger = ledger();
        let (open, over) = (job("open"), job("over"));
        let add = |j: &Job| Change::AddJob(Box::new(j.clone()));

        ledger.apply(&[add(&open), add(&over), succeed(over.id)]).unwrap();
        let state = ledger.open_state();

        assert_eq!(state.jobs, [open]);
        let ended = EndedJob { body_hash: BodyHash(7), succeeded: true };
        assert_eq!(state.ended, BTreeMap::from([(over.id, ended)]));
    }
}
