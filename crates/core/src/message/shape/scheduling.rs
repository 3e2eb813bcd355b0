//! Consumable resources of a job, and orders about what is paused or left alone, as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::object;

/// What a job takes of things that there are only so many of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsumableResourceProperties {
    /// Each resource once.
    #[serde(default, deserialize_with = "object::many")]
    #[schemars(!default)]
    pub consumable_resource_list: Option<Vec<ConsumableResource>>,
}

/// How much it takes of one of them, from its placement on a host to the end of the attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConsumableResource {
    /// Its name, or the ARN of a Batch consumable resource, of which the name is taken.
    #[schemars(required)]
    pub consumable_resource: Option<String>,
    /// How much, at least 1.
    #[schemars(required, range(min = 1))]
    pub quantity: Option<i64>,
}

/// An order to pause or resume a job queue or a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PauseOrder {
    /// The job queue, for `PauseQueue` and `ResumeQueue`.
    pub job_queue: Option<String>,
    /// Which order it is.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default, required)]
    pub spillway: Option<PauseSpillway>,
}

/// Which order it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseSpillway {
    /// The version of this format: 1, which is also what is meant without it.
    #[schemars(range(min = 1, max = 1))]
    pub version: Option<i64>,
    /// Which of the four.
    #[schemars(required)]
    pub action: Option<PauseAction>,
    /// The pool, for `PausePool` and `ResumePool`.
    pub pool: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PauseAction {
    /// Nothing of the queue starts any more. What runs goes on, and new jobs are accepted.
    PauseQueue,
    /// Jobs of the queue start again.
    ResumeQueue,
    /// Nothing is started on the pool's hosts, and none is bought.
    PausePool,
    /// The pool is used again.
    ResumePool,
}

/// An order to close a breaker, as if its probe had succeeded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResetOrder {
    /// Which order it is.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default, required)]
    pub spillway: Option<ResetSpillway>,
}

/// Which breaker is meant. One that is not open stays closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResetSpillway {
    /// The version of this format: 1, which is also what is meant without it.
    #[schemars(range(min = 1, max = 1))]
    pub version: Option<i64>,
    /// `ResetBreaker`.
    #[schemars(required)]
    pub action: Option<ResetAction>,
    /// What it is about: `image`, `call`, `host`, `quota` or `spend`.
    #[schemars(required)]
    pub kind: Option<String>,
    /// Which of those, as `spillway breakers list` shows it.
    #[schemars(required, length(min = 1))]
    pub subject: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ResetAction {
    /// What was left alone is used again at once.
    ResetBreaker,
}

/// An order to buy what is held until somebody approves it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApproveOrder {
    /// Which order it is.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default, required)]
    pub spillway: Option<ApproveSpillway>,
}

/// Which burst is meant. One that is not held any more, or has become another, is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApproveSpillway {
    /// The version of this format: 1, which is also what is meant without it.
    #[schemars(range(min = 1, max = 1))]
    pub version: Option<i64>,
    /// `ApproveBurst`.
    #[schemars(required)]
    pub action: Option<ApproveAction>,
    /// What names it, as `spillway approve` shows it: eight hexadecimal digits.
    #[schemars(required, length(min = 8, max = 8))]
    pub hash: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApproveAction {
    /// What is held is bought, up to the price that was asked for.
    ApproveBurst,
}
