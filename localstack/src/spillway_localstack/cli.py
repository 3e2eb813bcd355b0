"""The command line: ``serve``, ``agent``, ``resources``, ``up``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from spillway_localstack.resources import CLUSTER
from spillway_localstack.server import HOST, serve
from spillway_localstack.up import follow, up

PORT_DEFAULT = 4566
REGION_DEFAULT = "us-east-1"
TEMPLATE = Path("infra") / "spillway.yaml"


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    if getattr(options, "parent", None):
        follow(options.parent)
    match options.command:
        case "serve":
            return serve(options.host, options.port, options.volume)
        case "agent":
            return _agent(options)
        case "resources":
            _resources(options.endpoint, options)
            return 0
        case _:
            return up(
                options.port,
                options.volume,
                _agent_arguments(options),
                lambda endpoint: _resources(endpoint, options),
                _say,
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spillway_localstack",
        description="LocalStack as a cloud that runs ECS tasks. Listens on 127.0.0.1 only.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    server = commands.add_parser("serve", help="LocalStack with the plugin")
    _add_server(server)
    server.add_argument("--host", default=HOST, help="only for a container whose port is published on loopback")

    agent = commands.add_parser("agent", help="stands in for the ECS agent on every host of a cluster")
    _add_endpoint(agent)
    _add_agent(agent)

    resources = commands.add_parser("resources", help="creates queues, rules, cluster, instance profile")
    _add_endpoint(resources)
    _add_template(resources)

    together = commands.add_parser("up", help="serve, resources and agent in one; prints `ready URL`")
    _add_server(together)
    _add_agent(together)
    _add_template(together)
    together.add_argument("--region", default=REGION_DEFAULT)

    for child in (server, agent, together):
        child.add_argument("--parent", type=int, help="end when this process, which started it, has ended")
    return parser


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=PORT_DEFAULT)
    parser.add_argument(
        "--volume", type=Path, default=Path(".spillway-localstack"), help="where LocalStack keeps files"
    )


def _add_endpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--endpoint", default=f"http://127.0.0.1:{PORT_DEFAULT}")
    parser.add_argument("--region", default=REGION_DEFAULT)


def _add_agent(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cluster", default=CLUSTER)
    parser.add_argument("--runner", choices=("auto", "docker", "process"), default="auto")
    parser.add_argument("--boot-seconds", type=float, default=1.0, help="from running to registered")
    parser.add_argument(
        "--overhead-percent",
        type=int,
        default=5,
        choices=range(100),
        metavar="0..99",
        help="memory that a host keeps for itself",
    )
    parser.add_argument("--stop-timeout-seconds", type=float, default=30.0, help="from SIGTERM to SIGKILL")
    parser.add_argument("--poll-seconds", type=float, default=0.2)
    parser.add_argument("--docker-network", help="passed to docker as --network; `none` needs no bridge")


def _add_template(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--template", type=Path, help=f"CloudFormation template; {TEMPLATE} if it is here or above")
    parser.add_argument("--no-template", action="store_true", help="create everything by API calls")


def _agent_arguments(options: argparse.Namespace) -> list[str]:
    arguments = [
        "--region", options.region,
        "--cluster", options.cluster,
        "--runner", options.runner,
        "--boot-seconds", str(options.boot_seconds),
        "--overhead-percent", str(options.overhead_percent),
        "--stop-timeout-seconds", str(options.stop_timeout_seconds),
        "--poll-seconds", str(options.poll_seconds),
    ]  # fmt: skip
    if options.docker_network:
        arguments += ["--docker-network", options.docker_network]
    return arguments


def _agent(options: argparse.Namespace) -> int:
    from spillway_localstack.agent.cloud import Cloud
    from spillway_localstack.agent.docker_runner import DockerRunner, is_docker_there
    from spillway_localstack.agent.loop import Agent, Settings
    from spillway_localstack.agent.process_runner import ProcessRunner
    from spillway_localstack.agent.runner import Runner

    is_docker = options.runner == "docker" or (options.runner == "auto" and is_docker_there())
    if options.runner == "docker" and not is_docker_there():
        _say("error: no Docker engine answers")
        _say("hint: start one, or use --runner process")
        return 1
    runner: Runner = DockerRunner(options.docker_network) if is_docker else ProcessRunner()
    ways = {"docker": "as Docker containers", "process": "as local processes, without images or limits"}
    _say(f"agent: cluster {options.cluster} at {options.endpoint}; tasks run {ways[runner.name]}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    cloud = Cloud(options.endpoint, options.region, options.cluster, options.overhead_percent)
    settings = Settings(options.boot_seconds, options.poll_seconds, options.stop_timeout_seconds)
    Agent(cloud, runner, settings, lambda text: _say(f"agent: {text}")).run(stop)
    return 0


def _resources(endpoint: str, options: argparse.Namespace) -> None:
    from spillway_localstack.resources import create

    template = None if options.no_template else options.template or _find_template()
    create(endpoint, options.region, template, lambda text: _say(f"resources: {text}"))


def _find_template() -> Path | None:
    here = Path.cwd()
    return next((each / TEMPLATE for each in (here, *here.parents) if (each / TEMPLATE).is_file()), None)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
