"""Runs a task's command as a local process. No image, no limits, no isolation: for machines without Docker."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from typing import IO

from spillway_localstack.agent.runner import Container, Execution, OnLine, Outcome, StartError

# How long output may still come after the process has ended.
DRAIN_SECONDS = 2.0
SIGNAL_EXIT_BASE = 128
PATH_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ProcessRunner:
    """Each task in its own session and its own empty folder."""

    name = "process"

    def start(self, container: Container, on_line: OnLine) -> Execution:
        """Starts entry point and command; an image's own command is not known here."""
        argv = container.entry_point + container.command
        if not argv:
            raise StartError(
                f"CannotStartContainerError: {container.image} is not read here, so the task must name its command"
            )
        if container.mounts:
            raise StartError("CannotCreateContainerError: a local process has no volumes: they need Docker")
        folder = tempfile.mkdtemp(prefix="spillway-task-")
        environment = {"PATH": os.environ.get("PATH", PATH_DEFAULT), "HOME": folder, **container.environment}
        try:
            process = subprocess.Popen(
                argv,
                cwd=_folder(container.working_directory) or folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise StartError(f"CannotStartContainerError: {error}") from error
        return _LocalProcess(process, folder, container.stop_timeout_seconds, on_line)


class _LocalProcess:
    def __init__(
        self, process: subprocess.Popen[bytes], folder: str, stop_timeout_seconds: float, on_line: OnLine
    ) -> None:
        self.runtime_id = f"process-{process.pid}"
        self._process = process
        self._folder = folder
        self._stop_timeout_seconds = stop_timeout_seconds
        self._lock = threading.Lock()
        self._killer: threading.Timer | None = None
        self._has_ended = False
        self._reader = threading.Thread(target=read_lines, args=(process.stdout, on_line), daemon=True)
        self._reader.start()

    def wait(self) -> Outcome:
        code = self._process.wait()
        with self._lock:
            # A container ends with its first process; what that one left behind ends too.
            self._signal(signal.SIGKILL)
            self._has_ended = True
            if self._killer is not None:
                self._killer.cancel()
        self._reader.join(DRAIN_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)
        return Outcome(SIGNAL_EXIT_BASE - code if code < 0 else code)

    def stop(self) -> None:
        with self._lock:
            if self._has_ended or self._killer is not None:
                return
            self._signal(signal.SIGTERM)
            self._killer = threading.Timer(self._stop_timeout_seconds, self.kill)
            self._killer.daemon = True
            self._killer.start()

    def kill(self) -> None:
        with self._lock:
            if not self._has_ended:
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # The session's id is the process's id, and stays taken for as long as the group has a member.
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return


def read_lines(stream: IO[bytes] | None, on_line: OnLine) -> None:
    """Hands over every line until the stream ends."""
    if stream is None:
        return
    with stream:
        for line in stream:
            on_line(line)


def _folder(path: str | None) -> str | None:
    return path if path and os.path.isdir(path) else None
