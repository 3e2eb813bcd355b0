//! A job of several containers, from its message to the end that is its own.

use serde_json::{Value, json};
use spillway_core::JobId;
use spillway_core::job::FailureCategory;
use spillway_core::task::TaskStatus;
use spillway_core::task_spec::ContainerEnd;

use crate::rig::{Rig, job_id, message, secs};

/// `work` waits for the success of `fetch`; `proxy` is essential too.
fn several(token: &str, attempts: u32) -> String {
    let mut message: Value = serde_json::from_str(&message(token, "", "")).unwrap();
    let container = |name: &str, essential: bool, depends_on: Value| {
        json!({"name": name, "image": "tool", "essential": essential, "dependsOn": depends_on,
            "resourceRequirements": [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "256"}]})
    };
    let fetched = json!([{"containerName": "fetch", "condition": "SUCCESS"}]);
    message["jobDefinition"] = json!({"ecsProperties": {"taskProperties": [{"containers": [
        container("fetch", false, json!([])),
        container("work", true, fetched),
        container("proxy", true, json!([])),
    ]}]}});
    message["retryStrategy"] = json!({"attempts": attempts});
    message.to_string()
}

/// Brings it as far as RUNNING on a host.
fn run(rig: &mut Rig, token: &str, attempts: u32) -> JobId {
    rig.send(several(token, attempts));
    let starts = rig.provide(&mut 1);
    let start = starts.last().expect("it is started");
    assert_eq!(start.spec.resources.to_string(), "0.75 vCPU, 768 MiB");
    rig.accept(start);
    rig.runs(job_id(token));
    job_id(token)
}

fn ends(rig: &mut Rig, job: JobId, ends: [(Option<i32>, Option<&str>); 3]) {
    let now = rig.now;
    let names = ["fetch", "work", "proxy"].into_iter().zip(ends);
    let containers: Vec<ContainerEnd> = names
        .map(|(name, (exit_code, reason))| ContainerEnd {
            name: name.to_owned(),
            exit_code,
            reason: reason.map(str::to_owned),
        })
        .collect();
    rig.tell(job, |task| {
        task.status = TaskStatus::Stopped;
        task.stopped_at = Some(now);
        // As ECS tells it: the first of them.
        task.exit_code = containers[0].exit_code;
        task.stop_code = Some("EssentialContainerExited".into());
        task.stopped_reason = Some("Essential container in task exited".into());
        task.containers = containers;
    });
}

#[test]
fn a_job_of_several_containers_succeeds_when_all_essential_ones_have() {
    let mut rig = Rig::new();
    let job = run(&mut rig, "a", 1);

    ends(&mut rig, job, [(Some(9), None), (Some(0), None), (Some(0), None)]);

    assert_eq!(rig.status(job), "SUCCEEDED");
    let attempt = &rig.jobs[&job].attempts[0];
    assert_eq!((attempt.exit_code, attempt.failure), (Some(0), None));
    let kept: Vec<_> = attempt.containers.iter().map(|c| (c.name.as_str(), c.exit_code)).collect();
    assert_eq!(kept, [("fetch", Some(9)), ("work", Some(0)), ("proxy", Some(0))]);
}

#[test]
fn the_exit_code_of_the_container_that_failed_is_the_jobs() {
    let mut rig = Rig::new();
    let job = run(&mut rig, "a", 2);

    ends(&mut rig, job, [(Some(0), None), (Some(143), None), (Some(5), None)]);
    rig.wait(secs(1));
    let again = rig.take_starts().pop().expect("it is tried again");
    rig.accept(&again);
    rig.runs(job);
    let oom = Some("OutOfMemoryError: Container killed due to memory usage");
    ends(&mut rig, job, [(Some(0), None), (Some(137), oom), (Some(143), None)]);

    assert_eq!(rig.status(job), "FAILED");
    let ends: Vec<_> = rig.jobs[&job].attempts.iter().map(|a| (a.exit_code, a.failure)).collect();
    let expected =
        [(Some(5), Some(FailureCategory::Exit)), (Some(137), Some(FailureCategory::Oom))];
    assert_eq!(ends, expected);
}

#[test]
fn a_container_that_never_ran_fails_the_job_by_what_it_waited_for() {
    let mut rig = Rig::new();
    let job = run(&mut rig, "a", 1);

    ends(&mut rig, job, [(Some(3), None), (None, None), (Some(143), None)]);

    assert_eq!(rig.status(job), "FAILED");
    assert_eq!(rig.jobs[&job].attempts[0].exit_code, Some(3));
}

#[test]
fn an_image_that_cannot_be_pulled_is_the_infrastructures_fault_whichever_container_it_is_of() {
    let mut rig = Rig::new();
    let job = run(&mut rig, "a", 1);
    let unpulled = Some("CannotPullContainerError: pull image manifest has been retried");

    ends(&mut rig, job, [(None, unpulled), (None, None), (None, None)]);

    assert_eq!(rig.status(job), "RUNNABLE");
    assert_eq!(rig.jobs[&job].attempts[0].failure, Some(FailureCategory::Pull));
}
