//! Jobs of several containers: what each must say, what they are to each other, and what is refused with which place.

use serde_json::{Value, json};
use spillway_core::container::LogDriver;
use spillway_core::job::JobSpec;
use spillway_core::message::{code, limits};
use spillway_core::task_spec::{ContainerCondition, NamespaceMode};

use crate::sample::{job, least, parse, with};

const CONTAINERS: &str = "/jobDefinition/ecsProperties/taskProperties/0/containers";

fn needs(vcpus: &str, memory: &str) -> Value {
    json!([{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}])
}

/// A container that fetches, one that works, and one that routes the logs of the two.
pub(crate) fn pipeline() -> Value {
    let mut message = least();
    message["jobDefinition"] = json!({
        "jobDefinitionName": "align", "type": "container",
        "ecsProperties": {"taskProperties": [{
            "taskRoleArn": "arn:aws:iam::1:role/work", "executionRoleArn": "arn:aws:iam::1:role/pull",
            "ipcMode": "task", "pidMode": "task",
            "runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"},
            "volumes": [{"name": "data"}],
            "containers": [
                {"name": "logs", "image": "fluent-bit", "resourceRequirements": needs("0.125", "64"),
                 "firelensConfiguration": {"type": "fluentbit", "options": {"enable-ecs-log-metadata": "true"}}},
                {"name": "fetch", "image": "aws-cli", "essential": false, "command": ["cp", "Ref::in", "/data"],
                 "resourceRequirements": needs("0.5", "128"),
                 "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
                 "logConfiguration": {"logDriver": "awsfirelens", "options": {"Name": "s3"}}},
                {"name": "work", "image": "bwa", "command": ["bwa", "/data"],
                 "dependsOn": [{"containerName": "fetch", "condition": "SUCCESS"},
                               {"containerName": "logs", "condition": "START"}],
                 "startTimeout": 120, "stopTimeout": 60,
                 "environment": [{"name": "A", "value": "1"}],
                 "resourceRequirements": needs("2", "4096"),
                 "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": true}]}
            ]
        }]}
    });
    message["parameters"] = json!({"in": "s3://bucket/in"});
    message["ecsPropertiesOverride"] = json!({"taskProperties": [{"containers": [
        {"name": "work", "command": ["bwa", "mem"], "environment": [{"name": "A", "value": "2"}],
         "resourceRequirements": [{"type": "MEMORY", "value": "8192"}]}
    ]}]});
    message
}

fn spec(message: &Value) -> JobSpec {
    let (spec, warnings) = job(message);
    assert_eq!(warnings, Vec::<String>::new());
    spec
}

/// Holds that the message is refused at a place below the task's containers, or elsewhere.
fn refused(message: &Value, path: &str, what: &str) {
    let rejection = parse(message).expect_err(path);
    let below = "jobDefinition.ecsProperties.taskProperties[0].containers";
    let full = path.strip_prefix('.').map_or_else(
        || if path.starts_with('[') { format!("{below}{path}") } else { path.to_owned() },
        |path| format!("jobDefinition.ecsProperties.{path}"),
    );
    assert_eq!(rejection.path.as_deref(), Some(full.as_str()), "{rejection:?}");
    assert!(rejection.reason.contains(what), "{rejection:?}");
}

fn changed(pointer: &str, value: Value) -> Value {
    with(pipeline(), &format!("{CONTAINERS}{pointer}"), value)
}

#[test]
fn each_container_is_read_as_a_single_one_is_and_the_job_needs_their_sum() {
    let spec = spec(&pipeline());

    let task = spec.task.as_ref().unwrap();
    let names: Vec<&str> =
        spec.parts().iter().map(|part| part.role.unwrap().name.as_str()).collect();
    assert_eq!(names, ["logs", "fetch", "work"]);
    assert_eq!(task.main.name, "work", "the first essential one that routes no logs");
    assert_eq!(spec.resources.to_string(), "2.625 vCPU, 8384 MiB");
    let parts = spec.parts();
    assert_eq!(parts[2].resources.to_string(), "2 vCPU, 8 GiB", "as the job says otherwise");
    assert_eq!(parts[2].container.command, ["bwa", "mem"]);
    assert_eq!(parts[2].container.environment, [("A".to_owned(), "2".to_owned())]);
    assert_eq!(parts[1].container.command[1], "s3://bucket/in");
    assert_eq!(parts[1].container.log_driver, LogDriver::Awsfirelens);
    assert_eq!((parts[1].role.unwrap().essential, parts[0].role.unwrap().essential), (false, true));
    let conditions = task.main.depends_on.iter().map(|d| (d.container.as_str(), d.condition));
    assert_eq!(
        conditions.collect::<Vec<_>>(),
        [("fetch", ContainerCondition::Success), ("logs", ContainerCondition::Start)]
    );
    assert_eq!((task.ipc, task.pid), (Some(NamespaceMode::Task), Some(NamespaceMode::Task)));
    assert_eq!(spec.container.job_role_arn.as_deref(), Some("arn:aws:iam::1:role/work"));
    assert_eq!(spec.container.volumes.len(), 1);
    assert_eq!(spec.arch, Some(spillway_core::Arch::Arm64));
}

