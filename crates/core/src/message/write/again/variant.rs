//! Writes an alternative once more. Every part of one is named here; all is said, so that nothing is taken from the job.

use serde_json::{Value, json};

use super::super::super::shape::{JobVariant, NameValue, ResourceRequirement, ResourceType};
use super::super::requirements;
use super::arch_rule;
use crate::quantity::Resources;
use crate::variant::Variant;

/// One of a job that itself needs so much.
pub(super) fn written(variant: &Variant, of_job: &Resources) -> Value {
    let Variant { image, command, environment, resources, arch, gpu_kinds, expected_duration } =
        variant;
    let mut needs = requirements(resources);
    if resources.gpus == 0 && of_job.gpus != 0 {
        let (kind, value) = (Some(ResourceType::Gpu), Some("0".to_owned()));
        needs.push(ResourceRequirement { kind, value });
    }
    let variable = |(name, value): &(String, String)| NameValue {
        name: Some(name.clone()),
        value: Some(value.clone()),
    };
    json!(JobVariant {
        image: Some(image.clone()),
        command: Some(command.clone()),
        environment: Some(environment.iter().map(variable).collect()),
        resource_requirements: Some(needs),
        runtime_platform: None,
        architecture: Some(arch_rule(*arch)),
        gpu_kinds: Some(gpu_kinds.named()),
        expected_duration_seconds: expected_duration.map(|time| time.as_secs()),
    })
}
