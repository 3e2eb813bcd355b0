//! ECS: starts, shows and stops attempts, each on the one host it was planned for.

mod definition;
mod definitions;
mod logs;
mod report;
mod run;
mod turns;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::error::SdkError;
use aws_sdk_ecs::operation::run_task::RunTaskError;
use aws_sdk_ecs::types::ContainerInstanceStatus;
use spillway_core::effect::{CallResult, Refusal, TaskRequest, TaskStart};
use spillway_core::id::{ClientToken, DeploymentName};
use spillway_core::port::Cluster;
use spillway_core::task::{ContainerInstanceReport, TaskReport};
use spillway_core::{CloudError, ContainerInstanceArn, JobSpec, TaskArn};
use tracing::{debug, warn};

use crate::call::{self, CallError};
use crate::codes::{self, Kind};
use crate::convert::cut;
use crate::limits;
use crate::settings::Settings;
use definition::Defaults;
use definitions::Definitions;
use logs::Logs;

pub(crate) use report::task_status;
pub(crate) use spillway_core::container::JOB_CONTAINER;

/// ECS behind the port [`Cluster`].
#[derive(Debug)]
pub struct EcsCluster {
    client: Client,
    cluster: String,
    deployment: DeploymentName,
    defaults: Defaults,
    definitions: Definitions,
    logs: Logs,
}

impl EcsCluster {
    pub(crate) fn new(
        client: Client,
        logs: crate::logs::TaskLogs,
        settings: &Settings,
        region: String,
    ) -> Self {
        Self {
            logs: Logs::new(logs, settings.log_group.clone()),
            definitions: Definitions::new(client.clone(), settings.deployment.clone()),
            client,
            cluster: settings.cluster.clone(),
            deployment: settings.deployment.clone(),
            defaults: Defaults {
                deployment: settings.deployment.to_string(),
                region,
                log_group: settings.log_group.clone(),
                execution_role: settings.execution_role.clone(),
                runner_image: settings.runner_image.clone(),
            },
        }
    }

    /// What RunTask's error means: now and then it is an answer.
    async fn not_started(
        &self,
        token: &ClientToken,
        family: &str,
        error: &CallError<RunTaskError>,
    ) -> CallResult<TaskStart> {
        const ACTION: &str = "ecs:RunTask";
        if let Some(RunTaskError::ConflictException(conflict)) = error.as_service_error() {
            return self.adopt(token, conflict.resource_ids()).await;
        }
        let message = call::message_of(error);
        // The answer of an empty cluster, which is an error where a full one gives a failure.
        if message.contains("No Container Instances") {
            return Ok(TaskStart::Refused(Refusal::HostGone));
        }
        let sorted = call::sort(ACTION, error);
        if matches!(sorted, CloudError::Invalid { .. }) && is_about_definition(message) {
            // Somebody deregistered it: it is made again with the next try.
            self.definitions.forget(family);
            return Err(call::cloud_error(Kind::Unsettled, ACTION, message.to_owned()));
        }
        Err(sorted)
    }

    /// The token has been used with other parameters. If its task carries our token, it is the attempt.
    async fn adopt(&self, token: &ClientToken, named: &[String]) -> CallResult<TaskStart> {
        let mut arns: Vec<TaskArn> = named.iter().filter_map(|arn| arn.parse().ok()).collect();
        if arns.is_empty() {
            let listed = self.client.list_tasks().cluster(&self.cluster);
            let listed = listed.started_by(token.as_str()).send().await;
            let listed = listed.map_err(|error| call::sort("ecs:ListTasks", &error))?;
            arns = listed.task_arns().iter().filter_map(|arn| arn.parse().ok()).collect();
        }
        let (reports, _) = self.tasks(&arns).await?;
        let is_ours = |r: &TaskReport| r.started_by.as_deref() == Some(token.as_str());
        let Some(report) = reports.into_iter().find(is_ours) else {
            let detail = format!("the token {token} was used for other tasks: {named:?}");
            return Err(call::cloud_error(Kind::Conflict, "ecs:RunTask", detail));
        };
        warn!(task = %report.arn, "a start with changed parameters; the first task is kept");
        Ok(TaskStart::Started(report))
    }
}

fn is_about_definition(message: &str) -> bool {
    message.contains("TaskDefinition") || message.contains("task definition")
}

