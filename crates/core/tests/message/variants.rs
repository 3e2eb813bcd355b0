//! Alternatives of a job: what each takes from the job, and what is refused, with its place.

use serde_json::{Value, json};
use spillway_core::message::code;
use spillway_core::{Arch, CpuUnits, GpuKind, GpuKinds, JobSpec, MiB, Resources, VariantOrd};

use crate::nodes::nodes;
use crate::sample::{job, least, parse, with};
use crate::several::pipeline;

/// A job that needs a GPU and says of others that it has them.
pub(crate) fn with_variants(variants: &Value) -> Value {
    let mut message = least();
    message["jobDefinition"]["containerProperties"] = json!({
        "image": "tool:gpu",
        "command": ["run", "--fast"],
        "environment": [{"name": "MODE", "value": "gpu"}, {"name": "DEPTH", "value": "3"}],
        "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:us-east-1:1:parameter/t"}],
        "resourceRequirements": [
            {"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "8192"},
            {"type": "GPU", "value": "1"}
        ]
    });
    message["spillway"] = json!({
        "gpuKinds": ["T4"], "expectedDurationSeconds": 600, "variants": variants
    });
    message
}

pub(crate) fn samples() -> Vec<Value> {
    vec![
        with_variants(&json!([{"image": "tool:arm", "architecture": "arm64"}])),
        with_variants(&json!([
            {"image": "tool:cpu", "command": ["run"], "resourceRequirements": [
                {"type": "GPU", "value": "0"}, {"type": "VCPU", "value": "16"}
            ], "environment": [{"name": "MODE", "value": "cpu"}], "expectedDurationSeconds": 7200},
            {"architecture": "any", "gpuKinds": []},
            {"gpuKinds": ["L4"], "runtimePlatform": {"cpuArchitecture": "ARM64"}},
        ])),
    ]
}

fn spec(variants: &Value) -> JobSpec {
    job(&with_variants(variants)).0
}

fn refused(message: &Value, code: &str, path: &str) {
    let rejection = parse(message).expect_err("it is refused");
    assert_eq!((rejection.code, rejection.path.as_deref()), (code, Some(path)), "{rejection:?}");
}

