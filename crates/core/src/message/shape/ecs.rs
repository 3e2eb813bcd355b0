//! A job of several containers: AWS Batch's `EcsProperties` and `EcsPropertiesOverride`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::{
    LinuxParameters, LogConfiguration, NameValue, ResourceRequirement, RuntimePlatform, Ulimit,
};
use super::storage::{MountPoint, RepositoryCredentials, Secret, Volume};

/// Several containers that run together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EcsProperties {
    /// The task: a list of one.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default, required, length(min = 1, max = 1))]
    pub task_properties: Option<Vec<EcsTaskProperties>>,
}

/// A task of up to ten containers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EcsTaskProperties {
    /// The containers, at least one of them essential. The job succeeds if every essential one ends with exit code 0.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default, required, length(min = 1, max = 10))]
    pub containers: Option<Vec<TaskContainerProperties>>,
    /// The IAM role that pulls the images and writes logs. The operator must have allowed it.
    #[schemars(length(max = 2048))]
    pub execution_role_arn: Option<String>,
    /// The IAM role of the job's own code. The operator must have allowed it.
    #[schemars(length(max = 2048))]
    pub task_role_arn: Option<String>,
    /// With whom the containers share inter-process communication. For `host` the operator must have allowed privileged
    /// containers.
    pub ipc_mode: Option<IpcMode>,
    /// Whose processes the containers see; unsaid, each its own. For `host` the operator must have allowed privileged
    /// containers.
    pub pid_mode: Option<PidMode>,
    /// What the images are built for.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub runtime_platform: Option<RuntimePlatform>,
    /// Volumes that the containers mount.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub volumes: Option<Vec<Volume>>,
}

/// With whom containers share inter-process communication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IpcMode {
    /// With the host.
    Host,
    /// With each other.
    Task,
    /// With nobody.
    None,
}

/// Whose processes containers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PidMode {
    /// Those of the host.
    Host,
    /// Those of each other.
    Task,
}

/// One of several containers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskContainerProperties {
    /// Its name: 1 to 255 letters, digits, hyphens and underscores, unique in its task. Unsaid, `default` if it is the only
    /// one, else `container-` and its place from 0.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,255}$"))]
    pub name: Option<String>,
    /// Whether its end is the end of the task. Unsaid, it is essential.
    pub essential: Option<bool>,
    /// What must have happened to others before it starts.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub depends_on: Option<Vec<TaskContainerDependency>>,
    /// How long it waits for them, in seconds. Unsaid, what the host's ECS agent is set to.
    #[schemars(range(min = 2, max = 86_400))]
    pub start_timeout: Option<i64>,
    /// How long it has between SIGTERM and SIGKILL, in seconds. Unsaid, what `spillway.stopTimeoutSeconds` says, else 30.
    #[schemars(range(min = 2, max = 3600))]
    pub stop_timeout: Option<i64>,
    /// Makes it the one that routes the logs of those whose log driver is `awsfirelens`. The operator must have allowed that
    /// driver.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub firelens_configuration: Option<FirelensConfiguration>,
    /// The image, as Docker takes it: 1 to 255 letters, digits and `-_:./#@`.
    #[schemars(required, regex(pattern = r"^[A-Za-z0-9_:./#@-]{1,255}$"))]
    pub image: Option<String>,
    /// The command; empty means the image's own. `Ref::name` is replaced by the parameter of that name.
    pub command: Option<Vec<String>>,
    /// Environment variables.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub environment: Option<Vec<NameValue>>,
    /// What it needs: VCPU and MEMORY, and GPU if any. The job needs the sum.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default, required)]
    pub resource_requirements: Option<Vec<ResourceRequirement>>,
    /// The user to run as, as Docker takes it (`1000`, `1000:1000`, `nobody`).
    #[schemars(length(min = 1, max = 255))]
    pub user: Option<String>,
    /// Whether the root file system is mounted read-only.
    pub readonly_root_filesystem: Option<bool>,
    /// Limits of its processes.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub ulimits: Option<Vec<Ulimit>>,
    /// Linux options.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub linux_parameters: Option<LinuxParameters>,
    /// Where its output goes. Unsaid, the dispatcher's log group.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub log_configuration: Option<LogConfiguration>,
    /// Where it mounts the task's volumes.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub mount_points: Option<Vec<MountPoint>>,
    /// Environment variables whose values ECS fetches at each start. The operator must have allowed them, and the execution
    /// role must be able to read them.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub secrets: Option<Vec<Secret>>,
    /// Whether it has the powers of root on its host. The operator must have allowed it.
    pub privileged: Option<bool>,
    /// The credentials of the image's registry. The operator must have allowed them, and the execution role must be able to
    /// read them.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub repository_credentials: Option<RepositoryCredentials>,
}

/// What must have happened to another container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskContainerDependency {
    /// Its name.
    #[schemars(required)]
    pub container_name: Option<String>,
    /// What must have happened to it. Of an essential container only `START`.
    #[schemars(required)]
    pub condition: Option<DependencyCondition>,
}

/// What must have happened to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DependencyCondition {
    /// It has started.
    Start,
    /// It has exited.
    Complete,
    /// It has exited with exit code 0.
    Success,
}

/// How a container routes the logs of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FirelensConfiguration {
    /// Which program its image holds.
    #[serde(rename = "type")]
    #[schemars(required)]
    pub kind: Option<LogRouter>,
    /// Its options: `enable-ecs-log-metadata`, `config-file-type`, `config-file-value`.
    pub options: Option<BTreeMap<String, String>>,
}

/// A program that routes logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogRouter {
    /// Fluentd.
    Fluentd,
    /// Fluent Bit.
    Fluentbit,
}

/// What one job does otherwise than its definition of several containers says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EcsPropertiesOverride {
    /// For the task: a list of one.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default, length(max = 1))]
    pub task_properties: Option<Vec<TaskPropertiesOverride>>,
}

/// For the containers of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskPropertiesOverride {
    /// For each container that does something otherwise.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub containers: Option<Vec<TaskContainerOverrides>>,
}

/// For one container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskContainerOverrides {
    /// Its name. Unsaid, the only one is meant.
    pub name: Option<String>,
    /// Another command. An empty one overrides nothing.
    pub command: Option<Vec<String>>,
    /// Variables to add, or to set otherwise.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub environment: Option<Vec<NameValue>>,
    /// Amounts that replace the definition's, each by its type.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub resource_requirements: Option<Vec<ResourceRequirement>>,
}
