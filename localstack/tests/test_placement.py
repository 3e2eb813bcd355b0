"""Placement and clusters without LocalStack running: time is ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from spillway_localstack.plugin.ecs import placement
from spillway_localstack.plugin.ecs.cluster import Cluster
from spillway_localstack.plugin.ecs.errors import ConflictError, InvalidParameterError
from spillway_localstack.plugin.ecs.task import Task

Json = dict[str, Any]


class World:
    """A cluster with a clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.events: list[tuple[str, Json]] = []
        self.cluster = Cluster(
            "c",
            "arn:aws:ecs:us-east-1:000000000000",
            lambda kind, _arn, detail: self.events.append((kind, detail)),
            lambda: self.now,
        )

    def host(self, instance_id: str, cpu: int = 2048, memory: int = 4096) -> str:
        sizes = [
            {"name": "CPU", "type": "INTEGER", "integerValue": cpu},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
        ]
        return self.cluster.register(instance_id, {"totalResources": sizes}).arn

    def run(self, **request: Any) -> placement.Placed:
        return placement.run_task(self.cluster, definition(), request)

    def start(self, **request: Any) -> Task:
        return self.run(**request).tasks[0]

    def room(self, arn: str) -> tuple[int, int]:
        room = self.cluster.instances[arn].room
        return room.cpu_left, room.memory_left


def definition(cpu: int = 1024, memory: int = 1024) -> Json:
    return {
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/job:1",
        "family": "job",
        "containerDefinitions": [{"name": "main", "image": "busybox", "cpu": cpu, "memory": memory}],
    }


def on(instance_id: str) -> list[Json]:
    return [{"type": "memberOf", "expression": f"ec2InstanceId == {instance_id}"}]


@pytest.fixture
def world() -> World:
    return World()


def test_a_pinned_task_goes_to_its_host(world: World) -> None:
    world.host("i-a")
    wanted = world.host("i-b")

    task = world.start(placementConstraints=on("i-b"))

    assert task.container_instance_arn == wanted


def test_a_pinned_task_that_does_not_fit_names_only_its_host(world: World) -> None:
    world.host("i-a")
    full = world.host("i-b", cpu=512)

    placed = world.run(placementConstraints=on("i-b"))

    assert placed.failures == [{"arn": full, "reason": "RESOURCE:CPU"}]


def test_count_places_as_many_as_fit_and_says_why_not_more(world: World) -> None:
    host = world.host("i-a", cpu=2048)

    placed = world.run(count=3)

    assert len(placed.tasks) == 2
    assert placed.failures == [{"arn": host, "reason": "RESOURCE:CPU"}]


def test_binpack_fills_the_fullest_host_and_the_default_spreads(world: World) -> None:
    first, second = world.host("i-a"), world.host("i-b")
    world.start(placementConstraints=on("i-a"))

    packed = world.start(placementStrategy=[{"type": "binpack", "field": "memory"}])
    spread = world.start()

    assert packed.container_instance_arn == first
    assert spread.container_instance_arn == second


def test_a_token_is_kept_for_a_day_and_unused_if_nothing_was_placed(world: World) -> None:
    host = world.host("i-a", cpu=512)
    refused = world.run(clientToken="t")
    world.cluster.instances[host].room.cpu_left = 4096

    first = world.start(clientToken="t")
    world.now += timedelta(hours=23)
    again = world.start(clientToken="t")
    world.now += timedelta(hours=1)
    other = world.start(clientToken="t")

    assert refused.failures[0]["reason"] == "RESOURCE:CPU"
    assert again is first
    assert other is not first


def test_a_token_with_other_parameters_names_the_tasks_it_started(world: World) -> None:
    world.host("i-a")
    first = world.start(clientToken="t", startedBy="a")

    with pytest.raises(ConflictError) as conflict:
        world.run(clientToken="t", startedBy="b")

    assert conflict.value.resourceIds == [first.arn]


