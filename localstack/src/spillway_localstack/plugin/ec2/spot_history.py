"""DescribeSpotPriceHistory's answer: one standing price per type and zone. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from localstack.aws.api import CommonServiceException

from spillway_localstack.plugin.ec2 import filters
from spillway_localstack.plugin.pricing.table import dollars, spot

PAGE_MAX = 1000
PLACES = 6
PRODUCT = "Linux/UNIX"
# The last change of every price. EC2 also shows the change before StartTime, so a question about now is answered.
CHANGED_BEFORE = timedelta(hours=1)


def answer(request: dict[str, Any], offered: list[tuple[str, str]], now: datetime) -> dict[str, Any]:
    """``offered`` are the pairs of type and zone that exist in the region."""
    asked = filters.of(request)
    types = set(request.get("InstanceTypes") or []) or asked.get("instance-type")
    zone = request.get("AvailabilityZone")
    zones = {zone} if zone else asked.get("availability-zone")
    products = set(request.get("ProductDescriptions") or []) or asked.get("product-description") or {PRODUCT}
    changed_at = (now - CHANGED_BEFORE).replace(minute=0, second=0, microsecond=0)
    entries: list[dict[str, Any]] = []
    is_linux = any(product.startswith(PRODUCT) for product in products)
    for instance_type, location in sorted(offered) if is_linux else []:
        is_wanted = filters.passes(instance_type, types) and filters.passes(location, zones)
        price = spot(instance_type, location) if is_wanted else None
        if price is not None:
            entries.append(
                {
                    "InstanceType": instance_type,
                    "AvailabilityZone": location,
                    "ProductDescription": PRODUCT,
                    "SpotPrice": dollars(price, PLACES),
                    "Timestamp": changed_at,
                }
            )
    return _page(entries, request)


def _page(entries: list[dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    size = min(int(request.get("MaxResults") or PAGE_MAX), PAGE_MAX)
    try:
        start = int(request.get("NextToken") or 0)
    except ValueError as error:
        raise CommonServiceException("InvalidPaginationToken", "The token is not valid.") from error
    end = start + size
    # EC2 says that there is no more with an empty token.
    return {"SpotPriceHistory": entries[start:end], "NextToken": str(end) if end < len(entries) else ""}
