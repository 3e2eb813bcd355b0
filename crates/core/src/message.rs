//! The job message: AWS Batch's `SubmitJob` in JSON, with the job definition inline in `RegisterJobDefinition`'s shape and
//! our additions under one key, `spillway`; or an order to end a job.
//!
//! Public API: a message that was understood once must be understood the same way for ever. Reading is total (any text gives
//! a request or a [`Rejection`], never a panic), strict (a text has one meaning) and pure. It never looks at what the
//! dispatcher serves or allows.
//!
//! The way of a body: `tree` reads it, `unwrap` takes it out of its envelopes, `unsupported` refuses what Batch knows and
//! Spillway does not honour, `read` gives it its types (`shape`) and holds the rules; `write` is the way back.

mod define;
pub mod limits;
mod nearest;
mod path;
mod read;
mod reject;
mod schema;
pub mod shape;
mod substitute;
mod tree;
mod unsupported;
mod unwrap;
mod write;

pub use define::StandIn;
pub use reject::{Rejection, code};
pub use schema::schema;
pub use write::{
    Ending, SimpleJob, approve_burst, end_job, pause, reset_breaker, submit, submit_again,
};

use serde_json::Value;

use crate::breaker::BreakerId;
use crate::burst::BurstHash;
use crate::definition::{DefinitionSource, NoDefinitions};
use crate::id::{JobName, QueueName};
use crate::job::{BodyHash, JobSpec};
use crate::schedule::ScheduleSpec;
use crate::scheduling::Pausable;
use crate::target::JobTarget;

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
    /// `RegisterJobDefinition`: a new revision.
    Register {
        /// The definition's name.
        name: JobName,
        /// What it says: the message without what is Spillway's alone.
        content: Box<Value>,
        /// The sender's idempotency token; without one SQS's message id is taken.
        client_token: Option<String>,
    },
    /// `DeregisterJobDefinition`: jobs may not name it any more. What runs goes on.
    Deregister {
        /// Its name.
        name: JobName,
        /// The revision.
        revision: u32,
    },
    /// An order about a schedule.
    Schedule(Box<ScheduleRequest>),
    /// `PauseQueue`, `PausePool`: start nothing there until it is resumed; and the opposites.
    Pause {
        /// What.
        target: Pausable,
        /// Whether it is paused or resumed.
        is_paused: bool,
    },
    /// `ResetBreaker`: close it, as if its probe had succeeded.
    ResetBreaker {
        /// Which.
        target: BreakerId,
    },
    /// `ApproveBurst`: buy what is held.
    ApproveBurst {
        /// Which burst.
        hash: BurstHash,
    },
    /// `CancelJob`: end it unless it has been given to a host.
    Cancel {
        /// Which job or jobs.
        target: JobTarget,
        /// What the sender says.
        reason: String,
    },
    /// `TerminateJob`: end it, wherever it is.
    Terminate {
        /// Which job or jobs.
        target: JobTarget,
        /// What the sender says.
        reason: String,
    },
}

/// An order about a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleRequest {
    /// The schedule's name.
    pub name: JobName,
    /// What is to become of it.
    pub order: ScheduleOrder,
    /// The sender's idempotency token; without one SQS's message id is taken.
    pub client_token: Option<String>,
}

/// What is to become of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub enum ScheduleOrder {
    /// `CreateSchedule`: it is made, or becomes this.
    Create {
        /// What it is to do.
        spec: Box<ScheduleSpec>,
        /// The queue of its jobs.
        queue: QueueName,
    },
    /// `DeleteSchedule`: it sends no more jobs.
    Delete,
    /// `PauseSchedule`: it sends none until it is resumed.
    Pause,
    /// `ResumeSchedule`: it sends jobs again, from the next time on.
    Resume,
}

/// A message that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// What it asks for.
    pub request: Request,
    /// What was odd but did no harm, each with its JSON path; at most 21.
    pub warnings: Vec<String>,
    /// Over the unwrapped message, with keys sorted: white space, the order of keys and envelopes do not change it.
    pub body_hash: BodyHash,
}

/// Reads a message, bare or in the envelopes of SNS and EventBridge.
///
/// The key `spillway.action` says what it asks for, by AWS Batch's names; unsaid, it is a job. An order to end one is
/// `{"jobId": "...", "reason": "...", "spillway": {"action": "CancelJob"}}`, or `TerminateJob`.
///
/// A job that names a registered definition is refused here; see [`parse_with`].
pub fn parse(body: &str) -> Result<Parsed, Rejection> {
    parse_with(body, &NoDefinitions)
}

/// The same, with a place to look up the definitions that jobs name. The hash is over what was sent, whatever revision is
/// meant by it.
pub fn parse_with(body: &str, definitions: &dyn DefinitionSource) -> Result<Parsed, Rejection> {
    let message = unwrap::message(body)?;
    let body_hash = tree::hash(&message);
    let (request, warnings) = read::request(message, definitions)?;
    Ok(Parsed { request, warnings, body_hash })
}

/// What tells one job from another, whether or not the rest of its message makes sense: its queue, its token, and its hash.
pub fn identity(body: &str) -> Option<(QueueName, Option<String>, BodyHash)> {
    let message = unwrap::message(body).ok()?;
    let queue = read::queue(&message)?;
    let token = message.get("spillway").and_then(|own| own.get("clientToken"));
    Some((queue, token.and_then(Value::as_str).map(str::to_owned), tree::hash(&message)))
}
