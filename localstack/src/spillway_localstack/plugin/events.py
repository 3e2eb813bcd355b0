"""News to EventBridge, in AWS's shapes. Sent by one thread, in order, so that no caller waits for a rule's target."""

from __future__ import annotations

import json
import logging
import queue
import threading
from datetime import datetime
from typing import Any, NamedTuple

from localstack.aws.connect import connect_to

LOG = logging.getLogger(__name__)

# PutEvents takes at most ten entries (EventBridge API reference).
ENTRIES_MAX = 10


class Scope(NamedTuple):
    """The account and region that something belongs to."""

    account: str
    region: str


class Event(NamedTuple):
    """One event before it is an entry."""

    scope: Scope
    source: str
    detail_type: str
    resources: list[str]
    detail: str


class EventBus:
    """Puts events on the default bus of their account and region."""

    def __init__(self) -> None:
        """Starts the thread with the first event."""
        self._queue: queue.Queue[Event] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def send(self, scope: Scope, source: str, detail_type: str, resources: list[str], detail: dict[str, Any]) -> None:
        """Takes the event as it is now; returns at once."""
        text = json.dumps(detail, default=_timestamp)
        self._queue.put(Event(scope, source, detail_type, resources, text))
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="spillway-events", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            events = [self._queue.get()]
            while len(events) < ENTRIES_MAX and not self._queue.empty():
                events.append(self._queue.get())
            for scope in dict.fromkeys(event.scope for event in events):
                try:
                    _put(scope, [event for event in events if event.scope == scope])
                except Exception:  # the thread must outlive any one failure
                    LOG.exception("events were not delivered")


def _put(scope: Scope, events: list[Event]) -> None:
    client = connect_to(aws_access_key_id=scope.account, region_name=scope.region).events
    answer = client.put_events(
        Entries=[
            {
                "Source": event.source,
                "DetailType": event.detail_type,
                "Resources": event.resources,
                "Detail": event.detail,
            }
            for event in events
        ]
    )
    if answer["FailedEntryCount"]:
        LOG.error("EventBridge refused %d events", answer["FailedEntryCount"])


def _timestamp(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} has no place in an event")


BUS = EventBus()
