//! A message that is understood, and how a test changes it.

use serde_json::{Value, json};
use spillway_core::job::JobSpec;
use spillway_core::message::{self, Parsed, Rejection, Request};

/// A job with a little of everything.
pub(crate) fn full() -> Value {
    json!({
        "jobName": "align-0017",
        "jobQueue": "default",
        "jobDefinition": {
            "jobDefinitionName": "align",
            "type": "container",
            "containerProperties": {
                "image": "public.ecr.aws/docker/library/busybox:latest",
                "command": ["sh", "-c", "echo Ref::sample Ref::threads"],
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "resourceRequirements": [
                    {"type": "VCPU", "value": "0.5"},
                    {"type": "MEMORY", "value": "1024"},
                    {"type": "GPU", "value": "1"}
                ],
                "user": "nobody",
                "readonlyRootFilesystem": true,
                "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}],
                "linuxParameters": {"initProcessEnabled": true, "sharedMemorySize": 64},
                "jobRoleArn": "arn:aws:iam::123456789012:role/job",
                "executionRoleArn": "arn:aws:iam::123456789012:role/pull",
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/jobs"}},
                "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}
            },
            "parameters": {"sample": "none", "threads": "4"},
            "retryStrategy": {"attempts": 2},
            "timeout": {"attemptDurationSeconds": 60},
            "tags": {"team": "a", "kind": "align"},
            "propagateTags": true,
            "platformCapabilities": ["EC2"]
        },
        "containerOverrides": {
            "environment": [{"name": "B", "value": "3"}, {"name": "C"}],
            "resourceRequirements": [{"type": "VCPU", "value": "2"}]
        },
        "parameters": {"sample": "s17"},
        "retryStrategy": {"attempts": 3},
        "timeout": {"attemptDurationSeconds": 3600},
        "tags": {"team": "b"},
        "spillway": {
            "version": 1,
            "action": "SubmitJob",
            "clientToken": "align-0017",
            "market": "spot",
            "architecture": "arm64",
            "expectedDurationSeconds": 600,
            "patienceSeconds": 3600,
            "deadline": "2026-01-31T18:00:00Z"
        }
    })
}

/// The least a job may say.
pub(crate) fn least() -> Value {
    json!({
        "jobName": "j",
        "jobQueue": "q",
        "jobDefinition": {
            "containerProperties": {
                "image": "busybox",
                "resourceRequirements": [
                    {"type": "VCPU", "value": "1"},
                    {"type": "MEMORY", "value": "512"}
                ]
            }
        }
    })
}

/// `message` with `value` at `pointer` (RFC 6901); what is on the way is made.
pub(crate) fn with(mut message: Value, pointer: &str, value: Value) -> Value {
    let mut place = &mut message;
    for key in pointer.split('/').skip(1) {
        if let Ok(index) = key.parse::<usize>() {
            place = place.get_mut(index).expect("the index is there");
            continue;
        }
        if place.is_null() {
            *place = json!({});
        }
        let object = place.as_object_mut().expect("only objects have keys");
        place = object.entry(key.to_owned()).or_insert(Value::Null);
    }
    *place = value;
    message
}

pub(crate) fn parse(message: &Value) -> Result<Parsed, Rejection> {
    message::parse(&message.to_string())
}

/// The job in a message that must be one, with its warnings.
pub(crate) fn job(message: &Value) -> (JobSpec, Vec<String>) {
    let parsed = parse(message).unwrap_or_else(|rejection| panic!("{rejection:?}\n{message:#}"));
    let Request::Submit { spec, .. } = parsed.request else { panic!("it is no job: {message:#}") };
    (*spec, parsed.warnings)
}
