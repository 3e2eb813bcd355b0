"""The commands: resources twice, the template, and the agent's messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from lab import Lab

TEMPLATE = Path(__file__).parents[2] / "infra" / "spillway.yaml"
# LocalStack takes twelve digits as access key for the account: here nothing exists yet.
EMPTY_ACCOUNT = "111111111111"


def run(*arguments: str, account: str = "test") -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "test"}
    return subprocess.run(
        [sys.executable, "-m", "spillway_localstack", *arguments],
        env=variables, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_resources_are_there_and_making_them_again_changes_nothing(lab: Lab) -> None:
    again = run("resources", "--endpoint", lab.endpoint, "--no-template")

    urls = lab.sqs.list_queues(QueueNamePrefix="spillway-")["QueueUrls"]
    names = sorted(url.rsplit("/", 1)[-1] for url in urls)
    rules = [rule["Name"] for rule in lab.events.list_rules(NamePrefix="spillway-")["Rules"]]
    profile = lab.iam.get_instance_profile(InstanceProfileName="spillway-host")["InstanceProfile"]
    assert again.returncode == 0, again.stderr
    assert names == ["spillway-events", "spillway-jobs", "spillway-jobs-dlq"]
    assert sorted(rules) == ["spillway-container-instances", "spillway-instances", "spillway-tasks"]
    assert [role["RoleName"] for role in profile["Roles"]] == ["spillway-host"]


@pytest.mark.skipif(not TEMPLATE.is_file(), reason="the template is not beside this folder")
def test_the_template_deploys_as_a_stack_and_leaves_nothing_to_add(lab: Lab) -> None:
    deployed = run("resources", "--endpoint", lab.endpoint, "--template", str(TEMPLATE), account=EMPTY_ACCOUNT)

    cloudformation = boto3.client(
        "cloudformation",
        endpoint_url=lab.endpoint,
        region_name="us-east-1",
        aws_access_key_id=EMPTY_ACCOUNT,
        aws_secret_access_key="test",
    )
    stack = cloudformation.describe_stacks(StackName="spillway")["Stacks"][0]
    resources = cloudformation.list_stack_resources(StackName="spillway")["StackResourceSummaries"]
    assert deployed.returncode == 0, deployed.stderr
    assert stack["StackStatus"] == "CREATE_COMPLETE", deployed.stderr
    assert {each["ResourceStatus"] for each in resources} == {"CREATE_COMPLETE"}
    assert "AWS::ECS::Cluster" in {each["ResourceType"] for each in resources}


def test_a_second_cloud_on_the_same_port_is_refused_with_a_hint(lab: Lab, tmp_path: Path) -> None:
    port = lab.endpoint.rsplit(":", 1)[-1]

    second = run("up", "--port", port, "--volume", str(tmp_path))

    assert second.returncode == 1
    assert "error: something answers on port" in second.stderr
    assert "hint: " in second.stderr


def test_the_endpoint_listens_on_loopback_only(lab: Lab) -> None:
    port = int(lab.endpoint.rsplit(":", 1)[-1])
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    if Path("/proc/net/tcp6").exists():
        rows += Path("/proc/net/tcp6").read_text().splitlines()[1:]

    listening = {
        address
        for row in rows
        for address, state in [(row.split()[1], row.split()[3])]
        if state == "0A" and int(address.rsplit(":", 1)[1], 16) == port
    }

    assert listening == {f"0100007F:{port:04X}"}
