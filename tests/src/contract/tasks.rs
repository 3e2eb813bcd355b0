//! The contract of ECS and of the events: a token starts once, on its host; how a task ends is told.

use std::collections::BTreeMap;
use std::time::Duration;

use spillway_core::effect::{Refusal, TaskRequest, TaskStart};
use spillway_core::port::{Cluster as _, EventQueue as _};
use spillway_core::quantity::Dimension;
use spillway_core::task::{CloudEvent, ContainerInstanceReport, TaskReport, TaskStatus};
use spillway_core::{
    ClientToken, CpuUnits, InstanceId, JobId, Market, MiB, Offering, Resources, TaskArn,
};

use super::{World, eventually, fleet};
use crate::job;

/// A host that is in the cluster, and what it was bought as.
async fn host<W: World>(world: &W, ord: u64) -> (ContainerInstanceReport, Offering) {
    let offering = fleet::cheapest(world, Market::OnDemand).await;
    let answer = fleet::launch(world, &fleet::request(world, &offering, 1, ord)).await;
    let id = answer.instances[0].id.clone();
    let registered = async || {
        let all = world.cluster().container_instances().await.expect("ECS can be read");
        all.into_iter().find(|host| host.instance == id && host.active && host.agent_connected)
    };
    (eventually(world, "the host in the cluster", registered).await, offering)
}

/// A small task; `name` tells tasks of one world apart.
fn request<W: World>(world: &W, name: &str, instance: &InstanceId, script: &str) -> TaskRequest {
    let spec = job::spec(name, script);
    let id = JobId::derive(&spec.queue, &format!("{name} of {}", world.ledger()));
    let attempt = spillway_core::AttemptOrd::FIRST;
    TaskRequest {
        job: id,
        attempt,
        token: ClientToken::of_attempt(id, attempt),
        instance: instance.clone(),
        spec: spec.into(),
        environment: BTreeMap::from([("AWS_BATCH_JOB_ID".to_owned(), id.to_string())]),
        runner: None,
    }
}

async fn start<W: World>(world: &W, request: &TaskRequest) -> TaskReport {
    match world.cluster().run_task(request).await.expect("ECS answers") {
        TaskStart::Started(report) => report,
        TaskStart::Refused(refusal) => panic!("refused: {refusal:?}"),
    }
}

async fn refused<W: World>(world: &W, request: &TaskRequest) -> Refusal {
    match world.cluster().run_task(request).await.expect("ECS answers") {
        TaskStart::Refused(refusal) => refusal,
        TaskStart::Started(report) => panic!("started: {report:?}"),
    }
}

/// Waits until the task is in this state, or past it.
async fn reaches<W: World>(world: &W, arn: &TaskArn, status: TaskStatus) -> TaskReport {
    let look = async || {
        let (known, _) =
            world.cluster().tasks(std::slice::from_ref(arn)).await.expect("ECS can be read");
        known.into_iter().find(|task| status <= task.status)
    };
    eventually(world, "the task's next state", look).await
}

/// A host registers all its CPU and most of its memory.
pub async fn a_host_registers_with_what_tasks_can_use<W: World>(world: &W) {
    let (host, offering) = host(world, 10).await;

    assert_eq!(host.registered.cpu, offering.capacity.cpu);
    let expected = offering.capacity.memory.get();
    let registered = host.registered.memory.get();
    assert!(registered > expected / 2, "{registered} of {expected} MiB");
    assert!(registered < expected * 12 / 10, "{registered} of {expected} MiB");
}

/// A task says who started it, where it runs, and how it ended; its versions only grow.
pub async fn a_task_is_told_to_its_exit_code<W: World>(world: &W) {
    let (host, _) = host(world, 11).await;
    let request = request(world, "exits-3", &host.instance, "sleep 2; exit 3");

    let started = start(world, &request).await;
    let running = reaches(world, &started.arn, TaskStatus::Running).await;
    let stopped = reaches(world, &started.arn, TaskStatus::Stopped).await;

    assert_eq!(started.started_by.as_deref(), Some(request.token.as_str()));
    assert_eq!(running.container_instance.as_ref(), Some(&host.arn));
    assert_eq!(stopped.exit_code, Some(3));
    assert_eq!(stopped.stop_code.as_deref(), Some("EssentialContainerExited"));
    assert!(stopped.started_at.is_some() && stopped.started_at <= stopped.stopped_at);
    assert!(started.version < stopped.version, "{} then {}", started.version, stopped.version);
}

/// The same token again is the same call: the same task.
pub async fn a_token_starts_once<W: World>(world: &W) {
    let (host, _) = host(world, 12).await;
    let request = request(world, "twice", &host.instance, "sleep 5");

    let first = start(world, &request).await;
    let again = start(world, &request).await;

    assert_eq!(first.arn, again.arn);
}

