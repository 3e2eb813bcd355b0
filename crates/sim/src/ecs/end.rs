//! How tasks end, and what stays known of that. Data; who ends what is decided elsewhere.

use spillway_core::task_spec::ContainerEnd;

/// How a task came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskEnd {
    /// The container's exit code, if it exited; of several, that of the decisive one.
    pub exit_code: Option<i32>,
    /// ECS's `stopCode`.
    pub stop_code: &'static str,
    /// ECS's `stoppedReason`.
    pub stopped_reason: String,
    /// The container's `reason`.
    pub container_reason: Option<&'static str>,
    /// How each of several containers ended; empty if none was seen to.
    pub containers: Vec<ContainerEnd>,
}

impl TaskEnd {
    /// Whether the container ran to an end of its own.
    pub fn is_natural(&self) -> bool {
        self.stop_code == "EssentialContainerExited"
    }
}

/// What a container came to, kept for as long as the world is: ECS has forgotten the task long before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code, if the container exited; of several, that of the decisive one.
    pub code: Option<i32>,
    /// Whether it ran to an end of its own.
    pub is_natural: bool,
}

impl Exit {
    pub(super) fn of(end: &TaskEnd) -> Self {
        Self { code: end.exit_code, is_natural: end.is_natural() }
    }
}
