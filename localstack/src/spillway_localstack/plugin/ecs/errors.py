"""ECS's errors, as LocalStack turns them into answers."""

from __future__ import annotations

from localstack.aws.api import ServiceException


class EcsError(ServiceException):
    """The caller's fault, with ECS's own code."""

    code = "ClientException"
    status_code = 400
    sender_fault = True


class ClientError(EcsError):
    """Anything the caller did wrong that has no code of its own."""


class InvalidParameterError(EcsError):
    """A parameter that cannot be."""

    code = "InvalidParameterException"


class ClusterNotFoundError(EcsError):
    """No such cluster."""

    code = "ClusterNotFoundException"

    def __init__(self) -> None:
        """AWS's text."""
        super().__init__("Cluster not found.")


class ConflictError(EcsError):
    """A client token was used with other parameters; ``resourceIds`` are the tasks it started."""

    code = "ConflictException"

    def __init__(self, task_arns: list[str]) -> None:
        """Names the tasks that the token belongs to."""
        super().__init__("The clientToken was used with different parameters.", resourceIds=task_arns)
