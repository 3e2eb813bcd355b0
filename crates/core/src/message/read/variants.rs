//! Alternatives of a job: each is what the job says, but for what it says otherwise.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::container::{arch_of, image, merged, platform_arch, put_in, variables};
use super::containers::Containers;
use super::{Rejection, Warnings, needs, overrides, seconds};
use crate::container::ContainerSpec;
use crate::gpu::GpuKinds;
use crate::message::path::At;
use crate::message::shape::JobVariant;
use crate::variant::{VARIANTS_MAX, Variant, Variants};

/// The job that alternatives are of.
#[derive(Clone, Copy)]
pub(super) struct Base<'a> {
    pub(super) containers: &'a Containers,
    pub(super) gpu_kinds: GpuKinds,
    pub(super) expected_duration: Option<SignedDuration>,
    pub(super) has_nodes: bool,
}

/// Reads all of them.
pub(super) fn variants(
    at: &At<'_>,
    listed: Option<Vec<JobVariant>>,
    base: Base<'_>,
    parameters: &BTreeMap<String, String>,
    warnings: &mut Warnings,
) -> Result<Option<Box<Variants>>, Rejection> {
    let listed = listed.unwrap_or_default();
    let of_several = if base.has_nodes {
        Some("a multi-node job has no variants: its nodes start together or not at all")
    } else {
        let what = "a job of several containers has no variants: they are for one container";
        base.containers.task.is_some().then_some(what)
    };
    if let (Some(what), false) = (of_several, listed.is_empty()) {
        return Err(Rejection::invalid(at, what).hint("leave it out"));
    }
    if VARIANTS_MAX < listed.len() {
        let what = format!("{} are more than the {VARIANTS_MAX} there may be", listed.len());
        return Err(Rejection::invalid(at, &what));
    }
    let mut variants = Vec::with_capacity(listed.len());
    for (index, written) in listed.into_iter().enumerate() {
        variants.push(variant(&at.index(index), written, base, parameters, warnings)?);
    }
    Ok(Variants::of(variants))
}

fn variant(
    at: &At<'_>,
    written: JobVariant,
    base: Base<'_>,
    parameters: &BTreeMap<String, String>,
    warnings: &mut Warnings,
) -> Result<Variant, Rejection> {
    let Containers { container: own, resources, arch, .. } = base.containers;
    let image = match written.image {
        Some(text) => image(&at.key("image"), Some(text))?,
        None => own.image.clone(),
    };
    let command = match written.command.filter(|command| !command.is_empty()) {
        Some(command) => put_in(&at.key("command"), &command, parameters, warnings)?,
        None => own.command.clone(),
    };
    let at_environment = at.key("environment");
    let added = variables(&at_environment, written.environment)?;
    for (index, (name, _)) in added.iter().enumerate() {
        if own.secrets.iter().any(|secret| secret.name == *name) {
            let at = at_environment.index(index);
            let what = format!("{name:?} is a secret of the job");
            return Err(Rejection::invalid(&at.key("name"), &what).hint("give it another name"));
        }
    }
    let environment = merged(own.environment.clone(), added);
    let resources = needs::overridden(at, written.resource_requirements.as_deref(), *resources)?;
    let at_platform = at.key("runtimePlatform");
    let platform = platform_arch(&at_platform, written.runtime_platform.as_ref())?;
    let arch = if platform.is_none() && written.architecture.is_none() {
        *arch
    } else {
        arch_of(&at.key("architecture"), platform, written.architecture)?
    };
    let gpu_kinds = match written.gpu_kinds {
        Some(kinds) => needs::gpu_kinds(at, Some(kinds), &resources)?,
        None if resources.gpus == 0 => GpuKinds::ANY,
        None => base.gpu_kinds,
    };
    let own_duration = written.expected_duration_seconds;
    let expected_duration = match own_duration {
        Some(secs) => Some(seconds(&at.key("expectedDurationSeconds"), secs, 1)?),
        None => base.expected_duration,
    };
    let container = ContainerSpec { image, command, environment, ..own.clone() };
    let (n_command, n_environment) = overrides::chars(&container);
    if overrides::CHARS_MAX < n_command + n_environment {
        let key = if n_environment < n_command { "command" } else { "environment" };
        return Err(overrides::too_long(&at.key(key), overrides::CHARS_MAX));
    }
    let ContainerSpec { image, command, environment, .. } = container;
    Ok(Variant { image, command, environment, resources, arch, gpu_kinds, expected_duration })
}
