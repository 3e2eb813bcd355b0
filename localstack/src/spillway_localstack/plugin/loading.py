"""A service answers only once it is loaded whole.

LocalStack's loader calls a service loaded before it has added its operations, so that a request that comes meanwhile is
told that there is "no handler for operation". Pure but for `install`.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

    Load = Callable[[object, object, RequestContext, object], None]


def one_at_a_time(load: Load) -> Load:
    """The same, but whoever asks for a service that somebody else is loading waits until it is there."""
    locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
    locks_lock = threading.Lock()
    loaded: set[str] = set()

    def waiting(loader: object, chain: object, context: RequestContext, response: object) -> None:
        if not context.service or context.service.service_name in loaded:
            return
        name = context.service.service_name
        with locks_lock:
            lock = locks[name]
        with lock:
            load(loader, chain, context, response)
            loaded.add(name)

    return waiting


def install() -> None:
    """Has LocalStack's loader do so."""
    from localstack.aws.handlers.service_plugin import ServiceLoader

    ServiceLoader.require_service = one_at_a_time(ServiceLoader.require_service)
