//! Queues and pools as Batch's job queues and compute environments, and who is at the front of a queue. Reads only.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use spillway_core::port::LedgerReader;
use spillway_core::{Job, JobState, Market, Pausable, PoolName, QueueName};
use spillway_engine::{Caps, OfferingFilter, PoolRules};

use super::api::{Api, Call};
use super::names::{self, Names};
use super::refusal::Refusal;
use crate::config::Config;

/// The compute environment of an installation without pools: all that may be bought.
const EVERYTHING: &str = "spillway";

/// So many jobs are at the front of a queue (AWS Batch API reference, `GetJobQueueSnapshot`).
const FRONT_JOBS_MAX: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Describe {
    job_queues: Option<Vec<String>>,
    compute_environments: Option<Vec<String>>,
}

const fn state(is_paused: bool) -> &'static str {
    if is_paused { "DISABLED" } else { "ENABLED" }
}

/// `DescribeJobQueues`. All are on one page: there are as many as the configuration names.
pub(super) async fn describe(api: &Api, call: Call) -> Result<Value, Refusal> {
    let asked: Describe = call.read()?;
    let named = asked.job_queues.as_deref().unwrap_or_default();
    let wanted: Vec<QueueName> =
        named.iter().map(|text| names::queue(text)).collect::<Result<_, _>>()?;
    let gates = api.read(LedgerReader::gates).await?;
    let rules = api.config.engine();
    let detail = |queue: &QueueName| {
        let own = rules.queue_rules.get(queue);
        let pools: Vec<&str> = match own.map(|own| own.pools.as_slice()) {
            Some(pools) if !pools.is_empty() => pools.iter().map(PoolName::as_str).collect(),
            Some(_) | None if rules.pools.is_empty() => vec![EVERYTHING],
            Some(_) | None => rules.pools.iter().map(|pool| pool.name.as_str()).collect(),
        };
        let order = |(order, pool): (usize, &&str)| json!({ "order": order, "computeEnvironment": api.names.environment(pool) });
        let gate = gates.get(&Pausable::Queue(queue.clone()));
        json!({
            "jobQueueName": queue,
            "jobQueueArn": api.names.queue(queue),
            "state": state(gate.is_some_and(|gate| gate.is_paused)),
            "status": "VALID",
            "statusReason": "JobQueue Healthy",
            "priority": own.map_or(0, |own| own.priority),
            "computeEnvironmentOrder": (1..).zip(&pools).map(order).collect::<Vec<Value>>(),
            "jobQueueType": "ECS",
            "jobStateTimeLimitActions": [],
            "tags": {},
        })
    };
    let is_wanted = |queue: &&QueueName| wanted.is_empty() || wanted.contains(queue);
    let details: Vec<Value> = rules.queues.iter().filter(is_wanted).map(detail).collect();
    Ok(json!({ "jobQueues": details }))
}

/// `DescribeComputeEnvironments`.
pub(super) async fn environments(api: &Api, call: Call) -> Result<Value, Refusal> {
    let asked: Describe = call.read()?;
    let named = asked.compute_environments.as_deref().unwrap_or_default();
    let wanted: Vec<&str> =
        named.iter().map(|text| names::environment(text)).collect::<Result<_, _>>()?;
    let gates = api.read(LedgerReader::gates).await?;
    let rules = api.config.engine();
    let mut environments = Vec::new();
    if rules.pools.is_empty() {
        let caps = Caps { cpu_max: rules.limits.cpu_max, ..Caps::default() };
        environments.push((EVERYTHING, false, &rules.offerings, caps));
    }
    for PoolRules { name, offerings, caps } in &rules.pools {
        let gate = gates.get(&Pausable::Pool(name.clone()));
        let is_paused = gate.is_some_and(|gate| gate.is_paused);
        environments.push((name.as_str(), is_paused, offerings, *caps));
    }
    environments.retain(|(name, ..)| wanted.is_empty() || wanted.contains(name));
    let details: Vec<Value> = environments
        .into_iter()
        .map(|(name, is_paused, offerings, caps)| {
            json!({
                "computeEnvironmentName": name,
                "computeEnvironmentArn": api.names.environment(name),
                "ecsClusterArn": api.names.cluster(&api.config.cluster),
                "type": "MANAGED",
                "state": state(is_paused),
                "status": "VALID",
                "statusReason": "ComputeEnvironment Healthy",
                "containerOrchestrationType": "ECS",
                "computeResources": resources(offerings, caps, &api.config),
                "tags": {},
            })
        })
        .collect();
    Ok(json!({ "computeEnvironments": details }))
}

