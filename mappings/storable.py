"""What the store cannot keep as a text, so that a record with it has to be parked instead."""

from __future__ import annotations

from typing import Any

import msgspec

NUL = "\x00"
"""PostgreSQL refuses this character in a text, and with it all that is written beside it."""

MARK = rb"\u0000"
"""How JSON writes it; where this is not in a payload, none of its texts holds one."""


SEAL = "\x02"
"""What a text begins with that the store keeps encrypted: no other one may."""

SEAL_MARK = rb"\u0002"


def field_with_nul(record: Any) -> str | None:
    """Where in a record the first text with U+0000 is (``lines[0].title``), or None."""
    return _field_with(record, NUL)


def field_with_seal(record: Any) -> str | None:
    """Where in a record the first text with U+0002 is, or None."""
    return _field_with(record, SEAL)


def _field_with(record: Any, character: str) -> str | None:
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
