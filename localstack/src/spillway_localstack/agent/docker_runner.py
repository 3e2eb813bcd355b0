"""Runs a task's container with the ``docker`` command: real images, real limits, a real out-of-memory kill."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import threading

from spillway_localstack.agent.process_runner import DRAIN_SECONDS, read_lines
from spillway_localstack.agent.runner import KILLED, Container, Execution, OnLine, Outcome, StartError

# ECS's smallest share (ECS API reference, ContainerDefinition.cpu: Linux takes 2).
CPU_UNITS_MIN = 2
# Loaded machines take their time.
ANSWER_SECONDS = 30.0
# ECS_CONTAINER_CREATE_TIMEOUT is 4 minutes; a pull may take longer (amazon-ecs-agent, README).
CREATE_SECONDS = 600.0
# ECS_CONTAINER_START_TIMEOUT is 3 minutes (amazon-ecs-agent, README).
START_SECONDS = 180.0
# All hosts share one engine here, which answers none of a hundred calls in time that it would answer one by one.
STARTS_AT_ONCE = 8
OOM_REASON = "OutOfMemoryError: Container killed due to memory usage"

PULL_SIGNS = ("pull access denied", "manifest unknown", "not found", "no such host", "unable to find image")


class DockerRunner:
    """One container per task, removed when it has ended."""

    name = "docker"

    def __init__(self, network: str | None = None) -> None:
        """``network`` is Docker's ``--network``; ``none`` needs no bridge."""
        self._network = network
        self._turns = threading.BoundedSemaphore(STARTS_AT_ONCE)

    def start(self, container: Container, on_line: OnLine) -> Execution:
        """Creates, then starts, so that a failure of either has its own reason."""
        name = f"spillway-{container.task_id}"
        with self._turns:
            self._create_and_start(name, container)
        # Only now is there something to stop: `docker stop` before the start would do nothing.
        return _DockerContainer(name, container.stop_timeout_seconds, on_line)

    def _create_and_start(self, name: str, container: Container) -> None:
        created = _docker(self._create_arguments(name, container), CREATE_SECONDS)
        if created.returncode != 0:
            text = created.stderr.decode(errors="replace").strip()
            is_pull = any(sign in text.lower() for sign in PULL_SIGNS)
            raise StartError(f"{'CannotPullContainerError' if is_pull else 'CannotCreateContainerError'}: {text}")
        started = _docker(["start", name], START_SECONDS)
        if started.returncode != 0:
            _docker(["rm", "--force", name], ANSWER_SECONDS)
            raise StartError(f"CannotStartContainerError: {started.stderr.decode(errors='replace').strip()}")

    def _create_arguments(self, name: str, container: Container) -> list[str]:
        arguments = ["create", "--name", name, "--label", f"spillway.task={container.task_arn}"]
        if self._network:
            arguments += ["--network", self._network]
        # CPU units are shares: a task may use what its host has idle, as on ECS.
        arguments += ["--cpu-shares", str(max(container.cpu, CPU_UNITS_MIN))]
        if container.memory:
            # Equal limits: no swap, so that too much memory means the end and not slowness.
            arguments += ["--memory", f"{container.memory}m", "--memory-swap", f"{container.memory}m"]
        if container.working_directory:
            arguments += ["--workdir", container.working_directory]
        for mount in container.mounts:
            bind = f"type=bind,source={mount.source},target={mount.path}"
            arguments += ["--mount", f"{bind},readonly" if mount.is_read_only else bind]
        for key, value in container.environment.items():
            arguments += ["--env", f"{key}={value}"]
        if container.entry_point:
            arguments += ["--entrypoint", container.entry_point[0]]
        return [*arguments, container.image, *container.entry_point[1:], *container.command]


class _DockerContainer:
    def __init__(self, name: str, stop_timeout_seconds: float, on_line: OnLine) -> None:
        self.runtime_id = name
        self._stop_timeout_seconds = stop_timeout_seconds
        self._lock = threading.Lock()
        self._is_stopping = False
        self._output = subprocess.Popen(
            ["docker", "logs", "--follow", name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=read_lines, args=(self._output.stdout, on_line), daemon=True)
        self._reader.start()

    def wait(self) -> Outcome:
        waited = _docker(["wait", self.runtime_id], None)
        self._reader.join(DRAIN_SECONDS)
        outcome = self._inspect(waited)
        _docker(["rm", "--force", self.runtime_id], ANSWER_SECONDS)
        self._output.kill()
        self._output.wait()
        return outcome

    def _inspect(self, waited: subprocess.CompletedProcess[bytes]) -> Outcome:
        shown = _docker(["inspect", "--format", "{{json .State}}", self.runtime_id], ANSWER_SECONDS)
        if shown.returncode != 0:  # it was removed while it ran: its host is gone
            text = waited.stdout.decode().strip()
            return Outcome(int(text) if text.isdigit() else KILLED)
        state = json.loads(shown.stdout)
        return Outcome(int(state["ExitCode"]), OOM_REASON if state.get("OOMKilled") else None)

    def stop(self) -> None:
        with self._lock:
            if self._is_stopping:
                return
            self._is_stopping = True
        seconds = str(math.ceil(self._stop_timeout_seconds))
        _detached(["stop", "--time", seconds, self.runtime_id])

    def kill(self) -> None:
        _detached(["rm", "--force", self.runtime_id])


def is_docker_there() -> bool:
    """Whether a Docker engine answers."""
    return shutil.which("docker") is not None and _docker(["version"], ANSWER_SECONDS).returncode == 0


def _docker(arguments: list[str], timeout_seconds: float | None) -> subprocess.CompletedProcess[bytes]:
    argv = ["docker", *arguments]
    try:
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_seconds, check=False)
    except subprocess.TimeoutExpired:
        text = f"docker {arguments[0]} did not answer within {timeout_seconds:.0f} s"
        return subprocess.CompletedProcess(argv, 1, b"", text.encode())


def _detached(arguments: list[str]) -> None:
    def run() -> None:
        _docker(arguments, CREATE_SECONDS)

    threading.Thread(target=run, name=f"docker-{arguments[0]}", daemon=True).start()
