//! Writes messages, for those who send them: the same types that read them, so that what is written is what is read.

mod again;
mod storage;

use std::collections::BTreeMap;

pub use again::submit_again;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::limits;
use super::shape::{
    ApproveAction, ApproveOrder, ApproveSpillway, ArrayProperties, Coalesce, ConsumableResource,
    ConsumableResourceProperties, ContainerProperties, DependencyType, EndAction, EndJob,
    EndJobSpillway, IndexRange, JobDefinition, JobDefinitionType, JobDependency, JobTimeout,
    NameValue, PauseAction, PauseOrder, PauseSpillway, ResetAction, ResetOrder, ResetSpillway,
    ResourceRequirement, ResourceType, RetryStrategy, Spillway, SpillwayArray, SubmitJob,
};
use crate::array::{ArraySpec, Indexes};
use crate::breaker::BreakerId;
use crate::burst::BurstHash;
use crate::coalesce::CoalesceRule;
use crate::dependency::{Dependency, DependencyKind};
use crate::gpu::GpuKind;
use crate::id::{ConsumableName, JobName, QueueName};
use crate::market::{ArchRule, MarketRule};
use crate::quantity::Resources;
use crate::scheduling::{Pausable, Scheduling};
use crate::target::JobTarget;

/// A job of one container, as simple as most are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleJob {
    /// The job's name.
    pub name: JobName,
    /// The queue.
    pub queue: QueueName,
    /// The image.
    pub image: String,
    /// The command; empty means the image's own.
    pub command: Vec<String>,
    /// Environment variables, in order.
    pub environment: Vec<(String, String)>,
    /// What it needs.
    pub resources: Resources,
    /// Which architecture the image is for.
    pub arch: ArchRule,
    /// The kinds of GPU it accepts; none named is any.
    pub gpu_kinds: Vec<GpuKind>,
    /// Which market its host may be bought in.
    pub market: MarketRule,
    /// How many attempts may fail through the job's own fault, 1 to 10.
    pub attempts: Option<u8>,
    /// How long one attempt may run, at least 60 s; written in whole seconds.
    pub attempt_timeout: Option<SignedDuration>,
    /// How long it will probably run; written in whole seconds.
    pub expected_duration: Option<SignedDuration>,
    /// How long it may wait to be run cheaply; written in whole seconds.
    pub patience: Option<SignedDuration>,
    /// When it should have ended.
    pub deadline: Option<Timestamp>,
    /// Makes sending idempotent.
    pub client_token: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Which children it has, if it is an array.
    pub array: Option<ArraySpec>,
    /// The jobs it waits for.
    pub depends_on: Vec<Dependency>,
    /// Its place among others.
    pub scheduling: Scheduling,
}

/// What `arrayProperties.size` cannot say; an array of one child is too small for it.
fn array_of(array: ArraySpec) -> SpillwayArray {
    let Indexes { first, step, size } = array.indexes;
    SpillwayArray {
        first: (first != 0).then(|| i64::from(first)),
        last: (size < limits::ARRAY_SIZE_MIN).then(|| i64::from(array.indexes.last())),
        step: (step.get() != 1).then(|| i64::from(step.get())),
        max_concurrency: array.max_concurrency.map(|max| i64::from(max.get())),
    }
}

fn coalesce_of(rule: CoalesceRule) -> Coalesce {
    let CoalesceRule { size, parallel } = rule;
    Coalesce { size: Some(size.get().into()), parallel: Some(parallel.get().into()) }
}

fn ids_of(depends_on: &[Dependency], kind: DependencyKind) -> Vec<String> {
    let such = depends_on.iter().filter(|dependency| dependency.kind == kind);
    such.map(|dependency| dependency.job.to_string()).collect()
}

fn dependencies_of(depends_on: &[Dependency], array: Option<ArraySpec>) -> Vec<JobDependency> {
    let on = |id: String, kind| JobDependency { job_id: Some(id), kind };
    let after_ok = ids_of(depends_on, DependencyKind::AfterOk).into_iter().map(|id| on(id, None));
    let n_to_n = ids_of(depends_on, DependencyKind::NToN).into_iter();
    let n_to_n = n_to_n.map(|id| on(id, Some(DependencyType::NToN)));
    let is_sequential = array.is_some_and(|array| array.sequential);
    let sequential = is_sequential
        .then_some(JobDependency { job_id: None, kind: Some(DependencyType::Sequential) });
    after_ok.chain(n_to_n).chain(sequential).collect()
}

fn requirements(resources: &Resources) -> Vec<ResourceRequirement> {
    let requirement =
        |kind, value: String| ResourceRequirement { kind: Some(kind), value: Some(value) };
    let Resources { cpu, memory, gpus } = resources;
    let mut requirements = vec![
        requirement(ResourceType::Vcpu, cpu.to_string()),
        requirement(ResourceType::Memory, memory.get().to_string()),
    ];
    if 0 < *gpus {
        requirements.push(requirement(ResourceType::Gpu, gpus.to_string()));
    }
    requirements
}

fn consumed(consumes: &BTreeMap<ConsumableName, u64>) -> ConsumableResourceProperties {
    let resource = |(name, quantity): (&ConsumableName, &u64)| ConsumableResource {
        consumable_resource: Some(name.as_str().to_owned()),
        quantity: Some(i64::try_from(*quantity).unwrap_or(i64::MAX)),
    };
    ConsumableResourceProperties {
        consumable_resource_list: Some(consumes.iter().map(resource).collect()),
    }
}

