//! A job's container: what becomes the ECS task definition and the overrides of its start. AWS Batch's
//! `ContainerProperties` and their defaults; what an operator allows of it is the engine's `policy`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::market::UnknownName;

/// The name of a job's container in its task, where it has but one.
pub const JOB_CONTAINER: &str = "job";

/// What the name of a log stream begins with (`awslogs-stream-prefix`), unless the job says otherwise.
pub const LOG_STREAM_PREFIX: &str = "spillway";

/// The option of the driver `awslogs` that says what the name of a log stream begins with.
pub const LOG_STREAM_PREFIX_OPTION: &str = "awslogs-stream-prefix";

/// What becomes the ECS task definition and its overrides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent settings, each by Batch's or ECS's name"
)]
pub struct ContainerSpec {
    /// The image reference, at most 255 characters.
    pub image: String,
    /// The command; empty means the image's own.
    pub command: Vec<String>,
    /// Environment variables in the order given; names are unique.
    pub environment: Vec<(String, String)>,
    /// Variables whose values ECS fetches at each start; names are unique among all variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// The user to run as, as Docker takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether it has the powers of root on its host. Refused unless the operator allows it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub privileged: bool,
    /// Whether it shares its host's network: a node of a multi-node job does, so that the others reach it. Else it has a bridge.
    #[serde(default, skip_serializing_if = "is_false")]
    pub host_network: bool,
    /// Whether the root file system is mounted read-only.
    #[serde(default)]
    pub readonly_root_filesystem: bool,
    /// Whether an init process reaps children and forwards signals (`linuxParameters.initProcessEnabled`).
    #[serde(default)]
    pub init_process: bool,
    /// Size of `/dev/shm` in MiB (`linuxParameters.sharedMemorySize`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_memory_mib: Option<u32>,
    /// File systems in memory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tmpfs: Vec<Tmpfs>,
    /// How much it may swap out, in MiB; 0 is nothing, none leaves it to Docker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_swap_mib: Option<u32>,
    /// How readily it swaps, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swappiness: Option<u32>,
    /// Devices of the host. Refused unless the operator allows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Docker's ulimits: name, soft and hard limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ulimits: Vec<(String, u32, u32)>,
    /// Volumes; names are unique.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Where they are mounted; every one names a volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// The secret with which the image is pulled (`repositoryCredentials`). Refused unless the operator allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_credentials: Option<String>,
    /// The IAM role of the job's own code. Refused unless the operator allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_role_arn: Option<String>,
    /// The IAM role that pulls the image and writes logs. Refused unless the operator allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_role_arn: Option<String>,
    /// Where the output goes.
    #[serde(default, skip_serializing_if = "LogDriver::is_awslogs")]
    pub log_driver: LogDriver,
    /// The log driver's options; none of `awslogs` means the dispatcher's default.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", alias = "awslogs_options")]
    pub log_options: BTreeMap<String, String>,
    /// Options of the log driver whose values ECS fetches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_secrets: Vec<Secret>,
}

impl ContainerSpec {
    /// An image with its own command and nothing unusual.
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            command: Vec::new(),
            environment: Vec::new(),
            secrets: Vec::new(),
            user: None,
            privileged: false,
            host_network: false,
            readonly_root_filesystem: false,
            init_process: false,
            shared_memory_mib: None,
            tmpfs: Vec::new(),
            max_swap_mib: None,
            swappiness: None,
            devices: Vec::new(),
            ulimits: Vec::new(),
            volumes: Vec::new(),
            mounts: Vec::new(),
            registry_credentials: None,
            job_role_arn: None,
            execution_role_arn: None,
            log_driver: LogDriver::Awslogs,
            log_options: BTreeMap::new(),
            log_secrets: Vec::new(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A value that ECS fetches from Secrets Manager or the Parameter Store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Secret {
    /// The variable's, or the option's name.
    pub name: String,
    /// Where the value is: an ARN, or the name of a parameter.
    pub value_from: String,
}

/// A file system in memory. What is in it counts against the job's memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tmpfs {
    /// Where it is mounted.
    pub path: String,
    /// Its size in MiB.
    pub size_mib: u32,
    /// Mount options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Device {
    /// Its path on the host.
    pub host_path: String,
    /// Its path in the container; none is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_path: Option<String>,
    /// What the container may do with it; empty is everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<DevicePermission>,
}

/// What a container may do with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DevicePermission {
    /// Read from it.
    Read,
    /// Write to it.
    Write,
    /// Make device files for it.
    Mknod,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Volume {
    /// Its name, by which mounts know it.
    pub name: String,
    /// What is in it.
    pub source: VolumeSource,
}

/// What is in a volume.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum VolumeSource {
    /// A folder that Docker makes for the task.
    Scratch,
    /// A folder or file of the host. Refused unless the operator allows it.
    Host {
        /// Its path.
        path: String,
    },
    /// A file system of Amazon EFS. Refused unless the operator allows it.
    Efs(Efs),
}

/// A file system of Amazon EFS.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Efs {
    /// Its id.
    pub file_system: String,
    /// Which folder of it; none is all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Whether it is encrypted on its way.
    #[serde(default)]
    pub transit_encryption: bool,
    /// The port for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transit_port: Option<u16>,
    /// The access point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_point: Option<String>,
    /// Whether it is mounted with the job's role.
    #[serde(default)]
    pub iam: bool,
}

/// Where a volume is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mount {
    /// The volume's name.
    pub volume: String,
    /// The path in the container.
    pub path: String,
    /// Whether the container may only read it.
    #[serde(default)]
    pub read_only: bool,
}

/// Log drivers that the ECS agent knows: Docker's, and its own.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// Whatever a container of the same task routes logs to.
    Awsfirelens,
    /// Amazon `CloudWatch` Logs.
    #[default]
    Awslogs,
    /// Fluentd.
    Fluentd,
    /// Graylog.
    Gelf,
    /// Files on the host.
    JsonFile,
    /// The host's journal.
    Journald,
    /// Splunk.
    Splunk,
    /// Syslog.
    Syslog,
}

impl LogDriver {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Awsfirelens,
        Self::Awslogs,
        Self::Fluentd,
        Self::Gelf,
        Self::JsonFile,
        Self::Journald,
        Self::Splunk,
        Self::Syslog,
    ];

    /// Docker's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Awsfirelens => "awsfirelens",
            Self::Awslogs => "awslogs",
            Self::Fluentd => "fluentd",
            Self::Gelf => "gelf",
            Self::JsonFile => "json-file",
            Self::Journald => "journald",
            Self::Splunk => "splunk",
            Self::Syslog => "syslog",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    const fn is_awslogs(&self) -> bool {
        matches!(*self, Self::Awslogs)
    }
}

impl fmt::Display for LogDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for LogDriver {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|driver| driver.as_str() == text);
        found.ok_or_else(|| UnknownName {
            text: text.to_owned(),
            allowed: "awsfirelens, awslogs, fluentd, gelf, json-file, journald, splunk, syslog",
        })
    }
}
