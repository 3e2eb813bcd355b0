"""LocalStack, resources and agent in one: for people, and for test runs that want one process to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from spillway_localstack.server import HOST

READY_SECONDS = 120.0
POLL_SECONDS = 0.2
STOP_SECONDS = 20.0
OK = 200


def is_healthy(endpoint: str) -> bool:
    """Whether LocalStack answers with the plugin loaded."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_spillway/health", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == OK)
    except (urllib.error.URLError, OSError):
        return False


def up(port: int, volume: Path, agent_arguments: list[str], make_resources: Callable[[str], None]) -> int:
    """Runs until SIGTERM or SIGINT, or until one of the two ends by itself. Returns the exit code."""
    endpoint = f"http://{HOST}:{port}"
    if is_healthy(endpoint):
        print(f"error: port {port} is taken by another LocalStack", file=sys.stderr)
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    children: list[subprocess.Popen[bytes]] = []
    try:
        server = _start(["serve", "--port", str(port), "--volume", str(volume)])
        children.append(server)
        if not _wait_healthy(endpoint, server, stop):
            if not stop.is_set():
                print("error: LocalStack did not start", file=sys.stderr)
            return 0 if stop.is_set() else 1
        make_resources(endpoint)
        children.append(_start(["agent", "--endpoint", endpoint, *agent_arguments]))
        print(f"ready {endpoint}", flush=True)
        while not stop.wait(POLL_SECONDS):
            ended = next((child for child in children if child.poll() is not None), None)
            if ended is not None:
                print(f"error: a part ended by itself with exit code {ended.returncode}", file=sys.stderr)
                return 1
        return 0
    finally:
        # The agent first, so that it does not complain of a silent endpoint.
        for child in reversed(children):
            _end(child)


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    # A session of its own: a terminal's Ctrl-C comes to us only, and we end them in order.
    return subprocess.Popen(
        [sys.executable, "-m", "spillway_localstack", *arguments],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_healthy(endpoint: str, server: subprocess.Popen[bytes], stop: threading.Event) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None and not stop.is_set():
        if is_healthy(endpoint):
            return True
        stop.wait(POLL_SECONDS)
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
