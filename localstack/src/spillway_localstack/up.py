"""LocalStack, resources and agent in one: for people, and for test runs that want one process to end."""

from __future__ import annotations

import os
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
STOP_SECONDS = 10.0
ANSWER_SECONDS = 5.0
# What the health endpoint says until everything is set up.
HELD = 503


def up(
    port: int,
    volume: Path,
    agent_arguments: list[str],
    make_resources: Callable[[str], None],
    say: Callable[[str], None],
) -> int:
    """Runs until SIGTERM or SIGINT, or until one of the two ends by itself. Returns the exit code.

    The health endpoint turns 200 when resources are made and the agent has started; then ``ready URL`` is printed.
    """
    endpoint = f"http://{HOST}:{port}"
    if _answers(endpoint, "GET"):
        say(f"error: something answers on port {port} already")
        say("hint: end it, or use --port")
        return 1
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    children: list[subprocess.Popen[bytes]] = []
    try:
        server = _start(["serve", "--port", str(port), "--volume", str(volume)], {"SPILLWAY_HOLD_HEALTH": "1"})
        children.append(server)
        if not _wait_until_it_answers(endpoint, server, stop):
            if stop.is_set():
                return 0
            say("error: LocalStack did not start")
            return 1
        make_resources(endpoint)
        children.append(_start(["agent", "--endpoint", endpoint, *agent_arguments], {}))
        _answers(endpoint, "PUT")
        print(f"ready {endpoint}", flush=True)
        while not stop.wait(POLL_SECONDS):
            ended = next((child for child in children if child.poll() is not None), None)
            if ended is not None:
                say(f"error: a part ended by itself with exit code {ended.returncode}")
                return 1
        return 0
    finally:
        # The agent first, so that it does not complain of a silent endpoint.
        for child in reversed(children):
            _end(child)


def follow(parent: int) -> None:
    """Ends this process, as by SIGTERM, when the process that started it is no more."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _start(arguments: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
    # A session of its own: a terminal's Ctrl-C comes to us only, and we end them in order.
    return subprocess.Popen(
        [sys.executable, "-m", "spillway_localstack", *arguments, "--parent", str(os.getpid())],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _answers(endpoint: str, method: str) -> bool:
    """Whether LocalStack answers with the plugin loaded, healthy or not yet."""
    request = urllib.request.Request(f"{endpoint}/_spillway/health", method=method)  # noqa: S310 - our own http
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS):  # noqa: S310 - our own http
            return True
    except urllib.error.HTTPError as error:
        return error.code == HELD
    except (urllib.error.URLError, OSError):
        return False


def _wait_until_it_answers(endpoint: str, server: subprocess.Popen[bytes], stop: threading.Event) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.poll() is None and not stop.is_set():
        if _answers(endpoint, "GET"):
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
