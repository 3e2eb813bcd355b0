"""What a dispatcher needs before it starts: queues, rules, a cluster, a host role. Idempotent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

STACK = "spillway"
JOB_QUEUE = "spillway-jobs"
DEAD_LETTER_QUEUE = "spillway-jobs-dlq"
EVENT_QUEUE = "spillway-events"
CLUSTER = "spillway"
HOST_ROLE = "spillway-host"
LOG_GROUP = "/spillway/spillway"

MAX_RECEIVE_COUNT = 10
RETENTION_SECONDS_MAX = str(14 * 24 * 3600)

# The names and patterns of infra/spillway.yaml, but for the cluster: here is only one.
RULES: dict[str, dict[str, list[str]]] = {
    "spillway-tasks": {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]},
    "spillway-container-instances": {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Container Instance State Change"],
    },
    "spillway-instances": {
        "source": ["aws.ec2"],
        "detail-type": [
            "EC2 Instance Rebalance Recommendation",
            "EC2 Instance State-change Notification",
            "EC2 Spot Instance Interruption Warning",
        ],
    },
}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Clients:
    """The services that resources are made in."""

    cloudformation: Any
    ec2: Any
    ecs: Any
    events: Any
    iam: Any
    logs: Any
    sqs: Any


def clients(endpoint: str, region: str) -> Clients:
    """Clients for one endpoint; without credentials of the caller's own, LocalStack's usual ones."""
    session = boto3.Session()
    arguments: dict[str, Any] = {"endpoint_url": endpoint, "region_name": region}
    if session.get_credentials() is None:
        arguments |= {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return Clients(
        **{
            name: session.client(name, **arguments)
            for name in ("cloudformation", "ec2", "ecs", "events", "iam", "logs", "sqs")
        }
    )


def create(endpoint: str, region: str, template: Path | None, say: Say) -> None:
    """Deploys the template if there is one, then adds by API whatever is missing."""
    aws = clients(endpoint, region)
    if template is not None:
        deploy(aws, template, say)
    create_queues(aws.sqs)
    create_rules(aws)
    aws.ecs.create_cluster(clusterName=CLUSTER)
    create_host_profile(aws.iam)
    _unless_it_exists(lambda: aws.logs.create_log_group(logGroupName=LOG_GROUP))


def create_queues(sqs: Any) -> None:  # noqa: ANN401
    """The job queue with its dead-letter queue, and the event queue. What exists is left as it is."""
    dead_letter_arn = _queue(sqs, DEAD_LETTER_QUEUE, {"MessageRetentionPeriod": RETENTION_SECONDS_MAX})
    redrive = json.dumps({"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": MAX_RECEIVE_COUNT})
    _queue(sqs, JOB_QUEUE, {"RedrivePolicy": redrive})
    _queue(sqs, EVENT_QUEUE, {"MessageRetentionPeriod": RETENTION_SECONDS_MAX})


def create_rules(aws: Clients) -> None:
    """ECS's and EC2's events to the event queue."""
    arn = _queue(aws.sqs, EVENT_QUEUE, {})
    existing = set(aws.events.list_rule_names_by_target(TargetArn=arn).get("RuleNames") or [])
    for name, pattern in RULES.items():
        if name not in existing:
            aws.events.put_rule(Name=name, EventPattern=json.dumps(pattern), State="ENABLED")
            aws.events.put_targets(Rule=name, Targets=[{"Id": "events", "Arn": arn}])


def create_host_profile(iam: Any) -> None:  # noqa: ANN401
    """The role of hosts, and the instance profile that carries it."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    _unless_it_exists(lambda: iam.create_role(RoleName=HOST_ROLE, AssumeRolePolicyDocument=json.dumps(trust)))
    _unless_it_exists(lambda: iam.create_instance_profile(InstanceProfileName=HOST_ROLE))
    profile = iam.get_instance_profile(InstanceProfileName=HOST_ROLE)["InstanceProfile"]
    if not profile["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=HOST_ROLE, RoleName=HOST_ROLE)


def deploy(aws: Clients, template: Path, say: Say) -> bool:
    """Deploys the template as a stack. Says what came of it, resource by resource where one failed."""
    body = template.read_text(encoding="utf-8")
    cloudformation = aws.cloudformation
    try:
        cloudformation.describe_stacks(StackName=STACK)
    except ClientError:
        pass
    else:
        say(f"stack {STACK} is there")
        return True
    try:
        cloudformation.create_stack(
            StackName=STACK,
            TemplateBody=body,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=_parameters(aws, body),
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    except (ClientError, WaiterError) as error:
        say(f"stack {STACK} was not created from {template.name}: {error}")
        _say_failures(cloudformation, say)
        _forget_stack(cloudformation)
        return False
    listed = cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    say(f"stack {STACK}: {len(listed)} resources from {template.name}")
    return True


def _parameters(aws: Clients, body: str) -> list[dict[str, str]]:
    """Values for the parameters without a default: the default VPC and its subnets."""
    summary = aws.cloudformation.validate_template(TemplateBody=body)
    vpcs = aws.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    vpc_id = vpcs[0]["VpcId"]
    subnets = aws.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["Subnets"]
    values: list[dict[str, str]] = []
    for parameter in summary.get("Parameters") or []:
        key = parameter["ParameterKey"]
        if parameter.get("DefaultValue") not in (None, ""):
            continue
        if "subnet" in key.lower():
            value = ",".join(subnet["SubnetId"] for subnet in subnets)
        elif "vpc" in key.lower():
            value = vpc_id
        else:
            continue
        values.append({"ParameterKey": key, "ParameterValue": value})
    return values


def _say_failures(cloudformation: Any, say: Say) -> None:  # noqa: ANN401
    try:
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    except ClientError:
        return
    for event in events:
        if event["ResourceStatus"].endswith("FAILED"):
            reason = event.get("ResourceStatusReason", "no reason given")
            say(f"  {event['LogicalResourceId']} ({event['ResourceType']}): {reason}")


def _forget_stack(cloudformation: Any) -> None:  # noqa: ANN401
    try:
        cloudformation.delete_stack(StackName=STACK)
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
    except (ClientError, WaiterError):
        return


def _queue(sqs: Any, name: str, attributes: dict[str, str]) -> str:  # noqa: ANN401
    """The queue's ARN; it is created with these attributes if it is not there."""
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except ClientError:
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def _unless_it_exists(call: Callable[[], Any]) -> None:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("EntityAlreadyExists", "ResourceAlreadyExistsException"):
            raise
