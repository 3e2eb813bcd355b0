//! What is refused of a container: what it needs, runs, mounts and is told.

use serde_json::{Value, json};
use spillway_core::message::{code, limits};

use super::{CONTAINER, INVALID, MISSING, container, refused};
use crate::sample::{full, least, parse, with};

#[test]
fn amounts_that_make_no_job_are_refused() {
    let cpu = "resourceRequirements/0/value";
    let memory = "resourceRequirements/1/value";
    let at_cpu = "resourceRequirements[0].value";
    let at_memory = "resourceRequirements[1].value";
    for zero in ["0", "0.0", "00", ".0"] {
        container(cpu, json!(zero), INVALID, at_cpu, "more than 0 vCPUs");
    }
    for (text, words) in [
        ("-1", "not a number"),
        ("1e3", "not a number"),
        ("", "not a number"),
        ("1 ", "not a number"),
        ("0.0001", "out of range"),
        ("4194304", "out of range"),
        ("99999999999999999999", "out of range"),
    ] {
        container(cpu, json!(text), INVALID, at_cpu, words);
    }
    container(cpu, json!(1), INVALID, at_cpu, "expected a string");
    container(memory, json!("0"), INVALID, at_memory, "at least 4 MiB");
    container(memory, json!("3"), INVALID, at_memory, "at least 4 MiB");
    container(memory, json!("-4"), INVALID, at_memory, "whole number of MiB");
    container(memory, json!("512.5"), INVALID, at_memory, "whole number of MiB");
    container(memory, json!("2147483648000"), INVALID, at_memory, "more than any machine");
    container(
        "resourceRequirements/1/type",
        json!("VCPU"),
        INVALID,
        "resourceRequirements[1].type",
        "twice",
    );
    container(
        "resourceRequirements/1/type",
        json!("RAM"),
        INVALID,
        "resourceRequirements[1].type",
        "MEMORY",
    );
    let gpu = json!([{"type": "GPU", "value": "0.5"}]);
    container("resourceRequirements", gpu, INVALID, at_cpu, "not a number of GPUs");
    container("vcpus", json!(0), INVALID, "vcpus", "must be 1");
    container("vcpus", json!(0.5), INVALID, "vcpus", "expected a whole number");
    container("memory", json!(2), INVALID, "memory", "at least 4 MiB");
    container("memory", json!(-1), INVALID, "memory", "must be 4");
}

#[test]
fn memory_with_a_unit_is_told_as_it_should_be_written() {
    let pointer = format!("{CONTAINER}/resourceRequirements/1/value");

    let rejection = parse(&with(least(), &pointer, json!("2GiB"))).unwrap_err();

    assert_eq!(rejection.hint.as_deref(), Some("write \"2048\""));
}

#[test]
fn images_and_roles_are_looked_at() {
    container("image", json!(""), INVALID, "image", "1 to 255");
    container("image", json!("x".repeat(256)), INVALID, "image", "1 to 255");
    container("image", json!("busy box"), INVALID, "image", "not an image reference");
    container("jobRoleArn", json!("admin"), INVALID, "jobRoleArn", "not the ARN of an IAM role");
    container(
        "executionRoleArn",
        json!("arn:aws:iam::1:user/x"),
        INVALID,
        "executionRoleArn",
        "role",
    );
    container("user", json!(""), INVALID, "user", "1 to 255");
}

#[test]
fn variables_are_unique_and_reserved_ones_are_ours() {
    let twice = json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]);
    container("environment", twice, INVALID, "environment[1].name", "set twice");
    for name in ["AWS_BATCH_JOB_ID", "SPILLWAY_JOB_ID"] {
        container(
            "environment",
            json!([{"name": name}]),
            INVALID,
            "environment[0].name",
            "reserved",
        );
    }
    container(
        "environment",
        json!([{"name": ""}]),
        INVALID,
        "environment[0].name",
        "not a variable",
    );
    container(
        "environment",
        json!([{"name": "A=B"}]),
        INVALID,
        "environment[0].name",
        "not a variable",
    );
    container("environment", json!([{"value": "1"}]), MISSING, "environment[0].name", "is missing");
    container("environment", json!({"A": "1"}), INVALID, "environment", "expected a list");
}

