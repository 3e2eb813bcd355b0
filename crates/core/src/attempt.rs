//! An attempt that has ended: on which host, how, whose fault it was, and what it cost. A record; what follows is decided elsewhere.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::PoolId;
use crate::coalesce::SharedPart;
use crate::id::{AttemptOrd, HostId, InstanceId, TaskArn};
use crate::job::Expectation;
use crate::money::MicroUsd;
use crate::retry::FailedEnd;
use crate::task_spec::ContainerEnd;
use crate::variant::VariantOrd;

/// Whose fault the end of an attempt was, by what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCategory {
    /// Exit code other than 0: uses up an attempt.
    Exit,
    /// The kernel killed the container for memory: uses up an attempt.
    Oom,
    /// The attempt's own time limit: not retried, as in AWS Batch.
    Timeout,
    /// Somebody ended it: not retried.
    Terminated,
    /// EC2 reclaimed a Spot host: free.
    Spot,
    /// The host went away or was unfit: free.
    Host,
    /// The image could not be pulled, or a secret not be fetched: free a few times.
    Pull,
    /// The task could not be created for a reason that will not go away: not retried.
    Invalid,
    /// Nobody knows how it ended: free.
    Unknown,
    /// It was never started, because a breaker had opened or a budget was spent: free, however often.
    Held,
}

impl FailureCategory {
    /// Whether the failure was the infrastructure's, so that it uses up none of the job's attempts.
    pub const fn is_infrastructure(self) -> bool {
        match self {
            Self::Spot | Self::Host | Self::Pull | Self::Unknown | Self::Held => true,
            Self::Exit | Self::Oom | Self::Timeout | Self::Terminated | Self::Invalid => false,
        }
    }
}

impl fmt::Display for FailureCategory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Exit => "exit",
            Self::Oom => "oom",
            Self::Timeout => "timeout",
            Self::Terminated => "terminated",
            Self::Spot => "spot",
            Self::Host => "host",
            Self::Pull => "pull",
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
            Self::Held => "held",
        })
    }
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attempt {
    /// Which attempt.
    pub ord: AttemptOrd,
    /// The host.
    pub host: HostId,
    /// The host's EC2 instance.
    pub instance: InstanceId,
    /// The instance's type, zone and market.
    pub pool: PoolId,
    /// The task, if ECS ever made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskArn>,
    /// Which of the job's alternatives it ran.
    #[serde(default, skip_serializing_if = "VariantOrd::is_base")]
    pub variant: VariantOrd,
    /// When it was given to the host.
    pub placed_at: Timestamp,
    /// ECS's `startedAt`; none if it never ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub stopped_at: Timestamp,
    /// The container's exit code, of several that of the decisive one; none if it never exited by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// `statusReason`, in ECS's words where ECS gave one.
    pub reason: String,
    /// The container's own `reason`, such as `OutOfMemoryError: ...`; none if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_reason: Option<String>,
    /// How each container ended, if the job has several.
    #[serde(default, skip_serializing_if = "<[ContainerEnd]>::is_empty")]
    pub containers: Box<[ContainerEnd]>,
    /// Why it failed; none if it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCategory>,
    /// Its share of what the host cost while it held its place.
    pub cost: MicroUsd,
    /// What was expected of it when it was given to its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expectation>,
    /// Its part in a task that it shared with other children of its array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Box<SharedPart>>,
}

impl Attempt {
    /// Why it ended, in the words that say most: the container's own where it failed by itself or could not be pulled.
    pub fn told(&self) -> &str {
        let by_container = match self.failure {
            Some(FailureCategory::Oom | FailureCategory::Pull | FailureCategory::Exit) => true,
            Some(
                FailureCategory::Timeout
                | FailureCategory::Terminated
                | FailureCategory::Spot
                | FailureCategory::Host
                | FailureCategory::Invalid
                | FailureCategory::Unknown
                | FailureCategory::Held,
            )
            | None => false,
        };
        self.container_reason.as_deref().filter(|_| by_container).unwrap_or(&self.reason)
    }

    /// How it failed, for the rules that say what follows; none if it succeeded.
    pub fn failed_end(&self) -> Option<FailedEnd<'_>> {
        let failure = self.failure?;
        let reason = self.container_reason.as_deref().unwrap_or_default();
        Some(FailedEnd { exit_code: self.exit_code, reason, status_reason: &self.reason, failure })
    }
}
