"""What the template grants: no more than the adapters call, and nothing by wildcard. Reads files only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

INFRA = Path(__file__).parent
ADAPTERS = INFRA.parent / "crates" / "aws" / "src"

# Actions that AWS's service authorization reference lists without a resource type: "*" is all they take.
NO_RESOURCE_LEVEL = {
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:DiscoverPollEndpoint",
    "pricing:GetProducts",
}

# Actions judged against "*" although they take a resource, with the condition that fences them instead. ListTasks takes
# a container instance; a call that names none has no other resource.
FENCED_BY_CONDITION = {"ecs:ListTasks": "ecs:cluster"}

# Granted, though no adapter calls it by this name: what the call that needs it is.
IMPLIED = {
    "ec2:CreateTags": "tags in CreateFleet and CreateLaunchTemplate",
    "ec2:RunInstances": "CreateFleet launches with the caller's right to run instances",
    "ecs:TagResource": "tags in RunTask and RegisterTaskDefinition",
    "iam:CreateServiceLinkedRole": "the first CreateFleet of an account, and its first Spot request",
    "iam:PassRole": "the instance profile in the launch template, roles in task definitions",
}

# Needs no permission: AWS answers everyone about themselves.
FREE = {"sts:GetCallerIdentity"}

# IAM's limit on a managed policy, in characters without white space.
MANAGED_POLICY_CHARS_MAX = 6144


class Tagged:
    """A value behind a CloudFormation tag, such as `!Sub`."""

    def __init__(self, tag: str, value: Any) -> None:
        self.tag = tag
        self.value = value


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Tagged:
    if isinstance(node, yaml.ScalarNode):
        return Tagged(suffix, loader.construct_scalar(node))
    if isinstance(node, yaml.SequenceNode):
        return Tagged(suffix, loader.construct_sequence(node, deep=True))
    raise ValueError(f"!{suffix} holds a mapping")


Loader.add_multi_constructor("!", _tagged)

TEMPLATE: dict[str, Any] = yaml.load((INFRA / "spillway.yaml").read_text(), Loader)
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def resolve(value: Any) -> Any:
    """The value with every condition true and every name as long as it can be."""
    if isinstance(value, dict):
        return {key: resolve(item) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item) for item in value]
    if not isinstance(value, Tagged):
        return value
    if value.tag == "If":
        return resolve(value.value[1])
    if value.tag == "Sub":
        pseudo = {"AWS::AccountId": "1" * 12, "AWS::Region": "ap-southeast-9", "AWS::Partition": "aws-us-gov"}
        return re.sub(r"\$\{([^}]+)\}", lambda m: pseudo.get(m[1], "d" * 31), value.value)
    if value.tag == "GetAtt":
        return f"arn:aws-us-gov:iam::{'1' * 12}:role/{'d' * 31}-{value.value}"
    return f"<{value.tag}>"


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy document with the name of where it is, trust policies left out."""
    for name, resource in RESOURCES.items():
        properties = resource["Properties"]
        if "PolicyDocument" in properties:
            yield name, resolve(properties["PolicyDocument"])
        for policy in properties.get("Policies", []):
            yield f"{name}.{policy['PolicyName']}", resolve(policy["PolicyDocument"])


ALLOWED = [
    pytest.param(statement, id=f"{name}.{statement['Sid']}")
    for name, document in documents()
    for statement in document["Statement"]
    if statement["Effect"] == "Allow"
]


def dispatcher() -> list[dict[str, Any]]:
    return resolve(RESOURCES["DispatcherPolicy"]["Properties"]["PolicyDocument"]["Statement"])


def granted(statements: list[dict[str, Any]]) -> set[str]:
    return {action for statement in statements for action in listed(statement["Action"])}


@pytest.mark.parametrize("statement", ALLOWED)
def test_no_action_is_allowed_by_wildcard(statement: dict[str, Any]) -> None:
    assert [action for action in listed(statement["Action"]) if "*" in action] == []


@pytest.mark.parametrize("statement", ALLOWED)
def test_a_wildcard_resource_is_for_actions_that_take_no_other(statement: dict[str, Any]) -> None:
    if "*" not in listed(statement["Resource"]):
        return
    conditions = {key for test in statement.get("Condition", {}).values() for key in test}
    for action in listed(statement["Action"]):
        assert action in NO_RESOURCE_LEVEL or FENCED_BY_CONDITION.get(action) in conditions


