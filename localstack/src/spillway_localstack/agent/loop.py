"""The agent's loop: finds hosts, registers them, does what ECS says. One thread; each task has another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from spillway_localstack.agent.cloud import CALL_ERRORS, Cloud, Machine, Orders, is_refusal
from spillway_localstack.agent.folders import HostFolders
from spillway_localstack.agent.runner import Runner
from spillway_localstack.agent.work import Work

# New hosts are looked for less often than work: DescribeInstances is the dearest call here.
DISCOVER_SECONDS = 0.5
SHUTDOWN_SECONDS = 5.0


@dataclass(frozen=True)
class Settings:
    """How the agent behaves."""

    boot_seconds: float
    poll_seconds: float
    stop_timeout_seconds: float


class Agent:
    """All hosts of one cluster."""

    def __init__(self, cloud: Cloud, runner: Runner, settings: Settings, log: Callable[[str], None]) -> None:
        """Calls nothing yet."""
        self._cloud = cloud
        self._runner = runner
        self._folders = HostFolders()
        self._settings = settings
        self._log = log
        self._seen_at: dict[str, float] = {}
        self._foreign: set[str] = set()
        self._hosts: dict[str, str] = {}  # instance id to container instance ARN
        self._works: dict[str, Work] = {}  # by task ARN
        self._discovered_at = float("-inf")
        self._is_away = False

    def run(self, stop: threading.Event) -> None:
        """Until ``stop``; then kills its own work."""
        while not stop.is_set():
            try:
                self._tick()
                if self._is_away:
                    self._log("the endpoint is back")
                self._is_away = False
            except CALL_ERRORS as error:
                if not self._is_away:
                    self._log(f"the endpoint does not answer: {error}")
                self._is_away = True
            stop.wait(self._settings.poll_seconds)
        self._shut_down()

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._discovered_at >= DISCOVER_SECONDS:
            self._discovered_at = now
            self._discover(now)
        if self._hosts:
            self._obey(self._cloud.poll(list(self._hosts.values())))
        for arn in [arn for arn, work in self._works.items() if work.is_over]:
            del self._works[arn]

    def _discover(self, now: float) -> None:
        machines = {machine.instance_id: machine for machine in self._cloud.running_machines()}
        for instance_id in [known for known in self._hosts if known not in machines]:
            self._lose(instance_id)
        self._seen_at = {known: at for known, at in self._seen_at.items() if known in machines}
        self._foreign &= machines.keys()
        for machine in machines.values():
            if machine.instance_id in self._hosts or machine.instance_id in self._foreign:
                continue
            if machine.instance_id not in self._seen_at and not self._cloud.is_ours(machine.instance_id):
                self._foreign.add(machine.instance_id)
                continue
            seen_at = self._seen_at.setdefault(machine.instance_id, now)
            if now - seen_at >= self._settings.boot_seconds:
                self._register(machine)

    def _register(self, machine: Machine) -> None:
        self._hosts[machine.instance_id] = self._cloud.register(machine)
        self._log(f"host {machine.instance_id} {machine.instance_type} {machine.zone} {machine.market} registered")

    def _obey(self, orders: Orders) -> None:
        for assignment in orders.start:
            if assignment["taskArn"] not in self._works:
                work = Work(
                    assignment,
                    self._cloud,
                    self._runner,
                    self._folders,
                    stop_timeout_seconds=self._settings.stop_timeout_seconds,
                    log=self._log,
                )
                self._works[work.task_arn] = work
                work.begin()
        for task_arn in orders.stop:
            self._stop(task_arn)
        for instance_id in [known for known, arn in self._hosts.items() if arn in orders.gone]:
            self._lose(instance_id)

    def _stop(self, task_arn: str) -> None:
        work = self._works.get(task_arn)
        if work is not None:
            work.stop()
            return
        # It was stopped before we heard of it, or an earlier agent ran it.
        try:
            self._cloud.report_not_started(task_arn, None, "Task was stopped before it started")
        except CALL_ERRORS as error:
            if not is_refusal(error):
                raise

    def _lose(self, instance_id: str) -> None:
        arn = self._hosts.pop(instance_id)
        # A machine that ECS no longer knows, but EC2 still runs, does not register again by itself.
        self._foreign.add(instance_id)
        self._log(f"host {instance_id} is gone")
        for work in self._works.values():
            if work.host == arn:
                work.abandon()
        self._folders.lose(arn)

    def _shut_down(self) -> None:
        for work in self._works.values():
            work.abandon()
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        for work in self._works.values():
            work.join(max(0.0, deadline - time.monotonic()))
        self._folders.lose_all()
