"""EC2's operations that LocalStack answers too simply: fleets, client tokens, prices, filters. The rest is its own."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext, handler
from localstack.aws.forwarder import create_aws_request_context
from localstack.services.ec2.provider import Ec2Provider
from localstack.services.moto import call_moto
from moto.core.exceptions import RESTError
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

from spillway_localstack.plugin.ec2 import filters, fleet, spot_history
from spillway_localstack.plugin.ec2.instances import find
from spillway_localstack.plugin.events import Scope
from spillway_localstack.plugin.faults import FAULTS, MESSAGES
from spillway_localstack.plugin.pricing import table as prices
from spillway_localstack.plugin.tokens import TokenBook, fingerprint

JsonObject = dict[str, Any]

# EC2 API reference, CreateFleet: overrides over all launch templates, and instances of an instant fleet.
OVERRIDES_MAX = 300
LAUNCH_TEMPLATES_MAX = 50

# The root volume of the ECS-optimized Amazon Linux 2023.
ROOT_VOLUME_GIB = 30

# What RunInstances does not take from a launch template in moto, though EC2 does.
COPIED_FROM_TEMPLATE = (
    "IamInstanceProfile",
    "InstanceInitiatedShutdownBehavior",
    "MetadataOptions",
    "Monitoring",
    "EbsOptimized",
    "KeyName",
)


class SpillwayEc2Provider(Ec2Provider):
    """LocalStack's EC2 with our overrides."""

    def __init__(self) -> None:
        """Starts without tokens."""
        super().__init__()
        self._lock = threading.RLock()
        self._tokens: dict[tuple[Scope, str], TokenBook[JsonObject]] = {}

    def forget_tokens(self) -> None:
        """As if no token had ever been used."""
        with self._lock:
            self._tokens.clear()

    @handler("RunInstances", expand=False)
    def run_instances(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Honours ClientToken, ended instances included."""
        return self._once(context, request, lambda: call_moto(context), _ended_all)

    @handler("CreateFleet", expand=False)
    def create_fleet(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Instant fleets, pool by pool; other types are moto's."""
        if request.get("Type") != "instant":
            return call_moto(context)
        return self._once(context, request, lambda: _create_instant_fleet(context, request), lambda _: False)

    @handler("DescribeSpotPriceHistory", expand=False)
    def describe_spot_price_history(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """One price per type and zone, from the table."""
        offered = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(context.region, [])
        pairs = [(each["InstanceType"], each["Location"]) for each in offered]
        return spot_history.answer(request, pairs, datetime.now(UTC))

    @handler("DescribeInstanceTypeOfferings", expand=False)
    def describe_instance_type_offerings(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """All on one page, with wildcards in the filters."""
        location_type = request.get("LocationType") or "region"
        asked = filters.of(request)
        types, locations = asked.get("instance-type"), asked.get("location")
        offered = [
            {**each, "LocationType": location_type}
            for each in INSTANCE_TYPE_OFFERINGS[location_type].get(context.region, [])
            if filters.passes(each["InstanceType"], types) and filters.passes(each["Location"], locations)
        ]
        return {"InstanceTypeOfferings": offered}

    def _once(
        self,
        context: RequestContext,
        request: JsonObject,
        call: Callable[[], JsonObject],
        is_void: Callable[[JsonObject], bool],
    ) -> JsonObject:
        token = request.get("ClientToken")
        if not token or request.get("DryRun"):
            return call()
        now = datetime.now(UTC)
        mark = fingerprint(request, without=("ClientToken", "DryRun"))
        scope = Scope(context.account_id, context.region)
        # One lock for the whole call: two equal calls at once must not both launch.
        with self._lock:
            book = self._tokens.setdefault((scope, context.operation.name), TokenBook())
            earlier = book.find(token, now)
            if earlier is None:
                answer = call()
                book.keep(token, mark, answer, now)
                return answer
            if earlier.fingerprint != mark:
                raise CommonServiceException(
                    "IdempotentParameterMismatch",
                    "The request uses the same client token as a previous, but non-identical request.",
                )
            if is_void(earlier.answer):
                raise CommonServiceException(
                    "IdempotentInstanceTerminated",
                    "The client token belongs to an instance that has been terminated.",
                )
            return earlier.answer


def _ended_all(answer: JsonObject) -> bool:
    instances = [find(each["InstanceId"]) for each in answer.get("Instances") or []]
    return all(each is None or each.state == "terminated" for each in instances)


def _create_instant_fleet(context: RequestContext, request: JsonObject) -> JsonObject:
    fleet_id = f"fleet-{uuid.uuid4()}"
    wanted = fleet.targets(request.get("TargetCapacitySpecification") or {})
    if not wanted:
        raise CommonServiceException("InvalidParameterValue", "TotalTargetCapacity must be at least 1.")
    if request.get("DryRun"):
        raise CommonServiceException(
            "DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status_code=412
        )
    instances: list[JsonObject] = []
    errors: list[JsonObject] = []
    for market, units in wanted:
        options = request.get("SpotOptions" if market == "spot" else "OnDemandOptions") or {}
        pools = fleet.in_order(_pools(context, request, market), options.get("AllocationStrategy") or "")
        grants, refused = fleet.allocate(pools, units, _judge(context, options, market))
        errors += [_error_json(each, market) for each in refused]
        for grant in grants:
            try:
                ids = [_launch(context, request, grant.pool, market, fleet_id) for _ in range(grant.n_instances)]
            except CommonServiceException as error:
                failed = fleet.PoolError(grant.pool, error.code, error.message)
                errors.append(_error_json(failed, market))
                continue
            instances.append(
                {
                    "LaunchTemplateAndOverrides": _shown(grant.pool),
                    "Lifecycle": market,
                    "InstanceIds": ids,
                    "InstanceType": grant.pool.instance_type,
                }
            )
    return {"FleetId": fleet_id, "Instances": instances, "Errors": errors}


def _pools(context: RequestContext, request: JsonObject, market: fleet.Market) -> list[fleet.Pool]:
    backend = ec2_backends[context.account_id][context.region]
    configs = request.get("LaunchTemplateConfigs") or []
    if not 1 <= len(configs) <= LAUNCH_TEMPLATES_MAX:
        raise CommonServiceException("InvalidParameterValue", "Between 1 and 50 launch templates are needed.")
    pools: list[fleet.Pool] = []
    for config in configs:
        template, data = _template(backend, config["LaunchTemplateSpecification"])
        for override in config.get("Overrides") or [{}]:
            instance_type = override.get("InstanceType") or data.get("InstanceType")
            if not instance_type:
                raise CommonServiceException("MissingParameter", "The request must contain an instance type.")
            zone = _zone(backend, context.region, override)
            is_spot = market == "spot"
            price = prices.spot(instance_type, zone) if is_spot else prices.on_demand(instance_type)
            pools.append(fleet.Pool(template, override, instance_type, zone, price, len(pools)))
    if len(pools) > OVERRIDES_MAX:
        raise CommonServiceException("InvalidParameterValue", "There are more than 300 overrides.")
    return pools


def _template(backend: Any, specification: JsonObject) -> tuple[JsonObject, JsonObject]:  # noqa: ANN401
    try:
        if specification.get("LaunchTemplateId"):
            found = backend.get_launch_template(specification["LaunchTemplateId"])
        else:
            found = backend.get_launch_template_by_name(specification.get("LaunchTemplateName"))
        wanted = specification.get("Version") or "$Default"
        named = {"$Latest": found.latest_version_number, "$Default": found.default_version_number}
        number = str(named.get(wanted, wanted))
        data = found.get_version(number).data
    except RESTError as error:
        raise CommonServiceException(error.error_type, error.message) from error
    return {"LaunchTemplateId": found.id, "LaunchTemplateName": found.name, "Version": number}, data


def _zone(backend: Any, region: str, override: JsonObject) -> str:  # noqa: ANN401
    if override.get("SubnetId"):
        try:
            return str(backend.get_subnet(override["SubnetId"]).availability_zone)
        except RESTError as error:
            raise CommonServiceException(error.error_type, error.message) from error
    placement = override.get("Placement") or {}
    return str(override.get("AvailabilityZone") or placement.get("AvailabilityZone") or f"{region}a")


def _judge(context: RequestContext, options: JsonObject, market: fleet.Market) -> fleet.Judge:
    offered = INSTANCE_TYPE_OFFERINGS["availability-zone"].get(context.region, [])
    pairs = {(each["InstanceType"], each["Location"]) for each in offered}

    def judge(pool: fleet.Pool) -> fleet.Verdict:
        if pairs and (pool.instance_type, pool.zone) not in pairs:
            return "Unsupported", MESSAGES["Unsupported"]
        if market == "spot" and fleet.is_above_max_price(pool, options.get("MaxPrice")):
            return "SpotMaxPriceTooLow", "Your Spot request price is lower than the minimum required."
        fault = FAULTS.take_pool(pool.instance_type, pool.zone, market)
        return (fault.code, fault.message) if fault else None

    return judge


def _launch(context: RequestContext, request: JsonObject, pool: fleet.Pool, market: fleet.Market, fleet_id: str) -> str:
    backend = ec2_backends[context.account_id][context.region]
    _, data = _template(backend, pool.template)
    specification = {key: pool.template[key] for key in ("LaunchTemplateId", "Version")}
    parameters: JsonObject = {key: data[key] for key in COPIED_FROM_TEMPLATE if data.get(key)}
    parameters |= {
        "LaunchTemplate": specification,
        "InstanceType": pool.instance_type,
        "ImageId": pool.override.get("ImageId") or data.get("ImageId"),
        "MinCount": 1,
        "MaxCount": 1,
        "TagSpecifications": [
            each for each in request.get("TagSpecifications") or [] if each["ResourceType"] in ("instance", "volume")
        ],
        "ClientToken": f"{fleet_id}-{uuid.uuid4().hex[:8]}",
    }
    if pool.override.get("SubnetId"):
        parameters["SubnetId"] = pool.override["SubnetId"]
    else:
        parameters["Placement"] = {"AvailabilityZone": pool.zone}
    if data.get("BlockDeviceMappings"):
        parameters["BlockDeviceMappings"] = [_sized(each) for each in data["BlockDeviceMappings"]]
    if market == "spot":
        parameters["InstanceMarketOptions"] = {"MarketType": "spot"}
    # The same request to moto as RunInstances would be, with the caller's headers: they carry the account.
    inner = create_aws_request_context("ec2", "RunInstances", parameters=parameters, region=context.region)
    headers = context.request.headers.copy()
    headers.update(inner.request.headers)
    inner.request.headers = headers
    instance_id = str(call_moto(inner)["Instances"][0]["InstanceId"])
    backend.get_instance(instance_id).add_tags({"aws:ec2:fleet-id": fleet_id})
    return instance_id


def _sized(mapping: JsonObject) -> JsonObject:
    """With a size, which EC2 takes from the image where the mapping has none, and moto does not."""
    ebs = mapping.get("Ebs")
    if not ebs or ebs.get("SnapshotId"):
        return mapping
    return {**mapping, "Ebs": {"VolumeSize": ROOT_VOLUME_GIB, **ebs}}


def _error_json(error: fleet.PoolError, market: fleet.Market) -> JsonObject:
    return {
        "LaunchTemplateAndOverrides": _shown(error.pool),
        "Lifecycle": market,
        "ErrorCode": error.code,
        "ErrorMessage": error.message,
    }


def _shown(pool: fleet.Pool) -> JsonObject:
    override = {**pool.override, "InstanceType": pool.instance_type}
    override.setdefault("AvailabilityZone", pool.zone)
    return {"LaunchTemplateSpecification": pool.template, "Overrides": override}
