//! A task that children of an array share: the runner is the job's entry point. A container of its own, from the operator's image,
//! puts it into a volume of the task before the job's container starts, so that the job's image needs nothing for it. Pure.

use spillway_core::coalesce::RUNNER_MEMORY;
use spillway_core::container::{Mount, Volume, VolumeSource};
use spillway_core::task_spec::{ContainerCondition, ContainerDependency};

use super::Definition;
use super::container::Container;
use crate::{ecs::JOB_CONTAINER, limits};

/// The container that brings the runner, and the volume that it brings it in.
const RUNNER: &str = "spillway-runner";

/// Where the volume is in both containers.
const FOLDER: &str = "/.spillway";

/// Where the runner is in its own image.
const IN_IMAGE: &str = "/spillway-runner";

fn installed() -> String {
    format!("{FOLDER}/runner")
}

/// Makes the runner of `image` the entry point of the job's container.
pub(super) fn add_runner(definition: &mut Definition, image: &str) {
    let Some(job) = definition.containers.iter_mut().find(|made| made.name == JOB_CONTAINER) else {
        return;
    };
    let own_memory = i32::try_from(RUNNER_MEMORY.get()).unwrap_or(i32::MAX);
    let mount = Mount { volume: RUNNER.to_owned(), path: FOLDER.to_owned(), read_only: false };
    let memory = own_memory.max(limits::CONTAINER_MEMORY_MIN);
    let mut bring = Container::of_image(RUNNER, image, memory);
    bring.logs.clone_from(&job.logs);
    bring.entry_point = vec![IN_IMAGE.to_owned(), "install".to_owned(), installed()];
    bring.mounts = vec![mount.clone()];
    // The job's container has what its children need, and no more.
    job.memory = job.memory.saturating_sub(own_memory).max(limits::CONTAINER_MEMORY_MIN);
    job.entry_point = vec![installed(), "run".to_owned()];
    job.mounts.push(Mount { read_only: true, ..mount });
    job.depends_on.push(ContainerDependency {
        container: RUNNER.to_owned(),
        condition: ContainerCondition::Success,
    });
    // Time for the runner to kill who does not stop, before Docker kills the runner.
    job.stop_timeout = job.stop_timeout.saturating_add(limits::RUNNER_STOP_SECONDS);
    definition.volumes.push(Volume { name: RUNNER.to_owned(), source: VolumeSource::Scratch });
    definition.containers.push(bring);
}
