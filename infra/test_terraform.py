"""The Terraform module makes what the template makes: same resources, same names, same rights, same alarms."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloudformation import TEMPLATE, WITH_ALL, Names, Stack, listed, plain
from terraform_module import MODULE, POLICIES, Module, blocks

# The same wishes, to the template and to the module.
ALL = {
    "producer_arns": [WITH_ALL["ProducerArns"]],
    "dispatcher_service": WITH_ALL["DispatcherService"],
    "create_execution_role": True,
    "job_role_arns": WITH_ALL["JobRoleArns"].split(","),
    "job_secret_arns": WITH_ALL["JobSecretArns"].split(","),
    "job_parameter_arns": WITH_ALL["JobParameterArns"].split(","),
    "job_event_arns": WITH_ALL["JobEventArns"].split(","),
    "alarm_topic_arn": WITH_ALL["AlarmTopicArn"],
    "vpc_id": WITH_ALL["VpcId"],
}


def camel(name: str) -> str:
    """A Terraform name as CloudFormation writes it."""
    return "".join(word.capitalize() for word in name.split("_"))


# Nothing, each wish alone, and all of them.
CASES = {"nothing": {}, **{name: {name: value} for name, value in ALL.items()}, "everything": ALL}
BOTH = pytest.mark.parametrize(
    ("stack", "module"),
    [
        pytest.param(Stack({camel(key): WITH_ALL[camel(key)] for key in wishes}), Module(wishes), id=name)
        for name, wishes in CASES.items()
    ],
)

# What each type of resource is called on the other side. Terraform's other types are parts of these.
TYPES = {
    "AWS::SQS::Queue": "aws_sqs_queue",
    "AWS::DynamoDB::Table": "aws_dynamodb_table",
    "AWS::SQS::QueuePolicy": "aws_sqs_queue_policy",
    "AWS::Events::Rule": "aws_cloudwatch_event_rule",
    "AWS::ECS::Cluster": "aws_ecs_cluster",
    "AWS::Logs::LogGroup": "aws_cloudwatch_log_group",
    "AWS::EC2::SecurityGroup": "aws_security_group",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::IAM::InstanceProfile": "aws_iam_instance_profile",
    "AWS::IAM::ManagedPolicy": "aws_iam_policy",
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
}
PARTS = {"aws_cloudwatch_event_target", "aws_iam_role_policy", "aws_iam_role_policy_attachment"}


def snake(name: str) -> str:
    """A CloudFormation name as Terraform writes it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def tags(properties: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties["Tags"]}


def statements(document: Any) -> list[dict[str, Any]]:
    """The statements of a policy in their plain form, in the order of their names."""
    parsed = json.loads(document) if isinstance(document, str) else document
    made = [plain({"Resource": [], "Sid": ""} | statement) for statement in parsed["Statement"]]
    for statement in made:
        if isinstance(statement.get("Principal"), dict):
            statement["Principal"] = {kind: sorted(listed(who)) for kind, who in statement["Principal"].items()}
    return sorted(made, key=lambda statement: statement["Sid"])


@BOTH
def test_both_make_the_same_resources(stack: Stack, module: Module) -> None:
    of_template = {kind: len(stack.resources(kind)) for kind in TYPES}
    of_module = {kind: len(module.resources(name)) for kind, name in TYPES.items()}

    assert of_template == of_module
    assert {resource["Type"] for resource in TEMPLATE["Resources"].values()} == TYPES.keys()
    assert {kind for kind, _ in module.all} == set(TYPES.values()) | PARTS


