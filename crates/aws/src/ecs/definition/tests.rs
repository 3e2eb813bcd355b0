//! What goes where, for small and large jobs.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use aws_sdk_ecs::types::{ContainerDefinition, ResourceType};
use spillway_core::coalesce::{RunnerPlan, SharedChild};
use spillway_core::container::{
    ContainerSpec, Device, Efs, LogDriver, Mount, Secret, Tmpfs, VolumeSource,
};
use spillway_core::task_spec::{
    ContainerCondition, ContainerDependency, ContainerRole, Firelens, LogRouter, TaskContainer,
    TaskSpec,
};
use spillway_core::{AttemptOrd, ClientToken, CpuUnits, JobId, JobSpec, MiB, Resources};

use super::*;

pub(in crate::ecs) fn defaults() -> Defaults {
    Defaults {
        deployment: "lab".into(),
        region: "us-east-1".into(),
        log_group: None,
        execution_role: None,
        runner_image: None,
    }
}

fn container(command: &[&str], environment: &[(&str, &str)]) -> ContainerSpec {
    ContainerSpec {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        environment: environment.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect(),
        ..ContainerSpec::new("busybox")
    }
}

fn request_of(container: ContainerSpec, resources: Resources) -> TaskRequest {
    let job: JobId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    TaskRequest {
        job,
        attempt: AttemptOrd::FIRST,
        token: ClientToken::of_attempt(job, AttemptOrd::FIRST),
        instance: "i-0123456789abcdef0".parse().unwrap(),
        spec: Arc::new(JobSpec::new(
            "align".parse().unwrap(),
            "default".parse().unwrap(),
            container,
            resources,
        )),
        environment: BTreeMap::from([("SPILLWAY_JOB_ID".to_owned(), job.to_string())]),
        runner: None,
    }
}

/// The one container of a definition as ECS is told.
fn made(request: &TaskRequest) -> ContainerDefinition {
    plan(request, &defaults()).definition.containers[0].input()
}

pub(in crate::ecs) fn request(command: &[&str], environment: &[(&str, &str)]) -> TaskRequest {
    let resources = Resources::new(CpuUnits::new(512), MiB::new(1000), 0);
    request_of(container(command, environment), resources)
}

#[test]
fn jobs_that_differ_in_command_and_variables_share_a_definition() {
    let a = plan(&request(&["a"], &[("X", "1")]), &defaults());
    let b = plan(&request(&["b"], &[]), &defaults());

    assert_eq!(a.definition.family(), b.definition.family());
    assert!(a.definition.family().starts_with("spillway-"));
    assert_eq!(a.overrides[0].command, ["a"]);
}

#[test]
fn jobs_that_need_other_resources_do_not() {
    let small = request(&[], &[]);
    let large =
        request_of(container(&[], &[]), Resources::new(CpuUnits::new(1024), MiB::new(1000), 0));

    let family = |request| plan(request, &defaults()).definition.family();
    assert_ne!(family(&small), family(&large));
}

#[test]
fn what_does_not_fit_into_the_overrides_goes_into_the_definition() {
    let long = "x".repeat(limits::OVERRIDE_CHARS_MAX);

    let planned = plan(&request(&["run"], &[("BIG", &long)]), &defaults());

    let (made, added) = (&planned.definition.containers[0], &planned.overrides[0]);
    assert_eq!(made.environment, [("BIG".to_owned(), long)]);
    assert_eq!(made.command, ["run"]);
    assert!(added.command.is_empty());
    let names: Vec<_> = added.environment.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["SPILLWAY_JOB_ID"]);
}

#[test]
fn a_job_may_set_a_variable_of_ours_and_it_is_set_once() {
    let planned = plan(&request(&[], &[("SPILLWAY_JOB_ID", "mine")]), &defaults());

    let mine = [("SPILLWAY_JOB_ID".to_owned(), "mine".to_owned())];
    assert_eq!(planned.overrides[0].environment, mine);
}

