//! The message that asks once more for what a job was asked for. It must ask for all of it: every part of a job is named here,
//! so that a new one cannot be forgotten.

mod container;
mod nodes;
mod task;
mod variant;

use jiff::SignedDuration;
use serde_json::Value;

use super::super::limits;
use super::super::shape::{
    ArrayProperties, EvaluateFailure, EvaluateOnExit, FailureCause, GrowMemory, JobDefinition,
    JobDefinitionType, JobTimeout, RetryStrategy, Spillway, SubmitJob,
};
use super::super::write::{array_of, coalesce_of, consumed, dependencies_of, ids_of, written};
use crate::dependency::DependencyKind;
use crate::job::{FailureCategory, JobSpec, TimeLimits};
use crate::market::{Arch, ArchRule};
use crate::retry::{RetryAction, RetryRule};
use crate::scheduling::Scheduling;

/// The message that asks for the same job, under a token. Its definition is in it, so that it does not matter what has been
/// registered since.
pub fn submit_again(spec: &JobSpec, client_token: Option<&str>) -> Value {
    let JobSpec {
        name,
        queue,
        definition: _,
        definition_revision: _,
        container: _,
        task,
        resources,
        arch,
        gpu_kinds,
        market,
        attempts,
        retry_rules,
        memory_growth,
        attempt_timeout,
        time_limits,
        expected_duration,
        patience,
        deadline,
        tags,
        propagate_tags,
        array,
        coalesce,
        depends_on,
        gang,
        scheduling,
        variants,
    } = spec;
    let gang = gang.as_deref();
    let unsaid = Scheduling::default();
    let Scheduling { share, priority, consumes } = scheduling.as_deref().unwrap_or(&unsaid);
    let TimeLimits { job: job_limit, queue: queue_limit, start, stop } = time_limits;
    let (ours, of_batch) = split(retry_rules);
    let secs = |span: &Option<SignedDuration>| span.map(|span| span.as_secs());
    let has_size = |size: &u32| limits::ARRAY_SIZE_MIN <= *size;
    let mut message = written(&SubmitJob {
        job_name: Some(name.to_string()),
        job_queue: Some(queue.to_string()),
        job_definition: Some(definition_of(spec)),
        container_overrides: None,
        ecs_properties_override: None,
        node_overrides: None,
        parameters: None,
        array_properties: array
            .map(|array| array.indexes.size)
            .filter(has_size)
            .map(|size| ArrayProperties { size: Some(i64::from(size)) }),
        depends_on: Some(dependencies_of(depends_on, *array)),
        retry_strategy: Some(RetryStrategy {
            attempts: Some(i64::from(*attempts)),
            evaluate_on_exit: Some(of_batch.iter().map(batch_rule).collect()),
        }),
        timeout: attempt_timeout
            .map(|time| JobTimeout { attempt_duration_seconds: Some(time.as_secs()) }),
        tags: Some(tags.clone()),
        propagate_tags: Some(*propagate_tags),
        share_identifier: share.as_ref().map(|share| share.as_str().to_owned()),
        scheduling_priority_override: (*priority != 0).then(|| i64::from(*priority)),
        consumable_resource_properties_override: Some(consumed(consumes)),
        spillway: Some(Spillway {
            version: Some(1),
            action: None,
            client_token: client_token.map(str::to_owned),
            market: Some(*market),
            architecture: gang.map_or_else(|| Some(arch_rule(*arch)), nodes::arch),
            gpu_kinds: gang
                .map_or_else(|| (!gpu_kinds.is_any()).then(|| gpu_kinds.named()), nodes::gpu_kinds),
            expected_duration_seconds: secs(expected_duration),
            patience_seconds: secs(patience),
            deadline: deadline.map(|at| at.to_string()),
            array: array.map(array_of),
            coalesce: coalesce.map(coalesce_of),
            after_any: Some(ids_of(depends_on, DependencyKind::AfterAny)),
            after_not_ok: Some(ids_of(depends_on, DependencyKind::AfterNotOk)),
            job_timeout_seconds: secs(job_limit),
            queue_timeout_seconds: secs(queue_limit),
            start_timeout_seconds: secs(start),
            // Of several containers each says its own, of which the job's is made.
            stop_timeout_seconds: secs(stop).filter(|_| task.is_none()),
            evaluate_on_exit: Some(ours.iter().map(own_rule).collect()),
            grow_memory: memory_growth.map(|growth| GrowMemory {
                percent: Some(i64::from(growth.percent)),
                max_memory: Some(growth.max.get().to_string()),
            }),
            // Written below: in them an empty list says something.
            variants: None,
        }),
    });
    if let Some(variants) = variants {
        let all = variants.listed().iter().map(|own| variant::written(own, resources));
        message["spillway"]["variants"] = all.collect();
    }
    message
}

