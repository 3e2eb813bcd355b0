//! What a container gets from outside: values that are kept elsewhere, and folders of its host.

use std::fs;

use serde_json::{Value, json};
use spillway_wire_tests::deployment::{Deployment, SOON, Shape, runner, said};

/// Sends a job of these container properties, and more; its id.
fn submit(here: &Deployment, script: &str, properties: &Value, more: &Value) -> String {
    let mut container = json!({
        "image": "busybox",
        "command": ["sh", "-c", script],
        "resourceRequirements": [
            { "type": "VCPU", "value": "0.25" },
            { "type": "MEMORY", "value": "128" },
        ],
    });
    let mut job = json!({
        "jobName": "outside",
        "spillway": { "market": "on-demand" },
    });
    extend(&mut container, properties);
    extend(&mut job, more);
    job["jobDefinition"] = json!({ "type": "container", "containerProperties": container });
    fs::write(here.file("outside.json"), job.to_string()).expect("it can be written");
    let sent = here.spillway(&["submit", "--file", "outside.json"]);
    assert!(sent.status.success(), "{}", said(&sent));
    String::from_utf8_lossy(&sent.stdout).trim().to_owned()
}

fn extend(object: &mut Value, more: &Value) {
    let more = more.as_object().expect("an object").clone();
    object.as_object_mut().expect("an object").extend(more);
}

#[test]
fn secrets_reach_the_container_and_nobody_else() {
    const ALLOWING: &str = "jobs.allowed-secrets = [\"*\"]\njobs.allowed-roles = [\"*\"]\n";
    let Some(here) = Deployment::new(Shape { config: ALLOWING, ..Shape::default() }) else {
        return;
    };
    let token = format!("/{}/token", here.name());
    let value = "tok3n-of-a-test";
    here.wire()
        .ssm("PutParameter", &json!({ "Name": token, "Value": value, "Type": "SecureString" }));
    let pair = json!({ "user": "ada", "password": "hunter2-of-a-test" }).to_string();
    let name = format!("{}-db", here.name());
    let token_of_call = format!("{:0>32}", here.name());
    let made = here.wire().secrets(
        "CreateSecret",
        &json!({ "Name": name, "SecretString": pair, "ClientRequestToken": token_of_call }),
    );
    let arn = made["ARN"].as_str().expect("a secret has an ARN");
    let dispatcher = here.serve();

    let properties = json!({
        "executionRoleArn": "arn:aws:iam::000000000000:role/reads-secrets",
        "secrets": [
            { "name": "TOKEN", "valueFrom": token },
            { "name": "PASSWORD", "valueFrom": format!("{arn}:password::") },
        ],
    });
    let script = "[ \"$TOKEN\" = tok3n-of-a-test ] && [ \"$PASSWORD\" = hunter2-of-a-test ]";
    // The first script names the values, so its job shows them; the second only says how long they are.
    let silent = "[ ${#TOKEN} -eq 15 ] && [ ${#PASSWORD} -eq 17 ]";
    let missing = json!({
        "executionRoleArn": "arn:aws:iam::000000000000:role/reads-secrets",
        "secrets": [{ "name": "TOKEN", "valueFrom": "/no/such/parameter" }],
    });
    let right = submit(&here, script, &properties, &json!({}));
    let quiet = submit(&here, silent, &properties, &json!({}));
    let without = submit(&here, "true", &missing, &json!({}));

    assert_eq!(here.wait(&[right, quiet.clone()], SOON), Some(0));
    let shown = here.json(&["jobs", "show", &quiet]).to_string();
    assert!(!shown.contains(value), "{shown}");
    // It is tried a few times, with pauses between.
    assert_eq!(here.wait(std::slice::from_ref(&without), 2 * SOON), Some(3));
    let seen = here.job(&without).unwrap();
    let reason = seen["job"]["status_reason"].as_str().unwrap();
    assert!(reason.contains("unable to pull secrets"), "{seen}");
    assert_eq!(seen["attempts"][0]["failure"], "pull");
    assert_eq!(dispatcher.stop(), Some(0));
    let log = fs::read_to_string(here.file("serve.log")).expect("there is a log");
    assert!(!log.contains(value), "a secret is in the log");
}

#[test]
fn a_folder_of_the_host_outlives_the_container_that_wrote_into_it() {
    // Local processes have no volumes.
    if runner() != "docker" {
        return;
    }
    let allowing = "jobs.allowed-host-paths = [\"/data\"]\n";
    let one_host = Shape { config: allowing, instance_types: &["c6i.large"], ..Shape::default() };
    let Some(here) = Deployment::new(one_host) else { return };
    let _dispatcher = here.serve();
    let mount = |is_read_only: bool| {
        json!({
            "volumes": [{ "name": "data", "host": { "sourcePath": "/data" } }],
            "mountPoints": [
                { "sourceVolume": "data", "containerPath": "/mnt/data", "readOnly": is_read_only },
            ],
        })
    };

    let first = submit(&here, "echo here > /mnt/data/mark", &mount(false), &json!({}));
    let after = json!({ "dependsOn": [{ "jobId": first }] });
    let script = "[ \"$(cat /mnt/data/mark)\" = here ] && ! echo more > /mnt/data/mark";
    let second = submit(&here, script, &mount(true), &after);

    assert_eq!(here.wait(&[first, second], SOON), Some(0));
    assert_eq!(here.n_instances_ever(), 1, "both ran on one host");
}
