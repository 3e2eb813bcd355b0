//! What AWS Batch knows and Spillway does not honour: refused by name, never ignored. A job that silently ran without its
//! volumes or its dependencies would be worse than one that did not run.

use serde_json::Value;

use super::path::At;
use super::reject::Rejection;

/// A key that is refused, where it may stand, and what to do instead.
struct Unsupported {
    parent: &'static [&'static str],
    key: &'static str,
    hint: &'static str,
}

const ROOT: &[&str] = &[];
const DEFINITION: &[&str] = &["jobDefinition"];
const CONTAINER: &[&str] = &["jobDefinition", "containerProperties"];
const LINUX: &[&str] = &["jobDefinition", "containerProperties", "linuxParameters"];
const LOGS: &[&str] = &["jobDefinition", "containerProperties", "logConfiguration"];

const ONE_CONTAINER: &str = "describe the one container in jobDefinition.containerProperties";
const SEND_MANY: &str = "send one message for each job";
const NO_SHARES: &str = "jobs of a queue run in the order they came; leave it out";
const NO_VOLUMES: &str = "fetch input and store output over the network";
const NO_FARGATE: &str = "it is for Fargate; Spillway runs jobs on EC2";
const NO_COUNTERS: &str = "leave it out";

/// Every such key of `SubmitJob` and `RegisterJobDefinition` (AWS Batch API reference).
const KEYS: &[Unsupported] = &[
    Unsupported { parent: ROOT, key: "arrayProperties", hint: SEND_MANY },
    Unsupported {
        parent: ROOT,
        key: "dependsOn",
        hint: "send the job when the one it depends on has ended",
    },
    Unsupported { parent: ROOT, key: "nodeOverrides", hint: ONE_CONTAINER },
    Unsupported { parent: ROOT, key: "eksPropertiesOverride", hint: "use containerOverrides" },
    Unsupported { parent: ROOT, key: "ecsPropertiesOverride", hint: "use containerOverrides" },
    Unsupported { parent: ROOT, key: "shareIdentifier", hint: NO_SHARES },
    Unsupported { parent: ROOT, key: "schedulingPriorityOverride", hint: NO_SHARES },
    Unsupported { parent: ROOT, key: "consumableResourcePropertiesOverride", hint: NO_COUNTERS },
    Unsupported { parent: DEFINITION, key: "nodeProperties", hint: ONE_CONTAINER },
    Unsupported { parent: DEFINITION, key: "eksProperties", hint: ONE_CONTAINER },
    Unsupported { parent: DEFINITION, key: "ecsProperties", hint: ONE_CONTAINER },
    Unsupported { parent: DEFINITION, key: "schedulingPriority", hint: NO_SHARES },
    Unsupported { parent: DEFINITION, key: "consumableResourceProperties", hint: NO_COUNTERS },
    Unsupported { parent: CONTAINER, key: "volumes", hint: NO_VOLUMES },
    Unsupported { parent: CONTAINER, key: "mountPoints", hint: NO_VOLUMES },
    Unsupported {
        parent: CONTAINER,
        key: "privileged",
        hint: "a privileged container owns its host and every job on it",
    },
    Unsupported {
        parent: CONTAINER,
        key: "secrets",
        hint: "let the job read its secrets with its jobRoleArn",
    },
    Unsupported { parent: CONTAINER, key: "instanceType", hint: "ask for vCPUs, memory and GPUs" },
    Unsupported { parent: CONTAINER, key: "networkConfiguration", hint: NO_FARGATE },
    Unsupported { parent: CONTAINER, key: "fargatePlatformConfiguration", hint: NO_FARGATE },
    Unsupported { parent: CONTAINER, key: "ephemeralStorage", hint: NO_FARGATE },
    Unsupported { parent: CONTAINER, key: "enableExecuteCommand", hint: "leave it out" },
    Unsupported {
        parent: CONTAINER,
        key: "repositoryCredentials",
        hint: "use a registry that the host's role may pull from",
    },
    Unsupported {
        parent: LINUX,
        key: "devices",
        hint: "GPUs are asked for in resourceRequirements",
    },
    Unsupported { parent: LINUX, key: "tmpfs", hint: "sharedMemorySize sets the size of /dev/shm" },
    Unsupported { parent: LINUX, key: "maxSwap", hint: "hosts have no swap; leave it out" },
    Unsupported { parent: LINUX, key: "swappiness", hint: "hosts have no swap; leave it out" },
    Unsupported { parent: LOGS, key: "secretOptions", hint: "the awslogs driver needs none" },
    Unsupported {
        parent: &["containerOverrides"],
        key: "instanceType",
        hint: "ask for vCPUs, memory and GPUs",
    },
];

/// The first key that asks for something Spillway does not do.
pub(super) fn check(message: &Value) -> Result<(), Rejection> {
    let definition = message.get("jobDefinition");
    if definition.is_some_and(Value::is_string) {
        let what = "the name or ARN of a job definition is not supported";
        return Err(Rejection::unsupported(&At::Root.key("jobDefinition"), what)
            .hint("put the definition itself there: the object that RegisterJobDefinition takes"));
    }
    for Unsupported { parent, key, hint } in KEYS {
        let parent_value = parent.iter().try_fold(message, |value, key| value.get(key));
        let Some(value) = parent_value.and_then(|value| value.get(key)) else { continue };
        if !says_nothing(value) {
            let path: Vec<&str> = parent.iter().chain([key]).copied().collect();
            let what = "AWS Batch knows this, Spillway does not honour it yet";
            return Err(Rejection::at_path(super::code::UNSUPPORTED_FIELD, &path.join("."), what)
                .hint(*hint));
        }
    }
    Ok(())
}

/// Whether a path is that of a key in the table. Those that got past [`check`] say nothing, so they are worth no warning.
pub(super) fn is_known(path: &str) -> bool {
    KEYS.iter().any(|Unsupported { parent, key, .. }| {
        let mut parts = path.split('.');
        parent.iter().chain([key]).all(|part| parts.next() == Some(part)) && parts.next().is_none()
    })
}

/// Whether a value asks for nothing: tools that fill in every field of a request write such.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.values().all(says_nothing),
    }
}
