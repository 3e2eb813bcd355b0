//! What of a job goes into its task definition, and what into the overrides of its start. Pure.
//!
//! A definition is registered once for each content, and ECS lets few be registered, so what differs from job to job
//! (command, environment) goes into the overrides as long as it fits there.

mod container;
mod shared;
mod storage;

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionInputBuilder;
use aws_sdk_ecs::types::{Compatibility, IpcMode, KeyValuePair, NetworkMode, PidMode};
use serde::Serialize;
use spillway_core::coalesce::PLAN_VARIABLE;
use spillway_core::container::Volume;
use spillway_core::effect::TaskRequest;
use spillway_core::task_spec::{NamespaceMode, Part};

use container::Container;

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
    pub(super) runner_image: Option<String>,
}

/// A job, split for ECS.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) definition: Definition,
    /// What each container is started with otherwise than the definition says, in its order.
    pub(super) overrides: Vec<Override>,
}

/// What a container is started with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Override {
    pub(super) container: String,
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
    // Left out where it is not so: a definition that was registered before keeps its name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    host_network: bool,
    volumes: Vec<Volume>,
    task_role: Option<String>,
    execution_role: Option<String>,
    ipc: Option<NamespaceMode>,
    pid: Option<NamespaceMode>,
    pub(super) containers: Vec<Container>,
}

/// Splits a job. The job's own variables replace Spillway's of the same name.
pub(super) fn plan(request: &TaskRequest, defaults: &Defaults) -> Planned {
    let parts = request.spec.parts();
    let mut definition = definition(request, &parts, defaults);
    let mut overrides: Vec<Override> = parts
        .iter()
        .zip(&definition.containers)
        .map(|(Part { container, .. }, made)| {
            let is_own = |name: &str| container.environment.iter().any(|(own, _)| own == name);
            let added = request.environment.iter().filter(|(name, _)| !is_own(name));
            let runner = request.runner.as_ref();
            let plan = runner.map(|plan| (PLAN_VARIABLE.to_owned(), plan.to_string()));
            let added = added.map(|(name, value)| (name.clone(), value.clone()));
            let environment = added.chain(plan).collect();
            Override { container: made.name.clone(), command: Vec::new(), environment }
        })
        .collect();

    let whole = parts.iter().zip(&overrides).map(|(Part { container, .. }, added)| {
        let pairs = added.environment.iter().chain(&container.environment);
        override_chars(&added.container, &container.command, pairs)
    });
    // ECS counts the overrides of all containers together.
    if whole.fold(0, usize::saturating_add) <= room() {
        for (Part { container, .. }, added) in parts.iter().zip(&mut overrides) {
            added.command.clone_from(&container.command);
            added.environment.extend(container.environment.iter().cloned());
        }
    } else {
        for (Part { container, .. }, made) in parts.iter().zip(&mut definition.containers) {
            made.command.clone_from(&container.command);
            made.environment.clone_from(&container.environment);
        }
    }
    if let (Some(_), Some(image)) = (&request.runner, &defaults.runner_image) {
        shared::add_runner(&mut definition, image);
    }
    Planned { definition, overrides }
}

const fn room() -> usize {
    limits::OVERRIDE_CHARS_MAX - limits::OVERRIDE_CHARS_SPARE
}

/// How many characters a container's overrides take in JSON.
fn override_chars<'a>(
    name: &str,
    command: &[String],
    environment: impl Iterator<Item = &'a (String, String)>,
) -> usize {
    let text =
        |value: &str| serde_json::to_string(value).map_or(usize::MAX, |json| json.chars().count());
    let command = command.iter().map(|word| text(word).saturating_add(1));
    let pair = |(name, value): &(String, String)| {
        text(name).saturating_add(text(value)).saturating_add(r#"{"name":,"value":},"#.len())
    };
    // The keys of the one container of most jobs are among what is kept free.
    let named = if name == JOB_CONTAINER {
        0
    } else {
        text(name).saturating_add(r#"{"name":,"command":[],"environment":[]},"#.len())
    };
    command.chain(environment.map(pair)).fold(named, usize::saturating_add)
}

fn definition(request: &TaskRequest, parts: &[Part<'_>], defaults: &Defaults) -> Definition {
    let spec = &request.spec;
    let of_task = &spec.container;
    Definition {
        format: FORMAT,
        deployment: defaults.deployment.clone(),
        host_network: of_task.host_network,
        volumes: of_task.volumes.clone(),
        task_role: of_task.job_role_arn.clone(),
        execution_role: of_task
            .execution_role_arn
            .clone()
            .or_else(|| defaults.execution_role.clone()),
        ipc: spec.task.as_ref().and_then(|task| task.ipc),
        pid: spec.task.as_ref().and_then(|task| task.pid),
        containers: parts.iter().map(|part| Container::of(part, spec, defaults)).collect(),
    }
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
        let containers = self.containers.iter().map(Container::input).collect();
        RegisterTaskDefinitionInputBuilder::default()
            .family(self.family())
            .network_mode(if self.host_network { NetworkMode::Host } else { NetworkMode::Bridge })
            .requires_compatibilities(Compatibility::Ec2)
            .set_task_role_arn(self.task_role.clone())
            .set_execution_role_arn(self.execution_role.clone())
            .set_ipc_mode(self.ipc.map(|mode| match mode {
                NamespaceMode::Host => IpcMode::Host,
                NamespaceMode::Task => IpcMode::Task,
                NamespaceMode::None => IpcMode::None,
            }))
            .set_pid_mode(self.pid.and_then(|mode| match mode {
                NamespaceMode::Host => Some(PidMode::Host),
                NamespaceMode::Task => Some(PidMode::Task),
                // What ECS does without being told.
                NamespaceMode::None => None,
            }))
            .set_volumes(storage::volumes(&self.volumes))
            .set_container_definitions(Some(containers))
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
