//! What can go wrong in a call to the cloud, sorted by what the caller does next.

use std::error::Error;

use serde::{Deserialize, Serialize};

/// An error with all its causes on one line, each said once.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// A call that did not do what it was asked to. `detail` is AWS's code and text, for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CloudError {
    /// Nobody knows whether it happened (time-out, connection lost, 5xx): the same call with the same token, later.
    #[error("{action} got no clear answer: {detail}")]
    Unsettled {
        /// The API call, as IAM names it (`ec2:CreateFleet`).
        action: String,
        /// What was said.
        detail: String,
    },
    /// Too many calls: nothing happened; the same call later, and fewer of them.
    #[error("{action} is being throttled: {detail}")]
    Throttled {
        /// The API call.
        action: String,
        /// What was said.
        detail: String,
    },
    /// Permission is missing or credentials are bad: nothing happened; tell the operator, keep everything waiting.
    #[error("{action} is not allowed: {detail}")]
    Denied {
        /// The API call, which is also the permission that is missing.
        action: String,
        /// What was said.
        detail: String,
    },
    /// An account limit: nothing happened; tell the operator, keep everything waiting.
    #[error("{action} reached an account limit: {detail}")]
    Quota {
        /// The API call.
        action: String,
        /// What was said.
        detail: String,
    },
    /// Something of the installation is missing or wrong (cluster, subnet, AMI, launch template): not the job's fault;
    /// tell the operator, keep everything waiting.
    #[error("{action} found the installation wrong: {detail}")]
    Misconfigured {
        /// The API call.
        action: String,
        /// What was said.
        detail: String,
    },
    /// The request itself can never succeed: whoever asked for it has failed.
    #[error("{action} refused the request: {detail}")]
    Invalid {
        /// The API call.
        action: String,
        /// What was said.
        detail: String,
    },
    /// The token was used with other parameters: never draw a new one blindly; look what is there.
    #[error("{action} knows this token with other parameters: {detail}")]
    Conflict {
        /// The API call.
        action: String,
        /// What was said.
        detail: String,
    },
}

impl CloudError {
    /// Whether the same call with the same token is worth sending again.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unsettled { .. } | Self::Throttled { .. } => true,
            Self::Denied { .. }
            | Self::Quota { .. }
            | Self::Misconfigured { .. }
            | Self::Invalid { .. }
            | Self::Conflict { .. } => false,
        }
    }

    /// The API call that failed, as IAM names it.
    pub fn action(&self) -> &str {
        match self {
            Self::Unsettled { action, .. }
            | Self::Throttled { action, .. }
            | Self::Denied { action, .. }
            | Self::Quota { action, .. }
            | Self::Misconfigured { action, .. }
            | Self::Invalid { action, .. }
            | Self::Conflict { action, .. } => action,
        }
    }
}

/// What the ledger could not do.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another dispatcher holds it: leave it alone.
    #[error("the ledger {path} is in use by another dispatcher")]
    Locked {
        /// Which ledger.
        path: String,
    },
    /// Another dispatcher leads by now: do nothing more of what was decided, and wait for a turn.
    #[error("the ledger {path} is led by another dispatcher since epoch {epoch}")]
    Fenced {
        /// Which ledger.
        path: String,
        /// The epoch that it has come to.
        epoch: u64,
    },
    /// It was written by a newer Spillway.
    #[error("the ledger has format {found}, this Spillway reads up to {supported}")]
    TooNew {
        /// Its format.
        found: u32,
        /// The newest we read.
        supported: u32,
    },
    /// It does not exist where it must.
    #[error("there is no ledger at {path}")]
    Missing {
        /// Where it was looked for.
        path: String,
    },
    /// Something has been written to it where it must be new.
    #[error("the ledger {path} is not empty")]
    NotEmpty {
        /// Which ledger.
        path: String,
    },
    /// A record in it cannot be read: stop, touch nothing.
    #[error("the ledger holds a record that cannot be read: {detail}")]
    Corrupt {
        /// Which, and why.
        detail: String,
    },
    /// It cannot be reached or written now: nothing was written; later perhaps.
    #[error("the ledger cannot be reached")]
    Unavailable {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
