//! The message as it is written: types that say which keys there are, what they mean and which values they take. The JSON
//! schema is made from them. They hold no rule that a schema cannot say; those are in `read`.
//!
//! Every field is an `Option`, because tools write `null` for what they leave out; the schema says which are required.

mod container;
mod ecs;
mod nodes;
mod object;
mod relations;
mod schedule;
mod scheduling;
mod storage;
mod variant;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use container::{
    ContainerOverrides, ContainerProperties, CpuArchitecture, Device, DevicePermission,
    LinuxParameters, LogConfiguration, LogDriver, NameValue, ResourceRequirement, ResourceType,
    RuntimePlatform, Tmpfs, Ulimit,
};
pub use ecs::{
    DependencyCondition, EcsProperties, EcsPropertiesOverride, EcsTaskProperties,
    FirelensConfiguration, IpcMode, LogRouter, PidMode, TaskContainerDependency,
    TaskContainerOverrides, TaskContainerProperties, TaskPropertiesOverride,
};
pub use storage::{
    EfsAuthorization, EfsVolume, HostVolume, MountPoint, RepositoryCredentials, Secret, Switch,
    Volume,
};

pub use nodes::{NodeOverrides, NodeProperties, NodePropertyOverride, NodeRangeProperty};
pub use scheduling::{
    ApproveAction, ApproveOrder, ApproveSpillway, ConsumableResource, ConsumableResourceProperties,
    PauseAction, PauseOrder, PauseSpillway, ResetAction, ResetOrder, ResetSpillway,
};

pub use relations::{
    ArrayProperties, Coalesce, DependencyType, IndexRange, JobDependency, SpillwayArray,
};
pub use schedule::{
    ChangeSchedule, ChangeScheduleSpillway, CreateSchedule, CreateScheduleAction,
    CreateScheduleSpillway, MissedRule, ScheduleAction,
};

pub use variant::JobVariant;

use crate::gpu::GpuKind;
use crate::market::{ArchRule, MarketRule};

/// A job to run: AWS Batch's `SubmitJob`, with the job definition in the message itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubmitJob {
    /// The job's name, for people. Not unique. 1 to 128 letters, digits, hyphens and underscores, the first a letter or digit.
    #[schemars(required, regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"))]
    pub job_name: Option<String>,
    /// The queue: its name, or the ARN of a Batch job queue, of which the name is taken. The dispatcher must serve it.
    #[schemars(required)]
    pub job_queue: Option<String>,
    /// What to run: the object that `RegisterJobDefinition` takes; or a registered definition by `name` (its newest active
    /// revision), `name:revision`, or the ARN of either.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default, required, schema_with = "definition_or_name")]
    pub job_definition: Option<JobDefinition>,
    /// What this job does otherwise than its definition says.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub container_overrides: Option<ContainerOverrides>,
    /// The same for a definition of several containers.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub ecs_properties_override: Option<EcsPropertiesOverride>,
    /// What a multi-node job does otherwise than its definition says.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub node_overrides: Option<NodeOverrides>,
    /// Values for the `Ref::name` placeholders in the command. They win over the definition's.
    pub parameters: Option<BTreeMap<String, String>>,
    /// Makes it an array job.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub array_properties: Option<ArrayProperties>,
    /// Jobs that must have succeeded before this one may run. As many as fit into the message.
    #[serde(default, deserialize_with = "object::many")]
    #[schemars(!default)]
    pub depends_on: Option<Vec<JobDependency>>,
    /// How often to try. Replaces the definition's.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub retry_strategy: Option<RetryStrategy>,
    /// How long one attempt may run. Replaces the definition's.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub timeout: Option<JobTimeout>,
    /// Tags of the job. They win over the definition's; at most 50 together.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether the ECS task carries the tags too. Replaces the definition's.
    pub propagate_tags: Option<bool>,
    /// The share of the queue that the job belongs to: 1 to 255 letters, digits, hyphens and underscores. Unsaid, `default`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{0,255}$"))]
    pub share_identifier: Option<String>,
    /// Among the jobs of its share those of a higher priority go first; 0 to 9999. Replaces the definition's.
    #[schemars(range(min = 0, max = 9999))]
    pub scheduling_priority_override: Option<i64>,
    /// What it takes of the consumable resources that the dispatcher's configuration names. Replaces the definition's.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub consumable_resource_properties_override: Option<ConsumableResourceProperties>,
    /// What Spillway adds to AWS Batch.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub spillway: Option<Spillway>,
}

