"""What comes out of the event queue, and what happens when a host goes."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab import CLUSTER, Lab, eventually

TASK = "ECS Task State Change"
HOST = "ECS Container Instance State Change"
INSTANCE = "EC2 Instance State-change Notification"
WARNING = "EC2 Spot Instance Interruption Warning"


def of_task(events: list[dict[str, Any]], arn: str) -> list[dict[str, Any]]:
    details = [e["detail"] for e in events if e["detail-type"] == TASK and e["detail"]["taskArn"] == arn]
    return sorted(details, key=lambda detail: detail["version"])


def test_every_state_of_a_task_is_an_event_with_a_rising_version(lab: Lab) -> None:
    host = lab.host()
    arn = lab.start(lab.definition(["sh", "-c", "exit 3"]), host, startedBy="attempt-1")

    events = lab.events_until("the task's end", lambda e: e["detail"].get("lastStatus") == "STOPPED")

    details = of_task(events, arn)
    assert [detail["lastStatus"] for detail in details] == ["PENDING", "RUNNING", "STOPPED"]
    assert [detail["version"] for detail in details] == [1, 2, 3]
    assert details[-1]["containers"][0]["exitCode"] == 3
    assert details[-1]["startedBy"] == "attempt-1"
    assert details[-1]["clusterArn"].endswith(f":cluster/{CLUSTER}")
    assert details[-1] | {"tags": []} == {**details[-1], "tags": []}
    assert lab.task(arn)["version"] == 3


def test_an_instance_is_announced_from_launch_to_registration_to_its_end(lab: Lab) -> None:
    host = lab.host()
    lab.ec2.terminate_instances(InstanceIds=[host])

    events = lab.events_until(
        "the instance's end",
        lambda e: e["detail-type"] == HOST and e["detail"]["status"] == "INACTIVE",
    )

    states = {e["detail"]["state"] for e in events if e["detail-type"] == INSTANCE}
    assert states == {"pending", "running", "shutting-down", "terminated"}
    registered = [e["detail"] for e in events if e["detail-type"] == HOST]
    assert {detail["ec2InstanceId"] for detail in registered} == {host}
    assert {(detail["status"], detail["agentConnected"]) for detail in registered} == {
        ("ACTIVE", True),
        ("INACTIVE", False),
    }


def test_terminating_a_host_ends_its_tasks_and_kills_their_processes(lab: Lab, tmp_path: Any) -> None:
    host = lab.host()
    beat = tmp_path / "beat"
    script = f"while true; do date +%s%N > {beat}; sleep 0.05; done"
    arn = lab.start(lab.definition(["sh", "-c", script]), host)
    eventually("the task beats", beat.exists)

    lab.ec2.terminate_instances(InstanceIds=[host])
    stopped = lab.until(arn, "STOPPED")

    assert stopped["stopCode"] == "TerminationNotice"
    assert stopped["stoppedReason"] == f"Host EC2 (instance {host}) terminated."
    assert "exitCode" not in stopped["containers"][0]
    assert lab.container_instance(host) is None
    with pytest.raises(ClientError, match="No Container Instances"):
        lab.run(lab.definition(["true"]), host)

    def is_silent() -> bool:
        beat.unlink(missing_ok=True)
        # One beat takes 50 ms; a loop that lives has written again after ten of them.
        try:
            eventually("another beat", beat.exists, seconds=0.5)
        except AssertionError:
            return True
        return False

    assert eventually("the process dies", is_silent)


def test_a_reclaimed_spot_host_warns_first_and_then_ends_with_its_tasks(lab: Lab) -> None:
    host = lab.host("c5.large", market="spot")
    arn = lab.start(lab.definition(["sleep", "600"]), host)
    lab.until(arn, "RUNNING")

    status, _ = lab.http("POST", "/_spillway/interrupt", {"instanceId": host, "noticeSeconds": 0.5})
    warning = lab.events_until("the warning", lambda e: e["detail-type"] == WARNING)[-1]
    stopped = lab.until(arn, "STOPPED")

    assert status == 200
    assert warning["detail"] == {"instance-id": host, "instance-action": "terminate"}
    assert stopped["stopCode"] == "SpotInterruption"
    assert stopped["stoppedReason"] == f"Host EC2 (instance {host}) terminated."

    def reason() -> str | None:
        instance = lab.ec2.describe_instances(InstanceIds=[host])["Reservations"][0]["Instances"][0]
        return instance["StateReason"]["Code"] if instance["State"]["Name"] == "terminated" else None

    assert eventually("EC2 shows the end", reason) == "Server.SpotInstanceTermination"


def test_only_a_running_spot_instance_can_be_interrupted(lab: Lab) -> None:
    on_demand = lab.host()

    assert lab.http("POST", "/_spillway/interrupt", {"instanceId": on_demand})[0] == 409
    assert lab.http("POST", "/_spillway/interrupt", {"instanceId": "i-0123456789abcdef0"})[0] == 404
    assert lab.http("POST", "/_spillway/interrupt", [])[0] == 400


def test_a_fault_fails_the_call_as_often_as_it_says(lab: Lab) -> None:
    host = lab.host()
    definition = lab.definition(["true"])
    lab.faults({"operation": "RunTask", "code": "ThrottlingException", "times": 2})

    for _ in range(2):
        with pytest.raises(ClientError, match="ThrottlingException"):
            lab.run(definition, host)

    assert lab.run(definition, host)["failures"] == []
    shown = lab.http("GET", "/_spillway/faults")[1][0]
    assert (shown["times"], shown["fired"]) == (0, 2)


def test_a_wrong_fault_is_refused_and_the_old_list_stands(lab: Lab) -> None:
    lab.faults({"operation": "RunTask", "code": "ServerException", "times": 0})

    status, answer = lab.http("POST", "/_spillway/faults", [{"operation": "RunTask", "kode": "X"}])

    assert (status, answer) == (400, {"error": "unknown key: kode"})
    assert lab.http("GET", "/_spillway/faults")[1][0]["code"] == "ServerException"


def test_the_agents_own_calls_survive_faults(lab: Lab) -> None:
    lab.faults(
        {"operation": "DescribeInstances", "code": "RequestLimitExceeded", "times": 2},
        {"operation": "RegisterContainerInstance", "code": "ServerException", "times": 1},
        {"operation": "SubmitTaskStateChange", "code": "ThrottlingException", "times": 2},
    )
    host = lab.host()

    stopped = lab.until(lab.start(lab.definition(["sh", "-c", "exit 7"]), host), "STOPPED")

    assert stopped["containers"][0]["exitCode"] == 7


def test_a_dead_instance_cannot_register(lab: Lab) -> None:
    host = lab.host()
    lab.ec2.terminate_instances(InstanceIds=[host])

    with pytest.raises(ClientError, match="is not running"):
        lab.ecs.register_container_instance(
            cluster=CLUSTER,
            instanceIdentityDocument=f'{{"instanceId": "{host}"}}',
            instanceIdentityDocumentSignature="none",
            totalResources=[],
        )