fn definition_of(spec: &JobSpec) -> JobDefinition {
    let JobSpec { definition, container, task, resources, gang, .. } = spec;
    let gang = gang.as_deref();
    JobDefinition {
        job_definition_name: definition.as_ref().map(ToString::to_string),
        kind: Some(match gang {
            Some(_) => JobDefinitionType::Multinode,
            None => JobDefinitionType::Container,
        }),
        container_properties: (task.is_none() && gang.is_none())
            .then(|| container::properties(container, resources)),
        ecs_properties: task.as_ref().map(|task| task::properties(task, spec)),
        node_properties: gang.map(nodes::properties),
        ..JobDefinition::default()
    }
}

const fn arch_rule(arch: Option<Arch>) -> ArchRule {
    match arch {
        None => ArchRule::Any,
        Some(Arch::X86_64) => ArchRule::X86_64,
        Some(Arch::Arm64) => ArchRule::Arm64,
    }
}

/// The rules as they may be written: as many of the last ones as AWS Batch takes, where it knows all that they ask, and those
/// before. They are asked in this order.
fn split(rules: &[RetryRule]) -> (&[RetryRule], &[RetryRule]) {
    let is_of_batch = |rule: &&RetryRule| rule.on_failure.is_empty();
    let n = rules.iter().rev().take(limits::RETRY_RULES_MAX).take_while(is_of_batch).count();
    rules.split_at(rules.len().saturating_sub(n))
}

fn batch_rule(rule: &RetryRule) -> EvaluateOnExit {
    let EvaluateFailure { on_failure: _, on_status_reason, on_reason, on_exit_code, action } =
        own_rule(rule);
    EvaluateOnExit { on_status_reason, on_reason, on_exit_code, action }
}

fn own_rule(rule: &RetryRule) -> EvaluateFailure {
    let RetryRule { on_exit_code, on_reason, on_status_reason, on_failure, action } = rule;
    EvaluateFailure {
        on_failure: Some(on_failure.iter().filter_map(|failure| cause(*failure)).collect()),
        on_status_reason: on_status_reason.as_ref().map(ToString::to_string),
        on_reason: on_reason.as_ref().map(ToString::to_string),
        on_exit_code: on_exit_code.as_ref().map(ToString::to_string),
        action: Some(match action {
            RetryAction::Retry => "RETRY".to_owned(),
            RetryAction::Exit => "EXIT".to_owned(),
        }),
    }
}

/// None for those that no rule can ask for.
const fn cause(failure: FailureCategory) -> Option<FailureCause> {
    match failure {
        FailureCategory::Exit => Some(FailureCause::Exit),
        FailureCategory::Oom => Some(FailureCause::Oom),
        FailureCategory::Timeout => Some(FailureCause::Timeout),
        FailureCategory::Spot => Some(FailureCause::Spot),
        FailureCategory::Host => Some(FailureCause::Host),
        FailureCategory::Pull => Some(FailureCause::Pull),
        FailureCategory::Unknown => Some(FailureCause::Unknown),
        FailureCategory::Terminated | FailureCategory::Invalid | FailureCategory::Held => None,
    }
}