/// AWS Batch's `RegisterJobDefinition`, in the message itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDefinition {
    /// The definition's name. Jobs of one definition are taken to run about equally long, so that the time that earlier ones
    /// took helps to plan later ones.
    pub job_definition_name: Option<String>,
    /// The kind of job: `container`, or `multinode` with `nodeProperties`.
    #[serde(rename = "type")]
    pub kind: Option<JobDefinitionType>,
    /// The container to run. Either this or `ecsProperties`; of a multi-node job `nodeProperties` say it.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub container_properties: Option<ContainerProperties>,
    /// Several containers to run together. Either this or `containerProperties`.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub ecs_properties: Option<EcsProperties>,
    /// Makes it a multi-node job.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub node_properties: Option<NodeProperties>,
    /// Defaults for the `Ref::name` placeholders in the command.
    pub parameters: Option<BTreeMap<String, String>>,
    /// How often to try.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub retry_strategy: Option<RetryStrategy>,
    /// How long one attempt may run.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub timeout: Option<JobTimeout>,
    /// Tags of every job of this definition.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether the ECS task carries the tags too.
    pub propagate_tags: Option<bool>,
    /// Among the jobs of its share those of a higher priority go first; 0 to 9999. Unsaid, 0.
    #[schemars(range(min = 0, max = 9999))]
    pub scheduling_priority: Option<i64>,
    /// What it takes of the consumable resources that the dispatcher's configuration names.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub consumable_resource_properties: Option<ConsumableResourceProperties>,
    /// Where the job may run. Only `EC2` is known.
    pub platform_capabilities: Option<Vec<PlatformCapability>>,
    /// Defaults for the `spillway` of its jobs. In a message that registers it, `action` and `clientToken` are the message's.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub spillway: Option<Spillway>,
}

/// A job's definition: itself, or what it is registered under.
fn definition_or_name(generator: &mut SchemaGenerator) -> Schema {
    let definition = generator.subschema_for::<JobDefinition>();
    json_schema!({ "anyOf": [definition, { "type": "string", "minLength": 1 }] })
}

/// The kind of a job definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobDefinitionType {
    /// Its containers run on one host.
    Container,
    /// Many nodes together.
    Multinode,
}

/// AWS Batch's platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PlatformCapability {
    /// EC2 instances.
    Ec2,
    /// Fargate. Refused.
    #[schemars(skip)]
    Fargate,
    /// ECS Managed Instances. Refused.
    #[schemars(skip)]
    #[serde(rename = "MANAGED_INSTANCES")]
    ManagedInstances,
}

/// How often to try.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryStrategy {
    /// How many attempts may fail through the job's own fault, 1 to 10. Unsaid, 1. Attempts that fail through the
    /// infrastructure are not counted.
    #[schemars(range(min = 1, max = 10))]
    pub attempts: Option<i64>,
    /// Up to five rules that say whether a failed attempt is followed by another; the first that matches decides. If none
    /// does, the job is tried again. Needs `attempts`.
    #[serde(default, deserialize_with = "object::many")]
    #[schemars(!default, length(max = 5))]
    pub evaluate_on_exit: Option<Vec<EvaluateOnExit>>,
}

/// A rule that matches a failed attempt which meets all the conditions it gives, at least one. An empty pattern gives none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvaluateOnExit {
    /// The task's `statusReason` (`Host EC2*`): letters, digits, periods, colons and white space, exact in case; a `*` at the
    /// end matches any rest.
    #[schemars(length(max = 512))]
    pub on_status_reason: Option<String>,
    /// The container's `reason` (`CannotPullContainerError:*`), in the same way. One without a reason has the empty one, which
    /// `*` matches.
    #[schemars(length(max = 512))]
    pub on_reason: Option<String>,
    /// The exit code in decimal (`137`, `1*`).
    #[schemars(regex(pattern = r"^[0-9]*[*]?$"), length(max = 512))]
    pub on_exit_code: Option<String>,
    /// `RETRY` or `EXIT`, in any case.
    #[schemars(required, regex(pattern = r"^([Rr][Ee][Tt][Rr][Yy]|[Ee][Xx][Ii][Tt])$"))]
    pub action: Option<String>,
}