#[test]
fn what_ecs_could_not_be_given_is_too_large() {
    let long = "x".repeat(limits::OVERRIDES_CHARS_MAX);
    container("command", json!([long]), code::TOO_LARGE, "command", "8192");
    let variable = json!([{"name": "A", "value": long}]);
    refused(
        "/containerOverrides/environment",
        variable,
        code::TOO_LARGE,
        "containerOverrides.environment",
        "8192",
    );
    let quotes = json!(["\"".repeat(limits::OVERRIDES_CHARS_MAX / 2)]);
    container("command", quotes, code::TOO_LARGE, "command", "characters of JSON");

    let grown = with(least(), "/parameters", json!({"a": "x".repeat(5_000)}));
    let grown = with(grown, &format!("{CONTAINER}/command"), json!(["Ref::a", "Ref::a"]));
    assert_eq!(parse(&grown).unwrap_err().code, code::TOO_LARGE);
}

#[test]
fn the_most_that_ecs_takes_is_accepted() {
    let pointer = format!("{CONTAINER}/command");
    let room = limits::OVERRIDES_CHARS_MAX - limits::OVERRIDES_CHARS_OURS - "\"\",".len();

    assert!(parse(&with(least(), &pointer, json!(["x".repeat(room)]))).is_ok());
    assert!(parse(&with(least(), &pointer, json!(["x".repeat(room + 1)]))).is_err());
}

#[test]
fn linux_options_have_limits() {
    let nofile =
        |soft: i64, hard: i64| json!([{"name": "nofile", "softLimit": soft, "hardLimit": hard}]);
    container("ulimits", nofile(2, 1), INVALID, "ulimits[0].softLimit", "above the hard limit");
    container("ulimits", nofile(-1, 1), INVALID, "ulimits[0].softLimit", "must be 0");
    container("ulimits", json!([{"name": "nofiles"}]), INVALID, "ulimits[0].name", "not a ulimit");
    container("ulimits", json!([{"name": "core"}]), MISSING, "ulimits[0].softLimit", "missing");
    let shm = json!({"sharedMemorySize": 0});
    container("linuxParameters", shm, INVALID, "linuxParameters.sharedMemorySize", "must be 1");
}

#[test]
fn kinds_of_gpus_are_refused_without_a_gpu_and_by_a_wrong_name() {
    let at = "spillway.gpuKinds";
    refused("/spillway/gpuKinds", json!(["T4"]), INVALID, at, "asks for no GPU");
    refused("/spillway/gpuKinds", json!(["T5"]), INVALID, "spillway.gpuKinds[0]", "A10G");
}

#[test]
fn two_architectures_contradict_each_other() {
    let rejection = parse(&with(full(), "/spillway/architecture", json!("x86_64"))).unwrap_err();

    assert_eq!(rejection.path.as_deref(), Some("spillway.architecture"));
}

#[test]
fn volumes_and_mounts_are_looked_at() {
    let volume = |value: Value, path: &str, words: &str| {
        let code = if words == "is missing" { MISSING } else { INVALID };
        container("volumes", json!([value]), code, &format!("volumes[0]{path}"), words);
    };
    volume(json!({}), ".name", "is missing");
    volume(json!({"name": ""}), ".name", "1 to 255");
    volume(json!({"name": "a b"}), ".name", "not a volume's name");
    let both = json!({"name": "v", "host": {"sourcePath": "/x"},
        "efsVolumeConfiguration": {"fileSystemId": "fs-1"}});
    volume(both, "", "both on the host and on EFS");
    for path in ["x", "/a/../etc", ".."] {
        let host = json!({"name": "v", "host": {"sourcePath": path}});
        volume(host, ".host.sourcePath", "not an absolute path");
    }
    let efs = |value: Value| json!({"name": "v", "efsVolumeConfiguration": value});
    let at = ".efsVolumeConfiguration";
    volume(efs(json!({})), &format!("{at}.fileSystemId"), "is missing");
    volume(efs(json!({"fileSystemId": "vol-1"})), &format!("{at}.fileSystemId"), "no file system");
    let iam = json!({"fileSystemId": "fs-1", "authorizationConfig": {"iam": "ENABLED"}});
    volume(efs(iam), &format!("{at}.transitEncryption"), "must be ENABLED");
    let root = json!({"fileSystemId": "fs-1", "rootDirectory": "/x", "transitEncryption": "ENABLED",
        "authorizationConfig": {"accessPointId": "fsap-1"}});
    volume(efs(root), &format!("{at}.rootDirectory"), "with an access point");
    let port = json!({"fileSystemId": "fs-1", "transitEncryptionPort": 65536});
    volume(efs(port), &format!("{at}.transitEncryptionPort"), "no port");
    let twice = json!([{"name": "v"}, {"name": "v"}]);
    container("volumes", twice, INVALID, "volumes[1].name", "is there twice");

    let nowhere = json!([{"sourceVolume": "v", "containerPath": "/x"}]);
    let path = "mountPoints[0].sourceVolume";
    container("mountPoints", nowhere, INVALID, path, "there is no volume");
    let message = with(least(), &format!("{CONTAINER}/volumes"), json!([{"name": "v"}]));
    let mount = |path: &str| json!({"sourceVolume": "v", "containerPath": path});
    let mounts = json!([mount("/x"), mount("/x")]);
    let message = with(message, &format!("{CONTAINER}/mountPoints"), mounts);
    assert!(parse(&message).unwrap_err().reason.contains("mounted twice"));
}

