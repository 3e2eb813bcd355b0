//! What has happened, one line each, in the order in which it was committed: for people who ask who did what, when, and at what
//! price. A record for readers; nothing is decided from it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attempt::FailureCategory;
use crate::catalog::PoolId;
use crate::id::{AttemptOrd, HostId, InstanceId, JobId, JobName, LaunchId, QueueName};
use crate::job::JobStatus;
use crate::launch::PoolChoice;
use crate::money::{MicroUsd, MicroUsdPerHour};

/// What kind of thing happened. The first word says what it happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditKind {
    /// A job was accepted.
    JobAccepted,
    /// A job was taken and failed at once: nothing may ever hold it.
    JobRefused,
    /// A job has come to a state in which it waits.
    JobWaiting,
    /// A job has ended.
    JobEnded,
    /// Children of an array ended that never ran.
    JobChildrenEnded,
    /// An attempt was given to a host.
    AttemptPlaced,
    /// An attempt has begun to run.
    AttemptRunning,
    /// An attempt is being stopped by us.
    AttemptStopping,
    /// An attempt has ended.
    AttemptEnded,
    /// It was decided to buy hosts.
    LaunchDecided,
    /// A call to buy hosts had no verdict; it goes out again under the same token.
    LaunchUnanswered,
    /// EC2 said what came of a launch.
    LaunchAnswered,
    /// EC2 has named an instance: it is paid for from here.
    HostLaunched,
    /// A host is in the cluster.
    HostRegistered,
    /// EC2 takes a Spot host back.
    HostInterrupted,
    /// A host takes no more work.
    HostDraining,
    /// A host is being ended.
    HostTerminating,
    /// Nobody answers for a host.
    HostLost,
    /// A host is over, and its bill closed.
    HostGone,
    /// A message could not be taken: it is with the dead letters.
    MessageRefused,
    /// Someone asked to end jobs that no host has yet.
    OrderCancel,
    /// Someone asked to end jobs.
    OrderTerminate,
    /// Someone paused a queue or a pool.
    OrderPause,
    /// Someone resumed a queue or a pool.
    OrderResume,
    /// Someone asked to use something again that is left alone.
    OrderReset,
    /// Someone approved a burst.
    OrderApprove,
    /// Someone registered or deregistered a job definition.
    OrderDefinition,
    /// Someone made, changed or deleted a schedule.
    OrderSchedule,
    /// Something is left alone after failures.
    BreakerOpened,
    /// It is tried by a probe.
    BreakerProbed,
    /// It is used again.
    BreakerClosed,
    /// More is not bought before somebody approves it.
    BurstHeld,
    /// Somebody has approved it: it is bought.
    BurstApproved,
    /// Nothing is held or approved any more.
    BurstOver,
}

