//! What the control loop is told. Anything may come late, twice, or in another order.

use jiff::Timestamp;

use crate::catalog::Catalog;
use crate::effect::{CallResult, LaunchAnswer, Receipt, TaskStart};
use crate::error::CloudError;
use crate::id::{AttemptOrd, HostId, JobId, LaunchId};
use crate::task::{CloudEvent, FleetSnapshot};

/// One delivery of a message of the job queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// SQS's id: the same for every delivery of the message.
    pub message_id: String,
    /// For deleting this delivery.
    pub receipt: Receipt,
    /// The body as it came.
    pub body: String,
    /// When the sender sent it, by SQS's clock.
    pub sent_at: Option<Timestamp>,
    /// Who sent it: SQS's `SenderId`, such as `AROAEXAMPLE:session` for a role.
    pub sender: Option<String>,
}

/// One delivery of a message of the event queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventDelivery {
    /// For deleting this delivery.
    pub receipt: Receipt,
    /// What it says; none if it is nothing we know.
    pub event: Option<CloudEvent>,
}

/// The answer to an effect. It names what it answers, so that an answer nobody waits for any more is recognised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Answer {
    /// To [`crate::Effect::Launch`].
    Launch {
        /// Which launch.
        launch: LaunchId,
        /// What came of it.
        result: CallResult<LaunchAnswer>,
    },
    /// To [`crate::Effect::Terminate`].
    Terminate {
        /// Which hosts.
        hosts: Vec<HostId>,
        /// Whether EC2 took it.
        result: CallResult<()>,
    },
    /// To [`crate::Effect::Drain`].
    Drain {
        /// Which host.
        host: HostId,
        /// Whether ECS took it.
        result: CallResult<()>,
    },
    /// To [`crate::Effect::RunTask`].
    RunTask {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: AttemptOrd,
        /// What came of it.
        result: CallResult<TaskStart>,
    },
    /// To [`crate::Effect::StopTask`].
    StopTask {
        /// Which job.
        job: JobId,
        /// Which attempt.
        attempt: AttemptOrd,
        /// Whether ECS took it.
        result: CallResult<()>,
    },
    /// To [`crate::Effect::ReadReport`].
    Report {
        /// The child that leads the task.
        job: JobId,
        /// Its attempt.
        attempt: AttemptOrd,
        /// The lines that there are by now. There may be more.
        result: CallResult<Vec<String>>,
    },
    /// To [`crate::Effect::Observe`].
    Observe {
        /// When the look began: what is newer than this is not contradicted by it.
        asked_at: Timestamp,
        /// What was seen.
        snapshot: FleetSnapshot,
    },
    /// To [`crate::Effect::RefreshCatalog`].
    Catalog {
        /// What is on offer.
        result: CallResult<Catalog>,
    },
}

impl Answer {
    /// Why the call did not do what it was asked to, if it did not. A look tells of no error: it says what it saw.
    pub fn error(&self) -> Option<&CloudError> {
        match self {
            Self::Launch { result, .. } => result.as_ref().err(),
            Self::Terminate { result, .. }
            | Self::Drain { result, .. }
            | Self::StopTask { result, .. } => result.as_ref().err(),
            Self::RunTask { result, .. } => result.as_ref().err(),
            Self::Report { result, .. } => result.as_ref().err(),
            Self::Catalog { result } => result.as_ref().err(),
            Self::Observe { .. } => None,
        }
    }
}

/// One thing the control loop learns.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(
    clippy::large_enum_variant,
    reason = "inputs are handed over one at a time and never kept"
)]
pub enum Input {
    /// Messages of the job queue.
    Received(Vec<Delivery>),
    /// Messages of the event queue.
    Events(Vec<EventDelivery>),
    /// The answer to an effect.
    Answered(Answer),
    /// Time has passed.
    Tick,
}
