//! Multi-node jobs: ranges of nodes, overrides, and what is refused.

use serde_json::{Value, json};
use spillway_core::MarketRule;
use spillway_core::gang::{Gang, node_spec};
use spillway_core::message::code;

use crate::sample::{job, least, parse, with};

fn container(cpu: &str) -> Value {
    json!({"image": "busybox", "command": ["run"], "resourceRequirements": [
        {"type": "VCPU", "value": cpu}, {"type": "MEMORY", "value": "512"}
    ]})
}

pub(crate) fn nodes(n: i64, main: i64, ranges: &[(&str, &str)]) -> Value {
    let ranges: Vec<Value> = ranges
        .iter()
        .map(|(nodes, cpu)| json!({"targetNodes": nodes, "container": container(cpu)}))
        .collect();
    let mut message = least();
    message["jobDefinition"] = json!({"type": "multinode", "nodeProperties": {
        "numNodes": n, "mainNode": main, "nodeRangeProperties": ranges
    }});
    message
}

fn gang(message: &Value) -> Gang {
    job(message).0.gang.expect("it has nodes").as_ref().clone()
}

/// The vCPUs of each node.
fn cpus(message: &Value) -> Vec<String> {
    let gang = gang(message);
    let of = |node| gang.group_of(node).unwrap().resources.cpu.to_string();
    (0..gang.n_nodes()).map(of).collect()
}

fn refused(message: &Value, path: &str) {
    let rejection = parse(message).expect_err("it is refused");
    assert_eq!((rejection.code, rejection.path.as_deref()), (code::INVALID_FIELD, Some(path)));
}

#[test]
fn every_node_is_what_the_narrowest_range_around_it_says() {
    assert_eq!(cpus(&nodes(3, 0, &[("0:", "1")])), ["1", "1", "1"]);
    assert_eq!(cpus(&nodes(4, 0, &[("0", "2"), ("1:3", "1")])), ["2", "1", "1", "1"]);
    assert_eq!(cpus(&nodes(5, 0, &[(":", "1"), ("2:3", "4")])), ["1", "1", "4", "4", "1"]);
    assert_eq!(cpus(&nodes(3, 2, &[(":1", "1"), ("2:", "8")])), ["1", "1", "8"]);
}

#[test]
fn the_job_itself_is_its_main_node_and_runs_on_demand_unless_it_says_otherwise() {
    let message = nodes(3, 2, &[(":1", "1"), ("2:", "8")]);

    let (spec, warnings) = job(&message);
    let on_spot = job(&with(message, "/spillway", json!({"market": "spot"}))).0;

    assert_eq!((spec.resources.cpu.to_string().as_str(), spec.market), ("8", MarketRule::OnDemand));
    assert!(spec.container.host_network && warnings.is_empty());
    assert_eq!(on_spot.market, MarketRule::Spot);
    let gang = spec.gang.clone().unwrap();
    let other = node_spec(&spec, gang.group_of(0).unwrap());
    assert_eq!((other.resources.cpu.to_string().as_str(), other.attempt_timeout), ("1", None));
}

#[test]
fn a_job_has_other_nodes_than_its_definition_and_other_containers_on_some() {
    let mut message = nodes(2, 0, &[("0", "2"), ("1:", "1")]);
    message["nodeOverrides"] = json!({"numNodes": 4, "nodePropertyOverrides": [
        {"targetNodes": "3:", "containerOverrides": {
            "command": ["other"], "environment": [{"name": "A", "value": "1"}],
            "resourceRequirements": [{"type": "VCPU", "value": "4"}]
        }}
    ]});

    let gang = gang(&message);

    assert_eq!(cpus(&message), ["2", "1", "1", "4"]);
    assert_eq!(gang.group_of(3).unwrap().container.command, ["other"]);
    assert_eq!(gang.group_of(2).unwrap().container.command, ["run"]);
}

#[test]
fn what_makes_no_job_is_refused_with_its_place() {
    let at = "jobDefinition.nodeProperties";
    let ranges = &format!("{at}.nodeRangeProperties");
    refused(&nodes(0, 0, &[("0:", "1")]), &format!("{at}.numNodes"));
    refused(&nodes(1001, 0, &[("0:", "1")]), &format!("{at}.numNodes"));
    refused(&nodes(2, 2, &[("0:", "1")]), &format!("{at}.mainNode"));
    refused(&nodes(3, 0, &[("0:1", "1")]), ranges);
    for wrong in ["", "x", "1:0", "0:3", "-1:", "1-2"] {
        refused(&nodes(3, 0, &[(wrong, "1")]), &format!("{ranges}[0].targetNodes"));
    }
    let good = nodes(3, 0, &[("0:", "1")]);
    refused(&with(good.clone(), "/arrayProperties", json!({"size": 2})), "arrayProperties");
    let overrides = json!({"command": ["x"]});
    refused(&with(good.clone(), "/containerOverrides", overrides), "containerOverrides");
    refused(&with(least(), "/nodeOverrides", json!({"numNodes": 2})), "nodeOverrides");
    let kind = with(good.clone(), "/jobDefinition/type", json!("container"));
    refused(&kind, "jobDefinition.type");
    let twice = json!([{"targetNodes": "0:1"}, {"targetNodes": "1:"}]);
    refused(
        &with(good, "/nodeOverrides", json!({"nodePropertyOverrides": twice})),
        "nodeOverrides.nodePropertyOverrides[1].targetNodes",
    );
}

#[test]
fn nobody_waits_for_one_node_or_ends_one() {
    let node = "290f9993-9821-5417-9e19-119b12a9b481#1";

    refused(&with(least(), "/dependsOn", json!([{"jobId": node}])), "dependsOn[0].jobId");
    refused(
        &json!({"jobId": node, "reason": "x", "spillway": {"action": "TerminateJob"}}),
        "jobId",
    );
}
