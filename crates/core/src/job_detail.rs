//! A job as AWS Batch's API shows it: `JobDetail` of what became of it, and under `spillway` what Batch has no word for. The one
//! place that says which of our facts is which of Batch's words. Pure. Variables and secrets of a job are not in it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::attempt::Attempt;
use crate::dependency::DependencyKind;
use crate::job::{Job, JobSpec, JobState};

/// AWS Batch's `JobDetail`. Names are names, where Batch has ARNs; keys that have no value are left out.
pub fn job_detail(job: &Job) -> Value {
    let spec: &JobSpec = &job.spec;
    let live = job.state.live_attempt();
    let last = job.attempts.last();
    let started_at = match &job.state {
        JobState::Running { started_at, .. } => Some(*started_at),
        JobState::Succeeded { .. } | JobState::Failed { .. } => last.and_then(|a| a.started_at),
        JobState::Submitted
        | JobState::Pending
        | JobState::Runnable { .. }
        | JobState::Starting { .. } => None,
    };
    let definition = spec.definition.as_ref().map(|name| match spec.definition_revision {
        Some(revision) => format!("{name}:{revision}"),
        None => name.to_string(),
    });
    let task = live.map(|live| &live.task).or(last.map(|last| &last.task));
    let array = spec.array.map(|array| {
        let size = array.indexes.size;
        job.id.index().map_or_else(|| json!({ "size": size }), |index| json!({ "index": index }))
    });
    let node = job.id.node_index().map(|node| {
        let is_main = spec.gang.as_ref().is_some_and(|gang| gang.main == node);
        json!({ "nodeIndex": node, "isMainNode": is_main })
    });
    without_nothing(json!({
        "jobId": job.id,
        "jobName": spec.name,
        "jobQueue": spec.queue,
        "status": job.state.status(),
        "statusReason": job.reason(),
        "createdAt": job.created_at.as_millisecond(),
        "startedAt": started_at.map(Timestamp::as_millisecond),
        "stoppedAt": job.state.ended_at().map(Timestamp::as_millisecond),
        "attempts": job.attempts.iter().map(attempt).collect::<Vec<Value>>(),
        "jobDefinition": definition,
        "retryStrategy": {"attempts": spec.attempts},
        "timeout": spec.attempt_timeout.map(|time| json!({"attemptDurationSeconds": time.as_secs()})),
        "dependsOn": spec.depends_on.iter().map(|on| json!({
            "jobId": on.job,
            "type": (on.kind == DependencyKind::NToN).then_some("N_TO_N"),
        })).collect::<Vec<Value>>(),
        "arrayProperties": array,
        "nodeDetails": node,
        "container": {
            "image": spec.container.image,
            "command": spec.container.command,
            "jobRoleArn": spec.container.job_role_arn,
            "exitCode": last.and_then(|last| last.exit_code),
            "reason": last.and_then(|last| last.container_reason.as_deref()),
            "taskArn": task.and_then(Option::as_ref),
            "resourceRequirements": requirements(spec),
        },
        "tags": spec.tags,
        "propagateTags": spec.propagate_tags,
        "spillway": {
            "costUsd": job.cost().as_usd_f64(),
            "attempt": live.map(|live| live.ord.get()),
        },
    }))
}

fn requirements(spec: &JobSpec) -> Vec<Value> {
    let need = &spec.resources;
    let all = [
        ("VCPU", Some(need.cpu.to_string())),
        ("MEMORY", Some(need.memory.get().to_string())),
        ("GPU", (0 < need.gpus).then(|| need.gpus.to_string())),
    ];
    let requirement = |(kind, value): (&str, Option<String>)| {
        value.map(|value| json!({"type": kind, "value": value}))
    };
    all.into_iter().filter_map(requirement).collect()
}

fn attempt(attempt: &Attempt) -> Value {
    json!({
        "startedAt": attempt.started_at.map(Timestamp::as_millisecond),
        "stoppedAt": attempt.stopped_at.as_millisecond(),
        "statusReason": attempt.reason,
        "container": {
            "exitCode": attempt.exit_code,
            "reason": attempt.container_reason,
            "taskArn": attempt.task,
        },
        "spillway": {
            "attempt": attempt.ord.get(),
            "instanceId": attempt.instance,
            "instanceType": attempt.pool.instance_type,
            "availabilityZone": attempt.pool.zone,
            "market": attempt.pool.market,
            "failure": attempt.failure,
            "costUsd": attempt.cost.as_usd_f64(),
        },
    })
}

/// A detail without the keys that have no value.
fn without_nothing(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(key, value)| (key, without_nothing(value))).collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nothing).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}
