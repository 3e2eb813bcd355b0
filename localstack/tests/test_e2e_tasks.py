"""Tasks from RunTask to STOPPED, with the agent running them as local processes."""

from __future__ import annotations

import uuid

import pytest
from botocore.exceptions import ClientError

from lab import CLUSTER, Lab, eventually


def test_a_task_that_exits_3_stops_with_exit_code_3(lab: Lab) -> None:
    host = lab.host()

    stopped = lab.until(lab.start(lab.definition(["sh", "-c", "exit 3"]), host), "STOPPED")

    assert stopped["containers"][0]["exitCode"] == 3
    assert stopped["stopCode"] == "EssentialContainerExited"
    assert stopped["stoppedReason"] == "Essential container in task exited"
    assert stopped["desiredStatus"] == "STOPPED"
    assert {"createdAt", "startedAt", "stoppedAt"} <= stopped.keys()


def test_overrides_change_command_and_environment_and_output_goes_to_the_log_group(lab: Lab) -> None:
    host = lab.host()
    group = f"/test/{uuid.uuid4()}"
    lab.logs.create_log_group(logGroupName=group)
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "jobs"}
    definition = lab.definition(
        ["false"],
        environment=[{"name": "A", "value": "from the definition"}, {"name": "B", "value": "b"}],
        logConfiguration={"logDriver": "awslogs", "options": options},
    )
    override = {
        "name": "main",
        "command": ["sh", "-c", 'echo "$A, $B"; echo "to stderr" >&2'],
        "environment": [{"name": "A", "value": "from the override"}],
    }

    arn = lab.start(definition, host, overrides={"containerOverrides": [override]})
    stopped = lab.until(arn, "STOPPED")

    assert stopped["containers"][0]["exitCode"] == 0
    answer = lab.logs.get_log_events(logGroupName=group, logStreamName=f"jobs/main/{arn.rsplit('/', 1)[-1]}")
    assert [event["message"] for event in answer["events"]] == ["from the override, b", "to stderr"]


def test_stop_task_sends_sigterm_and_keeps_the_reason(lab: Lab) -> None:
    host = lab.host()
    arn = lab.start(lab.definition(["sleep", "600"]), host)
    lab.until(arn, "RUNNING")

    asked = lab.ecs.stop_task(cluster=CLUSTER, task=arn, reason="attempt timed out")["task"]
    stopped = lab.until(arn, "STOPPED")

    assert (asked["lastStatus"], asked["desiredStatus"]) == ("RUNNING", "STOPPED")
    assert stopped["containers"][0]["exitCode"] == 143
    assert stopped["stopCode"] == "UserInitiated"
    assert stopped["stoppedReason"] == "attempt timed out"


def test_a_task_that_ignores_sigterm_is_killed_after_its_stop_timeout(lab: Lab) -> None:
    host = lab.host()
    group = f"/test/{uuid.uuid4()}"
    lab.logs.create_log_group(logGroupName=group)
    command = ["sh", "-c", "trap '' TERM; echo trapped; while true; do sleep 0.1; done"]
    options = {"awslogs-group": group, "awslogs-region": "us-east-1"}
    arn = lab.start(lab.definition(command, logConfiguration={"logDriver": "awslogs", "options": options}), host)
    eventually("the trap is set", lambda: lab.logs.filter_log_events(logGroupName=group)["events"])

    lab.ecs.stop_task(cluster=CLUSTER, task=arn)
    stopped = lab.until(arn, "STOPPED")

    assert stopped["containers"][0]["exitCode"] == 137
    assert stopped["stopCode"] == "UserInitiated"
    assert stopped["stoppedReason"] == "Task stopped by user"


def test_a_command_that_is_not_there_fails_to_start_without_an_exit_code(lab: Lab) -> None:
    host = lab.host()

    stopped = lab.until(lab.start(lab.definition(["no-such-program"]), host), "STOPPED")

    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped["stoppedReason"].startswith("CannotStartContainerError: ")
    assert stopped["containers"][0]["reason"].startswith("CannotStartContainerError: ")
    assert "exitCode" not in stopped["containers"][0]


def test_resources_are_free_again_only_when_the_task_has_stopped(lab: Lab) -> None:
    host = lab.host("c5.large")
    big = lab.definition(["sleep", "600"], cpu=2048)
    arn = lab.start(big, host)
    lab.until(arn, "RUNNING")

    lab.ecs.stop_task(cluster=CLUSTER, task=arn)
    while_stopping = lab.run(big, host)
    lab.until(arn, "STOPPED")
    after = lab.run(big, host)

    if while_stopping["failures"]:
        assert while_stopping["failures"][0]["reason"] == "RESOURCE:CPU"
    else:  # it had stopped before the second call
        assert while_stopping["tasks"][0]["taskArn"] != arn
    assert after["failures"] == [] or while_stopping["tasks"]