@BOTH
def test_both_make_the_same_queues(stack: Stack, module: Module) -> None:
    of_template = {
        queue["QueueName"]: (
            queue["MessageRetentionPeriod"],
            queue.get("VisibilityTimeout"),
            queue.get("ReceiveMessageWaitTimeSeconds"),
            queue["SqsManagedSseEnabled"],
            queue.get("RedrivePolicy"),
        )
        for queue in stack.resources("AWS::SQS::Queue").values()
    }
    of_module = {
        queue["name"]: (
            queue["message_retention_seconds"],
            queue.get("visibility_timeout_seconds"),
            queue.get("receive_wait_time_seconds"),
            queue["sqs_managed_sse_enabled"],
            json.loads(queue.get("redrive_policy", "null")),
        )
        for queue in module.resources("aws_sqs_queue").values()
    }

    assert of_template == of_module


@BOTH
def test_both_make_the_same_table(stack: Stack, module: Module) -> None:
    of_template = [
        (
            table["TableName"],
            table["BillingMode"],
            [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]],
            sorted((a["AttributeName"], a["AttributeType"]) for a in table["AttributeDefinitions"]),
            table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
        )
        for table in stack.resources("AWS::DynamoDB::Table").values()
    ]
    of_module = [
        (
            table["name"],
            table["billing_mode"],
            [(table["hash_key"], "HASH"), (table["range_key"], "RANGE")],
            sorted((attribute["name"], attribute["type"]) for attribute in table["attribute"]),
            table["point_in_time_recovery"][0]["enabled"],
        )
        for table in module.resources("aws_dynamodb_table").values()
    ]

    assert of_template == of_module


@BOTH
def test_both_let_the_same_write_to_each_queue(stack: Stack, module: Module) -> None:
    of_template = {
        queue: statements(policy["PolicyDocument"])
        for policy in stack.resources("AWS::SQS::QueuePolicy").values()
        for queue in policy["Queues"]
    }
    policies = module.resources("aws_sqs_queue_policy").values()

    assert of_template == {policy["queue_url"]: statements(policy["policy"]) for policy in policies}


@BOTH
def test_both_pass_on_the_same_events(stack: Stack, module: Module) -> None:
    of_template = {
        rule["Name"]: (rule["Description"], rule["EventPattern"], [(t["Id"], t["Arn"]) for t in rule["Targets"]])
        for rule in stack.resources("AWS::Events::Rule").values()
    }
    targets = module.resources("aws_cloudwatch_event_target").values()
    of_module = {
        rule["name"]: (
            rule["description"],
            json.loads(rule["event_pattern"]),
            [(target["target_id"], target["arn"]) for target in targets if target["rule"] == rule["name"]],
        )
        for rule in module.resources("aws_cloudwatch_event_rule").values()
    }

    assert of_template == of_module


@BOTH
def test_both_make_the_same_cluster_log_group_and_security_group(stack: Stack, module: Module) -> None:
    (cluster,) = stack.resources("AWS::ECS::Cluster").values()
    (log_group,) = stack.resources("AWS::Logs::LogGroup").values()
    (group,) = stack.resources("AWS::EC2::SecurityGroup").values()
    (tf_cluster,) = module.resources("aws_ecs_cluster").values()
    (tf_log_group,) = module.resources("aws_cloudwatch_log_group").values()
    (tf_group,) = module.resources("aws_security_group").values()

    assert (cluster["ClusterName"], tags(cluster)) == (tf_cluster["name"], tf_cluster["tags"])
    assert log_group == {
        "LogGroupName": tf_log_group["name"],
        "RetentionInDays": tf_log_group["retention_in_days"],
    }
    assert (group["GroupDescription"], tags(group)) == (tf_group["description"], tf_group["tags"])
    assert group.get("VpcId") == tf_group["vpc_id"]
    assert "ingress" not in tf_group
    assert tf_group["egress"] == [
        {"from_port": 0, "to_port": 0, "protocol": "-1", "cidr_blocks": ["0.0.0.0/0"], "ipv6_cidr_blocks": ["::/0"]}
    ]


