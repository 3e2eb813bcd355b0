"""Faults in the way of requests: before the service sees one, or after it has done its work."""

from __future__ import annotations

from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.protocol.serializer import create_serializer

from spillway_localstack.plugin.faults import FAULTS, Fault

SERVER_ERROR_MIN = 500


def refuse(chain: Any, context: RequestContext, response: Any) -> None:  # noqa: ANN401
    """A request handler: the service never sees a call that a fault takes."""
    del chain, response
    if context.operation is None or context.is_internal_call:
        return
    fault = FAULTS.take_call(context.operation.name, context.service_request or {}, "before")
    if fault is not None:
        raise _error(fault)


def lose_answer(chain: Any, context: RequestContext, response: Any) -> None:  # noqa: ANN401
    """A response handler: the call did its work, and its caller never learns so."""
    del chain
    is_answer = context.operation is not None and context.service_response is not None
    if not is_answer or context.is_internal_call or context.service_exception is not None:
        return
    fault = FAULTS.take_call(context.operation.name, context.service_request or {}, "after")
    if fault is not None:
        serializer = create_serializer(context.service, context.protocol)
        response.update_from(
            serializer.serialize_error_to_response(
                _error(fault), context.operation, context.request.headers, context.request_id
            )
        )


def _error(fault: Fault) -> CommonServiceException:
    return CommonServiceException(
        fault.code,
        fault.message,
        status_code=fault.status,
        sender_fault=fault.status < SERVER_ERROR_MIN,
    )
