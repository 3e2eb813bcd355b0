//! Tasks and hosts as ECS describes them, as facts.

use aws_sdk_ecs::types::{Container, ContainerInstance, Resource, Task};
use spillway_core::task::{ContainerInstanceReport, TaskReport, TaskStatus};
use spillway_core::task_spec::ContainerEnd;
use spillway_core::{CpuUnits, MiB, Resources};

use super::JOB_CONTAINER;
use crate::convert;

/// ECS's `lastStatus` ("Amazon ECS task lifecycle").
pub(crate) fn task_status(last_status: &str) -> Option<TaskStatus> {
    match last_status {
        "PROVISIONING" | "PENDING" | "ACTIVATING" => Some(TaskStatus::Pending),
        "RUNNING" => Some(TaskStatus::Running),
        "DEACTIVATING" | "STOPPING" | "DEPROVISIONING" => Some(TaskStatus::Stopping),
        "STOPPED" => Some(TaskStatus::Stopped),
        _ => None,
    }
}

/// One task; none if ECS left out what makes it one.
pub(super) fn task(task: &Task) -> Option<TaskReport> {
    let is_job = |c: &&Container| c.name() == Some(JOB_CONTAINER);
    let container = task.containers().iter().find(is_job).or(task.containers().first());
    Some(TaskReport {
        arn: task.task_arn()?.parse().ok()?,
        started_by: task.started_by().map(str::to_owned),
        container_instance: task.container_instance_arn().and_then(|arn| arn.parse().ok()),
        version: u64::try_from(task.version()).unwrap_or(0),
        status: task_status(task.last_status()?)?,
        started_at: task.started_at().and_then(convert::timestamp),
        stopped_at: task.stopped_at().and_then(convert::timestamp),
        exit_code: container.and_then(Container::exit_code),
        stop_code: task.stop_code().map(|code| code.as_str().to_owned()),
        stopped_reason: task.stopped_reason().map(str::to_owned),
        container_reason: container.and_then(|c| c.reason().map(str::to_owned)),
        containers: ends(task.containers()),
    })
}

/// How each container ended; of a task with the job's one, its own fields say it.
fn ends(containers: &[Container]) -> Vec<ContainerEnd> {
    if containers.iter().all(|container| container.name() == Some(JOB_CONTAINER)) {
        return Vec::new();
    }
    let end = |container: &Container| {
        Some(ContainerEnd {
            name: container.name()?.to_owned(),
            exit_code: container.exit_code(),
            reason: container.reason().filter(|reason| !reason.is_empty()).map(str::to_owned),
        })
    };
    containers.iter().filter_map(end).collect()
}

/// One host; none if it is not an EC2 instance.
pub(super) fn host(host: &ContainerInstance) -> Option<ContainerInstanceReport> {
    let registered = host.registered_resources();
    let find = |name: &str| registered.iter().find(|resource| resource.name() == Some(name));
    let amount = |name: &str| {
        find(name).and_then(|resource| u32::try_from(resource.integer_value()).ok()).unwrap_or(0)
    };
    let gpus = find("GPU").map_or(0, |resource: &Resource| resource.string_set_value().len());
    Some(ContainerInstanceReport {
        arn: host.container_instance_arn()?.parse().ok()?,
        instance: host.ec2_instance_id()?.parse().ok()?,
        active: host.status() == Some("ACTIVE"),
        agent_connected: host.agent_connected(),
        registered: Resources::new(
            CpuUnits::new(amount("CPU")),
            MiB::new(amount("MEMORY")),
            u32::try_from(gpus).unwrap_or(0),
        ),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::TaskStopCode;
    use aws_smithy_types::DateTime;

    use super::*;

    #[test]
    fn a_stopped_task_tells_all_that_is_known_of_its_end() {
        let container = Container::builder().name("job").exit_code(137);
        let stopped = Task::builder()
            .task_arn("arn:aws:ecs:us-east-1:1:task/spillway/t1")
            .container_instance_arn("arn:aws:ecs:us-east-1:1:container-instance/spillway/h1")
            .started_by("token")
            .version(5)
            .last_status("STOPPED")
            .started_at(DateTime::from_secs(10))
            .stopped_at(DateTime::from_secs(20))
            .stop_code(TaskStopCode::EssentialContainerExited)
            .stopped_reason("Essential container in task exited")
            .containers(container.reason("OutOfMemoryError: Container killed").build())
            .build();

        let report = task(&stopped).unwrap();

        assert_eq!(report.status, TaskStatus::Stopped);
        assert_eq!((report.version, report.exit_code), (5, Some(137)));
        assert_eq!(report.stop_code.as_deref(), Some("EssentialContainerExited"));
        assert!(report.container_reason.unwrap().starts_with("OutOfMemoryError"));
        assert_eq!(report.stopped_at.unwrap().as_second(), 20);
        assert_eq!(report.containers, [], "there is only the job's");
    }

    #[test]
    fn of_several_containers_each_tells_its_end() {
        let main = Container::builder().name("main").exit_code(3).build();
        let proxy =
            Container::builder().name("proxy").reason("CannotPullContainerError: x").build();
        let stopped = Task::builder()
            .task_arn("arn:aws:ecs:us-east-1:1:task/spillway/t1")
            .last_status("STOPPED")
            .containers(main)
            .containers(proxy)
            .build();

        let report = task(&stopped).unwrap();

        let end = |name: &str, exit_code, reason: Option<&str>| ContainerEnd {
            name: name.to_owned(),
            exit_code,
            reason: reason.map(str::to_owned),
        };
        let ends =
            [end("main", Some(3), None), end("proxy", None, Some("CannotPullContainerError: x"))];
        assert_eq!(report.containers, ends);
    }

    #[test]
    fn every_status_has_its_meaning_and_a_new_one_has_none() {
        let pending = ["PROVISIONING", "PENDING", "ACTIVATING"];
        let stopping = ["DEACTIVATING", "STOPPING", "DEPROVISIONING"];

        assert!(pending.iter().all(|s| task_status(s) == Some(TaskStatus::Pending)));
        assert!(stopping.iter().all(|s| task_status(s) == Some(TaskStatus::Stopping)));
        assert_eq!(task_status("RUNNING"), Some(TaskStatus::Running));
        assert_eq!(task_status("DELETED"), None);
    }

    #[test]
    fn a_host_has_what_it_registered_and_not_what_remains() {
        let resource = |name: &str, n| Resource::builder().name(name).integer_value(n).build();
        let gpus = Resource::builder().name("GPU").string_set_value("GPU-1").build();
        let registered = ContainerInstance::builder()
            .container_instance_arn("arn:aws:ecs:us-east-1:1:container-instance/spillway/h1")
            .ec2_instance_id("i-0123456789abcdef0")
            .status("DRAINING")
            .agent_connected(true)
            .registered_resources(resource("CPU", 2048))
            .registered_resources(resource("MEMORY", 7744))
            .registered_resources(gpus)
            .remaining_resources(resource("CPU", 0))
            .build();

        let report = host(&registered).unwrap();

        assert!(!report.active && report.agent_connected);
        assert_eq!(report.registered, Resources::new(CpuUnits::new(2048), MiB::new(7744), 1));
    }

    #[test]
    fn a_host_outside_ec2_is_none_of_ours() {
        let external = ContainerInstance::builder()
            .container_instance_arn("arn:aws:ecs:us-east-1:1:container-instance/spillway/h1")
            .ec2_instance_id("mi-0123456789abcdef0")
            .build();

        assert_eq!(host(&external), None);
    }
}
