//! Every key of AWS Batch's `SubmitJob` and `RegisterJobDefinition` is honoured, or refused by name. None is ignored.
//!
//! `conformance/batch_keys.txt` lists the keys; `batch_keys.py` beside it makes it from the model that AWS publishes.

use serde_json::{Value, json};
use spillway_core::job::JobSpec;
use spillway_core::message::{Request, code};

use crate::sample::{full, least, parse, with};
use crate::several::pipeline;

const KEYS: &str = include_str!("conformance/batch_keys.txt");

/// One key: its path in a message that holds its definition, and the values it can have.
struct Key {
    path: String,
    kind: &'static str,
    values: Vec<&'static str>,
}

fn keys() -> Vec<Key> {
    let lines = KEYS.lines().filter(|line| !line.starts_with('#'));
    let key = |line: &'static str| {
        let mut parts = line.split('\t');
        let (operation, path, kind) =
            (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let path = match operation {
            "RegisterJobDefinition" => format!("jobDefinition.{path}"),
            _ => path.to_owned(),
        };
        let values = parts.next().unwrap_or_default().split('|').filter(|v| !v.is_empty());
        Key { path, kind, values: values.collect() }
    };
    lines.map(key).collect()
}

/// The key's place in a message, as RFC 6901 has it; of a list the first item is meant.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace("[]", "/0").replace('.', "/"))
}

/// Messages that hold, together, every key that is honoured.
pub(crate) fn samples() -> Vec<Value> {
    let container = "/jobDefinition/containerProperties";
    let mut everything = full();
    let rules = json!({"attempts": 2, "evaluateOnExit": [
        {"onStatusReason": "Host EC2*", "onReason": "x", "onExitCode": "1*", "action": "RETRY"}
    ]});
    everything["retryStrategy"] = rules.clone();
    everything["propagateTags"] = json!(false);
    everything["containerOverrides"]["command"] = json!(["own", "Ref::sample"]);
    let outside = json!({
        "privileged": true,
        "volumes": [{"name": "v", "host": {"sourcePath": "/data"}}],
        "mountPoints": [{"sourceVolume": "v", "containerPath": "/data", "readOnly": true}],
        "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:r:1:parameter/token"}],
        "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:r:1:secret:hub"},
        "linuxParameters": {
            "initProcessEnabled": true, "sharedMemorySize": 64, "maxSwap": 10, "swappiness": 10,
            "tmpfs": [{"containerPath": "/run", "size": 64, "mountOptions": ["noexec"]}],
            "devices": [{"hostPath": "/dev/a", "containerPath": "/dev/b", "permissions": ["READ"]}]
        },
        "logConfiguration": {"logDriver": "splunk", "options": {"a": "b"},
            "secretOptions": [{"name": "splunk-token", "valueFrom": "splunk"}]}
    });
    for (key, value) in outside.as_object().unwrap() {
        everything = with(everything, &format!("{container}/{key}"), value.clone());
    }
    let efs = json!([{"name": "v", "efsVolumeConfiguration": {
        "fileSystemId": "fs-1", "rootDirectory": "/", "transitEncryption": "ENABLED",
        "transitEncryptionPort": 2049,
        "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"}
    }}]);
    let mut on_efs = with(least(), &format!("{container}/volumes"), efs);
    // What the job itself does not say is the definition's.
    for (key, value) in [
        ("retryStrategy", rules),
        ("timeout", json!({"attemptDurationSeconds": 60})),
        ("propagateTags", json!(true)),
        ("parameters", json!({"x": "1"})),
        ("tags", json!({"x": "1"})),
    ] {
        on_efs["jobDefinition"][key] = value;
    }
    on_efs["jobDefinition"]["containerProperties"]["command"] = json!(["run", "Ref::x"]);
    let mut the_old_way = least();
    let properties = &mut the_old_way["jobDefinition"]["containerProperties"];
    properties["resourceRequirements"] = Value::Null;
    (properties["vcpus"], properties["memory"]) = (json!(1), json!(512));
    let mut overridden = the_old_way.clone();
    overridden["containerOverrides"] = json!({"vcpus": 2, "memory": 1024});
    let takes =
        json!({"consumableResourceList": [{"consumableResource": "licences", "quantity": 2}]});
    everything["shareIdentifier"] = json!("teamA");
    everything["schedulingPriorityOverride"] = json!(5);
    everything["consumableResourcePropertiesOverride"] = takes.clone();
    on_efs["jobDefinition"]["schedulingPriority"] = json!(5);
    on_efs["jobDefinition"]["consumableResourceProperties"] = takes;
    let mut array = with(least(), "/arrayProperties", json!({"size": 5}));
    let other = "290f9993-9821-5417-9e19-119b12a9b481";
    array["dependsOn"] = json!([{"jobId": other, "type": "N_TO_N"}]);
    let [several, on_efs_too] = several();
    vec![everything, on_efs, the_old_way, overridden, array, several, on_efs_too]
}

