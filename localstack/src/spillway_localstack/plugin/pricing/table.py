"""The price table: On-Demand and Spot prices of some common types in us-east-1, as facts. Pure.

Every region has the same prices here. Spot prices differ a little between zones, always in the same way, so that
a choice between zones is a choice.
"""

from __future__ import annotations

import json
import os
import zlib
from functools import cache
from importlib import resources
from pathlib import Path

# Names another file in the same format.
PRICES_VARIABLE = "SPILLWAY_PRICES_FILE"

# Each zone's Spot price in thousandths of the regional one; a type's zones take them in turn.
ZONE_PER_MILLE = (1000, 1030, 970, 1060, 940, 1090)
MILLE = 1000

# A GiB of gp3 for a month, in micro-dollars: that of us-east-1.
VOLUME_GIB_MONTH = 80_000


@cache
def table() -> dict[str, tuple[int, int]]:
    """Type to On-Demand and Spot price, in micro-dollars per hour."""
    other = os.environ.get(PRICES_VARIABLE)
    if other:
        text = Path(other).read_text(encoding="utf-8")
    else:
        text = resources.files(__package__).joinpath("prices.json").read_text(encoding="utf-8")
    return {name: (int(prices[0]), int(prices[1])) for name, prices in json.loads(text)["types"].items()}


def on_demand(instance_type: str) -> int | None:
    """Micro-dollars per hour; ``None`` for a type that is not in the table."""
    prices = table().get(instance_type)
    return prices[0] if prices else None


def spot(instance_type: str, zone: str) -> int | None:
    """Micro-dollars per hour in one zone, never above On-Demand; ``None`` for a type that is not in the table."""
    prices = table().get(instance_type)
    if prices is None:
        return None
    turn = (zlib.crc32(instance_type.encode()) + ord(zone[-1:] or "a")) % len(ZONE_PER_MILLE)
    return min(prices[0], prices[1] * ZONE_PER_MILLE[turn] // MILLE)


def dollars(micro: int, places: int) -> str:
    """A price as AWS writes it, such as ``0.085000``."""
    whole, rest = divmod(micro, 1_000_000)
    return f"{whole}.{f'{rest:06d}'.ljust(places, '0')}"
