"""Client tokens: the same token with the same parameters is the same call. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

# ECS: "the lesser of 24 hours and ..." (Ensuring idempotency); EC2 keeps them at least as long.
TOKEN_KEPT_FOR = timedelta(hours=24)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class TokenUse(Generic[Answer]):
    """What a token was used for, and what came of it."""

    fingerprint: str
    answer: Answer
    used_at: datetime


class TokenBook(Generic[Answer]):
    """The tokens of one operation in one scope. The caller holds the lock."""

    def __init__(self) -> None:
        """Starts empty."""
        self._uses: dict[str, TokenUse[Answer]] = {}

    def find(self, token: str, now: datetime) -> TokenUse[Answer] | None:
        """The earlier use of this token, unless it is too old to count."""
        use = self._uses.get(token)
        if use is not None and now - use.used_at >= TOKEN_KEPT_FOR:
            del self._uses[token]
            return None
        return use

    def keep(self, token: str, fingerprint: str, answer: Answer, now: datetime) -> None:
        """Remembers what this token did."""
        self._uses[token] = TokenUse(fingerprint, answer, now)


def fingerprint(request: Mapping[str, Any], *, without: tuple[str, ...]) -> str:
    """What makes two requests the same one."""
    kept = {key: value for key, value in request.items() if key not in without and value is not None}
    return json.dumps(kept, sort_keys=True, default=str)
