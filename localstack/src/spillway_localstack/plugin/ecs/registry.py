"""All clusters we hold state for, by account, region and name. Whether a cluster exists is moto's to say."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from moto.ecs.models import ecs_backends
from moto.utilities.utils import get_partition

from spillway_localstack.plugin.ecs.cluster import Cluster, Kind
from spillway_localstack.plugin.ecs.errors import ClientError, ClusterNotFoundError
from spillway_localstack.plugin.ecs.resources import JsonObject
from spillway_localstack.plugin.events import BUS, Scope


class Registry:
    """Finds clusters, creating our half of one when it is first asked for."""

    def __init__(self) -> None:
        """Starts empty."""
        self._lock = threading.Lock()
        self._clusters: dict[tuple[Scope, str], Cluster] = {}

    def cluster(self, scope: Scope, reference: str | None) -> Cluster:
        """By name or ARN, ``default`` if none is given; raises ``ClusterNotFoundError``."""
        name = (reference or "default").rsplit("/", 1)[-1]
        if name not in ecs_backends[scope.account][scope.region].clusters:
            raise ClusterNotFoundError
        with self._lock:
            cluster = self._clusters.get((scope, name))
            if cluster is None:
                cluster = self._clusters[scope, name] = _new_cluster(scope, name)
        return cluster

    def all(self) -> list[Cluster]:
        """Every cluster that anything happened in."""
        with self._lock:
            return list(self._clusters.values())

    def in_scope(self, scope: Scope) -> list[Cluster]:
        """The same, of one account and region."""
        with self._lock:
            return [cluster for (its_scope, _), cluster in self._clusters.items() if its_scope == scope]

    def clear(self) -> None:
        """Forgets all container instances, tasks and tokens."""
        with self._lock:
            self._clusters.clear()


def _new_cluster(scope: Scope, name: str) -> Cluster:
    def emit(kind: Kind, arn: str, detail: JsonObject) -> None:
        BUS.send(scope, "aws.ecs", kind, [arn], detail)

    partition = get_partition(scope.region)
    prefix = f"arn:{partition}:ecs:{scope.region}:{scope.account}"
    return Cluster(name, prefix, emit, lambda: datetime.now(UTC))


def task_definition(scope: Scope, reference: str) -> JsonObject:
    """A registered, active definition in ECS's shape, frozen as it is now."""
    backend = ecs_backends[scope.account][scope.region]
    try:
        found = backend.describe_task_definition(reference)
    except Exception as error:
        raise ClientError("TaskDefinition not found.") from error
    if found.status != "ACTIVE":
        raise ClientError("TaskDefinition is inactive")
    return {
        "taskDefinitionArn": found.arn,
        "family": found.family,
        "revision": found.revision,
        "containerDefinitions": [dict(container) for container in found.container_definitions],
        "volumes": [dict(volume) for volume in found.volumes or []],
        "placementConstraints": list(found.placement_constraints or []),
        "cpu": found.cpu,
        "memory": found.memory,
    }


REGISTRY = Registry()
