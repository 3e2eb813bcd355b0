"""Local processes as containers, and the agent's loop over a cloud that is a list."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import eventually
from spillway_localstack.agent.cloud import Machine, Orders
from spillway_localstack.agent.docker_runner import OOM_REASON, DockerRunner, is_docker_there
from spillway_localstack.agent.folders import HostFolders
from spillway_localstack.agent.loop import Agent, Settings
from spillway_localstack.agent.process_runner import ProcessRunner
from spillway_localstack.agent.runner import Container, Execution, Mount, Outcome, StartError
from spillway_localstack.agent.secrets import Secrets

IMAGE = os.environ.get("SPILLWAY_TEST_IMAGE", "busybox")


def container(*command: str, stop_timeout_seconds: float = 0.3, memory: int = 64) -> Container:
    return Container(
        task_arn=f"arn:aws:ecs:us-east-1:000000000000:task/c/{uuid.uuid4().hex}",
        name="main",
        image=IMAGE,
        command=list(command),
        entry_point=[],
        environment={"GREETING": "hello"},
        working_directory=None,
        cpu=256,
        memory=memory,
        gpu_ids=[],
        stop_timeout_seconds=stop_timeout_seconds,
    )


def start(*command: str, **options: Any) -> tuple[Execution, list[bytes]]:
    lines: list[bytes] = []
    return ProcessRunner().start(container(*command, **options), lines.append), lines


def test_a_process_gives_its_exit_code_and_all_its_output() -> None:
    execution, lines = start("sh", "-c", 'echo "$GREETING"; echo more >&2; exit 3')

    assert execution.wait() == Outcome(3)
    assert lines == [b"hello\n", b"more\n"]


def test_a_process_sees_no_variables_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    execution, lines = start("env")

    execution.wait()

    names = {line.split(b"=", 1)[0] for line in lines}
    assert b"AWS_SECRET_ACCESS_KEY" not in names
    assert {b"GREETING", b"HOME", b"PATH"} <= names


def test_a_stopped_process_ends_by_sigterm() -> None:
    execution, _ = start("sleep", "600")

    execution.stop()
    execution.stop()

    assert execution.wait() == Outcome(128 + signal.SIGTERM)


def test_a_process_may_end_in_its_own_way_on_sigterm() -> None:
    execution, lines = start("sh", "-c", "trap 'exit 9' TERM; echo ready; while true; do sleep 0.05; done")
    eventually("the trap is set", lambda: lines)

    execution.stop()

    assert execution.wait() == Outcome(9)


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    execution, lines = start("sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.05; done")
    eventually("the trap is set", lambda: lines)

    execution.stop()

    assert execution.wait() == Outcome(128 + signal.SIGKILL)


def test_what_a_process_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    execution, _ = start("sh", "-c", f"sleep 600 & echo $! > {pid_file}")

    execution.wait()

    pid = int(pid_file.read_text())

    def is_gone() -> bool:
        try:
            # A zombie that nobody has waited for yet is as gone as one that was.
            return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True

    assert eventually("the child ends", is_gone)


@pytest.mark.parametrize("command", [("no-such-program",), ()])
def test_what_cannot_start_says_so_in_ecs_words(command: tuple[str, ...]) -> None:
    with pytest.raises(StartError, match="^CannotStartContainerError: "):
        ProcessRunner().start(container(*command), lambda _: None)


class FakeCloud:
    """Machines and orders as a test sets them; reports as a list."""

    def __init__(self) -> None:
        self.logs = None
        self.machines: list[Machine] = []
        self.foreign: set[str] = set()
        self.orders = Orders([], [], [])
        self.reports: list[tuple[str, str, Any]] = []
        self.n_failures = 0

    def running_machines(self) -> list[Machine]:
        if self.n_failures:
            self.n_failures -= 1
            raise ValueError("the endpoint is away")
        return self.machines

    def is_ours(self, instance_id: str) -> bool:
        return instance_id not in self.foreign

    def register(self, machine: Machine) -> str:
        self.reports.append(("registered", machine.instance_id, None))
        return f"arn:{machine.instance_id}"

    def poll(self, container_instances: list[str]) -> Orders:
        assert container_instances
        return self.orders

    def report_running(self, task_arn: str, name: str, runtime_id: str) -> None:
        self.reports.append(("running", task_arn, (name, runtime_id)))

    def report_stopped(self, task_arn: str, name: str, outcome: Outcome) -> None:
        assert name == "main"
        self.reports.append(("stopped", task_arn, outcome))

    def report_not_started(self, task_arn: str, name: str | None, reason: str) -> None:
        assert name in ("main", None)
        self.reports.append(("not-started", task_arn, reason))

    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.reports]


class Running:
    """An agent in a thread."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.lines: list[str] = []
        self.stop = threading.Event()
        settings = Settings(boot_seconds=0.0, poll_seconds=0.01, stop_timeout_seconds=0.3)
        agent = Agent(cloud, ProcessRunner(), settings, self.lines.append)  # type: ignore[arg-type]
        self.thread = threading.Thread(target=agent.run, args=(self.stop,), daemon=True)

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(10)
        assert not self.thread.is_alive()


