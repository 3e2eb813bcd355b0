//! An attempt as one RunTask request, and its answer. Pure: no call is made here.

use aws_sdk_ecs::operation::run_task::RunTaskOutput;
use aws_sdk_ecs::operation::run_task::builders::RunTaskInputBuilder;
use aws_sdk_ecs::types::{
    ContainerOverride, LaunchType, PlacementConstraint, PlacementConstraintType, Tag, TaskOverride,
};
use spillway_core::effect::{CallResult, Refusal, TaskRequest, TaskStart};
use spillway_core::id::DeploymentName;
use tracing::debug;

use super::definition::{Override, Planned, pairs};
use super::report;
use crate::codes::{self, Kind};
use crate::ec2::TAG_DEPLOYMENT;
use crate::{call, limits};

/// The tag that says which job a task is of.
const TAG_JOB: &str = "spillway:job";

/// The whole request: one task, so that its token settles one attempt; RunTask and not StartTask, because only
/// RunTask takes a token; held to its host by a placement constraint.
pub(super) fn input(
    request: &TaskRequest,
    planned: &Planned,
    definition_arn: &str,
    cluster: &str,
    deployment: &DeploymentName,
) -> RunTaskInputBuilder {
    let pin = PlacementConstraint::builder()
        .r#type(PlacementConstraintType::MemberOf)
        .expression(format!("ec2InstanceId == {}", request.instance))
        .build();
    let container = |Override { container, command, environment }: &Override| {
        ContainerOverride::builder()
            .name(container)
            .set_command((!command.is_empty()).then(|| command.clone()))
            .set_environment(pairs(environment))
            .build()
    };
    let containers = planned.overrides.iter().map(container).collect();
    RunTaskInputBuilder::default()
        .cluster(cluster)
        .task_definition(definition_arn)
        .count(1)
        .launch_type(LaunchType::Ec2)
        .client_token(request.token.as_str())
        .started_by(request.token.as_str())
        .placement_constraints(pin)
        .overrides(TaskOverride::builder().set_container_overrides(Some(containers)).build())
        .enable_ecs_managed_tags(true)
        .set_tags(Some(tags(request, deployment)))
}

/// Ours, then the job's own if it wants them on its task. ECS refuses keys under `aws:`; ours cannot be replaced.
fn tags(request: &TaskRequest, deployment: &DeploymentName) -> Vec<Tag> {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let mut tags =
        vec![tag(TAG_DEPLOYMENT, deployment.as_str()), tag(TAG_JOB, &request.job.to_string())];
    if request.spec.propagate_tags {
        let is_reserved = |key: &str| key.starts_with("aws:") || key.starts_with("spillway:");
        let own = request.spec.tags.iter().filter(|(key, _)| !is_reserved(key));
        let room = limits::TASK_TAGS_MAX - tags.len();
        tags.extend(own.take(room).map(|(key, value)| tag(key, value)));
    }
    tags
}

/// A task, or the reason why there is none.
pub(super) fn start(output: &RunTaskOutput) -> CallResult<TaskStart> {
    if let Some(report) = output.tasks().first().and_then(report::task) {
        return Ok(TaskStart::Started(report));
    }
    let reasons = output.failures().iter().filter_map(|failure| failure.reason());
    debug!(failures = ?output.failures(), "ECS started no task");
    most_telling(reasons).map(TaskStart::Refused).ok_or_else(|| {
        let detail = "the answer has neither a task nor a failure".to_owned();
        call::cloud_error(Kind::Unsettled, "ecs:RunTask", detail)
    })
}

/// ECS gives a reason for each host it looked at, and for all but one that is the placement constraint; what it says of
/// the host that was meant is the more telling reason.
fn most_telling<'a>(reasons: impl Iterator<Item = &'a str>) -> Option<Refusal> {
    let weight = |refusal: &Refusal| match refusal {
        Refusal::NoRoom { dimension: Some(_) } => 5,
        Refusal::NoRoom { dimension: None } => 4,
        Refusal::AgentAway => 3,
        Refusal::Unfit => 2,
        Refusal::Other { .. } => 1,
        Refusal::HostGone => 0,
    };
    reasons.map(codes::refusal).max_by_key(weight)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{Failure, Task};
    use spillway_core::quantity::Dimension;

    use super::super::definition::{plan, tests::*};
    use super::*;

    fn build(request: &TaskRequest) -> aws_sdk_ecs::operation::run_task::RunTaskInput {
        let planned = plan(request, &defaults());
        let deployment = "lab".parse().unwrap();
        input(request, &planned, "arn:aws:ecs:r:1:task-definition/f:1", "c", &deployment)
            .build()
            .unwrap()
    }

    #[test]
    fn a_start_is_one_task_on_one_host_under_the_attempts_token() {
        let request = request(&[], &[]);

        let input = build(&request);

        assert_eq!(input.count(), Some(1));
        assert_eq!(input.client_token(), Some(request.token.as_str()));
        assert_eq!(input.started_by(), Some(request.token.as_str()));
        let pin = &input.placement_constraints()[0];
        assert_eq!(pin.r#type(), Some(&PlacementConstraintType::MemberOf));
        assert_eq!(pin.expression(), Some("ec2InstanceId == i-0123456789abcdef0"));
        assert_eq!(input.tags()[1].value(), Some(request.job.to_string().as_str()));
    }

    #[test]
    fn command_and_variables_travel_in_the_overrides() {
        let input = build(&request(&["sh", "-c", "exit 3"], &[("A", "1")]));

        let container = &input.overrides().unwrap().container_overrides()[0];
        assert_eq!(container.name(), Some("job"));
        assert_eq!(container.command(), ["sh", "-c", "exit 3"]);
        let names: Vec<_> = container.environment().iter().filter_map(|p| p.name()).collect();
        assert_eq!(names, ["SPILLWAY_JOB_ID", "A"]);
    }

    #[test]
    fn the_jobs_tags_are_passed_on_only_if_it_wants_that_and_never_replace_ours() {
        let mut request = request(&[], &[]);
        let spec = std::sync::Arc::make_mut(&mut request.spec);
        spec.tags.insert("team".into(), "genomics".into());
        spec.tags.insert("spillway:job".into(), "forged".into());
        let count = |request: &TaskRequest| build(request).tags().len();

        assert_eq!(count(&request), 2);
        std::sync::Arc::make_mut(&mut request.spec).propagate_tags = true;
        assert_eq!(count(&request), 3);
    }

    #[test]
    fn a_task_that_exists_is_started() {
        let task = Task::builder().task_arn("arn:aws:ecs:r:1:task/c/t").last_status("PENDING");
        let output = RunTaskOutput::builder().tasks(task.build()).build();

        let TaskStart::Started(report) = start(&output).unwrap() else { panic!("refused") };

        assert_eq!(report.arn.as_str(), "arn:aws:ecs:r:1:task/c/t");
    }

    #[test]
    fn of_many_failures_the_one_of_the_host_that_was_meant_counts() {
        let failure = |reason: &str| Failure::builder().reason(reason).build();
        let output = RunTaskOutput::builder()
            .failures(failure("MemberOf placement constraint unsatisfied."))
            .failures(failure("RESOURCE:CPU"))
            .failures(failure("MemberOf placement constraint unsatisfied."))
            .build();

        let dimension = Some(Dimension::Cpu);
        assert_eq!(start(&output), Ok(TaskStart::Refused(Refusal::NoRoom { dimension })));
    }

    #[test]
    fn an_answer_that_says_nothing_settles_nothing() {
        let output = RunTaskOutput::builder().build();

        assert!(start(&output).is_err_and(|error| error.is_retryable()));
    }
}