@pytest.mark.parametrize(
    ("cpu", "memory", "extra", "reason"),
    [
        (2049, 128, {}, "RESOURCE:CPU"),
        (256, 4096, {}, "RESOURCE:MEMORY"),
        (256, 128, {"resourceRequirements": [{"type": "GPU", "value": "1"}]}, "RESOURCE:GPU"),
    ],
)
def test_a_task_larger_than_the_host_is_a_failure_with_its_dimension(
    lab: Lab, cpu: int, memory: int, extra: dict[str, object], reason: str
) -> None:
    host = lab.host("c5.large")

    answer = lab.run(lab.definition(["true"], cpu, memory, **extra), host)

    assert answer["tasks"] == []
    assert [failure["reason"] for failure in answer["failures"]] == [reason]


def test_the_host_registers_its_types_real_size_less_overhead(lab: Lab) -> None:
    host = lab.host("g4dn.xlarge", zone="us-east-1a")

    seen = lab.container_instance(host)

    assert seen is not None
    sizes = {each["name"]: each for each in seen["registeredResources"]}
    assert sizes["CPU"]["integerValue"] == 4 * 1024
    assert sizes["MEMORY"]["integerValue"] == 16 * 1024 * 95 // 100
    assert len(sizes["GPU"]["stringSetValue"]) == 1
    attributes = {each["name"]: each.get("value") for each in seen["attributes"]}
    assert attributes["ecs.instance-type"] == "g4dn.xlarge"
    assert attributes["ecs.availability-zone"] == "us-east-1a"


def test_a_gpu_is_given_to_one_task_at_a_time(lab: Lab) -> None:
    host = lab.host("g4dn.xlarge")
    gpu = lab.definition(["sleep", "600"], resourceRequirements=[{"type": "GPU", "value": "1"}])
    first = lab.task(lab.start(gpu, host))

    second = lab.run(gpu, host)

    assert len(first["containers"][0]["gpuIds"]) == 1
    assert second["failures"][0]["reason"] == "RESOURCE:GPU"


def test_the_same_client_token_is_the_same_task_and_other_parameters_are_a_conflict(lab: Lab) -> None:
    host = lab.host()
    definition = lab.definition(["true"])
    token = uuid.uuid4().hex

    first = lab.start(definition, host, clientToken=token, startedBy=token)
    lab.until(first, "STOPPED")
    again = lab.run(definition, host, clientToken=token, startedBy=token)
    with pytest.raises(lab.ecs.exceptions.ConflictException) as conflict:
        lab.run(lab.definition(["false"]), host, clientToken=token, startedBy=token)

    assert [task["taskArn"] for task in again["tasks"]] == [first]
    assert again["tasks"][0]["lastStatus"] == "STOPPED"
    assert conflict.value.response["resourceIds"] == [first]


def test_list_tasks_finds_by_started_by_and_hides_stopped_tasks_until_asked(lab: Lab) -> None:
    host = lab.host()
    running = lab.start(lab.definition(["sleep", "600"]), host, startedBy="attempt-1")
    ended = lab.start(lab.definition(["true"]), host, startedBy="attempt-2")
    lab.until(ended, "STOPPED")

    def listed(**filters: str) -> list[str]:
        return lab.ecs.list_tasks(cluster=CLUSTER, **filters)["taskArns"]

    assert listed(startedBy="attempt-1") == [running]
    assert listed(startedBy="attempt-2") == []
    assert listed(startedBy="attempt-2", desiredStatus="STOPPED") == [ended]
    assert listed() == [running]
    with pytest.raises(ClientError, match="only filter"):
        listed(startedBy="attempt-1", family="x")


def test_unknown_tasks_and_instances_are_failures_and_not_errors(lab: Lab) -> None:
    missing = "0123456789abcdef0123456789abcdef"

    tasks = lab.ecs.describe_tasks(cluster=CLUSTER, tasks=[missing])
    hosts = lab.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=[missing])

    assert [failure["reason"] for failure in tasks["failures"]] == ["MISSING"]
    assert tasks["failures"][0]["arn"].endswith(f"task/{CLUSTER}/{missing}")
    assert [failure["reason"] for failure in hosts["failures"]] == ["MISSING"]


