//! What of a job goes into its task definition, and what into the overrides of its start. Pure.
//!
//! A definition is registered once for each content, and ECS lets few be registered, so what differs from job to job
//! (command, environment) goes into the overrides as long as it fits there.

mod storage;

use std::collections::BTreeMap;

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionInputBuilder;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, KeyValuePair, LinuxParameters, LogConfiguration,
    NetworkMode, RepositoryCredentials, ResourceRequirement, ResourceType, Ulimit, UlimitName,
};
use serde::Serialize;
use spillway_core::container::{ContainerSpec, Device, LogDriver, Mount, Secret, Tmpfs, Volume};
use spillway_core::effect::TaskRequest;

use super::JOB_CONTAINER;
use crate::{convert, limits};

/// To be raised when [`Definition::input`] makes something else of the same content.
const FORMAT: u32 = 1;

/// What the installation adds to a job.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    pub(super) deployment: String,
    pub(super) region: String,
    pub(super) log_group: Option<String>,
    pub(super) execution_role: Option<String>,
}

/// A job, split for ECS.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) definition: Definition,
    /// The command to override; empty leaves the definition's.
    pub(super) command: Vec<String>,
    /// Variables to set or replace.
    pub(super) environment: Vec<(String, String)>,
}

/// All that makes one task definition differ from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Definition {
    format: u32,
    deployment: String,
    image: String,
    cpu: i32,
    memory: i32,
    gpus: u32,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    secrets: Vec<Secret>,
    user: Option<String>,
    privileged: bool,
    // Left out where it is not so: a definition that was registered before keeps its name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    host_network: bool,
    readonly_root_filesystem: bool,
    init_process: bool,
    shared_memory_mib: Option<i32>,
    tmpfs: Vec<Tmpfs>,
    max_swap_mib: Option<i32>,
    swappiness: Option<i32>,
    devices: Vec<Device>,
    ulimits: Vec<(String, i32, i32)>,
    volumes: Vec<Volume>,
    mounts: Vec<Mount>,
    registry_credentials: Option<String>,
    task_role: Option<String>,
    execution_role: Option<String>,
    logs: Option<Logs>,
    stop_timeout: i32,
}

/// Where the output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Logs {
    driver: LogDriver,
    options: BTreeMap<String, String>,
    secrets: Vec<Secret>,
}

/// Splits a job. The job's own variables replace Spillway's of the same name.
pub(super) fn plan(request: &TaskRequest, defaults: &Defaults) -> Planned {
    let container = &request.spec.container;
    let is_own = |name: &str| container.environment.iter().any(|(own, _)| own == name);
    let added = request.environment.iter().filter(|(name, _)| !is_own(name));
    let mut environment: Vec<(String, String)> =
        added.map(|(name, value)| (name.clone(), value.clone())).collect();
    let mut definition = definition(request, defaults);
    let mut command = Vec::new();

    let whole: Vec<_> = environment.iter().chain(&container.environment).cloned().collect();
    if override_chars(&container.command, &whole) <= room() {
        command.clone_from(&container.command);
        environment = whole;
    } else {
        definition.command.clone_from(&container.command);
        definition.environment.clone_from(&container.environment);
    }
    Planned { definition, command, environment }
}

const fn room() -> usize {
    limits::OVERRIDE_CHARS_MAX - limits::OVERRIDE_CHARS_SPARE
}

