"""What end-to-end tests do: launch hosts, run tasks, wait for what they say. Everything over HTTP."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import boto3
from botocore.config import Config

Value = TypeVar("Value")

CLUSTER = "spillway"
WAIT_SECONDS = 60.0
PAUSE_SECONDS = 0.02
CLOUD_CONFIG = "#!/bin/bash\necho ECS_CLUSTER={cluster} >> /etc/ecs/ecs.config\n"


def eventually(what: str, look: Callable[[], Value | None], seconds: float = WAIT_SECONDS) -> Value:
    """Looks until there is something to see; fails with what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(PAUSE_SECONDS)


class Lab:
    """One LocalStack with its agent."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        arguments: dict[str, Any] = {
            "endpoint_url": endpoint,
            "region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
            "config": Config(retries={"total_max_attempts": 1}),
        }
        self.ec2 = boto3.client("ec2", **arguments)
        self.ecs = boto3.client("ecs", **arguments)
        self.events = boto3.client("events", **arguments)
        self.iam = boto3.client("iam", **arguments)
        self.logs = boto3.client("logs", **arguments)
        self.pricing = boto3.client("pricing", **arguments)
        self.sqs = boto3.client("sqs", **arguments)
        self.subnets: dict[str, str] = {}

    # -- the plugin's own endpoints

    def http(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def faults(self, *rules: dict[str, Any]) -> None:
        status, answer = self.http("POST", "/_spillway/faults", list(rules))
        assert status == 200, answer

    def reset(self) -> None:
        status, answer = self.http("POST", "/_spillway/reset", {})
        assert status == 200, answer

    # -- hosts

    def subnet(self, zone: str) -> str:
        if not self.subnets:
            self.subnets = {
                each["AvailabilityZone"]: each["SubnetId"] for each in self.ec2.describe_subnets()["Subnets"]
            }
        return self.subnets[zone]

    def template(self, cluster: str = CLUSTER) -> str:
        name = f"template-{uuid.uuid4().hex[:8]}"
        user_data = base64.b64encode(CLOUD_CONFIG.format(cluster=cluster).encode()).decode()
        self.ec2.create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData={
                "ImageId": "ami-12345678",
                "UserData": user_data,
                "IamInstanceProfile": {"Name": "spillway-host"},
                "MetadataOptions": {"HttpTokens": "required"},
                # Without a size: EC2 takes that of the image.
                "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "gp3", "Encrypted": True}}],
            },
        )
        return name

    def fleet(
        self,
        *pools: tuple[str, str],
        market: str = "on-demand",
        count: int = 1,
        token: str | None = None,
        template: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        overrides = [
            {"InstanceType": instance_type, "SubnetId": self.subnet(zone), "Priority": float(position)}
            for position, (instance_type, zone) in enumerate(pools)
        ]
        strategy = (
            {"SpotOptions": {"AllocationStrategy": "capacity-optimized-prioritized"}}
            if market == "spot"
            else {"OnDemandOptions": {"AllocationStrategy": "prioritized"}}
        )
        return self.ec2.create_fleet(
            Type="instant",
            ClientToken=token or uuid.uuid4().hex,
            LaunchTemplateConfigs=[
                {
                    "LaunchTemplateSpecification": {
                        "LaunchTemplateName": template or self.template(),
                        "Version": "$Latest",
                    },
                    "Overrides": overrides,
                }
            ],
            TargetCapacitySpecification={"TotalTargetCapacity": count, "DefaultTargetCapacityType": market},
            **(strategy | options),
        )

    def host(self, instance_type: str = "c5.large", market: str = "on-demand", zone: str = "us-east-1a") -> str:
        """One registered host; returns its instance id."""
        answer = self.fleet((instance_type, zone), market=market)
        assert not answer["Errors"], answer["Errors"]
        instance_id = answer["Instances"][0]["InstanceIds"][0]
        eventually(f"{instance_id} registers", lambda: self.container_instance(instance_id))
        return instance_id

    def container_instance(self, instance_id: str) -> dict[str, Any] | None:
        arns = self.ecs.list_container_instances(cluster=CLUSTER)["containerInstanceArns"]
        if not arns:
            return None
        answer = self.ecs.describe_container_instances(cluster=CLUSTER, containerInstances=arns)
        return next((each for each in answer["containerInstances"] if each["ec2InstanceId"] == instance_id), None)

    # -- tasks

    def definition(self, command: list[str], cpu: int = 256, memory: int = 128, **extra: Any) -> str:
        container = {
            "name": "main",
            "image": "busybox",
            "cpu": cpu,
            "memory": memory,
            "command": command,
            "essential": True,
        }
        answer = self.ecs.register_task_definition(
            family=f"job-{uuid.uuid4().hex[:8]}", containerDefinitions=[container | extra]
        )
        return answer["taskDefinition"]["taskDefinitionArn"]

    def run(self, definition: str, instance_id: str | None = None, **extra: Any) -> dict[str, Any]:
        """RunTask as a dispatcher calls it; returns the whole answer."""
        if instance_id is not None:
            extra["placementConstraints"] = [{"type": "memberOf", "expression": f"ec2InstanceId == {instance_id}"}]
        return self.ecs.run_task(cluster=CLUSTER, taskDefinition=definition, **extra)

    def start(self, definition: str, instance_id: str | None = None, **extra: Any) -> str:
        """RunTask that must succeed; returns the task's ARN."""
        answer = self.run(definition, instance_id, **extra)
        assert not answer["failures"], answer["failures"]
        return answer["tasks"][0]["taskArn"]

    def task(self, arn: str) -> dict[str, Any]:
        return self.ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"][0]

    def until(self, arn: str, status: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            task = self.task(arn)
            return task if task["lastStatus"] == status else None

        return eventually(f"{arn} is {status}", look)

    # -- events

    def next_events(self, wait_seconds: int = 1) -> list[dict[str, Any]]:
        url = self.sqs.get_queue_url(QueueName="spillway-events")["QueueUrl"]
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait_seconds)
        messages = answer.get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    def events_until(self, what: str, is_last: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []

        def look() -> bool:
            seen.extend(self.next_events())
            return any(is_last(event) for event in seen)

        eventually(what, look)
        return seen
