//! A job of several containers: each is read as a single one is, then what they are to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::container::{self, Known, Places, check_arn};
use super::{Rejection, Warnings, check_chars, limits, needs, overrides, storage};
use crate::container::ContainerSpec;
use crate::market::{Arch, ArchRule};
use crate::message::path::At;
use crate::message::shape::{
    self, ContainerOverrides, ContainerProperties, DependencyCondition, EcsProperties,
    EcsPropertiesOverride, EcsTaskProperties, IpcMode, PidMode, TaskContainerOverrides,
    TaskContainerProperties,
};
use crate::quantity::Resources;
use crate::task_spec::{
    ContainerCondition, ContainerDependency, ContainerRole, Firelens, LogRouter, NamespaceMode,
    TaskContainer, TaskSpec,
};

/// A job's containers, as they are asked for.
pub(super) struct Task {
    pub(super) main: ContainerSpec,
    pub(super) spec: TaskSpec,
    pub(super) resources: Resources,
    pub(super) arch: Option<Arch>,
    /// How long all of them together may take to stop, if one says: ECS stops those first that depend on others.
    pub(super) stop: Option<SignedDuration>,
}

/// What of the job itself its containers are read with.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) parameters: &'a BTreeMap<String, String>,
    pub(super) arch: Option<ArchRule>,
    /// `spillway.stopTimeoutSeconds`.
    pub(super) stop: Option<SignedDuration>,
    /// How many characters the names of the job and of its queue take in a container's variables.
    pub(super) named: usize,
}

/// Reads `jobDefinition.ecsProperties` and `ecsPropertiesOverride`.
pub(super) fn task(
    at: &At<'_>,
    properties: EcsProperties,
    overriding: Option<EcsPropertiesOverride>,
    of: Of<'_>,
    warnings: &mut Warnings,
) -> Result<Task, Rejection> {
    let at_tasks = at.key("taskProperties");
    let at = at_tasks.index(0);
    let task = only(&at_tasks, properties.task_properties)?;
    let EcsTaskProperties { containers, volumes, .. } = task;
    let arch = container::arch(&at, task.runtime_platform.as_ref(), of.arch)?;
    check_arn(&at.key("taskRoleArn"), task.task_role_arn.as_deref())?;
    check_arn(&at.key("executionRoleArn"), task.execution_role_arn.as_deref())?;
    let volumes = storage::volumes(&at.key("volumes"), volumes)?;

    let at_containers = at.key("containers");
    let containers = containers.ok_or_else(|| Rejection::missing(&at_containers))?;
    let n = containers.len();
    if !(1..=limits::CONTAINERS_MAX).contains(&n) {
        let what = format!("must be 1 to {} containers, not {n}", limits::CONTAINERS_MAX);
        return Err(Rejection::invalid(&at_containers, &what));
    }
    let names = names(&at_containers, &containers)?;
    let overriding = overrides_of(&names, overriding)?;
    let router = router(&at_containers, &containers)?;
    let mut members = Vec::with_capacity(n);
    for (index, (properties, overriding)) in containers.into_iter().zip(overriding).enumerate() {
        let known = Known {
            parameters: of.parameters,
            volumes: &volumes,
            has_router: router.is_some_and(|router| router != index),
        };
        let at = at_containers.index(index);
        let name = names.get(index).cloned().unwrap_or_default();
        members.push(member(&at, name, properties, overriding, known, of.stop, warnings)?);
    }
    let stop = check_order(&at_containers, &members, of.stop)?;
    check_overrides(&at_containers, &members, of.named)?;
    let specs = members.iter().map(|member| &member.container);
    storage::warn_of_unused(&at.key("volumes"), &volumes, specs, warnings);

    let mut resources = Resources::ZERO;
    for member in &members {
        resources = resources.checked_add(&member.resources).ok_or_else(|| {
            Rejection::invalid(&at_containers, "no machine has what they need together")
        })?;
    }
    let main_at = main_of(&members).ok_or_else(|| {
        Rejection::invalid(&at_containers, "none of them is essential")
            .hint("the job ends with its essential containers: leave \"essential\" out of one")
    })?;
    let TaskContainer { role, container, .. } = members.remove(main_at);
    let main = ContainerSpec {
        volumes,
        job_role_arn: task.task_role_arn,
        execution_role_arn: task.execution_role_arn,
        ..container
    };
    let ipc = task.ipc_mode.map(|mode| match mode {
        IpcMode::Host => NamespaceMode::Host,
        IpcMode::Task => NamespaceMode::Task,
        IpcMode::None => NamespaceMode::None,
    });
    let pid = task.pid_mode.map(|mode| match mode {
        PidMode::Host => NamespaceMode::Host,
        PidMode::Task => NamespaceMode::Task,
    });
    let spec = TaskSpec { main: role, main_at, others: members, ipc, pid };
    Ok(Task { main, spec, resources, arch, stop })
}

