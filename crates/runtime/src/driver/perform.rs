//! Performs one effect on the ports, with a time limit, and says what came of it. Decides and retries nothing.

use std::time::Duration;

use jiff::Timestamp;
use metrics::{counter, histogram};
use spillway_core::effect::CallResult;
use spillway_core::port::{Cluster, Compute, EventQueue, JobQueue, PriceFeed};
use spillway_core::task::{FleetSnapshot, TaskReport};
use spillway_core::{Answer, CloudError, Effect, TaskArn};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::ports::Ports;
use crate::{limits, telemetry};

/// Performs `effect`; none for one that is not answered.
pub(super) async fn perform<Q, E, C, K, P>(
    ports: &Ports<Q, E, C, K, P>,
    effect: Effect,
    asked_at: Timestamp,
) -> Option<Answer>
where
    Q: JobQueue,
    E: EventQueue,
    C: Compute,
    K: Cluster,
    P: PriceFeed,
{
    let api = api(&effect);
    let limit = limits::CALL_TIMEOUT;
    match effect {
        Effect::Launch(request) => {
            let result = call(api, limit, ports.compute.launch(&request)).await;
            Some(Answer::Launch { launch: request.launch, result })
        }
        Effect::Terminate { hosts } => {
            let (hosts, instances): (Vec<_>, Vec<_>) = hosts.into_iter().unzip();
            let result = call(api, limit, ports.compute.terminate(&instances)).await;
            Some(Answer::Terminate { hosts, result })
        }
        Effect::Drain { host, container_instance } => {
            let result = call(api, limit, ports.cluster.drain(&container_instance)).await;
            Some(Answer::Drain { host, result })
        }
        Effect::RunTask(request) => {
            let result = call(api, limit, ports.cluster.run_task(&request)).await;
            Some(Answer::RunTask { job: request.job, attempt: request.attempt, result })
        }
        Effect::StopTask { job, attempt, task, reason } => {
            let result = call(api, limit, ports.cluster.stop_task(&task, &reason)).await;
            Some(Answer::StopTask { job, attempt, result })
        }
        Effect::ReadReport { job, attempt, task, spec } => {
            let result = call(api, limit, ports.cluster.report(&task, &spec)).await;
            Some(Answer::Report { job, attempt, result })
        }
        Effect::Observe { tasks } => {
            let snapshot = observe(ports, &tasks).await;
            Some(Answer::Observe { asked_at, snapshot })
        }
        Effect::RefreshCatalog => {
            let result = call(api, limits::CATALOG_TIMEOUT, ports.prices.catalog()).await;
            Some(Answer::Catalog { result })
        }
        // Nobody waits for these: what fails is told of by `call`, and comes again by itself.
        Effect::Deregister { container_instance } => {
            call(api, limit, ports.cluster.deregister(&container_instance)).await.ok();
            None
        }
        Effect::DeleteMessages { receipts } => {
            call(api, limit, ports.jobs.delete(&receipts)).await.ok();
            None
        }
        Effect::DeleteEvents { receipts } => {
            call(api, limit, ports.events.delete(&receipts)).await.ok();
            None
        }
        Effect::DeadLetter(letter) => {
            call(api, limit, ports.jobs.dead_letter(&letter)).await.ok();
            None
        }
    }
}

/// What is answered for an effect whose call was lost: nobody knows whether it happened.
pub(super) fn unsettled(effect: &Effect, asked_at: Timestamp, detail: &str) -> Option<Answer> {
    let error =
        || CloudError::Unsettled { action: api(effect).to_owned(), detail: detail.to_owned() };
    match effect {
        Effect::Launch(request) => {
            Some(Answer::Launch { launch: request.launch, result: Err(error()) })
        }
        Effect::Terminate { hosts } => {
            let hosts = hosts.iter().map(|(host, _)| *host).collect();
            Some(Answer::Terminate { hosts, result: Err(error()) })
        }
        Effect::Drain { host, .. } => Some(Answer::Drain { host: *host, result: Err(error()) }),
        Effect::RunTask(request) => {
            let (job, attempt) = (request.job, request.attempt);
            Some(Answer::RunTask { job, attempt, result: Err(error()) })
        }
        Effect::StopTask { job, attempt, .. } => {
            Some(Answer::StopTask { job: *job, attempt: *attempt, result: Err(error()) })
        }
        Effect::ReadReport { job, attempt, .. } => {
            Some(Answer::Report { job: *job, attempt: *attempt, result: Err(error()) })
        }
        Effect::Observe { .. } => {
            Some(Answer::Observe { asked_at, snapshot: FleetSnapshot::default() })
        }
        Effect::RefreshCatalog => Some(Answer::Catalog { result: Err(error()) }),
        Effect::Deregister { .. }
        | Effect::DeleteMessages { .. }
        | Effect::DeleteEvents { .. }
        | Effect::DeadLetter(_) => None,
    }
}

