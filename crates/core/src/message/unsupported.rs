//! What AWS Batch knows and Spillway does not honour: refused by name, never ignored. A job that silently ran without its
//! volumes or its secrets would be worse than one that did not run.

use serde_json::Value;

use super::reject::Rejection;

/// A key that is refused, where it may stand, and what to do instead.
struct Unsupported {
    parent: &'static [&'static str],
    key: &'static str,
    hint: &'static str,
}

/// Stands for any item of a list.
const ITEM: &str = "[]";

const ROOT: &[&str] = &[];
const DEFINITION: &[&str] = &["jobDefinition"];
const CONTAINER: &[&str] = &["jobDefinition", "containerProperties"];

const ONE_CONTAINER: &str = "describe the one container in jobDefinition.containerProperties";
const VOLUMES: &[&str] = &["jobDefinition", "containerProperties", "volumes", ITEM];
const TASK: &[&str] = &["jobDefinition", "ecsProperties", "taskProperties", ITEM];
const TASK_VOLUMES: &[&str] =
    &["jobDefinition", "ecsProperties", "taskProperties", ITEM, "volumes", ITEM];

const NO_S3_FILES: &str = "mount an EFS file system, or read S3 from the job itself";

const NODE_RANGE: &[&str] = &["jobDefinition", "nodeProperties", "nodeRangeProperties", ITEM];
const NODE_CONTAINER: &[&str] =
    &["jobDefinition", "nodeProperties", "nodeRangeProperties", ITEM, "container"];
const NODE_VOLUMES: &[&str] =
    &["jobDefinition", "nodeProperties", "nodeRangeProperties", ITEM, "container", "volumes", ITEM];
const NODE_OVERRIDE: &[&str] = &["nodeOverrides", "nodePropertyOverrides", ITEM];

const A_CONTAINER: &str = "describe the nodes' one container under \"container\"";
const BY_NEED: &str = "ask for vCPUs, memory and GPUs";
const NO_FARGATE: &str = "it is for Fargate; Spillway runs jobs on EC2";
const NO_SHELL: &str = "hosts open no channel for it; look at a job through its log, or run a copy of it with a shell as its command";
const NO_COUNTERS: &str = "name it in jobDefinition.consumableResourceProperties, for all nodes";

/// Every such key of `SubmitJob` and `RegisterJobDefinition` (AWS Batch API reference).
const KEYS: &[Unsupported] = &[
    Unsupported { parent: ROOT, key: "eksPropertiesOverride", hint: "use containerOverrides" },
    Unsupported { parent: DEFINITION, key: "eksProperties", hint: ONE_CONTAINER },
    Unsupported { parent: VOLUMES, key: "s3filesVolumeConfiguration", hint: NO_S3_FILES },
    Unsupported { parent: TASK_VOLUMES, key: "s3filesVolumeConfiguration", hint: NO_S3_FILES },
    Unsupported { parent: TASK, key: "networkMode", hint: "tasks run in mode bridge" },
    Unsupported { parent: TASK, key: "networkConfiguration", hint: NO_FARGATE },
    Unsupported { parent: TASK, key: "platformVersion", hint: NO_FARGATE },
    Unsupported { parent: TASK, key: "ephemeralStorage", hint: NO_FARGATE },
    Unsupported { parent: TASK, key: "enableExecuteCommand", hint: NO_SHELL },
    Unsupported { parent: CONTAINER, key: "instanceType", hint: BY_NEED },
    Unsupported { parent: CONTAINER, key: "networkConfiguration", hint: NO_FARGATE },
    Unsupported { parent: CONTAINER, key: "fargatePlatformConfiguration", hint: NO_FARGATE },
    Unsupported { parent: CONTAINER, key: "ephemeralStorage", hint: NO_FARGATE },
    Unsupported { parent: CONTAINER, key: "enableExecuteCommand", hint: NO_SHELL },
    Unsupported { parent: &["containerOverrides"], key: "instanceType", hint: BY_NEED },
    Unsupported { parent: NODE_RANGE, key: "instanceTypes", hint: BY_NEED },
    Unsupported { parent: NODE_RANGE, key: "ecsProperties", hint: A_CONTAINER },
    Unsupported { parent: NODE_RANGE, key: "eksProperties", hint: A_CONTAINER },
    Unsupported { parent: NODE_RANGE, key: "consumableResourceProperties", hint: NO_COUNTERS },
    Unsupported { parent: NODE_CONTAINER, key: "instanceType", hint: BY_NEED },
    Unsupported { parent: NODE_CONTAINER, key: "networkConfiguration", hint: NO_FARGATE },
    Unsupported { parent: NODE_CONTAINER, key: "fargatePlatformConfiguration", hint: NO_FARGATE },
    Unsupported { parent: NODE_CONTAINER, key: "ephemeralStorage", hint: NO_FARGATE },
    Unsupported { parent: NODE_CONTAINER, key: "enableExecuteCommand", hint: NO_SHELL },
    Unsupported { parent: NODE_VOLUMES, key: "s3filesVolumeConfiguration", hint: NO_S3_FILES },
    Unsupported { parent: NODE_OVERRIDE, key: "instanceTypes", hint: BY_NEED },
    Unsupported { parent: NODE_OVERRIDE, key: "ecsPropertiesOverride", hint: A_CONTAINER },
    Unsupported { parent: NODE_OVERRIDE, key: "eksPropertiesOverride", hint: A_CONTAINER },
    Unsupported {
        parent: NODE_OVERRIDE,
        key: "consumableResourcePropertiesOverride",
        hint: NO_COUNTERS,
    },
    Unsupported {
        parent: &["nodeOverrides", "nodePropertyOverrides", ITEM, "containerOverrides"],
        key: "instanceType",
        hint: BY_NEED,
    },
];

/// The first key that asks for something Spillway does not do.
pub(super) fn check(message: &Value) -> Result<(), Rejection> {
    for Unsupported { parent, key, hint } in KEYS {
        if let Some(path) = asked_for(message, parent, key, "") {
            let what = "AWS Batch knows this, Spillway does not honour it yet";
            return Err(Rejection::at_path(super::code::UNSUPPORTED_FIELD, &path, what).hint(*hint));
        }
    }
    Ok(())
}

/// Where below `value` a key asks for something; `[]` in its parents is any item of a list.
fn asked_for(value: &Value, parent: &[&str], key: &str, here: &str) -> Option<String> {
    let below =
        |name: &str| if here.is_empty() { name.to_owned() } else { format!("{here}.{name}") };
    match parent.split_first() {
        None => value.get(key).filter(|value| !says_nothing(value)).map(|_| below(key)),
        Some((&ITEM, rest)) => value
            .as_array()?
            .iter()
            .enumerate()
            .find_map(|(index, item)| asked_for(item, rest, key, &format!("{here}[{index}]"))),
        Some((name, rest)) => asked_for(value.get(name)?, rest, key, &below(name)),
    }
}

/// Whether a path is that of a key in the table. Those that got past [`check`] say nothing, so they are worth no warning.
pub(super) fn is_known(path: &str) -> bool {
    // An item's place is written `volumes[0]`; in the table it is `volumes` and `[]`.
    let is_index = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = path
        .split(['.', '[', ']'])
        .filter(|part| !part.is_empty())
        .map(|part| if is_index(part) { ITEM } else { part })
        .collect();
    KEYS.iter().any(|Unsupported { parent, key, .. }| parts.iter().eq(parent.iter().chain([key])))
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
