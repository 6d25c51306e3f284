"""What the store cannot keep as a text, so that a record with it has to be parked instead."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

NUL = "\x00"
"""PostgreSQL refuses this character in a text, and with it all that is written beside it."""

SEAL = "\x02"
"""What a text begins with that the store keeps encrypted: no other one may."""

ESCAPED = rb"\u000"
"""How JSON begins to write either; where this is not in a payload, none of its texts holds one."""

KEY_MAX = 320
"""Characters of what records are found again by: the longest e-mail address, and more than any
vendor's id. PostgreSQL refuses to index a text of some kilobytes, with all that is written beside
it."""

_KEYS = frozenset(
    {"channel_order_id", "channel_order_name", "channel_line_id", "external_id", "email"}
    | {"external_variant_id", "reference", "tracking_number", "sku"}
)
_PARTS = frozenset({"lines", "refunds", "packages", "ship_to", "bill_to"})


@cache
def _looked_at(names: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the fields of a kind of record: its keys, and its parts that have keys of their own."""
    return tuple(n for n in names if n in _KEYS), tuple(n for n in names if n in _PARTS)


def key_too_long(record: Any) -> str | None:
    """Where in a record the first key is that cannot be indexed (``lines[0].sku``), or None."""
    pending: list[tuple[str, Any]] = [("", record)]
    while pending:
        place, part = pending.pop()
        keys, parts = _looked_at(getattr(part, "__struct_fields__", ()))
        for name in keys:
            if len(getattr(part, name)) > KEY_MAX:
                return place + name
        for name in parts:
            below = getattr(part, name)
            if isinstance(below, tuple):
                pending += [(f"{place}{name}[{n}].", inner) for n, inner in enumerate(below)]
            elif below is not None:
                pending.append((f"{place}{name}.", below))
    return None


def field_with(record: Any, character: str) -> str | None:
    """Where in a record the first text with a character is (``lines[0].title``), or None."""
    pending: list[tuple[str, Any]] = [("", record)]
    while pending:
        place, part = pending.pop()
        if isinstance(part, str):
            if character in part:
                return place
        elif isinstance(part, tuple):
            pending += [(f"{place}[{number}]", inner) for number, inner in enumerate(part)]
        elif isinstance(part, msgspec.Struct):
            before = f"{place}." if place else ""
            pending += [(f"{before}{n}", getattr(part, n)) for n in part.__struct_fields__]
    return None
