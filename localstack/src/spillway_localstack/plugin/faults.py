"""Faults to inject: which calls fail, how, and how often. No HTTP here."""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

# CreateFleet answers these per pool, in Errors[], and tries the next pool. Any other code fails the whole call.
POOL_CODES = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientFreeAddressesInSubnet",
        "InstanceLimitExceeded",
        "InvalidFleetConfiguration",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "UnfulfillableCapacity",
        "Unsupported",
        "VcpuLimitExceeded",
    }
)

MESSAGES = {
    "InsufficientInstanceCapacity": "We currently do not have sufficient capacity in the zone you requested.",
    "InsufficientFreeAddressesInSubnet": "There are not enough free addresses in the subnet to satisfy the request.",
    "MaxSpotInstanceCountExceeded": "Max spot instance count exceeded",
    "RequestLimitExceeded": "Request limit exceeded.",
    "ThrottlingException": "Rate exceeded",
    "Unsupported": "Your requested instance type is not supported in your requested Availability Zone.",
    "VcpuLimitExceeded": "You have requested more vCPU capacity than your current vCPU limit allows for the "
    "instance bucket that the specified instance type belongs to.",
}

# These say that AWS, not the caller, was at fault.
SERVER_CODES = {
    "InternalError": 500,
    "InternalFailure": 500,
    "ServerException": 500,
    "ServiceUnavailable": 503,
    "Unavailable": 503,
    "RequestLimitExceeded": 503,
}


@dataclass
class Fault:
    """One rule. ``times`` counts down; ``None`` means for as long as the rule stands."""

    operation: str
    code: str
    match: dict[str, str] = field(default_factory=dict)
    times: int | None = None
    message: str = ""
    status: int = 0
    # "after": the call does its work and only its answer is lost.
    when: Literal["before", "after"] = "before"
    fired: int = 0

    @classmethod
    def parse(cls, raw: object) -> Fault:
        """Reads one rule from JSON; raises ``ValueError`` with the name of what is wrong."""
        if not isinstance(raw, dict):
            raise ValueError("a fault must be an object")
        unknown = set(raw) - {"operation", "code", "match", "times", "message", "status", "when"}
        if unknown:
            raise ValueError(f"unknown key: {sorted(unknown)[0]}")
        operation, code = raw.get("operation"), raw.get("code")
        if not isinstance(operation, str) or not isinstance(code, str) or not operation or not code:
            raise ValueError("operation and code are required")
        match = raw.get("match") or {}
        if not isinstance(match, dict):
            raise ValueError("match must be an object of patterns")
        times = raw.get("times")
        if times is not None and (not isinstance(times, int) or times < 0):
            raise ValueError("times must be a whole number of at least 0")
        when = raw.get("when", "before")
        if when not in ("before", "after"):
            raise ValueError("when must be before or after")
        return cls(
            operation=operation,
            code=code,
            match={str(key): str(value) for key, value in match.items()},
            times=times,
            message=str(raw.get("message") or MESSAGES.get(code, "injected fault")),
            status=int(raw.get("status") or SERVER_CODES.get(code, 400)),
            when=when,
        )

    def is_for_pools(self) -> bool:
        """Whether CreateFleet answers this for one pool rather than for the call."""
        return self.operation == "CreateFleet" and self.code in POOL_CODES

    def applies(self, operation: str, facts: Mapping[str, Any]) -> bool:
        """Whether this rule still stands and every pattern of it matches."""
        if self.operation != operation or self.times == 0:
            return False
        return all(fnmatch.fnmatchcase(str(lookup(facts, key)), glob) for key, glob in self.match.items())

    def fire(self) -> None:
        """Counts one use."""
        self.fired += 1
        if self.times is not None:
            self.times -= 1

    def to_json(self) -> dict[str, Any]:
        """The rule as the endpoint shows it."""
        return {
            "operation": self.operation,
            "code": self.code,
            "match": self.match,
            "times": self.times,
            "when": self.when,
            "fired": self.fired,
        }


def lookup(facts: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - a request holds anything
    """The value at a dotted path, or an empty string, which matches only ``*``."""
    value: Any = facts
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return ""
        value = value[key]
    return value


class FaultList:
    """The rules in force. Shared by all requests."""

    def __init__(self) -> None:
        """Starts without rules."""
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def replace(self, raw: object) -> None:
        """Takes a new list in the place of the old one; all of it or, on ``ValueError``, nothing."""
        if not isinstance(raw, list):
            raise ValueError("the body must be a list of faults")
        faults = [Fault.parse(entry) for entry in raw]
        with self._lock:
            self._faults = faults

    def to_json(self) -> list[dict[str, Any]]:
        """All rules with how often each fired."""
        with self._lock:
            return [fault.to_json() for fault in self._faults]

    def take_call(self, operation: str, request: Mapping[str, Any], when: str = "before") -> Fault | None:
        """The first rule that fails this whole call, counted as used."""
        with self._lock:
            for fault in self._faults:
                is_call_fault = not fault.is_for_pools() and fault.when == when
                if is_call_fault and fault.applies(operation, request):
                    fault.fire()
                    return fault
        return None

    def take_pool(self, instance_type: str, zone: str, market: str) -> Fault | None:
        """The first rule that makes CreateFleet find this pool empty, counted as used."""
        facts = {"instanceType": instance_type, "zone": zone, "market": market}
        with self._lock:
            for fault in self._faults:
                if fault.is_for_pools() and fault.applies("CreateFleet", facts):
                    fault.fire()
                    return fault
        return None


FAULTS = FaultList()
