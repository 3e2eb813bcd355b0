"""Runs once when LocalStack starts, before it answers anything."""

from __future__ import annotations

from localstack.runtime import hooks


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
