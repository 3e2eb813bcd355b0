//! Multi-node jobs as people see them: their nodes, why they wait, and that orders are for the whole job.

use jiff::Timestamp;
use serde_json::{Value, json};
use spillway_core::{Change, HostId, JobState};

use crate::rig::{Home, add_job, id};

fn gang(token: &str) -> Value {
    let needs = json!([{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "2048"}]);
    let container = json!({"image": "mpi", "command": ["run"], "resourceRequirements": needs});
    json!({
        "jobName": token, "jobQueue": "default",
        "jobDefinition": {"type": "multinode", "nodeProperties": {
            "numNodes": 3, "mainNode": 0,
            "nodeRangeProperties": [{"targetNodes": "0:", "container": container}],
        }},
        "spillway": {"clientToken": token},
    })
}

fn waits() -> Change {
    add_job(1, &gang("g"), Timestamp::now())
}

fn running() -> JobState {
    let host: HostId = "00000000-0000-5000-8000-00000000000a".parse().unwrap();
    let attempt = json!({"ord": 1, "host": host, "placed_at": Timestamp::now()});
    let state = json!({"status": "RUNNING", "attempt": attempt, "started_at": Timestamp::now()});
    serde_json::from_value(state).unwrap()
}

/// The main node and node 2 run.
fn runs() -> Vec<Change> {
    let job = id("g").parse::<spillway_core::JobId>().unwrap();
    vec![
        waits(),
        Change::MoveJob { id: job, state: running(), ended: None },
        Change::AddChild { id: job.node(2), state: running() },
    ]
}

fn nodes(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|node| node[key].to_string()).collect()
}

#[test]
fn a_multi_node_job_is_shown_with_its_nodes() {
    let home = Home::new().with_facts("l.db", &runs());
    let g = id("g");
    let read = |args: &[&str]| {
        home.run(&[args, &["--ledger", "l.db", "--format", "json"]].concat()).json()
    };

    let shown = read(&["jobs", "show", &g]);
    let listed = read(&["jobs", "list", "--array", &g]);

    assert_eq!(shown["n_nodes"], 3);
    assert_eq!(nodes(&shown["nodes"], "node"), ["0", "2"]);
    assert_eq!(nodes(&shown["nodes"], "main"), ["true", "false"]);
    assert_eq!(shown["message"]["jobDefinition"]["nodeProperties"]["numNodes"], 3);
    assert_eq!(nodes(&listed["jobs"], "id"), [format!("\"{g}#2\""), format!("\"{g}\"")]);
    assert_eq!(nodes(&read(&["jobs", "list"])["jobs"], "id"), [format!("\"{g}\"")]);
    assert_eq!(read(&["jobs", "show", &format!("{g}#2")])["job"]["status"], "RUNNING");
}

#[test]
fn who_waits_for_room_for_all_nodes_is_told_what_is_in_the_way() {
    let home = Home::new()
        .with_facts("l.db", &[waits()])
        .with("spillway.toml", "[limits]\nmax-price-per-hour = \"$0.1\"\n");
    let why = |more: &[&str]| {
        let args = ["why", &id("g"), "--builtin-prices", "--ledger", "l.db", "--format", "json"];
        home.run(&[&args, more].concat()).json()
    };

    let limited = why(&["--config", "spillway.toml"]);
    let paused = {
        let gate = spillway_core::Gate { is_paused: true, ordered_at: Timestamp::now() };
        let target = spillway_core::Pausable::Queue("default".parse().unwrap());
        let facts = [waits(), Change::PutGate { target, gate }];
        let home = Home::new().with_facts("l.db", &facts);
        let args = ["why", &id("g"), "--builtin-prices", "--ledger", "l.db", "--format", "json"];
        home.run(&args).json()
    };

    assert_eq!(limited["code"], "no-room-for-all-nodes");
    assert!(limited["reason"].as_str().unwrap().contains("all 3 nodes at once"), "{limited}");
    assert_eq!(
        (&paused["code"], &paused["reason"]),
        (&json!("queue-paused"), &json!("queue default is paused"))
    );
}

#[test]
fn one_node_is_neither_ended_nor_retried_by_itself() {
    let home = Home::new().with_facts("l.db", &runs());
    let node = format!("{}#2", id("g"));

    let terminated = home.run(&["terminate", &node, "--dry-run", "--ledger", "l.db"]);
    let retried = home.run(&["jobs", "retry", &node, "--dry-run", "--ledger", "l.db"]);

    for ran in [terminated, retried] {
        assert_eq!(ran.code, Some(2), "{ran}");
        assert!(ran.stderr.contains("is one node of a multi-node job"), "{ran}");
    }
}
