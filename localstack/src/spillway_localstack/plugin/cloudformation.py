"""``AWS::ECS::Cluster`` for CloudFormation, which LocalStack's open core does not have."""

from __future__ import annotations

from typing import Any, ClassVar

from localstack.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)


class EcsClusterProvider(ResourceProvider):
    """Creates and deletes a cluster; tags and settings are passed on."""

    TYPE = "AWS::ECS::Cluster"
    SCHEMA: ClassVar[dict[str, Any]] = {
        "typeName": "AWS::ECS::Cluster",
        "primaryIdentifier": ["/properties/ClusterName"],
        "readOnlyProperties": ["/properties/Arn"],
        "createOnlyProperties": ["/properties/ClusterName"],
        "properties": {"ClusterName": {"type": "string"}, "Arn": {"type": "string"}},
        "handlers": {"create": {"permissions": []}, "delete": {"permissions": []}},
    }

    def create(self, request: ResourceRequest) -> ProgressEvent:
        """CreateCluster, which is idempotent by name."""
        model = request.desired_state
        if not model.get("ClusterName"):
            model["ClusterName"] = f"{request.stack_name}-{request.logical_resource_id}"
        settings = [{"name": each["Name"], "value": each["Value"]} for each in model.get("ClusterSettings") or []]
        tags = [{"key": each["Key"], "value": each["Value"]} for each in model.get("Tags") or []]
        answer = request.aws_client_factory.ecs.create_cluster(
            clusterName=model["ClusterName"], settings=settings, tags=tags
        )
        model["Arn"] = answer["cluster"]["clusterArn"]
        return _done(request)

    def delete(self, request: ResourceRequest) -> ProgressEvent:
        """DeleteCluster."""
        request.aws_client_factory.ecs.delete_cluster(cluster=request.desired_state["ClusterName"])
        return _done(request)

    def update(self, request: ResourceRequest) -> ProgressEvent:
        """A change of settings or tags is accepted and changes nothing."""
        return _done(request)


class EcsClusterPlugin(CloudFormationResourceProviderPlugin):
    """How LocalStack finds the provider."""

    name = "AWS::ECS::Cluster"

    def __init__(self) -> None:
        """Nothing to hold before ``load``."""
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        """Hands the provider over."""
        self.factory = EcsClusterProvider


def _done(request: ResourceRequest) -> ProgressEvent:
    return ProgressEvent(
        status=OperationStatus.SUCCESS,
        resource_model=request.desired_state,
        custom_context=request.custom_context,
    )
