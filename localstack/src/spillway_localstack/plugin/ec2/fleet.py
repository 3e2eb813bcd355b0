"""How an instant fleet is filled: pools in order, dry ones skipped with an error. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

Market = Literal["spot", "on-demand"]
MICRO = 1_000_000


@dataclass(frozen=True)
class Pool:
    """One override of one launch template: a type in a zone."""

    template: dict[str, Any]
    override: dict[str, Any]
    instance_type: str
    zone: str
    price: int | None  # micro-dollars per hour in the market that is being bought
    position: int  # as the request lists it

    @property
    def weight(self) -> float:
        """How much of the target one instance is."""
        return float(self.override.get("WeightedCapacity") or 1)

    @property
    def priority(self) -> float:
        """Lower is first; pools without one come last (EC2 API reference, FleetLaunchTemplateOverrides)."""
        given = self.override.get("Priority")
        return math.inf if given is None else float(given)


@dataclass(frozen=True)
class Grant:
    """Instances to start in one pool."""

    pool: Pool
    n_instances: int


@dataclass(frozen=True)
class PoolError:
    """Why a pool gave nothing."""

    pool: Pool
    code: str
    message: str


Verdict = tuple[str, str] | None
Judge = Callable[[Pool], Verdict]


def in_order(pools: list[Pool], strategy: str) -> list[Pool]:
    """Pools as a strategy tries them. Capacity itself is not modelled, so its strategies go by price."""
    if strategy in ("prioritized", "capacity-optimized-prioritized"):
        return sorted(pools, key=lambda pool: (pool.priority, pool.position))

    def unit_price(pool: Pool) -> float:
        return math.inf if pool.price is None else pool.price / pool.weight

    return sorted(pools, key=lambda pool: (unit_price(pool), pool.position))


def allocate(pools: list[Pool], target: float, judge: Judge) -> tuple[list[Grant], list[PoolError]]:
    """Fills ``target`` from the first pool that ``judge`` lets pass. Every pool before it leaves an error."""
    errors: list[PoolError] = []
    for pool in pools:
        verdict = judge(pool)
        if verdict is None:
            return [Grant(pool, math.ceil(target / pool.weight))], errors
        errors.append(PoolError(pool, *verdict))
    return [], errors


def is_above_max_price(pool: Pool, max_price: str | None) -> bool:
    """Whether a Spot pool costs more than the request would pay."""
    limit = pool.override.get("MaxPrice") or max_price
    if not limit or pool.price is None:
        return False
    return Decimal(pool.price) > Decimal(limit) * MICRO


def targets(specification: dict[str, Any]) -> list[tuple[Market, float]]:
    """The target by market: what is given for each, the rest in the default market."""
    total = float(specification.get("TotalTargetCapacity") or 0)
    spot = float(specification.get("SpotTargetCapacity") or 0)
    on_demand = float(specification.get("OnDemandTargetCapacity") or 0)
    rest = max(0.0, total - spot - on_demand)
    if specification.get("DefaultTargetCapacityType") == "spot":
        spot += rest
    else:
        on_demand += rest
    wanted: list[tuple[Market, float]] = [("on-demand", on_demand), ("spot", spot)]
    return [(market, units) for market, units in wanted if units > 0]
