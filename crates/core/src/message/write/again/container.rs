//! Writes a container once more. Every part of one is named here.

use super::super::super::shape::{
    self, ContainerProperties, LinuxParameters, LogConfiguration, NameValue, RepositoryCredentials,
    Ulimit,
};
use super::super::{requirements, storage};
use crate::container::{ContainerSpec, LogDriver};
use crate::quantity::Resources;

/// The one container of a job.
pub(super) fn properties(container: &ContainerSpec, resources: &Resources) -> ContainerProperties {
    let ContainerSpec {
        image,
        command,
        environment,
        secrets,
        user,
        privileged,
        readonly_root_filesystem,
        init_process,
        shared_memory_mib,
        tmpfs,
        max_swap_mib,
        swappiness,
        devices,
        ulimits,
        volumes,
        mounts,
        registry_credentials,
        job_role_arn,
        execution_role_arn,
        log_driver,
        log_options,
        log_secrets,
    } = container;
    let variable = |(name, value): &(String, String)| NameValue {
        name: Some(name.clone()),
        value: Some(value.clone()),
    };
    let ulimit = |(name, soft, hard): &(String, u32, u32)| Ulimit {
        name: Some(name.clone()),
        soft_limit: Some(i64::from(*soft)),
        hard_limit: Some(i64::from(*hard)),
    };
    let says_of_logs =
        *log_driver != LogDriver::Awslogs || !log_options.is_empty() || !log_secrets.is_empty();
    ContainerProperties {
        image: Some(image.clone()),
        command: Some(command.clone()),
        environment: Some(environment.iter().map(variable).collect()),
        resource_requirements: Some(requirements(resources)),
        vcpus: None,
        memory: None,
        user: user.clone(),
        readonly_root_filesystem: Some(*readonly_root_filesystem),
        ulimits: Some(ulimits.iter().map(ulimit).collect()),
        linux_parameters: Some(LinuxParameters {
            init_process_enabled: Some(*init_process),
            shared_memory_size: shared_memory_mib.map(i64::from),
            tmpfs: Some(tmpfs.iter().map(storage::tmpfs).collect()),
            max_swap: max_swap_mib.map(i64::from),
            swappiness: swappiness.map(i64::from),
            devices: Some(devices.iter().map(storage::device).collect()),
        }),
        job_role_arn: job_role_arn.clone(),
        execution_role_arn: execution_role_arn.clone(),
        log_configuration: says_of_logs.then(|| LogConfiguration {
            log_driver: Some(driver(*log_driver)),
            options: Some(log_options.clone()),
            secret_options: Some(log_secrets.iter().map(storage::secret).collect()),
        }),
        volumes: Some(volumes.iter().map(storage::volume).collect()),
        mount_points: Some(mounts.iter().map(storage::mount).collect()),
        secrets: Some(secrets.iter().map(storage::secret).collect()),
        privileged: Some(*privileged),
        repository_credentials: registry_credentials
            .as_ref()
            .map(|secret| RepositoryCredentials { credentials_parameter: Some(secret.clone()) }),
        // `spillway.architecture` says it.
        runtime_platform: None,
    }
}

const fn driver(driver: LogDriver) -> shape::LogDriver {
    match driver {
        LogDriver::Awsfirelens => shape::LogDriver::Awsfirelens,
        LogDriver::Awslogs => shape::LogDriver::Awslogs,
        LogDriver::Fluentd => shape::LogDriver::Fluentd,
        LogDriver::Gelf => shape::LogDriver::Gelf,
        LogDriver::JsonFile => shape::LogDriver::JsonFile,
        LogDriver::Journald => shape::LogDriver::Journald,
        LogDriver::Splunk => shape::LogDriver::Splunk,
        LogDriver::Syslog => shape::LogDriver::Syslog,
    }
}
