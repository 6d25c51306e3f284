"""Bugs in goods: what is counted, promised, taken and shipped."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import true, update

from mappings import canonical as c
from proof.world import gates
from proof.world.mutants.mutant import (
    Mutant,
    always,
    never,
    no_streams,
    none_of_it,
    nothing,
)
from state import fulfilment, orders
from state import tables as t
from state.stock import counting, reservations
from sync import amendment, cancellation, handover, overshipping
from sync.judgement import cancelled_quantity
from sync.promise import formula, publishing
from sync.routing import survey, trace

_amend_line = amendment._amend_line
_keep = trace.keep
_offered = formula._offered
_available = survey.available
_intent_for = handover._intent_for


def _forgetful_keep(conn: Any, order: Any, sites: Any, rules: Any, decision: Any, now: Any) -> Any:
    bare = [msgspec.structs.replace(site, stock={}) for site in sites]
    return _keep(conn, order, bare, rules, decision, now)


def _twice(terms: Any) -> Decimal:
    return 2 * _offered(terms)


def _unchecked(dbapi: Any, _record: Any) -> None:
    # The table's own CHECK would stop it first, and nobody else would be asked.
    dbapi.execute("PRAGMA synchronous = OFF").close()
    dbapi.execute("PRAGMA ignore_check_constraints = ON").close()


def _raised_anyhow(conn: Any, sku_id: int, location_id: int, qty: Decimal) -> bool:
    level = t.inventory_level
    here = (level.c.sku_id == sku_id) & (level.c.location_id == location_id)
    return bool(
        conn.execute(update(level).where(here).values(reserved=level.c.reserved + qty)).rowcount > 0
    )


def _plenty(conn: Any, sku_ids: Any) -> Any:
    held = _available(conn, sku_ids)
    for there in held.values():
        there.update(dict.fromkeys(there, 10**9))
    return held


def _one_more(conn: Any, link: Any, order: Any, ffo: Any, location: Any) -> Any:
    kind, body = _intent_for(conn, link, order, ffo, location)
    if not isinstance(body, c.FulfilmentRequest):
        return kind, body
    lines = [msgspec.structs.replace(one, quantity=one.quantity + 1) for one in body.lines]
    return kind, msgspec.structs.replace(body, lines=tuple(lines))


def _cancelled_in_hindsight(
    conn: Any, row: Any, values: Any, reported: Any, order: Any
) -> list[str]:
    """What was paid back is cancelled, also when it had left."""
    told = _amend_line(conn, row, values, reported, order)
    line = reported.get(values.channel_line_id)
    if line is not None and order.status != "cancelled":
        paid_back = cancelled_quantity(line, order.refunds, Decimal(0))
        orders.set_line(conn, row.id, qty_cancelled=paid_back)
    return told


MUTANTS: Mapping[str, Mutant] = {
    "a decision forgets what it knew": Mutant(((trace, "keep", _forgetful_keep),)),
    "no count is new enough": Mutant(((counting, "_is_older", always),)),
    "a shipped reservation stays open": Mutant(((reservations, "_lower", nothing),)),
    "what left stays on the shelf": Mutant(((reservations, "take_off", never),)),
    "twice as much is offered": Mutant(((formula, "_offered", _twice),)),
    "goods are taken that are not there": Mutant(
        (
            (survey, "available", _plenty),
            (reservations, "_raise_reserved", _raised_anyhow),
            (gates, "_no_waiting_for_the_disk", _unchecked),
        )
    ),
    "what left is cancelled when it is paid back": Mutant(
        (
            (amendment, "_amend_line", _cancelled_in_hindsight),
            (gates, "_no_waiting_for_the_disk", _unchecked),
        )
    ),
    "a count is added to what was there": Mutant(((counting, "_standing", none_of_it),)),
    "one more is asked of the 3PL": Mutant(
        ((handover, "_intent_for", _one_more), (overshipping, "_tell_a_person", nothing))
    ),
    "a cancelled order goes on": Mutant(
        ((cancellation, "cancel_order", no_streams), (fulfilment, "_free", true))
    ),
    "nothing is offered": Mutant(((publishing, "_plan", nothing),)),
}
