"""A channel that offers something else than was promised: why, and what is done about it.

Channels change quantities by themselves: a sale lowers them, a cancelled order puts goods back
that have left already, somebody types a number, a write is lost although it was confirmed, a
bundle's number is computed from its parts. Every look at the listings is a read-back.

| class          | seen as                                              | healed by              |
|----------------|------------------------------------------------------|------------------------|
| sale_in_flight | less than promised, perhaps for a sale not read yet  | waiting for the orders |
| our_write_lost | what it offered before the write that was confirmed  | writing again          |
| edited_by_hand | another number                                       | writing over it        |
| bundle         | written over three times in a row, and never there   | parking it             |
| refused        | anything, where the channel refused the write        | parking it             |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row

from connectors.base import PushesStock
from mappings import canonical as c
from state import promises, streams
from sync.context import Link
from sync.promise.writing import Write, plan_writes

DriftClass = Literal["sale_in_flight", "our_write_lost", "edited_by_hand", "bundle", "refused"]

HORIZON = timedelta(minutes=10)
"""A sale older than this is in what a pull of orders brings: far above every vendor's lag."""

WRITES_IN_VAIN = 3
"""So many writes in a row that were never seen there: the channel keeps a number of its own."""

WRITTEN_OVER = ("our_write_lost", "edited_by_hand")

REMEDIES = {
    "bundle": "the channel computes this number itself (a bundle, or another app keeps it): take "
    "the listing's stock out of that app's hands, or have the channel manage it; "
    "then 'crossdock retry'",
    "refused": "mend the listing in the channel as it says, then 'crossdock retry'",
}


def heal(
    conn: Connection, link: Link, listings: Sequence[c.Listing], now: datetime
) -> Counter[str]:
    """Hold what a channel offers against what was promised; returns how many strayed, by class."""
    if not isinstance(link.connector, PushesStock):
        return Counter()
    offered = {m.external_variant_id: m.quantity for m in listings if m.quantity is not None}
    orders_known_at = streams.last_success(conn, streams.key_of("pull-orders", link.name))
    found: Counter[str] = Counter()
    again: list[Write] = []
    for row in promises.at_rest(conn, link.id, offered):
        quantity = offered[row.external_variant_id]
        drift = classified(row, quantity, orders_known_at)
        if drift is None:
            _note_agreement(conn, row)
            continue
        found[drift] += 1
        _note_drift(conn, row, drift, quantity, now)
        if drift in WRITTEN_OVER:
            again.append(Write(link, row, row.computed_qty, quantity))
    plan_writes(conn, again, now)
    return found


def classified(row: Row[Any], offered: int, orders_known_at: datetime | None) -> DriftClass | None:
    """Why a listing at rest offers what it offers; null when that is what was promised."""
    if offered == row.computed_qty:
        return None
    if row.block_reason:
        return "refused"
    if offered < row.computed_qty and not _persists(row, offered, orders_known_at):
        return "sale_in_flight"
    if row.writes_lost >= WRITES_IN_VAIN:
        return "bundle"
    return "our_write_lost" if offered == row.replaced_qty else "edited_by_hand"


def _persists(row: Row[Any], offered: int, orders_known_at: datetime | None) -> bool:
    """Is less on offer than promised, still, although every sale that explains it is known?

    Less may be a sale we have not heard of: writing the promise over it would sell the goods
    twice. Once the orders were read after the first sight of it, such a sale has lowered the
    promise itself; what is left is drift.
    """
    if offered != row.read_back_qty or orders_known_at is None:
        return False
    return bool(orders_known_at >= row.read_back_at + HORIZON)


def _note_agreement(conn: Connection, row: Row[Any]) -> None:
    if row.read_back_qty is None and not (row.drift_class or row.writes_lost or row.block_reason):
        return
    promises.set_promise(
        conn,
        row.id,
        read_back_qty=None,
        read_back_at=None,
        block_reason="",
        drift_class="",
        writes_lost=0,
    )


def _note_drift(
    conn: Connection, row: Row[Any], drift: DriftClass, offered: int, now: datetime
) -> None:
    values: dict[str, Any] = {}
    if offered != row.read_back_qty:
        # The first sight of this number is what counts.
        values |= {"read_back_qty": offered, "read_back_at": now}
    if drift != row.drift_class:
        values |= {"drift_class": drift, "drift_at": now}
    if drift in WRITTEN_OVER:
        values |= {"drift_count": row.drift_count + 1, "writes_lost": row.writes_lost + 1}
    if values:
        promises.set_promise(conn, row.id, **values)
