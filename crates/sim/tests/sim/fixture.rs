//! What the tests build on: specs, requests and a cloud with an instance or two. Times are seconds from the start.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use spillway_core::effect::{LaunchRequest, TaskRequest, TaskStart};
use spillway_core::id::LedgerId;
use spillway_core::job::{BodyHash, JobSpec};
use spillway_core::launch::PoolChoice;
use spillway_core::message::{self, Request};
use spillway_core::{
    Arch, AttemptOrd, ClientToken, CpuUnits, InstanceId, Job, JobId, JobState, LaunchId, Market,
    MiB, MicroUsdPerHour, PoolId, QueueName, Resources, TaskArn,
};
use spillway_sim::setting::Spread;
use spillway_sim::{SimCloud, WorldConfig};
use uuid::Uuid;

pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(secs).unwrap()
}

pub(crate) fn secs(secs: i64) -> SignedDuration {
    SignedDuration::from_secs(secs)
}

/// A world in which everything takes exactly as long as it says.
pub(crate) fn exact_world() -> WorldConfig {
    WorldConfig {
        boot: Spread::of_secs(60, 60),
        pull: Spread::of_secs(10, 10),
        start: Spread::of_secs(1, 1),
        stop: Spread::of_secs(1, 1),
        sigterm: Spread::of_secs(2, 2),
        shutdown: Spread::of_secs(30, 30),
        overhead_permille: (50, 50),
        event_latency: Spread::of_millis(0, 0),
        call_latency: Spread::of_millis(0, 0),
        list_lag: Spread::of_secs(3, 3),
        ..WorldConfig::default()
    }
}

pub(crate) fn cloud(world: WorldConfig) -> SimCloud {
    SimCloud::new(world, at(0))
}

pub(crate) fn pool(instance_type: &str, zone: &str, market: Market) -> PoolId {
    PoolId { instance_type: instance_type.into(), zone: zone.parse().unwrap(), market }
}

pub(crate) fn spot() -> PoolId {
    pool("c6a.large", "us-east-1a", Market::Spot)
}

pub(crate) fn launch_id(n: u64) -> LaunchId {
    LaunchId::derive(LedgerId::from_uuid(Uuid::nil()), n)
}

pub(crate) fn launch_request(n: u64, pools: &[PoolId], count: u32) -> LaunchRequest {
    let launch = launch_id(n);
    let choice = |pool: &PoolId| PoolChoice { pool: pool.clone(), price: MicroUsdPerHour::new(1) };
    LaunchRequest {
        launch,
        token: ClientToken::of_launch(launch),
        market: pools[0].market,
        arch: Arch::X86_64,
        choices: pools.iter().map(choice).collect(),
        count,
    }
}

pub(crate) fn needs(vcpus: u32, gib: u32) -> Resources {
    Resources::new(CpuUnits::from_vcpus(vcpus), MiB::from_gib(gib), 0)
}

pub(crate) fn queue() -> QueueName {
    "default".parse().unwrap()
}

pub(crate) fn job_id(token: &str) -> JobId {
    JobId::derive(&queue(), token)
}

/// 1 vCPU and 1 GiB, `x86_64`, `sleep 100`, two attempts.
pub(crate) fn message(token: &str) -> String {
    json!({
        "jobName": "job",
        "jobQueue": "default",
        "jobDefinition": {
            "type": "container",
            "containerProperties": {
                "image": "busybox",
                "command": ["sleep", "100"],
                "resourceRequirements": [
                    {"type": "VCPU", "value": "1"},
                    {"type": "MEMORY", "value": "1024"},
                ],
            },
        },
        "retryStrategy": {"attempts": 2},
        "spillway": {"clientToken": token, "architecture": "x86_64"},
    })
    .to_string()
}

/// What [`message`] asks for.
pub(crate) fn spec() -> JobSpec {
    match message::parse(&message("any")).unwrap().request {
        Request::Submit { spec, .. } => *spec,
        other @ (Request::Cancel { .. }
        | Request::Terminate { .. }
        | Request::Register { .. }
        | Request::Deregister { .. }
        | Request::Schedule(_)
        | Request::Pause { .. }
        | Request::ResetBreaker { .. }
        | Request::ApproveBurst { .. }) => panic!("{other:?}"),
    }
}

pub(crate) fn spec_running(script: &str) -> JobSpec {
    let mut spec = spec();
    spec.container.command = vec!["sh".into(), "-c".into(), script.into()];
    spec
}

pub(crate) fn job(token: &str, state: JobState) -> Job {
    Job {
        id: job_id(token),
        spec: Arc::new(spec()),
        body_hash: BodyHash(1),
        created_at: at(0),
        seq: 0,
        state,
        attempts: Vec::new(),
        warnings: Vec::new(),
    }
}

pub(crate) fn task_request(
    token: &str,
    attempt: AttemptOrd,
    instance: &InstanceId,
    spec: JobSpec,
) -> TaskRequest {
    let job = job_id(token);
    TaskRequest {
        job,
        attempt,
        token: ClientToken::of_attempt(job, attempt),
        instance: instance.clone(),
        spec: Arc::new(spec),
        environment: BTreeMap::new(),
        runner: None,
    }
}

/// Launches one host of the pool at the start and lets it register.
pub(crate) fn registered_host(cloud: &mut SimCloud, pool: &PoolId) -> InstanceId {
    let answer = cloud.launch(at(0), &launch_request(0, std::slice::from_ref(pool), 1)).unwrap();
    cloud.advance(at(60));
    answer.instances[0].id.clone()
}

/// Starts the first attempt of a job.
pub(crate) fn start(
    cloud: &mut SimCloud,
    now: Timestamp,
    token: &str,
    instance: &InstanceId,
    spec: JobSpec,
) -> TaskArn {
    let request = task_request(token, AttemptOrd::FIRST, instance, spec);
    match cloud.run_task(now, &request).unwrap() {
        TaskStart::Started(report) => report.arn,
        TaskStart::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}
