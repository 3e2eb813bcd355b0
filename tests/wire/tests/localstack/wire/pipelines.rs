//! Jobs of many parts: arrays, jobs that wait for others, and rules for what is tried again.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use spillway_wire_tests::deployment::{Deployment, SOON, Shape, said};

/// How long a hundred starts and ends take on a loaded machine.
const A_WHILE: Duration = Duration::from_mins(3);

/// The machines of these tests hold many small jobs.
const ROOMY: Shape = Shape {
    instance_types: &["c6i.2xlarge", "c6i.4xlarge", "m6i.4xlarge"],
    boot_seconds: 1,
    config: "",
    shares_ledger: false,
};

/// How many children of an array are in each state that any is in.
fn children(here: &Deployment, array: &str) -> Value {
    let seen = here.job(array).expect("the array is known");
    let summary = seen["array"]["status_summary"].clone();
    let counts = summary.as_array().expect("an array has a summary").iter();
    let of_status = |c: &Value| Some((c["status"].as_str()?.to_owned(), c["count"].clone()));
    counts
        .filter(|c| c["count"] != 0)
        .filter_map(of_status)
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn an_array_of_a_hundred_and_one_that_follows_it_child_by_child() {
    let Some(here) = Deployment::new(ROOMY) else { return };
    let _dispatcher = here.serve();

    // A child that did not know its index would not fail alone.
    let script = "[ \"$AWS_BATCH_JOB_ARRAY_INDEX\" -ne 7 ]";
    let first = here.submit(&["--name", "first", "--array", "100"], script);
    let second = here.submit(&["--name", "second", "--array", "100", "--n-to-n", &first], "true");

    let both = [first.clone(), second.clone()];
    assert_eq!(here.wait(&both, A_WHILE), Some(3), "one child of each fails");
    assert_eq!(children(&here, &first), json!({ "SUCCEEDED": 99, "FAILED": 1 }));
    assert_eq!(children(&here, &second), json!({ "SUCCEEDED": 99, "FAILED": 1 }));
    assert_eq!(here.job(&format!("{first}:7")).unwrap()["attempts"][0]["exit_code"], 1);
    let skipped = here.job(&format!("{second}:7")).unwrap();
    assert_eq!(skipped["job"]["status"], "FAILED");
    let reason = skipped["job"]["status_reason"].as_str().unwrap();
    assert!(reason.contains(&first), "{reason}");
    assert_eq!(skipped["attempts"].as_array().map(Vec::len), Some(0), "it was not started");
    here.until_all_is_given_back();
}

#[test]
fn a_pipeline_with_a_branch_that_fails_is_cleaned_up_after() {
    let Some(here) = Deployment::new(ROOMY) else { return };
    let _dispatcher = here.serve();

    let split = here.submit(&["--name", "split"], "sleep 1");
    let good = here.submit(&["--name", "good", "--after", &split], "true");
    let bad = here.submit(&["--name", "bad", "--after", &split], "exit 9");
    let gather = here.submit(&["--name", "gather", "--after", &format!("{good},{bad}")], "true");
    let clean = here.submit(&["--name", "clean", "--after-any", &gather], "true");
    let alarm = here.submit(&["--name", "alarm", "--after-not-ok", &bad], "true");
    let idle = here.submit(&["--name", "idle", "--after-not-ok", &good], "true");

    let all = [&split, &good, &bad, &gather, &clean, &alarm, &idle].map(Clone::clone);
    assert_eq!(here.wait(&all, SOON), Some(3));
    let status = |id: &String| here.job(id).unwrap()["job"]["status"].clone();
    assert_eq!(
        all.each_ref().map(status),
        ["SUCCEEDED", "SUCCEEDED", "FAILED", "FAILED", "SUCCEEDED", "SUCCEEDED", "FAILED",]
    );
    let reason = here.job(&gather).unwrap()["job"]["status_reason"].clone();
    assert!(reason.as_str().unwrap().contains(&bad), "{reason}");
    assert_eq!(here.n_tasks_ever(), 5, "neither gather nor idle was started");
    here.until_all_is_given_back();
}

/// Sends a job with these rules of retry; its id.
fn submit_with_rules(here: &Deployment, rules: &Value, script: &str) -> String {
    let job = json!({
        "jobName": "retried",
        "jobDefinition": {
            "type": "container",
            "containerProperties": {
                "image": "busybox",
                "command": ["sh", "-c", script],
                "resourceRequirements": [
                    { "type": "VCPU", "value": "0.25" },
                    { "type": "MEMORY", "value": "128" },
                ],
            },
        },
        "retryStrategy": { "attempts": 5, "evaluateOnExit": rules },
        "spillway": { "market": "on-demand" },
    });
    fs::write(here.file("retried.json"), job.to_string()).expect("it can be written");
    let sent = here.spillway(&["submit", "--file", "retried.json"]);
    assert!(sent.status.success(), "{}", said(&sent));
    String::from_utf8_lossy(&sent.stdout).trim().to_owned()
}

#[test]
fn the_exit_code_decides_what_is_tried_again() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();

    let rules = json!([
        { "onExitCode": "42", "action": "RETRY" },
        { "onExitCode": "*", "action": "EXIT" },
    ]);
    let script = "[ \"$AWS_BATCH_JOB_ATTEMPT\" -gt 2 ] && exit 7; exit 42";
    let job = submit_with_rules(&here, &rules, script);

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(3));
    let seen = here.job(&job).unwrap();
    let attempts = seen["attempts"].as_array().unwrap();
    let codes: Vec<&Value> = attempts.iter().map(|attempt| &attempt["exit_code"]).collect();
    assert_eq!(codes, [42, 42, 7], "7 is not tried again, though two attempts are left");
}

#[test]
fn a_lost_host_is_tried_again_by_batchs_idiom() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();
    let rules = json!([
        { "onStatusReason": "Host EC2*", "action": "RETRY" },
        { "onReason": "*", "action": "EXIT" },
    ]);
    let script = "[ \"$SPILLWAY_ATTEMPT\" -gt 1 ] && exit 5; sleep 600";
    let job = submit_with_rules(&here, &rules, script);
    here.until_job_is(&job, "RUNNING");
    let instance = here.running_instances().pop().expect("the job is on a machine");

    let parameters = [("InstanceId.1", instance.as_str())];
    let (status, answer) =
        here.wire().query("ec2", "2016-11-15", "TerminateInstances", &parameters);
    assert!(status < 300, "{answer}");

    assert_eq!(here.wait(std::slice::from_ref(&job), SOON), Some(3));
    let seen = here.job(&job).unwrap();
    let attempts = seen["attempts"].as_array().unwrap();
    assert_eq!(attempts[0]["failure"], "host");
    assert_eq!(attempts.last().unwrap()["exit_code"], 5, "and that was not tried again");
}
