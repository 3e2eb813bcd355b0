//! The attempt that is on a host now, and why it is stopped if it is.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Expectation, FailureCategory};
use crate::coalesce::SharedTask;
use crate::id::{AttemptOrd, HostId, TaskArn};
use crate::variant::VariantOrd;

/// An attempt that has been given to a host and has not ended.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LiveAttempt {
    /// Which attempt; with the job's id it makes the RunTask client token.
    pub ord: AttemptOrd,
    /// The host it was pinned to.
    pub host: HostId,
    /// When that was decided.
    pub placed_at: Timestamp,
    /// The task, once ECS has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskArn>,
    /// A node that is not to start before the main one runs.
    #[serde(default, skip_serializing_if = "is_false")]
    pub awaits_main: bool,
    /// Which of the job's alternatives it runs.
    #[serde(default, skip_serializing_if = "VariantOrd::is_base")]
    pub variant: VariantOrd,
    /// The newest `version` of the task that was applied; older news is dropped.
    #[serde(default)]
    pub task_version: u64,
    /// Why it is being stopped by us, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// What was expected of it when it was given to its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expectation>,
    /// Its part in a task that other children of its array are in too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Box<SharedTask>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Only what is known of it: it is written with each of a job's moves.
impl fmt::Debug for LiveAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ord, host, placed_at, task, task_version, stop, .. } = self;
        let Self { expected, awaits_main, variant, shared, .. } = self;
        write!(f, "LiveAttempt({ord} on {host} since {placed_at}")?;
        if !variant.is_base() {
            write!(f, ", variant {variant}")?;
        }
        if let Some(task) = task {
            write!(f, ", {task} v{task_version}")?;
        }
        if *awaits_main {
            f.write_str(", awaits the main node")?;
        }
        if let Some(stop) = stop {
            write!(f, ", {stop:?}")?;
        }
        if let Some(SharedTask { leader, leader_attempt, n, ended }) = shared.as_deref() {
            write!(f, ", one of {n} in the task of attempt {leader_attempt} of {leader}")?;
            if let Some(ended) = ended {
                write!(f, ", {ended:?}")?;
            }
        }
        if let Some(Expectation { secs, high_secs, from }) = expected {
            write!(f, ", expected {secs} s, at most {high_secs} s {from:?}")?;
        }
        f.write_str(")")
    }
}

/// A stop that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stop {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub cause: StopCause,
}

/// Why we stop a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StopCause {
    /// Someone asked to end the job.
    Terminated {
        /// The reason they gave.
        reason: String,
    },
    /// The attempt ran longer than its `attemptDurationSeconds`.
    Timeout,
    /// The job took longer than it may, all its attempts and waits together.
    JobTimeout,
    /// The task never came to run.
    StuckStarting,
    /// EC2 takes the host back.
    SpotInterruption,
    /// Nobody answers for the task any more.
    Stray,
    /// Another node of the job was lost, so that its attempt is over.
    NodeLost {
        /// Whose fault that was.
        failure: FailureCategory,
        /// What was told of the node.
        reason: String,
    },
    /// The job's main node has ended.
    MainEnded,
    /// The task is shared, and another child of it is to end.
    TaskShared,
}

impl StopCause {
    /// The text ECS keeps as `stoppedReason`.
    pub fn reason(&self) -> String {
        match self {
            Self::Terminated { reason } | Self::NodeLost { reason, .. } => reason.clone(),
            Self::Timeout => "Job attempt duration exceeded timeout".to_owned(),
            Self::JobTimeout => "Job duration exceeded timeout".to_owned(),
            Self::StuckStarting => "Task did not start in time".to_owned(),
            Self::SpotInterruption => "Spot interruption notice".to_owned(),
            Self::Stray => "Task is not the job's live attempt".to_owned(),
            Self::MainEnded => "Main node ended".to_owned(),
            Self::TaskShared => "Task was shared with a child that was to end".to_owned(),
        }
    }
}
