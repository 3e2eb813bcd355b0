"""EC2's filters: values are alternatives, with wildcards (EC2 API reference, Filter). moto takes them literally."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any


def of(request: dict[str, Any]) -> dict[str, set[str]]:
    """The filters of a request, by name."""
    return {each["Name"]: set(each.get("Values") or []) for each in request.get("Filters") or []}


def passes(value: str, patterns: set[str] | None) -> bool:
    """Whether a value is one of the patterns. Without a filter everything passes."""
    return patterns is None or any(fnmatchcase(value, pattern.replace("[", "[[]")) for pattern in patterns)
