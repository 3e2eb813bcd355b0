"""RunTask and StartTask: which instance takes a task, or why none does. Changes only the cluster it is given."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from spillway_localstack.plugin.ecs.cluster import Cluster
from spillway_localstack.plugin.ecs.constraints import satisfies
from spillway_localstack.plugin.ecs.container_instance import ContainerInstance
from spillway_localstack.plugin.ecs.errors import ClientError, ConflictError, InvalidParameterError
from spillway_localstack.plugin.ecs.resources import JsonObject, Need, need_of_task
from spillway_localstack.plugin.ecs.task import Container, Task
from spillway_localstack.plugin.tokens import fingerprint

# ECS API reference, RunTask and StartTask.
RUN_TASK_COUNT_MAX = 10
RUN_TASK_STARTED_BY_MAX = 128
START_TASK_STARTED_BY_MAX = 36
CLIENT_TOKEN_MAX = 64
OVERRIDES_BYTES_MAX = 8192

UNSATISFIED = "MemberOf placement constraint unsatisfied."


@dataclass
class Placed:
    """Tasks that exist now, and what kept the others from it."""

    tasks: list[Task]
    failures: list[JsonObject]


def run_task(cluster: Cluster, definition: JsonObject, request: JsonObject) -> Placed:
    """Places up to ``count`` tasks. The same ``clientToken`` with the same parameters is the same tasks.

    A call that placed nothing leaves its token unused.
    """
    count = int(request.get("count") or 1)
    if not 1 <= count <= RUN_TASK_COUNT_MAX:
        raise InvalidParameterError("Count must be between 1 and 10.")
    _check_texts(request, RUN_TASK_STARTED_BY_MAX)
    with cluster.lock:
        cluster.refresh()
        token = request.get("clientToken")
        mark = fingerprint(request, without=("clientToken",))
        if token:
            if len(token) > CLIENT_TOKEN_MAX:
                raise InvalidParameterError("clientToken is too long.")
            earlier = cluster.tokens.find(token, cluster.now())
            if earlier is not None and earlier.fingerprint != mark:
                raise ConflictError(earlier.answer)
            if earlier is not None:
                kept = [cluster.tasks[arn] for arn in earlier.answer if arn in cluster.tasks]
                return Placed(kept, [])
        placed = Placed([], [])
        for _ in range(count):
            _place_one(cluster, definition, request, placed)
        if token and placed.tasks:
            cluster.tokens.keep(token, mark, [task.arn for task in placed.tasks], cluster.now())
        return placed


def start_task(cluster: Cluster, definition: JsonObject, request: JsonObject) -> Placed:
    """Places one task on each named instance. StartTask has no client token."""
    _check_texts(request, START_TASK_STARTED_BY_MAX)
    with cluster.lock:
        cluster.refresh()
        instances, failures = cluster.find_instances(request.get("containerInstances") or [])
        placed = Placed([], list(failures))
        need = need_of_task(definition, request.get("overrides") or {})
        for instance in instances:
            reason = refusal(instance, need)
            if reason is None:
                placed.tasks.append(_create(cluster, instance, definition, request, need))
            else:
                placed.failures.append({"arn": instance.arn, "reason": reason})
        return placed


def refusal(instance: ContainerInstance, need: Need) -> str | None:
    """Why ECS would not start a task there; ``None`` if it would."""
    if instance.status != "ACTIVE":
        return "INACTIVE"
    if not instance.agent_connected:
        return "AGENT"
    return instance.room.lacks(need)


def _place_one(cluster: Cluster, definition: JsonObject, request: JsonObject, placed: Placed) -> None:
    candidates = [each for each in cluster.instances.values() if each.status == "ACTIVE"]
    if not candidates:
        raise InvalidParameterError("No Container Instances were found in your cluster.")
    allowed = [each for each in candidates if _is_member(each, definition, request)]
    if not allowed:
        placed.failures += [{"arn": each.arn, "reason": UNSATISFIED} for each in candidates]
        return
    need = need_of_task(definition, request.get("overrides") or {})
    failures: list[JsonObject] = []
    for instance in _in_order(allowed, request):
        reason = refusal(instance, need)
        if reason is None:
            placed.tasks.append(_create(cluster, instance, definition, request, need))
            return
        failures.append({"arn": instance.arn, "reason": reason})
    placed.failures += failures


def _in_order(instances: list[ContainerInstance], request: JsonObject) -> list[ContainerInstance]:
    strategy = (request.get("placementStrategy") or [{}])[0]
    if strategy.get("type") == "binpack":
        is_cpu = strategy.get("field") == "cpu"
        return sorted(instances, key=lambda each: each.room.cpu_left if is_cpu else each.room.memory_left)
    return sorted(instances, key=lambda each: -each.room.memory_left)


def _is_member(instance: ContainerInstance, definition: JsonObject, request: JsonObject) -> bool:
    facts = {
        "ec2InstanceId": instance.ec2_instance_id,
        "agentConnected": str(instance.agent_connected).lower(),
    }
    facts |= {f"attribute:{entry['name']}": str(entry.get("value", "")) for entry in instance.attributes}
    constraints = (definition.get("placementConstraints") or []) + (request.get("placementConstraints") or [])
    return all(
        satisfies(constraint.get("expression") or "", facts)
        for constraint in constraints
        if constraint.get("type") == "memberOf"
    )


def _create(
    cluster: Cluster, instance: ContainerInstance, definition: JsonObject, request: JsonObject, need: Need
) -> Task:
    task_id = uuid.uuid4().hex
    gpu_ids = instance.room.take(need)
    zones = [e["value"] for e in instance.attributes if e["name"] == "ecs.availability-zone" and "value" in e]
    task = Task(
        arn=f"{cluster.arn_prefix}:task/{cluster.name}/{task_id}",
        cluster_arn=cluster.arn,
        definition=definition,
        container_instance_arn=instance.arn,
        containers=[
            Container(
                arn=f"{cluster.arn_prefix}:container/{cluster.name}/{task_id}/{uuid.uuid4()}",
                name=container["name"],
                image=container["image"],
                essential=container.get("essential", True),
                gpu_ids=gpu_ids,
            )
            for container in definition["containerDefinitions"]
        ],
        need=need,
        gpu_ids=gpu_ids,
        created_at=cluster.now(),
        group=request.get("group") or f"family:{definition['family']}",
        zone=zones[0] if zones else "",
        overrides=dict(request.get("overrides") or {}),
        started_by=request.get("startedBy"),
        tags=list(request.get("tags") or []),
    )
    cluster.add_task(task)
    return task


def _check_texts(request: JsonObject, started_by_max: int) -> None:
    if len(request.get("startedBy") or "") > started_by_max:
        raise InvalidParameterError(f"startedBy must be at most {started_by_max} characters.")
    overrides = request.get("overrides") or {}
    if len(fingerprint(overrides, without=()).encode()) > OVERRIDES_BYTES_MAX:
        raise ClientError("Container overrides length must be at most 8192.")