#[test]
fn containers_stop_one_after_the_other_and_the_job_knows_how_long_that_takes() {
    // `work` has 60 s; what it depends on is stopped after it and has the usual 30.
    assert_eq!(spec(&pipeline()).time_limits.stop.unwrap().as_secs(), 90);

    let usual = with(pipeline(), "/spillway/stopTimeoutSeconds", json!(40));
    assert_eq!(spec(&usual).time_limits.stop.unwrap().as_secs(), 100);
    let one = spec(&usual);
    let stops: Vec<_> = one.parts().iter().map(|p| p.role.unwrap().stop_timeout_secs).collect();
    assert_eq!(stops, [Some(40), Some(40), Some(60)]);
}

#[test]
fn one_container_may_be_written_in_either_way() {
    let mut message = least();
    let container = json!({"image": "busybox", "resourceRequirements": needs("1", "512")});
    message["jobDefinition"] =
        json!({"ecsProperties": {"taskProperties": [{"containers": [container]}]}});
    message["ecsPropertiesOverride"] =
        json!({"taskProperties": [{"containers": [{"command": ["date"]}]}]});

    let spec = spec(&message);

    assert_eq!(spec.container.command, ["date"]);
    assert_eq!(spec.resources, job(&least()).0.resources);
    assert_eq!(spec.task.unwrap().main.name, "default");
}

#[test]
fn a_task_has_one_to_ten_containers_and_one_of_them_is_essential() {
    let containers = |n: usize| {
        let one = json!({"image": "x", "resourceRequirements": needs("1", "4")});
        with(pipeline(), CONTAINERS, Value::from(vec![one; n]))
    };
    refused(&containers(0), ".taskProperties[0].containers", "1 to 10");
    refused(&containers(11), ".taskProperties[0].containers", "1 to 10");
    let mut two_tasks = pipeline();
    let tasks =
        two_tasks["jobDefinition"]["ecsProperties"]["taskProperties"].as_array_mut().unwrap();
    tasks.push(tasks[0].clone());
    refused(&two_tasks, ".taskProperties", "one element, not 2");
    let none = with(pipeline(), "/jobDefinition/ecsProperties", json!({}));
    refused(&none, ".taskProperties", "missing");
    let mut idle = pipeline();
    for index in [0, 2] {
        idle = with(idle, &format!("{CONTAINERS}/{index}/essential"), json!(false));
    }
    refused(&idle, ".taskProperties[0].containers", "none of them is essential");
}

#[test]
fn names_and_dependencies_of_containers_are_looked_at() {
    refused(&changed("/1/name", json!("work")), "[2].name", "there twice");
    refused(&changed("/1/name", json!("a b")), "[1].name", "not a container's name");
    let waits = |on: &str, condition: &str| {
        changed("/2/dependsOn", json!([{"containerName": on, "condition": condition}]))
    };
    refused(&waits("nobody", "START"), "[2].dependsOn[0].containerName", "no container");
    refused(&waits("work", "START"), "[2].dependsOn[0].containerName", "itself");
    refused(&waits("logs", "COMPLETE"), "[2].dependsOn[0].condition", "is essential");
    refused(&waits("fetch", "HEALTHY"), "[2].dependsOn[0].condition", "HEALTHY");
    let circle = json!([{"containerName": "work", "condition": "START"}]);
    refused(&changed("/1/dependsOn", circle), "[1].dependsOn", "circle");
    let twice = json!([{"containerName": "fetch", "condition": "START"},
                       {"containerName": "fetch", "condition": "SUCCESS"}]);
    refused(&changed("/2/dependsOn", twice), "[2].dependsOn[1].containerName", "twice");
    let unsaid = json!([{"containerName": "fetch"}]);
    refused(&changed("/2/dependsOn", unsaid), "[2].dependsOn[0].condition", "missing");
    refused(&changed("/2/startTimeout", json!(1)), "[2].startTimeout", "2 to 86400");
    refused(&changed("/2/stopTimeout", json!(3601)), "[2].stopTimeout", "2 to 3600");
}

