//! EventBridge's JSON as news. Tolerant: unknown fields are skipped, and what is not understood is no news.
//!
//! Sources: "Amazon ECS events" (the `detail` is what DescribeTasks and `DescribeContainerInstances` return, in camelCase),
//! "Automate Amazon EC2 with EventBridge", "Spot Instance interruption notices".

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use spillway_core::task::{
    CloudEvent, ContainerInstanceReport, InstanceStatus, TaskReport, TaskStatus,
};
use spillway_core::task_spec::ContainerEnd;
use spillway_core::{CpuUnits, InstanceId, MiB, Resources};

use crate::ec2::instance_status;
use crate::ecs::{JOB_CONTAINER, task_status};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Envelope {
    detail_type: String,
    detail: Value,
}

/// What `body` says; none if it is about something else, or another cluster.
pub(super) fn parse(body: &str, cluster: &str) -> Option<CloudEvent> {
    let envelope: Envelope = serde_json::from_str(body).ok()?;
    let detail = envelope.detail;
    match envelope.detail_type.as_str() {
        "ECS Task State Change" => {
            let task: Task = of_cluster(detail, cluster)?;
            Some(CloudEvent::Task { report: task.report()? })
        }
        "ECS Container Instance State Change" => {
            let host: Host = of_cluster(detail, cluster)?;
            Some(CloudEvent::ContainerInstance { report: host.report()? })
        }
        "EC2 Instance State-change Notification" => {
            let change: StateChange = serde_json::from_value(detail).ok()?;
            let status: InstanceStatus = instance_status(&change.state)?;
            Some(CloudEvent::Instance { id: change.instance_id.parse().ok()?, status })
        }
        "EC2 Spot Instance Interruption Warning" => {
            Some(CloudEvent::SpotInterruption { id: instance_id(detail)? })
        }
        "EC2 Instance Rebalance Recommendation" => {
            Some(CloudEvent::RebalanceRecommendation { id: instance_id(detail)? })
        }
        _ => None,
    }
}

/// The detail, if it is of `cluster`, or does not say.
fn of_cluster<T: DeserializeOwned>(detail: Value, cluster: &str) -> Option<T> {
    let arn = detail.get("clusterArn").and_then(Value::as_str);
    let is_foreign = arn.is_some_and(|arn| arn.rsplit('/').next() != Some(cluster));
    if is_foreign { None } else { serde_json::from_value(detail).ok() }
}

fn instance_id(detail: Value) -> Option<InstanceId> {
    let notice: Notice = serde_json::from_value(detail).ok()?;
    notice.instance_id.parse().ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Notice {
    instance_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StateChange {
    instance_id: String,
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    #[serde(rename = "taskArn")]
    arn: String,
    started_by: Option<String>,
    container_instance_arn: Option<String>,
    version: u64,
    last_status: String,
    started_at: Option<String>,
    stopped_at: Option<String>,
    #[serde(default)]
    containers: Vec<Container>,
    stop_code: Option<String>,
    stopped_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: Option<String>,
    exit_code: Option<i32>,
    reason: Option<String>,
}

impl Container {
    fn end(&self) -> Option<ContainerEnd> {
        Some(ContainerEnd {
            name: self.name.clone()?,
            exit_code: self.exit_code,
            reason: self.reason.clone().filter(|reason| !reason.is_empty()),
        })
    }
}

impl Task {
    fn report(self) -> Option<TaskReport> {
        let time = |text: Option<String>| text.and_then(|t| t.parse::<Timestamp>().ok());
        let status: TaskStatus = task_status(&self.last_status)?;
        let is_job = |c: &&Container| c.name.as_deref() == Some(JOB_CONTAINER);
        let container = self.containers.iter().find(is_job).or(self.containers.first());
        // Of a task with the job's one container, its own fields say how it ended.
        let others = self.containers.iter().any(|c| c.name.as_deref() != Some(JOB_CONTAINER));
        let ends = self.containers.iter().filter(|_| others).filter_map(Container::end).collect();
        Some(TaskReport {
            arn: self.arn.parse().ok()?,
            container_instance: self.container_instance_arn.and_then(|arn| arn.parse().ok()),
            version: self.version,
            status,
            started_at: time(self.started_at),
            stopped_at: time(self.stopped_at),
            exit_code: container.and_then(|c| c.exit_code),
            container_reason: container.and_then(|c| c.reason.clone()),
            containers: ends,
            started_by: self.started_by,
            stop_code: self.stop_code,
            stopped_reason: self.stopped_reason,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Host {
    container_instance_arn: String,
    ec2_instance_id: String,
    status: String,
    agent_connected: bool,
    #[serde(default)]
    registered_resources: Vec<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    name: String,
    #[serde(default)]
    integer_value: u32,
    #[serde(default)]
    string_set_value: Option<Vec<String>>,
}

impl Host {
    fn report(self) -> Option<ContainerInstanceReport> {
        let find = |name: &str| self.registered_resources.iter().find(|r| r.name == name);
        let amount = |name: &str| find(name).map_or(0, |r| r.integer_value);
        let gpus = find("GPU").and_then(|r| r.string_set_value.as_ref()).map_or(0, Vec::len);
        Some(ContainerInstanceReport {
            arn: self.container_instance_arn.parse().ok()?,
            instance: self.ec2_instance_id.parse().ok()?,
            active: self.status == "ACTIVE",
            agent_connected: self.agent_connected,
            registered: Resources::new(
                CpuUnits::new(amount("CPU")),
                MiB::new(amount("MEMORY")),
                u32::try_from(gpus).unwrap_or(0),
            ),
        })
    }
}

#[cfg(test)]
mod tests;
