//! Arrays and dependencies.

use std::num::NonZeroU32;

use serde_json::{Value, json};
use spillway_core::array::Indexes;
use spillway_core::coalesce::CoalesceRule;
use spillway_core::message::{Request, code};
use spillway_core::{ArraySpec, Dependency, DependencyKind, JobId, JobSpec};

use crate::sample::{least, parse, with};

fn id(token: &str) -> JobId {
    JobId::derive(&"q".parse().unwrap(), token)
}

fn spec(message: &Value) -> JobSpec {
    let parsed = parse(message).unwrap();
    assert_eq!(parsed.warnings, Vec::<String>::new());
    let Request::Submit { spec, .. } = parsed.request else { panic!("it is a job") };
    *spec
}

fn array(message: &Value) -> Option<ArraySpec> {
    spec(message).array
}

fn of(indexes: Indexes) -> ArraySpec {
    ArraySpec { indexes, max_concurrency: None, sequential: false }
}

fn sized(size: i64) -> Value {
    with(least(), "/arrayProperties", json!({ "size": size }))
}

#[test]
fn an_array_has_as_many_children_as_batch_says_or_as_our_range_has() {
    let ours = |ours: Value| with(least(), "/spillway", json!({ "array": ours }));
    let step = NonZeroU32::new(5).unwrap();

    assert_eq!(array(&least()), None);
    assert_eq!(array(&with(least(), "/arrayProperties", json!({}))), None);
    assert_eq!(array(&sized(2)), Some(of(Indexes::of_size(2))));
    assert_eq!(array(&sized(1_000_000)), Some(of(Indexes::of_size(1_000_000))));
    let by_range = ours(json!({"first": 100, "last": 199, "step": 5}));
    assert_eq!(array(&by_range), Some(of(Indexes { first: 100, step, size: 20 })));
    let one = ours(json!({"first": 5, "last": 5}));
    let only = Indexes { first: 5, step: NonZeroU32::MIN, size: 1 };
    assert_eq!(array(&one), Some(of(only)), "a range may hold one");
    let by_size = with(sized(20), "/spillway", json!({"array": {"first": 100, "step": 5}}));
    assert_eq!(array(&by_size), array(&by_range));
    let few = with(sized(9), "/spillway", json!({"array": {"maxConcurrency": 3}}));
    assert_eq!(array(&few).unwrap().max_concurrency, NonZeroU32::new(3));
}

#[test]
fn what_a_job_waits_for_is_said_once_for_each_way() {
    let depends_on = json!([
        {"jobId": id("a")},
        {"jobId": id("a"), "type": null},
        {"jobId": id("b"), "type": "N_TO_N"},
        {"jobId": id("b").child(7)},
        {"type": "SEQUENTIAL"},
    ]);
    let ours = json!({"afterAny": [id("a"), id("c")], "afterNotOk": [id("c")]});
    let message = with(with(sized(10), "/dependsOn", depends_on), "/spillway", ours);

    let spec = spec(&message);

    let mut expected = [
        Dependency { job: id("a"), kind: DependencyKind::AfterOk },
        Dependency { job: id("b"), kind: DependencyKind::NToN },
        Dependency { job: id("b").child(7), kind: DependencyKind::AfterOk },
        Dependency { job: id("a"), kind: DependencyKind::AfterAny },
        Dependency { job: id("c"), kind: DependencyKind::AfterAny },
        Dependency { job: id("c"), kind: DependencyKind::AfterNotOk },
    ];
    expected.sort();
    assert_eq!(spec.depends_on, expected);
    assert!(spec.array.unwrap().sequential);
}

#[test]
fn batchs_limit_of_twenty_dependencies_is_none_of_ours() {
    let many: Vec<Value> = (0..5_000).map(|n| json!({"jobId": id(&n.to_string())})).collect();

    assert_eq!(spec(&with(least(), "/dependsOn", json!(many))).depends_on.len(), 5_000);
}

