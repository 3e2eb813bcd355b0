//! A job: what was asked for, where it stands, and every attempt it had.
//!
//! States and reasons are AWS Batch's words, so that existing tools and retry rules keep working.

mod live;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
pub use live::{LiveAttempt, Stop, StopCause};
use serde::{Deserialize, Serialize};

use crate::array::ArraySpec;
pub use crate::attempt::{Attempt, FailureCategory};
use crate::coalesce::CoalesceRule;
pub use crate::container::ContainerSpec;
use crate::dependency::Dependency;
pub use crate::expected::{Expectation, ExpectedFrom};
use crate::gang::Gang;
use crate::gpu::GpuKinds;
use crate::id::{AttemptOrd, JobId, JobName, QueueName, ShareId};
use crate::market::{Arch, HostTraits, MarketRule, UnknownName};
use crate::money::MicroUsd;
use crate::quantity::Resources;
use crate::retry::{MemoryGrowth, RetryRule};
use crate::scheduling::Scheduling;
use crate::task_spec::TaskSpec;
use crate::variant::{VariantOrd, Variants};

/// A job's time limits beside that of an attempt; none is no limit, or the operator's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeLimits {
    /// From the acceptance to the end, whatever happens between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<SignedDuration>,
    /// For a stay in line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<SignedDuration>,
    /// From the placement on a host to RUNNING; pulling the image is part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<SignedDuration>,
    /// From SIGTERM to SIGKILL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<SignedDuration>,
}

impl TimeLimits {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What was asked for. Immutable once accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JobSpec {
    /// The job's name.
    pub name: JobName,
    /// The queue it was sent to.
    pub queue: QueueName,
    /// The name of its definition, if it has one: jobs of one definition are taken to run equally long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<JobName>,
    /// The revision of its definition, if it is a registered one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_revision: Option<u32>,
    /// The container to run; of several, the main one.
    pub container: ContainerSpec,
    /// The other containers that run with it as one task, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<TaskSpec>>,
    /// What it needs, all its containers together, reserved on its host for as long as it runs.
    pub resources: Resources,
    /// The architecture its image is for; `None` runs on either.
    pub arch: Option<Arch>,
    /// The kinds of GPU it accepts.
    #[serde(default, skip_serializing_if = "GpuKinds::is_any")]
    pub gpu_kinds: GpuKinds,
    /// Where it may run.
    pub market: MarketRule,
    /// How many attempts may fail through the job's own fault, 1 to 10.
    pub attempts: u8,
    /// When a failed attempt is followed by another, asked in order. None that matches: by another, if one is left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_rules: Vec<RetryRule>,
    /// Whether an attempt after one that ran out of memory gets more of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_growth: Option<MemoryGrowth>,
    /// How long one attempt may run, counted from `startedAt`; at least 60 s, none means for ever.
    pub attempt_timeout: Option<SignedDuration>,
    /// Its other time limits.
    #[serde(default, skip_serializing_if = "TimeLimits::is_empty")]
    pub time_limits: TimeLimits,
    /// How long the sender thinks it will run. A hint to the planner; nothing happens if it is wrong.
    pub expected_duration: Option<SignedDuration>,
    /// How long it may wait to be run cheaply; none leaves it to the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<SignedDuration>,
    /// When it should have ended. A hint to the planner: it may wait for as long as this leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The sender's tags.
    pub tags: BTreeMap<String, String>,
    /// Whether the ECS task carries the tags too.
    #[serde(default)]
    pub propagate_tags: bool,
    /// For an array job: which children there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<ArraySpec>,
    /// How children of an array share tasks; none, not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coalesce: Option<CoalesceRule>,
    /// Jobs that this one waits for, each once for each way of waiting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// Its place among others; none if it says nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduling: Option<Box<Scheduling>>,
    /// For a multi-node job: its nodes. Container, resources and architecture are then those of the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gang: Option<Arc<Gang>>,
    /// Other ways to run it, if it lists some. What is said above is the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Box<Variants>>,
}

impl JobSpec {
    /// Whether it may run on such a host, as it is written.
    pub fn allows(&self, host: HostTraits) -> bool {
        self.allows_variant(VariantOrd::BASE, host)
    }