/// The message that submits a job. Nothing is checked here: [`super::parse`] says whether it is one.
pub fn submit(job: &SimpleJob) -> Value {
    let variable = |(name, value): &(String, String)| NameValue {
        name: Some(name.clone()),
        value: Some(value.clone()),
    };
    let container = ContainerProperties {
        image: Some(job.image.clone()),
        command: Some(job.command.clone()),
        environment: Some(job.environment.iter().map(variable).collect()),
        resource_requirements: Some(requirements(&job.resources)),
        ..ContainerProperties::default()
    };
    let scheduling = &job.scheduling;
    let message = SubmitJob {
        job_name: Some(job.name.as_str().to_owned()),
        job_queue: Some(job.queue.as_str().to_owned()),
        job_definition: Some(JobDefinition {
            kind: Some(JobDefinitionType::Container),
            container_properties: Some(container),
            ..JobDefinition::default()
        }),
        retry_strategy: job
            .attempts
            .map(|n| RetryStrategy { attempts: Some(i64::from(n)), ..RetryStrategy::default() }),
        timeout: job
            .attempt_timeout
            .map(|time| JobTimeout { attempt_duration_seconds: Some(time.as_secs()) }),
        tags: Some(job.tags.clone()),
        array_properties: job
            .array
            .map(|array| ArrayProperties { size: Some(i64::from(array.indexes.size)) }),
        depends_on: Some(dependencies_of(&job.depends_on, job.array)),
        share_identifier: scheduling.share.as_ref().map(|share| share.as_str().to_owned()),
        scheduling_priority_override: (scheduling.priority != 0)
            .then(|| i64::from(scheduling.priority)),
        consumable_resource_properties_override: Some(consumed(&scheduling.consumes)),
        spillway: Some(Spillway {
            version: Some(1),
            action: None,
            client_token: job.client_token.clone(),
            market: Some(job.market),
            architecture: Some(job.arch),
            gpu_kinds: Some(job.gpu_kinds.clone()),
            expected_duration_seconds: job.expected_duration.map(|time| time.as_secs()),
            patience_seconds: job.patience.map(|time| time.as_secs()),
            deadline: job.deadline.map(|at| at.to_string()),
            array: job.array.map(array_of),
            after_any: Some(ids_of(&job.depends_on, DependencyKind::AfterAny)),
            after_not_ok: Some(ids_of(&job.depends_on, DependencyKind::AfterNotOk)),
            ..Spillway::default()
        }),
        ..SubmitJob::default()
    };
    written(&message)
}

/// How a job is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// `CancelJob`: unless it has been given to a host.
    Cancel,
    /// `TerminateJob`: wherever it is.
    Terminate,
}

/// The message that ends a job. `reason`, 1 to 1,024 characters, is kept on the job.
pub fn end_job(ending: Ending, target: JobTarget, reason: &str) -> Value {
    let action = match ending {
        Ending::Cancel => EndAction::CancelJob,
        Ending::Terminate => EndAction::TerminateJob,
    };
    let range = |indexes: Indexes| IndexRange {
        first: Some(i64::from(indexes.first)),
        last: Some(i64::from(indexes.last())),
        step: Some(i64::from(indexes.step.get())),
    };
    written(&EndJob {
        job_id: Some(target.job.to_string()),
        reason: Some(reason.to_owned()),
        spillway: Some(EndJobSpillway {
            version: Some(1),
            action: Some(action),
            indexes: target.indexes.map(range),
        }),
    })
}

/// The message that pauses or resumes something.
pub fn pause(target: &Pausable, is_paused: bool) -> Value {
    let (action, job_queue, pool) = match (target, is_paused) {
        (Pausable::Queue(queue), true) => (PauseAction::PauseQueue, Some(queue.as_str()), None),
        (Pausable::Queue(queue), false) => (PauseAction::ResumeQueue, Some(queue.as_str()), None),
        (Pausable::Pool(pool), true) => (PauseAction::PausePool, None, Some(pool.as_str())),
        (Pausable::Pool(pool), false) => (PauseAction::ResumePool, None, Some(pool.as_str())),
    };
    let spillway =
        PauseSpillway { version: Some(1), action: Some(action), pool: pool.map(str::to_owned) };
    written(&PauseOrder { job_queue: job_queue.map(str::to_owned), spillway: Some(spillway) })
}

/// The message that closes a breaker.
pub fn reset_breaker(target: &BreakerId) -> Value {
    let spillway = ResetSpillway {
        version: Some(1),
        action: Some(ResetAction::ResetBreaker),
        kind: Some(target.kind.to_string()),
        subject: Some(target.subject.clone()),
    };
    written(&ResetOrder { spillway: Some(spillway) })
}

/// The message that approves a burst.
pub fn approve_burst(hash: BurstHash) -> Value {
    let spillway = ApproveSpillway {
        version: Some(1),
        action: Some(ApproveAction::ApproveBurst),
        hash: Some(hash.to_string()),
    };
    written(&ApproveOrder { spillway: Some(spillway) })
}

/// The value of a message without what says nothing.
fn written(message: &impl Serialize) -> Value {
    let value = serde_json::to_value(message);
    debug_assert!(value.is_ok(), "all keys of a message are strings");
    without_nothing(value.unwrap_or_default())
}

fn without_nothing(value: Value) -> Value {
    let says_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    };
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().map(|(key, value)| (key, without_nothing(value)));
            Value::Object(kept.filter(|(_, value)| !says_nothing(value)).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nothing).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