def test_without_hosts_run_task_is_refused_in_ecs_words(lab: Lab) -> None:
    with pytest.raises(ClientError, match="No Container Instances were found in your cluster") as refused:
        lab.run(lab.definition(["true"]))

    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


def test_an_unknown_cluster_is_cluster_not_found(lab: Lab) -> None:
    with pytest.raises(lab.ecs.exceptions.ClusterNotFoundException):
        lab.ecs.list_tasks(cluster="no-such-cluster")


def test_a_constraint_that_no_host_meets_is_a_failure(lab: Lab) -> None:
    lab.host()

    answer = lab.run(lab.definition(["true"]), "i-0123456789abcdef0")

    assert answer["tasks"] == []
    assert "constraint" in answer["failures"][0]["reason"]


def test_a_draining_host_takes_no_task_and_keeps_those_it_has(lab: Lab) -> None:
    host, other = lab.host(), lab.host()
    running = lab.start(lab.definition(["sleep", "600"]), host)
    lab.until(running, "RUNNING")
    seen = lab.container_instance(host)
    assert seen is not None
    arn = seen["containerInstanceArn"]

    lab.ecs.update_container_instances_state(cluster=CLUSTER, containerInstances=[arn], status="DRAINING")
    pinned = lab.run(lab.definition(["true"]), host)
    named = lab.ecs.start_task(
        cluster=CLUSTER, taskDefinition=lab.definition(["true"]), containerInstances=[arn, "f" * 32]
    )

    assert pinned["tasks"] == []
    assert sorted(failure["reason"] for failure in named["failures"]) == ["INACTIVE", "MISSING"]
    assert lab.task(running)["lastStatus"] == "RUNNING"
    assert lab.start(lab.definition(["true"]), other)


def test_deregistering_a_busy_host_needs_force(lab: Lab) -> None:
    host = lab.host()
    running = lab.start(lab.definition(["sleep", "600"]), host)
    lab.until(running, "RUNNING")
    seen = lab.container_instance(host)
    assert seen is not None
    arn = seen["containerInstanceArn"]

    with pytest.raises(ClientError, match="running tasks"):
        lab.ecs.deregister_container_instance(cluster=CLUSTER, containerInstance=arn)
    lab.ecs.deregister_container_instance(cluster=CLUSTER, containerInstance=arn, force=True)

    assert lab.container_instance(host) is None
    assert lab.task(running)["lastStatus"] == "STOPPED"


def test_tags_of_a_task_are_shown_on_demand(lab: Lab) -> None:
    host = lab.host()
    arn = lab.start(lab.definition(["sleep", "600"]), host, tags=[{"key": "job", "value": "1"}])

    lab.ecs.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "a"}])
    lab.ecs.untag_resource(resourceArn=arn, tagKeys=["job"])

    with_tags = lab.ecs.describe_tasks(cluster=CLUSTER, tasks=[arn], include=["TAGS"])["tasks"][0]
    assert with_tags["tags"] == [{"key": "team", "value": "a"}]
    assert "tags" not in lab.task(arn)


def test_the_cluster_counts_its_hosts_and_tasks(lab: Lab) -> None:
    host = lab.host()
    lab.until(lab.start(lab.definition(["sleep", "600"]), host), "RUNNING")

    cluster = lab.ecs.describe_clusters(clusters=[CLUSTER])["clusters"][0]

    assert cluster["registeredContainerInstancesCount"] == 1
    assert cluster["runningTasksCount"] == 1
    with pytest.raises(ClientError, match="Container Instances are active"):
        lab.ecs.delete_cluster(cluster=CLUSTER)


def test_fifty_tasks_on_one_host_all_end_with_their_own_exit_codes(lab: Lab) -> None:
    host = lab.host("c5.4xlarge")
    definition = lab.definition(["sh", "-c", "exit $CODE"], cpu=256, memory=64)
    expected = {}
    for code in range(50):
        override = {"name": "main", "environment": [{"name": "CODE", "value": str(code)}]}
        arn = lab.start(definition, host, overrides={"containerOverrides": [override]})
        expected[arn] = code

    def all_ended() -> dict[str, int] | None:
        tasks = lab.ecs.describe_tasks(cluster=CLUSTER, tasks=list(expected))["tasks"]
        if any(task["lastStatus"] != "STOPPED" for task in tasks):
            return None
        return {task["taskArn"]: task["containers"][0]["exitCode"] for task in tasks}

    assert eventually("all fifty end", all_ended) == expected
    seen = lab.container_instance(host)
    assert seen is not None
    assert seen["remainingResources"] == seen["registeredResources"]