/// The API call behind an effect, as IAM names it; the first of several.
pub(super) const fn api(effect: &Effect) -> &'static str {
    match effect {
        Effect::Launch(_) => "ec2:CreateFleet",
        Effect::Terminate { .. } => "ec2:TerminateInstances",
        Effect::Drain { .. } => "ecs:UpdateContainerInstancesState",
        Effect::Deregister { .. } => "ecs:DeregisterContainerInstance",
        Effect::RunTask(_) => "ecs:RunTask",
        Effect::StopTask { .. } => "ecs:StopTask",
        Effect::ReadReport { .. } => "logs:GetLogEvents",
        Effect::Observe { .. } => "ec2:DescribeInstances",
        Effect::RefreshCatalog => "ec2:DescribeInstanceTypes",
        Effect::DeleteMessages { .. } | Effect::DeleteEvents { .. } => "sqs:DeleteMessage",
        Effect::DeadLetter(_) => "sqs:SendMessage",
    }
}

/// Looks at everything at once. A part that cannot be read is left out, which says nothing about what is in it.
async fn observe<Q, E, C, K, P>(ports: &Ports<Q, E, C, K, P>, asked: &[TaskArn]) -> FleetSnapshot
where
    C: Compute,
    K: Cluster,
{
    let limit = limits::CALL_TIMEOUT;
    let (instances, container_instances, (tasks, missing_tasks)) = tokio::join!(
        call("ec2:DescribeInstances", limit, ports.compute.instances()),
        call("ecs:DescribeContainerInstances", limit, ports.cluster.container_instances()),
        look_at_tasks(ports.cluster.as_ref(), asked),
    );
    FleetSnapshot {
        instances: instances.ok(),
        container_instances: container_instances.ok(),
        tasks,
        missing_tasks,
    }
}

/// The tasks that were found, and those that ECS says it does not know. A batch that fails is in neither.
async fn look_at_tasks<K: Cluster>(
    cluster: &K,
    asked: &[TaskArn],
) -> (Option<Vec<TaskReport>>, Vec<TaskArn>) {
    let mut found: Option<Vec<TaskReport>> = asked.is_empty().then(Vec::new);
    let mut missing: Vec<TaskArn> = Vec::new();
    for batch in asked.chunks(limits::OBSERVE_TASKS_BATCH) {
        let seen = call("ecs:DescribeTasks", limits::CALL_TIMEOUT, cluster.tasks(batch)).await;
        if let Ok((reports, unknown)) = seen {
            found.get_or_insert_default().extend(reports);
            missing.extend(unknown);
        }
    }
    (found, missing)
}

/// Makes a call within `limit`, counts it, and tells of its error: the one place that does.
pub(super) async fn call<R>(
    api: &'static str,
    limit: Duration,
    call: impl Future<Output = CallResult<R>>,
) -> CallResult<R> {
    let started = Instant::now();
    let result = tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
        let detail = format!("no answer within {} s", limit.as_secs());
        Err(CloudError::Unsettled { action: api.to_owned(), detail })
    });
    histogram!(telemetry::API_CALL_SECONDS, "api" => api).record(started.elapsed().as_secs_f64());
    let outcome = result.as_ref().map_or_else(outcome, |_| "ok");
    counter!(telemetry::API_CALLS, "api" => api, "outcome" => outcome).increment(1);
    if let Err(error) = &result {
        match error {
            CloudError::Throttled { .. } => info!(api, %error, "call was throttled"),
            CloudError::Unsettled { .. }
            | CloudError::Denied { .. }
            | CloudError::Quota { .. }
            | CloudError::Misconfigured { .. }
            | CloudError::Invalid { .. }
            | CloudError::Conflict { .. } => warn!(api, %error, "call failed"),
        }
    }
    result
}

const fn outcome(error: &CloudError) -> &'static str {
    match error {
        CloudError::Unsettled { .. } => "unsettled",
        CloudError::Throttled { .. } => "throttled",
        CloudError::Denied { .. } => "denied",
        CloudError::Quota { .. } => "quota",
        CloudError::Misconfigured { .. } => "misconfigured",
        CloudError::Invalid { .. } => "invalid",
        CloudError::Conflict { .. } => "conflict",
    }
}