/// A rule as in `retryStrategy.evaluateOnExit`, which may also ask whose fault the failure was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvaluateFailure {
    /// One of these: `spot` (EC2 took the host back), `host` (it went away or was unfit), `pull` (the image could not be
    /// pulled, or not in time), `oom` (out of memory), `timeout` (the attempt's own), `exit` (any other exit code than 0),
    /// `unknown` (nobody saw how it ended).
    pub on_failure: Option<Vec<FailureCause>>,
    /// See `retryStrategy.evaluateOnExit`.
    #[schemars(length(max = 512))]
    pub on_status_reason: Option<String>,
    /// See `retryStrategy.evaluateOnExit`.
    #[schemars(length(max = 512))]
    pub on_reason: Option<String>,
    /// See `retryStrategy.evaluateOnExit`.
    #[schemars(regex(pattern = r"^[0-9]*[*]?$"), length(max = 512))]
    pub on_exit_code: Option<String>,
    /// `RETRY` or `EXIT`, in any case.
    #[schemars(required, regex(pattern = r"^([Rr][Ee][Tt][Rr][Yy]|[Ee][Xx][Ii][Tt])$"))]
    pub action: Option<String>,
}

/// Whose fault a failure was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailureCause {
    /// EC2 took a Spot host back.
    Spot,
    /// The host went away or was unfit.
    Host,
    /// The image could not be pulled, or not in time.
    Pull,
    /// The container ran out of memory.
    Oom,
    /// The attempt ran longer than it may. Only a rule that names this lets such a job be tried again.
    Timeout,
    /// The container ended with another exit code than 0.
    Exit,
    /// Nobody saw how it ended.
    Unknown,
}

/// More memory for an attempt after one that ran out of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GrowMemory {
    /// How much more each time, in percent of the last attempt's; 1 to 1000.
    #[schemars(required, range(min = 1, max = 1000))]
    pub percent: Option<i64>,
    /// Never more than this, in whole MiB as a string; at least what the job asks for at first.
    #[schemars(required, regex(pattern = r"^[0-9]+$"))]
    pub max_memory: Option<String>,
}

/// How long one attempt may run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobTimeout {
    /// Seconds from the attempt's `startedAt`, at least 60. An attempt that takes longer is stopped, and the job is FAILED
    /// without another try.
    #[schemars(range(min = 60))]
    pub attempt_duration_seconds: Option<i64>,
}

/// What Spillway adds to AWS Batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spillway {
    /// The version of this format: 1, which is also what is meant without it.
    #[schemars(range(min = 1, max = 1))]
    pub version: Option<i64>,
    /// What the message asks for; `SubmitJob` is also what is meant without it.
    pub action: Option<SubmitAction>,
    /// Makes sending idempotent: of all messages for one queue with the same token the first is the job. The job's id is a
    /// `UUIDv5` of queue and token, so the sender knows it beforehand. 1 to 128 characters; without it, the SQS message id.
    #[schemars(length(min = 1, max = 128))]
    pub client_token: Option<String>,
    /// Which market the job's host may be bought in. Unsaid, `any`: whatever is cheapest; for a multi-node job `on-demand`,
    /// because one lost host takes the work of all nodes.
    pub market: Option<MarketRule>,
    /// Which architecture the image is for. Unsaid, that of `runtimePlatform.cpuArchitecture`, else `x86_64`.
    pub architecture: Option<ArchRule>,
    /// The kinds of GPU the job accepts, by EC2's names. Unsaid, or an empty list: whichever is cheapest. Only with a GPU in
    /// `resourceRequirements`.
    pub gpu_kinds: Option<Vec<GpuKind>>,
    /// How long the job will probably run, in seconds. It helps to plan; nothing happens if it is wrong.
    #[schemars(range(min = 1))]
    pub expected_duration_seconds: Option<i64>,
    /// How long the job may wait to be run cheaply, in seconds. Unsaid, what the dispatcher's configuration says of the queue.
    #[schemars(range(min = 0))]
    pub patience_seconds: Option<i64>,
    /// When the job should have ended, as RFC 3339 has it (`2026-01-31T18:00:00Z`). Until it must start for that, it may wait to
    /// be run cheaply. Nothing happens if it is missed.
    #[schemars(extend("format" = "date-time"))]
    pub deadline: Option<String>,
    /// Which indexes the children of an array have, and how many run at once.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub array: Option<SpillwayArray>,
    /// Lets children of an array share ECS tasks, for jobs so short that starting a task for each takes longest. Unsaid, each has
    /// a task of its own.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub coalesce: Option<Coalesce>,
    /// Ids of jobs that must have ended, well or not, before this one may run.
    pub after_any: Option<Vec<String>>,
    /// Ids of jobs that must have failed before this one may run. If one of them succeeds, this one never will.
    pub after_not_ok: Option<Vec<String>>,
    /// How long the job may take altogether, from its acceptance, in seconds; at least 60. Then it is FAILED, wherever it is.
    #[schemars(range(min = 60))]
    pub job_timeout_seconds: Option<i64>,
    /// How long the job may wait in line at a time (RUNNABLE), in seconds. Then it is FAILED.
    #[schemars(range(min = 1))]
    pub queue_timeout_seconds: Option<i64>,
    /// How long an attempt may take from its placement on a host to RUNNING, in seconds, at least 60; pulling the image is
    /// part of it. Then it is stopped and tried again elsewhere at no charge, a few times. Unsaid, what the dispatcher's
    /// configuration says.
    #[schemars(range(min = 60))]
    pub start_timeout_seconds: Option<i64>,
    /// How long a container has between SIGTERM and SIGKILL, in seconds. Unsaid, 30. A Spot host that is reclaimed leaves it
    /// two minutes at most.
    #[schemars(range(min = 2, max = 3600))]
    pub stop_timeout_seconds: Option<i64>,
    /// Up to 20 more rules, asked before those of `retryStrategy.evaluateOnExit`.
    #[serde(default, deserialize_with = "object::many")]
    #[schemars(!default, length(max = 20))]
    pub evaluate_on_exit: Option<Vec<EvaluateFailure>>,
    /// Whether an attempt after one that ran out of memory gets more of it. Such an attempt uses up one of `attempts`.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub grow_memory: Option<GrowMemory>,
    /// Other ways to run the job, at most 8: each attempt is run as whichever is cheapest then, the job as it is written or one
    /// of these. For jobs of one container.
    #[serde(default, deserialize_with = "object::many")]
    #[schemars(!default, length(max = 8))]
    pub variants: Option<Vec<JobVariant>>,
}

