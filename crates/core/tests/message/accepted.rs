//! What is understood, and what it means.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};
use spillway_core::array::Indexes;
use spillway_core::container::{DevicePermission, LogDriver, VolumeSource};
use spillway_core::job::FailureCategory;
use spillway_core::message::{self, Request, SimpleJob};
use spillway_core::{
    Arch, ArchRule, ArraySpec, CpuUnits, Dependency, DependencyKind, GpuKind, JobId, MarketRule,
    MiB, Resources, RetryAction, Scheduling,
};

use crate::sample::{full, job, least, parse, with};

#[test]
fn every_key_reaches_the_job() {
    let (spec, warnings) = job(&full());

    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!((spec.name.as_str(), spec.queue.as_str()), ("align-0017", "default"));
    assert_eq!(spec.resources, Resources::new(CpuUnits::from_vcpus(2), MiB::new(1024), 1));
    assert_eq!((spec.arch, spec.market), (Some(Arch::Arm64), MarketRule::Spot));
    assert_eq!(spec.attempts, 3);
    assert_eq!(spec.attempt_timeout, Some(SignedDuration::from_hours(1)));
    assert_eq!(spec.expected_duration, Some(SignedDuration::from_mins(10)));
    assert_eq!(spec.patience, Some(SignedDuration::from_hours(1)));
    assert_eq!(spec.deadline, Some("2026-01-31T18:00:00Z".parse().unwrap()));
    assert_eq!(spec.definition.unwrap().as_str(), "align");
    let tags = [("kind", "align"), ("team", "b")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(spec.tags, BTreeMap::from(tags));
    assert!(spec.propagate_tags);

    let container = spec.container;
    assert_eq!(container.command, ["sh", "-c", "echo s17 4"]);
    let environment =
        [("A", "1"), ("B", "3"), ("C", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(container.environment, environment);
    assert_eq!(container.user.as_deref(), Some("nobody"));
    assert!(container.readonly_root_filesystem && container.init_process);
    assert_eq!(container.shared_memory_mib, Some(64));
    assert_eq!(container.ulimits, [("nofile".to_owned(), 1024, 4096)]);
    assert!(container.job_role_arn.unwrap().ends_with("/job"));
    assert!(container.execution_role_arn.unwrap().ends_with("/pull"));
    assert_eq!(container.log_options["awslogs-group"], "/jobs");
}

#[test]
fn what_is_not_said_has_its_documented_meaning() {
    let (spec, warnings) = job(&least());

    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!((spec.attempts, spec.attempt_timeout, spec.expected_duration), (1, None, None));
    assert_eq!((spec.patience, spec.deadline, spec.definition), (None, None, None));
    assert_eq!((spec.arch, spec.market), (Some(Arch::X86_64), MarketRule::Any));
    assert!(spec.container.command.is_empty() && spec.tags.is_empty() && !spec.propagate_tags);
}

#[test]
fn null_is_the_same_as_not_said() {
    let said_nothing = [
        "/spillway",
        "/tags",
        "/parameters",
        "/retryStrategy",
        "/containerOverrides",
        "/dependsOn",
        "/jobDefinition/containerProperties/command",
        "/jobDefinition/containerProperties/vcpus",
    ];
    let message = said_nothing.iter().fold(least(), |m, pointer| with(m, pointer, Value::Null));

    assert_eq!(job(&message).0, job(&least()).0);
}

#[test]
fn fields_of_batch_that_ask_for_nothing_are_no_matter() {
    let container = "/jobDefinition/containerProperties";
    let empty = [
        ("/dependsOn".to_owned(), json!([])),
        ("/arrayProperties".to_owned(), json!({})),
        ("/shareIdentifier".to_owned(), json!("")),
        ("/retryStrategy".to_owned(), json!({"attempts": 2, "evaluateOnExit": []})),
        (format!("{container}/privileged"), json!(false)),
        (format!("{container}/volumes"), json!([])),
        (format!("{container}/mountPoints"), json!([])),
        (format!("{container}/secrets"), json!([])),
        (format!("{container}/linuxParameters"), json!({"devices": [], "tmpfs": []})),
        (
            format!("{container}/logConfiguration"),
            json!({"logDriver": "awslogs", "secretOptions": []}),
        ),
    ];
    let message = empty.into_iter().fold(least(), |m, (pointer, value)| with(m, &pointer, value));

    let (spec, warnings) = job(&message);

    assert_eq!(spec.attempts, 2);
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn unknown_keys_are_kept_going_and_reported_with_their_path() {
    let message = with(least(), "/containerOverides", json!({"vcpus": 4}));
    let message =
        with(message, "/jobDefinition/containerProperties/resourceRequirements/0/unit", json!("x"));
    let message = with(message, "/spillway/a.b", json!(1));

    let (_, warnings) = job(&message);

    let places: Vec<&str> =
        warnings.iter().filter_map(|w| w.split_once(": ")).map(|(p, _)| p).collect();
    let mut expected = [
        "containerOverides",
        "jobDefinition.containerProperties.resourceRequirements[0].unit",
        "spillway[\"a.b\"]",
    ];
    expected.sort_unstable();
    let mut places = places;
    places.sort_unstable();
    assert_eq!(places, expected);
}

#[test]
fn a_misspelt_key_is_told_what_was_probably_meant() {
    let (_, warnings) = job(&with(least(), "/containerOverides", json!({})));

    let told =
        "containerOverides: is not known and has no effect; did you mean containerOverrides?";
    assert_eq!(warnings, [told]);
}

#[test]
fn warnings_are_bounded() {
    let message = (0..1000).fold(least(), |m, n| with(m, &format!("/key{n}"), json!("x")));

    let (_, warnings) = job(&message);

    assert_eq!(warnings.len(), message::limits::WARNINGS_MAX + 1);
    assert_eq!(warnings.last().unwrap(), "and 980 more");
}

#[test]
fn old_amounts_are_taken_where_requirements_say_nothing() {
    let message =
        with(least(), "/jobDefinition/containerProperties/resourceRequirements", json!(null));
    let message = with(message, "/jobDefinition/containerProperties/vcpus", json!(2));
    let message = with(message, "/jobDefinition/containerProperties/memory", json!(2048));
    let message = with(message, "/containerOverrides/memory", json!(4096));

    let (spec, warnings) = job(&message);

    assert_eq!(spec.resources, Resources::new(CpuUnits::from_vcpus(2), MiB::from_gib(4), 0));
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn old_amounts_of_a_job_do_not_override_requirements_and_that_is_said() {
    let message = with(least(), "/containerOverrides/vcpus", json!(8));

    let (spec, warnings) = job(&message);

    assert_eq!(spec.resources.cpu, CpuUnits::from_vcpus(1));
    assert!(warnings[0].starts_with("containerOverrides.vcpus: "), "{warnings:?}");
}

#[test]
fn ten_tebibytes_are_understood_and_left_to_admission() {
    let at = "/jobDefinition/containerProperties/resourceRequirements/1/value";

    let (spec, _) = job(&with(least(), at, json!("10485760")));

    assert_eq!(spec.resources.memory.get(), 10 * 1024 * 1024);
}

#[test]
fn a_batch_job_queue_arn_names_its_queue() {
    let arn = "arn:aws:batch:us-east-1:123456789012:job-queue/nightly";

    let (spec, _) = job(&with(least(), "/jobQueue", json!(arn)));

    assert_eq!(spec.queue.as_str(), "nightly");
}

#[test]
fn a_placeholder_without_a_parameter_stays_and_is_reported() {
    let at = "/jobDefinition/containerProperties/command";

    let (spec, warnings) = job(&with(least(), at, json!(["Ref::input"])));

    assert_eq!(spec.container.command, ["Ref::input"]);
    assert!(warnings[0].contains("Ref::input"), "{warnings:?}");
}

#[test]
fn an_image_for_both_architectures_runs_on_the_cheaper() {
    let (spec, _) = job(&with(least(), "/spillway/architecture", json!("any")));

    assert_eq!(spec.arch, None);
}

#[test]
fn kinds_of_gpus_are_a_set_and_none_named_is_any() {
    let at = "/jobDefinition/containerProperties/resourceRequirements";
    let need = |kind, value| json!({"type": kind, "value": value});
    let needs = json!([need("VCPU", "1"), need("MEMORY", "512"), need("GPU", "1")]);
    let with_gpu = with(least(), at, needs);
    let kinds = |kinds| job(&with(with_gpu.clone(), "/spillway/gpuKinds", kinds)).0.gpu_kinds;

    let two = kinds(json!(["A10G", "L4", "A10G"]));

    assert!(two.allows(Some(GpuKind::L4)) && two.allows(Some(GpuKind::A10G)));
    assert!(!two.allows(Some(GpuKind::T4)) && !two.allows(None));
    assert!(kinds(json!([])).is_any());
    assert!(job(&with_gpu).0.gpu_kinds.is_any());
}

#[test]
fn envelopes_are_taken_off_and_leave_no_trace() {
    let bare = parse(&full()).unwrap();
    let notification = json!({
        "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:1:t",
        "Message": full().to_string(), "Timestamp": "2026-01-01T00:00:00Z",
    });
    let event = json!({
        "version": "0", "id": "e", "detail-type": "Job", "source": "mine", "account": "1",
        "time": "2026-01-01T00:00:00Z", "region": "us-east-1", "resources": [], "detail": full(),
    });
    let both = with(notification.clone(), "/Message", json!(event.to_string()));

    for wrapped in [notification, event, both] {
        assert_eq!(parse(&wrapped).unwrap(), bare);
    }
}

#[test]
fn the_hash_is_that_of_what_is_said_and_not_of_how_it_is_written() {
    let one = r#"{"jobId":"290f9993-9821-5417-9e19-119b12a9b481","reason":"r","spillway":{"action":"CancelJob","version":1}}"#;
    let two = r#"{ "spillway": {"version":1, "action":"\u0043ancelJob"}, "reason":"r",
        "jobId":"290f9993-9821-5417-9e19-119b12a9b481" }"#;
    let other = one.replace("\"r\"", "\"s\"");

    let hash = |text: &str| message::parse(text).unwrap().body_hash;

    assert_eq!(hash(one), hash(two));
    assert_ne!(hash(one), hash(&other));
    assert_eq!(hash(one).0, PINNED_HASH, "ledgers hold it: it must never change");
}

/// SHA-256 of the first text above, which is compact and in order already; its first eight bytes.
const PINNED_HASH: u64 = 2_724_180_912_537_175_408;

#[test]
fn what_the_builder_writes_is_what_is_read() {
    let on = |kind| Dependency { job: JobId::derive(&"q".parse().unwrap(), "other"), kind };
    let depends_on = vec![
        on(DependencyKind::AfterOk),
        on(DependencyKind::AfterAny),
        on(DependencyKind::AfterNotOk),
        on(DependencyKind::NToN),
    ];
    let indexes = Indexes { first: 3, step: 2.try_into().unwrap(), size: 5 };
    let array = ArraySpec { indexes, max_concurrency: 4.try_into().ok(), sequential: true };
    let scheduling = Scheduling {
        share: Some("teamA".parse().unwrap()),
        priority: 7,
        consumes: BTreeMap::from([("licences".parse().unwrap(), 2)]),
    };
    let simple = SimpleJob {
        name: "a".parse().unwrap(),
        queue: "q".parse().unwrap(),
        image: "busybox".into(),
        command: vec!["sh".into(), "-c".into(), "exit 3".into()],
        environment: vec![("B".into(), "1".into()), ("A".into(), String::new())],
        resources: Resources::new("0.1".parse().unwrap(), MiB::from_gib(2), 1),
        arch: ArchRule::Any,
        gpu_kinds: vec![GpuKind::L4, GpuKind::T4],
        market: MarketRule::OnDemand,
        attempts: Some(4),
        attempt_timeout: Some(SignedDuration::from_mins(2)),
        expected_duration: Some(SignedDuration::from_secs(90)),
        patience: Some(SignedDuration::from_hours(1)),
        deadline: Some("2026-01-31T18:00:00.5Z".parse().unwrap()),
        client_token: Some("t".into()),
        tags: BTreeMap::from([("k".into(), String::new())]),
        array: Some(array),
        depends_on: depends_on.clone(),
        scheduling: scheduling.clone(),
    };

    let parsed = parse(&message::submit(&simple)).unwrap();

    assert_eq!(parsed.warnings, Vec::<String>::new());
    let Request::Submit { spec, client_token } = parsed.request else { panic!("it is a job") };
    assert_eq!(client_token, simple.client_token);
    assert_eq!((&spec.name, &spec.queue), (&simple.name, &simple.queue));
    assert_eq!(spec.container.image, simple.image);
    assert_eq!(spec.container.command, simple.command);
    assert_eq!(spec.container.environment, simple.environment);
    assert_eq!(spec.resources, simple.resources);
    assert_eq!((spec.arch, spec.market), (simple.arch.only(), simple.market));
    assert_eq!(spec.gpu_kinds, simple.gpu_kinds.into());
    assert_eq!(spec.scheduling.as_deref(), Some(&scheduling));
    assert_eq!(
        (Some(spec.attempts), spec.attempt_timeout),
        (simple.attempts, simple.attempt_timeout)
    );
    assert_eq!((spec.patience, spec.deadline), (simple.patience, simple.deadline));
    assert_eq!((spec.expected_duration, spec.tags), (simple.expected_duration, simple.tags));
    let sorted: std::collections::BTreeSet<Dependency> = depends_on.into_iter().collect();
    assert_eq!(spec.array, simple.array);
    assert_eq!(spec.depends_on, sorted.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_producer_knows_the_id_of_the_job_it_sends() {
    let Request::Submit { spec, client_token } = parse(&full()).unwrap().request else {
        panic!("it is a job")
    };

    let id = JobId::derive(&spec.queue, &client_token.unwrap());

    assert_eq!(id, JobId::derive(&"default".parse().unwrap(), "align-0017"));
}

#[test]
fn retry_rules_are_kept_in_order_and_those_under_spillway_come_first() {
    let retry = json!({"attempts": 4, "evaluateOnExit": [
        {"onStatusReason": "Host EC2*", "action": "Retry"},
        {"onReason": "*", "onExitCode": "", "action": "exit"}
    ]});
    let own = json!([{"onFailure": ["oom", "timeout"], "onExitCode": "13*", "action": "RETRY"}]);
    let message = with(with(least(), "/retryStrategy", retry), "/spillway/evaluateOnExit", own);

    let (spec, warnings) = job(&message);

    assert_eq!((spec.attempts, warnings), (4, Vec::new()));
    let [own, first, second] = spec.retry_rules.as_slice() else { panic!("{spec:?}") };
    assert_eq!(own.on_failure, [FailureCategory::Oom, FailureCategory::Timeout]);
    assert_eq!((own.action, first.action), (RetryAction::Retry, RetryAction::Retry));
    let text = |pattern: &Option<spillway_core::retry::ExitPattern>| {
        pattern.as_ref().map(ToString::to_string)
    };
    assert_eq!(text(&first.on_status_reason).as_deref(), Some("Host EC2*"));
    assert_eq!((text(&second.on_reason).as_deref(), text(&second.on_exit_code)), (Some("*"), None));
    assert_eq!(second.action, RetryAction::Exit);
}

#[test]
fn memory_grows_only_where_the_job_says_so() {
    let growth = json!({"percent": 100, "maxMemory": "4096"});

    let (spec, _) = job(&with(least(), "/spillway/growMemory", growth));

    let growth = spec.memory_growth.expect("it was asked for");
    assert_eq!((growth.percent, growth.max.get()), (100, 4096));
    assert_eq!(job(&least()).0.memory_growth, None);
}

#[test]
fn time_limits_reach_the_job_and_are_none_unless_said() {
    let said = json!({"jobTimeoutSeconds": 7200, "queueTimeoutSeconds": 600, "startTimeoutSeconds": 300,
        "stopTimeoutSeconds": 90});

    let (spec, warnings) = job(&with(least(), "/spillway", said));

    let secs = |secs| Some(SignedDuration::from_secs(secs));
    let limits = spec.time_limits;
    assert_eq!(
        [limits.job, limits.queue, limits.start, limits.stop],
        [7200, 600, 300, 90].map(secs)
    );
    assert_eq!(warnings, Vec::<String>::new());
    assert!(job(&least()).0.time_limits.is_empty());
}

/// What a container gets from outside its image.
fn storage() -> Value {
    json!({
        "privileged": true,
        "volumes": [
            {"name": "scratch"},
            {"name": "host", "host": {"sourcePath": "/data"}},
            {"name": "efs", "efsVolumeConfiguration": {
                "fileSystemId": "fs-0123", "rootDirectory": "/", "transitEncryption": "ENABLED",
                "transitEncryptionPort": 2049,
                "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"}
            }}
        ],
        "mountPoints": [
            {"sourceVolume": "scratch", "containerPath": "/tmp/x"},
            {"sourceVolume": "host", "containerPath": "/data", "readOnly": true},
            {"sourceVolume": "efs", "containerPath": "/shared"}
        ],
        "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:us-east-1:1:parameter/token"}],
        "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:us-east-1:1:secret:hub"},
        "linuxParameters": {
            "tmpfs": [{"containerPath": "/run", "size": 64, "mountOptions": ["noexec", "mode=755"]}],
            "maxSwap": 0,
            "swappiness": 10,
            "devices": [{"hostPath": "/dev/fuse", "permissions": ["MKNOD", "READ"]}]
        },
        "logConfiguration": {
            "logDriver": "splunk",
            "options": {"splunk-url": "https://splunk"},
            "secretOptions": [{"name": "splunk-token", "valueFrom": "splunk"}]
        }
    })
}

#[test]
fn what_a_container_gets_from_outside_reaches_the_job() {
    let mut message = least();
    let container = &mut message["jobDefinition"]["containerProperties"];
    for (key, value) in storage().as_object().unwrap() {
        container[key] = value.clone();
    }

    let (spec, warnings) = job(&message);

    assert_eq!(warnings, Vec::<String>::new());
    let c = spec.container;
    let sources: Vec<&VolumeSource> = c.volumes.iter().map(|volume| &volume.source).collect();
    let [VolumeSource::Scratch, VolumeSource::Host { path }, VolumeSource::Efs(efs)] = sources[..]
    else {
        panic!("{sources:?}")
    };
    assert_eq!((path.as_str(), efs.file_system.as_str()), ("/data", "fs-0123"));
    assert_eq!((efs.transit_encryption, efs.transit_port, efs.iam), (true, Some(2049), true));
    assert_eq!((efs.root.as_deref(), efs.access_point.as_deref()), (Some("/"), Some("fsap-1")));
    let read_only: Vec<bool> = c.mounts.iter().map(|mount| mount.read_only).collect();
    assert_eq!(read_only, [false, true, false]);
    assert_eq!(c.secrets[0].name, "TOKEN");
    assert!(c.registry_credentials.unwrap().ends_with("secret:hub"));
    assert_eq!((c.tmpfs[0].size_mib, c.tmpfs[0].options.len()), (64, 2));
    assert_eq!((c.privileged, c.max_swap_mib, c.swappiness), (true, Some(0), Some(10)));
    assert_eq!(c.devices[0].permissions, [DevicePermission::Read, DevicePermission::Mknod]);
    assert_eq!((c.log_driver, c.log_secrets[0].name.as_str()), (LogDriver::Splunk, "splunk-token"));
}

#[test]
fn a_volume_that_nobody_mounts_and_swappiness_alone_are_told() {
    let c = "/jobDefinition/containerProperties";
    let message = with(least(), &format!("{c}/volumes"), json!([{"name": "v"}]));
    let message = with(message, &format!("{c}/linuxParameters/swappiness"), json!(10));

    let (spec, warnings) = job(&message);

    assert_eq!(spec.container.swappiness, None);
    assert!(warnings[0].contains("no effect without maxSwap"), "{warnings:?}");
    assert!(warnings[1].contains("no mount point uses the volume"), "{warnings:?}");
}

#[test]
fn a_ledger_of_before_knows_a_jobs_log_options_under_their_old_name() {
    let (spec, _) = job(&full());
    let text = serde_json::to_string(&spec).unwrap();
    assert!(text.contains("\"log_options\""));

    let old = text.replace("\"log_options\"", "\"awslogs_options\"");

    assert_eq!(serde_json::from_str::<spillway_core::JobSpec>(&old).unwrap(), spec);
}