    /// Its share of its queue, the default one if it names none.
    pub fn share(&self) -> ShareId {
        let named = self.scheduling.as_ref().and_then(|scheduling| scheduling.share.clone());
        named.unwrap_or_default()
    }

    /// A job that says no more than it must.
    pub fn new(
        name: JobName,
        queue: QueueName,
        container: ContainerSpec,
        resources: Resources,
    ) -> Self {
        Self {
            name,
            queue,
            definition: None,
            definition_revision: None,
            container,
            task: None,
            resources,
            arch: None,
            gpu_kinds: GpuKinds::ANY,
            market: MarketRule::Any,
            attempts: 1,
            retry_rules: Vec::new(),
            memory_growth: None,
            attempt_timeout: None,
            time_limits: TimeLimits::default(),
            expected_duration: None,
            patience: None,
            deadline: None,
            tags: BTreeMap::new(),
            propagate_tags: false,
            array: None,
            coalesce: None,
            depends_on: Vec::new(),
            scheduling: None,
            gang: None,
            variants: None,
        }
    }
}

/// AWS Batch's seven job states, each with what is true in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Accepted and durable; not looked at yet.
    Submitted,
    /// Waits for something other than a machine.
    Pending,
    /// May run as soon as a host has room.
    Runnable {
        /// Since when.
        since: Timestamp,
    },
    /// Given to a host; not yet seen running.
    Starting {
        /// The attempt that starts.
        attempt: LiveAttempt,
    },
    /// Seen running.
    Running {
        /// The attempt that runs.
        attempt: LiveAttempt,
        /// ECS's `startedAt`.
        started_at: Timestamp,
    },
    /// The last attempt's container ended with exit code 0.
    Succeeded {
        /// When.
        at: Timestamp,
    },
    /// It will not run again.
    Failed {
        /// When.
        at: Timestamp,
        /// Batch's `statusReason`.
        reason: String,
    },
}

/// The name of a [`JobState`], without what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// See [`JobState::Submitted`].
    Submitted,
    /// See [`JobState::Pending`].
    Pending,
    /// See [`JobState::Runnable`].
    Runnable,
    /// See [`JobState::Starting`].
    Starting,
    /// See [`JobState::Running`].
    Running,
    /// See [`JobState::Succeeded`].
    Succeeded,
    /// See [`JobState::Failed`].
    Failed,
}

impl JobStatus {
    /// All seven, in the order a job passes through them.
    pub const ALL: [Self; 7] = [
        Self::Submitted,
        Self::Pending,
        Self::Runnable,
        Self::Starting,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
    ];

    /// Whether nothing more will happen to the job.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// AWS Batch's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Pending => "PENDING",
            Self::Runnable => "RUNNABLE",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for JobStatus {
    type Err = UnknownName;

    /// AWS Batch's spelling, in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(text));
        found.ok_or_else(|| UnknownName {
            text: text.to_owned(),
            allowed: "SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED, FAILED",
        })
    }
}

impl JobState {
    /// The name of the state.
    pub const fn status(&self) -> JobStatus {
        match self {
            Self::Submitted => JobStatus::Submitted,
            Self::Pending => JobStatus::Pending,
            Self::Runnable { .. } => JobStatus::Runnable,
            Self::Starting { .. } => JobStatus::Starting,
            Self::Running { .. } => JobStatus::Running,
            Self::Succeeded { .. } => JobStatus::Succeeded,
            Self::Failed { .. } => JobStatus::Failed,
        }
    }

    /// Why it came to this after this attempt, the last that ended.
    pub fn reason_after<'a>(&'a self, last: Option<&'a Attempt>) -> Option<&'a str> {
        match self {
            Self::Failed { reason, .. } => Some(reason),
            Self::Submitted
            | Self::Pending
            | Self::Runnable { .. }
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Succeeded { .. } => last.map(Attempt::told),
        }
    }

    /// When it ended.
    pub const fn ended_at(&self) -> Option<Timestamp> {
        match self {
            Self::Succeeded { at } | Self::Failed { at, .. } => Some(*at),
            Self::Submitted
            | Self::Pending
            | Self::Runnable { .. }
            | Self::Starting { .. }
            | Self::Running { .. } => None,
        }
    }

