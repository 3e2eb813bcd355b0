//! What of a job goes into its task definition, and what into the overrides of its start. Pure.
//!
//! A definition is registered once for each content, and ECS lets few be registered, so what differs from job to job
//! (command, environment) goes into the overrides as long as it fits there.

use std::collections::BTreeMap;

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionInputBuilder;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, KeyValuePair, LinuxParameters, LogConfiguration, LogDriver,
    NetworkMode, ResourceRequirement, ResourceType, Ulimit, UlimitName,
};
use serde::Serialize;
use spillway_core::effect::TaskRequest;

use super::JOB_CONTAINER;
use crate::{convert, limits};

/// To be raised when [`Definition::input`] makes something else of the same content.
const FORMAT: u32 = 2;

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
    user: Option<String>,
    readonly_root_filesystem: bool,
    init_process: bool,
    shared_memory_mib: Option<i32>,
    ulimits: Vec<(String, i32, i32)>,
    task_role: Option<String>,
    execution_role: Option<String>,
    logs: Option<BTreeMap<String, String>>,
    stop_timeout: i32,
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
    let limit = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    Definition {
        format: FORMAT,
        deployment: defaults.deployment.clone(),
        image: container.image.clone(),
        cpu: limit(spec.resources.cpu.get()),
        memory: limit(spec.resources.memory.get()).max(limits::CONTAINER_MEMORY_MIN),
        gpus: spec.resources.gpus,
        command: Vec::new(),
        environment: Vec::new(),
        user: container.user.clone(),
        readonly_root_filesystem: container.readonly_root_filesystem,
        init_process: container.init_process,
        shared_memory_mib: container.shared_memory_mib.map(limit),
        ulimits: container
            .ulimits
            .iter()
            .map(|(name, soft, hard)| (name.clone(), limit(*soft), limit(*hard)))
            .collect(),
        task_role: container.job_role_arn.clone(),
        execution_role: container
            .execution_role_arn
            .clone()
            .or_else(|| defaults.execution_role.clone()),
        logs: logs(&container.awslogs_options, defaults),
        stop_timeout: spec.time_limits.stop.map_or(limits::STOP_TIMEOUT_SECONDS, |time| {
            i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
        }),
    }
}

/// Options of the `awslogs` driver: the installation's, then the job's. None where nobody names a group.
fn logs(own: &BTreeMap<String, String>, defaults: &Defaults) -> Option<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    if let Some(group) = &defaults.log_group {
        options.insert("awslogs-group".to_owned(), group.clone());
    }
    options.extend(own.clone());
    if !options.contains_key("awslogs-group") {
        return None;
    }
    options.entry("awslogs-region".to_owned()).or_insert_with(|| defaults.region.clone());
    options.entry("awslogs-stream-prefix".to_owned()).or_insert_with(|| "spillway".to_owned());
    Some(options)
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
    /// away, and two jobs may listen on the same port. `awsvpc` would cost a network interface for each job.
    pub(super) fn input(&self) -> RegisterTaskDefinitionInputBuilder {
        RegisterTaskDefinitionInputBuilder::default()
            .family(self.family())
            .network_mode(NetworkMode::Bridge)
            .requires_compatibilities(Compatibility::Ec2)
            .set_task_role_arn(self.task_role.clone())
            .set_execution_role_arn(self.execution_role.clone())
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
            .set_user(self.user.clone())
            .set_readonly_root_filesystem(self.readonly_root_filesystem.then_some(true))
            .set_linux_parameters(self.linux_parameters())
            .set_ulimits(self.ulimits())
            .set_resource_requirements(self.gpu_requirement())
            .set_log_configuration(self.log_configuration())
            .stop_timeout(self.stop_timeout)
            .build()
    }

    fn linux_parameters(&self) -> Option<LinuxParameters> {
        let is_needed = self.init_process || self.shared_memory_mib.is_some();
        is_needed.then(|| {
            LinuxParameters::builder()
                .set_init_process_enabled(self.init_process.then_some(true))
                .set_shared_memory_size(self.shared_memory_mib)
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
        let options = self.logs.clone()?.into_iter().collect();
        let configuration = LogConfiguration::builder().log_driver(LogDriver::Awslogs);
        configuration.set_options(Some(options)).build().ok()
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
