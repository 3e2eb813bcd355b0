"""A container instance: an EC2 instance whose agent has registered. Never looks at EC2 or at a clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from spillway_localstack.plugin.ecs.resources import JsonObject, Room

Status = Literal["ACTIVE", "DRAINING", "INACTIVE"]


@dataclass
class ContainerInstance:
    """One host as ECS sees it."""

    arn: str
    ec2_instance_id: str
    room: Room
    registered_at: datetime
    attributes: list[JsonObject]
    tags: list[JsonObject]
    version_info: JsonObject = field(default_factory=dict)
    status: Status = "ACTIVE"
    agent_connected: bool = True
    version: int = 1

    def to_json(self, n_running: int, n_pending: int, with_tags: bool = True) -> JsonObject:
        """The instance in ECS's shape, for answers and for events."""
        answer: dict[str, Any] = {
            "containerInstanceArn": self.arn,
            "ec2InstanceId": self.ec2_instance_id,
            "status": self.status,
            "agentConnected": self.agent_connected,
            "version": self.version,
            "versionInfo": self.version_info,
            "registeredResources": self.room.registered_json(),
            "remainingResources": self.room.remaining_json(),
            "runningTasksCount": n_running,
            "pendingTasksCount": n_pending,
            "registeredAt": self.registered_at,
            "attributes": self.attributes,
            "attachments": [],
        }
        if with_tags:
            answer["tags"] = self.tags
        return answer


def room_from_request(request: JsonObject) -> Room:
    """Reads ``totalResources`` and ``platformDevices`` of RegisterContainerInstance."""
    sizes = {entry["name"]: entry for entry in request.get("totalResources") or []}
    gpu_ids = [device["id"] for device in request.get("platformDevices") or [] if device["type"] == "GPU"]
    gpu_ids += sizes.get("GPU", {}).get("stringSetValue") or []
    return Room.registered(
        cpu=int(sizes.get("CPU", {}).get("integerValue") or 0),
        memory=int(sizes.get("MEMORY", {}).get("integerValue") or 0),
        gpu_ids=tuple(sorted(set(gpu_ids))),
    )