@BOTH
def test_both_make_the_same_roles_with_the_same_trust_and_the_same_rights(stack: Stack, module: Module) -> None:
    def trust(document: Any) -> list[dict[str, Any]]:
        return statements(document)

    of_template = {
        role["RoleName"]: (
            role["Description"],
            trust(role["AssumeRolePolicyDocument"]),
            {policy["PolicyName"]: statements(policy["PolicyDocument"]) for policy in role.get("Policies", [])},
            role.get("ManagedPolicyArns", []),
        )
        for role in stack.resources("AWS::IAM::Role").values()
    }
    inline = module.resources("aws_iam_role_policy").values()
    attached = module.resources("aws_iam_role_policy_attachment").values()
    of_module = {
        role["name"]: (
            role["description"],
            trust(role["assume_role_policy"]),
            {policy["name"]: statements(policy["policy"]) for policy in inline if policy["role"] == role["name"]},
            [one["policy_arn"] for one in attached if one["role"] == role["name"]],
        )
        for role in module.resources("aws_iam_role").values()
    }

    assert of_template == of_module


@BOTH
def test_both_make_the_same_policies(stack: Stack, module: Module) -> None:
    of_template = {
        policy["ManagedPolicyName"]: (policy["Description"], statements(policy["PolicyDocument"]))
        for policy in stack.resources("AWS::IAM::ManagedPolicy").values()
    }
    policies = module.resources("aws_iam_policy").values()

    assert of_template == {p["name"]: (p["description"], statements(p["policy"])) for p in policies}


@BOTH
def test_both_make_the_same_instance_profiles(stack: Stack, module: Module) -> None:
    profiles = stack.resources("AWS::IAM::InstanceProfile").values()
    of_template = {profile["InstanceProfileName"]: profile["Roles"] for profile in profiles}
    of_module = module.resources("aws_iam_instance_profile").values()

    assert of_template == {profile["name"]: [profile["role"]] for profile in of_module}


def alarm_of_template(alarm: dict[str, Any]) -> dict[str, Any]:
    """An alarm of CloudFormation as Terraform writes it."""

    def metric(properties: dict[str, Any]) -> dict[str, Any]:
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in properties["Dimensions"]}
        return {"namespace": properties["Namespace"], "metric_name": properties["MetricName"], "dimensions": dimensions}

    renamed = {"Id": "id", "Label": "label", "Expression": "expression", "ReturnData": "return_data"}
    queries = []
    for query in alarm.get("Metrics", []):
        written = {renamed[key]: value for key, value in query.items() if key != "MetricStat"}
        if stat := query.get("MetricStat"):
            written["metric"] = [metric(stat["Metric"]) | {"period": stat["Period"], "stat": stat["Stat"]}]
        queries.append(written)
    special = {"Metrics", "Namespace", "MetricName", "Dimensions", "OKActions"}
    plain_ones = {snake(key): value for key, value in alarm.items() if key not in special}
    actions = {"alarm_actions": alarm.get("AlarmActions", []), "ok_actions": alarm.get("OKActions", [])}
    return plain_ones | actions | ({"metric_query": queries} if queries else metric(alarm))


