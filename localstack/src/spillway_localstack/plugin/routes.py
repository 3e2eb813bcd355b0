"""The HTTP endpoints under ``/_spillway``: what tests ask for, and the agent's channel."""

from __future__ import annotations

import json
import os
from importlib import metadata
from typing import Any

from localstack.aws.connect import connect_to
from localstack.http import Request, Response, route
from localstack.services.sqs.models import sqs_stores

from spillway_localstack.plugin.ec2 import instances
from spillway_localstack.plugin.ec2.service import EC2
from spillway_localstack.plugin.ecs.errors import EcsError
from spillway_localstack.plugin.ecs.registry import REGISTRY
from spillway_localstack.plugin.events import Scope
from spillway_localstack.plugin.faults import FAULTS

# EC2's own notice; tests shorten it.
NOTICE_SECONDS_DEFAULT = 120.0
# Set, it keeps the health endpoint at 503 until it is told that all is set up.
HOLD_VARIABLE = "SPILLWAY_HOLD_HEALTH"


class SpillwayRoutes:
    """One method per endpoint."""

    def __init__(self) -> None:
        """Healthy at once, unless whoever started us has more to set up before."""
        self._is_ready = HOLD_VARIABLE not in os.environ

    @route("/_spillway/health", methods=["GET"])
    def health(self, request: Request) -> Response:
        """Whether all that was asked for is there: 200, or 503 while it is being set up."""
        del request
        status = "running" if self._is_ready else "starting"
        body = {"status": status, "version": metadata.version("spillway-localstack")}
        return _json(body, 200 if self._is_ready else 503)

    @route("/_spillway/health", methods=["PUT"])
    def declare_ready(self, request: Request) -> Response:
        """The end of setting up."""
        self._is_ready = True
        return self.health(request)

    @route("/_spillway/faults", methods=["GET"])
    def show_faults(self, request: Request) -> Response:
        """The rules and how often each fired."""
        del request
        return _json(FAULTS.to_json())

    @route("/_spillway/faults", methods=["POST"])
    def replace_faults(self, request: Request) -> Response:
        """A new list in the place of the old one."""
        try:
            FAULTS.replace(_body(request))
        except ValueError as error:
            return _refused(400, str(error))
        return _json(FAULTS.to_json())

    @route("/_spillway/interrupt", methods=["POST"])
    def interrupt(self, request: Request) -> Response:
        """A Spot reclaim, or with ``{"rebalance": true}`` only the recommendation before one."""
        try:
            body = _object(request)
            notice_seconds = float(body.get("noticeSeconds", NOTICE_SECONDS_DEFAULT))
        except (TypeError, ValueError) as error:
            return _refused(400, str(error))
        instance = instances.find(str(body.get("instanceId") or ""))
        if instance is None or instance.state == "terminated":
            return _refused(404, "no such instance is running")
        if instance.lifecycle != "spot":
            return _refused(409, "only a Spot instance can be interrupted")
        if body.get("rebalance"):
            instances.recommend_rebalance(instance)
        else:
            instances.interrupt(instance, notice_seconds)
        return _json({"instanceId": instance.id, "noticeSeconds": notice_seconds})

    @route("/_spillway/state", methods=["GET"])
    def state(self, request: Request) -> Response:
        """Counts: instances by state, tasks and container instances by status."""
        del request
        counts: dict[str, dict[str, int]] = {"instances": {}, "tasks": {}, "containerInstances": {}}
        for instance in instances.all_instances():
            counts["instances"][instance.state] = counts["instances"].get(instance.state, 0) + 1
        for cluster in REGISTRY.all():
            cluster.refresh()
            for kind, by_status in cluster.counts().items():
                for status, count in by_status.items():
                    counts[kind][status] = counts[kind].get(status, 0) + count
        return _json(counts)

    @route("/_spillway/reset", methods=["POST"])
    def reset(self, request: Request) -> Response:
        """Ends and forgets all instances and tasks, drops faults and tokens, empties queues. Keeps what is set up."""
        del request
        FAULTS.replace([])
        instances.forget_all()
        REGISTRY.clear()
        EC2.forget_tokens()
        n_purged = _purge_queues()
        return _json({"queuesPurged": n_purged})

    @route("/_spillway/agent/poll", methods=["POST"])
    def poll(self, request: Request) -> Response:
        """What the agent of these hosts, all in one cluster, has to do now. Stands in for ECS's websocket."""
        try:
            arns = [str(arn) for arn in _object(request)["containerInstances"]]
            _, _, _, region, account, path = arns[0].split(":", 5)
            answer = REGISTRY.cluster(Scope(account, region), path.split("/")[1]).poll(arns)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            return _refused(400, f"not a poll: {error!r}")
        except EcsError as error:
            return _refused(404, error.message)
        return _json({"start": answer.start, "stop": answer.stop, "gone": answer.gone})


def _purge_queues() -> int:
    n_purged = 0
    for account, bundle in list(sqs_stores.items()):
        for region, store in list(bundle.items()):
            client = connect_to(aws_access_key_id=account, region_name=region).sqs
            for name in list(store.queues):
                client.purge_queue(QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"])
                n_purged += 1
    return n_purged


def _body(request: Request) -> Any:  # noqa: ANN401 - JSON is anything
    return json.loads(request.get_data(as_text=True) or "null")


def _object(request: Request) -> dict[str, Any]:
    body = _body(request)
    if not isinstance(body, dict):
        raise ValueError("the body must be an object")
    return body


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype="application/json")


def _refused(status: int, message: str) -> Response:
    return _json({"error": message}, status)