/// What a message with a job asks for, by the name of AWS Batch's operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SubmitAction {
    /// Run it.
    SubmitJob,
    /// Register a job definition; also what is meant without it by a message with a `jobDefinitionName` and neither `jobName`
    /// nor `jobQueue`.
    RegisterJobDefinition,
}

/// What a message without a job asks for, by the name of AWS Batch's operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EndAction {
    /// End the job unless it has been given to a host. A STARTING or RUNNING one goes on.
    CancelJob,
    /// End the job wherever it is. A running container gets SIGTERM, then SIGKILL.
    TerminateJob,
}

/// An order to end a job: AWS Batch's `CancelJob` or `TerminateJob`, which of them says `spillway.action`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndJob {
    /// The job's id: a UUID, or of an array's child `<id of the array>:<index>`. An array stands for all its children.
    #[schemars(required)]
    pub job_id: Option<String>,
    /// Why, for the job's record. 1 to 1,024 characters.
    #[schemars(required, length(min = 1, max = 1024))]
    pub reason: Option<String>,
    /// Which order it is.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default, required)]
    pub spillway: Option<EndJobSpillway>,
}

/// Which order it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndJobSpillway {
    /// The version of this format: 1, which is also what is meant without it.
    #[schemars(range(min = 1, max = 1))]
    pub version: Option<i64>,
    /// `CancelJob` or `TerminateJob`.
    #[schemars(required)]
    pub action: Option<EndAction>,
    /// Only these children of the array.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default)]
    pub indexes: Option<IndexRange>,
}

/// AWS Batch's `DeregisterJobDefinition`: jobs may not name that revision any more. Jobs that have been accepted go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeregisterJobDefinition {
    /// Which: `name:revision`, or its ARN.
    #[schemars(required)]
    pub job_definition: Option<String>,
    /// That it is to be deregistered.
    #[serde(default, deserialize_with = "object::one")]
    #[schemars(!default, required)]
    pub spillway: Option<DeregisterSpillway>,
}

/// That a definition is to be deregistered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeregisterSpillway {
    /// The version of this format: 1, which is also what is meant without it.
    #[schemars(range(min = 1, max = 1))]
    pub version: Option<i64>,
    /// `DeregisterJobDefinition`.
    #[schemars(required)]
    pub action: Option<DeregisterAction>,
}

/// The name of AWS Batch's operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeregisterAction {
    /// Jobs may not name the revision any more.
    DeregisterJobDefinition,
}
