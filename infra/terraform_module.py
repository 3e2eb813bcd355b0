"""Reads the Terraform module as Terraform would: as much of its language as the module uses, no more."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

from cloudformation import Names

MODULE = Path(__file__).parent / "terraform"
POLICIES = Path(__file__).parent / "policies"

# A reference to an attribute of a resource, of one that is there once or not at all too.
ATTRIBUTE = re.compile(r"(aws_\w+)\.(\w+)(?:\[0\])?\.(\w+)")

# Terms of a list of statements that are there on a condition.
STATEMENTS = re.compile(
    r'\[for statement in local\.statements\["(?P<policy>[\w-]+)"\] : '
    r"(?:statement|merge\(statement, \{Resource = (?P<resource>[\w.]+)\}\)) if (?P<condition>.+)\]"
)


def unquoted(value: Any) -> Any:
    """Names of blocks without the quotation marks that they are written with."""
    return value[1:-1] if isinstance(value, str) and value.startswith('"') else value


@cache
def files() -> list[dict[str, Any]]:
    """All files of the module, parsed."""
    return [hcl2.loads(file.read_text()) for file in sorted(MODULE.glob("*.tf"))]


def blocks(kind: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """All blocks of a kind in the module, by their labels."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for file in files():
        for block in file.get(kind, []):
            labels: tuple[str, ...] = ()
            while "__is_block__" not in block:
                ((label, block),) = block.items()
                labels = (*labels, unquoted(label))
            if labels in found:
                raise ValueError(f"{kind} {labels} is there twice")
            found[labels] = {key: value for key, value in block.items() if key != "__is_block__"}
    return found


def locals_of_module() -> dict[str, Any]:
    """Everything under `locals`, which is written in several files."""
    return {key: value for file in files() for block in file.get("locals", []) for key, value in block.items()}


def arguments(text: str) -> list[str]:
    """What stands between commas that are in no brackets and no text."""
    parts, depth, is_text, start = [], 0, False, 0
    for place, letter in enumerate(text):
        if letter == '"':
            is_text = not is_text
        elif not is_text and letter in "([{":
            depth += 1
        elif not is_text and letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 0 and not is_text:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def inside(function: str, text: str) -> str | None:
    """The arguments of a call that is all of the text."""
    return text[len(function) + 1 : -1] if text.startswith(f"{function}(") and text.endswith(")") else None


