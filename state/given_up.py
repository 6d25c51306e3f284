"""Work that locations gave up: what still waits because of it, and a person's forgiveness."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select, update

from state import orders
from state import tables as t

ffo = t.fulfilment_order
ffo_line = t.fulfilment_order_line


def in_vain(conn: Connection, order_id: int | None = None) -> list[Row[Any]]:
    """Lines of orders free to go on that were decided anew, and still wait, since a location gave
    up its work for them; with that work, the newest, and its location. Of all orders, or of one."""
    order, line, hold = t.sales_order.c, t.order_line.c, t.hold.c
    later = t.routing_decision.c
    decided = select(later.id).where(later.order_id == order.id, later.id > ffo.c.decision_id)
    held = select(hold.id).where(hold.order_id == order.id, hold.released_at.is_(None))
    query = (
        select(
            line.id,
            line.line_no,
            line.title,
            order.channel_order_name,
            t.connection.c.name.label("connection"),
            t.location.c.code.label("location"),
            ffo.c.reference,
            ffo.c.refused_reason,
            ffo.c.given_up_at,
            decided.exists().label("decided"),
        )
        .select_from(ffo)
        .join(ffo_line, ffo_line.c.ffo_id == ffo.c.id)
        .join(t.order_line, line.id == ffo_line.c.order_line_id)
        .join(t.location, t.location.c.id == ffo.c.location_id)
        .join(t.sales_order, order.id == line.order_id)
        .join(t.connection, t.connection.c.id == order.connection_id)
        .where(
            ffo.c.given_up_at.is_not(None),
            order.intake_state == "accepted",
            order.channel_status == "ready",
            line.park_reason.is_(None),
            orders.open_quantity() > 0,
            ~held.exists(),
        )
        .order_by(line.id, ffo.c.id)
    )
    if order_id is not None:
        query = query.where(order.id == order_id)
    newest = {row.id: row for row in conn.execute(query)}
    return [row for row in newest.values() if row.decided]


def forgive(conn: Connection, order_id: int) -> int:
    """Let the locations that gave the order up have it again; returns how many pieces of work."""
    where = (ffo.c.order_id == order_id) & ffo.c.given_up_at.is_not(None)
    return conn.execute(update(ffo).where(where).values(given_up_at=None)).rowcount
