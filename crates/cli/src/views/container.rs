//! The containers of a job that has several: what each is, and how each ended in an attempt.

use serde::Serialize;
use spillway_core::task_spec::ContainerEnd;
use spillway_core::{Attempt, JobSpec};

use super::job::{ResourcesView, shell_words};
use crate::output::{Field, Page, Rows, Tone};

/// One of several containers.
#[derive(Debug, Clone, Serialize)]
pub struct ContainerView {
    /// Its name.
    pub name: String,
    /// The image.
    pub image: String,
    /// The command; empty is the image's own.
    pub command: Vec<String>,
    /// Whether its end is the end of the task.
    pub essential: bool,
    /// What it needs of what the job needs.
    pub resources: ResourcesView,
    #[serde(skip)]
    need: String,
}

/// The containers of a job in the order given; empty if it has one.
pub(crate) fn containers(spec: &JobSpec) -> Vec<ContainerView> {
    let parts = spec.parts();
    let several = parts.iter().filter_map(|part| {
        let role = part.role?;
        Some(ContainerView {
            name: role.name.clone(),
            image: part.container.image.clone(),
            command: part.container.command.clone(),
            essential: role.essential,
            resources: (&part.resources).into(),
            need: part.resources.to_string(),
        })
    });
    several.collect()
}

/// Writes down what each container is.
pub(crate) fn fields(containers: &[ContainerView], page: &mut Page) {
    for ContainerView { name, image, command, essential, need, .. } in containers {
        let command =
            if command.is_empty() { String::new() } else { format!(" {}", shell_words(command)) };
        let essential = if *essential { "" } else { ", not essential" };
        page.field("Container", format!("{name}: {image}{command} ({need}{essential})"));
    }
}

/// How one of several containers ended.
#[derive(Debug, Clone, Serialize)]
pub struct ContainerEndView {
    /// Its name.
    pub name: String,
    /// Its exit code; none if it did not run, or never exited by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Its reason, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<&ContainerEnd> for ContainerEndView {
    fn from(ContainerEnd { name, exit_code, reason }: &ContainerEnd) -> Self {
        Self { name: name.clone(), exit_code: *exit_code, reason: reason.clone() }
    }
}

/// How the containers of an attempt ended; empty if the job has one.
pub(crate) fn ends(attempt: &Attempt) -> Vec<ContainerEndView> {
    attempt.containers.iter().map(ContainerEndView::from).collect()
}

/// A row for each container of each attempt, by the attempt's number.
pub(crate) fn ends_table<'a>(
    attempts: impl Iterator<Item = (u32, &'a [ContainerEndView])>,
) -> Option<Rows> {
    let mut table = Rows::new(&["ATTEMPT", "CONTAINER", "EXIT", "REASON"]);
    let mut is_empty = true;
    for (attempt, ends) in attempts {
        for ContainerEndView { name, exit_code, reason } in ends {
            is_empty = false;
            let tone = if *exit_code == Some(0) { Tone::Good } else { Tone::Bad };
            let exit = exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string());
            table.row([
                attempt.to_string().into(),
                name.as_str().into(),
                Field::toned(exit, tone),
                reason.as_deref().unwrap_or("-").into(),
            ]);
        }
    }
    (!is_empty).then_some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_with_one_container_lists_none_and_an_attempt_without_ends_has_no_table() {
        let spec = JobSpec::new(
            "j".parse().unwrap(),
            "q".parse().unwrap(),
            spillway_core::job::ContainerSpec::new("busybox"),
            spillway_core::Resources::ZERO,
        );

        assert!(containers(&spec).is_empty());
        assert!(ends_table([(1, [].as_slice())].into_iter()).is_none());
    }
}
