"""The calls that the agent makes. The only file of the agent that speaks to an endpoint."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

import boto3
import urllib3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from spillway_localstack.agent.runner import Outcome
from spillway_localstack.agent.secrets import Secrets

# Whatever an endpoint that is away, restarting or faulty makes these calls raise.
CALL_ERRORS = (BotoCoreError, ClientError, urllib3.exceptions.HTTPError, ValueError)

CONNECTIONS_MAX = 64
TIMEOUT_SECONDS = 30
OK = 200
NOT_FOUND = 404
CPU_UNITS_PER_VCPU = 1024
PERCENT = 100

_CLUSTER_IN_USER_DATA = re.compile(r"ECS_CLUSTER=[\"']?([\w-]+)")


@dataclass(frozen=True)
class Machine:
    """A running EC2 instance."""

    instance_id: str
    instance_type: str
    zone: str
    image_id: str
    market: str


@dataclass(frozen=True)
class Orders:
    """What ECS wants of the agent now."""

    start: list[dict[str, Any]]
    stop: list[str]
    gone: list[str]


class Cloud:
    """One endpoint, one cluster."""

    def __init__(self, endpoint: str, region: str, cluster: str, overhead_percent: int) -> None:
        """Calls nothing yet. ``overhead_percent`` is the memory that the host keeps for itself."""
        self._cluster = cluster
        self._region = region
        self._overhead_percent = overhead_percent
        self._poll_url = f"{endpoint.rstrip('/')}/_spillway/agent/poll"
        self._http = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False)
        config = Config(
            max_pool_connections=CONNECTIONS_MAX,
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retries={"total_max_attempts": 1},
        )
        session = boto3.Session()
        arguments: dict[str, Any] = {"endpoint_url": endpoint, "region_name": region, "config": config}
        if session.get_credentials() is None:
            arguments |= {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        self._ec2 = session.client("ec2", **arguments)
        self._ecs = session.client("ecs", **arguments)
        self.logs = session.client("logs", **arguments)
        self.secrets = Secrets(session.client("ssm", **arguments), session.client("secretsmanager", **arguments))
        self._types: dict[str, dict[str, Any]] = {}

    def running_machines(self) -> list[Machine]:
        """All running instances, ours or not."""
        pages = self._ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-state-name", "Values": ["running"]}]
        )
        return [
            Machine(
                instance_id=each["InstanceId"],
                instance_type=each["InstanceType"],
                zone=each["Placement"]["AvailabilityZone"],
                image_id=each.get("ImageId", ""),
                market=each.get("InstanceLifecycle", "on-demand"),
            )
            for page in pages
            for reservation in page["Reservations"]
            for each in reservation["Instances"]
        ]

    def is_ours(self, instance_id: str) -> bool:
        """Whether the instance's user data names our cluster."""
        answer = self._ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
        return cluster_in(answer.get("UserData", {}).get("Value") or "") == self._cluster

    def register(self, machine: Machine) -> str:
        """Registers the instance with its type's real size; returns the container instance's ARN."""
        shape = self._shape(machine.instance_type)
        mib = shape["MemoryInfo"]["SizeInMiB"] * (PERCENT - self._overhead_percent) // PERCENT
        n_gpus = sum(each.get("Count", 0) for each in shape.get("GpuInfo", {}).get("Gpus", []))
        architecture = shape["ProcessorInfo"]["SupportedArchitectures"][-1]
        document = {
            "instanceId": machine.instance_id,
            "instanceType": machine.instance_type,
            "availabilityZone": machine.zone,
            "imageId": machine.image_id,
            "region": self._region,
            "architecture": architecture,
        }
        attributes = {
            "ecs.ami-id": machine.image_id,
            "ecs.availability-zone": machine.zone,
            "ecs.cpu-architecture": architecture,
            "ecs.instance-type": machine.instance_type,
            "ecs.os-type": "linux",
        }
        answer = self._ecs.register_container_instance(
            cluster=self._cluster,
            instanceIdentityDocument=json.dumps(document),
            instanceIdentityDocumentSignature="none",
            totalResources=[
                {
                    "name": "CPU",
                    "type": "INTEGER",
                    "integerValue": shape["VCpuInfo"]["DefaultVCpus"] * CPU_UNITS_PER_VCPU,
                },
                {"name": "MEMORY", "type": "INTEGER", "integerValue": mib},
            ],
            platformDevices=[
                {"id": f"GPU-{machine.instance_id}-{ordinal}", "type": "GPU"} for ordinal in range(n_gpus)
            ],
            versionInfo={"agentVersion": "spillway-localstack"},
            attributes=[{"name": name, "value": value} for name, value in attributes.items() if value],
        )
        return str(answer["containerInstance"]["containerInstanceArn"])

    def _shape(self, instance_type: str) -> dict[str, Any]:
        if instance_type not in self._types:
            answer = self._ec2.describe_instance_types(InstanceTypes=[instance_type])
            self._types[instance_type] = answer["InstanceTypes"][0]
        return self._types[instance_type]

    def poll(self, container_instances: list[str]) -> Orders:
        """Asks what to do on these hosts. If the endpoint has forgotten the cluster, all of them are gone."""
        body = json.dumps({"containerInstances": container_instances}).encode()
        answer = self._http.request("POST", self._poll_url, body=body, headers={"Content-Type": "application/json"})
        if answer.status == NOT_FOUND:
            return Orders([], [], container_instances)
        if answer.status != OK:
            raise ValueError(f"the endpoint answered {answer.status} to a poll")
        orders = json.loads(answer.data)
        return Orders(orders["start"], orders["stop"], orders["gone"])

    def report_running(self, task_arn: str, container: str, runtime_id: str) -> None:
        """SubmitTaskStateChange RUNNING."""
        self._ecs.submit_task_state_change(
            cluster=self._cluster,
            task=task_arn,
            status="RUNNING",
            containers=[{"containerName": container, "status": "RUNNING", "runtimeId": runtime_id}],
        )

    def report_stopped(self, task_arn: str, container: str, outcome: Outcome) -> None:
        """SubmitTaskStateChange STOPPED with the exit code."""
        change: dict[str, Any] = {
            "containerName": container,
            "status": "STOPPED",
            "exitCode": outcome.exit_code,
        }
        if outcome.reason:
            change["reason"] = outcome.reason
        self._ecs.submit_task_state_change(cluster=self._cluster, task=task_arn, status="STOPPED", containers=[change])

    def report_not_started(self, task_arn: str, container: str | None, reason: str) -> None:
        """SubmitTaskStateChange STOPPED without an exit code: nothing ran."""
        changes = [{"containerName": container, "status": "STOPPED", "reason": reason}] if container else []
        self._ecs.submit_task_state_change(
            cluster=self._cluster, task=task_arn, status="STOPPED", reason=reason, containers=changes
        )


def is_refusal(error: Exception) -> bool:
    """Whether the endpoint understood a report and does not want it: sending it again is no use."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in (
        "ClientException",
        "ClusterNotFoundException",
        "InvalidParameterException",
    )


def cluster_in(user_data: str) -> str | None:
    """The cluster that base64 user data sets in ``ecs.config``, the last one if several."""
    try:
        script = base64.b64decode(user_data).decode(errors="replace")
    except (binascii.Error, ValueError):
        return None
    names = _CLUSTER_IN_USER_DATA.findall(script)
    return names[-1] if names else None