@pytest.mark.parametrize("statement", ALLOWED)
def test_what_takes_no_resource_stands_alone(statement: dict[str, Any]) -> None:
    """IAM never grants such an action on a named resource: it would look granted and be denied."""
    if "*" not in listed(statement["Resource"]):
        assert set(listed(statement["Action"])) & NO_RESOURCE_LEVEL == set()


def test_the_dispatcher_is_granted_what_the_adapters_call_and_no_more() -> None:
    # The adapters name each call as IAM does, for their errors: "ec2:CreateFleet".
    name = re.compile(r'"((?:ec2|ecs|iam|pricing|sqs|ssm|sts|logs|events):[A-Z]\w+)"')
    called = {call for file in ADAPTERS.rglob("*.rs") for call in name.findall(file.read_text())}
    called = {re.sub(r"^(sqs:\w+)Batch$", r"\1", call) for call in called}  # one right for both

    assert called, "the adapters name no call"
    assert granted(dispatcher()) - IMPLIED.keys() == called - FREE - IMPLIED.keys()


@pytest.mark.parametrize(
    ("action", "kind", "condition"),
    [
        ("ec2:TerminateInstances", "instance", "aws:ResourceTag/spillway:deployment"),
        ("ec2:RunInstances", "instance", "aws:RequestTag/spillway:deployment"),
        ("ec2:RunInstances", "volume", "aws:RequestTag/spillway:deployment"),
        ("ec2:RunInstances", "launch-template", "spillway:deployment"),
        ("ec2:CreateFleet", "fleet", "aws:RequestTag/spillway:deployment"),
        ("ec2:CreateLaunchTemplate", "launch-template", "aws:RequestTag/spillway:deployment"),
        ("ec2:CreateTags", "instance", "aws:RequestTag/spillway:deployment"),
        ("ec2:CreateTags", "instance", "ec2:CreateAction"),
        ("ecs:RunTask", "task-definition", "ecs:cluster"),
        ("iam:PassRole", "role", "iam:PassedToService"),
    ],
)
def test_a_right_that_spends_or_ends_is_bound(action: str, kind: str, condition: str) -> None:
    matching = [
        statement
        for statement in dispatcher()
        if action in listed(statement["Action"])
        and any(f":{kind}/" in resource or resource.startswith("<") for resource in listed(statement["Resource"]))
    ]

    assert matching
    for statement in matching:
        keys = [key for test in statement["Condition"].values() for key in test]
        assert any(condition in key for key in keys), statement["Sid"]


def test_the_dispatchers_policy_fits_iams_limit_with_the_longest_names() -> None:
    document = RESOURCES["DispatcherPolicy"]["Properties"]["PolicyDocument"]
    text = re.sub(r"\s", "", str(resolve(document)))

    assert len(text) <= MANAGED_POLICY_CHARS_MAX


def test_every_queue_refuses_plain_http() -> None:
    queues = {name for name, resource in RESOURCES.items() if resource["Type"] == "AWS::SQS::Queue"}
    refusing = set()
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::SQS::QueuePolicy":
            deny = resource["Properties"]["PolicyDocument"]["Statement"][0]
            assert deny["Effect"] == "Deny"
            assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            refusing |= {queue.value for queue in resource["Properties"]["Queues"]}

    assert refusing == queues


def test_only_our_own_rules_may_write_events() -> None:
    statements = RESOURCES["EventQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    sources = next(s["Condition"]["ArnEquals"]["aws:SourceArn"] for s in statements if s["Sid"] == "Rules")
    rules = {f"{name}.Arn" for name, r in RESOURCES.items() if r["Type"] == "AWS::Events::Rule"}

    assert {source.value for source in sources} == rules


def test_nothing_reaches_a_host_from_outside() -> None:
    assert "SecurityGroupIngress" not in RESOURCES["HostSecurityGroup"]["Properties"]
    assert not [r for r in RESOURCES.values() if r["Type"] == "AWS::EC2::SecurityGroupIngress"]


def test_every_parameter_has_a_description_and_a_default() -> None:
    for name, parameter in TEMPLATE["Parameters"].items():
        assert parameter.get("Description"), name
        assert "Default" in parameter, name