/// How many characters the overrides take in JSON.
fn override_chars(command: &[String], environment: &[(String, String)]) -> usize {
    let text =
        |value: &str| serde_json::to_string(value).map_or(usize::MAX, |json| json.chars().count());
    let command = command.iter().map(|word| text(word).saturating_add(1));
    let pair = |(name, value): &(String, String)| {
        text(name).saturating_add(text(value)).saturating_add(r#"{"name":,"value":},"#.len())
    };
    command.chain(environment.iter().map(pair)).fold(0, usize::saturating_add)
}

fn definition(request: &TaskRequest, defaults: &Defaults) -> Definition {
    let spec = &request.spec;
    let container = &spec.container;
    let limit = storage::number;
    Definition {
        format: FORMAT,
        deployment: defaults.deployment.clone(),
        image: container.image.clone(),
        cpu: limit(spec.resources.cpu.get()),
        memory: limit(spec.resources.memory.get()).max(limits::CONTAINER_MEMORY_MIN),
        gpus: spec.resources.gpus,
        command: Vec::new(),
        environment: Vec::new(),
        secrets: container.secrets.clone(),
        user: container.user.clone(),
        privileged: container.privileged,
        host_network: container.host_network,
        readonly_root_filesystem: container.readonly_root_filesystem,
        init_process: container.init_process,
        shared_memory_mib: container.shared_memory_mib.map(limit),
        tmpfs: container.tmpfs.clone(),
        max_swap_mib: container.max_swap_mib.map(limit),
        swappiness: container.swappiness.map(limit),
        devices: container.devices.clone(),
        ulimits: container
            .ulimits
            .iter()
            .map(|(name, soft, hard)| (name.clone(), limit(*soft), limit(*hard)))
            .collect(),
        volumes: container.volumes.clone(),
        mounts: container.mounts.clone(),
        registry_credentials: container.registry_credentials.clone(),
        task_role: container.job_role_arn.clone(),
        execution_role: container
            .execution_role_arn
            .clone()
            .or_else(|| defaults.execution_role.clone()),
        logs: logs(container, defaults),
        stop_timeout: spec.time_limits.stop.map_or(limits::STOP_TIMEOUT_SECONDS, |time| {
            i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
        }),
    }
}

/// Of the `awslogs` driver the installation's options, then the job's; none where nobody names a group. Of another driver
/// the job's alone.
fn logs(container: &ContainerSpec, defaults: &Defaults) -> Option<Logs> {
    let mut options = BTreeMap::new();
    let driver = container.log_driver;
    let is_awslogs = driver == LogDriver::Awslogs;
    if let (true, Some(group)) = (is_awslogs, &defaults.log_group) {
        options.insert("awslogs-group".to_owned(), group.clone());
    }
    options.extend(container.log_options.clone());
    if is_awslogs {
        if !options.contains_key("awslogs-group") {
            return None;
        }
        options.entry("awslogs-region".to_owned()).or_insert_with(|| defaults.region.clone());
        options.entry("awslogs-stream-prefix".to_owned()).or_insert_with(|| "spillway".to_owned());
    }
    Some(Logs { driver, options, secrets: container.log_secrets.clone() })
}

impl Definition {
    /// The family that has this content, and no other.
    pub(super) fn family(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_else(|_| format!("{self:?}"));
        format!("spillway-{}", convert::content_hash(&json))
    }

    /// The request that registers it.
    ///
    /// `bridge` and not `host`: a job cannot take the host's role from the metadata service, which is one hop too far
    /// away, and two jobs may listen on the same port. `awsvpc` would cost a network interface for each job. The nodes of a
    /// multi-node job must reach each other at any port: they have `host`, where the operator allows it.
    pub(super) fn input(&self) -> RegisterTaskDefinitionInputBuilder {
        RegisterTaskDefinitionInputBuilder::default()
            .family(self.family())
            .network_mode(if self.host_network { NetworkMode::Host } else { NetworkMode::Bridge })
            .requires_compatibilities(Compatibility::Ec2)
            .set_task_role_arn(self.task_role.clone())
            .set_execution_role_arn(self.execution_role.clone())
            .set_volumes(storage::volumes(&self.volumes))
            .container_definitions(self.container())
    }

    fn container(&self) -> ContainerDefinition {
        let command = (!self.command.is_empty()).then(|| self.command.clone());
        ContainerDefinition::builder()
            .name(JOB_CONTAINER)
            .image(&self.image)
            .essential(true)
            .cpu(self.cpu)
            // The hard limit: a job that takes more is killed, and takes nothing from its neighbours.
            .memory(self.memory)
            .set_command(command)
            .set_environment(pairs(&self.environment))
            .set_secrets(storage::secrets(&self.secrets))
            .set_mount_points(storage::mounts(&self.mounts))
            .set_repository_credentials(self.repository_credentials())
            .set_user(self.user.clone())
            .set_privileged(self.privileged.then_some(true))
            .set_readonly_root_filesystem(self.readonly_root_filesystem.then_some(true))
            .set_linux_parameters(self.linux_parameters())
            .set_ulimits(self.ulimits())
            .set_resource_requirements(self.gpu_requirement())
            .set_log_configuration(self.log_configuration())
            .stop_timeout(self.stop_timeout)
            .build()
    }

    fn linux_parameters(&self) -> Option<LinuxParameters> {
        let has_numbers = [self.shared_memory_mib, self.max_swap_mib].iter().any(Option::is_some);
        let has_lists = !self.tmpfs.is_empty() || !self.devices.is_empty();
        (self.init_process || has_numbers || has_lists).then(|| {
            LinuxParameters::builder()
                .set_init_process_enabled(self.init_process.then_some(true))
                .set_shared_memory_size(self.shared_memory_mib)
                .set_tmpfs(storage::tmpfs(&self.tmpfs))
                .set_max_swap(self.max_swap_mib)
                .set_swappiness(self.swappiness)
                .set_devices(storage::devices(&self.devices))
                .build()
        })
    }

    fn ulimits(&self) -> Option<Vec<Ulimit>> {
        let ulimit = |(name, soft, hard): &(String, i32, i32)| {
            let limit = Ulimit::builder().name(UlimitName::from(name.as_str()));
            limit.soft_limit(*soft).hard_limit(*hard).build().ok()
        };
        (!self.ulimits.is_empty()).then(|| self.ulimits.iter().filter_map(ulimit).collect())
    }

    fn gpu_requirement(&self) -> Option<Vec<ResourceRequirement>> {
        let requirement = ResourceRequirement::builder().r#type(ResourceType::Gpu);
        let requirement = requirement.value(self.gpus.to_string()).build().ok()?;
        (self.gpus != 0).then(|| vec![requirement])
    }

    fn log_configuration(&self) -> Option<LogConfiguration> {
        let logs = self.logs.clone()?;
        LogConfiguration::builder()
            .log_driver(storage::log_driver(logs.driver))
            .set_options(Some(logs.options.into_iter().collect()))
            .set_secret_options(storage::secrets(&logs.secrets))
            .build()
            .ok()
    }

    fn repository_credentials(&self) -> Option<RepositoryCredentials> {
        let secret = self.registry_credentials.as_ref()?;
        RepositoryCredentials::builder().credentials_parameter(secret).build().ok()
    }
}

/// Variables as ECS takes them; none for none.
pub(super) fn pairs(environment: &[(String, String)]) -> Option<Vec<KeyValuePair>> {
    let pair =
        |(name, value): &(String, String)| KeyValuePair::builder().name(name).value(value).build();
    (!environment.is_empty()).then(|| environment.iter().map(pair).collect())
}

#[cfg(test)]
pub(super) mod tests;