/// The one element of a list that AWS Batch limits to one.
fn only<T>(at: &At<'_>, list: Option<Vec<T>>) -> Result<T, Rejection> {
    let mut list = list.ok_or_else(|| Rejection::missing(at))?;
    match (list.pop(), list.len()) {
        (Some(one), 0) => Ok(one),
        (one, n) => {
            let n = n + usize::from(one.is_some());
            Err(Rejection::invalid(at, &format!("must have one element, not {n}")))
        }
    }
}

/// The main container: the first essential one that routes no logs, if there is one.
fn main_of(members: &[TaskContainer]) -> Option<usize> {
    let is_worker =
        |member: &TaskContainer| member.role.essential && member.role.firelens.is_none();
    let worker = members.iter().position(is_worker);
    worker.or_else(|| members.iter().position(|member| member.role.essential))
}

/// A name for each container; no two have the same.
fn names(at: &At<'_>, list: &[TaskContainerProperties]) -> Result<Vec<String>, Rejection> {
    let mut names: Vec<String> = Vec::with_capacity(list.len());
    for (index, written) in list.iter().enumerate() {
        let at = at.index(index);
        let at = at.key("name");
        let unsaid =
            || if list.len() == 1 { "default".to_owned() } else { format!("container-{index}") };
        let name = written.name.clone().unwrap_or_else(unsaid);
        check_chars(&at, &name, 1, limits::CONTAINER_NAME_CHARS_MAX)?;
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
            return Err(Rejection::invalid(&at, &format!("{name:?} is not a container's name"))
                .hint("letters, digits, hyphens and underscores are allowed"));
        }
        if names.contains(&name) {
            return Err(Rejection::invalid(&at, &format!("{name:?} is there twice")));
        }
        names.push(name);
    }
    Ok(names)
}

/// What the job says otherwise, with its place, for each of the containers.
fn overrides_of(
    names: &[String],
    overriding: Option<EcsPropertiesOverride>,
) -> Result<Vec<(usize, ContainerOverrides)>, Rejection> {
    let mut found = vec![(0, ContainerOverrides::default()); names.len()];
    let at = At::Root.key("ecsPropertiesOverride");
    let at_tasks = at.key("taskProperties");
    let tasks = overriding.and_then(|overriding| overriding.task_properties);
    let Some(tasks) = tasks.filter(|tasks| !tasks.is_empty()) else { return Ok(found) };
    let at = at_tasks.index(0);
    let at = at.key("containers");
    let mut seen = BTreeSet::new();
    for (place, written) in
        only(&at_tasks, Some(tasks))?.containers.unwrap_or_default().into_iter().enumerate()
    {
        let at = at.index(place);
        let at = at.key("name");
        let TaskContainerOverrides { name, command, environment, resource_requirements } = written;
        let index = match &name {
            Some(name) => names.iter().position(|known| known == name).ok_or_else(|| {
                Rejection::invalid(&at, &format!("there is no container {name:?}"))
                    .hint(format!("the definition has {}", names.join(", ")))
            })?,
            None if names.len() == 1 => 0,
            None => return Err(Rejection::missing(&at).hint("say which container is meant")),
        };
        if !seen.insert(index) {
            return Err(Rejection::invalid(&at, "this container is there twice"));
        }
        let of_it = ContainerOverrides {
            command,
            environment,
            resource_requirements,
            vcpus: None,
            memory: None,
        };
        if let Some(entry) = found.get_mut(index) {
            *entry = (place, of_it);
        }
    }
    Ok(found)
}

