//! Each rule by itself: what it refuses by default, and what one entry of the operator's allows.

use spillway_core::message::{self, Request};

use super::*;

fn spec(container: &str, extra: &str) -> JobSpec {
    let body = format!(
        r#"{{"jobName":"j","jobQueue":"q","jobDefinition":{{"containerProperties":{{"image":"repo/tool:1",
        "resourceRequirements":[{{"type":"VCPU","value":"2"}},{{"type":"MEMORY","value":"4096"}}]{container}}}}}{extra}}}"#
    );
    let parsed = message::parse(&body).unwrap_or_else(|rejection| panic!("{rejection}: {body}"));
    let Request::Submit { spec, .. } = parsed.request else { panic!("it is a job") };
    *spec
}

fn refusal(rules: JobRules, spec: &JobSpec) -> Option<String> {
    JobPolicy { rules, exceptions: Vec::new() }.refusal(spec, None)
}

/// What is in a job's container is refused under a rule at a place, and allowed by a change of that rule.
fn denied(container: &str, path: &str, rule: &str, allow: impl FnOnce(&mut JobRules)) {
    let spec = spec(container, "");
    let said = refusal(JobRules::default(), &spec).expect(rule);
    let place = format!("jobDefinition.containerProperties.{path}: ");
    assert!(said.starts_with(&place), "{said}");
    assert!(said.ends_with(&format!("jobs.{rule}")), "{said}");

    let mut rules = JobRules::default();
    allow(&mut rules);
    assert_eq!(refusal(rules, &spec), None);
}

fn list(entry: &str) -> Vec<String> {
    vec![entry.to_owned()]
}

#[test]
fn whatever_hands_out_power_is_refused_unless_it_is_listed() {
    denied(
        r#","jobRoleArn":"arn:aws:iam::1:role/admin""#,
        "jobRoleArn",
        "allowed-roles",
        |rules| rules.roles = list("arn:aws:iam::1:role/*"),
    );
    denied(
        r#","executionRoleArn":"arn:aws:iam::1:role/pull""#,
        "executionRoleArn",
        "allowed-roles",
        |rules| rules.roles = list("arn:aws:iam::1:role/pull"),
    );
    denied(
        r#","repositoryCredentials":{"credentialsParameter":"arn:aws:secretsmanager:r:1:secret:x"}"#,
        "repositoryCredentials.credentialsParameter",
        "allowed-registry-credentials",
        |rules| rules.registry_credentials = list("arn:aws:secretsmanager:r:1:secret:*"),
    );
    denied(
        r#","secrets":[{"name":"A","valueFrom":"batch/key"}]"#,
        "secrets[0].valueFrom",
        "allowed-secrets",
        |rules| rules.secrets = list("batch/*"),
    );
    denied(
        r#","logConfiguration":{"logDriver":"awslogs","secretOptions":[{"name":"t","valueFrom":"k"}]}"#,
        "logConfiguration.secretOptions[0].valueFrom",
        "allowed-secrets",
        |rules| rules.secrets = list("k"),
    );
    denied(r#","privileged":true"#, "privileged", "allow-privileged", |rules| {
        rules.privileged = true;
    });
    denied(
        r#","linuxParameters":{"devices":[{"hostPath":"/dev/fuse"}]}"#,
        "linuxParameters.devices[0].hostPath",
        "allowed-devices",
        |rules| rules.devices = list("/dev/fuse"),
    );
    denied(
        r#","volumes":[{"name":"v","host":{"sourcePath":"/scratch/x"}}]"#,
        "volumes[0].host.sourcePath",
        "allowed-host-paths",
        |rules| rules.host_paths = list("/scratch/*"),
    );
    denied(
        r#","volumes":[{"name":"s"},{"name":"v","efsVolumeConfiguration":{"fileSystemId":"fs-1"}}]"#,
        "volumes[1].efsVolumeConfiguration.fileSystemId",
        "allowed-file-systems",
        |rules| rules.file_systems = list("fs-1"),
    );
    denied(
        r#","logConfiguration":{"logDriver":"syslog"}"#,
        "logConfiguration.logDriver",
        "allowed-log-drivers",
        |rules| rules.log_drivers = vec![LogDriver::Syslog],
    );
}

/// A job of two containers, of which the second says this; the task says that.
fn of_two(container: &str, task: &str) -> JobSpec {
    let needs =
        r#""resourceRequirements":[{"type":"VCPU","value":"1"},{"type":"MEMORY","value":"1024"}]"#;
    let body = format!(
        r#"{{"jobName":"j","jobQueue":"q","jobDefinition":{{"ecsProperties":{{"taskProperties":[{{{task}
        "containers":[{{"name":"a","image":"repo/tool:1",{needs}}},
        {{"name":"b","image":"repo/tool:1",{needs}{container}}}]}}]}}}}}}"#
    );
    let parsed = message::parse(&body).unwrap_or_else(|rejection| panic!("{rejection}: {body}"));
    let Request::Submit { spec, .. } = parsed.request else { panic!("it is a job") };
    *spec
}

