"""What happens when an instance begins or ends, whoever asked for it: EC2's events, and ECS's host is gone.

moto has no hook for this, so its ``Instance`` is patched once, here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from localstack.utils.patch import patch
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, InstanceState, StateReason

from spillway_localstack.plugin.ecs.registry import REGISTRY
from spillway_localstack.plugin.events import BUS, Scope

LOG = logging.getLogger(__name__)

ENDED = ("shutting-down", "terminated")


def install() -> None:
    """Patches moto. Call once."""

    @patch(Instance.__init__)
    def _init(original: Callable[..., None], self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        original(self, *args, **kwargs)
        # moto takes it from the AMI, which it may not know.
        architectures = INSTANCE_TYPES.get(self.instance_type, {}).get("ProcessorInfo", {})
        self.architecture = (architectures.get("SupportedArchitectures") or [self.architecture])[-1]
        for state in ("pending", "running"):
            _announce(self, state)

    @patch(Instance.terminate)
    def _terminate(original: Callable[..., InstanceState], self: Any) -> InstanceState:  # noqa: ANN401
        if self.state == "terminated":  # TerminateInstances is idempotent; moto's second call is not
            return InstanceState(self.state, self.state_code)
        before = original(self)
        _ended(self, "TerminationNotice", ENDED)
        return before

    @patch(Instance.stop)
    def _stop(original: Callable[..., InstanceState], self: Any) -> InstanceState:  # noqa: ANN401
        before = original(self)
        _ended(self, "TerminationNotice", ("stopping", "stopped"))
        return before


def find(instance_id: str) -> Any | None:  # noqa: ANN401 - moto's own class
    """An instance of any account and region."""
    for backend in _backends():
        for instance in backend.all_instances():
            if instance.id == instance_id:
                return instance
    return None


def all_instances() -> list[Any]:
    """Every instance that moto remembers."""
    return [instance for backend in _backends() for instance in backend.all_instances()]


def interrupt(instance: Any, notice_seconds: float) -> None:  # noqa: ANN401
    """EC2 takes a Spot instance back: a warning now, the end after the notice."""
    BUS.send(
        _scope(instance),
        "aws.ec2",
        "EC2 Spot Instance Interruption Warning",
        [_arn(instance)],
        {"instance-id": instance.id, "instance-action": "terminate"},
    )
    timer = threading.Timer(notice_seconds, _reclaim, [instance])
    timer.daemon = True
    timer.start()


def recommend_rebalance(instance: Any) -> None:  # noqa: ANN401
    """EC2 says that a Spot instance is at risk; nothing follows."""
    BUS.send(
        _scope(instance),
        "aws.ec2",
        "EC2 Instance Rebalance Recommendation",
        [_arn(instance)],
        {"instance-id": instance.id},
    )


def forget_all() -> None:
    """Ends every instance and takes it out of moto's memory."""
    for backend in _backends():
        for instance in backend.all_instances():
            instance.terminate()
        backend.reservations.clear()


def _reclaim(instance: Any) -> None:  # noqa: ANN401
    if instance.state == "terminated":
        return
    # Tasks end first, so that they carry Spot's stop code and not that of a plain termination.
    _ended(instance, "SpotInterruption", ())
    instance.terminate()
    instance.state_reason = StateReason(
        "Server.SpotInstanceTermination: Spot instance termination", "Server.SpotInstanceTermination"
    )


def _ended(instance: Any, stop_code: str, states: tuple[str, ...]) -> None:  # noqa: ANN401
    for state in states:
        _announce(instance, state)
    for cluster in REGISTRY.in_scope(_scope(instance)):
        cluster.end_host(instance.id, stop_code)


def _announce(instance: Any, state: str) -> None:  # noqa: ANN401
    BUS.send(
        _scope(instance),
        "aws.ec2",
        "EC2 Instance State-change Notification",
        [_arn(instance)],
        {"instance-id": instance.id, "state": state},
    )


def _scope(instance: Any) -> Scope:  # noqa: ANN401
    return Scope(instance.ec2_backend.account_id, instance.ec2_backend.region_name)


def _arn(instance: Any) -> str:  # noqa: ANN401
    scope = _scope(instance)
    return f"arn:aws:ec2:{scope.region}:{scope.account}:instance/{instance.id}"


def _backends() -> list[Any]:
    return [backend for account in list(ec2_backends.keys()) for backend in list(ec2_backends[account].values())]
