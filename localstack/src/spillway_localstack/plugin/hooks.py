"""Runs once when LocalStack starts, before it answers anything, and once when it stops."""

from __future__ import annotations

import os
import threading

from localstack.runtime import hooks

# How long requests under way may still take after SIGTERM.
EXIT_SECONDS = 1.5


@hooks.on_infra_start()
def install() -> None:
    """Adds our endpoints, our faults and our ears to LocalStack."""
    from localstack.aws import handlers
    from localstack.services.edge import ROUTER

    from spillway_localstack.plugin import injection
    from spillway_localstack.plugin.ec2 import instances
    from spillway_localstack.plugin.routes import SpillwayRoutes

    instances.install()
    ROUTER.add(SpillwayRoutes())
    handlers.serve_custom_service_request_handlers.append(injection.refuse)
    handlers.run_custom_response_handlers.append(injection.lose_answer)


@hooks.on_infra_shutdown()
def leave_soon() -> None:
    """Ends the process even while clients keep their connections open.

    LocalStack's orderly shutdown waits for them, for up to a minute. Nothing here is kept over a restart.
    """
    timer = threading.Timer(EXIT_SECONDS, os._exit, [0])
    timer.daemon = True
    timer.start()