#[test]
fn every_one_of_several_containers_is_held_to_the_rules() {
    const TASK: &str = "jobDefinition.ecsProperties.taskProperties[0]";
    let secrets = r#","secrets":[{"name":"A","valueFrom":"batch/key"}]"#;
    let router = r#","firelensConfiguration":{"type":"fluentbit"}"#;
    let volume = r#""volumes":[{"name":"v","host":{"sourcePath":"/x"}}],"#;
    let cases = [
        (secrets, "", "containers[1].secrets[0].valueFrom", "allowed-secrets"),
        (r#","privileged":true"#, "", "containers[1].privileged", "allow-privileged"),
        (router, "", "containers[1].firelensConfiguration", "allowed-log-drivers"),
        ("", r#""taskRoleArn":"arn:aws:iam::1:role/admin","#, "taskRoleArn", "allowed-roles"),
        ("", r#""executionRoleArn":"arn:aws:iam::1:role/x","#, "executionRoleArn", "allowed-roles"),
        ("", r#""pidMode":"host","#, "pidMode", "allow-privileged"),
        ("", r#""ipcMode":"host","#, "ipcMode", "allow-privileged"),
        ("", volume, "volumes[0].host.sourcePath", "allowed-host-paths"),
    ];
    for (container, task, path, rule) in cases {
        let said = refusal(JobRules::default(), &of_two(container, task)).expect(rule);
        assert!(said.starts_with(&format!("{TASK}.{path}: ")), "{said}");
        assert!(said.ends_with(&format!("jobs.{rule}")), "{said}");
    }
    let mut foreign = of_two("", "");
    let task = foreign.task.as_mut().unwrap();
    task.others[0].container.image = "other/tool".to_owned();
    let images = JobRules { images: list("repo/*"), ..JobRules::default() };
    assert_eq!(refusal(images.clone(), &of_two("", "")), None);
    let said = refusal(images, &foreign).unwrap();
    assert!(said.contains("containers[1].image: the image other/tool"), "{said}");
    let two = JobRules { cpu_max: Some(CpuUnits::from_vcpus(1)), ..JobRules::default() };
    let said = refusal(two, &of_two("", "")).unwrap();
    assert!(said.contains("containers: 2 vCPU is refused by jobs.max-vcpus"), "{said}");
}

#[test]
fn what_hands_out_none_is_allowed() {
    let harmless = r#","user":"1000","volumes":[{"name":"v"}],"mountPoints":[{"sourceVolume":"v",
        "containerPath":"/x"}],"linuxParameters":{"initProcessEnabled":true,"sharedMemorySize":64,"maxSwap":0,
        "tmpfs":[{"containerPath":"/t","size":64}]},"readonlyRootFilesystem":true,
        "logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/any"}}"#;

    assert_eq!(refusal(JobRules::default(), &spec(harmless, "")), None);
}

#[test]
fn images_groups_and_amounts_are_limited_only_where_the_operator_says_so() {
    let refused = |rules: JobRules, spec: &JobSpec, rule: &str| {
        assert_eq!(refusal(JobRules::default(), spec), None);
        let said = refusal(rules, spec).expect(rule);
        assert!(said.ends_with(&format!("jobs.{rule}")), "{said}");
    };
    let rules = JobRules::default;
    let plain = spec("", "");
    refused(JobRules { images: list("other/*"), ..rules() }, &plain, "allowed-images");
    refused(JobRules { digest_required: true, ..rules() }, &plain, "require-digest");
    refused(JobRules { cpu_max: Some(CpuUnits::from_vcpus(1)), ..rules() }, &plain, "max-vcpus");
    refused(JobRules { memory_max: Some(MiB::new(4095)), ..rules() }, &plain, "max-memory");
    let hour = Some(SignedDuration::from_hours(1));
    refused(JobRules { duration_max: hour, ..rules() }, &plain, "max-duration");

    let group = r#","logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/x"}}"#;
    let log_groups = list("/jobs/*");
    refused(JobRules { log_groups, ..rules() }, &spec(group, ""), "allowed-log-groups");
    let growing = spec("", r#","spillway":{"growMemory":{"percent":50,"maxMemory":"9000"}}"#);
    refused(JobRules { memory_max: Some(MiB::new(8000)), ..rules() }, &growing, "max-memory");
    let stubborn = spec("", r#","retryStrategy":{"attempts":5}"#);
    refused(JobRules { attempts_max: Some(4), ..rules() }, &stubborn, "max-attempts");
    let long = spec("", r#","timeout":{"attemptDurationSeconds":3601}"#);
    refused(JobRules { duration_max: hour, ..rules() }, &long, "max-duration");
    let short = spec("", r#","timeout":{"attemptDurationSeconds":3600}"#);
    assert_eq!(refusal(JobRules { duration_max: hour, ..rules() }, &short), None);
    let gpu = spec("", "");
    let gpu = JobSpec { resources: spillway_core::Resources { gpus: 2, ..gpu.resources }, ..gpu };
    refused(JobRules { gpus_max: Some(1), ..rules() }, &gpu, "max-gpus");
}

#[test]
fn the_first_exception_for_a_job_decides_alone() {
    let privileged = spec(r#","privileged":true"#, "");
    let allowing = JobRules { privileged: true, ..JobRules::default() };
    let policy = JobPolicy {
        rules: JobRules::default(),
        exceptions: vec![
            JobException {
                senders: list("AROATRUSTED:*"),
                queues: vec!["q".parse().unwrap()],
                rules: allowing.clone(),
            },
            JobException { senders: list("AROA*"), ..JobException::default() },
            JobException {
                queues: vec!["other".parse().unwrap()],
                rules: allowing,
                ..JobException::default()
            },
        ],
    };

    assert_eq!(policy.refusal(&privileged, Some("AROATRUSTED:i-1")), None);
    let by = |sender| policy.refusal(&privileged, sender).expect("it is refused");
    assert!(by(Some("AROAOTHER:x")).ends_with("jobs.exceptions[1].allow-privileged"));
    assert!(by(Some("AIDASOMEBODY")).ends_with("jobs.allow-privileged"));
    assert!(by(None).ends_with("jobs.allow-privileged"), "who is not known is not trusted");
    assert!(policy.allows_privileged() && !JobPolicy::default().allows_privileged());
    assert_eq!(policy.log_drivers(), [LogDriver::Awslogs]);
}
