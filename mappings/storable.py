"""What the store cannot keep as a text, so that a record with it has to be parked instead."""

from __future__ import annotations

from typing import Any

import msgspec

NUL = "\x00"
"""PostgreSQL refuses this character in a text, and with it all that is written beside it."""

SEAL = "\x02"
"""What a text begins with that the store keeps encrypted: no other one may."""

ESCAPED = rb"\u000"
"""How JSON begins to write either; where this is not in a payload, none of its texts holds one."""

KEY_MAX = 320
"""Characters of what records are found again by (``mappings.canonical.Key``): the longest e-mail
address, and more than any vendor's id. PostgreSQL refuses to index a text of some kilobytes, with
all that is written beside it."""


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
