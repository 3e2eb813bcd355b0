//! The key that was probably meant by one that is not known.

/// Every key of a message, whatever object it belongs to. A test holds it to the schema.
const KEYS: &[&str] = &[
    "accessPointId",
    "action",
    "afterAny",
    "afterNotOk",
    "architecture",
    "array",
    "arrayProperties",
    "attemptDurationSeconds",
    "attempts",
    "authorizationConfig",
    "catchUpSeconds",
    "clientToken",
    "coalesce",
    "command",
    "condition",
    "consumableResource",
    "consumableResourceList",
    "consumableResourceProperties",
    "consumableResourcePropertiesOverride",
    "container",
    "containerName",
    "containerOverrides",
    "containerPath",
    "containerProperties",
    "containers",
    "cpuArchitecture",
    "credentialsParameter",
    "deadline",
    "dependsOn",
    "devices",
    "ecsProperties",
    "ecsPropertiesOverride",
    "efsVolumeConfiguration",
    "endDate",
    "environment",
    "essential",
    "evaluateOnExit",
    "executionRoleArn",
    "expectedDurationSeconds",
    "fileSystemId",
    "firelensConfiguration",
    "first",
    "gpuKinds",
    "growMemory",
    "hardLimit",
    "hash",
    "host",
    "hostPath",
    "iam",
    "image",
    "indexes",
    "initProcessEnabled",
    "ipcMode",
    "job",
    "jobDefinition",
    "jobDefinitionName",
    "jobId",
    "jobName",
    "jobQueue",
    "jobRoleArn",
    "jobTimeoutSeconds",
    "kind",
    "last",
    "linuxParameters",
    "logConfiguration",
    "logDriver",
    "mainNode",
    "market",
    "maxConcurrency",
    "maxMemory",
    "maxSwap",
    "memory",
    "missed",
    "mountOptions",
    "mountPoints",
    "name",
    "nodeOverrides",
    "nodeProperties",
    "nodePropertyOverrides",
    "nodeRangeProperties",
    "numNodes",
    "onExitCode",
    "onFailure",
    "onReason",
    "onStatusReason",
    "operatingSystemFamily",
    "options",
    "parallel",
    "parameters",
    "patienceSeconds",
    "percent",
    "permissions",
    "pidMode",
    "platformCapabilities",
    "pool",
    "privileged",
    "propagateTags",
    "quantity",
    "queueTimeoutSeconds",
    "readOnly",
    "readonlyRootFilesystem",
    "reason",
    "repositoryCredentials",
    "resourceRequirements",
    "retryStrategy",
    "rootDirectory",
    "runtimePlatform",
    "scheduleExpression",
    "scheduleExpressionTimezone",
    "scheduleName",
    "schedulingPriority",
    "schedulingPriorityOverride",
    "secretOptions",
    "secrets",
    "shareIdentifier",
    "sharedMemorySize",
    "size",
    "softLimit",
    "sourcePath",
    "sourceVolume",
    "spillway",
    "startDate",
    "startTimeout",
    "startTimeoutSeconds",
    "step",
    "stopTimeout",
    "stopTimeoutSeconds",
    "subject",
    "swappiness",
    "tags",
    "targetNodes",
    "taskProperties",
    "taskRoleArn",
    "timeout",
    "tmpfs",
    "transitEncryption",
    "transitEncryptionPort",
    "type",
    "ulimits",
    "user",
    "value",
    "valueFrom",
    "variants",
    "vcpus",
    "version",
    "volumes",
];

/// A slip changes at most so many letters.
const DISTANCE_MAX: usize = 2;

/// The known key nearest to `key`, if it is near enough to be what was meant.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    // Longer than any key by more than a slip: nothing is near, and there is no need to look.
    if 64 < key.len() {
        return None;
    }
    let candidates = KEYS.iter().map(|known| (distance(key, known), *known));
    let (distance, known) = candidates.min()?;
    let is_slip = distance <= DISTANCE_MAX && distance * 3 < known.len();
    is_slip.then_some(known)
}

/// How many letters must be put in, left out or changed to make one of the other (Levenshtein); capitals do not count.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_ascii_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, c) in one.to_ascii_lowercase().chars().enumerate() {
        let mut last = n + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(last);
        for ((wanted, above_left), above) in other.iter().zip(&row).zip(row.iter().skip(1)) {
            let changed = above_left + usize::from(*wanted != c);
            last = changed.min(above + 1).min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn properties(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    if let ("properties", Value::Object(named)) = (key.as_str(), value) {
                        found.extend(named.keys().cloned());
                    }
                    properties(value, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| properties(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_key_of_the_schema_is_listed_and_no_other() {
        let mut found = BTreeSet::new();

        properties(&crate::message::schema(), &mut found);

        let listed: BTreeSet<String> = KEYS.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(listed, found);
    }

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        assert_eq!(nearest("containerOverides"), Some("containerOverrides"));
        assert_eq!(nearest("jobname"), Some("jobName"));
        assert_eq!(nearest("enviroment"), Some("environment"));
        assert_eq!(nearest("note"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }
}
