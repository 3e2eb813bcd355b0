"""Which code answers an operation of a service that LocalStack's open core does not have."""

from __future__ import annotations

from typing import Any

from localstack.aws.skeleton import DispatchTable, create_dispatch_table
from localstack.services.moto import call_moto


def with_moto(provider: object, model: Any) -> DispatchTable:  # noqa: ANN401 - botocore's ServiceModel
    """The provider's operations; every other operation of the model is moto's."""
    table: DispatchTable = {name: lambda context, _request: call_moto(context) for name in model.operation_names}
    table.update(create_dispatch_table(provider))
    return table
