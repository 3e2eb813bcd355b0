"""A task and its states. Time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spillway_localstack.plugin.ecs.resources import JsonObject, Need

# "Tasks with STOPPED status are shown for at least one hour" (ECS API reference, DescribeTasks).
STOPPED_KEPT_FOR = timedelta(hours=1)


@dataclass
class Container:
    """One container of a task."""

    arn: str
    name: str
    image: str
    essential: bool
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    runtime_id: str | None = None
    gpu_ids: tuple[str, ...] = ()

    def to_json(self, task_arn: str) -> JsonObject:
        """The container in ECS's shape; what is not known yet is absent."""
        answer: JsonObject = {
            "containerArn": self.arn,
            "taskArn": task_arn,
            "name": self.name,
            "image": self.image,
            "lastStatus": self.last_status,
            "networkInterfaces": [],
            "gpuIds": list(self.gpu_ids),
        }
        known = {"exitCode": self.exit_code, "reason": self.reason, "runtimeId": self.runtime_id}
        answer.update({key: value for key, value in known.items() if value is not None})
        return answer


@dataclass
class Task:
    """One task on one container instance."""

    arn: str
    cluster_arn: str
    definition: JsonObject
    container_instance_arn: str
    containers: list[Container]
    need: Need
    gpu_ids: tuple[str, ...]
    created_at: datetime
    group: str
    zone: str
    overrides: JsonObject = field(default_factory=dict)
    started_by: str | None = None
    tags: list[JsonObject] = field(default_factory=list)
    last_status: str = "PENDING"
    desired_status: str = "RUNNING"
    version: int = 1
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether it holds nothing any more."""
        return self.last_status == "STOPPED"

    @property
    def family(self) -> str:
        """The family of its definition."""
        return str(self.definition["family"])

    def is_forgotten(self, now: datetime) -> bool:
        """Whether ECS no longer shows it."""
        return self.stopped_at is not None and now - self.stopped_at >= STOPPED_KEPT_FOR

    def ask_to_stop(self, reason: str, stop_code: str, now: datetime) -> bool:
        """StopTask: only the wish changes, the agent does the rest. Returns whether anything changed."""
        if self.is_stopped or self.desired_status == "STOPPED":
            return False
        self.desired_status = "STOPPED"
        self.stopping_at = now
        self.stopped_reason = reason
        self.stop_code = stop_code
        self.version += 1
        return True

    def report_container(self, change: JsonObject) -> bool:
        """Takes what the agent says of one container. Returns whether anything changed."""
        name = change.get("containerName")
        container = next((each for each in self.containers if each.name == name), None)
        if container is None or container.last_status == "STOPPED":
            return False
        container.last_status = change.get("status") or container.last_status
        container.runtime_id = change.get("runtimeId") or container.runtime_id
        container.reason = change.get("reason") or container.reason
        if change.get("exitCode") is not None:
            container.exit_code = int(change["exitCode"])
        return True

    def report_running(self, now: datetime) -> bool:
        """The agent says that it runs. A late or repeated report changes nothing."""
        if self.last_status != "PENDING":
            return False
        self.last_status = "RUNNING"
        self.started_at = now
        self.version += 1
        return True

    def report_stopped(self, reason: str | None, now: datetime) -> bool:
        """The agent says that it has ended. The first cause of the end stands."""
        has_exit_code = any(each.exit_code is not None for each in self.containers)
        if has_exit_code:
            return self.stop("EssentialContainerExited", reason or "Essential container in task exited", now)
        return self.stop("TaskFailedToStart", reason or "Task failed to start", now)

    def stop(self, stop_code: str, reason: str, now: datetime) -> bool:
        """Ends the task. Returns whether it was alive."""
        if self.is_stopped:
            return False
        self.last_status = self.desired_status = "STOPPED"
        self.stopping_at = self.stopping_at or now
        self.stopped_at = now
        self.stop_code = self.stop_code or stop_code
        self.stopped_reason = self.stopped_reason or reason
        for container in self.containers:
            container.last_status = "STOPPED"
        self.version += 1
        return True

    def to_json(self, with_tags: bool = True) -> JsonObject:
        """The task in ECS's shape; what is not known yet is absent."""
        answer: JsonObject = {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition["taskDefinitionArn"],
            "containerInstanceArn": self.container_instance_arn,
            "availabilityZone": self.zone,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "launchType": "EC2",
            "group": self.group,
            "version": self.version,
            "cpu": str(self.need.cpu),
            "memory": str(self.need.memory),
            "createdAt": self.created_at,
            "overrides": self.overrides,
            "containers": [each.to_json(self.arn) for each in self.containers],
            "attachments": [],
            "attributes": [],
            "enableExecuteCommand": False,
        }
        known = {
            "startedBy": self.started_by,
            "startedAt": self.started_at,
            "stoppingAt": self.stopping_at,
            "stoppedAt": self.stopped_at,
            "executionStoppedAt": self.stopped_at,
            "stopCode": self.stop_code,
            "stoppedReason": self.stopped_reason,
        }
        answer.update({key: value for key, value in known.items() if value is not None})
        if with_tags:
            answer["tags"] = self.tags
        return answer