impl Cluster for EcsCluster {
    async fn run_task(&self, request: &TaskRequest) -> CallResult<TaskStart> {
        let planned = definition::plan(request, &self.defaults);
        if request.runner.is_some() && self.defaults.runner_image.is_none() {
            let detail = "a task that is shared needs the setting runner-image".to_owned();
            return Err(call::cloud_error(Kind::Misconfigured, "ecs:RunTask", detail));
        }
        let family = planned.definition.family();
        let arn = self.definitions.find_or_register(&family, &planned.definition).await?;
        let input = run::input(request, &planned, &arn, &self.cluster, &self.deployment);
        match input.send_with(&self.client).await {
            Ok(output) => run::start(&output),
            Err(error) => self.not_started(&request.token, &family, &error).await,
        }
    }

    async fn stop_task(&self, task: &TaskArn, reason: &str) -> CallResult<()> {
        let reason = cut(reason, limits::STOP_REASON_CHARS_MAX);
        let stop = self.client.stop_task().cluster(&self.cluster).task(task.as_str());
        match stop.reason(reason).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => {
                debug!(%task, "there is no task to stop");
                Ok(())
            }
            Err(error) => Err(call::sort("ecs:StopTask", &error)),
        }
    }

    async fn report(&self, task: &TaskArn, spec: &JobSpec) -> CallResult<Vec<String>> {
        self.logs.report(task, spec).await
    }

    async fn tasks(&self, tasks: &[TaskArn]) -> CallResult<(Vec<TaskReport>, Vec<TaskArn>)> {
        let mut reports = Vec::with_capacity(tasks.len());
        let mut missing = Vec::new();
        for batch in tasks.chunks(limits::ECS_DESCRIBE_BATCH) {
            let ids = batch.iter().map(ToString::to_string).collect();
            let call = self.client.describe_tasks().cluster(&self.cluster).set_tasks(Some(ids));
            let answer = call.send().await;
            let answer = answer.map_err(|error| call::sort("ecs:DescribeTasks", &error))?;
            reports.extend(answer.tasks().iter().filter_map(report::task));
            for failure in answer.failures() {
                let is_missing = failure.reason() == Some("MISSING");
                let arn = failure.arn().and_then(|arn| arn.parse().ok());
                match arn {
                    Some(arn) if is_missing => missing.push(arn),
                    Some(_) | None => {
                        warn!(
                            arn = failure.arn(),
                            reason = failure.reason(),
                            "a task is not shown"
                        );
                    }
                }
            }
        }
        Ok((reports, missing))
    }

    async fn container_instances(&self) -> CallResult<Vec<ContainerInstanceReport>> {
        let mut pages =
            self.client.list_container_instances().cluster(&self.cluster).into_paginator().send();
        let mut arns = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call::sort("ecs:ListContainerInstances", &error))?;
            arns.extend(page.container_instance_arns.unwrap_or_default());
        }
        let mut reports = Vec::with_capacity(arns.len());
        for batch in arns.chunks(limits::ECS_DESCRIBE_BATCH) {
            let answer = self
                .client
                .describe_container_instances()
                .cluster(&self.cluster)
                .set_container_instances(Some(batch.to_vec()))
                .send()
                .await;
            let answer =
                answer.map_err(|error| call::sort("ecs:DescribeContainerInstances", &error))?;
            reports.extend(answer.container_instances().iter().filter_map(report::host));
        }
        Ok(reports)
    }

    async fn drain(&self, host: &ContainerInstanceArn) -> CallResult<()> {
        let answer = self
            .client
            .update_container_instances_state()
            .cluster(&self.cluster)
            .container_instances(host.as_str())
            .status(ContainerInstanceStatus::Draining)
            .send()
            .await;
        match answer {
            // A failure says MISSING or INACTIVE: there is nothing to drain.
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) => Err(call::sort("ecs:UpdateContainerInstancesState", &error)),
        }
    }

    async fn deregister(&self, host: &ContainerInstanceArn) -> CallResult<()> {
        // Its instance has ended, so no container is left behind by force; without it ECS refuses as long as it believes
        // that tasks run there.
        let answer = self
            .client
            .deregister_container_instance()
            .cluster(&self.cluster)
            .container_instance(host.as_str())
            .force(true)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if is_not_found(&error) => Ok(()),
            Err(error) => Err(call::sort("ecs:DeregisterContainerInstance", &error)),
        }
    }
}

/// ECS has no code of its own for a task or a host that it does not know.
fn is_not_found<E>(
    error: &SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
) -> bool
where
    E: aws_sdk_ecs::error::ProvideErrorMetadata,
{
    let is_request = call::code_of(error).is_some_and(|code| codes::kind(code) == Kind::Invalid);
    let message = call::message_of(error).to_ascii_lowercase();
    is_request && (message.contains("not found") || message.contains("inactive"))
}