@dataclass
class Module:
    """The module with values for its variables."""

    values: dict[str, Any] = field(default_factory=dict)
    names: Names = field(default_factory=Names)

    def __post_init__(self) -> None:
        self.variables = {name: block for (name,), block in blocks("variable").items()}
        self.locals = locals_of_module()
        unknown = self.values.keys() - self.variables.keys()
        if unknown:
            raise ValueError(f"no such variables: {unknown}")
        defaults = {name: self.value(block["default"]) for name, block in self.variables.items()}
        self.values = defaults | {"deployment": self.names.deployment} | self.values
        self.all = blocks("resource")

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The arguments of every resource of a type that is there."""
        return {
            name: {key: self.value(value) for key, value in block.items() if key != "count"}
            for (a_kind, name), block in self.all.items()
            if a_kind == kind and self.value(block.get("count", 1)) == 1
        }

    def value(self, written: Any) -> Any:
        """What an argument is."""
        if isinstance(written, list):
            return [self.value(item) for item in written]
        if isinstance(written, dict):
            items = ((unquoted(key), value) for key, value in written.items() if key != "__is_block__")
            return {key: self.value(value) for key, value in items}
        if not isinstance(written, str):
            return written
        if written.startswith('"'):
            return re.sub(r"\$\{([^}]+)\}", lambda match: str(self.term(match[1])), json.loads(written))
        return self.term(written[2:-1]) if written.startswith("${") else self.term(written)

    def term(self, text: str) -> Any:
        """What an expression is."""
        text = text.strip()
        forms: list[Callable[[str], Any]] = [self._constant, self._choice, self._test, self._call, self._reference]
        for form in forms:
            result = form(text)
            if result is not None:
                return result[0]
        raise ValueError(f"not understood: {text}")

    def _constant(self, text: str) -> tuple[Any] | None:
        if re.fullmatch(r'"[^"$]*"|\d+|true|false|null', text):
            return (json.loads(text),)
        if text.startswith(("[", "{")) and not text.startswith(("[for", "{for")):
            return (self.value(hcl2.loads(f"x = {text}\n")["x"]),)
        return None

    def _choice(self, text: str) -> tuple[Any] | None:
        match = re.fullmatch(r"([^?]+) \? (.+) : (.+)", text)
        return (self.term(match[2] if self.term(match[1]) else match[3]),) if match else None

    def _test(self, text: str) -> tuple[bool] | None:
        match = re.fullmatch(r"(\S+) (==|>) (\S+)", text)
        if not match:
            return None
        left, right = self.term(match[1]), self.term(match[3])
        return (left == right if match[2] == "==" else left > right,)

    def _call(self, text: str) -> tuple[Any] | None:
        if (inner := inside("jsonencode", text)) is not None:
            return (json.dumps(self.term(inner)),)
        if (inner := inside("length", text)) is not None:
            return (len(self.term(inner)),)
        if (inner := inside("concat", text)) is not None:
            return ([item for part in arguments(inner) for item in self._statements(part)],)
        return None

    def _statements(self, text: str) -> list[dict[str, Any]]:
        match = STATEMENTS.fullmatch(text)
        if not match:
            return self.term(text)
        if not self.term(match["condition"]):
            return []
        replaced = {"Resource": self.term(match["resource"])} if match["resource"] else {}
        return [statement | replaced for statement in self._policy(match["policy"])]

    def _policy(self, name: str) -> list[dict[str, Any]]:
        text = re.sub(r"\$\{job_\w+_arns\}", "replaced", (POLICIES / f"{name}.json").read_text())
        return json.loads(self.names.fill(text))["Statement"]

    def _reference(self, text: str) -> tuple[Any] | None:
        n = self.names
        given = {
            "data.aws_partition.current.partition": n.partition,
            "data.aws_partition.current.dns_suffix": n.dns_suffix,
            "data.aws_region.current.region": n.region,
            "data.aws_caller_identity.current.account_id": n.account,
        }
        if text in given:
            return (given[text],)
        if match := re.fullmatch(r"var\.(\w+)", text):
            return (self.values[match[1]],)
        if match := re.fullmatch(r'local\.statements\["([\w-]+)"\]', text):
            return (self._policy(match[1]),)
        if match := re.fullmatch(r"local\.(\w+)(?:\.(\w+))?", text):
            local = self.locals[match[1]]
            return (self.value(local[match[2]] if match[2] else local),)
        if match := re.fullmatch(r"data\.aws_iam_policy_document\.(\w+)\.json", text):
            return (json.dumps(self._document(match[1])),)
        if match := ATTRIBUTE.fullmatch(text):
            return (self._attribute(*match.groups()),)
        return None

    def _attribute(self, kind: str, name: str, attribute: str) -> str:
        own_name = self.value(self.all[kind, name]["name"])
        if attribute in ("name", "url"):  # CloudFormation's `!Ref` of a queue is its URL too; both are told by the name
            return own_name
        if attribute != "arn":
            raise ValueError(f"{kind}.{name}.{attribute} is not known here")
        n = self.names
        place = {
            "aws_dynamodb_table": f"dynamodb:{n.region}:{n.account}:table/",
            "aws_sqs_queue": f"sqs:{n.region}:{n.account}:",
            "aws_cloudwatch_event_rule": f"events:{n.region}:{n.account}:rule/",
            "aws_ecs_cluster": f"ecs:{n.region}:{n.account}:cluster/",
            "aws_iam_policy": f"iam::{n.account}:policy/",
        }[kind]
        return f"arn:{n.partition}:{place}{own_name}"

    def _document(self, name: str) -> dict[str, Any]:
        """A policy as the data source aws_iam_policy_document writes it."""
        block = blocks("data")["aws_iam_policy_document", name]
        statements = list(block.get("statement", []))
        for dynamic in block.get("dynamic", []):
            ((_, inner),) = dynamic.items()
            for item in self.value(inner["for_each"]):
                (content,) = inner["content"]
                items = [json.dumps(one) for one in item]  # as written: in quotation marks
                text = json.dumps(content).replace('"${statement.value}"', json.dumps(items))
                statements.append(json.loads(text))
        return {"Version": "2012-10-17", "Statement": [self._statement(statement) for statement in statements]}

    def _statement(self, written: dict[str, Any]) -> dict[str, Any]:
        block = self.value(written)
        conditions: dict[str, dict[str, Any]] = {}
        for condition in block.get("condition", []):
            conditions.setdefault(condition["test"], {})[condition["variable"]] = condition["values"]
        (principals,) = block["principals"]
        everyone = principals["type"] == "*"
        statement = {
            "Sid": block.get("sid"),
            "Effect": block["effect"],
            "Principal": "*" if everyone else {principals["type"]: principals["identifiers"]},
            "Action": block["actions"],
            "Resource": block.get("resources"),
            "Condition": conditions,
        }
        return {key: value for key, value in statement.items() if value not in (None, {})}