def machine(instance_id: str) -> Machine:
    return Machine(instance_id, "c5.large", "us-east-1a", "ami-1", "spot")


def assignment(*command: str, host: str = "i-1", task: str = "task/c/1") -> dict[str, Any]:
    definition = {"name": "main", "image": "busybox", "command": list(command)}
    return {"taskArn": task, "containerInstanceArn": f"arn:{host}", "containerDefinitions": [definition]}


def test_a_task_is_run_once_however_often_it_is_told() -> None:
    cloud = FakeCloud()
    cloud.machines = [machine("i-1")]
    cloud.orders = Orders([assignment("sleep", "0.3")], [], [])

    with Running(cloud):
        eventually("it runs", lambda: "running" in cloud.kinds())
        cloud.orders = Orders([], [], [])
        eventually("it stops", lambda: "stopped" in cloud.kinds())

    assert cloud.kinds() == ["registered", "running", "stopped"]
    assert cloud.reports[-1][2] == Outcome(0)


def test_the_work_of_a_lost_host_dies_unreported() -> None:
    cloud = FakeCloud()
    cloud.machines = [machine("i-1")]
    cloud.orders = Orders([assignment("sleep", "600")], [], [])

    with Running(cloud) as running:
        eventually("it runs", lambda: "running" in cloud.kinds())
        cloud.orders = Orders([], [], ["arn:i-1"])
        eventually("it dies", lambda: any("died with its host" in line for line in running.lines))

    assert cloud.kinds() == ["registered", "running"]


def test_a_stop_for_a_task_that_never_came_is_reported_as_not_started() -> None:
    cloud = FakeCloud()
    cloud.machines = [machine("i-1")]
    cloud.orders = Orders([], ["task/c/9"], [])

    with Running(cloud):
        eventually("it is reported", lambda: "not-started" in cloud.kinds())
        cloud.orders = Orders([], [], [])

    assert ("not-started", "task/c/9", "Task was stopped before it started") in cloud.reports


def test_foreign_machines_are_left_alone_and_an_endpoint_that_is_away_is_waited_for() -> None:
    cloud = FakeCloud()
    cloud.machines = [machine("i-foreign"), machine("i-1")]
    cloud.foreign = {"i-foreign"}
    cloud.n_failures = 1

    with Running(cloud) as running:
        eventually("ours registers", lambda: cloud.reports)

    assert cloud.reports == [("registered", "i-1", None)]
    assert running.lines[0].startswith("the endpoint does not answer")
    assert "the endpoint is back" in running.lines


def test_an_agent_that_ends_kills_its_work() -> None:
    cloud = FakeCloud()
    cloud.machines = [machine("i-1")]
    cloud.orders = Orders([assignment("sleep", "600")], [], [])

    with Running(cloud):
        eventually("it runs", lambda: "running" in cloud.kinds())
    pid = int(cloud.reports[-1][2][1].removeprefix("process-"))

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


needs_docker = pytest.mark.skipif(not is_docker_there(), reason="no Docker engine answers")


def docker(*command: str, **options: Any) -> tuple[Execution, list[bytes]]:
    lines: list[bytes] = []
    return DockerRunner("none").start(container(*command, **options), lines.append), lines


@needs_docker
def test_a_container_gives_its_exit_code_and_output() -> None:
    execution, lines = docker("sh", "-c", 'echo "$GREETING"; exit 3')

    assert execution.wait() == Outcome(3)
    assert lines == [b"hello\n"]


@needs_docker
def test_a_container_that_takes_too_much_memory_is_killed_with_the_reason() -> None:
    execution, _ = docker("sh", "-c", "tail /dev/zero", memory=16)

    assert execution.wait() == Outcome(137, OOM_REASON)


