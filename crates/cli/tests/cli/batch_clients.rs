//! What workflow engines ask of `batch-api`, as Snakemake's plugin (0.2.1) and Metaflow (2.19.39) were seen to ask it.

use serde_json::{Value, json};

use crate::batch_api::{Client, SPOOL};
use crate::rig::{BatchApi, Dispatcher, Home};

const ROLE: &str = "arn:aws:iam::000000000000:role/job";

/// With the role that jobs have to bring, and with what else they ask for.
fn start(home: &Home) -> (Dispatcher, BatchApi) {
    let variables = [SPOOL, ("SPILLWAY_CONFIG", "spillway.toml")];
    let dispatcher = home.serve_with("s.toml", "l.db", &variables);
    (dispatcher, home.batch_api("l.db", &variables))
}

fn home(rules: &str) -> Home {
    let config = format!("[jobs]\nallowed-roles = [\"{ROLE}\"]\n{rules}\n");
    Home::new().with("s.toml", "").with("spillway.toml", &config).with_ledger("l.db")
}

fn needs(vcpus: &str, memory: &str) -> Value {
    json!([{"type": "VCPU", "value": vcpus}, {"type": "MEMORY", "value": memory}])
}

/// A definition for each job, gone with it. It asks to be privileged in any case.
fn submitted_by_snakemake(client: &Client<'_>) -> (Value, String) {
    let registered = client.ask(
        "registerjobdefinition",
        &json!({
            "jobDefinitionName": "snakejob-def-all-1",
            "type": "container",
            "containerProperties": {
                "image": "snakemake/snakemake:v9.27.1",
                "command": ["/bin/bash", "-c", "sleep 10"],
                "environment": [],
                "jobRoleArn": ROLE,
                "privileged": true,
                "resourceRequirements": needs("1", "2048"),
            },
            "timeout": {"attemptDurationSeconds": 300},
            "tags": {},
            "platformCapabilities": ["EC2"],
        }),
    );
    let definition = format!("snakejob-def-all-1:{}", registered["revision"]);
    let job = client.ask(
        "submitjob",
        &json!({"jobName": "snakejob-all-1", "jobQueue": "default", "jobDefinition": definition}),
    );
    (registered, job["jobId"].as_str().unwrap().to_owned())
}

#[test]
fn a_rule_of_snakemake_runs_and_leaves_no_definition() {
    let home = home("allow-privileged = true");
    let (_dispatcher, api) = start(&home);
    let client = Client { api: &api };

    let (registered, id) = submitted_by_snakemake(&client);
    let job = client.until_status(&id, "SUCCEEDED");
    // It ends what has ended, and takes the definition from the job.
    client.ask("terminatejob", &json!({"jobId": id, "reason": "terminated by snakemake"}));
    client.ask("deregisterjobdefinition", &json!({"jobDefinition": job["jobDefinition"]}));

    assert_eq!(job["jobDefinition"], registered["jobDefinitionArn"]);
    let active = client.ask("describejobdefinitions", &json!({"status": "ACTIVE"}));
    assert_eq!(active["jobDefinitions"], json!([]));
    assert_eq!(client.until_status(&id, "SUCCEEDED")["container"]["exitCode"], 0);
}

#[test]
fn a_rule_of_snakemake_is_refused_with_the_setting_where_nobody_may_be_privileged() {
    let home = home("");
    let (_dispatcher, api) = start(&home);
    let client = Client { api: &api };

    let (_, id) = submitted_by_snakemake(&client);

    let reason = client.until_status(&id, "FAILED")["statusReason"].to_string();
    assert!(reason.contains("jobs.allow-privileged"), "{reason}");
}

#[test]
fn steps_of_metaflow_find_their_platform_share_a_definition_and_are_killed() {
    let home = home("");
    let (_dispatcher, api) = start(&home);
    let client = Client { api: &api };

    let queues = client.ask("describejobqueues", &json!({"jobQueues": ["default"]}));
    let environment = &queues["jobQueues"][0]["computeEnvironmentOrder"][0]["computeEnvironment"];
    let found =
        client.ask("describecomputeenvironments", &json!({"computeEnvironments": [environment]}));
    let platform = &found["computeEnvironments"][0]["computeResources"]["type"];
    assert!(["EC2", "SPOT"].iter().any(|of_ec2| platform == of_ec2), "{platform}");

    let name = "metaflow_63de35e1361d3f76bb0e5c579883585f640e023dda5b78396b9cf719";
    let container = json!({
        "image": "python:3.11",
        "jobRoleArn": ROLE,
        "command": ["echo", "hello world"],
        "resourceRequirements": needs("1", "4096"),
        "linuxParameters": {},
    });
    let registered = client.ask(
        "registerjobdefinition",
        &json!({"jobDefinitionName": name, "type": "container", "containerProperties": container, "propagateTags": true}),
    );
    let known = client
        .ask("describejobdefinitions", &json!({"jobDefinitionName": name, "status": "ACTIVE"}));
    assert_eq!(known["jobDefinitions"][0]["jobDefinitionArn"], registered["jobDefinitionArn"]);

    let submit = |name: &str, script: &str| {
        let answer = client.ask(
            "submitjob",
            &json!({
                "jobName": name,
                "jobQueue": "default",
                "jobDefinition": registered["jobDefinitionArn"],
                "parameters": {"metaflow.flow_name": "F"},
                "retryStrategy": {"attempts": 1},
                "timeout": {"attemptDurationSeconds": 432_000},
                "tags": {"metaflow.user": "me"},
                "propagateTags": true,
                "containerOverrides": {
                    "command": ["bash", "-c", script],
                    "resourceRequirements": needs("1", "512"),
                    "environment": [{"name": "AWS_DEFAULT_REGION", "value": "us-east-1"}],
                },
            }),
        );
        answer["jobId"].as_str().unwrap().to_owned()
    };
    let (bad, long) = (submit("bad", "sleep 10; exit 3"), submit("long", "sleep 100000"));

    let bad = client.until_status(&bad, "FAILED");
    assert_eq!(bad["container"]["exitCode"], 3);
    assert!(0 < bad["stoppedAt"].as_i64().unwrap(), "it is done when it has stopped");
    client.until_status(&long, "RUNNING");
    let running = json!({"jobQueue": "default", "jobStatus": "RUNNING"});
    assert_eq!(client.names(&running).0, ["long"]);
    client.ask(
        "terminatejob",
        &json!({"jobId": long, "reason": "Metaflow initiated job termination."}),
    );
    client.until_status(&long, "FAILED");
}