#[test]
fn linux_parameters_are_looked_at() {
    let linux = |value: Value, path: &str, words: &str| {
        let path = format!("linuxParameters.{path}");
        let code = if words == "is missing" { MISSING } else { INVALID };
        container("linuxParameters", value, code, &path, words);
    };
    linux(json!({"maxSwap": -1}), "maxSwap", "must be 0 to");
    linux(json!({"maxSwap": 1, "swappiness": 101}), "swappiness", "0 to 100");
    linux(json!({"tmpfs": [{"containerPath": "/x"}]}), "tmpfs[0].size", "is missing");
    let size = json!({"tmpfs": [{"containerPath": "/x", "size": 0}]});
    linux(size, "tmpfs[0].size", "must be 1 to");
    let option = json!({"tmpfs": [{"containerPath": "/x", "size": 1, "mountOptions": ["fast"]}]});
    linux(option, "tmpfs[0].mountOptions[0]", "no mount option");
    linux(json!({"devices": [{}]}), "devices[0].hostPath", "is missing");
    linux(json!({"devices": [{"hostPath": "fuse"}]}), "devices[0].hostPath", "absolute");
    let twice = json!({"devices": [{"hostPath": "/dev/a"}, {"hostPath": "/dev/a"}]});
    linux(twice, "devices[1]", "is there twice");
    let power = json!({"devices": [{"hostPath": "/dev/a", "permissions": ["OWN"]}]});
    linux(power, "devices[0].permissions[0]", "MKNOD");
}

#[test]
fn secrets_and_credentials_are_looked_at() {
    let secret = |name: &str, from: &str| json!([{"name": name, "valueFrom": from}]);
    container("secrets", json!([{"name": "A"}]), MISSING, "secrets[0].valueFrom", "is missing");
    container("secrets", secret("A", ""), INVALID, "secrets[0].valueFrom", "1 to 2048");
    container("secrets", secret("A", "a b"), INVALID, "secrets[0].valueFrom", "names no secret");
    container("secrets", secret("SPILLWAY_X", "a"), INVALID, "secrets[0].name", "reserved");
    let twice = json!([{"name": "A", "valueFrom": "a"}, {"name": "A", "valueFrom": "b"}]);
    container("secrets", twice, INVALID, "secrets[1].name", "set twice");
    let message = with(least(), &format!("{CONTAINER}/environment"), json!([{"name": "A"}]));
    let message = with(message, &format!("{CONTAINER}/secrets"), secret("A", "a"));
    assert!(parse(&message).unwrap_err().reason.contains("plain variable too"));

    let path = "repositoryCredentials.credentialsParameter";
    container("repositoryCredentials", json!({}), MISSING, path, "is missing");
    let logs = json!({"logDriver": "splunk", "options": {"t": "1"},
        "secretOptions": [{"name": "t", "valueFrom": "x"}]});
    let path = "logConfiguration.secretOptions[0].name";
    container("logConfiguration", logs, INVALID, path, "plain option too");
}
