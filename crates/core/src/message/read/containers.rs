//! Whether a job has one container or several: each is written, and overridden, in a way of its own.

use jiff::SignedDuration;

use super::{Rejection, Warnings, container, needs, task};
use crate::container::ContainerSpec;
use crate::market::Arch;
use crate::message::path::At;
use crate::message::shape::{
    ContainerOverrides, ContainerProperties, EcsProperties, EcsPropertiesOverride,
};
use crate::quantity::Resources;
use crate::task_spec::TaskSpec;

/// A job's containers as they are written.
pub(super) struct Written {
    pub(super) single: Option<ContainerProperties>,
    pub(super) several: Option<EcsProperties>,
    pub(super) overrides: Option<ContainerOverrides>,
    pub(super) several_overrides: Option<EcsPropertiesOverride>,
}

/// A job's containers.
pub(super) struct Containers {
    pub(super) container: ContainerSpec,
    pub(super) task: Option<Box<TaskSpec>>,
    pub(super) resources: Resources,
    pub(super) arch: Option<Arch>,
    pub(super) stop: Option<SignedDuration>,
}

/// Reads the one container of a job, or the several. What is said otherwise must be said in the same way.
pub(super) fn containers(
    at_definition: &At<'_>,
    written: Written,
    of: task::Of<'_>,
    warnings: &mut Warnings,
) -> Result<Containers, Rejection> {
    let Written { single, several, overrides, several_overrides } = written;
    let at_single = at_definition.key("containerProperties");
    let at_several = at_definition.key("ecsProperties");
    let at_overrides = At::Root.key("containerOverrides");
    match (single, several) {
        (Some(_), Some(_)) => Err(Rejection::invalid(&at_several, "is beside containerProperties")
            .hint("describe one container there, or several here")),
        (None, None) => Err(Rejection::missing(&at_single)
            .hint("describe the container: image, command, resourceRequirements")),
        (Some(properties), None) => {
            if several_overrides.is_some_and(|asked| asked != EcsPropertiesOverride::default()) {
                let at = At::Root.key("ecsPropertiesOverride");
                return Err(Rejection::invalid(&at, "is for a definition of several containers")
                    .hint("use containerOverrides"));
            }
            let overrides = overrides.unwrap_or_default();
            let places = container::Places { at: &at_single, at_overrides: &at_overrides };
            let platform = properties.runtime_platform.as_ref();
            let arch = container::arch(&at_single, platform, of.arch)?;
            let resources = needs::resources(places, &properties, &overrides, warnings)?;
            let container =
                container::single(places, properties, overrides, of.parameters, warnings)?;
            Ok(Containers { container, task: None, resources, arch, stop: of.stop })
        }
        (None, Some(properties)) => {
            if overrides.is_some_and(|asked| asked != ContainerOverrides::default()) {
                let what = "is for a definition of one container";
                return Err(Rejection::invalid(&at_overrides, what)
                    .hint("use ecsPropertiesOverride, which names the container"));
            }
            let task::Task { main, spec, resources, arch, stop } =
                task::task(&at_several, properties, several_overrides, of, warnings)?;
            Ok(Containers { container: main, task: Some(Box::new(spec)), resources, arch, stop })
        }
    }
}
