//! Children of one array that share a task: which jobs may, what the task's runner is told, and what it reports. The two
//! texts are the contract with `crates/runner`, which is copied into the job's container and runs there. Pure.
//!
//! A runner that is older than its dispatcher must refuse what it does not know; a report that is cut off says nothing of the
//! children that it does not name.

mod shared;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
pub use shared::{ClassOfShared, SharedEnd, SharedPart, SharedTask};
use uuid::Uuid;

use crate::container::LogDriver;
use crate::id::{AttemptOrd, ClientToken, JobId, NAMESPACE};
use crate::job::{Job, JobSpec};
use crate::quantity::{CpuUnits, MiB, Resources};

/// The variable in which the runner finds its plan.
pub const PLAN_VARIABLE: &str = "SPILLWAY_COALESCED";

/// What begins every line of a report.
pub const REPORT_MARK: &str = "::spillway";

/// How many characters mark the lines of one task: no child hits on them by chance.
const REPORT_KEY_CHARS: usize = 12;

/// What a shared task needs beside its children: for the container that brings the runner, which is there for a moment.
pub const RUNNER_MEMORY: MiB = MiB::new(8);

/// A child that has lost a shared task so often runs in one of its own from then on: it may be what its tasks are lost by.
pub const SHARED_LOSSES_MAX: usize = 2;

/// How children of an array share tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CoalesceRule {
    /// How many children share a task at most.
    pub size: NonZeroU32,
    /// How many of them run side by side; the task reserves what so many need.
    pub parallel: NonZeroU32,
}

/// Why a job's children cannot share tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCoalescible {
    /// It has no children.
    #[error("is no array job")]
    NoArray,
    /// Each of several containers would have to be told apart.
    #[error("has several containers")]
    SeveralContainers,
    /// The runner takes the place of the image's own command, which it cannot know.
    #[error("names no command: the image's own is not known to the runner")]
    NoCommand,
    /// The runner's report travels in the log.
    #[error("does not log to CloudWatch Logs (awslogs), where the report is read")]
    NoLog,
    /// The dispatcher may read no other group than its own.
    #[error("logs to a group or a region of its own, where the report may not be read")]
    OwnLog,
    /// The runner's task is of one image and one command.
    #[error("has variants, which are chosen for each task of its own")]
    Variants,
    /// A child that waits for the one before it gains nothing.
    #[error("is sequential: its children run one by one in any case")]
    Sequential,
    /// What is counted is counted by task.
    #[error("takes of consumable resources, which are counted by task")]
    Consumes,
}

impl CoalesceRule {
    /// Whether the children of such a job can share tasks.
    pub fn check(spec: &JobSpec) -> Result<(), NotCoalescible> {
        let Some(array) = &spec.array else { return Err(NotCoalescible::NoArray) };
        if array.sequential {
            return Err(NotCoalescible::Sequential);
        }
        if spec.task.is_some() {
            return Err(NotCoalescible::SeveralContainers);
        }
        if spec.variants.is_some() {
            return Err(NotCoalescible::Variants);
        }
        if spec.container.command.is_empty() {
            return Err(NotCoalescible::NoCommand);
        }
        if spec.container.log_driver != LogDriver::Awslogs {
            return Err(NotCoalescible::NoLog);
        }
        let own = ["awslogs-group", "awslogs-region"];
        if own.iter().any(|option| spec.container.log_options.contains_key(*option)) {
            return Err(NotCoalescible::OwnLog);
        }
        if spec.scheduling.as_ref().is_some_and(|scheduling| !scheduling.consumes.is_empty()) {
            return Err(NotCoalescible::Consumes);
        }
        Ok(())
    }

    /// How the next attempt of a child may share a task: as its array says, unless it has failed by itself or has lost
    /// [`SHARED_LOSSES_MAX`] tasks. Of an array itself, how its children that have had no attempt may.
    pub fn of_next(job: &Job) -> Option<Self> {
        let rule = job.spec.coalesce.filter(|_| job.spec.array.is_some())?;
        let has_no_fault = job.n_counted_attempts() == 0;
        (has_no_fault && job.attempts.len() < SHARED_LOSSES_MAX).then_some(rule)
    }

    /// How many children share a task of an array with so many.
    pub fn size_of(&self, n_children: u32) -> NonZeroU32 {
        NonZeroU32::new(n_children).map_or(self.size, |n| self.size.min(n))
    }

    /// In how many waves `n` children run.
    pub const fn waves(&self, n: NonZeroU32) -> u32 {
        n.get().div_ceil(self.parallel.get())
    }

    /// What a task of `n` children needs, each of which needs `each`; none if no machine could have it.
    pub fn need(&self, each: &Resources, n: NonZeroU32) -> Option<Resources> {
        let of_children = each.checked_mul(self.parallel.min(n).get())?;
        of_children.checked_add(&Resources::new(CpuUnits::ZERO, RUNNER_MEMORY, 0))
    }

