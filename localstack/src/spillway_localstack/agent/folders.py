"""What a host has on its disk: folders that stand for its paths, seen by all its tasks and gone with it."""

from __future__ import annotations

import shutil
import tempfile
import threading
from pathlib import Path

from spillway_localstack.agent.runner import Container, StartError


class HostFolders:
    """The disks of all hosts, below one folder of this machine, so that no task reaches this machine's own paths."""

    def __init__(self) -> None:
        """Makes nothing yet."""
        self._lock = threading.Lock()
        self._disks: dict[str, Path] = {}

    def sources(self, host: str, container: Container) -> dict[str, Path]:
        """A folder of this machine for each volume that the container mounts; raises ``StartError``."""
        return {mount.volume: self._source(host, container, mount.volume) for mount in container.mounts}

    def _source(self, host: str, container: Container, volume: str) -> Path:
        if volume not in container.volumes:
            raise StartError(f"CannotCreateContainerError: unknown volume {volume}")
        path = container.volumes[volume]
        # A volume without a path is the task's own.
        inside = Path("host", path.lstrip("/")) if path else Path("tasks", container.task_id, volume)
        if ".." in inside.parts:
            raise StartError(f"CannotCreateContainerError: {path} is no absolute path")
        folder = self._disk(host) / inside
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _disk(self, host: str) -> Path:
        with self._lock:
            if host not in self._disks:
                self._disks[host] = Path(tempfile.mkdtemp(prefix="spillway-host-"))
            return self._disks[host]

    def lose(self, host: str) -> None:
        """The host is gone, and its disk with it."""
        with self._lock:
            disk = self._disks.pop(host, None)
        if disk is not None:
            shutil.rmtree(disk, ignore_errors=True)

    def lose_all(self) -> None:
        """All hosts are gone."""
        for host in list(self._disks):
            self.lose(host)
