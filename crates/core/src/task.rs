//! What ECS and EC2 tell about tasks, container instances and instances. Facts only, no decisions.

use std::fmt;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::PoolId;
use crate::id::{ContainerInstanceArn, InstanceId, LaunchId, TaskArn};
use crate::market::Arch;
use crate::quantity::Resources;
use crate::task_spec::ContainerEnd;

/// ECS's `lastStatus`, as far as it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskStatus {
    /// PROVISIONING, PENDING or ACTIVATING: it holds its place and does not run yet.
    Pending,
    /// RUNNING.
    Running,
    /// DEACTIVATING, STOPPING or DEPROVISIONING: it still holds its place, whatever ECS counts as free.
    Stopping,
    /// STOPPED: it holds nothing any more.
    Stopped,
}

/// One state of one task, from an event or from DescribeTasks: the same thing, ordered by `version`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskReport {
    /// The task.
    pub arn: TaskArn,
    /// What RunTask was given; our attempt token, if the task is ours.
    pub started_by: Option<String>,
    /// The host's ECS name.
    pub container_instance: Option<ContainerInstanceArn>,
    /// ECS's counter: of two reports the higher is newer.
    pub version: u64,
    /// Where it stands.
    pub status: TaskStatus,
    /// When its container started.
    pub started_at: Option<Timestamp>,
    /// When it stopped.
    pub stopped_at: Option<Timestamp>,
    /// The exit code of the job's container; of several containers, that of the first.
    pub exit_code: Option<i32>,
    /// ECS's `stopCode` (`EssentialContainerExited`, `TaskFailedToStart`, `UserInitiated`, `SpotInterruption`,
    /// `TerminationNotice`).
    pub stop_code: Option<String>,
    /// ECS's `stoppedReason`.
    pub stopped_reason: Option<String>,
    /// The container's own `reason`, such as `OutOfMemoryError: ...`.
    pub container_reason: Option<String>,
    /// How each container ended, of a task that has more than the job's one.
    pub containers: Vec<ContainerEnd>,
}

/// Only what it says: most fields are empty for most of a task's life.
impl fmt::Debug for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskReport({} v{} {:?}", self.arn, self.version, self.status)?;
        let texts = [
            ("by", self.started_by.as_deref()),
            ("on", self.container_instance.as_ref().map(ContainerInstanceArn::as_str)),
            ("stop code", self.stop_code.as_deref()),
            ("stopped for", self.stopped_reason.as_deref()),
            ("container", self.container_reason.as_deref()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                write!(f, ", {name} {text:?}")?;
            }
        }
        for (name, at) in [("started", self.started_at), ("stopped", self.stopped_at)] {
            if let Some(at) = at {
                write!(f, ", {name} {at}")?;
            }
        }
        if let Some(code) = self.exit_code {
            write!(f, ", exit code {code}")?;
        }
        for ContainerEnd { name, exit_code, reason } in &self.containers {
            write!(f, ", {name}: {exit_code:?} {reason:?}")?;
        }
        f.write_str(")")
    }
}

/// ECS's view of a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContainerInstanceReport {
    /// ECS's name.
    pub arn: ContainerInstanceArn,
    /// EC2's name.
    pub instance: InstanceId,
    /// Whether ECS says ACTIVE (takes tasks).
    pub active: bool,
    /// Whether its agent is connected. Short absences are normal.
    pub agent_connected: bool,
    /// What it registered.
    pub registered: Resources,
}

/// EC2's instance state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceStatus {
    /// `pending`.
    Pending,
    /// `running`.
    Running,
    /// `shutting-down`, `stopping` or `stopped`: it will not run tasks again.
    ShuttingDown,
    /// `terminated`.
    Terminated,
}

/// EC2's view of a host that carries our tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The instance.
    pub id: InstanceId,
    /// Its type, zone and market.
    pub pool: PoolId,
    /// Its architecture.
    pub arch: Arch,
    /// EC2's `launchTime`.
    pub launched_at: Timestamp,
    /// Where it stands.
    pub status: InstanceStatus,
    /// The launch it says it came from (tag `spillway:launch`).
    pub launch: Option<LaunchId>,
    /// Its private IPv4 address, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
}

/// All that could be seen at one moment. A part that could not be read is `None`, which says nothing about what is
/// in it: "not returned" is never "gone".
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FleetSnapshot {
    /// Instances with our tag, `terminated` ones included for as long as EC2 shows them.
    pub instances: Option<Vec<InstanceReport>>,
    /// Hosts in our cluster.
    pub container_instances: Option<Vec<ContainerInstanceReport>>,
    /// The tasks that were asked for and found.
    pub tasks: Option<Vec<TaskReport>>,
    /// The tasks that were asked for and that ECS no longer knows (`MISSING`).
    pub missing_tasks: Vec<TaskArn>,
}

/// News from ECS or EC2: at least once, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CloudEvent {
    /// `ECS Task State Change`.
    Task {
        /// The task as it is.
        report: TaskReport,
    },
    /// `ECS Container Instance State Change`.
    ContainerInstance {
        /// The host as ECS sees it.
        report: ContainerInstanceReport,
    },
    /// `EC2 Instance State-change Notification`.
    Instance {
        /// The instance, ours or not.
        id: InstanceId,
        /// Its new state.
        status: InstanceStatus,
    },
    /// `EC2 Spot Instance Interruption Warning`: at most two minutes are left.
    SpotInterruption {
        /// The instance, ours or not.
        id: InstanceId,
    },
    /// `EC2 Instance Rebalance Recommendation`.
    RebalanceRecommendation {
        /// The instance, ours or not.
        id: InstanceId,
    },
}