/// Jobs of several containers, of which the first has every key: one has a volume of the host, the other one of EFS.
fn several() -> [Value; 2] {
    let full = full();
    let containers = "/jobDefinition/ecsProperties/taskProperties/0/containers";
    let mut message = pipeline();
    let first = message.pointer_mut(&format!("{containers}/0")).unwrap();
    for key in ["environment", "ulimits", "user", "readonlyRootFilesystem"] {
        first[key] = full["jobDefinition"]["containerProperties"][key].clone();
    }
    let more = json!({
        "command": ["run", "Ref::in"], "essential": false, "startTimeout": 5, "stopTimeout": 5,
        "dependsOn": [{"containerName": "fetch", "condition": "COMPLETE"}],
        "privileged": true,
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": true}],
        "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:r:1:parameter/token"}],
        "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:r:1:secret:hub"},
        "linuxParameters": {
            "initProcessEnabled": true, "sharedMemorySize": 64, "maxSwap": 10, "swappiness": 10,
            "tmpfs": [{"containerPath": "/run", "size": 64, "mountOptions": ["noexec"]}],
            "devices": [{"hostPath": "/dev/a", "containerPath": "/dev/b", "permissions": ["READ"]}]
        },
        "logConfiguration": {"logDriver": "splunk", "options": {"a": "b"},
            "secretOptions": [{"name": "splunk-token", "valueFrom": "splunk"}]}
    });
    for (key, value) in more.as_object().unwrap() {
        first[key] = value.clone();
    }
    let volume = "/jobDefinition/ecsProperties/taskProperties/0/volumes";
    let host = json!([{"name": "data", "host": {"sourcePath": "/data"}}]);
    let efs = json!([{"name": "data", "efsVolumeConfiguration": {
        "fileSystemId": "fs-1", "rootDirectory": "/", "transitEncryption": "ENABLED",
        "transitEncryptionPort": 2049,
        "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"}
    }}]);
    [with(message.clone(), volume, host), with(message, volume, efs)]
}

/// What a message means, or that it means nothing.
fn meaning(message: &Value) -> Option<JobSpec> {
    let request = parse(message).ok()?.request;
    let Request::Submit { spec, .. } = request else { panic!("it is a job: {request:?}") };
    Some(*spec)
}

/// Other values of a key than the one it has, and none.
fn others(key: &Key, value: &Value) -> Vec<Value> {
    let mut others = vec![Value::Null];
    match value {
        Value::Bool(on) => others.push(json!(!on)),
        Value::Number(_) => others.push(json!(77)),
        Value::String(text) => {
            others.extend(key.values.iter().filter(|v| *v != text).map(|v| json!(v)));
            others.push(json!("other"));
        }
        Value::Null | Value::Array(_) | Value::Object(_) => {}
    }
    others
}

/// Whether it makes a difference what a key says.
fn is_honoured(key: &Key) -> bool {
    let pointer = pointer(&key.path);
    samples().iter().any(|sample| {
        let Some(value) = sample.pointer(&pointer).filter(|value| !value.is_null()) else {
            return false;
        };
        let meant = meaning(sample).expect("a sample is a job");
        others(key, value)
            .into_iter()
            .any(|other| meaning(&with(sample.clone(), &pointer, other)).as_ref() != Some(&meant))
    })
}

/// `message` with a value at a place, with lists of one item on the way.
fn put(message: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else {
        *message = value;
        return;
    };
    let (name, n_lists) = (first.trim_end_matches("[]"), first.matches("[]").count());
    let mut place = &mut message[name];
    for _ in 0..n_lists {
        if !place.is_array() {
            *place = json!([{}]);
        }
        place = &mut place[0];
    }
    if !rest.is_empty() && !place.is_object() {
        *place = json!({});
    }
    put(place, rest, value);
}

/// Whether a key is refused by name, or a key above it.
fn is_refused(key: &Key) -> bool {
    let value = match (key.kind, key.values.first()) {
        (_, Some(first)) => json!(first),
        ("boolean", _) => json!(true),
        ("integer" | "long" | "float" | "double", _) => json!(7),
        ("map", _) => json!({"a": "b"}),
        _ => json!("x"),
    };
    let mut message = least();
    put(&mut message, &key.path.split('.').collect::<Vec<_>>(), value);
    let Err(rejection) = parse(&message) else { return false };
    let above = rejection.path.unwrap_or_default();
    // The place is told with the index of an item.
    let place = key.path.replace("[]", "[0]");
    rejection.code == code::UNSUPPORTED_FIELD && place.starts_with(&above) && !above.is_empty()
}

#[test]
fn every_key_of_batchs_two_requests_is_honoured_or_refused_by_name() {
    let keys = keys();
    assert!(300 < keys.len(), "{} keys", keys.len());

    let ignored: Vec<&str> = keys
        .iter()
        .filter(|key| !is_honoured(key) && !is_refused(key))
        .map(|key| key.path.as_str())
        .collect();

    assert_eq!(ignored, Vec::<&str>::new(), "neither honoured nor refused");
}

#[test]
fn the_skeletons_that_the_aws_cli_writes_are_answered_with_a_place() {
    // Every key with a value of its kind and nothing chosen with sense: some rule must say where.
    for operation in ["SubmitJob", "RegisterJobDefinition"] {
        let mut skeleton = json!({});
        for key in keys() {
            let of_definition = key.path.strip_prefix("jobDefinition.");
            let path = match (operation, of_definition) {
                ("RegisterJobDefinition", Some(path)) => path,
                ("SubmitJob", None) => key.path.as_str(),
                _ => continue,
            };
            let value = match key.kind {
                "boolean" => json!(true),
                "integer" | "long" => json!(0),
                "map" => json!({"KeyName": ""}),
                _ => json!(key.values.first().copied().unwrap_or_default()),
            };
            put(&mut skeleton, &path.split('.').collect::<Vec<_>>(), value);
        }

        let rejection = parse(&skeleton).expect_err(operation);

        assert!(rejection.path.is_some(), "{rejection:?}");
    }
}
