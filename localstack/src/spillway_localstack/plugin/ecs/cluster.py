"""One cluster: its container instances, its tasks, and every transition between their states.

It knows neither HTTP nor EC2 nor moto. Time comes from ``now``, news go to ``emit``.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from spillway_localstack.plugin.ecs.container_instance import ContainerInstance, room_from_request
from spillway_localstack.plugin.ecs.errors import ClientError, InvalidParameterError
from spillway_localstack.plugin.ecs.resources import JsonObject
from spillway_localstack.plugin.ecs.task import Task
from spillway_localstack.plugin.tokens import TokenBook

# A real agent is missed after some minutes; ours polls five times a second.
AGENT_SILENT_FOR = timedelta(seconds=10)
# A delivery may be lost on the way; the agent knows a task that comes twice.
REDELIVER_AFTER = timedelta(seconds=2)

Kind = Literal["ECS Task State Change", "ECS Container Instance State Change"]
Emit = Callable[[Kind, str, JsonObject], None]


@dataclass
class Poll:
    """What the agent is told: tasks to start, tasks to stop, hosts that are no more."""

    start: list[JsonObject]
    stop: list[str]
    gone: list[str]


class Cluster:
    """All that ECS knows of one cluster. Every public method takes the lock."""

    def __init__(self, name: str, arn_prefix: str, emit: Emit, now: Callable[[], datetime]) -> None:
        """``arn_prefix`` is ``arn:aws:ecs:REGION:ACCOUNT``."""
        self.name = name
        self.arn = f"{arn_prefix}:cluster/{name}"
        self.arn_prefix = arn_prefix
        self.lock = threading.RLock()
        self.now = now
        self.instances: dict[str, ContainerInstance] = {}
        self.tasks: dict[str, Task] = {}
        self.tokens: TokenBook[list[str]] = TokenBook()
        self._emit = emit
        self._polled_at: dict[str, datetime] = {}
        self._delivered_at: dict[str, datetime] = {}
        # By instance ARN: ended tasks stay in `tasks` for an hour, and polls must not wade through them.
        self._alive: dict[str, dict[str, Task]] = {}

    # -- container instances

    def register(self, ec2_instance_id: str, request: JsonObject) -> ContainerInstance:
        """An agent reports for duty. The same EC2 instance again keeps its ARN and loses what ran on it."""
        with self.lock:
            known = self._instance_of(ec2_instance_id)
            if known is not None:
                return self._register_again(known)
            instance = ContainerInstance(
                arn=f"{self.arn_prefix}:container-instance/{self.name}/{uuid.uuid4().hex}",
                ec2_instance_id=ec2_instance_id,
                room=room_from_request(request),
                registered_at=self.now(),
                attributes=list(request.get("attributes") or []),
                tags=list(request.get("tags") or []),
                version_info=dict(request.get("versionInfo") or {}),
            )
            self.instances[instance.arn] = instance
            self.announce_instance(instance)
            return instance

    def _register_again(self, instance: ContainerInstance) -> ContainerInstance:
        for task in self.tasks_on(instance.arn):
            if task.last_status == "RUNNING":
                self._end(task, "TaskFailedToStart", "The container instance registered again without this task.")
        self._set_connected(instance, True)
        return instance

    def set_state(self, arns: list[str], status: str) -> tuple[list[ContainerInstance], list[JsonObject]]:
        """UpdateContainerInstancesState: ACTIVE or DRAINING. Standalone tasks are left alone, as ECS does."""
        if status not in ("ACTIVE", "DRAINING"):
            raise InvalidParameterError("Container instance status must be ACTIVE or DRAINING.")
        with self.lock:
            changed, failures = self.find_instances(arns)
            for instance in changed:
                if instance.status == "INACTIVE":
                    raise InvalidParameterError("Container instance is INACTIVE.")
                if instance.status != status:
                    instance.status = "ACTIVE" if status == "ACTIVE" else "DRAINING"
                    instance.version += 1
                    self.announce_instance(instance)
            return changed, failures

    def deregister(self, arn: str, force: bool) -> ContainerInstance:
        """Takes an instance out of the cluster. Its tasks are lost to ECS, which needs ``force``."""
        with self.lock:
            found, _ = self.find_instances([arn])
            if not found:
                raise InvalidParameterError("The referenced container instance was not found.")
            instance = found[0]
            alive = self.tasks_on(instance.arn)
            if alive and not force:
                raise InvalidParameterError("Found running tasks on the instance.")
            for task in alive:
                self._end(task, "ServiceSchedulerInitiated", "Container instance deregistered forcibly by user")
            self._retire(instance)
            return instance

    def end_host(self, ec2_instance_id: str, stop_code: str) -> None:
        """The EC2 instance has ended: its agent is silent, its tasks are over, ECS takes it out."""
        with self.lock:
            instance = self._instance_of(ec2_instance_id)
            if instance is None:
                return
            for task in self.tasks_on(instance.arn):
                self._end(task, stop_code, f"Host EC2 (instance {ec2_instance_id}) terminated.")
            self._retire(instance)

    def _retire(self, instance: ContainerInstance) -> None:
        instance.status = "INACTIVE"
        instance.agent_connected = False
        instance.version += 1
        self.announce_instance(instance)

    # -- tasks

    def add_task(self, task: Task) -> None:
        """A placed task; its resources are taken already."""
        self.tasks[task.arn] = task
        self._alive.setdefault(task.container_instance_arn, {})[task.arn] = task
        self.announce_task(task)

    def stop_task(self, reference: str, reason: str | None) -> Task:
        """StopTask: SIGTERM by the agent, later; nothing is free before the task is STOPPED."""
        with self.lock:
            task = self.find_task(reference)
            if task is None:
                raise InvalidParameterError("The referenced task was not found.")
            if task.ask_to_stop(reason or "Task stopped by user", "UserInitiated", self.now()):
                self.announce_task(task)
            return task

    def submit_task(self, request: JsonObject) -> None:
        """SubmitTaskStateChange: only an agent moves a task."""
        with self.lock:
            task = self.find_task(request.get("task") or "")
            if task is None:
                raise ClientError("The referenced task was not found.")
            for change in request.get("containers") or []:
                task.report_container(change)
            if request.get("status") == "RUNNING" and task.report_running(self.now()):
                self.announce_task(task)
            if request.get("status") == "STOPPED" and task.report_stopped(request.get("reason"), self.now()):
                self._free(task)
                self.announce_task(task)

    def submit_container(self, request: JsonObject) -> None:
        """SubmitContainerStateChange: news of one container, which moves no task by itself."""
        with self.lock:
            task = self.find_task(request.get("task") or "")
            if task is None:
                raise ClientError("The referenced task was not found.")
            if task.report_container(request):
                task.version += 1
                self.announce_task(task)

    # -- the agent's channel

    def poll(self, arns: list[str]) -> Poll:
        """What the agent of these hosts has to do now. A PENDING task is told again until it is reported."""
        with self.lock:
            now = self.now()
            answer = Poll([], [], [])
            for arn in arns:
                instance = self.instances.get(arn)
                if instance is None or instance.status == "INACTIVE":
                    answer.gone.append(arn)
                    continue
                self._polled_at[arn] = now
                self._set_connected(instance, True)
                for task in self.tasks_on(arn):
                    self._deliver(task, answer, now)
            return answer

    def _deliver(self, task: Task, answer: Poll, now: datetime) -> None:
        if task.desired_status == "STOPPED":
            answer.stop.append(task.arn)
            return
        told_at = self._delivered_at.get(task.arn)
        is_due = told_at is None or now - told_at >= REDELIVER_AFTER
        if task.last_status == "PENDING" and is_due:
            self._delivered_at[task.arn] = now
            answer.start.append(
                {
                    "taskArn": task.arn,
                    "containerInstanceArn": task.container_instance_arn,
                    "containerDefinitions": task.definition["containerDefinitions"],
                    "volumes": task.definition.get("volumes") or [],
                    "overrides": task.overrides,
                    "gpuIds": list(task.gpu_ids),
                }
            )

    def refresh(self) -> None:
        """Notices silent agents and forgets tasks that ended an hour ago."""
        with self.lock:
            now = self.now()
            for arn, polled_at in self._polled_at.items():
                instance = self.instances.get(arn)
                is_silent = now - polled_at >= AGENT_SILENT_FOR
                if instance is not None and instance.status != "INACTIVE" and is_silent:
                    self._set_connected(instance, False)
            for arn in [task.arn for task in self.tasks.values() if task.is_forgotten(now)]:
                del self.tasks[arn]
                self._delivered_at.pop(arn, None)

    # -- looking things up

    def find_task(self, reference: str) -> Task | None:
        """By ARN or by id."""
        task = self.tasks.get(reference)
        if task is not None:
            return task
        task_id = reference.rsplit("/", 1)[-1]
        return self.tasks.get(f"{self.arn_prefix}:task/{self.name}/{task_id}")

    def find_instances(self, references: list[str]) -> tuple[list[ContainerInstance], list[JsonObject]]:
        """By ARN or by id; what is not there is a failure, not an error."""
        found: list[ContainerInstance] = []
        failures: list[JsonObject] = []
        for reference in references:
            instance_id = reference.rsplit("/", 1)[-1]
            arn = f"{self.arn_prefix}:container-instance/{self.name}/{instance_id}"
            instance = self.instances.get(arn)
            if instance is None:
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(instance)
        return found, failures

    def tasks_on(self, instance_arn: str) -> list[Task]:
        """The tasks of one instance that have not stopped, oldest first."""
        return list(self._alive.get(instance_arn, {}).values())

    def instance_json(self, instance: ContainerInstance, with_tags: bool = True) -> JsonObject:
        """The instance with the counts of its tasks."""
        statuses = [task.last_status for task in self.tasks_on(instance.arn)]
        return instance.to_json(statuses.count("RUNNING"), statuses.count("PENDING"), with_tags)

    def counts(self) -> dict[str, dict[str, int]]:
        """Tasks and instances by status."""
        with self.lock:
            return {
                "tasks": _count(task.last_status for task in self.tasks.values()),
                "containerInstances": _count(each.status for each in self.instances.values()),
            }

    # -- news

    def announce_task(self, task: Task) -> None:
        """Tells EventBridge what the task is now."""
        detail = task.to_json(with_tags=False) | {"updatedAt": self.now()}
        self._emit("ECS Task State Change", task.arn, detail)

    def announce_instance(self, instance: ContainerInstance) -> None:
        """Tells EventBridge what the instance is now."""
        detail = self.instance_json(instance, with_tags=False)
        self._emit(
            "ECS Container Instance State Change",
            instance.arn,
            detail | {"clusterArn": self.arn, "updatedAt": self.now()},
        )

    def _end(self, task: Task, stop_code: str, reason: str) -> None:
        if task.stop(stop_code, reason, self.now()):
            self._free(task)
            self.announce_task(task)

    def _free(self, task: Task) -> None:
        self._alive[task.container_instance_arn].pop(task.arn, None)
        instance = self.instances.get(task.container_instance_arn)
        if instance is not None:
            instance.room.give_back(task.need, task.gpu_ids)

    def _set_connected(self, instance: ContainerInstance, is_connected: bool) -> None:
        if instance.agent_connected != is_connected:
            instance.agent_connected = is_connected
            instance.version += 1
            self.announce_instance(instance)

    def _instance_of(self, ec2_instance_id: str) -> ContainerInstance | None:
        for instance in self.instances.values():
            if instance.ec2_instance_id == ec2_instance_id and instance.status != "INACTIVE":
                return instance
        return None


def _count(statuses: Any) -> dict[str, int]:  # noqa: ANN401 - any iterable of words
    counts: dict[str, int] = {}
    for status in statuses:
        counts[status] = counts.get(status, 0) + 1
    return dict(sorted(counts.items()))
