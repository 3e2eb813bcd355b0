"""The Pricing API's GetProducts for On-Demand Linux instances and gp3 volumes, from the price table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext, handler
from moto.ec2.models.instance_types import INSTANCE_TYPES

from spillway_localstack.plugin.pricing.table import VOLUME_GIB_MONTH, dollars, on_demand, table

PAGE_MAX = 100
REGION_DEFAULT = "us-east-1"
# The codes that AWS's own price list uses for On-Demand by the hour.
OFFER_TERM = "JRTCKXETXF"
RATE = "6YS6EN2CT7"
PLACES = 10


class PricingProvider:
    """Products of ``AmazonEC2``; every other service has none."""

    service = "pricing"

    @handler("GetProducts", expand=False)
    def get_products(self, context: RequestContext, request: dict[str, Any]) -> dict[str, Any]:
        """Filters by any attribute that a product here has."""
        del context
        filters = request.get("Filters") or []
        region = next((each["Value"] for each in filters if each["Field"] == "regionCode"), REGION_DEFAULT)
        products: list[str] = []
        if request.get("ServiceCode") == "AmazonEC2":
            wanted = (each for each in products_in(region) if all(_passes(each, condition) for condition in filters))
            products.extend(json.dumps(product(each)) for each in wanted)
        size = min(int(request.get("MaxResults") or PAGE_MAX), PAGE_MAX)
        try:
            start = int(request.get("NextToken") or 0)
        except ValueError as error:
            raise CommonServiceException("InvalidNextTokenException", "Invalid pagination token") from error
        answer: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": products[start : start + size]}
        if start + size < len(products):
            answer["NextToken"] = str(start + size)
        return answer


@dataclass(frozen=True)
class Product:
    """Something that is sold."""

    family: str
    sku: str
    attributes: dict[str, str]
    unit: str
    description: str
    price: int
    """Micro-dollars for a unit."""


def products_in(region: str) -> Iterator[Product]:
    """All that is sold in a region."""
    for instance_type in sorted(table()):
        yield Product(
            family="Compute Instance",
            sku=instance_type.replace(".", "").upper(),
            attributes=attributes_of(instance_type, region),
            unit="Hrs",
            description=f"{instance_type} On Demand Linux",
            price=on_demand(instance_type) or 0,
        )
    yield Product(
        family="Storage",
        sku="GP3VOLUME",
        attributes={
            "locationType": "AWS Region",
            "regionCode": region,
            "servicecode": "AmazonEC2",
            "servicename": "Amazon Elastic Compute Cloud",
            "storageMedia": "SSD-backed",
            "usagetype": "EBS:VolumeUsage.gp3",
            "volumeApiName": "gp3",
            "volumeType": "General Purpose",
        },
        unit="GB-Mo",
        description="General Purpose (gp3) provisioned storage",
        price=VOLUME_GIB_MONTH,
    )


def attributes_of(instance_type: str, region: str) -> dict[str, str]:
    """What a product says of itself, with the values that AWS uses for plain Linux."""
    shape = INSTANCE_TYPES.get(instance_type, {})
    mib = shape.get("MemoryInfo", {}).get("SizeInMiB", 0)
    attributes = {
        "capacitystatus": "Used",
        "instanceType": instance_type,
        "licenseModel": "No License required",
        "locationType": "AWS Region",
        "marketoption": "OnDemand",
        "memory": f"{mib / 1024:g} GiB",
        "operatingSystem": "Linux",
        "operation": "RunInstances",
        "preInstalledSw": "NA",
        "regionCode": region,
        "servicecode": "AmazonEC2",
        "servicename": "Amazon Elastic Compute Cloud",
        "tenancy": "Shared",
        "usagetype": f"BoxUsage:{instance_type}",
        "vcpu": str(shape.get("VCpuInfo", {}).get("DefaultVCpus", 0)),
    }
    if region == REGION_DEFAULT:
        attributes["location"] = "US East (N. Virginia)"
    return attributes


def product(of: Product) -> dict[str, Any]:
    """One entry of ``PriceList`` before it is text."""
    term = f"{of.sku}.{OFFER_TERM}"
    price = {
        "unit": of.unit,
        "beginRange": "0",
        "endRange": "Inf",
        "rateCode": f"{term}.{RATE}",
        "description": of.description,
        "appliesTo": [],
        "pricePerUnit": {"USD": dollars(of.price, PLACES)},
    }
    return {
        "product": {"productFamily": of.family, "attributes": of.attributes, "sku": of.sku},
        "serviceCode": "AmazonEC2",
        "terms": {
            "OnDemand": {
                term: {
                    "sku": of.sku,
                    "offerTermCode": OFFER_TERM,
                    "priceDimensions": {f"{term}.{RATE}": price},
                    "termAttributes": {},
                }
            }
        },
    }


def _passes(of: Product, condition: dict[str, str]) -> bool:
    field, wanted = condition["Field"], condition["Value"]
    value = "AmazonEC2" if field == "ServiceCode" else of.attributes.get(field)
    if field == "productFamily":
        value = of.family
    match condition.get("Type", "TERM_MATCH"):
        case "ANY_OF":
            return value in wanted.split(",")
        case "NONE_OF":
            return value not in wanted.split(",")
        case "CONTAINS":
            return value is not None and wanted in value
        case _:
            return value == wanted
