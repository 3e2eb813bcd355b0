//! Which machines are bought, and what happens when EC2 has none or takes one back.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use spillway_wire_tests::deployment::{Deployment, SOON, Shape, said, wait_until};
use spillway_wire_tests::wire::Wire;

/// Shapes of jobs: vCPUs and MiB.
const SHAPES: [(&str, &str); 5] =
    [("0.25", "128"), ("0.5", "512"), ("0.25", "1024"), ("1", "256"), ("0.5", "128")];

#[test]
fn fifty_jobs_of_mixed_shapes_share_few_machines() {
    let shape =
        Shape { instance_types: &["c6i.xlarge", "c6i.2xlarge", "m6i.xlarge"], ..Shape::default() };
    let Some(here) = Deployment::new(shape) else { return };
    let mut lines = String::new();
    for ord in 0..50 {
        let (vcpus, memory) = SHAPES[ord % SHAPES.len()];
        let job = json!({
            "jobName": format!("mixed-{ord}"),
            "jobDefinition": {
                "type": "container",
                "containerProperties": {
                    "image": "busybox",
                    "command": ["sh", "-c", "sleep 2"],
                    "resourceRequirements": [
                        { "type": "VCPU", "value": vcpus },
                        { "type": "MEMORY", "value": memory },
                    ],
                },
            },
            "spillway": { "clientToken": format!("mixed-{ord}") },
        });
        writeln!(lines, "{job}").unwrap();
    }
    fs::write(here.file("jobs.jsonl"), lines).unwrap();
    let sent = here.spillway(&["submit", "--file", "jobs.jsonl"]);
    assert!(sent.status.success(), "{}", said(&sent));
    let jobs: Vec<String> =
        String::from_utf8_lossy(&sent.stdout).lines().map(str::to_owned).collect();
    assert_eq!(jobs.len(), 50);

    // They are all there when the dispatcher starts, so that it plans for all of them.
    let _dispatcher = here.serve();

    assert_eq!(here.wait(&jobs, Duration::from_mins(2)), Some(0));
    // 25 vCPUs in all: four machines with eight, or seven with four, would do.
    let n_instances = here.n_instances_ever();
    assert!((1..=10).contains(&n_instances), "{n_instances} machines for 25 vCPUs");
    assert_eq!(here.n_tasks_ever(), 50);
    here.until_all_is_given_back();
}

/// Takes the faults away again, whatever becomes of the test.
struct Faults<'a>(&'a Wire);

impl<'a> Faults<'a> {
    fn set(wire: &'a Wire, faults: &Value) -> Self {
        wire.post("/_spillway/faults", faults);
        Self(wire)
    }

    fn n_fired(&self) -> u64 {
        let shown = self.0.get("/_spillway/faults");
        shown.as_array().into_iter().flatten().filter_map(|fault| fault["fired"].as_u64()).sum()
    }
}

impl Drop for Faults<'_> {
    fn drop(&mut self) {
        self.0.post("/_spillway/faults", &json!([]));
    }
}

#[test]
fn a_job_runs_elsewhere_when_its_pool_has_no_capacity() {
    // Types that no other test buys: faults hold for everyone.
    let shape = Shape { instance_types: &["c5.large", "c5.xlarge"], ..Shape::default() };
    let Some(here) = Deployment::new(shape) else { return };
    let dry = json!([{
        "operation": "CreateFleet",
        "code": "InsufficientInstanceCapacity",
        "match": { "instanceType": "c5.large" },
    }]);
    let faults = Faults::set(here.wire(), &dry);
    let _dispatcher = here.serve();

    let job = here.submit(&[], "true");

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(0));
    let seen = here.job(&job).unwrap();
    assert!(faults.n_fired() > 0, "the cheapest pool was asked first");
    assert_eq!(seen["attempts"][0]["instance_type"], "c5.xlarge");
    assert_eq!(seen["attempts"].as_array().map(Vec::len), Some(1), "no attempt was used up");
}

#[test]
fn a_job_survives_the_reclaim_of_its_spot_machine() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();
    let script = "[ \"$SPILLWAY_ATTEMPT\" -gt 1 ] || sleep 600";
    let job = here.submit(&["--market", "spot"], script);
    here.until_job_is(&job, "RUNNING");
    let instance = here.running_instances().pop().expect("the job is on a machine");

    let notice = json!({ "instanceId": instance, "noticeSeconds": 3 });
    here.wire().post("/_spillway/interrupt", &notice);

    assert_eq!(
        here.wait(std::slice::from_ref(&job), SOON),
        Some(0),
        "one attempt of its own was enough"
    );
    let seen = here.job(&job).unwrap();
    let attempts = seen["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0]["instance_id"], instance.as_str());
    assert_ne!(attempts[1]["instance_id"], instance.as_str());
    assert_eq!(attempts[1]["market"], "spot");
    wait_until("the reclaimed machine gone", SOON, || {
        (!here.running_instances().contains(&instance)).then_some(())
    });
    here.until_all_is_given_back();
}

#[test]
fn a_machine_that_dies_unannounced_costs_the_job_no_attempt() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();
    let job =
        here.submit(&["--market", "on-demand"], "[ \"$SPILLWAY_ATTEMPT\" -gt 1 ] || sleep 600");
    here.until_job_is(&job, "RUNNING");
    let instance = here.running_instances().pop().expect("the job is on a machine");

    let parameters = [("InstanceId.1", instance.as_str())];
    let (status, answer) =
        here.wire().query("ec2", "2016-11-15", "TerminateInstances", &parameters);
    assert!(status < 300, "{answer}");

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(0));
    let seen = here.job(&job).unwrap();
    let attempts = seen["attempts"].as_array().unwrap();
    let (succeeded, lost) = attempts.split_last().unwrap();
    assert_ne!(succeeded["instance_id"], instance.as_str());
    // The one that was running, and perhaps one that was refused before the end of the machine was known.
    assert!((1..=2).contains(&lost.len()), "{attempts:?}");
    assert_eq!(lost[0]["failure"], "host");
    here.until_all_is_given_back();
}
