//! What the control loop wants done. Data: it is committed before it is performed, and may be performed twice.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::PoolId;
use crate::coalesce::RunnerPlan;
use crate::error::CloudError;
use crate::id::{
    AttemptOrd, ClientToken, ContainerInstanceArn, HostId, InstanceId, JobId, LaunchId, TaskArn,
};
use crate::job::JobSpec;
use crate::launch::PoolChoice;
use crate::market::{Arch, Market};
use crate::quantity::Dimension;
use crate::task::TaskReport;

/// What a queue gives for deleting one delivery of a message. Good for that delivery only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub String);

/// One call that buys hosts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaunchRequest {
    /// The launch; it goes into the tag `spillway:launch`.
    pub launch: LaunchId,
    /// Makes the call idempotent.
    pub token: ClientToken,
    /// The market.
    pub market: Market,
    /// The architecture of all choices: it decides the AMI.
    pub arch: Arch,
    /// Pools in order of preference, at least one.
    pub choices: Vec<PoolChoice>,
    /// How many hosts, at least 1. Fewer may come.
    pub count: u32,
}

/// One instance that EC2 gave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LaunchedInstance {
    /// Its id.
    pub id: InstanceId,
    /// Where it came from.
    pub pool: PoolId,
    /// When EC2 launched it, where it says so.
    pub launched_at: Option<Timestamp>,
}

/// What a pool's refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolFault {
    /// It is dry: leave it alone for minutes.
    NoCapacity,
    /// The zone does not have the type: leave it alone for hours.
    Unsupported,
    /// The account's limit for this market: no other pool of it will do better.
    QuotaReached,
    /// The subnet has no free address.
    SubnetFull,
    /// Anything else, told by code: leave it alone for minutes.
    Other,
}

/// A pool that gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PoolError {
    /// The pool; none where EC2 did not say.
    pub pool: Option<PoolId>,
    /// What it means.
    pub fault: PoolFault,
    /// EC2's error code.
    pub code: String,
}

/// EC2's answer: instances and errors may come together, and neither is complete by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LaunchAnswer {
    /// What came.
    pub instances: Vec<LaunchedInstance>,
    /// What did not.
    pub errors: Vec<PoolError>,
    /// AWS's id of the request.
    pub request_id: Option<String>,
}

/// One call that starts an attempt.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TaskRequest {
    /// The job.
    pub job: JobId,
    /// The attempt.
    pub attempt: AttemptOrd,
    /// Makes the call idempotent; also the task's `startedBy`.
    pub token: ClientToken,
    /// The one instance it may go to.
    pub instance: InstanceId,
    /// What to run.
    pub spec: Arc<JobSpec>,
    /// Variables that Spillway adds, before the job's own.
    pub environment: BTreeMap<String, String>,
    /// The children that the task's runner is to run, if several share it; `job` leads them.
    pub runner: Option<Box<RunnerPlan>>,
}

/// What is run, and with which variables, follows from the job and the attempt.
impl fmt::Debug for TaskRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, attempt, token, instance, spec, environment: _, runner } = self;
        let mut shown = f.debug_struct("TaskRequest");
        shown
            .field("job", job)
            .field("attempt", attempt)
            .field("token", token)
            .field("instance", instance)
            .field("name", &spec.name);
        if let Some(runner) = runner {
            shown.field("runner", &runner.to_string());
        }
        shown.finish_non_exhaustive()
    }
}

/// Why ECS did not start a task. From `failures[].reason`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `RESOURCE:*`: the host has less room than we thought.
    NoRoom {
        /// Where it lacks; none for a resource we do not model.
        dimension: Option<Dimension>,
    },
    /// `AGENT`: the agent is not connected now.
    AgentAway,
    /// `MISSING`, `INACTIVE`, a draining host, or a placement constraint nobody meets: the host is not there.
    HostGone,
    /// `ATTRIBUTE`: the host lacks something the definition needs.
    Unfit,
    /// A reason we do not know.
    Other {
        /// ECS's text.
        reason: String,
    },
}

/// ECS's answer to a start.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TaskStart {
    /// It exists.
    Started(TaskReport),
    /// It does not, and will not by itself.
    Refused(Refusal),
}

/// A message that can never be a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeadLetter {
    /// The delivery to delete once the letter is safe.
    pub receipt: Receipt,
    /// The message's id.
    pub message_id: String,
    /// The body, untouched.
    pub body: String,
    /// Why, as a code (`INVALID_FIELD`); a message attribute.
    pub code: String,
    /// Why, as a sentence with the JSON path; a message attribute.
    pub reason: String,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Buy hosts. Answered.
    Launch(LaunchRequest),
    /// End instances. Answered.
    Terminate {
        /// Host and instance of each.
        hosts: Vec<(HostId, InstanceId)>,
    },
    /// Let ECS place nothing more on a host. Answered.
    Drain {
        /// The host.
        host: HostId,
        /// ECS's name for it.
        container_instance: ContainerInstanceArn,
    },
    /// Take a host whose instance has ended out of the cluster.
    Deregister {
        /// ECS's name for it.
        container_instance: ContainerInstanceArn,
    },
    /// Start an attempt. Answered.
    RunTask(TaskRequest),
    /// Stop a task: SIGTERM, then SIGKILL after the container's stop timeout. Answered.
    StopTask {
        /// The job, for the answer.
        job: JobId,
        /// The attempt, for the answer.
        attempt: AttemptOrd,
        /// The task.
        task: TaskArn,
        /// What ECS keeps as `stoppedReason`.
        reason: String,
    },
    /// Read what the log of a shared task says of its children. Answered.
    ReadReport {
        /// The child that leads, for the answer.
        job: JobId,
        /// Its attempt, for the answer.
        attempt: AttemptOrd,
        /// The task.
        task: TaskArn,
        /// What it ran, and where it logs to.
        spec: Arc<JobSpec>,
    },
    /// Look at the fleet, and at these tasks. Answered.
    Observe {
        /// Tasks believed to be alive.
        tasks: Vec<TaskArn>,
    },
    /// Read offerings and prices again. Answered.
    RefreshCatalog,
    /// These messages are jobs now, and durable.
    DeleteMessages {
        /// Their deliveries.
        receipts: Vec<Receipt>,
    },
    /// What these events said is durable.
    DeleteEvents {
        /// Their deliveries.
        receipts: Vec<Receipt>,
    },
    /// Put a message where people look for it, then delete the original.
    DeadLetter(DeadLetter),
}

/// The result of a call.
pub type CallResult<T> = Result<T, CloudError>;
