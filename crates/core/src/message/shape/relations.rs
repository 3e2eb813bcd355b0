//! Arrays and dependencies as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An array job: one message, many children.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArrayProperties {
    /// How many children, with indexes from 0. AWS Batch stops at 10,000.
    #[schemars(range(min = 2, max = 1_000_000))]
    pub size: Option<i64>,
}

/// A job that this one waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDependency {
    /// The job, an array, or a child of an array (`<id of the array>:<index>`). It may be a job whose message has not arrived
    /// yet. Left out only with the type `SEQUENTIAL`.
    pub job_id: Option<String>,
    /// How to wait, where that is not for the success of the whole job.
    #[serde(rename = "type")]
    pub kind: Option<DependencyType>,
}

/// AWS Batch's types of dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DependencyType {
    /// Each child waits for the child with the same index of the other array.
    NToN,
    /// Without a `jobId`: each child of this array waits for the one before it.
    Sequential,
}

/// Which children an array has, and how many of them run at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpillwayArray {
    /// The index of the first child. Unsaid, 0.
    #[schemars(range(min = 0, max = 999_999_999))]
    pub first: Option<i64>,
    /// The last index there may be. Unsaid, `arrayProperties.size` says where the array ends.
    #[schemars(range(min = 0, max = 999_999_999))]
    pub last: Option<i64>,
    /// From one index to the next. Unsaid, 1.
    #[schemars(range(min = 1, max = 999_999_999))]
    pub step: Option<i64>,
    /// How many children may be on hosts at once. Unsaid, as many as there is room for.
    #[schemars(range(min = 1))]
    pub max_concurrency: Option<i64>,
}

/// Children of an array in few tasks. Not for arrays whose children run one by one, for several containers, for jobs without a
/// command or with another log driver than `awslogs`, and for jobs that take of consumable resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coalesce {
    /// How many children share an ECS task at most; 1 to 500.
    #[schemars(required, range(min = 1, max = 500))]
    pub size: Option<i64>,
    /// How many of them run side by side: the task has so many times what a child needs. Unsaid, 1: one after another.
    #[schemars(range(min = 1, max = 500))]
    pub parallel: Option<i64>,
}

/// Some children of an array.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IndexRange {
    /// The first index.
    #[schemars(required, range(min = 0, max = 999_999_999))]
    pub first: Option<i64>,
    /// The last index.
    #[schemars(required, range(min = 0, max = 999_999_999))]
    pub last: Option<i64>,
    /// From one index to the next. Unsaid, 1.
    #[schemars(range(min = 1, max = 999_999_999))]
    pub step: Option<i64>,
}
