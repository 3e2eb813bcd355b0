//! Alternatives of a job, as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::object;
use super::{NameValue, ResourceRequirement, RuntimePlatform};
use crate::gpu::GpuKind;
use crate::market::ArchRule;

/// Another way to run the job. What it leaves out is as the job says, with the job's overrides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobVariant {
    /// The image.
    #[schemars(length(min = 1, max = 255))]
    pub image: Option<String>,
    /// The command. An empty list is the job's own.
    pub command: Option<Vec<String>>,
    /// Variables beside the job's own; of one name, these.
    #[serde(default, deserialize_with = "object::many")]
    #[schemars(!default)]
    pub environment: Option<Vec<NameValue>>,
    /// What it needs otherwise than the job. A GPU value of `0` is none.
    #[serde(default, deserialize_with = "object::many")]
    #[schemars(!default)]
    pub resource_requirements: Option<Vec<ResourceRequirement>>,
    /// The architecture its image is for.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub runtime_platform: Option<RuntimePlatform>,
    /// The same, where it may be `any`.
    pub architecture: Option<ArchRule>,
    /// The kinds of GPU it accepts. Unsaid, the job's, if it asks for a GPU.
    pub gpu_kinds: Option<Vec<GpuKind>>,
    /// How long it will probably run, in seconds. Unsaid, what the job says.
    #[schemars(range(min = 1))]
    pub expected_duration_seconds: Option<i64>,
}
