"""ECS's operations. Each reads its request, asks the cluster, and shapes the answer; what is not here is moto's."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from localstack.aws.api import RequestContext, handler
from localstack.services.moto import call_moto
from moto.ec2.models import ec2_backends

from spillway_localstack.plugin.ecs import placement
from spillway_localstack.plugin.ecs.cluster import Cluster
from spillway_localstack.plugin.ecs.errors import ClientError, EcsError, InvalidParameterError
from spillway_localstack.plugin.ecs.registry import REGISTRY, task_definition
from spillway_localstack.plugin.ecs.resources import JsonObject
from spillway_localstack.plugin.ecs.task import Task
from spillway_localstack.plugin.events import Scope

# ECS API reference: the largest page, and the most ids that one Describe call takes.
PAGE_MAX = 100
# ECS API reference, UpdateContainerInstancesState.
STATE_UPDATE_MAX = 10

Entry = TypeVar("Entry")


class EcsProvider:
    """Clusters, definitions, services are moto's; container instances and tasks are ours."""

    service = "ecs"

    # -- clusters

    @handler("DescribeClusters", expand=False)
    def describe_clusters(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """moto's answer with our counts."""
        del request
        answer = call_moto(context)
        for shown in answer.get("clusters") or []:
            cluster = REGISTRY.cluster(scope_of(context), shown["clusterName"])
            counts = cluster.counts()
            hosts = counts["containerInstances"]
            shown["registeredContainerInstancesCount"] = hosts.get("ACTIVE", 0) + hosts.get("DRAINING", 0)
            shown["runningTasksCount"] = counts["tasks"].get("RUNNING", 0)
            shown["pendingTasksCount"] = counts["tasks"].get("PENDING", 0)
        return answer

    @handler("DeleteCluster", expand=False)
    def delete_cluster(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Refused while instances are registered."""
        hosts = _cluster(context, request).counts()["containerInstances"]
        if hosts.get("ACTIVE", 0) + hosts.get("DRAINING", 0) > 0:
            raise EcsError(
                "The Cluster cannot be deleted while Container Instances are active or draining.",
                code="ClusterContainsContainerInstancesException",
            )
        return call_moto(context)

    # -- container instances

    @handler("RegisterContainerInstance", expand=False)
    def register_container_instance(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Takes the agent's word for the size, EC2's for whether the instance lives."""
        cluster = _cluster(context, request)
        try:
            instance_id = json.loads(request.get("instanceIdentityDocument") or "")["instanceId"]
        except (ValueError, KeyError, TypeError) as error:
            raise ClientError("The instance identity document is not valid.") from error
        backend = ec2_backends[context.account_id][context.region]
        states = {each.id: each.state for each in backend.all_instances()}
        if states.get(instance_id) not in ("pending", "running"):
            raise InvalidParameterError(f"The instance {instance_id} is not running.")
        instance = cluster.register(instance_id, request)
        return {"containerInstance": cluster.instance_json(instance)}

    @handler("DescribeContainerInstances", expand=False)
    def describe_container_instances(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Up to 100; tags only on demand, as ECS does."""
        cluster = _cluster(context, request)
        references = _references(request, "containerInstances")
        with cluster.lock:
            cluster.refresh()
            found, failures = cluster.find_instances(references)
            with_tags = "TAGS" in (request.get("include") or [])
            shown = [cluster.instance_json(each, with_tags) for each in found]
        return {"containerInstances": shown, "failures": failures}

    @handler("ListContainerInstances", expand=False)
    def list_container_instances(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """ACTIVE and DRAINING ones; INACTIVE ones are only described."""
        cluster = _cluster(context, request)
        wanted = request.get("status")
        with cluster.lock:
            arns = [
                each.arn
                for each in cluster.instances.values()
                if each.status != "INACTIVE" and wanted in (None, each.status)
            ]
        page, token = _page(arns, request)
        return {"containerInstanceArns": page} | token

    @handler("UpdateContainerInstancesState", expand=False)
    def update_container_instances_state(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Up to ten."""
        cluster = _cluster(context, request)
        references = _references(request, "containerInstances", STATE_UPDATE_MAX)
        changed, failures = cluster.set_state(references, request.get("status") or "")
        return {
            "containerInstances": [cluster.instance_json(each) for each in changed],
            "failures": failures,
        }

    @handler("DeregisterContainerInstance", expand=False)
    def deregister_container_instance(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Needs ``force`` while tasks are alive."""
        cluster = _cluster(context, request)
        instance = cluster.deregister(request.get("containerInstance") or "", bool(request.get("force")))
        return {"containerInstance": cluster.instance_json(instance)}

    # -- tasks

    @handler("RunTask", expand=False)
    def run_task(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Answers 200 with ``failures`` where nothing fits."""
        definition = task_definition(scope_of(context), request["taskDefinition"])
        return _placed(placement.run_task(_cluster(context, request), definition, request))

    @handler("StartTask", expand=False)
    def start_task(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """The same on named instances."""
        definition = task_definition(scope_of(context), request["taskDefinition"])
        return _placed(placement.start_task(_cluster(context, request), definition, request))

    @handler("StopTask", expand=False)
    def stop_task(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Changes the wish, not the state."""
        task = _cluster(context, request).stop_task(request.get("task") or "", request.get("reason"))
        return {"task": task.to_json()}

    @handler("DescribeTasks", expand=False)
    def describe_tasks(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Up to 100; those that are not known are ``failures``."""
        cluster = _cluster(context, request)
        with_tags = "TAGS" in (request.get("include") or [])
        shown: list[JsonObject] = []
        failures: list[JsonObject] = []
        with cluster.lock:
            cluster.refresh()
            for reference in _references(request, "tasks"):
                task = cluster.find_task(reference)
                if task is None:
                    task_id = reference.rsplit("/", 1)[-1]
                    arn = f"{cluster.arn_prefix}:task/{cluster.name}/{task_id}"
                    failures.append({"arn": arn, "reason": "MISSING"})
                else:
                    shown.append(task.to_json(with_tags))
        return {"tasks": shown, "failures": failures}

    @handler("ListTasks", expand=False)
    def list_tasks(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """By desired status, RUNNING if none is given: an ended task is found only by asking for STOPPED."""
        filters = ("containerInstance", "family", "serviceName")
        if request.get("startedBy") and any(request.get(name) for name in filters):
            raise InvalidParameterError("startedBy must be the only filter that you use.")
        cluster = _cluster(context, request)
        with cluster.lock:
            cluster.refresh()
            arns = [task.arn for task in cluster.tasks.values() if _is_listed(task, request)]
        page, token = _page(arns, request)
        return {"taskArns": page} | token

    # -- what agents call

    @handler("SubmitTaskStateChange", expand=False)
    def submit_task_state_change(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """The only way from PENDING to RUNNING."""
        _cluster(context, request).submit_task(request)
        return {"acknowledgment": "OK"}

    @handler("SubmitContainerStateChange", expand=False)
    def submit_container_state_change(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """One container's news."""
        _cluster(context, request).submit_container(request)
        return {"acknowledgment": "OK"}

    @handler("DiscoverPollEndpoint", expand=False)
    def discover_poll_endpoint(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Our agent polls over HTTP; a real one would look for a websocket here and find none."""
        del context, request
        raise NotImplementedError

    # -- tags

    @handler("TagResource", expand=False)
    def tag_resource(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Ours for tasks and container instances."""
        tags = _tags_of(context, request["resourceArn"])
        if tags is None:
            return call_moto(context)
        merged = {tag["key"]: tag for tag in tags + (request.get("tags") or [])}
        tags[:] = merged.values()
        return {}

    @handler("UntagResource", expand=False)
    def untag_resource(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Ours for tasks and container instances."""
        tags = _tags_of(context, request["resourceArn"])
        if tags is None:
            return call_moto(context)
        tags[:] = [tag for tag in tags if tag["key"] not in (request.get("tagKeys") or [])]
        return {}

    @handler("ListTagsForResource", expand=False)
    def list_tags_for_resource(self, context: RequestContext, request: JsonObject) -> JsonObject:
        """Ours for tasks and container instances."""
        tags = _tags_of(context, request["resourceArn"])
        return call_moto(context) if tags is None else {"tags": tags}


def scope_of(context: RequestContext) -> Scope:
    """Whose request this is, and where."""
    return Scope(context.account_id, context.region)


def _cluster(context: RequestContext, request: JsonObject) -> Cluster:
    return REGISTRY.cluster(scope_of(context), request.get("cluster"))


def _references(request: JsonObject, key: str, most: int = PAGE_MAX) -> list[str]:
    references = request.get(key) or []
    if not 1 <= len(references) <= most:
        raise InvalidParameterError(f"{key} must name between 1 and {most}.")
    return list(references)


def _placed(placed: placement.Placed) -> JsonObject:
    return {"tasks": [task.to_json() for task in placed.tasks], "failures": placed.failures}


def _is_listed(task: Task, request: JsonObject) -> bool:
    host = request.get("containerInstance")
    return (
        task.desired_status == (request.get("desiredStatus") or "RUNNING")
        and request.get("startedBy") in (None, task.started_by)
        and request.get("family") in (None, task.family)
        and (host is None or task.container_instance_arn.rsplit("/", 1)[-1] == host.rsplit("/", 1)[-1])
        and request.get("serviceName") is None
        and request.get("launchType") in (None, "EC2")
    )


def _page(entries: list[Entry], request: JsonObject) -> tuple[list[Entry], dict[str, Any]]:
    size = min(int(request.get("maxResults") or PAGE_MAX), PAGE_MAX)
    try:
        start = int(request.get("nextToken") or 0)
    except ValueError as error:
        raise InvalidParameterError("Invalid token") from error
    end = start + size
    return entries[start:end], ({"nextToken": str(end)} if end < len(entries) else {})


def _tags_of(context: RequestContext, arn: str) -> list[JsonObject] | None:
    kind, _, rest = arn.rsplit(":", 1)[-1].partition("/")
    if kind not in ("task", "container-instance"):
        return None
    cluster = REGISTRY.cluster(scope_of(context), rest.partition("/")[0])
    if kind == "task":
        task = cluster.find_task(arn)
        if task is not None:
            return task.tags
    else:
        found, _ = cluster.find_instances([arn])
        if found:
            return found[0].tags
    raise InvalidParameterError("The specified resource was not found.")
