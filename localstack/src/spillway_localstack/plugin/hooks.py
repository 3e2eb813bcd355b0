"""Runs once when LocalStack starts, before it answers anything."""

from __future__ import annotations

import os
import threading
import time

from localstack.runtime import events, hooks

# How long requests under way may still take after SIGTERM.
EXIT_SECONDS = 1.0


@hooks.on_infra_start()
def install() -> None:
    """Adds our endpoints, our faults and our ears to LocalStack."""
    from localstack.aws import handlers
    from localstack.services.edge import ROUTER

    from spillway_localstack.plugin import injection, loading
    from spillway_localstack.plugin.ec2 import instances
    from spillway_localstack.plugin.routes import SpillwayRoutes

    threading.Thread(target=_leave_soon_after_stop, name="spillway-exit", daemon=True).start()
    loading.install()
    instances.install()
    ROUTER.add(SpillwayRoutes())
    handlers.serve_custom_service_request_handlers.append(injection.refuse)
    handlers.run_custom_response_handlers.append(injection.lose_answer)


def _leave_soon_after_stop() -> None:
    # LocalStack's orderly shutdown loads every service's shutdown hook, and waits for clients that keep their
    # connections open for up to a minute. Nothing here is kept over a restart: there is nothing to wait for.
    events.infra_stopping.wait()
    time.sleep(EXIT_SECONDS)
    os._exit(0)