/// Which container routes the logs of the others.
fn router(at: &At<'_>, list: &[TaskContainerProperties]) -> Result<Option<usize>, Rejection> {
    let routes = |(index, written): (usize, &TaskContainerProperties)| {
        written.firelens_configuration.as_ref().map(|_| index)
    };
    let mut found = list.iter().enumerate().filter_map(routes);
    let first = found.next();
    if let Some(second) = found.next() {
        let at = at.index(second);
        let at = at.key("firelensConfiguration");
        return Err(Rejection::invalid(&at, "another container routes the logs already"));
    }
    Ok(first)
}

/// One container and what it is to the others.
fn member(
    at: &At<'_>,
    name: String,
    written: TaskContainerProperties,
    (place, overriding): (usize, ContainerOverrides),
    known: Known<'_>,
    usual_stop: Option<SignedDuration>,
    warnings: &mut Warnings,
) -> Result<TaskContainer, Rejection> {
    let role = ContainerRole {
        name,
        essential: written.essential.unwrap_or(true),
        depends_on: dependencies(&at.key("dependsOn"), written.depends_on)?,
        start_timeout_secs: seconds(
            &at.key("startTimeout"),
            written.start_timeout,
            limits::START_TIMEOUT_SECS,
        )?,
        stop_timeout_secs: seconds(
            &at.key("stopTimeout"),
            written.stop_timeout,
            limits::STOP_TIMEOUT_SECS,
        )?
        .or_else(|| usual_stop.and_then(|stop| u32::try_from(stop.as_secs()).ok())),
        firelens: firelens(&at.key("firelensConfiguration"), written.firelens_configuration)?,
    };
    let properties = ContainerProperties {
        image: written.image,
        command: written.command,
        environment: written.environment,
        resource_requirements: written.resource_requirements,
        user: written.user,
        readonly_root_filesystem: written.readonly_root_filesystem,
        ulimits: written.ulimits,
        linux_parameters: written.linux_parameters,
        log_configuration: written.log_configuration,
        mount_points: written.mount_points,
        secrets: written.secrets,
        privileged: written.privileged,
        repository_credentials: written.repository_credentials,
        ..ContainerProperties::default()
    };
    let at_overrides = At::Root.key("ecsPropertiesOverride");
    let at_overrides = at_overrides.key("taskProperties");
    let at_overrides = at_overrides.index(0);
    let at_overrides = at_overrides.key("containers");
    let at_overrides = at_overrides.index(place);
    let places = Places { at, at_overrides: &at_overrides };
    let resources = needs::resources(places, &properties, &overriding, warnings)?;
    let container = container::container(places, properties, overriding, known, warnings)?;
    Ok(TaskContainer { role, resources, container })
}

fn dependencies(
    at: &At<'_>,
    list: Option<Vec<shape::TaskContainerDependency>>,
) -> Result<Vec<ContainerDependency>, Rejection> {
    let mut found: Vec<ContainerDependency> = Vec::new();
    for (index, written) in list.unwrap_or_default().into_iter().enumerate() {
        let at = at.index(index);
        let (at_name, at_condition) = (at.key("containerName"), at.key("condition"));
        let container = written.container_name.ok_or_else(|| Rejection::missing(&at_name))?;
        let condition = match written.condition {
            Some(DependencyCondition::Start) => ContainerCondition::Start,
            Some(DependencyCondition::Complete) => ContainerCondition::Complete,
            Some(DependencyCondition::Success) => ContainerCondition::Success,
            None => return Err(Rejection::missing(&at_condition)),
        };
        if found.iter().any(|known| known.container == container) {
            return Err(Rejection::invalid(&at_name, &format!("{container:?} is there twice")));
        }
        found.push(ContainerDependency { container, condition });
    }
    Ok(found)
}

fn firelens(
    at: &At<'_>,
    written: Option<shape::FirelensConfiguration>,
) -> Result<Option<Firelens>, Rejection> {
    let Some(written) = written else { return Ok(None) };
    let router = match written.kind {
        Some(shape::LogRouter::Fluentd) => LogRouter::Fluentd,
        Some(shape::LogRouter::Fluentbit) => LogRouter::Fluentbit,
        None => return Err(Rejection::missing(&at.key("type"))),
    };
    Ok(Some(Firelens { router, options: written.options.unwrap_or_default() }))
}