#[test]
fn a_mistake_in_one_of_several_containers_is_told_with_its_place() {
    refused(&changed("/1/image", json!("a b")), "[1].image", "not an image reference");
    refused(&changed("/1/image", Value::Null), "[1].image", "missing");
    let memory = json!([{"type": "VCPU", "value": "1"}]);
    refused(&changed("/1/resourceRequirements", memory), "[1].resourceRequirements", "MEMORY");
    let mount = json!([{"sourceVolume": "none", "containerPath": "/x"}]);
    refused(&changed("/2/mountPoints", mount), "[2].mountPoints[0].sourceVolume", "no volume");
    let reserved = json!([{"name": "AWS_BATCH_JOB_ID", "value": "x"}]);
    refused(&changed("/0/environment", reserved), "[0].environment[0].name", "reserved");
    let role = "/jobDefinition/ecsProperties/taskProperties/0/taskRoleArn";
    refused(&with(pipeline(), role, json!("x")), ".taskProperties[0].taskRoleArn", "IAM role");
}

#[test]
fn logs_are_routed_only_where_one_container_routes_them() {
    refused(
        &changed("/0/firelensConfiguration", Value::Null),
        "[1].logConfiguration.logDriver",
        "no other container routes",
    );
    let own = json!({"logDriver": "awsfirelens"});
    refused(&changed("/0/logConfiguration", own), "[0].logConfiguration.logDriver", "no other");
    let second = json!({"type": "fluentd"});
    refused(&changed("/2/firelensConfiguration", second), "[2].firelensConfiguration", "already");
    refused(
        &changed("/0/firelensConfiguration", json!({})),
        "[0].firelensConfiguration.type",
        "missing",
    );
}

#[test]
fn what_a_job_says_otherwise_must_be_said_in_the_way_of_its_definition() {
    let place = "ecsPropertiesOverride.taskProperties[0].containers";
    let overriding = |containers: Value| {
        with(pipeline(), "/ecsPropertiesOverride/taskProperties/0/containers", containers)
    };
    let unknown = overriding(json!([{"name": "x"}]));
    refused(&unknown, &format!("{place}[0].name"), "there is no container");
    refused(&overriding(json!([{}])), &format!("{place}[0].name"), "missing");
    let twice = overriding(json!([{"name": "work"}, {"name": "work"}]));
    refused(&twice, &format!("{place}[1].name"), "twice");
    let wrong = overriding(json!([{"name": "work", "environment": [{"name": "=", "value": "x"}]}]));
    refused(&wrong, &format!("{place}[0].environment[0].name"), "not a variable's name");

    let single = with(pipeline(), "/containerOverrides", json!({"command": ["x"]}));
    refused(&single, "containerOverrides", "one container");
    let several =
        with(least(), "/ecsPropertiesOverride", pipeline()["ecsPropertiesOverride"].clone());
    refused(&several, "ecsPropertiesOverride", "several containers");
    let both = with(
        pipeline(),
        "/jobDefinition/containerProperties",
        least()["jobDefinition"]["containerProperties"].clone(),
    );
    refused(&both, "jobDefinition.ecsProperties", "beside containerProperties");
}

#[test]
fn commands_and_variables_of_all_containers_share_what_ecs_takes() {
    let long = |n: usize| json!([{"name": "X", "value": "x".repeat(n)}]);
    let half = changed("/0/environment", long(2_900));
    assert!(parse(&half).is_ok());

    let both = with(half, &format!("{CONTAINERS}/2/environment"), long(3_200));

    let rejection = parse(&both).unwrap_err();
    assert_eq!(rejection.code, code::TOO_LARGE);
    refused(&both, "[2]", &limits::OVERRIDES_CHARS_MAX.to_string());
}

#[test]
fn a_job_of_before_has_one_container() {
    let text = serde_json::to_string(&job(&least()).0).unwrap();

    assert!(!text.contains("\"task\""), "nothing is stored of what is not there");
    let several = spec(&pipeline());
    let text = serde_json::to_string(&several).unwrap();
    assert_eq!(serde_json::from_str::<JobSpec>(&text).unwrap(), several);
}