#[test]
fn a_wrong_relation_is_refused_at_its_place() {
    let depends_on = |base: Value, on: Value| with(base, "/dependsOn", json!([on]));
    let ours = |ours: Value| with(least(), "/spillway", json!({ "array": ours }));
    let child = id("a").child(1);
    let cases = [
        (sized(1), "arrayProperties.size"),
        (sized(0), "arrayProperties.size"),
        (sized(1_000_001), "arrayProperties.size"),
        (ours(json!({"first": 5, "last": 4})), "spillway.array.last"),
        (ours(json!({"last": 1_000_000_000})), "spillway.array.last"),
        (ours(json!({"last": 9, "step": 0})), "spillway.array.step"),
        (ours(json!({"last": 9, "maxConcurrency": 0})), "spillway.array.maxConcurrency"),
        (with(sized(3), "/spillway", json!({"array": {"last": 9}})), "arrayProperties.size"),
        (
            with(sized(3), "/spillway", json!({"array": {"first": 999_999_999}})),
            "arrayProperties.size",
        ),
        (depends_on(least(), json!({"jobId": "x"})), "dependsOn[0].jobId"),
        (depends_on(least(), json!({"jobId": id("a"), "type": "N_TO_N"})), "dependsOn[0].type"),
        (depends_on(least(), json!({"type": "SEQUENTIAL"})), "dependsOn[0].type"),
        (
            depends_on(sized(2), json!({"jobId": id("a"), "type": "SEQUENTIAL"})),
            "dependsOn[0].type",
        ),
        (depends_on(sized(2), json!({"jobId": child, "type": "N_TO_N"})), "dependsOn[0].jobId"),
        (with(least(), "/spillway", json!({"afterAny": ["x"]})), "spillway.afterAny[0]"),
        (
            with(least(), "/spillway", json!({"afterNotOk": [child, "1:1"]})),
            "spillway.afterNotOk[1]",
        ),
    ];

    for (message, path) in cases {
        let rejection = parse(&message).unwrap_err();
        let found = (rejection.code, rejection.path.as_deref());
        assert_eq!(found, (code::INVALID_FIELD, Some(path)), "{rejection:?}");
        assert!(rejection.hint.is_some() || !rejection.reason.contains("N_TO_N"), "{rejection:?}");
    }
}

#[test]
fn a_dependency_on_nobody_is_missing_its_job() {
    for on in [json!({}), json!({"jobId": ""}), json!({"type": "N_TO_N"})] {
        let rejection = parse(&with(sized(2), "/dependsOn", json!([on]))).unwrap_err();

        let found = (rejection.code, rejection.path.as_deref());
        assert_eq!(found, (code::MISSING_FIELD, Some("dependsOn[0].jobId")));
    }
}

/// An array whose children are to share tasks.
fn coalesced(coalesce: &Value) -> Value {
    let command = "/jobDefinition/containerProperties/command";
    with(with(sized(10), command, json!(["work"])), "/spillway", json!({ "coalesce": coalesce }))
}

#[test]
fn children_of_an_array_share_tasks_where_it_asks_for_that() {
    let rule = |size, parallel| {
        let (size, parallel) = (NonZeroU32::new(size).unwrap(), NonZeroU32::new(parallel).unwrap());
        Some(CoalesceRule { size, parallel })
    };

    assert_eq!(spec(&sized(10)).coalesce, None);
    assert_eq!(spec(&coalesced(&json!({"size": 50}))).coalesce, rule(50, 1));
    assert_eq!(spec(&coalesced(&json!({"size": 50, "parallel": 4}))).coalesce, rule(50, 4));
    assert_eq!(spec(&coalesced(&json!({"size": 2, "parallel": 4}))).coalesce, rule(2, 2));
}

#[test]
fn who_cannot_share_tasks_is_refused_with_the_path() {
    let of = |pointer: &str, value: Value| with(coalesced(&json!({"size": 5})), pointer, value);
    let logs = |options: Value| {
        of(
            "/jobDefinition/containerProperties/logConfiguration",
            json!({"logDriver": "awslogs", "options": options}),
        )
    };
    let consumed = json!({"consumableResourceList": [{"consumableResource": "l", "quantity": 1}]});
    for (message, place) in [
        (coalesced(&json!({"size": 0})), "spillway.coalesce.size"),
        (coalesced(&json!({"size": 501})), "spillway.coalesce.size"),
        (coalesced(&json!({"parallel": 2})), "spillway.coalesce.size"),
        (coalesced(&json!({"size": 5, "parallel": 0})), "spillway.coalesce.parallel"),
        (
            of("/dependsOn", json!([{"type": "SEQUENTIAL"}])),
            "spillway.coalesce: the job is sequential",
        ),
        (
            of("/jobDefinition/containerProperties/command", json!([])),
            "spillway.coalesce: the job names no command",
        ),
        (logs(json!({"awslogs-group": "mine"})), "spillway.coalesce: the job logs to a group"),
        (
            of("/consumableResourcePropertiesOverride", consumed),
            "spillway.coalesce: the job takes of consumable",
        ),
    ] {
        let rejection = parse(&message).unwrap_err();

        assert!(rejection.reason.starts_with(place), "{place}: {rejection:?}");
    }
}

#[test]
fn a_job_that_is_no_array_has_no_children_to_share_tasks() {
    let message = with(least(), "/spillway", json!({"coalesce": {"size": 5}}));

    let (spec, warnings) = crate::sample::job(&message);

    assert_eq!(spec.coalesce, None);
    assert_eq!(warnings, ["spillway.coalesce: has no effect: the job is no array"]);
}
