//! Writes the several containers of a job once more: each as a single one is, and what they are to each other.

use super::super::super::shape::{
    self, ContainerProperties, DependencyCondition, EcsProperties, EcsTaskProperties,
    FirelensConfiguration, IpcMode, PidMode, TaskContainerDependency, TaskContainerProperties,
};
use super::super::storage;
use super::container;
use crate::job::JobSpec;
use crate::task_spec::{
    ContainerCondition, ContainerDependency, ContainerRole, Firelens, LogRouter, NamespaceMode,
    Part, TaskSpec,
};

/// All containers of a job. Volumes and roles are the task's, and said by the main container.
pub(super) fn properties(task: &TaskSpec, spec: &JobSpec) -> EcsProperties {
    // The roles and the other containers are in the parts.
    let TaskSpec { main: _, main_at: _, others: _, ipc, pid } = task;
    let main = &spec.container;
    let parts = spec.parts();
    EcsProperties {
        task_properties: Some(vec![EcsTaskProperties {
            containers: Some(parts.iter().map(member).collect()),
            execution_role_arn: main.execution_role_arn.clone(),
            task_role_arn: main.job_role_arn.clone(),
            ipc_mode: ipc.map(|mode| match mode {
                NamespaceMode::Host => IpcMode::Host,
                NamespaceMode::Task => IpcMode::Task,
                NamespaceMode::None => IpcMode::None,
            }),
            pid_mode: pid.and_then(|mode| match mode {
                NamespaceMode::Host => Some(PidMode::Host),
                NamespaceMode::Task => Some(PidMode::Task),
                // Each its own, which is what is meant where nothing is said.
                NamespaceMode::None => None,
            }),
            // `spillway.architecture` says it.
            runtime_platform: None,
            volumes: Some(main.volumes.iter().map(storage::volume).collect()),
        }]),
    }
}

fn member(part: &Part<'_>) -> TaskContainerProperties {
    let ContainerProperties {
        image,
        command,
        environment,
        resource_requirements,
        vcpus: _,
        memory: _,
        user,
        readonly_root_filesystem,
        ulimits,
        linux_parameters,
        job_role_arn: _,
        execution_role_arn: _,
        log_configuration,
        volumes: _,
        mount_points,
        secrets,
        privileged,
        repository_credentials,
        runtime_platform: _,
    } = container::properties(part.container, &part.resources);
    let written = TaskContainerProperties {
        image,
        command,
        environment,
        resource_requirements,
        user,
        readonly_root_filesystem,
        ulimits,
        linux_parameters,
        log_configuration,
        mount_points,
        secrets,
        privileged,
        repository_credentials,
        ..TaskContainerProperties::default()
    };
    match part.role {
        Some(role) => with_role(written, role),
        None => written,
    }
}

fn with_role(written: TaskContainerProperties, role: &ContainerRole) -> TaskContainerProperties {
    let ContainerRole {
        name,
        essential,
        depends_on,
        start_timeout_secs,
        stop_timeout_secs,
        firelens,
    } = role;
    TaskContainerProperties {
        name: Some(name.clone()),
        essential: Some(*essential),
        depends_on: Some(depends_on.iter().map(dependency).collect()),
        start_timeout: start_timeout_secs.map(i64::from),
        stop_timeout: stop_timeout_secs.map(i64::from),
        firelens_configuration: firelens.as_ref().map(router),
        ..written
    }
}

fn dependency(dependency: &ContainerDependency) -> TaskContainerDependency {
    let ContainerDependency { container, condition } = dependency;
    TaskContainerDependency {
        container_name: Some(container.clone()),
        condition: Some(match condition {
            ContainerCondition::Start => DependencyCondition::Start,
            ContainerCondition::Complete => DependencyCondition::Complete,
            ContainerCondition::Success => DependencyCondition::Success,
        }),
    }
}

fn router(firelens: &Firelens) -> FirelensConfiguration {
    let Firelens { router, options } = firelens;
    FirelensConfiguration {
        kind: Some(match router {
            LogRouter::Fluentd => shape::LogRouter::Fluentd,
            LogRouter::Fluentbit => shape::LogRouter::Fluentbit,
        }),
        options: Some(options.clone()),
    }
}
