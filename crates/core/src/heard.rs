//! A message of the job queue that was taken or refused: who said what. For the record alone: nothing is decided from it.

use serde::{Deserialize, Serialize};

use crate::breaker::BreakerId;
use crate::burst::BurstHash;
use crate::id::{JobId, JobName};
use crate::scheduling::Pausable;
use crate::target::JobTarget;

/// A message that changed something, or was refused. One that came again, and one that asked for what is so already, is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heard {
    /// SQS's id of it.
    pub message: String,
    /// Who sent it: SQS's `SenderId`, such as `AROAEXAMPLE:session` for a role. The sender cannot choose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// What it said.
    pub asked: Asked,
}

/// What a message asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Asked {
    /// A job, which is there now.
    Submit {
        /// Its id.
        job: JobId,
    },
    /// Jobs are to end that no host has yet.
    Cancel {
        /// Which, as [`JobTarget`] writes it.
        target: String,
        /// The job, or the array.
        job: JobId,
        /// What the sender says.
        reason: String,
    },
    /// Jobs are to end wherever they are.
    Terminate {
        /// Which, as [`JobTarget`] writes it.
        target: String,
        /// The job, or the array.
        job: JobId,
        /// What the sender says.
        reason: String,
    },
    /// Something is to start nothing more.
    Pause {
        /// What.
        target: Pausable,
    },
    /// It may again.
    Resume {
        /// What.
        target: Pausable,
    },
    /// A breaker is to close.
    ResetBreaker {
        /// Which.
        target: BreakerId,
    },
    /// A burst is to be bought.
    Approve {
        /// Which.
        hash: BurstHash,
    },
    /// A job definition was registered or deregistered.
    Define {
        /// Which.
        name: JobName,
    },
    /// A schedule was made, changed, paused, resumed or deleted.
    Schedule {
        /// Which.
        name: JobName,
    },
    /// Nothing that could be done: it is with the dead letters.
    Refused {
        /// Why, as a code.
        code: String,
        /// Why, as a sentence.
        reason: String,
    },
}

impl Asked {
    /// An order to end jobs.
    pub fn end(target: &JobTarget, reason: &str, wherever_it_is: bool) -> Self {
        let (job, target, reason) = (target.job.whole(), target.to_string(), reason.to_owned());
        if wherever_it_is {
            Self::Terminate { target, job, reason }
        } else {
            Self::Cancel { target, job, reason }
        }
    }
}
