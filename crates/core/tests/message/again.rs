//! The message that asks once more for what a job was asked for.

use serde_json::{Value, json};
use spillway_core::array::Indexes;
use spillway_core::job::JobSpec;
use spillway_core::message::{self, Request};

use crate::conformance::samples;
use crate::nodes::nodes;
use crate::sample::{full, job, least, parse, with};
use crate::several::pipeline;
use crate::variants;

/// What becomes of a job that is asked for again.
fn again(spec: &JobSpec) -> JobSpec {
    let body = message::submit_again(spec, Some("again")).to_string();
    let parsed = message::parse(&body).unwrap_or_else(|rejection| panic!("{rejection:?}\n{body}"));
    let Request::Submit { spec, client_token } = parsed.request else { panic!("{body}") };
    assert_eq!(client_token.as_deref(), Some("again"));
    *spec
}

/// Jobs that say, together, everything that can be said.
fn everything() -> Vec<Value> {
    let other = "290f9993-9821-5417-9e19-119b12a9b481";
    let rule = |key: &str, value: &str| json!({key: value, "action": "retry"});
    let own = json!({
        "clientToken": "t",
        "array": {"first": 100, "last": 199, "step": 5, "maxConcurrency": 3},
        "afterAny": [other, format!("{other}:7")],
        "afterNotOk": [other],
        "jobTimeoutSeconds": 600,
        "queueTimeoutSeconds": 60,
        "startTimeoutSeconds": 120,
        "stopTimeoutSeconds": 45,
        "growMemory": {"percent": 50, "maxMemory": "9000"},
        "gpuKinds": ["T4", "A10G"],
        "architecture": "any",
        "evaluateOnExit": [
            rule("onReason", "*"), {"onFailure": ["spot", "oom"], "action": "EXIT"},
            rule("onExitCode", "1*"), rule("onExitCode", "2"),
        ],
    });
    let mut rich = with(full(), "/spillway", own);
    rich["jobDefinition"]["containerProperties"]["runtimePlatform"] = Value::Null;
    rich["dependsOn"] = json!([{"jobId": other}, {"type": "SEQUENTIAL"}]);
    rich["retryStrategy"] = json!({"attempts": 4, "evaluateOnExit": [
        rule("onReason", "a"), rule("onReason", "b"), rule("onReason", "c"), rule("onReason", "d"),
    ]});
    let mut placed = least();
    placed["shareIdentifier"] = json!("red");
    placed["schedulingPriorityOverride"] = json!(7);
    placed["consumableResourcePropertiesOverride"] =
        json!({"consumableResourceList": [{"consumableResource": "licences", "quantity": 2}]});
    let together = with(
        with(
            with(least(), "/arrayProperties", json!({"size": 9})),
            "/jobDefinition/containerProperties/command",
            json!(["work"]),
        ),
        "/spillway",
        json!({"coalesce": {"size": 4, "parallel": 2}}),
    );
    let one_stop_for_all = with(pipeline(), "/spillway", json!({"stopTimeoutSeconds": 45}));
    let mut all = vec![full(), least(), rich, placed, together, pipeline(), one_stop_for_all];
    all.extend(samples());
    all.extend(of_nodes());
    all.extend(variants::samples());
    all
}

/// Multi-node jobs whose nodes differ in all that nodes can differ in.
fn of_nodes() -> Vec<Value> {
    let mut many = nodes(9, 3, &[(":", "1"), ("2:7", "2"), ("4:5", "4"), ("8", "1")]);
    many["nodeOverrides"] = json!({"nodePropertyOverrides": [
        {"targetNodes": "0", "containerOverrides": {"command": ["first"]}},
        {"targetNodes": "5", "containerOverrides": {
            "resourceRequirements": [{"type": "GPU", "value": "1"}]
        }},
    ]});
    let of_kind = with(many.clone(), "/spillway", json!({"gpuKinds": ["T4"], "market": "any"}));
    let ranges = "/jobDefinition/nodeProperties/nodeRangeProperties";
    let of_arm = json!({"cpuArchitecture": "ARM64"});
    let mixed = with(many.clone(), &format!("{ranges}/1/container/runtimePlatform"), of_arm);
    let anywhere = with(many.clone(), "/spillway", json!({"architecture": "any"}));
    vec![many, of_kind, mixed, anywhere]
}

#[test]
fn a_job_that_is_asked_for_again_is_the_same_job() {
    for message in everything() {
        let (spec, _) = job(&message);

        assert_eq!(again(&spec), spec, "{message:#}");
    }
}

#[test]
fn one_child_or_some_can_be_asked_for_again() {
    let (spec, _) = job(&with(least(), "/arrayProperties", json!({ "size": 10 })));
    for (first, last) in [(7, 7), (3, 4)] {
        let indexes = Indexes::between(first, last, std::num::NonZeroU32::MIN).unwrap();
        let mut some = spec.clone();
        some.array.as_mut().unwrap().indexes = indexes;

        assert_eq!(again(&some), some);
    }
}

#[test]
fn a_placeholder_that_names_no_parameter_stays_as_it_was() {
    let command = json!(["run", "Ref::missing", "Ref::x"]);
    let mut message = with(least(), "/jobDefinition/containerProperties/command", command);
    message["parameters"] = json!({"x": "Ref::missing"});
    let (spec, _) = job(&message);

    assert_eq!(again(&spec).container.command, ["run", "Ref::missing", "Ref::missing"]);
    assert!(parse(&message).is_ok());
}
