//! News of a job for others, in the shape of AWS Batch's event `Batch Job State Change` (user guide, "AWS Batch events for Amazon
//! EventBridge"). Pure: who is told, and when, is said elsewhere. Variables and secrets of a job are in no event.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::attempt::Attempt;
use crate::dependency::DependencyKind;
use crate::job::{Job, JobSpec, JobState};

/// Fixed for ever: it makes the ids of events.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c1f_5a52_9b0e_5f0c_8a53_2d3e_7f41_90b7);

/// What the event says its source is.
pub const SOURCE: &str = "spillway";

/// The event that a job has come to its state. `version` grows with every change of a job: a reader drops what is older than
/// what it knows. The same version is the same event, with the same id.
pub fn job_event(job: &Job, version: u64, at: Timestamp) -> Value {
    let id = Uuid::new_v5(&NAMESPACE, format!("{}\n{version}", job.id).as_bytes());
    json!({
        "version": "0",
        "id": id.to_string(),
        "detail-type": "Batch Job State Change",
        "source": SOURCE,
        "account": "",
        "time": at.to_string(),
        "region": "",
        "resources": [job.id],
        "detail": without_nothing(detail(job, version)),
    })
}

/// AWS Batch's `JobDetail`, and under `spillway` what it has no word for.
fn detail(job: &Job, version: u64) -> Value {
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
    json!({
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
            "version": version,
            "costUsd": job.cost().as_usd_f64(),
            "attempt": live.map(|live| live.ord.get()),
        },
    })
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::id::JobId;
    use crate::job::{BodyHash, ContainerSpec};
    use crate::quantity::{CpuUnits, MiB, Resources};

    fn job(state: JobState) -> Job {
        let container = ContainerSpec {
            environment: vec![("SECRET".into(), "hidden".into())],
            ..ContainerSpec::new("busybox")
        };
        let resources = Resources::new(CpuUnits::from_vcpus(1), MiB::new(512), 0);
        let (name, queue) = ("align".parse().unwrap(), "q".parse().unwrap());
        let spec = JobSpec::new(name, queue, container, resources);
        Job {
            id: JobId::derive(&spec.queue, "t"),
            spec: Arc::new(spec),
            body_hash: BodyHash(1),
            created_at: Timestamp::UNIX_EPOCH,
            seq: 1,
            state,
            attempts: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn an_event_has_the_shape_that_readers_of_batchs_know() {
        let event = job_event(
            &job(JobState::Failed {
                at: at(90),
                reason: "Host EC2 (instance i-1) terminated.".into(),
            }),
            7,
            at(91),
        );

        assert_eq!(event["detail-type"], "Batch Job State Change");
        assert_eq!(
            (&event["source"], &event["time"]),
            (&json!("spillway"), &json!("1970-01-01T00:01:31Z"))
        );
        let detail = &event["detail"];
        assert_eq!((&detail["jobName"], &detail["jobQueue"]), (&json!("align"), &json!("q")));
        assert_eq!(detail["status"], "FAILED");
        assert_eq!(detail["statusReason"], "Host EC2 (instance i-1) terminated.");
        assert_eq!((&detail["createdAt"], &detail["stoppedAt"]), (&json!(0), &json!(90_000)));
        assert_eq!(detail["spillway"]["version"], 7);
        assert_eq!(detail["container"]["resourceRequirements"][1]["value"], "512");
    }

    #[test]
    fn the_same_version_is_the_same_event_and_variables_are_in_none() {
        let runnable = job(JobState::Runnable { since: at(0) });
        let event = |version| job_event(&runnable, version, at(1));

        assert_eq!(event(1)["id"], event(1)["id"]);
        assert_ne!(event(1)["id"], event(2)["id"]);
        assert!(!event(1).to_string().contains("hidden"));
        assert_eq!(event(1)["detail"].get("stoppedAt"), None);
    }
}