@BOTH
def test_both_make_the_same_alarms(stack: Stack, module: Module) -> None:
    of_template = [alarm_of_template(alarm) for alarm in stack.resources("AWS::CloudWatch::Alarm").values()]
    of_module = list(module.resources("aws_cloudwatch_metric_alarm").values())

    def by_name(alarms: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {alarm["alarm_name"]: alarm for alarm in alarms}

    assert by_name(of_template) == by_name(of_module)


def test_the_module_makes_no_alarm_if_it_is_told_not_to() -> None:
    assert Module({"create_alarms": False}).resources("aws_cloudwatch_metric_alarm") == {}


def test_every_parameter_is_a_variable_with_the_same_default_and_the_same_limits() -> None:
    variables = {name: block for (name,), block in blocks("variable").items()}
    words = {"yes": True, "no": False}
    module = Module()

    assert variables.keys() == {snake(name) for name in TEMPLATE["Parameters"]}
    for name, parameter in TEMPLATE["Parameters"].items():
        block = variables[snake(name)]
        default = module.value(block["default"])
        expected = words.get(parameter["Default"], parameter["Default"])
        assert default == expected or (expected == "" and default in (None, [])), name
        assert block["description"], name
        condition = str(block.get("validation", ""))
        for key in ("MinValue", "MaxValue"):
            assert key not in parameter or str(parameter[key]) in condition, name
        if isinstance(default, bool):
            continue
        for value in parameter.get("AllowedValues", []):
            assert str(value) in condition, name


def test_every_output_of_the_template_is_one_of_the_module() -> None:
    outputs = {name for (name,) in blocks("output")}

    assert outputs == {snake(name) for name in TEMPLATE["Outputs"]}


def test_the_modules_page_lists_every_variable_with_its_default_and_every_output() -> None:
    page = (MODULE / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", page, re.MULTILINE))
    module = Module()

    defaults = {name: module.value(block["default"]) for (name,), block in blocks("variable").items()}
    assert {name: json.loads(default) for name, default in rows.items()} == defaults
    assert {name for (name,) in blocks("output")} <= set(re.findall(r"`(\w+)`", page))


def test_every_reference_of_the_module_leads_somewhere() -> None:
    text = "".join(file.read_text() for file in MODULE.glob("*.tf"))
    variables = {name for (name,) in blocks("variable")}
    resources = blocks("resource").keys()

    assert set(re.findall(r"\bvar\.(\w+)", text)) == variables
    references = set(re.findall(r"(?<![\w.])(aws_\w+)\.(\w+)[.\[]", text))
    assert references
    assert references <= resources


terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")


def run_terraform(folder: Path, *arguments: str, text: str = "") -> str:
    home = {"PATH": str(Path(shutil.which("terraform") or "").parent), "HOME": str(folder), "CHECKPOINT_DISABLE": "1"}
    done = subprocess.run(
        ["terraform", *arguments],
        cwd=folder,
        input=text,
        env=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@terraform
def test_the_module_is_formatted_as_terraform_does(tmp_path: Path) -> None:
    copy = shutil.copytree(MODULE, tmp_path / "module")

    assert run_terraform(copy, "fmt", "-check", "-diff") == ""


@terraform
@pytest.mark.parametrize("policy", ["dispatcher", "producer"])
def test_terraform_itself_reads_the_policies_as_this_test_does(policy: str, tmp_path: Path) -> None:
    """Without a provider, so that it needs no network: what the account would answer is written in."""
    names = Names()
    text = (MODULE / "iam.tf").read_text()
    expression = re.search(rf'resource "aws_iam_policy" "{policy}" .*?\n  policy\s+= (.*?)\n}}\n', text, re.DOTALL)
    assert expression
    written = re.search(r"^locals \{.*?^\}", text, re.DOTALL | re.MULTILINE)
    assert written
    given = {
        "data.aws_partition.current.partition": names.partition,
        "data.aws_partition.current.dns_suffix": names.dns_suffix,
        "data.aws_region.current.region": names.region,
        "data.aws_caller_identity.current.account_id": names.account,
    }
    locals_text = written[0]
    for reference, value in given.items():
        locals_text = locals_text.replace(reference, json.dumps(value))
    module = tmp_path / "terraform"
    module.mkdir()
    shutil.copytree(POLICIES, tmp_path / "policies")
    shutil.copy(MODULE / "variables.tf", module)
    outcome = f"  answer = {expression[1]}\n"
    (module / "main.tf").write_text(f"{locals_text}\nlocals {{\n{outcome}}}\n")
    (module / "all.auto.tfvars.json").write_text(json.dumps(ALL | {"deployment": names.deployment}))

    answer = run_terraform(module, "console", text="local.answer\n")

    expected = Module(ALL, names).resources("aws_iam_policy")[policy]["policy"]
    assert statements(json.loads(json.loads(answer))) == statements(expected)
