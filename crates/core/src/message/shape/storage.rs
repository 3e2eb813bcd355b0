//! What a container gets from outside its image: volumes, secrets, credentials. AWS Batch's shapes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A volume. With neither `host` nor `efsVolumeConfiguration` it is a folder that Docker makes for the task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name: 1 to 255 letters, digits, hyphens and underscores.
    #[schemars(required, regex(pattern = r"^[A-Za-z0-9_-]{1,255}$"))]
    pub name: Option<String>,
    /// A folder or file of the host.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub host: Option<HostVolume>,
    /// A file system of Amazon EFS.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub efs_volume_configuration: Option<EfsVolume>,
}

/// A folder or file of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostVolume {
    /// Its absolute path, which the operator must have allowed. Unsaid, Docker makes a folder for the task.
    pub source_path: Option<String>,
}

/// A file system of Amazon EFS, which the operator must have allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EfsVolume {
    /// Its id.
    #[schemars(required)]
    pub file_system_id: Option<String>,
    /// Which folder of it; unsaid, all of it.
    #[schemars(length(max = 4096))]
    pub root_directory: Option<String>,
    /// Whether it is encrypted on its way; unsaid, not.
    pub transit_encryption: Option<Switch>,
    /// The port for that, 0 to 65535.
    #[schemars(range(min = 0, max = 65535))]
    pub transit_encryption_port: Option<i64>,
    /// Who mounts it.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub authorization_config: Option<EfsAuthorization>,
}

/// Who mounts a file system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EfsAuthorization {
    /// The access point. Needs transit encryption, and no other root directory than `/`.
    pub access_point_id: Option<String>,
    /// Whether with the job's role. Needs transit encryption.
    pub iam: Option<Switch>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Switch {
    /// On.
    Enabled,
    /// Off.
    Disabled,
}

/// Where a volume is mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MountPoint {
    /// The absolute path in the container.
    #[schemars(required, regex(pattern = r"^/"))]
    pub container_path: Option<String>,
    /// The volume's name.
    #[schemars(required)]
    pub source_volume: Option<String>,
    /// Whether the container may only read it.
    pub read_only: Option<bool>,
}

/// A value that ECS fetches from Secrets Manager or the Parameter Store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Secret {
    /// The variable's name, or the log option's.
    #[schemars(required, regex(pattern = r"^[^=]+$"))]
    pub name: Option<String>,
    /// Where the value is: the ARN of a secret or parameter, or the name of a parameter in the same region.
    #[schemars(required, length(min = 1, max = 2048))]
    pub value_from: Option<String>,
}

/// The credentials of a registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryCredentials {
    /// The ARN of a secret that holds user and password.
    #[schemars(required, length(min = 1, max = 2048))]
    pub credentials_parameter: Option<String>,
}
