"""CPU, memory and GPUs: what a task needs, and what an instance has left. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Need:
    """What one task holds from the moment it is placed until it is STOPPED."""

    cpu: int  # CPU units; 1,024 are one vCPU
    memory: int  # MiB
    gpus: int = 0


@dataclass
class Room:
    """What a container instance registered, and what of it is left."""

    cpu: int
    memory: int
    gpu_ids: tuple[str, ...]
    cpu_left: int
    memory_left: int
    gpus_left: list[str]

    @classmethod
    def registered(cls, cpu: int, memory: int, gpu_ids: tuple[str, ...]) -> Room:
        """An empty instance."""
        return cls(cpu, memory, gpu_ids, cpu, memory, list(gpu_ids))

    def lacks(self, need: Need) -> str | None:
        """ECS's failure reason if the need does not fit, the first that ECS would name."""
        if need.cpu > self.cpu_left:
            return "RESOURCE:CPU"
        if need.memory > self.memory_left:
            return "RESOURCE:MEMORY"
        if need.gpus > len(self.gpus_left):
            return "RESOURCE:GPU"
        return None

    def take(self, need: Need) -> tuple[str, ...]:
        """Takes the need and returns the GPUs given. The caller has asked ``lacks`` before."""
        self.cpu_left -= need.cpu
        self.memory_left -= need.memory
        given = tuple(self.gpus_left[: need.gpus])
        del self.gpus_left[: need.gpus]
        return given

    def give_back(self, need: Need, gpu_ids: tuple[str, ...]) -> None:
        """Returns what ``take`` took."""
        self.cpu_left += need.cpu
        self.memory_left += need.memory
        self.gpus_left.extend(gpu_ids)
        self.gpus_left.sort()

    def registered_json(self) -> list[JsonObject]:
        """``registeredResources`` in ECS's shape."""
        return _resources(self.cpu, self.memory, list(self.gpu_ids))

    def remaining_json(self) -> list[JsonObject]:
        """``remainingResources`` in ECS's shape."""
        return _resources(self.cpu_left, self.memory_left, self.gpus_left)


def _resources(cpu: int, memory: int, gpu_ids: list[str]) -> list[JsonObject]:
    # The agent always reserves these ports for SSH, Docker and itself.
    resources: list[JsonObject] = [
        {"name": "CPU", "type": "INTEGER", "integerValue": cpu},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
        {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "2375", "2376", "51678", "51679"]},
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
    ]
    if gpu_ids:
        resources.append({"name": "GPU", "type": "STRINGSET", "stringSetValue": list(gpu_ids)})
    return resources


def need_of_task(definition: Mapping[str, Any], overrides: Mapping[str, Any]) -> Need:
    """What ECS reserves: task-level sizes where given, else the sum over containers after overrides.

    A container's ``memoryReservation`` counts where it is set, else its ``memory`` (ECS API reference,
    ContainerDefinition).
    """
    by_name = {entry.get("name"): entry for entry in overrides.get("containerOverrides") or []}
    cpu = memory = gpus = 0
    for container in definition["containerDefinitions"]:
        changed = by_name.get(container["name"], {})
        cpu += int(changed.get("cpu") or container.get("cpu") or 0)
        memory += int(
            changed.get("memoryReservation")
            or changed.get("memory")
            or container.get("memoryReservation")
            or container.get("memory")
            or 0
        )
        wanted = changed.get("resourceRequirements") or container.get("resourceRequirements") or []
        gpus += sum(int(entry["value"]) for entry in wanted if entry["type"] == "GPU")
    cpu = _task_size(overrides.get("cpu") or definition.get("cpu")) or cpu
    memory = _task_size(overrides.get("memory") or definition.get("memory")) or memory
    return Need(cpu, memory, gpus)


def _task_size(text: str | None) -> int:
    """A task-level size: ``1024``, ``1 vCPU`` or ``2 GB`` (ECS API reference, RegisterTaskDefinition)."""
    if not text:
        return 0
    words = str(text).lower().replace("vcpu", " vcpu").replace("gb", " gb").split()
    value = float(words[0])
    return int(value * 1024) if len(words) > 1 else int(value)