def test_a_stopped_task_is_shown_for_an_hour(world: World) -> None:
    world.host("i-a")
    task = world.start()
    world.cluster.submit_task({"task": task.arn, "status": "STOPPED"})

    world.now += timedelta(minutes=59)
    world.cluster.refresh()
    before = world.cluster.find_task(task.arn)
    world.now += timedelta(minutes=1)
    world.cluster.refresh()

    assert before is task
    assert world.cluster.find_task(task.arn) is None


def test_resources_come_back_once_however_often_the_end_is_reported(world: World) -> None:
    host = world.host("i-a")
    task = world.start()
    taken = world.room(host)

    for _ in range(2):
        world.cluster.submit_task({"task": task.arn, "status": "STOPPED"})
    world.cluster.end_host("i-a", "TerminationNotice")

    assert taken == (1024, 3072)
    assert world.room(host) == (2048, 4096)


def test_the_first_cause_of_an_end_stands(world: World) -> None:
    world.host("i-a")
    task = world.start()
    world.cluster.stop_task(task.arn, "too slow")

    world.cluster.end_host("i-a", "TerminationNotice")

    assert (task.stop_code, task.stopped_reason) == ("UserInitiated", "too slow")


def test_a_late_running_report_does_not_wake_a_stopped_task(world: World) -> None:
    world.host("i-a")
    task = world.start()
    world.cluster.submit_task({"task": task.arn, "status": "STOPPED"})
    version = task.version

    world.cluster.submit_task({"task": task.arn, "status": "RUNNING"})

    assert (task.last_status, task.version) == ("STOPPED", version)


def test_a_silent_agent_is_disconnected_and_its_host_refuses_tasks(world: World) -> None:
    host = world.host("i-a")
    world.cluster.poll([host])

    world.now += timedelta(seconds=10)
    refused = world.run()
    world.cluster.poll([host])
    accepted = world.run()

    assert [failure["reason"] for failure in refused.failures] == ["AGENT"]
    assert accepted.failures == []
    connected = [detail["agentConnected"] for kind, detail in world.events if "Container Instance" in kind]
    assert connected == [True, False, True]


def test_an_assignment_is_told_again_until_it_is_reported(world: World) -> None:
    host = world.host("i-a")
    task = world.start()

    told = [bool(world.cluster.poll([host]).start), bool(world.cluster.poll([host]).start)]
    world.now += timedelta(seconds=2)
    told.append(bool(world.cluster.poll([host]).start))
    world.cluster.submit_task({"task": task.arn, "status": "RUNNING"})
    world.now += timedelta(seconds=2)
    told.append(bool(world.cluster.poll([host]).start))

    assert told == [True, False, True, False]


def test_a_stop_is_told_until_the_task_has_stopped(world: World) -> None:
    host = world.host("i-a")
    task = world.start()
    world.cluster.stop_task(task.arn, None)

    before = world.cluster.poll([host])
    world.cluster.submit_task({"task": task.arn, "status": "STOPPED"})
    after = world.cluster.poll([host])

    assert (before.start, before.stop) == ([], [task.arn])
    assert after.stop == []


def test_a_host_that_ended_is_told_as_gone(world: World) -> None:
    host = world.host("i-a")
    world.cluster.end_host("i-a", "TerminationNotice")

    assert world.cluster.poll([host, "arn:unknown"]).gone == [host, "arn:unknown"]


def test_registering_again_keeps_the_arn_and_loses_what_ran(world: World) -> None:
    host = world.host("i-a")
    running, pending = world.start(), world.start()
    world.cluster.submit_task({"task": running.arn, "status": "RUNNING"})

    again = world.host("i-a")

    assert again == host
    assert (running.last_status, pending.last_status) == ("STOPPED", "PENDING")
    assert world.room(host) == (1024, 3072)


@pytest.mark.parametrize(
    "request_",
    [{"count": 0}, {"count": 11}, {"startedBy": "x" * 129}, {"clientToken": "x" * 65}],
    ids=["count-0", "count-11", "started-by", "token"],
)
def test_wrong_parameters_are_refused(world: World, request_: Json) -> None:
    world.host("i-a")
    if request_ == {"count": 0}:  # ECS reads an absent count as 1; a zero is sent as it is
        request_ = {"count": -1}

    with pytest.raises(InvalidParameterError):
        world.run(**request_)
