"""The stock clients of AWS Batch, boto3 and the aws CLI, against an address that speaks its API.

They judge the answers: what they cannot read, or do not find, fails. Run by the tests of the program as
`stock_clients.py ENDPOINT [QUEUE]`; it knows nothing of Spillway.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

WAIT_SECONDS = 120.0
PAUSE_SECONDS = 0.2
SMALL = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "128"}]


class Batch:
    """boto3's client, and what is asked of it again and again."""

    def __init__(self, queue: str) -> None:
        self.client = boto3.client("batch")
        self.queue = queue
        self.definition = f"stock-{uuid.uuid4().hex[:8]}"

    def submit(self, name: str, script: str, **more: Any) -> str:
        overrides = {"command": ["sh", "-c", script], "environment": [{"name": "WHO", "value": name}]}
        answer = self.client.submit_job(
            jobName=name, jobQueue=self.queue, jobDefinition=self.definition, containerOverrides=overrides, **more
        )
        assert answer["jobName"] == name, answer
        assert answer["jobArn"].endswith(answer["jobId"]), answer
        return str(answer["jobId"])

    def describe(self, job: str) -> dict[str, Any]:
        jobs = self.client.describe_jobs(jobs=[job])["jobs"]
        assert len(jobs) == 1, f"a job that was submitted is never unknown: {job}"
        return dict(jobs[0])

    def until(self, job: str, *statuses: str) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_SECONDS
        while (seen := self.describe(job))["status"] not in statuses:
            assert time.monotonic() < deadline, seen
            time.sleep(PAUSE_SECONDS)
        return seen


def definitions(batch: Batch) -> None:
    properties = {"image": "busybox", "command": ["true"], "resourceRequirements": SMALL}
    first, second = (
        batch.client.register_job_definition(
            jobDefinitionName=batch.definition,
            type="container",
            containerProperties=properties,
            retryStrategy={"attempts": 1},
            parameters={"nf-token": token},
        )
        for token in ("a", "b")
    )
    assert (first["revision"], second["revision"]) == (1, 2)
    pages = batch.client.get_paginator("describe_job_definitions").paginate(
        jobDefinitionName=batch.definition, status="ACTIVE", PaginationConfig={"PageSize": 1}
    )
    found = [definition for page in pages for definition in page["jobDefinitions"]]
    assert [definition["revision"] for definition in found] == [2, 1]
    assert found[0]["parameters"] == {"nf-token": "b"}
    assert found[0]["type"] == "container"
    assert found[0]["containerProperties"]["image"] == "busybox"
    batch.client.deregister_job_definition(jobDefinition=first["jobDefinitionArn"])
    left = batch.client.describe_job_definitions(jobDefinitions=[batch.definition])["jobDefinitions"]
    assert {each["revision"]: each["status"] for each in left} == {1: "INACTIVE", 2: "ACTIVE"}