    /// The attempt that is on a host now.
    pub const fn live_attempt(&self) -> Option<&LiveAttempt> {
        match self {
            Self::Starting { attempt } | Self::Running { attempt, .. } => Some(attempt),
            Self::Submitted
            | Self::Pending
            | Self::Runnable { .. }
            | Self::Succeeded { .. }
            | Self::Failed { .. } => None,
        }
    }

    /// Since when its live attempt has been seen running.
    pub const fn running_since(&self) -> Option<Timestamp> {
        match self {
            Self::Running { started_at, .. } => Some(*started_at),
            Self::Submitted
            | Self::Pending
            | Self::Runnable { .. }
            | Self::Starting { .. }
            | Self::Succeeded { .. }
            | Self::Failed { .. } => None,
        }
    }
}

/// The first eight bytes of a SHA-256 over the job's message, to tell a repeated message from another one under
/// the same token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BodyHash(pub u64);

/// A place in line; smaller is earlier. A retried job goes to the front, as in AWS Batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinePlace {
    /// Whether it has had no attempt.
    pub is_fresh: bool,
    /// Its number among all jobs.
    pub seq: u64,
}

/// One job, from its acceptance to its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What was asked for.
    pub spec: Arc<JobSpec>,
    /// Tells a duplicate from a clash.
    pub body_hash: BodyHash,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Its place in line: smaller is earlier. Unique; the children of an array come right behind it.
    pub seq: u64,
    /// Where it stands.
    pub state: JobState,
    /// Attempts that have ended, oldest first.
    pub attempts: Vec<Attempt>,
    /// What was odd about its message, for `jobs show`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Job {
    /// How many attempts used up one of the job's retries.
    pub fn n_counted_attempts(&self) -> usize {
        let counted = |a: &&Attempt| !a.failure.is_some_and(FailureCategory::is_infrastructure);
        self.attempts.iter().filter(counted).count()
    }

    /// How many attempts failed through the infrastructure. Those that a breaker held were not given a chance.
    pub fn n_infrastructure_failures(&self) -> usize {
        let held = |a: &&Attempt| a.failure == Some(FailureCategory::Held);
        let n_held = self.attempts.iter().filter(held).count();
        self.attempts.len() - self.n_counted_attempts() - n_held
    }

    /// Why it stands where it stands: the reason of its failure, else how its last attempt ended. None where nothing is said.
    pub fn reason(&self) -> Option<&str> {
        let last = self.attempts.last();
        self.state.reason_after(last).filter(|reason| !reason.is_empty())
    }

    /// Which of its alternatives its live attempt runs; without one, the job as it is written.
    pub fn variant(&self) -> VariantOrd {
        self.state.live_attempt().map_or(VariantOrd::BASE, |attempt| attempt.variant)
    }

    /// What its live attempt holds; without one, what its next needs if it is run as it is written.
    pub fn need(&self) -> Resources {
        self.need_as(self.variant())
    }

    /// What an attempt needs as one of its alternatives: more memory than was asked for at first where attempts ran out of it,
    /// as whichever, and the job wants that. The same for as long as no attempt ends.
    pub fn need_as(&self, variant: VariantOrd) -> Resources {
        let asked = self.spec.resources_of(variant);
        let Some(growth) = &self.spec.memory_growth else { return asked };
        let n_oom =
            self.attempts.iter().filter(|a| a.failure == Some(FailureCategory::Oom)).count();
        Resources { memory: growth.grown(asked.memory, n_oom), ..asked }
    }

    /// Its place in line: whoever had an attempt goes before whoever had none, then whoever came first.
    pub fn line(&self) -> LinePlace {
        LinePlace { is_fresh: self.attempts.is_empty(), seq: self.seq }
    }

    /// The number of the next attempt.
    pub fn next_attempt(&self) -> AttemptOrd {
        let newest_ended = self.attempts.last().map(|a| a.ord);
        let newest = self.state.live_attempt().map(|a| a.ord).or(newest_ended);
        newest.map_or(AttemptOrd::FIRST, AttemptOrd::next)
    }

    /// What all its ended attempts cost.
    pub fn cost(&self) -> MicroUsd {
        self.attempts.iter().map(|a| a.cost).sum()
    }
}
