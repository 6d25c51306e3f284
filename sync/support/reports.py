"""What locations reported of an order's work: their payloads, for its bundle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, select

from state import inbox
from state import tables as t

LOOKED_AT = 20_000
"""Newest reports of the locations that are looked through for the order's references."""


def shipment_reports(conn: Connection, order_id: int) -> Iterator[Row[Any]]:
    """Rows of the inbox that name work of the order, with their ``connection``, oldest first.

    Those that could not be read, too: which order they are of only their text says.
    """
    work, place, raw = t.fulfilment_order.c, t.location.c, t.inbox.c
    given = select(work.reference, place.connection_id, work.created_at).join(
        t.location, place.id == work.location_id
    )
    found = conn.execute(given.where(work.order_id == order_id)).all()
    if not found:
        return
    marks = [row.reference.encode() for row in found]
    newest = (
        select(t.inbox, t.connection.c.name.label("connection"))
        .join(t.connection, t.connection.c.id == raw.connection_id)
        .where(
            raw.topic == "shipments",
            raw.connection_id.in_({row.connection_id for row in found if row.connection_id}),
            raw.received_at >= min(row.created_at for row in found),
        )
        .order_by(raw.id.desc())
        .limit(LOOKED_AT)
    )
    rows = conn.execute(newest).all()
    texts = inbox.texts_by_id(conn, rows)
    naming = {id_ for id_, text in texts.items() if any(mark in text for mark in marks)}
    yield from reversed([row for row in rows if row.id in naming])
