"""What it takes to run a task's container, and what comes of it. Two implementations: Docker, and a local process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

# The agent's ECS_CONTAINER_STOP_TIMEOUT (amazon-ecs-agent, README).
STOP_TIMEOUT_SECONDS = 30.0
KILLED = 137

OnLine = Callable[[bytes], None]


class StartError(Exception):
    """The container did not start; the text is ECS's ``reason``, such as ``CannotPullContainerError: ...``."""


@dataclass(frozen=True)
class Mount:
    """Where a volume is seen in a container."""

    volume: str
    path: str
    is_read_only: bool
    source: Path | None = None
    """The folder of this machine that stands for it, once it is known."""


@dataclass(frozen=True)
class Container:
    """One container to run: a definition with the task's overrides applied."""

    task_arn: str
    name: str
    image: str
    command: list[str]
    entry_point: list[str]
    environment: dict[str, str]
    working_directory: str | None
    cpu: int  # CPU units
    memory: int  # MiB; 0 means no limit
    gpu_ids: list[str]
    stop_timeout_seconds: float
    log_options: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)  # where the values of variables are
    volumes: dict[str, str] = field(default_factory=dict)  # the task's, with their host paths, "" without one
    mounts: list[Mount] = field(default_factory=list)

    @property
    def task_id(self) -> str:
        """The last part of the task's ARN."""
        return self.task_arn.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Outcome:
    """How it ended. ``reason`` is set where the exit code alone does not tell."""

    exit_code: int
    reason: str | None = None


class Execution(Protocol):
    """One container that has started."""

    runtime_id: str

    def wait(self) -> Outcome:
        """Blocks until it has ended and its output is read."""

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after the stop time-out. Returns at once; may be called again."""

    def kill(self) -> None:
        """SIGKILL now: its host is gone."""


class Runner(Protocol):
    """A way to run containers."""

    name: str

    def start(self, container: Container, on_line: OnLine) -> Execution:
        """Starts it, handing every line of output to ``on_line``; raises ``StartError``."""


def container_of(assignment: dict[str, Any], stop_timeout_seconds: float) -> Container:
    """Reads what ECS sends; raises ``StartError`` for a task of several containers."""
    definitions = assignment["containerDefinitions"]
    if len(definitions) != 1:
        raise StartError("CannotCreateContainerError: this agent runs tasks of one container only")
    definition = definitions[0]
    overrides = (assignment.get("overrides") or {}).get("containerOverrides") or []
    changed: dict[str, Any] = next((each for each in overrides if each.get("name") == definition["name"]), {})
    environment = {
        each["name"]: each.get("value", "")
        for each in (definition.get("environment") or []) + (changed.get("environment") or [])
    }
    # The variable that a real agent sets, here without an endpoint behind it, tells a program that it runs on ECS.
    environment.setdefault("AWS_EXECUTION_ENV", "AWS_ECS_EC2")
    logging = definition.get("logConfiguration") or {}
    is_awslogs = logging.get("logDriver") == "awslogs"
    return Container(
        task_arn=assignment["taskArn"],
        name=definition["name"],
        image=definition["image"],
        command=list(changed.get("command") or definition.get("command") or []),
        entry_point=list(definition.get("entryPoint") or []),
        environment=environment,
        working_directory=definition.get("workingDirectory"),
        cpu=int(changed.get("cpu") or definition.get("cpu") or 0),
        memory=int(changed.get("memory") or definition.get("memory") or 0),
        gpu_ids=list(assignment.get("gpuIds") or []),
        stop_timeout_seconds=float(definition.get("stopTimeout") or stop_timeout_seconds),
        log_options=dict(logging.get("options") or {}) if is_awslogs else {},
        secrets={each["name"]: each["valueFrom"] for each in definition.get("secrets") or []},
        volumes={
            each["name"]: (each.get("host") or {}).get("sourcePath") or "" for each in assignment.get("volumes") or []
        },
        mounts=[
            Mount(each["sourceVolume"], each["containerPath"], bool(each.get("readOnly")))
            for each in definition.get("mountPoints") or []
        ],
    )
