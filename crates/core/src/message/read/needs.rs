//! What a job needs: merges the definition's amounts with the job's, as AWS Batch does.

use super::container::Places;
use super::{Rejection, Warnings, limits};
use crate::gpu::{GpuKind, GpuKinds};
use crate::message::path::At;
use crate::message::reject::code;
use crate::message::shape::{
    ContainerOverrides, ContainerProperties, ResourceRequirement, ResourceType,
};
use crate::quantity::{CpuUnits, MiB, QuantityError, Resources};

/// Amounts of one place in the message.
#[derive(Debug, Default, Clone, Copy)]
struct Amounts {
    cpu: Option<CpuUnits>,
    memory: Option<MiB>,
    gpus: Option<u32>,
}

/// `resourceRequirements` win over the old `vcpus` and `memory`, the job's over the definition's. The old ones of a job
/// override old ones only (AWS Batch user guide, "Can't override job definition resource requirements").
pub(super) fn resources(
    Places { at: at_definition, at_overrides }: Places<'_>,
    definition: &ContainerProperties,
    overrides: &ContainerOverrides,
    warnings: &mut Warnings,
) -> Result<Resources, Rejection> {
    let listed = amounts(at_definition, definition.resource_requirements.as_deref())?;
    let listed_by_job = amounts(at_overrides, overrides.resource_requirements.as_deref())?;
    let old = Amounts {
        cpu: vcpus(at_definition, definition.vcpus)?,
        memory: memory(at_definition, definition.memory)?,
        gpus: None,
    };
    let old_by_job = Amounts {
        cpu: vcpus(at_overrides, overrides.vcpus)?,
        memory: memory(at_overrides, overrides.memory)?,
        gpus: None,
    };

    let is_listed = |kind| match kind {
        ResourceType::Vcpu => listed.cpu.or(listed_by_job.cpu).is_some(),
        ResourceType::Memory => listed.memory.or(listed_by_job.memory).is_some(),
        ResourceType::Gpu => false,
    };
    let superseded = [
        (ResourceType::Vcpu, old.cpu.is_some(), at_definition.key("vcpus")),
        (ResourceType::Memory, old.memory.is_some(), at_definition.key("memory")),
        (ResourceType::Vcpu, old_by_job.cpu.is_some(), at_overrides.key("vcpus")),
        (ResourceType::Memory, old_by_job.memory.is_some(), at_overrides.key("memory")),
    ];
    for (kind, is_said, at) in superseded {
        if is_said && is_listed(kind) {
            warnings.add(
                &at.to_string(),
                "has no effect: resourceRequirements say otherwise, and they win",
            );
        }
    }

    let cpu = listed_by_job.cpu.or(listed.cpu).or(old_by_job.cpu).or(old.cpu);
    let memory = listed_by_job.memory.or(listed.memory).or(old_by_job.memory).or(old.memory);
    let gpus = listed_by_job.gpus.or(listed.gpus).unwrap_or(0);
    let missing = |kind: &str, example: &str| {
        Rejection::at(
            code::MISSING_FIELD,
            &at_definition.key("resourceRequirements"),
            &format!("does not say how much {kind} is needed"),
        )
        .hint(format!("add {{\"type\": \"{kind}\", \"value\": \"{example}\"}}"))
    };
    let cpu = cpu.ok_or_else(|| missing("VCPU", "1"))?;
    let memory = memory.ok_or_else(|| missing("MEMORY", "2048"))?;
    Ok(Resources::new(cpu, memory, gpus))
}

/// What is needed with other amounts at a place.
pub(super) fn overridden(
    at: &At<'_>,
    list: Option<&[ResourceRequirement]>,
    own: Resources,
) -> Result<Resources, Rejection> {
    let Amounts { cpu, memory, gpus } = amounts(at, list)?;
    Ok(Resources::new(
        cpu.unwrap_or(own.cpu),
        memory.unwrap_or(own.memory),
        gpus.unwrap_or(own.gpus),
    ))
}

/// Which kinds of GPU will do. Kinds without a GPU would only narrow down where the job runs, and hardly be meant.
pub(super) fn gpu_kinds(
    at_spillway: &At<'_>,
    kinds: Option<Vec<GpuKind>>,
    need: &Resources,
) -> Result<GpuKinds, Rejection> {
    let kinds = GpuKinds::from(kinds.unwrap_or_default());
    if need.gpus == 0 && !kinds.is_any() {
        let at = at_spillway.key("gpuKinds");
        return Err(Rejection::invalid(&at, "names kinds of GPU, but the job asks for no GPU")
            .hint("add {\"type\": \"GPU\", \"value\": \"1\"} to resourceRequirements, or leave it out"));
    }
    Ok(kinds)
}

