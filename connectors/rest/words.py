"""Placeholders in braces: what a ``rest`` connection may write into a request.

Beside JMESPath (``connectors.payload_paths``) there is no other language: no conditions, loops or
calls in a template. A placeholder is one of a closed list of names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

PAGING_NAMES = frozenset({"since", "until", "page", "offset", "size", "cursor", "last_id"})
"""What a stream's query and path may ask for."""

SIGNED_NAMES = frozenset(
    {"method", "path", "query", "body", "body_sha256", "timestamp", "timestamp_ms"}
)
"""What a signature may cover. ``path`` is the whole one, ``query`` as it goes over the wire."""

TimeFormat = Literal["rfc3339", "naive_utc", "unix", "unix_ms", "date"]

_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_MS_FROM = 100_000_000_000
"""A Unix time from here on counts milliseconds: as seconds it would lie beyond the year 5000."""


def placeholders(text: str) -> set[str]:
    """The names in braces in ``text``."""
    return set(_PLACEHOLDER.findall(text))


def filled(text: str, values: Mapping[str, Any]) -> str | None:
    """``text`` with its placeholders replaced; null where one has no value yet."""
    if any(values.get(name) is None for name in placeholders(text)):
        return None
    return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), text)


def parameters(
    query: Mapping[str, bool | int | str], values: Mapping[str, Any]
) -> dict[str, str | int | None]:
    """A query with its placeholders replaced; null where one has no value yet."""
    return {name: _parameter(value, values) for name, value in query.items()}


def _parameter(value: bool | int | str, values: Mapping[str, Any]) -> str | int | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, int) else filled(value, values)


def unknown_names(text: str, known: frozenset[str] | set[str]) -> list[str]:
    """One sentence for each placeholder that is not on the list."""
    wrong = sorted(placeholders(text) - known)
    return [f"{{{name}}} is none of {', '.join(sorted(known))}" for name in wrong]


def written(moment: datetime, style: TimeFormat) -> str:
    """``moment`` as the vendor wants to read it, in UTC and whole seconds."""
    whole = moment.astimezone(UTC).replace(microsecond=0)
    match style:
        case "rfc3339":
            return whole.strftime("%Y-%m-%dT%H:%M:%SZ")
        case "naive_utc":
            return whole.strftime("%Y-%m-%dT%H:%M:%S")
        case "date":
            return whole.strftime("%Y-%m-%d")
        case "unix":
            return str(int(whole.timestamp()))
        case "unix_ms":
            return str(int(whole.timestamp()) * 1000)


def moment_of(value: Any) -> datetime:
    """A vendor's time: ISO 8601 (without an offset it means UTC), or Unix seconds or milliseconds.

    Raises ``ValueError`` for anything else.
    """
    if isinstance(value, str):
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = value / 1000 if value >= _MS_FROM else value
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (OverflowError, OSError):
            raise ValueError(f"{value} is not a time") from None
    raise ValueError(f"{value!r} is not a time")
