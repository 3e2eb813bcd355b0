"""Placement constraints: the part of ECS's cluster query language that dispatchers use. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping

from spillway_localstack.plugin.ecs.errors import InvalidParameterError

# subject operator argument, e.g. `ec2InstanceId == i-0123`, `attribute:ecs.instance-type =~ c7.*`
_TERM = re.compile(r"^\s*([\w:.\-]+)\s+(==|!=|=~|!~|in)\s+(.+?)\s*$")
_WORDS = {"equals": "==", "not_equals": "!=", "matches": "=~", "not_matches": "!~"}


def satisfies(expression: str, facts: Mapping[str, str]) -> bool:
    """Whether an instance with these facts satisfies a ``memberOf`` expression.

    Terms joined by ``and`` and ``or`` (``and`` binds closer); no parentheses. Facts are ``ec2InstanceId``,
    ``agentConnected`` and ``attribute:NAME``. Raises ``InvalidParameterError`` on what it cannot read.
    """
    alternatives = re.split(r"\s+(?:or|\|\|)\s+", expression)
    return any(
        all(_term(term, facts) for term in re.split(r"\s+(?:and|&&)\s+", alternative)) for alternative in alternatives
    )


def _term(text: str, facts: Mapping[str, str]) -> bool:
    for word, symbol in _WORDS.items():
        text = re.sub(rf"\s{word}\s", f" {symbol} ", text)
    match = _TERM.match(text)
    if match is None:
        raise InvalidParameterError(f"Invalid expression in placement constraint: {text.strip()}")
    subject, operator, argument = match.groups()
    value = facts.get(subject)
    argument = argument.strip("'\"")
    if operator == "in":
        names = {name.strip(" '\"") for name in argument.strip("[]()").split(",")}
        return value in names
    if operator in ("=~", "!~"):
        is_match = value is not None and _matches(value, argument)
        return is_match if operator == "=~" else not is_match
    return (value == argument) if operator == "==" else (value != argument)


def _matches(value: str, pattern: str) -> bool:
    # The language takes Java regular expressions; the documentation's examples are written as globs (`t2.*`).
    return fnmatch.fnmatchcase(value, pattern) or re.fullmatch(pattern, value) is not None
