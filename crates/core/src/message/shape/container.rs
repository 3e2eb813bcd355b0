//! The container's part of the message: AWS Batch's `ContainerProperties` and `ContainerOverrides`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::storage::{MountPoint, RepositoryCredentials, Secret, Volume};

/// The container to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerProperties {
    /// The image, as Docker takes it: 1 to 255 letters, digits and `-_:./#@`.
    #[schemars(required, regex(pattern = r"^[A-Za-z0-9_:./#@-]{1,255}$"))]
    pub image: Option<String>,
    /// The command; empty means the image's own. `Ref::name` is replaced by the parameter of that name.
    pub command: Option<Vec<String>>,
    /// Environment variables.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub environment: Option<Vec<NameValue>>,
    /// What the job needs, reserved for as long as it runs: VCPU and MEMORY, and GPU if any.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub resource_requirements: Option<Vec<ResourceRequirement>>,
    /// Whole vCPUs, at least 1: the old way, for what `resourceRequirements` does not say.
    #[schemars(range(min = 1))]
    pub vcpus: Option<i64>,
    /// Memory in MiB, at least 4: the old way, for what `resourceRequirements` does not say.
    #[schemars(range(min = 4))]
    pub memory: Option<i64>,
    /// The user to run as, as Docker takes it (`1000`, `1000:1000`, `nobody`).
    #[schemars(length(min = 1, max = 255))]
    pub user: Option<String>,
    /// Whether the root file system is mounted read-only.
    pub readonly_root_filesystem: Option<bool>,
    /// Limits of the container's processes.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub ulimits: Option<Vec<Ulimit>>,
    /// Linux options.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub linux_parameters: Option<LinuxParameters>,
    /// The IAM role of the job's own code. The operator must have allowed it.
    #[schemars(length(max = 2048))]
    pub job_role_arn: Option<String>,
    /// The IAM role that pulls the image and writes logs. The operator must have allowed it.
    #[schemars(length(max = 2048))]
    pub execution_role_arn: Option<String>,
    /// Where the output goes. Unsaid, the dispatcher's log group.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub log_configuration: Option<LogConfiguration>,
    /// Volumes that the container mounts.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub volumes: Option<Vec<Volume>>,
    /// Where it mounts them.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub mount_points: Option<Vec<MountPoint>>,
    /// Environment variables whose values ECS fetches at each start. The operator must have allowed them, and the execution
    /// role must be able to read them.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub secrets: Option<Vec<Secret>>,
    /// Whether the container has the powers of root on its host. The operator must have allowed it.
    pub privileged: Option<bool>,
    /// The credentials of the image's registry. The operator must have allowed them, and the execution role must be able to
    /// read them.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub repository_credentials: Option<RepositoryCredentials>,
    /// What the image is built for.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub runtime_platform: Option<RuntimePlatform>,
}

/// What one job does otherwise than its definition says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerOverrides {
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
    /// Whole vCPUs. As in AWS Batch it overrides `vcpus` only, never `resourceRequirements`.
    #[schemars(range(min = 1))]
    pub vcpus: Option<i64>,
    /// Memory in MiB. As in AWS Batch it overrides `memory` only, never `resourceRequirements`.
    #[schemars(range(min = 4))]
    pub memory: Option<i64>,
}

/// An environment variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameValue {
    /// Its name. `AWS_BATCH` and `SPILLWAY_` at the beginning are reserved.
    #[schemars(required, regex(pattern = r"^[^=]+$"))]
    pub name: Option<String>,
    /// Its value; unsaid, empty.
    pub value: Option<String>,
}

/// So much of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceRequirement {
    /// Which resource.
    #[serde(rename = "type")]
    #[schemars(required)]
    pub kind: Option<ResourceType>,
    /// How much, as a string. VCPU: more than 0, with up to three decimals. MEMORY: whole MiB, at least 4. GPU: whole GPUs.
    #[schemars(required, regex(pattern = r"^[0-9]*[.]?[0-9]+$"))]
    pub value: Option<String>,
}

