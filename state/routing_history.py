"""Past routing decisions, oldest first, for looking back at them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from state import tables as t
from state.vault import destinations

_PAGE = 500
"""A decision holds all it was made from, some kilobytes: never all of them at once."""


def first_wait(conn: Connection, order_id: int, kind: str) -> datetime | None:
    """When it was first decided that an order waits for ``kind``; null when it never was."""
    decision = t.routing_decision
    query = select(decision.c.decided_at, decision.c.trace).where(decision.c.order_id == order_id)
    for row in conn.execute(query.order_by(decision.c.id)):
        waits = (row.trace or {}).get("waits")
        if waits and waits[0] == kind:
            return row.decided_at  # type: ignore[no-any-return]
    return None


def decisions_since(conn: Connection, since: datetime) -> Iterator[Row[Any]]:
    """Every decision made at or after ``since``, in the order made, with the order's name."""
    decision = t.routing_decision
    query = (
        select(decision, t.sales_order.c.channel_order_name)
        .join(t.sales_order, t.sales_order.c.id == decision.c.order_id)
        .where(decision.c.decided_at >= since)
        .order_by(decision.c.id)
        .limit(_PAGE)
    )
    last = 0
    while rows := conn.execute(query.where(decision.c.id > last)).all():
        yield from destinations.clear(conn, rows)
        last = rows[-1].id