fn amounts(at: &At<'_>, list: Option<&[ResourceRequirement]>) -> Result<Amounts, Rejection> {
    let at = at.key("resourceRequirements");
    let mut amounts = Amounts::default();
    for (index, requirement) in list.unwrap_or_default().iter().enumerate() {
        let at = at.index(index);
        let at_value = at.key("value");
        let kind = requirement.kind.ok_or_else(|| Rejection::missing(&at.key("type")))?;
        let value = requirement.value.as_deref().ok_or_else(|| Rejection::missing(&at_value))?;
        let is_repeated = match kind {
            ResourceType::Vcpu => amounts.cpu.replace(cpu_of(&at_value, value)?).is_some(),
            ResourceType::Memory => amounts.memory.replace(memory_of(&at_value, value)?).is_some(),
            ResourceType::Gpu => amounts.gpus.replace(gpus_of(&at_value, value)?).is_some(),
        };
        if is_repeated {
            return Err(Rejection::invalid(&at.key("type"), "this resource is asked for twice")
                .hint("keep one of the two"));
        }
    }
    Ok(amounts)
}

fn cpu_of(at: &At<'_>, value: &str) -> Result<CpuUnits, Rejection> {
    const HINT: &str = "write vCPUs with at most three decimals, such as \"1\" or \"0.25\"";
    let cpu: CpuUnits = value
        .parse()
        .map_err(|error: QuantityError| Rejection::invalid(at, &error.to_string()).hint(HINT))?;
    if cpu == CpuUnits::ZERO {
        return Err(Rejection::invalid(at, "a job needs more than 0 vCPUs").hint(HINT));
    }
    Ok(cpu)
}

pub(super) fn memory_of(at: &At<'_>, value: &str) -> Result<MiB, Rejection> {
    let is_whole = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    if !is_whole {
        let rejection = Rejection::invalid(at, &format!("{value:?} is not a whole number of MiB"));
        // `2GiB` is understood well enough to say what to write.
        return Err(match value.parse::<MiB>() {
            Ok(memory) => rejection.hint(format!("write \"{}\"", memory.get())),
            Err(_) => rejection.hint("write MiB, such as \"2048\""),
        });
    }
    let memory: u32 = value.parse().map_err(|_| {
        Rejection::invalid(at, &format!("{value} MiB are more than any machine has"))
            .hint("the unit is MiB, not bytes")
    })?;
    enough_memory(at, memory)
}

fn enough_memory(at: &At<'_>, memory: u32) -> Result<MiB, Rejection> {
    let min = limits::MEMORY_MIB_MIN;
    if memory < min {
        return Err(Rejection::invalid(at, &format!("must be at least {min} MiB, not {memory}"))
            .hint("the unit is MiB: 2 GiB are 2048"));
    }
    Ok(MiB::new(memory))
}

fn gpus_of(at: &At<'_>, value: &str) -> Result<u32, Rejection> {
    let is_whole = value.bytes().all(|b| b.is_ascii_digit());
    value.parse().ok().filter(|_| is_whole).ok_or_else(|| {
        Rejection::invalid(at, &format!("{value:?} is not a number of GPUs"))
            .hint("write whole GPUs, such as \"1\"")
    })
}

fn vcpus(at: &At<'_>, vcpus: Option<i64>) -> Result<Option<CpuUnits>, Rejection> {
    const VCPUS_MAX: u32 = u32::MAX / crate::quantity::CPU_UNITS_PER_VCPU;
    let Some(vcpus) = vcpus else { return Ok(None) };
    let in_range = u32::try_from(vcpus).ok().filter(|n| (1..=VCPUS_MAX).contains(n));
    let vcpus = in_range.ok_or_else(|| {
        Rejection::invalid(&at.key("vcpus"), &format!("must be 1 to {VCPUS_MAX}, not {vcpus}"))
            .hint("for a fraction use resourceRequirements with type VCPU")
    })?;
    Ok(Some(CpuUnits::from_vcpus(vcpus)))
}

fn memory(at: &At<'_>, memory: Option<i64>) -> Result<Option<MiB>, Rejection> {
    let Some(memory) = memory else { return Ok(None) };
    let at = at.key("memory");
    let in_range = u32::try_from(memory).map_err(|_| {
        Rejection::invalid(&at, &format!("must be 4 to {} MiB, not {memory}", u32::MAX))
    })?;
    enough_memory(&at, in_range).map(Some)
}
