"""One task on one host, from its assignment to its last report. A thread of its own; it never decides to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from spillway_localstack.agent.cloud import CALL_ERRORS, Cloud, is_refusal
from spillway_localstack.agent.folders import HostFolders
from spillway_localstack.agent.logs import LogSink
from spillway_localstack.agent.runner import Container, Execution, Outcome, Runner, StartError, container_of

RETRY_SECONDS_MIN = 0.2
RETRY_SECONDS_MAX = 5.0


class Work:
    """Runs one task and reports it. After ``abandon`` nothing is reported: the host is gone."""

    def __init__(
        self,
        assignment: dict[str, Any],
        cloud: Cloud,
        runner: Runner,
        folders: HostFolders,
        *,
        stop_timeout_seconds: float,
        log: Callable[[str], None],
    ) -> None:
        """Starts nothing yet."""
        self.task_arn: str = assignment["taskArn"]
        self.host: str = assignment["containerInstanceArn"]
        self._assignment = assignment
        self._cloud = cloud
        self._runner = runner
        self._folders = folders
        self._stop_timeout_seconds = stop_timeout_seconds
        self._log = log
        self._lock = threading.Lock()
        self._execution: Execution | None = None
        self._is_stopping = False
        self._is_abandoned = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.short, daemon=True)

    @property
    def short(self) -> str:
        """A name for people."""
        return self.task_arn.rsplit("/", 1)[-1][:8]

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to do."""
        return not self._thread.is_alive()

    def begin(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def join(self, timeout_seconds: float) -> None:
        """Waits for the thread."""
        self._thread.join(timeout_seconds)

    def stop(self) -> None:
        """ECS wants it stopped: SIGTERM, later SIGKILL, and the exit code is reported."""
        with self._lock:
            self._is_stopping = True
            if self._execution is not None:
                self._execution.stop()

    def abandon(self) -> None:
        """The host is gone: its work dies with it, unreported."""
        self._is_abandoned.set()
        with self._lock:
            if self._execution is not None:
                self._execution.kill()

    def _run(self) -> None:
        name: str | None = None
        try:
            container = container_of(self._assignment, self._stop_timeout_seconds)
            name = container.name
            sink = LogSink(self._cloud.logs, container, self._log)
            container = self._provided(container)
            with self._lock:
                if self._is_abandoned.is_set():
                    return
                if self._is_stopping:
                    raise StartError("Task was stopped before it started")  # noqa: TRY301
                self._execution = self._runner.start(container, sink.write)
        except StartError as error:
            reason = str(error)
            self._log(f"task {self.short} did not start: {reason}")
            self._report(lambda: self._cloud.report_not_started(self.task_arn, name, reason))
            return
        execution = self._execution
        self._report(lambda: self._cloud.report_running(self.task_arn, container.name, execution.runtime_id))
        outcome = execution.wait()
        sink.close()
        self._finish(container.name, outcome)

    def _provided(self, container: Container) -> Container:
        """With what comes from elsewhere: values of secrets, folders of volumes."""
        values = self._cloud.secrets.values(container.secrets) if container.secrets else {}
        sources = self._folders.sources(self.host, container)
        return replace(
            container,
            environment=container.environment | values,
            mounts=[replace(mount, source=sources[mount.volume]) for mount in container.mounts],
        )

    def _finish(self, name: str, outcome: Outcome) -> None:
        if self._is_abandoned.is_set():
            self._log(f"task {self.short} died with its host")
            return
        self._log(f"task {self.short} exit {outcome.exit_code} {outcome.reason or ''}".rstrip())
        self._report(lambda: self._cloud.report_stopped(self.task_arn, name, outcome))

    def _report(self, send: Callable[[], None]) -> None:
        """Sends until it is taken, refused, or of no interest any more."""
        pause = RETRY_SECONDS_MIN
        while not self._is_abandoned.is_set():
            try:
                send()
            except CALL_ERRORS as error:
                if is_refusal(error):
                    self._log(f"task {self.short}: report refused: {error}")
                    return
                self._is_abandoned.wait(pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)
            else:
                return
