"""Routing decisions: made again from what is stored with them they are the same, to the byte.

One that is not cannot be explained: its inputs or its rules were changed, or this version decides
in another way than the one that made it, under the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, Row
from sqlalchemy.exc import NoResultFound

from state import fulfilment
from state.vault.fields import Opened
from sync.invariants.rule import Violation
from sync.routing import trace
from sync.routing.decide import decide
from sync.routing.rules import Rules

SAMPLE = 200
"""Decisions made again when nobody asks for more: a tenth of a second."""

_AT_ONCE = 200


@dataclass(slots=True)
class Remade:
    """``made``: decisions made again; ``skipped``: made in another way of deciding, and as stored
    all that can be known of them.
    """

    made: int = 0
    skipped: int = 0
    violations: list[Violation] = field(default_factory=list)


def remake(conn: Connection, most: int | None = SAMPLE) -> Remade:
    """Make the newest decisions again, ``most`` of them or (null) all."""
    found = Remade()
    known: dict[str, Rules] = {}
    for row in _newest(conn, most):
        if not trace.is_remakeable(row):
            found.skipped += 1
            continue
        found.made += 1
        wrong = _wrong(conn, row, known)
        if wrong:
            subject = f"order {row.order_id} decision {row.id}"
            found.violations.append(Violation("decisions_can_be_remade", subject, wrong))
    return found


def _newest(conn: Connection, most: int | None) -> Iterator[Row[Any]]:
    left, before = most, None
    while left is None or left > 0:
        limit = _AT_ONCE if left is None else min(left, _AT_ONCE)
        rows = fulfilment.decisions_before(conn, before, limit)
        yield from rows
        if len(rows) < limit:
            return
        before = rows[-1].id
        left = None if left is None else left - limit


def _wrong(conn: Connection, row: Row[Any], known: dict[str, Rules]) -> str:
    """What is wrong with a stored decision; empty: nothing."""
    # The hash is of what is stored: of an encrypted postcode nobody is to guess it from there.
    kept = row.stored.inputs if isinstance(row, Opened) else row.inputs
    if trace.hash_of(row.policy_version, row.rules_version, kept) != row.inputs_hash:
        return "its inputs, or the name of its rules, are not those it was made from"
    try:
        if row.rules_version not in known:
            known[row.rules_version] = trace.rules_of(conn, row)
        rules, inputs = known[row.rules_version], trace.inputs_of(row)
        was = trace.stored(row)
    except NoResultFound:
        return f"its rules {row.rules_version} are not kept any more"
    except msgspec.ValidationError as error:
        return f"it cannot be read: {error}"
    if rules.version() != row.rules_version:
        return f"its rules are kept as {row.rules_version} and are {rules.version()}"
    again = decide(inputs.order, inputs.sites, rules)
    if again.stored() == was.stored():
        return ""
    if again.shares == was.shares and again.waits == was.waits:
        return "made again it chooses the same, but gives other reasons or figures"
    return "made again it chooses something else"
