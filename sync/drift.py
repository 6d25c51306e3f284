"""A channel that offers something else than was promised: told again, once it is sure.

Channels change quantities by themselves: a sale lowers them, a cancelled order puts goods back
that have left already, somebody types a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import PushesStock
from mappings import canonical as c
from state import catalogue, streams
from sync import promise
from sync.context import Link

HORIZON = timedelta(minutes=10)
"""A sale older than this is in what a pull of orders brings: far above every vendor's lag."""


def heal(conn: Connection, link: Link, listings: Sequence[c.Listing], now: datetime) -> int:
    """Repeat the promise where the channel has strayed from it; returns how many."""
    if not isinstance(link.connector, PushesStock):
        return 0
    offered = {m.external_variant_id: m.quantity for m in listings if m.quantity is not None}
    orders_known_at = streams.last_success(conn, streams.key_of("pull-orders", link.name))
    healed = 0
    for row in catalogue.at_rest(conn, link.id, offered):
        quantity = offered[row.external_variant_id]
        if quantity == row.computed_qty:
            if row.read_back_qty is not None:
                catalogue.note_read_back(conn, row.id, None, None)
        elif quantity > row.computed_qty or _persists(row, quantity, orders_known_at):
            promise.plan_write(conn, link, row, row.computed_qty, now)
            healed += 1
        elif quantity != row.read_back_qty:
            catalogue.note_read_back(conn, row.id, quantity, now)
    return healed


def _persists(row: Row[Any], quantity: int, orders_known_at: datetime | None) -> bool:
    """Is less on offer than promised, still, although every sale that explains it is known?

    Less may be a sale we have not heard of: writing the promise over it would sell the goods
    twice. Once the orders were read after the first sight of it, such a sale has lowered the
    promise itself; what is left is drift.
    """
    if quantity != row.read_back_qty or orders_known_at is None:
        return False
    return bool(orders_known_at >= row.read_back_at + HORIZON)
