"""A task's output to CloudWatch Logs, where the task says ``awslogs``. A failure here never harms the task."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from spillway_localstack.agent.runner import Container

# CloudWatch Logs API reference, PutLogEvents: 10,000 events and 1 MiB with 26 bytes for each event.
BATCH_EVENTS_MAX = 1000
BATCH_BYTES_MAX = 512 * 1024
LINE_BYTES_MAX = 200 * 1024
FLUSH_SECONDS = 1.0
MILLIS = 1000


class LogSink:
    """Collects lines and sends them a second later, when there are many, and at the end."""

    def __init__(self, client: Any, container: Container, warn: Callable[[str], None]) -> None:  # noqa: ANN401
        """``client`` is boto3's ``logs``."""
        self._client = client
        self._warn = warn
        self._lock = threading.Lock()
        self._events: list[dict[str, Any]] = []
        self._n_bytes = 0
        self._timer: threading.Timer | None = None
        options = container.log_options
        self._group = options.get("awslogs-group", "")
        prefix = options.get("awslogs-stream-prefix")
        self._stream = f"{prefix}/{container.name}/{container.task_id}" if prefix else container.task_id
        self._is_open = bool(self._group) and self._open()

    def _open(self) -> bool:
        try:
            self._create("group", self._client.create_log_group, logGroupName=self._group)
            self._create(
                "stream",
                self._client.create_log_stream,
                logGroupName=self._group,
                logStreamName=self._stream,
            )
        except (BotoCoreError, ClientError) as error:
            self._warn(f"no log stream {self._stream}: {error}")
            return False
        return True

    def _create(self, kind: str, call: Callable[..., Any], **names: str) -> None:
        try:
            call(**names)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise
        else:
            if kind == "group":
                self._warn(f"log group {self._group} was not there; on ECS the task would not have started")

    def write(self, line: bytes) -> None:
        """Takes one line."""
        if not self._is_open:
            return
        text = line[:LINE_BYTES_MAX].decode(errors="replace").rstrip("\r\n")
        with self._lock:
            # CloudWatch refuses an empty message.
            self._events.append({"timestamp": int(time.time() * MILLIS), "message": text or " "})
            self._n_bytes += len(line)
            if len(self._events) >= BATCH_EVENTS_MAX or self._n_bytes >= BATCH_BYTES_MAX:
                self._send()
            elif self._timer is None:
                self._timer = threading.Timer(FLUSH_SECONDS, self._flush)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Sends what is left."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._send()

    def _flush(self) -> None:
        with self._lock:
            self._timer = None
            self._send()

    def _send(self) -> None:
        events, self._events, self._n_bytes = self._events, [], 0
        if not events:
            return
        try:
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
        except (BotoCoreError, ClientError) as error:
            self._warn(f"{len(events)} lines of {self._stream} were lost: {error}")
