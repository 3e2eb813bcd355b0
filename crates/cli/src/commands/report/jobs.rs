//! What jobs did in a time, summed as they pass: none of them is kept.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use jiff::Timestamp;
use spillway_core::{Attempt, FailureCategory, Job, JobState, QueueName, Resources};

use super::series::{Axis, Lasting};
use super::waits::Waits;
use crate::views::report::FailureRow;

/// What is held is counted in so many parts of its unit, since children that share a task hold parts of it.
pub(super) const HELD_PARTS: i64 = 1_024;

/// So many reasons are told apart; the others are one.
const REASONS_MAX: usize = 1_000;

/// So many of them are told.
const REASONS_SHOWN: usize = 10;

/// The sums.
pub(super) struct JobSums {
    axis: Axis,
    now: Timestamp,
    queue: Option<QueueName>,
    pub(super) waiting: Lasting,
    pub(super) starting: Lasting,
    pub(super) running: Lasting,
    /// What attempts held, whatever the queue: hosts are everybody's.
    pub(super) held_cpu: Lasting,
    pub(super) held_memory: Lasting,
    pub(super) accepted: Vec<u64>,
    pub(super) succeeded: Vec<u64>,
    pub(super) failed: Vec<u64>,
    /// Attempts that were lost with their host.
    pub(super) lost: Vec<u64>,
    pub(super) waits: Waits,
    /// By reason: how many, and the name of the first.
    reasons: BTreeMap<String, (u64, String)>,
}

impl JobSums {
    pub(super) fn new(axis: Axis, now: Timestamp, queue: Option<QueueName>) -> Self {
        let (lasting, none) = (Lasting::new(axis), vec![0; axis.n_buckets()]);
        Self {
            axis,
            now,
            queue,
            waiting: lasting.clone(),
            starting: lasting.clone(),
            running: lasting.clone(),
            held_cpu: lasting.clone(),
            held_memory: lasting,
            accepted: none.clone(),
            succeeded: none.clone(),
            failed: none.clone(),
            lost: none,
            waits: Waits::default(),
            reasons: BTreeMap::new(),
        }
    }

    /// Takes in a job, a child or a node; an array is its children.
    pub(super) fn add(&mut self, job: &Job) {
        if job.spec.array.is_some() && job.id.index().is_none() {
            return;
        }
        self.add_held(job);
        if self.queue.as_ref().is_some_and(|queue| *queue != job.spec.queue) {
            return;
        }
        for attempt in job.attempts.iter().filter(|attempt| is_lost(attempt)) {
            self.count(attempt.stopped_at, |sums| &mut sums.lost);
        }
        // The nodes of a job beside the main one are machines and money, not jobs.
        if job.id.node_index().is_none() {
            self.add_way(job);
        }
    }

    /// Where a job was when.
    fn add_way(&mut self, job: &Job) {
        self.count(job.created_at, |sums| &mut sums.accepted);
        let mut since = job.created_at;
        for attempt in &job.attempts {
            self.waiting.add(since, attempt.placed_at, 1);
            let started_at = attempt.started_at.unwrap_or(attempt.stopped_at);
            self.starting.add(attempt.placed_at, started_at, 1);
            self.running.add(started_at, attempt.stopped_at, 1);
            since = attempt.stopped_at;
        }
        match &job.state {
            JobState::Submitted | JobState::Pending | JobState::Runnable { .. } => {
                self.waiting.add(since, self.now, 1);
            }
            JobState::Starting { attempt } => {
                self.waiting.add(since, attempt.placed_at, 1);
                self.starting.add(attempt.placed_at, self.now, 1);
            }
            JobState::Running { attempt, started_at } => {
                self.waiting.add(since, attempt.placed_at, 1);
                self.starting.add(attempt.placed_at, *started_at, 1);
                self.running.add(*started_at, self.now, 1);
            }
            JobState::Succeeded { at } => self.count(*at, |sums| &mut sums.succeeded),
            JobState::Failed { at, .. } => {
                // One that was ended in line has waited until then.
                self.waiting.add(since, *at, 1);
                self.count(*at, |sums| &mut sums.failed);
                if self.axis.bucket(*at).is_some() {
                    self.add_reason(job);
                }
            }
        }
        if let Some(started_at) = first_start(job).filter(|at| self.axis.bucket(*at).is_some()) {
            self.waits.add(started_at.duration_since(job.created_at));
        }
    }

    fn add_held(&mut self, job: &Job) {
        let mut n_oom = 0;
        for attempt in &job.attempts {
            let (need, n) = need(job, attempt, n_oom);
            self.hold(&need, n, attempt.placed_at, attempt.stopped_at);
            n_oom += usize::from(attempt.failure == Some(FailureCategory::Oom));
        }
        if let Some(live) = job.state.live_attempt() {
            self.hold(&job.held(), NonZeroU32::MIN, live.placed_at, self.now);
        }
    }

    /// One of `n` that hold this together.
    fn hold(&mut self, need: &Resources, n: NonZeroU32, from: Timestamp, until: Timestamp) {
        let part = |whole: u32| i64::from(whole) * HELD_PARTS / i64::from(n.get());
        self.held_cpu.add(from, until, part(need.cpu.get()));
        self.held_memory.add(from, until, part(need.memory.get()));
    }

    fn count(&mut self, at: Timestamp, which: impl FnOnce(&mut Self) -> &mut Vec<u64>) {
        if let Some(bucket) = self.axis.bucket(at)
            && let Some(n) = which(self).get_mut(bucket)
        {
            *n += 1;
        }
    }

    fn add_reason(&mut self, job: &Job) {
        let reason = job.reason().unwrap_or("no reason is known");
        let is_known = self.reasons.contains_key(reason);
        let reason =
            if is_known || self.reasons.len() < REASONS_MAX { reason } else { "other reasons" };
        let name = || (0, job.spec.name.to_string());
        self.reasons.entry(reason.to_owned()).or_insert_with(name).0 += 1;
    }

    /// The most frequent reasons.
    pub(super) fn failures(&self) -> Vec<FailureRow> {
        let row = |(reason, (jobs, name)): (&String, &(u64, String))| FailureRow {
            reason: reason.clone(),
            one_of_them: name.clone(),
            jobs: *jobs,
        };
        let mut rows: Vec<FailureRow> = self.reasons.iter().map(row).collect();
        rows.sort_by(|a, b| (b.jobs, &a.reason).cmp(&(a.jobs, &b.reason)));
        rows.truncate(REASONS_SHOWN);
        rows
    }
}

/// Whether an attempt ended with its host.
fn is_lost(attempt: &Attempt) -> bool {
    matches!(attempt.failure, Some(FailureCategory::Spot | FailureCategory::Host))
}

fn first_start(job: &Job) -> Option<Timestamp> {
    let of_attempts = job.attempts.iter().find_map(|attempt| attempt.started_at);
    of_attempts.or(job.state.running_since())
}

/// What an attempt held, after so many that ran out of memory; with how many others, if it shared a task.
fn need(job: &Job, attempt: &Attempt, n_oom: usize) -> (Resources, NonZeroU32) {
    let asked = job.spec.resources_of(attempt.variant);
    let memory = job.spec.memory_growth.as_ref().map(|rule| rule.grown(asked.memory, n_oom));
    let each = Resources { memory: memory.unwrap_or(asked.memory), ..asked };
    let shared = attempt.shared.as_deref().zip(job.spec.coalesce);
    shared.map_or((each, NonZeroU32::MIN), |(part, rule)| {
        (rule.need(&each, part.n).unwrap_or(each), part.n)
    })
}