/// `ComputeResource`: what may be bought.
fn resources(offerings: &OfferingFilter, caps: Caps, config: &Config) -> Value {
    let is_spot_alone = offerings.markets == [Market::Spot];
    let types = match offerings.instance_types.as_slice() {
        [] => vec!["optimal".to_owned()],
        types => types.to_vec(),
    };
    let mut resources = json!({
        "type": if is_spot_alone { "SPOT" } else { "EC2" },
        "minvCpus": 0,
        "instanceTypes": types,
        "subnets": config.subnets,
        "securityGroupIds": config.security_groups,
        "instanceRole": config.instance_profile,
    });
    if let Some(most) = caps.cpu_max {
        // Batch counts whole vCPUs.
        resources["maxvCpus"] = json!(most.get() / spillway_core::CpuUnits::from_vcpus(1).get());
    }
    resources
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    job_queue: String,
}

/// `GetJobQueueSnapshot`: those that may start when there is room, by priority and by when they came.
pub(super) async fn snapshot(api: &Api, call: Call) -> Result<Value, Refusal> {
    let Snapshot { job_queue } = call.read()?;
    let queue = names::queue(&job_queue)?;
    if !api.config.queues.contains(&queue) {
        return Err(Refusal::client(format!("jobQueue: there is no queue {queue}")));
    }
    let jobs = api.read(|reader| Ok(reader.state()?.jobs)).await?;
    Ok(json!({ "frontOfQueue": {
        "jobs": front(&jobs, &queue, &api.names),
        "lastUpdatedAt": Timestamp::now().as_millisecond(),
    }}))
}

fn front(jobs: &[Job], queue: &QueueName, names: &Names) -> Vec<Value> {
    let mut waiting: Vec<(&Job, Timestamp)> = Vec::new();
    for job in jobs {
        if let JobState::Runnable { since } = job.state
            && job.spec.queue == *queue
        {
            waiting.push((job, since));
        }
    }
    let priority = |job: &Job| job.spec.scheduling.as_ref().map_or(0, |own| own.priority);
    waiting.sort_by_key(|(job, _)| (std::cmp::Reverse(priority(job)), job.line()));
    let told = |(job, since): &(&Job, Timestamp)| json!({ "jobArn": names.job(job.id), "earliestTimeAtPosition": since.as_millisecond() });
    waiting.iter().take(FRONT_JOBS_MAX).map(told).collect()
}

#[cfg(test)]
mod tests {
    use spillway_core::JobId;

    use super::super::detail::tests::job_of;
    use super::*;

    fn waiting(token: &str, seq: u64, priority: u16) -> Job {
        let message = json!({
            "jobName": token, "jobQueue": "default", "schedulingPriorityOverride": priority,
            "jobDefinition": {"type": "container", "containerProperties": {"image": "busybox", "resourceRequirements": [
                {"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}]}},
        });
        let id = JobId::derive(&"default".parse().unwrap(), token);
        Job { id, seq, ..job_of(&message) }
    }

    #[test]
    fn the_front_is_by_priority_and_by_when_they_came() {
        let ended = Job {
            state: JobState::Succeeded { at: Timestamp::UNIX_EPOCH },
            ..waiting("ended", 0, 9)
        };
        let jobs = [waiting("late", 2, 0), ended, waiting("early", 1, 0), waiting("first", 3, 5)];
        let names = Names::new(None, None);

        let front = front(&jobs, &"default".parse().unwrap(), &names);

        let expected = [3, 2, 0].map(|n: usize| names.job(jobs[n].id));
        let told: Vec<&str> = front.iter().filter_map(|of| of["jobArn"].as_str()).collect();
        assert_eq!(told, expected);
    }
}