/// What does not fit is refused with what is missing; a host that is not there, as gone.
pub async fn a_refusal_says_why<W: World>(world: &W) {
    let (host, _) = host(world, 13).await;
    let with = |name: &str, resources: Resources| {
        let mut request = request(world, name, &host.instance, "true");
        let mut spec = (*request.spec).clone();
        spec.resources = resources;
        request.spec = spec.into();
        request
    };
    let room = host.registered;
    let too_much_memory = Resources { memory: MiB::new(room.memory.get() + 1), ..room };
    let too_much_cpu =
        Resources { cpu: CpuUnits::new(room.cpu.get() + 1024), memory: MiB::new(128), gpus: 0 };
    let nowhere: InstanceId = "i-0000000000000dead".parse().expect("it is an id");

    let memory = refused(world, &with("memory", too_much_memory)).await;
    let cpu = refused(world, &with("cpu", too_much_cpu)).await;
    let gone = refused(world, &request(world, "nowhere", &nowhere, "true")).await;

    assert_eq!(memory, Refusal::NoRoom { dimension: Some(Dimension::Memory) });
    assert_eq!(cpu, Refusal::NoRoom { dimension: Some(Dimension::Cpu) });
    assert_eq!(gone, Refusal::HostGone);
}

/// A stopped task has ended by a signal; stopping it again, or one that never was, is no error.
pub async fn a_stopped_task_stays_stopped<W: World>(world: &W) {
    let (host, _) = host(world, 14).await;
    let started = start(world, &request(world, "long", &host.instance, "sleep 600")).await;
    reaches(world, &started.arn, TaskStatus::Running).await;

    world.cluster().stop_task(&started.arn, "asked to").await.expect("it can be stopped");
    let stopped = reaches(world, &started.arn, TaskStatus::Stopped).await;
    let again = world.cluster().stop_task(&started.arn, "asked to").await;

    assert_eq!(stopped.stopped_reason.as_deref(), Some("asked to"));
    assert!(matches!(stopped.exit_code, Some(137 | 143)), "{:?}", stopped.exit_code);
    assert_eq!(again, Ok(()));
}

/// Tasks that ECS does not know are named as such, beside those that it knows.
pub async fn unknown_tasks_are_told_apart<W: World>(world: &W) {
    let (host, _) = host(world, 15).await;
    let known = start(world, &request(world, "known", &host.instance, "sleep 5")).await.arn;
    let (head, _) = known.as_str().rsplit_once('/').expect("a task's ARN ends with its id");
    let unknown: TaskArn = format!("{head}/{}", "0".repeat(32)).parse().expect("it is an ARN");

    let (found, missing) =
        world.cluster().tasks(&[known.clone(), unknown.clone()]).await.expect("ECS can be read");

    assert_eq!(found.iter().map(|task| &task.arn).collect::<Vec<_>>(), [&known]);
    assert_eq!(missing, [unknown]);
}

/// A draining host takes no task; draining it again is no error, nor is taking it out once it has ended.
pub async fn a_draining_host_takes_no_task<W: World>(world: &W) {
    use spillway_core::port::Compute as _;
    let (host, _) = host(world, 16).await;

    world.cluster().drain(&host.arn).await.expect("it can be drained");
    assert_eq!(world.cluster().drain(&host.arn).await, Ok(()));
    let refusal = refused(world, &request(world, "late", &host.instance, "true")).await;
    world.compute().terminate(std::slice::from_ref(&host.instance)).await.expect("it can be ended");
    world.cluster().deregister(&host.arn).await.expect("it can be taken out");

    assert_eq!(refusal, Refusal::HostGone);
    assert_eq!(world.cluster().deregister(&host.arn).await, Ok(()));
    let all = world.cluster().container_instances().await.expect("ECS can be read");
    assert!(all.iter().all(|other| other.arn != host.arn || !other.active), "{all:?}");
}

/// The end of a task comes as an event too, with the same version; a deleted event does not come again.
pub async fn the_end_of_a_task_is_an_event<W: World>(world: &W) {
    let (host, _) = host(world, 17).await;
    let arn = start(world, &request(world, "told", &host.instance, "exit 4")).await.arn;

    let event = eventually(world, "the event", async || {
        let wait = Duration::from_secs(1);
        let deliveries = world.events().receive(wait).await.expect("events can be read");
        let receipts: Vec<_> = deliveries.iter().map(|d| d.receipt.clone()).collect();
        if !receipts.is_empty() {
            world.events().delete(&receipts).await.expect("events can be deleted");
        }
        deliveries.into_iter().find_map(|delivery| match delivery.event {
            Some(CloudEvent::Task { report })
                if report.arn == arn && report.status == TaskStatus::Stopped =>
            {
                Some(report)
            }
            Some(_) | None => None,
        })
    })
    .await;

    assert_eq!(event.exit_code, Some(4));
    assert_eq!(event.version, reaches(world, &arn, TaskStatus::Stopped).await.version);
}