impl AuditKind {
    /// All of them.
    pub const ALL: [Self; 34] = [
        Self::JobAccepted,
        Self::JobRefused,
        Self::JobWaiting,
        Self::JobEnded,
        Self::JobChildrenEnded,
        Self::AttemptPlaced,
        Self::AttemptRunning,
        Self::AttemptStopping,
        Self::AttemptEnded,
        Self::LaunchDecided,
        Self::LaunchUnanswered,
        Self::LaunchAnswered,
        Self::HostLaunched,
        Self::HostRegistered,
        Self::HostInterrupted,
        Self::HostDraining,
        Self::HostTerminating,
        Self::HostLost,
        Self::HostGone,
        Self::MessageRefused,
        Self::OrderCancel,
        Self::OrderTerminate,
        Self::OrderPause,
        Self::OrderResume,
        Self::OrderReset,
        Self::OrderApprove,
        Self::OrderDefinition,
        Self::OrderSchedule,
        Self::BreakerOpened,
        Self::BreakerProbed,
        Self::BreakerClosed,
        Self::BurstHeld,
        Self::BurstApproved,
        Self::BurstOver,
    ];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JobAccepted => "job-accepted",
            Self::JobRefused => "job-refused",
            Self::JobWaiting => "job-waiting",
            Self::JobEnded => "job-ended",
            Self::JobChildrenEnded => "job-children-ended",
            Self::AttemptPlaced => "attempt-placed",
            Self::AttemptRunning => "attempt-running",
            Self::AttemptStopping => "attempt-stopping",
            Self::AttemptEnded => "attempt-ended",
            Self::LaunchDecided => "launch-decided",
            Self::LaunchUnanswered => "launch-unanswered",
            Self::LaunchAnswered => "launch-answered",
            Self::HostLaunched => "host-launched",
            Self::HostRegistered => "host-registered",
            Self::HostInterrupted => "host-interrupted",
            Self::HostDraining => "host-draining",
            Self::HostTerminating => "host-terminating",
            Self::HostLost => "host-lost",
            Self::HostGone => "host-gone",
            Self::MessageRefused => "message-refused",
            Self::OrderCancel => "order-cancel",
            Self::OrderTerminate => "order-terminate",
            Self::OrderPause => "order-pause",
            Self::OrderResume => "order-resume",
            Self::OrderReset => "order-reset",
            Self::OrderApprove => "order-approve",
            Self::OrderDefinition => "order-definition",
            Self::OrderSchedule => "order-schedule",
            Self::BreakerOpened => "breaker-opened",
            Self::BreakerProbed => "breaker-probed",
            Self::BreakerClosed => "breaker-closed",
            Self::BurstHeld => "burst-held",
            Self::BurstApproved => "burst-approved",
            Self::BurstOver => "burst-over",
        }
    }

    /// The kinds that a word means: one, or all that begin with it.
    pub fn named(word: &str) -> Vec<Self> {
        let is_meant = |kind: &Self| {
            let (name, group) = (kind.as_str(), format!("{word}-"));
            name == word || name.starts_with(&group)
        };
        Self::ALL.into_iter().filter(is_meant).collect()
    }
}

impl fmt::Display for AuditKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no kind of event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{said:?} is no kind of event")]
pub struct UnknownAuditKind {
    /// What was said.
    pub said: String,
}

impl FromStr for AuditKind {
    type Err = UnknownAuditKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| UnknownAuditKind { said: text.to_owned() })
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Its number, from 1, without gaps. A reader goes on after the last that it has.
    pub n: u64,
    /// When it was committed, to the millisecond; never before the one before it.
    pub at: Timestamp,
    /// What kind of thing.
    pub kind: AuditKind,
    /// To which job, array, child or node.
    pub job: Option<JobId>,
    /// The job's name and queue.
    pub of: Option<(JobName, QueueName)>,
    /// What else is known of it.
    pub detail: AuditDetail,
}

/// What is known of something that happened. What is not known of it, or makes no sense for its kind, is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditDetail {
    /// The state that a job has come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    /// Which attempt of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptOrd>,
    /// The launch, which is also the client token of its `CreateFleet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<LaunchId>,
    /// The host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// The host's EC2 instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// Type, zone and market; of a launch the first choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolId>,
    /// What one such host costs, as known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<MicroUsdPerHour>,
    /// All that a launch may take, with what each costs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<PoolChoice>,
    /// How many: hosts of a launch, children that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// What it cost: of an attempt its share, of a host all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<MicroUsd>,
    /// The container's exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Whose fault the end of an attempt was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureCategory>,
    /// Why a message was refused, as a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What an order or a breaker is about; of a job the schedule that sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// SQS's id of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who sent it: SQS's `SenderId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// AWS's id of the request that answered, as `CloudTrail` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Which events are asked for. All conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Not before then.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
    /// Behind this one, the oldest first wanted; without it the newest are.
    pub after: Option<u64>,
    /// Before this one.
    pub before: Option<u64>,
    /// Of this job; of an array its children too.
    pub job: Option<JobId>,
    /// Of jobs of this queue.
    pub queue: Option<QueueName>,
    /// Of these kinds; of all if there are none.
    pub kinds: Vec<AuditKind>,
    /// At most so many.
    pub limit: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_from_its_word() {
        for kind in AuditKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("fuse".parse::<AuditKind>().is_err());
    }

    #[test]
    fn a_first_word_means_all_kinds_that_begin_with_it() {
        assert_eq!(AuditKind::named("order-pause"), [AuditKind::OrderPause]);
        assert_eq!(AuditKind::named("breaker").len(), 3);
        assert!(AuditKind::named("brea").is_empty() && AuditKind::named("").is_empty());
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        assert_eq!(serde_json::to_string(&AuditDetail::default()).unwrap(), "{}");
    }
}
