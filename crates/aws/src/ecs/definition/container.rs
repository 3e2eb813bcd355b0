//! One container of a task definition: what of it is ECS's, and how ECS is told. Pure.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    ContainerCondition as EcsCondition, ContainerDefinition, ContainerDependency,
    FirelensConfiguration, FirelensConfigurationType, LinuxParameters, LogConfiguration,
    RepositoryCredentials, ResourceRequirement, ResourceType, Ulimit, UlimitName,
};
use serde::Serialize;
use spillway_core::JobSpec;
use spillway_core::container::{
    ContainerSpec, Device, LOG_STREAM_PREFIX, LOG_STREAM_PREFIX_OPTION, LogDriver, Mount, Secret,
    Tmpfs,
};
use spillway_core::task_spec::{
    ContainerCondition, ContainerDependency as Dependency, Firelens, LogRouter, Part,
};

use super::{Defaults, pairs, storage};
use crate::ecs::JOB_CONTAINER;
use crate::limits;

/// All that makes one container differ from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "as ECS has them")]
pub(in crate::ecs) struct Container {
    pub(super) name: String,
    pub(super) essential: bool,
    pub(super) depends_on: Vec<Dependency>,
    start_timeout: Option<i32>,
    firelens: Option<Firelens>,
    pub(super) image: String,
    pub(super) cpu: i32,
    pub(super) memory: i32,
    gpus: u32,
    // Left out where there is none: a definition that was registered before keeps its name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entry_point: Vec<String>,
    pub(super) command: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    secrets: Vec<Secret>,
    user: Option<String>,
    privileged: bool,
    readonly_root_filesystem: bool,
    init_process: bool,
    shared_memory_mib: Option<i32>,
    tmpfs: Vec<Tmpfs>,
    max_swap_mib: Option<i32>,
    swappiness: Option<i32>,
    devices: Vec<Device>,
    ulimits: Vec<(String, i32, i32)>,
    pub(super) mounts: Vec<Mount>,
    pub(super) registry_credentials: Option<String>,
    pub(super) logs: Option<Logs>,
    pub(super) stop_timeout: i32,
}

/// Where the output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Logs {
    driver: LogDriver,
    pub(super) options: BTreeMap<String, String>,
    secrets: Vec<Secret>,
}

impl Container {
    /// A container of a job, without its command and its variables.
    pub(super) fn of(part: &Part<'_>, spec: &JobSpec, defaults: &Defaults) -> Self {
        let Part { role, container, resources } = part;
        let limit = storage::number;
        let stop_timeout = match role {
            Some(role) => role.stop_timeout_secs.map(limit),
            None => {
                spec.time_limits.stop.map(|time| i32::try_from(time.as_secs()).unwrap_or(i32::MAX))
            }
        };
        Self {
            name: role.map_or(JOB_CONTAINER, |role| role.name.as_str()).to_owned(),
            essential: role.is_none_or(|role| role.essential),
            depends_on: role.map(|role| role.depends_on.clone()).unwrap_or_default(),
            start_timeout: role.and_then(|role| role.start_timeout_secs).map(limit),
            firelens: role.and_then(|role| role.firelens.clone()),
            image: container.image.clone(),
            cpu: limit(resources.cpu.get()),
            memory: limit(resources.memory.get()).max(limits::CONTAINER_MEMORY_MIN),
            gpus: resources.gpus,
            entry_point: Vec::new(),
            command: Vec::new(),
            environment: Vec::new(),
            secrets: container.secrets.clone(),
            user: container.user.clone(),
            privileged: container.privileged,
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
            mounts: container.mounts.clone(),
            registry_credentials: container.registry_credentials.clone(),
            logs: logs(container, defaults),
            stop_timeout: stop_timeout.unwrap_or(limits::STOP_TIMEOUT_SECONDS),
        }
    }

    /// A container that helps another: it is not essential, and takes no CPU that is counted.
    pub(super) fn of_image(name: &str, image: &str, memory: i32) -> Self {
        Self {
            name: name.to_owned(),
            essential: false,
            depends_on: Vec::new(),
            start_timeout: None,
            firelens: None,
            image: image.to_owned(),
            cpu: 0,
            memory,
            gpus: 0,
            entry_point: Vec::new(),
            command: Vec::new(),
            environment: Vec::new(),
            secrets: Vec::new(),
            user: None,
            privileged: false,
            readonly_root_filesystem: false,
            init_process: false,
            shared_memory_mib: None,
            tmpfs: Vec::new(),
            max_swap_mib: None,
            swappiness: None,
            devices: Vec::new(),
            ulimits: Vec::new(),
            mounts: Vec::new(),
            registry_credentials: None,
            logs: None,
            stop_timeout: limits::STOP_TIMEOUT_SECONDS,
        }
    }

    /// The same in ECS's types.
    pub(super) fn input(&self) -> ContainerDefinition {
        let command = (!self.command.is_empty()).then(|| self.command.clone());
        ContainerDefinition::builder()
            .name(&self.name)
            .image(&self.image)
            .essential(self.essential)
            .set_depends_on(self.depends_on())
            .set_start_timeout(self.start_timeout)
            .set_firelens_configuration(self.firelens())
            .cpu(self.cpu)
            // The hard limit: a container that takes more is killed, and takes nothing from its neighbours.
            .memory(self.memory)
            .set_entry_point((!self.entry_point.is_empty()).then(|| self.entry_point.clone()))
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

    fn depends_on(&self) -> Option<Vec<ContainerDependency>> {
        let dependency = |Dependency { container, condition }: &Dependency| {
            let condition = match condition {
                ContainerCondition::Start => EcsCondition::Start,
                ContainerCondition::Complete => EcsCondition::Complete,
                ContainerCondition::Success => EcsCondition::Success,
            };
            let on = ContainerDependency::builder().container_name(container).condition(condition);
            on.build().ok()
        };
        (!self.depends_on.is_empty())
            .then(|| self.depends_on.iter().filter_map(dependency).collect())
    }

    fn firelens(&self) -> Option<FirelensConfiguration> {
        let Firelens { router, options } = self.firelens.as_ref()?;
        let kind = match router {
            LogRouter::Fluentd => FirelensConfigurationType::Fluentd,
            LogRouter::Fluentbit => FirelensConfigurationType::Fluentbit,
        };
        let options = (!options.is_empty()).then(|| options.clone().into_iter().collect());
        FirelensConfiguration::builder().r#type(kind).set_options(options).build().ok()
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
        options
            .entry(LOG_STREAM_PREFIX_OPTION.to_owned())
            .or_insert_with(|| LOG_STREAM_PREFIX.to_owned());
    }
    Some(Logs { driver, options, secrets: container.log_secrets.clone() })
}
