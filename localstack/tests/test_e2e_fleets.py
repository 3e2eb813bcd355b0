"""EC2: fleets pool by pool, client tokens, prices."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from lab import Lab, eventually

ICE = "InsufficientInstanceCapacity"
A, B = "us-east-1a", "us-east-1b"


def ids_of(answer: dict) -> list[str]:
    return [instance_id for each in answer["Instances"] for instance_id in each["InstanceIds"]]


def test_a_dry_pool_is_an_error_and_the_next_override_is_used(lab: Lab) -> None:
    lab.faults({"operation": "CreateFleet", "code": ICE, "match": {"instanceType": "c5*", "zone": A}})

    answer = lab.fleet(("c5.large", A), ("c6i.large", B))

    assert [error["ErrorCode"] for error in answer["Errors"]] == [ICE]
    assert answer["Errors"][0]["LaunchTemplateAndOverrides"]["Overrides"]["InstanceType"] == "c5.large"
    assert answer["Errors"][0]["LaunchTemplateAndOverrides"]["Overrides"]["AvailabilityZone"] == A
    assert [each["InstanceType"] for each in answer["Instances"]] == ["c6i.large"]
    assert lab.http("GET", "/_spillway/faults")[1][0]["fired"] == 1


def test_when_every_pool_is_dry_the_answer_has_errors_and_no_instances(lab: Lab) -> None:
    lab.faults({"operation": "CreateFleet", "code": ICE, "match": {"market": "spot"}})

    dry = lab.fleet(("c5.large", A), ("c5.large", B), market="spot")
    wet = lab.fleet(("c5.large", A))

    assert dry["Instances"] == []
    assert [error["Lifecycle"] for error in dry["Errors"]] == ["spot", "spot"]
    assert len(ids_of(wet)) == 1


def test_a_quota_is_an_error_of_the_pool_and_a_throttle_fails_the_call(lab: Lab) -> None:
    lab.faults({"operation": "CreateFleet", "code": "VcpuLimitExceeded", "times": 1})
    quota = lab.fleet(("c5.large", A))
    lab.faults({"operation": "CreateFleet", "code": "RequestLimitExceeded", "times": 1})
    with pytest.raises(ClientError) as throttled:
        lab.fleet(("c5.large", A))
    after = lab.fleet(("c5.large", A))

    assert [error["ErrorCode"] for error in quota["Errors"]] == ["VcpuLimitExceeded"]
    assert throttled.value.response["Error"]["Code"] == "RequestLimitExceeded"
    assert throttled.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert len(ids_of(after)) == 1


def test_a_type_that_a_zone_does_not_offer_is_unsupported(lab: Lab) -> None:
    answer = lab.fleet(("c7g.large", "us-east-1e"))

    assert [error["ErrorCode"] for error in answer["Errors"]] == ["Unsupported"]


def test_the_same_client_token_is_the_same_fleet_even_if_its_answer_was_lost(lab: Lab) -> None:
    token, template = uuid.uuid4().hex, lab.template()
    lab.faults({"operation": "CreateFleet", "code": "InternalError", "times": 1, "when": "after"})

    with pytest.raises(ClientError) as lost:
        lab.fleet(("c5.large", A), token=token, template=template, count=2)
    first = lab.fleet(("c5.large", A), token=token, template=template, count=2)
    again = lab.fleet(("c5.large", A), token=token, template=template, count=2)

    assert lost.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert ids_of(first) == ids_of(again)
    assert lab.http("GET", "/_spillway/state")[1]["instances"] == {"running": 2}
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        lab.fleet(("c5.large", A), token=token, template=template, count=3)


def test_instances_carry_tags_profile_market_and_architecture(lab: Lab) -> None:
    tags = [{"Key": "spillway:launch", "Value": "l-1"}]
    answer = lab.fleet(
        ("c7g.large", A),
        market="spot",
        count=2,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )

    filters = [{"Name": "tag:spillway:launch", "Values": ["l-1"]}]
    reservations = lab.ec2.describe_instances(Filters=filters)["Reservations"]
    instances = [each for reservation in reservations for each in reservation["Instances"]]

    assert sorted(each["InstanceId"] for each in instances) == sorted(ids_of(answer))
    for each in instances:
        assert each["InstanceLifecycle"] == "spot"
        assert each["Architecture"] == "arm64"
        assert each["IamInstanceProfile"]["Arn"].endswith("instance-profile/spillway-host")
        assert each["MetadataOptions"]["HttpTokens"] == "required"
        assert each["Placement"]["AvailabilityZone"] == A


def test_lowest_price_takes_the_cheapest_pool_whatever_the_order(lab: Lab) -> None:
    answer = lab.fleet(("c5.4xlarge", A), ("c5.large", B), OnDemandOptions={"AllocationStrategy": "lowest-price"})

    assert [each["InstanceType"] for each in answer["Instances"]] == ["c5.large"]


def test_run_instances_honours_its_client_token_until_the_instance_is_gone(lab: Lab) -> None:
    request = {
        "ImageId": "ami-12345678", "InstanceType": "c5.large", "MinCount": 1, "MaxCount": 1,
        "ClientToken": uuid.uuid4().hex,
    }  # fmt: skip
    first = lab.ec2.run_instances(**request)["Instances"][0]["InstanceId"]

    again = lab.ec2.run_instances(**request)["Instances"][0]["InstanceId"]
    lab.ec2.terminate_instances(InstanceIds=[first])
    with pytest.raises(ClientError, match="IdempotentInstanceTerminated"):
        lab.ec2.run_instances(**request)

    assert first == again


def test_terminating_twice_is_no_error_and_an_unknown_instance_is_one(lab: Lab) -> None:
    instance_id = ids_of(lab.fleet(("c5.large", A)))[0]

    lab.ec2.terminate_instances(InstanceIds=[instance_id])
    lab.ec2.terminate_instances(InstanceIds=[instance_id])

    with pytest.raises(ClientError, match="InvalidInstanceID.NotFound"):
        lab.ec2.terminate_instances(InstanceIds=["i-0123456789abcdef0"])


def test_spot_prices_differ_by_zone_and_stay_below_on_demand(lab: Lab) -> None:
    history = lab.ec2.describe_spot_price_history(InstanceTypes=["c5.large"], ProductDescriptions=["Linux/UNIX"])[
        "SpotPriceHistory"
    ]

    prices = {each["AvailabilityZone"]: float(each["SpotPrice"]) for each in history}

    assert len(set(prices.values())) > 1
    assert all(0.0 < price < 0.085 for price in prices.values())


def test_filters_take_wildcards(lab: Lab) -> None:
    offered = lab.ec2.describe_instance_type_offerings(
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": ["c5.*", "m5.larg?"]}, {"Name": "location", "Values": [A]}],
    )["InstanceTypeOfferings"]

    types = {each["InstanceType"] for each in offered}
    assert {"c5.large", "c5.xlarge", "m5.large"} <= types
    assert not any(name.startswith(("c5a.", "m5.x")) for name in types)
    assert {each["Location"] for each in offered} == {A}


def test_get_products_gives_the_on_demand_price_in_amazons_shape(lab: Lab) -> None:
    filters = [
        {"Type": "TERM_MATCH", "Field": field, "Value": value}
        for field, value in {
            "instanceType": "c5.large",
            "operatingSystem": "Linux",
            "regionCode": "us-east-1",
            "tenancy": "Shared",
            "preInstalledSw": "NA",
            "capacitystatus": "Used",
        }.items()
    ]

    listed = lab.pricing.get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]

    assert len(listed) == 1
    (term,) = json.loads(listed[0])["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    assert dimension["pricePerUnit"] == {"USD": "0.0850000000"}


def test_get_products_gives_the_price_of_a_volume_for_a_month(lab: Lab) -> None:
    fields = {"regionCode": "us-east-1", "productFamily": "Storage", "volumeApiName": "gp3"}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in fields.items()]

    (listed,) = lab.pricing.get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]

    (term,) = json.loads(listed)["terms"]["OnDemand"].values()
    (rate,) = term["priceDimensions"].values()
    assert (rate["unit"], rate["pricePerUnit"]) == ("GB-Mo", {"USD": "0.0800000000"})


def test_every_price_is_found_page_by_page(lab: Lab) -> None:
    pages = lab.pricing.get_paginator("get_products").paginate(ServiceCode="AmazonEC2")

    skus = [json.loads(text)["product"]["sku"] for page in pages for text in page["PriceList"]]

    assert len(skus) == len(set(skus)) > 100


def test_an_instance_of_another_cluster_is_left_alone(lab: Lab) -> None:
    other = ids_of(lab.fleet(("c5.large", A), template=lab.template(cluster="another")))[0]
    ours = lab.host()

    assert lab.container_instance(ours) is not None
    assert lab.container_instance(other) is None


def test_reset_leaves_nothing_behind(lab: Lab) -> None:
    host = lab.host()
    lab.until(lab.start(lab.definition(["sleep", "600"]), host), "RUNNING")
    lab.faults({"operation": "RunTask", "code": "ServerException"})

    lab.reset()

    def is_empty() -> bool:
        return lab.http("GET", "/_spillway/state")[1] == {"instances": {}, "tasks": {}, "containerInstances": {}}

    assert eventually("nothing is left", is_empty)
    assert lab.http("GET", "/_spillway/faults")[1] == []
