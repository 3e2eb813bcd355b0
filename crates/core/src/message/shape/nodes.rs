//! The multi-node part of the message: AWS Batch's `NodeProperties` and `NodeOverrides`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container::{ContainerOverrides, ContainerProperties};

/// The nodes of a multi-node job. Each runs on a host of its own; all start together or none does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeProperties {
    /// How many nodes there are, 1 to 1000.
    #[schemars(required, range(min = 1, max = 1000))]
    pub num_nodes: Option<i64>,
    /// The main node, which decides the job: its exit code is the job's, and when it ends all others are stopped.
    #[schemars(required, range(min = 0, max = 999))]
    pub main_node: Option<i64>,
    /// Ranges of nodes and what each node of them runs. Every node is in one; of two around a node the narrower is meant.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default, required, length(min = 1))]
    pub node_range_properties: Option<Vec<NodeRangeProperty>>,
}

/// What some nodes run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeRangeProperty {
    /// Which nodes: `0:3`, or with an open end `4:` or `:3`.
    #[schemars(required, regex(pattern = r"^([0-9]+|[0-9]*:[0-9]*)$"))]
    pub target_nodes: Option<String>,
    /// The container each of them runs.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default, required)]
    pub container: Option<ContainerProperties>,
}

/// What one multi-node job does otherwise than its definition says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeOverrides {
    /// Another number of nodes. Ranges of the definition with an open end go up to it.
    #[schemars(range(min = 1, max = 1000))]
    pub num_nodes: Option<i64>,
    /// What some nodes do otherwise. The ranges do not overlap.
    #[serde(default, deserialize_with = "super::object::many")]
    #[schemars(!default)]
    pub node_property_overrides: Option<Vec<NodePropertyOverride>>,
}

/// What some nodes do otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodePropertyOverride {
    /// Which nodes; see `nodeRangeProperties`.
    #[schemars(required, regex(pattern = r"^([0-9]+|[0-9]*:[0-9]*)$"))]
    pub target_nodes: Option<String>,
    /// What their containers do otherwise.
    #[serde(default, deserialize_with = "super::object::one")]
    #[schemars(!default)]
    pub container_overrides: Option<ContainerOverrides>,
}