#[test]
fn resources_are_hard_limits_of_the_container() {
    let resources = Resources::new(CpuUnits::new(512), MiB::new(2), 2);
    let request = request_of(container(&[], &[]), resources);

    let input = plan(&request, &defaults()).definition.input().build().unwrap();

    let container = &input.container_definitions()[0];
    assert_eq!((container.cpu(), container.memory()), (512, Some(6)));
    let gpu = &container.resource_requirements()[0];
    assert_eq!((gpu.r#type(), gpu.value()), (&ResourceType::Gpu, "2"));
    assert_eq!(container.stop_timeout(), Some(30));
    assert_eq!(input.network_mode(), Some(&NetworkMode::Bridge));
    assert_eq!(input.cpu(), None);
}

#[test]
fn linux_settings_are_passed_on_only_where_they_are_set() {
    let plain = made(&request(&[], &[]));
    let set = ContainerSpec {
        init_process: true,
        shared_memory_mib: Some(64),
        readonly_root_filesystem: true,
        user: Some("1000".into()),
        ulimits: vec![("nofile".into(), 1024, 2048)],
        ..container(&[], &[])
    };
    let set = made(&request_of(set, Resources::ZERO));

    assert!(plain.linux_parameters().is_none() && plain.ulimits().is_empty());
    let linux = set.linux_parameters().unwrap();
    assert_eq!((linux.init_process_enabled(), linux.shared_memory_size()), (Some(true), Some(64)));
    assert_eq!(set.readonly_root_filesystem(), Some(true));
    assert_eq!(set.user(), Some("1000"));
    assert_eq!((set.ulimits()[0].soft_limit(), set.ulimits()[0].hard_limit()), (1024, 2048));
}

#[test]
fn logs_go_to_the_installations_group_unless_the_job_says_otherwise() {
    let with_group = Defaults { log_group: Some("/spillway".into()), ..defaults() };
    let own = ContainerSpec {
        log_options: BTreeMap::from([("awslogs-group".to_owned(), "/mine".to_owned())]),
        ..container(&[], &[])
    };
    let options = |container: ContainerSpec, defaults: &Defaults| {
        let planned = plan(&request_of(container, Resources::ZERO), defaults);
        planned.definition.containers[0].logs.clone().map(|logs| logs.options)
    };

    assert_eq!(options(container(&[], &[]), &defaults()), None);
    let installed = options(container(&[], &[]), &with_group).unwrap();
    assert_eq!(installed["awslogs-group"], "/spillway");
    assert_eq!(installed["awslogs-region"], "us-east-1");
    assert_eq!(options(own, &with_group).unwrap()["awslogs-group"], "/mine");
}

#[test]
fn a_job_that_names_no_execution_role_gets_the_installations() {
    let role = "arn:aws:iam::1:role/exec";
    let with_role = Defaults { execution_role: Some(role.into()), ..defaults() };

    let planned = plan(&request(&[], &[]), &with_role);

    assert_eq!(planned.definition.execution_role.as_deref(), Some(role));
}

#[test]
fn what_a_container_gets_from_outside_is_passed_on() {
    let secret = |name: &str| Secret { name: name.into(), value_from: "arn:x".into() };
    let efs = Efs {
        file_system: "fs-1".into(),
        root: None,
        transit_encryption: true,
        transit_port: Some(2049),
        access_point: Some("fsap-1".into()),
        iam: true,
    };
    let volume = |name: &str, source| Volume { name: name.into(), source };
    let spec = ContainerSpec {
        privileged: true,
        secrets: vec![secret("TOKEN")],
        registry_credentials: Some("arn:hub".into()),
        volumes: vec![
            volume("scratch", VolumeSource::Scratch),
            volume("host", VolumeSource::Host { path: "/data".into() }),
            volume("efs", VolumeSource::Efs(efs)),
        ],
        mounts: vec![Mount { volume: "efs".into(), path: "/shared".into(), read_only: true }],
        tmpfs: vec![Tmpfs { path: "/run".into(), size_mib: 64, options: vec!["noexec".into()] }],
        max_swap_mib: Some(0),
        devices: vec![Device {
            host_path: "/dev/fuse".into(),
            container_path: None,
            permissions: Vec::new(),
        }],
        log_driver: LogDriver::Splunk,
        log_secrets: vec![secret("splunk-token")],
        ..container(&[], &[])
    };
    let definition = plan(&request_of(spec, Resources::ZERO), &defaults()).definition;

    let input = definition.input().build().unwrap();

    let [scratch, host, efs] = input.volumes() else { panic!("{:?}", input.volumes()) };
    assert_eq!(scratch.host().unwrap().source_path(), None);
    assert_eq!(host.host().unwrap().source_path(), Some("/data"));
    let efs = efs.efs_volume_configuration().unwrap();
    assert_eq!((efs.file_system_id(), efs.transit_encryption_port()), ("fs-1", Some(2049)));
    assert_eq!(efs.authorization_config().unwrap().access_point_id(), Some("fsap-1"));
    let container = &input.container_definitions()[0];
    assert_eq!((container.privileged(), container.secrets()[0].name()), (Some(true), "TOKEN"));
    assert_eq!(container.repository_credentials().unwrap().credentials_parameter(), "arn:hub");
    let mount = &container.mount_points()[0];
    assert_eq!((mount.container_path(), mount.read_only()), (Some("/shared"), Some(true)));
    let linux = container.linux_parameters().unwrap();
    assert_eq!((linux.max_swap(), linux.tmpfs()[0].size()), (Some(0), 64));
    assert_eq!(linux.devices()[0].host_path(), "/dev/fuse");
    let logs = container.log_configuration().unwrap();
    assert_eq!((logs.log_driver().as_str(), logs.secret_options().len()), ("splunk", 1));
}

#[test]
fn a_job_may_say_how_long_it_needs_to_stop() {
    let mut request = request(&[], &[]);
    let spec = Arc::make_mut(&mut request.spec);
    spec.time_limits.stop = Some(jiff::SignedDuration::from_secs(90));

    let container = made(&request);

    assert_eq!(container.stop_timeout(), Some(90));
}

/// A job whose main container waits for the success of another, which is fetched from `fetch`; a third routes the logs.
fn several(fetch: &[(&str, &str)]) -> TaskRequest {
    let role = |name: &str, essential| ContainerRole {
        name: name.to_owned(),
        essential,
        depends_on: Vec::new(),
        start_timeout_secs: None,
        stop_timeout_secs: None,
        firelens: None,
    };
    let other = |role, container| TaskContainer {
        role,
        resources: Resources::new(CpuUnits::new(128), MiB::new(64), 0),
        container,
    };
    let on_fetch =
        ContainerDependency { container: "fetch".into(), condition: ContainerCondition::Success };
    let firelens = Firelens { router: LogRouter::Fluentbit, options: BTreeMap::new() };
    let mut request = request(&["work"], &[("A", "1")]);
    let spec = Arc::make_mut(&mut request.spec);
    spec.container.job_role_arn = Some("arn:aws:iam::1:role/work".into());
    spec.task = Some(Box::new(TaskSpec {
        main: ContainerRole {
            depends_on: vec![on_fetch],
            stop_timeout_secs: Some(60),
            ..role("work", true)
        },
        main_at: 1,
        others: vec![
            other(role("fetch", false), container(&["fetch"], fetch)),
            other(
                ContainerRole { firelens: Some(firelens), ..role("logs", true) },
                container(&[], &[]),
            ),
        ],
        ipc: Some(NamespaceMode::Task),
        pid: None,
    }));
    request
}

#[test]
fn several_containers_are_one_definition_and_each_has_its_own_overrides() {
    let planned = plan(&several(&[("URL", "s3://b/k")]), &defaults());

    let input = planned.definition.input().build().unwrap();
    let [fetch, work, logs] = input.container_definitions() else { panic!("{input:?}") };
    assert_eq!((fetch.name(), fetch.essential()), (Some("fetch"), Some(false)));
    assert_eq!((fetch.cpu(), fetch.memory()), (128, Some(64)));
    assert_eq!((work.cpu(), work.memory()), (512 - 256, Some(1000 - 128)), "what the others leave");
    let on = &work.depends_on()[0];
    assert_eq!((on.container_name(), on.condition().as_str()), ("fetch", "SUCCESS"));
    assert_eq!((work.stop_timeout(), fetch.stop_timeout()), (Some(60), Some(30)));
    assert_eq!(logs.firelens_configuration().unwrap().r#type().as_str(), "fluentbit");
    assert_eq!(input.task_role_arn(), Some("arn:aws:iam::1:role/work"));
    assert_eq!(input.ipc_mode().unwrap().as_str(), "task");
    let names: Vec<&str> = planned.overrides.iter().map(|o| o.container.as_str()).collect();
    assert_eq!(names, ["fetch", "work", "logs"]);
    assert_eq!(planned.overrides[1].command, ["work"]);
    for added in &planned.overrides {
        assert_eq!(added.environment[0].0, "SPILLWAY_JOB_ID", "{}", added.container);
    }
}

#[test]
fn the_overrides_of_all_containers_are_counted_together() {
    let half = "x".repeat(limits::OVERRIDE_CHARS_MAX / 2);
    let mut request = several(&[("BIG", &half)]);
    let fits = plan(&request, &defaults());
    Arc::make_mut(&mut request.spec).container.environment.push(("BIG".into(), half));

    let too_long = plan(&request, &defaults());

    assert_eq!(fits.definition.containers[0].environment, []);
    assert_eq!(too_long.definition.containers[0].environment.len(), 1);
    assert_eq!(too_long.definition.containers[1].command, ["work"]);
    assert!(too_long.overrides.iter().all(|added| added.command.is_empty()));
}

/// A start of the first three children of an array, two side by side.
fn shared(image: Option<&str>) -> Planned {
    let child = |index| SharedChild { index, attempt: AttemptOrd::FIRST, counted: 1 };
    let mut request = request(&["work", "--fast"], &[("A", "1")]);
    request.runner = Some(Box::new(RunnerPlan {
        key: "5f1d".into(),
        array: request.job.whole(),
        size: 3,
        parallel: NonZeroU32::new(2).unwrap(),
        timeout: None,
        stop: jiff::SignedDuration::from_secs(30),
        children: (0..3).map(child).collect(),
    }));
    let log_group = Some("/spillway/lab".to_owned());
    let runner_image = image.map(str::to_owned);
    plan(&request, &Defaults { log_group, runner_image, ..defaults() })
}

#[test]
fn the_runner_is_the_entry_point_of_a_shared_task_and_another_container_brings_it() {
    let planned = shared(Some("registry/spillway-runner:1"));

    let [job, bring] = planned.definition.containers.as_slice() else { panic!("{planned:?}") };
    let (job, bring) = (job.input(), bring.input());
    assert_eq!(job.entry_point(), ["/.spillway/runner", "run"]);
    assert_eq!(bring.entry_point(), ["/spillway-runner", "install", "/.spillway/runner"]);
    assert_eq!(
        (bring.essential(), bring.image()),
        (Some(false), Some("registry/spillway-runner:1"))
    );
    assert_eq!(job.depends_on()[0].container_name(), "spillway-runner");
    assert_eq!(job.mount_points()[0].source_volume(), bring.mount_points()[0].source_volume());
    assert_eq!(job.memory().zip(bring.memory()).map(|(a, b)| a + b), Some(1000), "as planned");
    assert_eq!(job.stop_timeout(), Some(35));
}

#[test]
fn the_plan_of_a_shared_task_travels_in_its_overrides_beside_the_command() {
    let planned = shared(Some("runner"));

    let [of_job] = planned.overrides.as_slice() else { panic!("{planned:?}") };
    assert_eq!((of_job.container.as_str(), of_job.command.len()), ("job", 2));
    let plan = of_job.environment.iter().find(|(name, _)| name == PLAN_VARIABLE);
    assert!(plan.is_some_and(|(_, plan)| plan.ends_with("children=0-2")), "{plan:?}");
}

#[test]
fn all_tasks_of_an_array_have_one_definition() {
    let one = shared(Some("runner"));

    assert_eq!(one.definition.family(), shared(Some("runner")).definition.family());
    assert_ne!(one.definition.family(), shared(Some("other")).definition.family());
    assert_ne!(one.definition.family(), shared(None).definition.family());
}
