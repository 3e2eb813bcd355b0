"""One LocalStack for all end-to-end tests; every test begins on an empty one."""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from lab import Lab

READY_SECONDS = 120


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def first_line_with(stream: IO[str], sign: str, seconds: float) -> str:
    """Reads in a thread, so that a silent process fails the test and does not hang it."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in stream:
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    while True:
        line = lines.get(timeout=seconds)
        if sign in line:
            return line


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    log = Path(tmp_path_factory.mktemp("localstack")) / "stderr"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "spillway_localstack", "up", "--port", str(port), "--no-template"),
                *("--volume", str(log.parent), "--runner", "process", "--boot-seconds", "0.1"),
                *("--stop-timeout-seconds", "1", "--parent", str(os.getpid())),
            ],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        try:
            assert process.stdout is not None
            first_line_with(process.stdout, "ready http", READY_SECONDS)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            code = process.wait(60)
            print(log.read_text(errors="replace"))
    assert code == 0


@pytest.fixture(scope="session")
def one_lab(endpoint: str) -> Lab:
    return Lab(endpoint)


@pytest.fixture
def lab(one_lab: Lab) -> Lab:
    one_lab.reset()
    return one_lab