    /// How long a task of `n` children may run, each of which may run for `each`: they start in waves.
    pub fn time(&self, each: SignedDuration, n: NonZeroU32) -> SignedDuration {
        each.saturating_mul(i32::try_from(self.waves(n)).unwrap_or(i32::MAX))
    }
}

/// A child in a shared task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedChild {
    /// Its index.
    pub index: u32,
    /// The number of its attempt.
    pub attempt: AttemptOrd,
    /// The same as AWS Batch counts.
    pub counted: u32,
}

/// What a task's runner is told. Written with [`fmt::Display`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunnerPlan {
    /// Marks the lines of the report; no two tasks of a job have the same.
    pub key: String,
    /// The array.
    pub array: JobId,
    /// How many children the array has.
    pub size: u32,
    /// How many run side by side.
    pub parallel: NonZeroU32,
    /// How long each may run.
    pub timeout: Option<SignedDuration>,
    /// How long each has between SIGTERM and SIGKILL.
    pub stop: SignedDuration,
    /// The children, in the order in which they start.
    pub children: Vec<SharedChild>,
}

impl fmt::Display for RunnerPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, array, size, parallel, timeout, stop, children } = self;
        write!(f, "1 key={key} job={array} size={size} parallel={parallel}")?;
        if let Some(timeout) = timeout {
            write!(f, " timeout={}", timeout.as_secs())?;
        }
        write!(f, " stop={} children=", stop.as_secs())?;
        // Runs of neighbours with the same attempt: a thousand children are a few characters.
        let mut rest = children.as_slice();
        let mut separator = "";
        while let Some((first, _)) = rest.split_first() {
            let follows = |(n, child): &(usize, &SharedChild)| {
                let offset = u32::try_from(*n).ok();
                offset.and_then(|offset| first.index.checked_add(offset)) == Some(child.index)
                    && (child.attempt, child.counted) == (first.attempt, first.counted)
            };
            let n = rest.iter().enumerate().take_while(follows).count().max(1);
            let (run, after) = rest.split_at(n);
            write!(f, "{separator}{}", first.index)?;
            if let [_, .., last] = run {
                write!(f, "-{}", last.index)?;
            }
            if (first.attempt, first.counted) != (AttemptOrd::FIRST, 1) {
                write!(f, ":{}:{}", first.attempt, first.counted)?;
            }
            (rest, separator) = (after, ",");
        }
        Ok(())
    }
}

/// What marks the lines of the report of the task that this token makes.
pub fn report_key(token: &ClientToken) -> String {
    let hash = Uuid::new_v5(&NAMESPACE, format!("report\n{token}").as_bytes());
    let mut key = hash.simple().to_string();
    key.truncate(REPORT_KEY_CHARS);
    key
}

/// How a child in a shared task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChildEnd {
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub exit_code: i32,
    /// How long it ran.
    pub ran: SignedDuration,
    /// Whether it was stopped because it ran for too long.
    pub timed_out: bool,
}

/// What the log of a shared task says of its children. Of one that is not there nothing is known: it may have run, and must
/// run again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How children ended, by index and attempt. What was said first holds.
    pub ended: BTreeMap<(u32, AttemptOrd), ChildEnd>,
    /// Children that started, by index and attempt, and are not among those that ended.
    pub started: Vec<(u32, AttemptOrd)>,
}

impl Report {
    /// Reads the lines of a log that carry this key; all others are the children's own.
    pub fn read<'a>(key: &str, lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut report = Self::default();
        report.add(key, lines);
        report
    }

    /// Reads more of the log, or the same again.
    pub fn add<'a>(&mut self, key: &str, lines: impl IntoIterator<Item = &'a str>) {
        let mark = format!("{REPORT_MARK} {key} ");
        for line in lines {
            // A child may have left its last line open.
            let Some((_, said)) = line.rsplit_once(&mark) else { continue };
            match read_line(said) {
                Some((child, None))
                    if !self.ended.contains_key(&child) && !self.started.contains(&child) =>
                {
                    self.started.push(child);
                }
                Some((child, Some(end))) => {
                    self.ended.entry(child).or_insert(end);
                    self.started.retain(|started| *started != child);
                }
                Some((_, None)) | None => {}
            }
        }
    }
}

/// A child, and how it ended if the line says that.
fn read_line(said: &str) -> Option<((u32, AttemptOrd), Option<ChildEnd>)> {
    let mut words = said.split_ascii_whitespace();
    let verb = words.next()?;
    let index = words.next()?.parse().ok()?;
    let attempt = AttemptOrd::new(words.next()?.parse().ok()?)?;
    match verb {
        "start" => Some(((index, attempt), None)),
        "end" => {
            let exit_code = words.next()?.strip_prefix("exit=")?.parse().ok()?;
            let ms = words.next()?.strip_prefix("ms=")?.parse().ok()?;
            let timed_out = words.next() == Some("timeout");
            let ran = SignedDuration::from_millis(ms);
            Some(((index, attempt), Some(ChildEnd { exit_code, ran, timed_out })))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
