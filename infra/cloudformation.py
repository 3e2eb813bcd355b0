"""Reads spillway.yaml as CloudFormation would: tags resolved, conditions as asked, names of one installation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TEMPLATE_FILE = Path(__file__).parent / "spillway.yaml"

# What is left out of a list or a mapping.
NOTHING = object()

# What `!Ref` of a resource is, where it is not the name.
REF_IS_ARN = {"AWS::IAM::ManagedPolicy"}


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

TEMPLATE: dict[str, Any] = yaml.load(TEMPLATE_FILE.read_text(), Loader)


@dataclass(frozen=True)
class Names:
    """One installation's own: what the placeholders of the policy files stand for."""

    partition: str = "aws"
    region: str = "eu-west-1"
    account: str = "123456789012"
    dns_suffix: str = "amazonaws.com"
    deployment: str = "lab"

    def fill(self, text: str) -> str:
        """The text with every placeholder replaced."""
        return re.sub(r"\$\{(\w+)\}", lambda match: getattr(self, match[1]), text)


# As long as they can be.
LONGEST = Names("aws-us-gov", "ap-southeast-9", "1" * 12, "amazonaws.com", "d" * 31)


@dataclass
class Stack:
    """The template with parameters; whatever depends on a condition that does not hold is not there."""

    parameters: dict[str, Any] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    def __post_init__(self) -> None:
        defaults = {name: parameter["Default"] for name, parameter in TEMPLATE["Parameters"].items()}
        unknown = self.parameters.keys() - defaults.keys()
        if unknown:
            raise ValueError(f"no such parameters: {unknown}")
        self.parameters = defaults | {"Deployment": self.names.deployment} | self.parameters

    def resources(self, kind: str | None = None) -> dict[str, dict[str, Any]]:
        """The properties of every resource, or of one type."""
        return {
            name: self.resolve(resource.get("Properties", {}))
            for name, resource in TEMPLATE["Resources"].items()
            if kind in (None, resource["Type"]) and self.is_there(resource)
        }

    def is_there(self, resource: dict[str, Any]) -> bool:
        return "Condition" not in resource or self.holds(resource["Condition"])

    def holds(self, condition: str) -> bool:
        return bool(self.resolve(TEMPLATE["Conditions"][condition]))

    def resolve(self, value: Any) -> Any:
        if isinstance(value, dict):
            pairs = ((key, self.resolve(item)) for key, item in value.items())
            return {key: item for key, item in pairs if item is not NOTHING}
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NOTHING]
        return self._call(value.tag, value.value) if isinstance(value, Tagged) else value

    def _call(self, tag: str, value: Any) -> Any:
        match tag:
            case "If":
                return self.resolve(value[1] if self.holds(value[0]) else value[2])
            case "Not":
                return not self.resolve(value[0])
            case "Equals":
                return self.resolve(value[0]) == self.resolve(value[1])
            case "Split":
                return self.resolve(value[1]).split(value[0])
            case "Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda match: str(self._ref(match[1])), value)
            case "Ref":
                return self._ref(value)
            case "GetAtt":
                return self._attribute(*value.split("."))
        raise ValueError(f"!{tag} is not known here")

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::Partition": self.names.partition,
            "AWS::Region": self.names.region,
            "AWS::AccountId": self.names.account,
            "AWS::URLSuffix": self.names.dns_suffix,
            "AWS::NoValue": NOTHING,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        resource = TEMPLATE["Resources"][name]
        return self._attribute(name, "Arn") if resource["Type"] in REF_IS_ARN else self._name(name)

    def _name(self, resource: str) -> str:
        properties = TEMPLATE["Resources"][resource]["Properties"]
        keys = [
            "Name",
            "QueueName",
            "RoleName",
            "TableName",
            "ClusterName",
            "LogGroupName",
            "InstanceProfileName",
            "ManagedPolicyName",
        ]
        return next(self.resolve(properties[key]) for key in keys if key in properties)

    def _attribute(self, resource: str, attribute: str) -> str:
        kind = TEMPLATE["Resources"][resource]["Type"]
        name = self._name(resource)
        if (kind, attribute) == ("AWS::SQS::Queue", "QueueName"):
            return name
        if attribute != "Arn":
            raise ValueError(f"{resource}.{attribute} is not known here")
        n = self.names
        place = {
            "AWS::SQS::Queue": f"sqs:{n.region}:{n.account}:",
            "AWS::DynamoDB::Table": f"dynamodb:{n.region}:{n.account}:table/",
            "AWS::Events::Rule": f"events:{n.region}:{n.account}:rule/",
            "AWS::IAM::Role": f"iam::{n.account}:role/",
            "AWS::IAM::ManagedPolicy": f"iam::{n.account}:policy/",
        }[kind]
        return f"arn:{n.partition}:{place}{name}"


# Everything that can be there.
WITH_ALL = {
    "ProducerArns": "arn:aws:iam::210987654321:root",
    "DispatcherService": "ec2.amazonaws.com",
    "CreateExecutionRole": "yes",
    "JobRoleArns": "arn:aws:iam::123456789012:role/job-a,arn:aws:iam::123456789012:role/job-b",
    "JobSecretArns": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:jobs/*",
    "JobParameterArns": "arn:aws:ssm:eu-west-1:123456789012:parameter/jobs/*",
    "JobEventArns": "arn:aws:sqs:eu-west-1:123456789012:news-of-jobs",
    "AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:pager",
    "VpcId": "vpc-0123456789abcdef0",
}


def listed(value: Any) -> list[Any]:
    """A value that may stand alone, as a list."""
    return value if isinstance(value, list) else [value]


def plain(statement: dict[str, Any]) -> dict[str, Any]:
    """A statement in the one form in which equal ones are equal: lists sorted, none of one value."""
    conditions = {
        operator: {key: sorted(listed(values)) for key, values in tests.items()}
        for operator, tests in statement.get("Condition", {}).items()
    }
    return statement | {
        "Action": sorted(listed(statement["Action"])),
        "Resource": sorted(listed(statement["Resource"])),
        "Condition": conditions,
    }


def documents(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy of an identity with the name of where it is; trust and queue policies left out."""
    for name, properties in stack.resources("AWS::IAM::ManagedPolicy").items():
        yield name, properties["PolicyDocument"]
    for name, properties in stack.resources("AWS::IAM::Role").items():
        for policy in properties.get("Policies", []):
            yield f"{name}.{policy['PolicyName']}", policy["PolicyDocument"]
