//! A job of several containers, which run together as one ECS task: AWS Batch's `EcsTaskProperties`. Says what each is to the
//! others, and which of their ends is the job's. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::container::{
    ContainerSpec, JOB_CONTAINER, LOG_STREAM_PREFIX, LOG_STREAM_PREFIX_OPTION, LogDriver,
};
use crate::id::TaskArn;
use crate::job::JobSpec;
use crate::quantity::Resources;

/// What a job has beside its main container, which is [`JobSpec::container`]: the first essential one that routes no logs.
/// Volumes and roles are the task's, and said by the main container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskSpec {
    /// What the main container is to the others.
    pub main: ContainerRole,
    /// How many of the others come before it in the order given.
    pub main_at: usize,
    /// The others, in the order given; at most nine.
    pub others: Vec<TaskContainer>,
    /// Whose inter-process communication they take part in; none leaves it to Docker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipc: Option<NamespaceMode>,
    /// Whose processes they see; none is each its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<NamespaceMode>,
}

/// A container beside the main one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TaskContainer {
    /// What it is to the others.
    pub role: ContainerRole,
    /// What it needs of the job's resources. The main container has the rest.
    pub resources: Resources,
    /// What it is. Volumes and roles are empty here.
    pub container: ContainerSpec,
}

/// What a container is to the others of its task.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContainerRole {
    /// Its name, unique in its task.
    pub name: String,
    /// Whether its end is the end of the task.
    pub essential: bool,
    /// What must have happened to others before it starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<ContainerDependency>,
    /// How long it waits for them, in seconds; none leaves it to ECS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_timeout_secs: Option<u32>,
    /// How long it has between SIGTERM and SIGKILL, in seconds; none is the usual time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout_secs: Option<u32>,
    /// Whether it routes the logs of those whose log driver is `awsfirelens`, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firelens: Option<Firelens>,
}

/// What must have happened to another container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContainerDependency {
    /// Its name.
    pub container: String,
    /// What must have happened to it.
    pub condition: ContainerCondition,
}

/// What must have happened to a container before another one starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ContainerCondition {
    /// It has started.
    Start,
    /// It has exited. Not of an essential one, with which the task would end.
    Complete,
    /// It has exited with exit code 0. Not of an essential one either.
    Success,
}

/// A router of logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Firelens {
    /// Which program it runs.
    pub router: LogRouter,
    /// Its options, such as `config-file-type`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// A program that routes logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogRouter {
    /// Fluentd.
    Fluentd,
    /// Fluent Bit.
    Fluentbit,
}

/// With whom the containers of a task share a namespace of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamespaceMode {
    /// With the host. Refused unless the operator allows it.
    Host,
    /// With each other.
    Task,
    /// With nobody.
    None,
}

/// How one container of a task ended, or that it did not run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ContainerEnd {
    /// Its name.
    pub name: String,
    /// Its exit code; none if it never exited by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Its `reason`; none if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Exit codes of a container that SIGTERM or SIGKILL ended: 128 and the signal's number.
const KILLED: [i32; 2] = [143, 137];

impl ContainerEnd {
    /// Whether it failed by itself, as far as one can see: what ends with a signal and without a reason was most likely
    /// stopped because another one had ended.
    fn failed_by_itself(&self) -> bool {
        self.exit_code.is_some_and(|code| {
            let is_killed = KILLED.contains(&code) && self.reason.is_none();
            code != 0 && !is_killed
        })
    }
}

/// One container of a job, whether or not it has others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// What it is to the others; none if there are none.
    pub role: Option<&'a ContainerRole>,
    /// What it is.
    pub container: &'a ContainerSpec,
    /// What it needs.
    pub resources: Resources,
}

impl Part<'_> {
    /// The log stream that ECS writes for it in a task: prefix, container and the task's id (ECS developer guide, "Using the
    /// awslogs log driver"). None where another driver has its log.
    pub fn log_stream(&self, task: &TaskArn) -> Option<String> {
        let options = &self.container.log_options;
        let is_awslogs = self.container.log_driver == LogDriver::Awslogs;
        let prefix =
            options.get(LOG_STREAM_PREFIX_OPTION).map_or(LOG_STREAM_PREFIX, String::as_str);
        let name = self.role.map_or(JOB_CONTAINER, |role| role.name.as_str());
        let id = task.as_str().rsplit('/').next().filter(|_| is_awslogs)?;
        Some(format!("{prefix}/{name}/{id}"))
    }
}

impl JobSpec {
    /// All containers of the job, in the order given.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let container = &self.container;
        let Some(task) = &self.task else {
            return vec![Part { role: None, container, resources: self.resources }];
        };
        let mut parts: Vec<Part<'_>> = task.others.iter().map(TaskContainer::part).collect();
        let of_others = parts.iter().map(|part| part.resources);
        let rest = of_others.fold(self.resources, |rest, other| rest.saturating_sub(&other));
        let main = Part { role: Some(&task.main), container, resources: rest };
        parts.insert(task.main_at.min(parts.len()), main);
        parts
    }
}

impl TaskContainer {
    const fn part(&self) -> Part<'_> {
        Part { role: Some(&self.role), container: &self.container, resources: self.resources }
    }
}

impl TaskSpec {
    /// The roles of all containers, the main one first.
    pub fn roles(&self) -> impl Iterator<Item = &ContainerRole> {
        std::iter::once(&self.main).chain(self.others.iter().map(|other| &other.role))
    }

    /// The end that is the job's: its exit code is the job's exit code, its reason the job's reason.
    ///
    /// The job has succeeded if every essential container ended with exit code 0, and then that of the main one is its end.
    /// Else it is the first of these, and of several the main one, then the first in the order given:
    ///
    /// 1. an essential container that failed by itself;
    /// 2. where an essential one never ran, another that failed by itself: it was waited for;
    /// 3. one that could not be started and says why;
    /// 4. an essential one that was killed;
    /// 5. an essential one that never ran.
    pub fn decisive<'a>(&self, ends: &'a [ContainerEnd]) -> Option<&'a ContainerEnd> {
        let found: Vec<(&ContainerRole, &ContainerEnd)> = self
            .roles()
            .filter_map(|role| Some((role, ends.iter().find(|end| end.name == role.name)?)))
            .collect();
        let essential = || found.iter().filter(|(role, _)| role.essential);
        let has_succeeded = essential().all(|(_, end)| end.exit_code == Some(0));
        let one_never_ran = essential().any(|(_, end)| end.exit_code.is_none());
        // The main one comes first, and of equals the first is taken.
        let rank = |(role, end): &&(&ContainerRole, &ContainerEnd)| match end.exit_code {
            _ if has_succeeded => 0,
            Some(_) if role.essential && end.failed_by_itself() => 1,
            Some(_) if one_never_ran && end.failed_by_itself() => 2,
            None if end.reason.is_some() => 3,
            Some(code) if role.essential && code != 0 => 4,
            None if role.essential => 5,
            Some(_) | None => 6,
        };
        found.iter().min_by_key(rank).map(|(_, end)| *end)
    }
}

#[cfg(test)]
mod tests;