#[test]
fn a_variant_is_the_job_but_for_what_it_says_otherwise() {
    let spec = spec(&json!([{
        "image": "tool:cpu",
        "environment": [{"name": "MODE", "value": "cpu"}],
        "resourceRequirements": [{"type": "GPU", "value": "0"}, {"type": "VCPU", "value": "16"}],
        "runtimePlatform": {"cpuArchitecture": "ARM64"},
        "expectedDurationSeconds": 7200
    }]));

    let own = spec.as_variant(VariantOrd::new(1)).into_owned();

    assert_eq!(own.container.image, "tool:cpu");
    assert_eq!(own.container.command, ["run", "--fast"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(own.container.environment, [pair("MODE", "cpu"), pair("DEPTH", "3")]);
    assert_eq!(own.container.secrets, spec.container.secrets);
    assert_eq!(own.resources, Resources::new(CpuUnits::from_vcpus(16), MiB::from_gib(8), 0));
    assert_eq!((own.arch, own.gpu_kinds), (Some(Arch::Arm64), GpuKinds::ANY));
    assert_eq!(own.expected_duration.map(|time| time.as_secs()), Some(7200));
    assert_eq!(own.variants, None);
}

#[test]
fn the_job_as_it_is_written_is_the_first_of_its_alternatives() {
    let spec = spec(&json!([{"image": "b"}, {"image": "c"}]));

    let images: Vec<String> =
        spec.variant_ords().map(|ord| spec.as_variant(ord).container.image.clone()).collect();

    assert_eq!(images, ["tool:gpu", "b", "c"]);
    assert_eq!(spec.as_variant(VariantOrd::BASE).gpu_kinds, vec![GpuKind::T4].into());
    assert_eq!(job(&least()).0.variant_ords().count(), 1);
}

#[test]
fn a_variant_with_nothing_of_its_own_is_the_job_again() {
    let spec = spec(&json!([{}]));

    let own = spec.as_variant(VariantOrd::new(1)).into_owned();

    assert_eq!(own, JobSpec { variants: None, ..spec });
}

#[test]
fn parameters_are_put_into_the_commands_of_variants_too() {
    let mut message = with_variants(&json!([{"command": ["run", "Ref::input", "Ref::none"]}]));
    message["parameters"] = json!({"input": "s3://in"});

    let (spec, warnings) = job(&message);

    let own = spec.as_variant(VariantOrd::new(1)).into_owned();
    assert_eq!(own.container.command, ["run", "s3://in", "Ref::none"]);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("spillway.variants[0].command: Ref::none"), "{warnings:?}");
}

#[test]
fn a_definition_may_list_them_and_a_job_says_otherwise_as_a_whole() {
    let mut message = with_variants(&Value::Null);
    message["jobDefinition"]["spillway"] = json!({"variants": [{"image": "of-definition"}]});
    message["spillway"].as_object_mut().unwrap().remove("variants");
    let of_definition = job(&message).0;
    message["spillway"]["variants"] = json!([{"image": "own"}, {"image": "other"}]);
    let own = job(&message).0;

    let image = |spec: &JobSpec| spec.as_variant(VariantOrd::new(1)).container.image.clone();
    assert_eq!((image(&of_definition).as_str(), image(&own).as_str()), ("of-definition", "own"));
    assert_eq!((of_definition.variant_ords().count(), own.variant_ords().count()), (2, 3));
}

#[test]
fn what_is_wrong_with_a_variant_is_told_with_its_place() {
    let invalid = [
        (json!([{}, {"image": "no spaces"}]), "spillway.variants[1].image"),
        (
            json!([{"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}]),
            "spillway.variants[0].environment[0].name",
        ),
        (
            json!([{"environment": [{"name": "TOKEN", "value": "1"}]}]),
            "spillway.variants[0].environment[0].name",
        ),
        (
            json!([{"resourceRequirements": [{"type": "VCPU", "value": "-1"}]}]),
            "spillway.variants[0].resourceRequirements[0].value",
        ),
        (
            json!([{"resourceRequirements": [{"type": "GPU", "value": "0"}], "gpuKinds": ["T4"]}]),
            "spillway.variants[0].gpuKinds",
        ),
        (
            json!([{"architecture": "x86_64", "runtimePlatform": {"cpuArchitecture": "ARM64"}}]),
            "spillway.variants[0].architecture",
        ),
        (json!([{"expectedDurationSeconds": 0}]), "spillway.variants[0].expectedDurationSeconds"),
        (json!([{}, {}, {}, {}, {}, {}, {}, {}, {}]), "spillway.variants"),
        (json!([{"gpuKinds": ["T9"]}]), "spillway.variants[0].gpuKinds[0]"),
        (json!([7]), "spillway.variants[0]"),
        (json!({}), "spillway.variants"),
    ];
    for (variants, path) in invalid {
        refused(&with_variants(&variants), code::INVALID_FIELD, path);
    }
    let missing = json!([{"resourceRequirements": [{"type": "VCPU"}]}]);
    let path = "spillway.variants[0].resourceRequirements[0].value";
    refused(&with_variants(&missing), code::MISSING_FIELD, path);
    let windows = json!([{"runtimePlatform": {"operatingSystemFamily": "WINDOWS"}}]);
    let path = "spillway.variants[0].runtimePlatform.operatingSystemFamily";
    refused(&with_variants(&windows), code::UNSUPPORTED_FIELD, path);
    let long = json!([{"command": ["x".repeat(9000)]}]);
    refused(&with_variants(&long), code::TOO_LARGE, "spillway.variants[0].command");
}

#[test]
fn a_key_that_a_variant_does_not_have_is_a_warning() {
    let (_, warnings) = job(&with_variants(&json!([{"comand": ["x"]}])));

    assert!(warnings[0].starts_with("spillway.variants[0].comand: "), "{warnings:?}");
    assert!(warnings[0].contains("did you mean command?"), "{warnings:?}");
}

#[test]
fn jobs_of_several_containers_or_nodes_have_none() {
    let variants = json!({"variants": [{"image": "b"}]});
    let several = with(pipeline(), "/spillway", variants.clone());
    let of_nodes = with(nodes(2, 0, &[("0:", "1")]), "/spillway", variants);

    refused(&several, code::INVALID_FIELD, "spillway.variants");
    refused(&of_nodes, code::INVALID_FIELD, "spillway.variants");
    let reason = parse(&of_nodes).unwrap_err().reason;
    assert!(reason.contains("a multi-node job has no variants"), "{reason}");
}
