//! The job message: AWS Batch's `SubmitJob` shape in JSON, with our additions under one key, `spillway`.

use crate::id::JobId;
use crate::job::{BodyHash, JobSpec};

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// A job to run.
    Submit {
        /// The job.
        spec: Box<JobSpec>,
        /// The sender's idempotency token (`spillway.clientToken`); without one SQS's message id is taken.
        client_token: Option<String>,
    },
    /// `CancelJob`: end it unless it has been given to a host.
    Cancel {
        /// Which job.
        job: JobId,
        /// What the sender says.
        reason: String,
    },
    /// `TerminateJob`: end it, wherever it is.
    Terminate {
        /// Which job.
        job: JobId,
        /// What the sender says.
        reason: String,
    },
}

/// A message that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What it asks for.
    pub request: Request,
    /// What was odd but did no harm, each with its JSON path.
    pub warnings: Vec<String>,
    /// Over the unwrapped message, with keys sorted.
    pub body_hash: BodyHash,
}

/// A message that can never be a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejection {
    /// For machines: `INVALID_JSON`, `INVALID_FIELD`, `MISSING_FIELD`, `UNSUPPORTED_FIELD`, `TOO_LARGE`, ...
    pub code: &'static str,
    /// Where, as a JSON path such as `containerOverrides.resourceRequirements[0].value`.
    pub path: Option<String>,
    /// What is wrong, as a sentence fragment with the path in it.
    pub reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Reads a message.
pub fn parse(_body: &str) -> Result<Parsed, Rejection> {
    Err(Rejection { code: "INVALID_JSON", path: None, reason: String::new(), hint: None })
}
