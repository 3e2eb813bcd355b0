"""The pure parts: what a task needs, which constraint holds, which pool is first, what a fault matches."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from spillway_localstack.agent.cloud import cluster_in
from spillway_localstack.agent.runner import StartError, containers_of
from spillway_localstack.plugin.ec2 import fleet, spot_history
from spillway_localstack.plugin.ecs.constraints import satisfies
from spillway_localstack.plugin.ecs.errors import InvalidParameterError
from spillway_localstack.plugin.ecs.resources import Need, Room, need_of_task
from spillway_localstack.plugin.faults import FaultList
from spillway_localstack.plugin.loading import one_at_a_time
from spillway_localstack.plugin.pricing import table

FACTS = {"ec2InstanceId": "i-1", "attribute:ecs.instance-type": "c7g.large", "attribute:zone": "a"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ec2InstanceId == i-1", True),
        ("ec2InstanceId == 'i-1'", True),
        ("ec2InstanceId == i-2", False),
        ("ec2InstanceId != i-2", True),
        ("ec2InstanceId in [i-0, i-1]", True),
        ("ec2InstanceId in ['i-0', 'i-2']", False),
        ("attribute:ecs.instance-type =~ c7g.*", True),
        ("attribute:ecs.instance-type matches m5.*", False),
        ("attribute:none == x", False),
        ("attribute:zone == a and ec2InstanceId == i-2", False),
        ("attribute:zone == b or ec2InstanceId == i-1", True),
    ],
)
def test_a_constraint_holds_or_does_not(expression: str, expected: bool) -> None:
    assert satisfies(expression, FACTS) is expected


def test_an_unreadable_constraint_is_an_invalid_parameter() -> None:
    with pytest.raises(InvalidParameterError, match="Invalid expression"):
        satisfies("ec2InstanceId", FACTS)


def container(**extra: Any) -> dict[str, Any]:
    return {"name": "main", "image": "busybox", "cpu": 256, "memory": 512, **extra}


def test_a_task_needs_the_sum_of_its_containers_with_reservations_before_limits() -> None:
    definition = {"containerDefinitions": [container(memoryReservation=128), container(name="side")]}

    assert need_of_task(definition, {}) == Need(512, 640, 0)


def test_overrides_change_what_a_task_needs() -> None:
    definition = {"containerDefinitions": [container()]}
    gpu = {"type": "GPU", "value": "2"}
    override = {"name": "main", "cpu": 1024, "memory": 2048, "resourceRequirements": [gpu]}

    assert need_of_task(definition, {"containerOverrides": [override]}) == Need(1024, 2048, 2)


@pytest.mark.parametrize(("cpu", "memory"), [("1024", "2048"), ("1 vCPU", "2 GB"), ("1vcpu", "2GB")])
def test_task_sizes_stand_above_container_sizes(cpu: str, memory: str) -> None:
    definition = {"containerDefinitions": [container()], "cpu": cpu, "memory": memory}

    assert need_of_task(definition, {}) == Need(1024, 2048, 0)


def test_what_is_given_back_is_what_was_taken() -> None:
    room = Room.registered(1024, 1024, ("g0", "g1"))

    given = room.take(Need(512, 512, 1))
    lack = room.lacks(Need(0, 0, 2))
    room.give_back(Need(512, 512, 1), given)

    assert (given, lack) == (("g0",), "RESOURCE:GPU")
    assert room == Room.registered(1024, 1024, ("g0", "g1"))


def pool(instance_type: str, price: int | None, position: int, **override: Any) -> fleet.Pool:
    return fleet.Pool({}, override, instance_type, "us-east-1a", price, position)


def test_the_cheapest_per_unit_of_weight_is_first_and_the_unpriced_last() -> None:
    pools = [pool("x", None, 0), pool("big", 300, 1, WeightedCapacity=4.0), pool("small", 100, 2)]

    assert [each.instance_type for each in fleet.in_order(pools, "")] == ["big", "small", "x"]


def test_priorities_decide_where_the_strategy_says_so_and_none_is_last() -> None:
    pools = [pool("none", 1, 0), pool("second", 2, 1, Priority=1.0), pool("first", 3, 2, Priority=0.0)]

    order = fleet.in_order(pools, "capacity-optimized-prioritized")

    assert [each.instance_type for each in order] == ["first", "second", "none"]


def test_weights_round_the_number_of_instances_up() -> None:
    grants, errors = fleet.allocate([pool("x", 1, 0, WeightedCapacity=4.0)], 9, lambda _: None)

    assert [grant.n_instances for grant in grants] == [3]
    assert errors == []


def test_the_target_is_split_by_market_and_the_rest_is_the_default() -> None:
    split = {"TotalTargetCapacity": 5, "SpotTargetCapacity": 2, "DefaultTargetCapacityType": "spot"}

    assert fleet.targets({**split, "OnDemandTargetCapacity": 1}) == [("on-demand", 1), ("spot", 4)]
    assert fleet.targets({"TotalTargetCapacity": 2}) == [("on-demand", 2)]


def test_a_spot_pool_above_the_highest_price_is_too_dear() -> None:
    assert fleet.is_above_max_price(pool("x", 40_000, 0), "0.039")
    assert not fleet.is_above_max_price(pool("x", 40_000, 0), "0.04")
    assert not fleet.is_above_max_price(pool("x", 40_000, 0), None)


def test_faults_count_down_and_match_by_pattern() -> None:
    faults = FaultList()
    faults.replace(
        [
            {"operation": "RunTask", "code": "ServerException", "match": {"cluster": "spill*"}, "times": 1},
            {"operation": "CreateFleet", "code": "InsufficientInstanceCapacity", "match": {"zone": "*a"}},
        ]
    )

    assert faults.take_call("RunTask", {"cluster": "other"}) is None
    assert faults.take_call("StopTask", {"cluster": "spillway"}) is None
    assert faults.take_call("RunTask", {"cluster": "spillway"}) is not None
    assert faults.take_call("RunTask", {"cluster": "spillway"}) is None
    assert faults.take_pool("c5.large", "us-east-1b", "spot") is None
    assert faults.take_pool("c5.large", "us-east-1a", "spot") is not None
    assert faults.take_call("CreateFleet", {}) is None
    assert [rule["fired"] for rule in faults.to_json()] == [1, 1]


@pytest.mark.parametrize(
    "raw",
    [
        {},
        [1],
        [{"operation": "X"}],
        [{"operation": "X", "code": "Y", "when": "never"}],
        [{"operation": "X", "code": "Y", "times": -1}],
        [{"operation": "X", "code": "Y", "match": "c5*"}],
    ],
)
def test_a_wrong_list_of_faults_is_a_value_error(raw: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        FaultList().replace(raw)


def test_the_price_table_holds_plausible_facts() -> None:
    prices = table.table()

    assert prices["c5.large"] == (85_000, 34_850)
    assert len(prices) > 100
    assert all(0 < spot < on_demand for on_demand, spot in prices.values())


def test_spot_history_filters_sorts_and_pages() -> None:
    offered = [("c5.large", "us-east-1b"), ("c5.large", "us-east-1a"), ("m5.large", "us-east-1a"), ("x9.huge", "z")]
    now = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)

    first = spot_history.answer({"MaxResults": 2}, offered, now)
    second = spot_history.answer({"MaxResults": 2, "NextToken": first["NextToken"]}, offered, now)
    filtered = spot_history.answer({"InstanceTypes": ["m5.large"]}, offered, now)
    windows = spot_history.answer({"ProductDescriptions": ["Windows"]}, offered, now)

    assert [each["AvailabilityZone"] for each in first["SpotPriceHistory"]] == ["us-east-1a", "us-east-1b"]
    assert [each["InstanceType"] for each in second["SpotPriceHistory"]] == ["m5.large"]
    assert second["NextToken"] == ""
    assert len(filtered["SpotPriceHistory"]) == 1
    assert windows["SpotPriceHistory"] == []


def test_prices_are_written_as_amazon_writes_them() -> None:
    assert table.dollars(85_000, 6) == "0.085000"
    assert table.dollars(12_345_678, 10) == "12.3456780000"


@pytest.mark.parametrize(
    ("script", "cluster"),
    [
        ("#!/bin/bash\necho ECS_CLUSTER=spillway >> /etc/ecs/ecs.config", "spillway"),
        ("cat <<'E' >> /etc/ecs/ecs.config\nECS_CLUSTER=my-cluster_2\nE", "my-cluster_2"),
        ('echo ECS_CLUSTER="quoted" > /etc/ecs/ecs.config', "quoted"),
        ("#!/bin/bash\ntrue", None),
        ("", None),
    ],
)
def test_user_data_names_its_cluster(script: str, cluster: str | None) -> None:
    assert cluster_in(base64.b64encode(script.encode()).decode()) == cluster


def test_user_data_that_is_not_base64_names_none() -> None:
    assert cluster_in("%%%") is None


def test_a_container_takes_overrides_before_its_definition() -> None:
    definition = container(
        command=["a"], entryPoint=["sh", "-c"], stopTimeout=7, environment=[{"name": "X", "value": "1"}]
    )
    override = {"name": "main", "command": ["b"], "environment": [{"name": "X", "value": "2"}]}
    assignment = {
        "taskArn": "arn:aws:ecs:us-east-1:0:task/c/abc",
        "containerDefinitions": [definition],
        "overrides": {"containerOverrides": [override]},
    }

    first, made = containers_of(assignment, 30.0)

    assert first == []

    assert (made.entry_point, made.command) == (["sh", "-c"], ["b"])
    assert made.environment["X"] == "2"
    assert made.stop_timeout_seconds == 7.0
    assert made.task_id == "abc"


@pytest.mark.parametrize("essential", [True, False])
def test_a_task_of_two_containers_side_by_side_does_not_start(essential: bool) -> None:
    assignment = {"taskArn": "x", "containerDefinitions": [container(), container(name="side", essential=essential)]}

    with pytest.raises(StartError, match="CannotCreateContainerError"):
        containers_of(assignment, 30.0)


def test_a_container_may_run_before_the_one_that_waits_for_its_success() -> None:
    waits = [{"containerName": "bring", "condition": "SUCCESS"}]
    definitions = [container(dependsOn=waits), container(name="bring", essential=False)]

    first, main = containers_of({"taskArn": "x", "containerDefinitions": definitions}, 30.0)

    assert ([each.name for each in first], main.name) == (["bring"], container()["name"])


def test_nobody_calls_a_service_that_somebody_else_still_loads() -> None:
    begun, may_end, second_is_through = threading.Event(), threading.Event(), threading.Event()
    loads: list[str] = []

    def load(_loader: Any, _chain: Any, context: Any, _response: Any) -> None:
        loads.append(context.service.service_name)
        if context.service.service_name == "slow" and not begun.is_set():
            begun.set()
            assert may_end.wait(10)

    require = one_at_a_time(load)

    def ask(name: str, through: threading.Event | None = None) -> None:
        require(None, None, SimpleNamespace(service=SimpleNamespace(service_name=name)), None)
        if through:
            through.set()

    first = threading.Thread(target=ask, args=["slow"])
    first.start()
    assert begun.wait(10)
    second = threading.Thread(target=ask, args=["slow", second_is_through])
    second.start()
    ask("other")

    assert not second_is_through.wait(0.2)
    may_end.set()
    first.join(10)
    second.join(10)
    assert second_is_through.is_set()
    loads_before = len(loads)
    ask("slow")
    require(None, None, SimpleNamespace(service=None), None)
    assert len(loads) == loads_before