/// A resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ResourceType {
    /// vCPUs.
    Vcpu,
    /// Memory in MiB. A container that takes more is killed.
    Memory,
    /// Whole physical GPUs.
    Gpu,
}

/// A limit of the container's processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ulimit {
    /// Which limit, by Docker's name (`nofile`, `memlock`, ...).
    #[schemars(required)]
    pub name: Option<String>,
    /// The limit that applies, at most the hard one.
    #[schemars(required, range(min = 0, max = 2_147_483_647))]
    pub soft_limit: Option<i64>,
    /// How far the container may raise it.
    #[schemars(required, range(min = 0, max = 2_147_483_647))]
    pub hard_limit: Option<i64>,
}

/// Linux options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LinuxParameters {
    /// Whether an init process reaps children and forwards signals.
    pub init_process_enabled: Option<bool>,
    /// The size of `/dev/shm` in MiB, at least 1.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub shared_memory_size: Option<i64>,
    /// File systems in memory. What is in them counts against the job's memory.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub tmpfs: Option<Vec<Tmpfs>>,
    /// How much the container may swap out, in MiB; 0 is nothing. It only does where hosts have swap space.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub max_swap: Option<i64>,
    /// How readily it swaps. Without `maxSwap` it has no effect.
    #[schemars(range(min = 0, max = 100))]
    pub swappiness: Option<i64>,
    /// Devices of the host. The operator must have allowed them.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub devices: Option<Vec<Device>>,
}

/// A file system in memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tmpfs {
    /// Where it is mounted: an absolute path.
    #[schemars(required, regex(pattern = r"^/"))]
    pub container_path: Option<String>,
    /// Its size in MiB.
    #[schemars(required, range(min = 1, max = 2_147_483_647))]
    pub size: Option<i64>,
    /// Mount options, such as `noexec`.
    pub mount_options: Option<Vec<String>>,
}

/// A device of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its path on the host.
    #[schemars(required, regex(pattern = r"^/"))]
    pub host_path: Option<String>,
    /// Its path in the container; unsaid, the same.
    #[schemars(regex(pattern = r"^/"))]
    pub container_path: Option<String>,
    /// What the container may do with it; unsaid, everything.
    pub permissions: Option<Vec<DevicePermission>>,
}

/// What a container may do with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DevicePermission {
    /// Read from it.
    Read,
    /// Write to it.
    Write,
    /// Make device files for it.
    Mknod,
}

/// Where the output goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogConfiguration {
    /// The driver. All but `awslogs` must have been allowed by the operator.
    #[schemars(required)]
    pub log_driver: Option<LogDriver>,
    /// The driver's options, such as `awslogs-group`.
    pub options: Option<BTreeMap<String, String>>,
    /// Options whose values ECS fetches. The operator must have allowed them.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub secret_options: Option<Vec<Secret>>,
}

/// AWS Batch's log drivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// Amazon `CloudWatch` Logs.
    Awslogs,
    /// Files on the host.
    JsonFile,
    /// Syslog.
    Syslog,
    /// The host's journal.
    Journald,
    /// Graylog.
    Gelf,
    /// Fluentd.
    Fluentd,
    /// Splunk.
    Splunk,
    /// Whatever a container of the same task routes logs to; see `firelensConfiguration`.
    Awsfirelens,
}

/// What the image is built for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimePlatform {
    /// The architecture. Unsaid, `X86_64`.
    pub cpu_architecture: Option<CpuArchitecture>,
    /// The operating system. Only `LINUX` is known.
    #[schemars(regex(pattern = r"^LINUX$"))]
    pub operating_system_family: Option<String>,
}

/// An architecture in ECS's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum CpuArchitecture {
    /// 64-bit x86.
    #[serde(rename = "X86_64")]
    X86_64,
    /// 64-bit Arm (Graviton).
    Arm64,
}
