//! What a job waits for: other jobs, and how they must end. Decides nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::JobId;

/// How the other job must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DependencyKind {
    /// It must succeed; an array, with all its children. AWS Batch's dependency.
    AfterOk,
    /// It must have ended, well or not.
    AfterAny,
    /// It must fail.
    AfterNotOk,
    /// Both are arrays, and each child waits for the other's child with the same index to succeed (`N_TO_N`).
    NToN,
}

impl fmt::Display for DependencyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AfterOk => "to succeed",
            Self::AfterAny => "to end",
            Self::AfterNotOk => "to fail",
            Self::NToN => "to succeed, child by child",
        })
    }
}

/// One job that another waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dependency {
    /// Which: a job, an array, or a child of one.
    pub job: JobId,
    /// How it must end.
    pub kind: DependencyKind,
}

/// Where a job that others may wait for stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Its message has not arrived.
    Unknown,
    /// It has not ended.
    Open,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
}

/// What one outcome means to one dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Wait,
    /// It is as it must be.
    Met,
    /// It never will be.
    Never,
}

impl DependencyKind {
    /// What the outcome of the other job means.
    pub const fn judge(self, outcome: Outcome) -> Verdict {
        match (self, outcome) {
            (_, Outcome::Unknown | Outcome::Open) => Verdict::Wait,
            (Self::AfterOk | Self::AfterAny | Self::NToN, Outcome::Succeeded)
            | (Self::AfterAny | Self::AfterNotOk, Outcome::Failed) => Verdict::Met,
            (Self::AfterOk | Self::NToN, Outcome::Failed)
            | (Self::AfterNotOk, Outcome::Succeeded) => Verdict::Never,
        }
    }
}

/// `statusReason` of an array of which a child failed, in AWS Batch's words.
pub const CHILD_FAILED: &str = "Array Child Job failed";

/// `statusReason` of a job whose dependency can never be met, beginning with AWS Batch's words where it has some.
pub fn never_met(dependency: Dependency) -> String {
    let Dependency { job, kind } = dependency;
    match kind {
        DependencyKind::AfterOk | DependencyKind::AfterAny | DependencyKind::NToN => {
            format!("Dependent Job failed: {job}")
        }
        DependencyKind::AfterNotOk => {
            format!("Dependent Job succeeded: {job}, and this one runs only after its failure")
        }
    }
}