def jobs(batch: Batch) -> None:
    good = batch.submit("stock-good", "sleep 1; echo done", tags={"team": "stock"})
    bad = batch.submit("stock-bad", "exit 3", dependsOn=[{"jobId": good}])
    array = batch.submit("stock-array", "exit 0", arrayProperties={"size": 3})
    seen = batch.until(good, "SUCCEEDED", "FAILED")
    assert (seen["status"], seen["container"]["exitCode"]) == ("SUCCEEDED", 0), seen
    assert seen["jobDefinition"].endswith(f"/{batch.definition}:2")
    assert seen["tags"] == {"team": "stock"}
    assert seen["createdAt"] <= seen["startedAt"] < seen["stoppedAt"]
    assert len(seen["attempts"]) == 1
    assert {"name": "WHO", "value": "stock-good"} in seen["container"]["environment"]
    assert batch.client.list_tags_for_resource(resourceArn=seen["jobArn"])["tags"] == {"team": "stock"}
    seen = batch.until(bad, "SUCCEEDED", "FAILED")
    assert (seen["status"], seen["attempts"][0]["container"]["exitCode"]) == ("FAILED", 3), seen
    assert seen["dependsOn"] == [{"jobId": good}]
    assert seen["statusReason"]
    seen = batch.until(array, "SUCCEEDED", "FAILED")
    assert seen["arrayProperties"]["size"] == 3, seen
    assert seen["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 3, seen
    assert batch.describe(f"{array}:1")["arrayProperties"]["index"] == 1

    paginator = batch.client.get_paginator("list_jobs")
    pages = paginator.paginate(arrayJobId=array, jobStatus="SUCCEEDED", PaginationConfig={"PageSize": 2})
    sizes = [len(page["jobSummaryList"]) for page in pages]
    assert sizes == [2, 1], sizes
    filters = [{"name": "JOB_NAME", "values": ["STOCK-*"]}, {"name": "JOB_DEFINITION", "values": [batch.definition]}]
    pages = paginator.paginate(jobQueue=batch.queue, filters=filters, PaginationConfig={"PageSize": 2})
    names = [job["jobName"] for page in pages for job in page["jobSummaryList"]]
    assert names == ["stock-array", "stock-bad", "stock-good"], names


def orders(batch: Batch) -> None:
    long = batch.submit("stock-long", "sleep 100000")
    batch.until(long, "RUNNING")
    batch.client.terminate_job(jobId=long, reason="enough of it")
    seen = batch.until(long, "FAILED", "SUCCEEDED")
    assert seen["statusReason"] == "enough of it", seen
    first = batch.submit("stock-first", "sleep 100000")
    waits = batch.submit("stock-waits", "true", dependsOn=[{"jobId": first}])
    batch.client.cancel_job(jobId=waits, reason="not needed")
    assert batch.until(waits, "FAILED")["statusReason"] == "not needed"
    batch.client.terminate_job(jobId=first, reason="nor this")
    batch.until(first, "FAILED")


def places(batch: Batch) -> None:
    queue = batch.client.describe_job_queues(jobQueues=[batch.queue])["jobQueues"][0]
    assert (queue["state"], queue["status"]) == ("ENABLED", "VALID"), queue
    named = [each["computeEnvironment"] for each in queue["computeEnvironmentOrder"]]
    answer = batch.client.describe_compute_environments(computeEnvironments=named)
    assert answer["computeEnvironments"][0]["computeResources"]["type"] in ("EC2", "SPOT"), answer
    front = batch.client.get_job_queue_snapshot(jobQueue=queue["jobQueueArn"])["frontOfQueue"]
    assert front["lastUpdatedAt"] > 0
    assert isinstance(front["jobs"], list)


def mistakes(batch: Batch) -> None:
    for call in (
        lambda: batch.client.submit_job(jobName="x", jobQueue="no-such-queue", jobDefinition=batch.definition),
        lambda: batch.client.submit_job(jobName="x", jobQueue=batch.queue, jobDefinition="no-such-definition"),
        lambda: batch.client.terminate_job(jobId=str(uuid.uuid4()), reason="r"),
        lambda: batch.client.create_job_queue(jobQueueName="x", priority=1, computeEnvironmentOrder=[]),
    ):
        with pytest.raises(ClientError, match="ClientException.*: .+"):
            call()


def command_line(batch: Batch) -> None:
    def aws(*arguments: str) -> Any:
        program = Path(sys.executable).with_name("aws")
        ran = subprocess.run([program, "batch", *arguments], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout) if ran.stdout.strip() else None

    overrides = json.dumps({"command": ["sh", "-c", "exit 5"]})
    sent = aws(
        *("submit-job", "--job-name", "stock-cli", "--job-queue", batch.queue, "--job-definition", batch.definition),
        *("--container-overrides", overrides),
    )
    batch.until(sent["jobId"], "FAILED", "SUCCEEDED")
    described = aws("describe-jobs", "--jobs", sent["jobId"])["jobs"][0]
    assert (described["status"], described["container"]["exitCode"]) == ("FAILED", 5), described
    listed = aws("list-jobs", "--job-queue", batch.queue, "--job-status", "FAILED", "--max-items", "1")
    assert listed["jobSummaryList"][0]["jobName"] == "stock-cli", listed
    aws("terminate-job", "--job-id", sent["jobId"], "--reason", "it has ended already")


def main() -> None:
    endpoint, *rest = sys.argv[1:]
    os.environ |= {
        "AWS_ENDPOINT_URL_BATCH": endpoint,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    batch = Batch(rest[0] if rest else "default")
    for part in (definitions, jobs, orders, places, mistakes, command_line):
        part(batch)
        print(f"{part.__name__}: ok", flush=True)


if __name__ == "__main__":
    main()