fn seconds(
    at: &At<'_>,
    secs: Option<i64>,
    range: RangeInclusive<i64>,
) -> Result<Option<u32>, Rejection> {
    let Some(secs) = secs else { return Ok(None) };
    let in_range = u32::try_from(secs).ok().filter(|_| range.contains(&secs));
    let (min, max) = range.into_inner();
    let what = || format!("must be {min} to {max} seconds, not {secs}");
    in_range.map(Some).ok_or_else(|| Rejection::invalid(at, &what()))
}

/// Whether the containers can start one after the other as they want; then how long they may take to stop one after the other,
/// where one says how long.
fn check_order(
    at: &At<'_>,
    members: &[TaskContainer],
    usual: Option<SignedDuration>,
) -> Result<Option<SignedDuration>, Rejection> {
    for (index, member) in members.iter().enumerate() {
        let at = at.index(index);
        let at = at.key("dependsOn");
        for (nth, dependency) in member.role.depends_on.iter().enumerate() {
            let at = at.index(nth);
            check_dependency(&at, &member.role.name, dependency, members)?;
        }
    }
    // What a container and those that it depends on take to stop, of those for which that is known.
    let mut chains: BTreeMap<&str, u32> = BTreeMap::new();
    while chains.len() < members.len() {
        let n_known = chains.len();
        for TaskContainer { role, .. } in members {
            let known = |dependency: &ContainerDependency| {
                chains.get(dependency.container.as_str()).copied()
            };
            let before: Option<Vec<u32>> = role.depends_on.iter().map(known).collect();
            if let Some(before) = before {
                let own = role.stop_timeout_secs.unwrap_or(limits::STOP_TIMEOUT_USUAL_SECS);
                let longest = before.into_iter().max().unwrap_or(0);
                chains.insert(&role.name, longest.saturating_add(own));
            }
        }
        if chains.len() == n_known {
            let is_stuck = |member: &TaskContainer| !chains.contains_key(member.role.name.as_str());
            let stuck = members.iter().position(is_stuck).unwrap_or(0);
            let at = at.index(stuck);
            return Err(Rejection::invalid(&at.key("dependsOn"), "waits for itself in a circle"));
        }
    }
    let one_says = members.iter().any(|member| member.role.stop_timeout_secs.is_some());
    let is_chain = members.iter().any(|member| !member.role.depends_on.is_empty());
    let longest = chains.into_values().max().map(|secs| SignedDuration::from_secs(secs.into()));
    Ok(if one_says || is_chain { longest } else { usual })
}

fn check_dependency(
    at: &At<'_>,
    name: &str,
    dependency: &ContainerDependency,
    members: &[TaskContainer],
) -> Result<(), Rejection> {
    let at_name = at.key("containerName");
    if dependency.container == name {
        return Err(Rejection::invalid(&at_name, "is the container itself"));
    }
    let other = members.iter().find(|member| member.role.name == dependency.container);
    let other = other.ok_or_else(|| {
        Rejection::invalid(&at_name, &format!("there is no container {:?}", dependency.container))
    })?;
    if dependency.condition != ContainerCondition::Start && other.role.essential {
        let what = format!("{:?} is essential: when it ends, the task does", other.role.name);
        return Err(Rejection::invalid(&at.key("condition"), &what)
            .hint("say \"essential\": false of it, or wait for START"));
    }
    Ok(())
}

/// Commands and variables of all containers travel in one start.
fn check_overrides(at: &At<'_>, members: &[TaskContainer], named: usize) -> Result<(), Rejection> {
    let max = overrides::chars_max(members.len(), named);
    let n_chars: Vec<usize> = members
        .iter()
        .map(|TaskContainer { role, container, .. }| {
            let (command, environment) = overrides::chars(container);
            command + environment + role.name.chars().count()
        })
        .collect();
    if n_chars.iter().sum::<usize>() <= max {
        return Ok(());
    }
    let longest = n_chars.iter().enumerate().max_by_key(|(_, n)| **n).map_or(0, |(at, _)| at);
    Err(overrides::too_long(&at.index(longest), max))
}
