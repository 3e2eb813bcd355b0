//! `spillway batch-api` beside a dispatcher over a simulated world: the calls that Batch's clients make, over plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::{BatchApi, Dispatcher, Home};

pub(crate) const SPOOL: (&str, &str) = ("SPILLWAY_JOB_QUEUE_URL", "file:spool");

/// Status, the header that names an error, and the body of one answer.
struct Answer {
    status: u16,
    error: Option<String>,
    body: Value,
}

/// A client that knows nothing of Spillway.
pub(crate) struct Client<'a> {
    pub(crate) api: &'a BatchApi,
}

impl Client<'_> {
    fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.api.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        let error = head.lines().find_map(|line| line.strip_prefix("x-amzn-errortype: "));
        let body = serde_json::from_str(body).unwrap_or_else(|_| panic!("{text}"));
        Answer { status, error: error.map(str::to_owned), body }
    }

    fn with(&self, operation: &str, request: &Value, headers: &str) -> Answer {
        let body = request.to_string();
        let length = body.len();
        self.raw(&format!(
            "POST /v1/{operation} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    pub(crate) fn ask(&self, operation: &str, request: &Value) -> Value {
        let answer = self.with(operation, request, "");
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        answer.body
    }

    fn refused(&self, operation: &str, request: &Value) -> String {
        let answer = self.with(operation, request, "");
        assert_eq!(answer.status, 400, "{operation}: {}", answer.body);
        assert_eq!(answer.error.as_deref(), Some("ClientException"));
        answer.body["message"].as_str().unwrap().to_owned()
    }

    fn submit(&self, name: &str, script: &str, more: &Value) -> String {
        let mut request = json!({
            "jobName": name,
            "jobQueue": "default",
            "jobDefinition": "nf-busybox",
            "containerOverrides": {"command": ["sh", "-c", script]},
        });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.ask("submitjob", &request);
        assert!(answer["jobArn"].as_str().unwrap().starts_with("arn:aws:batch:"), "{answer}");
        answer["jobId"].as_str().unwrap().to_owned()
    }

    /// The job, once it is as is wanted. It must be described from the first moment on.
    fn until(&self, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let since = Instant::now();
        loop {
            let mut answer = self.ask("describejobs", &json!({"jobs": [id]}));
            let job = answer["jobs"][0].take();
            assert_eq!(job["jobId"], id, "a job that was submitted is never unknown");
            if is_so(&job) {
                return job;
            }
            assert!(since.elapsed() < Duration::from_mins(1), "{job}");
        }
    }

    pub(crate) fn until_status(&self, id: &str, status: &str) -> Value {
        self.until(id, |job| job["status"] == status)
    }

    pub(crate) fn names(&self, request: &Value) -> (Vec<String>, Option<String>) {
        let answer = self.ask("listjobs", request);
        let name = |job: &Value| job["jobName"].as_str().unwrap().to_owned();
        let jobs = answer["jobSummaryList"].as_array().unwrap();
        (jobs.iter().map(name).collect(), answer["nextToken"].as_str().map(str::to_owned))
    }
}

fn definition() -> Value {
    json!({
        "jobDefinitionName": "nf-busybox",
        "type": "container",
        "parameters": {"nf-token": "43869867b5fbae16fa7cfeb5ea2c3522"},
        "containerProperties": {
            "image": "busybox",
            "command": ["true"],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
        },
    })
}

fn start(home: &Home) -> (Dispatcher, BatchApi) {
    let dispatcher = home.serve_with("s.toml", "l.db", &[SPOOL]);
    (dispatcher, home.batch_api("l.db", &[SPOOL]))
}

fn home() -> Home {
    Home::new().with("s.toml", "").with_ledger("l.db")
}

#[test]
fn a_head_job_of_nextflow_registers_submits_follows_and_terminates() {
    let home = home();
    let (_dispatcher, api) = start(&home);
    let client = Client { api: &api };

    let before = client.ask(
        "describejobdefinitions",
        &json!({"jobDefinitionName": "nf-busybox", "status": "ACTIVE"}),
    );
    let registered = client.ask("registerjobdefinition", &definition());
    let found = client.ask(
        "describejobdefinitions",
        &json!({"jobDefinitionName": "nf-busybox", "status": "ACTIVE"}),
    );
    assert_eq!(before["jobDefinitions"], json!([]));
    assert_eq!(registered["revision"], 1);
    assert_eq!(found["jobDefinitions"][0]["jobDefinitionArn"], registered["jobDefinitionArn"]);
    assert_eq!(found["jobDefinitions"][0]["parameters"], definition()["parameters"]);

    let retry = json!({"retryStrategy": {"attempts": 2, "evaluateOnExit": [
        {"action": "RETRY", "onStatusReason": "Host EC2*"}, {"action": "EXIT", "onReason": "*"}]}});
    let good = client.submit("hello", "sleep 30", &retry);
    let bad = client.submit("fails", "sleep 20; exit 3", &retry);
    let long = client.submit("long", "sleep 100000", &json!({}));

    let good = client.until_status(&good, "SUCCEEDED");
    let bad = client.until_status(&bad, "FAILED");
    assert_eq!(good["container"]["exitCode"], 0);
    assert_eq!(good["container"]["command"], json!(["sh", "-c", "sleep 30"]));
    assert!(good["jobDefinition"].as_str().unwrap().ends_with(":job-definition/nf-busybox:1"));
    assert!(good["createdAt"].as_i64() <= good["startedAt"].as_i64(), "{good}");
    assert!(good["startedAt"].as_i64() < good["stoppedAt"].as_i64(), "{good}");
    assert_eq!(bad["attempts"].as_array().unwrap().len(), 1, "the second rule ends it");
    assert_eq!(
        (&bad["container"]["exitCode"], &bad["attempts"][0]["container"]["exitCode"]),
        (&json!(3), &json!(3))
    );

    client.until_status(&long, "RUNNING");
    client.ask("terminatejob", &json!({"jobId": long, "reason": "Job killed by NF"}));
    let long = client.until_status(&long, "FAILED");
    assert_eq!(
        (&long["statusReason"], &long["isTerminated"]),
        (&json!("Job killed by NF"), &json!(true))
    );

    client
        .ask("deregisterjobdefinition", &json!({"jobDefinition": registered["jobDefinitionArn"]}));
    let found = client.ask(
        "describejobdefinitions",
        &json!({"jobDefinitionName": "nf-busybox", "status": "ACTIVE"}),
    );
    assert_eq!(found["jobDefinitions"], json!([]));
    let refused = client.refused(
        "submitjob",
        &json!({"jobName": "late", "jobQueue": "default", "jobDefinition": "nf-busybox"}),
    );
    assert!(refused.contains("there is no active job definition nf-busybox"), "{refused}");
}

#[test]
fn jobs_are_listed_in_pages_and_arrays_with_their_children() {
    let home = home();
    let (_dispatcher, api) = start(&home);
    let client = Client { api: &api };
    client.ask("registerjobdefinition", &definition());
    let many: Vec<String> =
        (0..5).map(|n| client.submit(&format!("many-{n}"), "sleep 5", &json!({}))).collect();
    let array = client.submit("array", "sleep 5", &json!({"arrayProperties": {"size": 4}}));
    for id in many.iter().chain([&array]) {
        client.until_status(id, "SUCCEEDED");
    }

    let list = |status: &str, token: Option<&str>| {
        client.names(&json!({"jobQueue": "default", "jobStatus": status, "maxResults": 4, "nextToken": token}))
    };
    let (first, next) = list("SUCCEEDED", None);
    let (second, end) = list("SUCCEEDED", next.as_deref());
    let both: Vec<&str> = first.iter().chain(&second).map(String::as_str).collect();
    assert_eq!(both.len(), 6, "{both:?}");
    assert!(both.contains(&"array") && both.contains(&"many-0") && end.is_none(), "{both:?}");
    assert_eq!(list("RUNNING", None).0.len(), 0);

    let filtered = json!({"jobQueue": "default", "filters": [
        {"name": "JOB_NAME", "values": ["MANY-*"]}, {"name": "JOB_DEFINITION", "values": ["nf-busybox"]}]});
    assert_eq!(client.names(&filtered).0.len(), 5);

    let whole = client.until_status(&array, "SUCCEEDED");
    assert_eq!(whole["arrayProperties"]["statusSummary"]["SUCCEEDED"], 4);
    let children = json!({"arrayJobId": array, "jobStatus": "SUCCEEDED"});
    assert_eq!(client.names(&children).0.len(), 4);
    let child = client.until_status(&format!("{array}:2"), "SUCCEEDED");
    assert_eq!(child["arrayProperties"]["index"], 2);
}

#[test]
fn a_job_is_known_before_a_dispatcher_has_taken_it() {
    let home = home();
    let api = home.batch_api("l.db", &[SPOOL]);
    let client = Client { api: &api };
    let mut request = json!({"jobName": "early", "jobQueue": "default", "jobDefinition": definition(), "tags": {"team": "a"}});
    request["jobDefinition"].as_object_mut().unwrap().remove("parameters");

    // What an SDK sends again has the same invocation.
    let again = "amz-sdk-invocation-id: 5c2a2f2e-0d5e-4a5b-9d0a-3f0f1f8f8c11\r\n";
    let first = client.with("submitjob", &request, again);
    let second = client.with("submitjob", &request, again);
    let other = client.ask("submitjob", &request);
    assert_eq!(first.body["jobId"], second.body["jobId"]);
    assert_ne!(first.body["jobId"], other["jobId"]);

    let id = other["jobId"].as_str().unwrap();
    let job = client.until_status(id, "SUBMITTED");
    assert_eq!(job["statusReason"], "sent; the dispatcher has not taken it yet");
    let submitted = json!({"jobQueue": "default", "jobStatus": "SUBMITTED", "maxResults": 1});
    let (page, next) = client.names(&submitted);
    let (rest, end) =
        client.names(&json!({"jobQueue": "default", "jobStatus": "SUBMITTED", "nextToken": next}));
    assert_eq!((page.len(), rest.len(), end), (1, 1, None));
    let arn = other["jobArn"].as_str().unwrap().replace(':', "%3A").replace('/', "%2F");
    let tags = client.raw(&format!(
        "GET /v1/tags/{arn} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    ));
    assert_eq!(tags.body["tags"], json!({"team": "a"}));

    let _dispatcher = home.serve_with("s.toml", "l.db", &[SPOOL]);
    for id in [id, first.body["jobId"].as_str().unwrap()] {
        client.until(id, |job| job["status"] == "SUCCEEDED");
    }
    assert_eq!(
        client.names(&json!({"jobQueue": "default", "jobStatus": "SUCCEEDED"})).0.len(),
        2,
        "twice sent is once run"
    );
}

#[test]
fn what_is_wrong_is_refused_at_its_place_and_nothing_is_sent() {
    let home = home();
    let api = home.batch_api("l.db", &[SPOOL]);
    let client = Client { api: &api };
    let mut wrong = definition();
    wrong["containerProperties"]["resourceRequirements"][1]["value"] = json!("lots");
    let submit = |more: Value| {
        let mut request =
            json!({"jobName": "x", "jobQueue": "default", "jobDefinition": definition()});
        request["jobDefinition"].as_object_mut().unwrap().remove("parameters");
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.refused("submitjob", &request)
    };

    assert!(
        client
            .refused("registerjobdefinition", &wrong)
            .contains("containerProperties.resourceRequirements[1].value")
    );
    assert!(submit(json!({"jobQueue": "nightly"})).contains("the queues are default"));
    assert!(
        submit(json!({"eksPropertiesOverride": {"podProperties": {"hostNetwork": true}}}))
            .contains("eksPropertiesOverride")
    );
    assert!(submit(json!({"spillway": {"action": "CancelJob"}})).contains("jobId"));
    let none = json!({"jobId": "3f0c1f5e-8f5d-5c0e-9f27-1d2f6a5b7c11", "reason": "r"});
    assert!(client.refused("terminatejob", &none).contains("there is no job"));
    assert!(client.refused("createjobqueue", &json!({})).contains("spillway.toml"));
    assert!(client.refused("listjobs", &json!({})).contains("jobQueue"));
    assert!(!home.file("spool").exists(), "nothing was sent");
}

#[test]
fn queues_and_pools_are_job_queues_and_compute_environments() {
    let config = "queues = [\"default\"]\njob-queue-url = \"file:spool\"\n[[queue]]\nname = \"nightly\"\npriority = 3\npools = [\"cheap\"]\n\
        [[pool]]\nname = \"cheap\"\nmarkets = [\"spot\"]\nmax-vcpus = 64\n[[pool]]\nname = \"all\"\n";
    let home = home().with("spillway.toml", config);
    let api = home.batch_api("l.db", &[]);
    let client = Client { api: &api };

    let queues = client.ask("describejobqueues", &json!({"jobQueues": ["nightly"]}));
    let pool = queues["jobQueues"][0]["computeEnvironmentOrder"][0]["computeEnvironment"].clone();
    let pools = client.ask("describecomputeenvironments", &json!({"computeEnvironments": [pool]}));
    let front = client.ask("getjobqueuesnapshot", &json!({"jobQueue": "nightly"}));

    let queue = &queues["jobQueues"][0];
    assert_eq!(
        (&queue["priority"], &queue["state"], &queue["status"]),
        (&json!(3), &json!("ENABLED"), &json!("VALID"))
    );
    let resources = &pools["computeEnvironments"][0]["computeResources"];
    assert_eq!((&resources["type"], &resources["maxvCpus"]), (&json!("SPOT"), &json!(64)));
    assert_eq!(pools["computeEnvironments"].as_array().unwrap().len(), 1);
    assert_eq!(front["frontOfQueue"]["jobs"], json!([]));
    assert_eq!(
        client.ask("describejobqueues", &json!({}))["jobQueues"].as_array().unwrap().len(),
        2
    );
}

#[test]
fn a_web_page_is_not_answered_by_whatever_name_it_comes() {
    let home = home();
    let api = home.batch_api("l.db", &[SPOOL]);
    let client = Client { api: &api };

    let ask = |headers: &str| {
        client.raw(&format!("POST /v1/listjobs HTTP/1.1\r\n{headers}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"))
    };

    assert_eq!(ask("Host: evil.example:8787").status, 403);
    assert_eq!(ask("Host: 127.0.0.1:8787\r\nOrigin: https://evil.example").status, 403);
    assert_eq!(ask("Host: 127.0.0.1:8787").status, 400);
    let long = client.with("listjobs", &json!({"x": "x".repeat(2 << 20)}), "");
    assert_eq!((long.status, long.error.as_deref()), (413, Some("ClientException")));
}

#[test]
fn a_registration_that_nobody_takes_says_what_must_run() {
    let home = home();
    let api = home.batch_api("l.db", &[SPOOL]);

    let answer = Client { api: &api }.with("registerjobdefinition", &definition(), "");

    assert_eq!((answer.status, answer.error.as_deref()), (500, Some("ServerException")));
    assert!(
        answer.body["message"].as_str().unwrap().contains("`spillway serve` must run"),
        "{}",
        answer.body
    );
}

#[test]
fn without_a_way_to_send_it_does_not_start() {
    let ran = home().run(&["batch-api", "--port", "0", "--ledger", "l.db"]);

    assert_ne!(ran.code, Some(0), "{ran}");
    assert!(ran.stderr.contains("hint:") && ran.stdout.is_empty(), "{ran}");
}
