"""What is granted: what iam.toml says; no more than the adapters call, no wider than AWS can make it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from cloudformation import LONGEST, WITH_ALL, Names, Stack, documents, listed, plain

INFRA = Path(__file__).parent
ADAPTERS = INFRA.parent / "crates" / "aws" / "src"
TABLE_ADAPTER = INFRA.parent / "crates" / "dynamodb" / "src"

# What only `spillway doctor` calls.
DOCTOR = {ADAPTERS / "doctor.rs", *(ADAPTERS / "doctor").rglob("*.rs")}

TABLE: dict[str, Any] = tomllib.loads((INFRA / "iam.toml").read_text())
STATEMENTS = [pytest.param(statement, id=statement["sid"]) for statement in TABLE["statement"]]

# Every action of AWS with the types of resource it takes: the service authorization reference, as cfn-lint carries it.
AWS: dict[str, Any] = json.loads(
    (Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "Policies.json").read_text()
)

# On everything and under no condition: what gives away only what AWS publishes, in regions that are not ours.
UNFENCED = {"pricing:GetProducts"}

# Judged on everything although it takes a resource, with the condition that fences it instead. ListTasks takes a
# container instance; a call that names none has no other resource.
FENCED_BY_CONDITION = {"ecs:ListTasks": "ecs:cluster"}

# In ARNs the type of a queue is not written, nor that a rule is on the default bus.
UNWRITTEN_TYPES = {"sqs": "queue", "events": "rule-on-default-event-bus"}

# IAM's limits, in characters without white space: a managed policy, and all inline policies of a role.
MANAGED_POLICY_CHARS_MAX = 6144
ROLE_POLICIES_CHARS_MAX = 10240

# Which policy files make up each policy of the template.
TEMPLATE_POLICIES = {
    "DispatcherPolicy": ["dispatcher", "pass-execution-role", "pass-job-roles", "tell-job-events"],
    "LedgerPolicy": ["keep-ledger"],
    "ReportsPolicy": ["read-reports"],
    "ProducerPolicy": ["producer"],
    "HostRole.agent": ["host"],
    "ExecutionRole.execution": ["execution", "read-secrets", "read-parameters"],
}

# Lists of ARNs that only who installs can know, by their placeholder: the policy that has it, its one statement, and
# the parameter of the template.
LISTS = {
    "job_role_arns": ("pass-job-roles", "PassJobRoles", "JobRoleArns"),
    "job_event_arns": ("tell-job-events", "TellJobEvents", "JobEventArns"),
    "job_secret_arns": ("read-secrets", "ReadSecrets", "JobSecretArns"),
    "job_parameter_arns": ("read-parameters", "ReadParameters", "JobParameterArns"),
}


def policy(name: str, names: Names | None = None) -> list[dict[str, Any]]:
    """The statements of a policy file for one installation."""
    text = (INFRA / "policies" / f"{name}.json").read_text()
    statements = json.loads(text)["Statement"]
    for statement in statements:
        for placeholder, (_, _, parameter) in LISTS.items():
            if statement["Resource"] == [f"${{{placeholder}}}"]:
                statement["Resource"] = WITH_ALL[parameter].split(",")
    return json.loads((names or Names()).fill(json.dumps(statements)))


def actions_of(statements: list[dict[str, Any]]) -> set[str]:
    return {action for statement in statements for action in listed(statement["Action"])}


def aws_types(action: str) -> list[str]:
    """The types of resource that an action takes."""
    service, name = action.split(":")
    return AWS[service]["Actions"][name.lower()].get("Resources", [])


def written_type(arn: str) -> str:
    """The type of resource that an ARN is of."""
    _, _, service, _, _, resource = arn.split(":", 5)
    if ":log-stream:" in resource:
        return "log-stream"  # written behind its group
    return UNWRITTEN_TYPES.get(service) or re.split(r"[:/]", resource)[0]


def test_every_policy_of_the_template_grants_what_the_table_says_and_no_more() -> None:
    in_template = dict(documents(Stack(WITH_ALL)))

    assert in_template.keys() == TEMPLATE_POLICIES.keys()
    for where, document in in_template.items():
        expected = [statement for name in TEMPLATE_POLICIES[where] for statement in policy(name)]
        by_sid = {statement["Sid"]: plain(statement) for statement in document["Statement"]}
        assert len(by_sid) == len(document["Statement"]), where
        assert by_sid == {statement["Sid"]: plain(statement) for statement in expected}, where


def test_roles_are_passed_to_tasks_only_if_the_stack_has_them() -> None:
    statements = dict(documents(Stack()))["DispatcherPolicy"]["Statement"]

    assert [s["Sid"] for s in statements if s["Action"] == "iam:PassRole"] == ["PassHostRole"]


def test_secrets_are_read_only_if_the_stack_lists_them() -> None:
    wishes = {"CreateExecutionRole": "yes"}
    statements = dict(documents(Stack(wishes)))["ExecutionRole.execution"]["Statement"]

    assert [s["Sid"] for s in statements] == ["NoResourceLevel", "PullImages", "WriteLogs"]


def called_in(files: Iterable[Path]) -> set[str]:
    """The actions that adapters name, as IAM does, for their errors: "ec2:CreateFleet"."""
    name = re.compile(r'"((?:dynamodb|ec2|ecs|iam|pricing|servicequotas|sns|sqs|ssm|sts|logs|events):[A-Z]\w+)"')
    called = {call for file in files for call in name.findall(file.read_text())}
    return {re.sub(r"^(sqs:\w+)Batch$", r"\1", call) for call in called}  # one right for both


def test_the_dispatcher_is_granted_what_the_adapters_call_and_no_more() -> None:
    called = called_in({*ADAPTERS.rglob("*.rs"), *TABLE_ADAPTER.rglob("*.rs")} - DOCTOR)
    free = {call["name"] for call in TABLE["free"]}
    needed = {action["name"] for s in TABLE["statement"] for action in s["actions"] if "needed-by" in action}
    implied = needed | {"ec2:RunInstances"}  # doctor's dry run calls it by name; CreateFleet needs it too
    parts = ("dispatcher", "keep-ledger", "pass-job-roles", "read-reports", "tell-job-events")
    granted = {a for name in parts for a in actions_of(policy(name))}

    assert called, "the adapters name no call"
    assert called - free <= granted
    assert granted - implied <= called
    assert free <= called | called_in(DOCTOR)


def test_what_doctor_reads_beyond_the_dispatcher_is_what_it_calls_itself() -> None:
    beyond = actions_of(policy("doctor")) - actions_of(policy("dispatcher"))

    assert beyond, "doctor reads no more than the dispatcher"
    assert beyond == called_in(DOCTOR) - actions_of(policy("dispatcher")) - {c["name"] for c in TABLE["free"]}


def test_who_installs_is_granted_what_the_installation_calls_and_no_more() -> None:
    name = re.compile(r'"((?:cloudformation|ec2):[A-Z]\w+)"')
    called = set(name.findall((ADAPTERS / "stack.rs").read_text()))

    assert called == actions_of(policy("installer"))


def test_what_another_call_needs_is_called_by_no_adapter_itself() -> None:
    text = "".join(file.read_text() for file in ADAPTERS.rglob("*.rs"))

    for statement in TABLE["statement"]:
        for action in statement["actions"]:
            assert not ("needed-by" in action and f'"{action["name"]}"' in text), action["name"]


@pytest.mark.parametrize("name", ["doctor", "plan", "producer", "read-logs", "reader"])
def test_what_a_person_runs_buys_and_ends_nothing(name: str) -> None:
    harmless = ("Describe", "Get", "List", "Query", "SendMessage")

    assert [a for a in actions_of(policy(name)) if not a.split(":")[1].startswith(harmless)] == []


@pytest.mark.parametrize("name", ["plan", "reader"])
def test_what_reads_is_a_part_of_what_the_dispatcher_may_do(name: str) -> None:
    assert actions_of(policy(name)) <= actions_of(policy("dispatcher")) | actions_of(policy("keep-ledger"))


@pytest.mark.parametrize("statement", STATEMENTS)
def test_no_action_is_allowed_by_wildcard_and_every_one_exists(statement: dict[str, Any]) -> None:
    for action in statement["actions"]:
        service, name = action["name"].split(":")
        assert name.lower() in AWS[service]["Actions"], action["name"]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_wildcard_resource_is_for_actions_that_take_no_other_and_is_fenced_by_a_condition(
    statement: dict[str, Any],
) -> None:
    if "*" not in statement["resources"]:
        return
    conditions = {key for test in statement.get("condition", {}).values() for key in test}
    for action in (action["name"] for action in statement["actions"]):
        assert aws_types(action) == [] or FENCED_BY_CONDITION[action] in conditions, action
        assert conditions or action in UNFENCED, action


@pytest.mark.parametrize("statement", STATEMENTS)
def test_every_action_takes_a_resource_of_its_statement(statement: dict[str, Any]) -> None:
    """IAM never grants an action on what it does not take: it would look granted and be denied."""
    if "*" in statement["resources"] or statement["sid"] in {sid for _, sid, _ in LISTS.values()}:
        return
    granted = {written_type(arn) for arn in statement["resources"]}
    for action in (action["name"] for action in statement["actions"]):
        assert granted & set(aws_types(action)), f"{action} takes {aws_types(action)}"


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
    statements = [statement for name in TEMPLATE_POLICIES["DispatcherPolicy"] for statement in policy(name)]
    matching = [
        statement
        for statement in statements
        if action in statement["Action"] and any(f":{kind}/" in resource for resource in statement["Resource"])
    ]

    assert matching
    for statement in matching:
        keys = [key for test in statement["Condition"].values() for key in test]
        assert any(condition in key for key in keys), statement["Sid"]


@pytest.mark.parametrize("name", sorted(path.stem for path in (INFRA / "policies").iterdir()))
def test_every_placeholder_of_a_policy_file_is_one_that_is_explained(name: str) -> None:
    text = (INFRA / "policies" / f"{name}.json").read_text()
    explained = {"partition", "region", "account", "dns_suffix", "deployment"}
    explained |= {placeholder for placeholder, (policy, _, _) in LISTS.items() if policy == name}

    assert set(re.findall(r"\$\{([^}]*)\}", text)) <= explained


def test_the_policies_fit_iams_limits_with_the_longest_names() -> None:
    for where, document in documents(Stack(WITH_ALL, LONGEST)):
        limit = ROLE_POLICIES_CHARS_MAX if "." in where else MANAGED_POLICY_CHARS_MAX
        assert len(re.sub(r"\s", "", json.dumps(document))) <= limit, where