@needs_docker
def test_a_stopped_container_ends_by_sigterm_or_by_sigkill() -> None:
    polite, lines = docker(
        "sh", "-c", "trap 'exit 143' TERM; echo ready; while true; do sleep 0.1; done", stop_timeout_seconds=10.0
    )
    eventually("the trap is set", lambda: lines)
    polite.stop()
    deaf, _ = docker("sh", "-c", "while true; do sleep 0.1; done", stop_timeout_seconds=1.0)
    deaf.stop()

    assert polite.wait() == Outcome(143)
    assert deaf.wait() == Outcome(137)


@needs_docker
def test_an_image_that_is_not_there_cannot_be_pulled() -> None:
    missing = container("true")
    object.__setattr__(missing, "image", "spillway.invalid/no-such-image:1")

    with pytest.raises(StartError, match="^CannotPullContainerError: "):
        DockerRunner("none").start(missing, lambda _: None)


class FakeParameters:
    """One parameter, `/team/token`."""

    def get_parameters(self, Names: list[str], WithDecryption: bool) -> dict[str, Any]:  # noqa: N803
        assert WithDecryption
        return {"Parameters": [{"Value": "s3cret"}] if "/team/token" in Names else []}


class FakeSecrets:
    """One secret, of two keys."""

    def get_secret_value(self, **request: str) -> dict[str, str]:
        assert request["SecretId"] == "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf"
        return {"SecretString": '{"user": "ada", "password": "hunter2"}'}


def test_secrets_are_fetched_from_where_their_arns_point() -> None:
    secrets = Secrets(FakeParameters(), FakeSecrets())
    db = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf"

    values = secrets.values(
        {
            "TOKEN": "/team/token",
            "SAME": "arn:aws:ssm:us-east-1:000000000000:parameter/team/token",
            "PASSWORD": f"{db}:password::",
            "ALL": db,
        }
    )

    assert values == {
        "TOKEN": "s3cret",
        "SAME": "s3cret",
        "PASSWORD": "hunter2",
        "ALL": '{"user": "ada", "password": "hunter2"}',
    }


@pytest.mark.parametrize("source", ["/no/such", "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf:no::"])
def test_a_secret_that_cannot_be_had_keeps_the_container_from_starting(source: str) -> None:
    with pytest.raises(StartError, match="^ResourceInitializationError: unable to pull secrets"):
        Secrets(FakeParameters(), FakeSecrets()).values({"IT": source})


def mounting(path: str, *command: str, is_read_only: bool = False) -> Container:
    mounts = [Mount("data", "/mnt/data", is_read_only)]
    return replace(container(*command), volumes={"data": path}, mounts=mounts)


def test_a_hosts_paths_are_its_own_and_go_with_it() -> None:
    folders = HostFolders()
    one, other, own = mounting("/data"), mounting("/data"), mounting("")

    shared = folders.sources("host-1", one)["data"]

    assert folders.sources("host-1", other)["data"] == shared
    assert folders.sources("host-2", one)["data"] != shared
    assert folders.sources("host-1", own)["data"] != folders.sources("host-1", replace(own, task_arn="t/2"))["data"]
    with pytest.raises(StartError, match="no absolute path"):
        folders.sources("host-1", mounting("/data/../../etc"))
    folders.lose("host-1")
    assert not shared.exists()
    folders.lose_all()


def test_a_local_process_that_wants_a_volume_says_what_it_lacks() -> None:
    with pytest.raises(StartError, match="need Docker"):
        ProcessRunner().start(mounting("/data", "true"), lambda _: None)


@needs_docker
def test_a_volume_is_where_the_container_mounts_it(tmp_path: Path) -> None:
    def run(script: str, *, is_read_only: bool) -> Outcome:
        asked = mounting("/data", "sh", "-c", script, is_read_only=is_read_only)
        mounts = [replace(mount, source=tmp_path) for mount in asked.mounts]
        return DockerRunner("none").start(replace(asked, mounts=mounts), lambda _: None).wait()

    assert run("echo here > /mnt/data/mark", is_read_only=False) == Outcome(0)
    assert (tmp_path / "mark").read_text() == "here\n"
    assert run("cat /mnt/data/mark && echo more > /mnt/data/mark", is_read_only=True) == Outcome(1)
