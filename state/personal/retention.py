"""How long personal data may stay, and what has stayed for longer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from state import tables as t
from state.personal import people


@dataclass(frozen=True, slots=True)
class Keep:
    """``after_delivery``: counts from the last parcel's delivery. ``after_change``: from the last
    thing that happened to an order of which no delivery is known."""

    after_delivery: timedelta
    after_change: timedelta


@dataclass(frozen=True, slots=True)
class Held:
    """An order with personal data. ``until``: how long it may stay."""

    order_id: int
    connection_id: int
    channel_order_id: str
    until: datetime


def held(conn: Connection, connection_id: int, keep: Keep, before: datetime) -> Iterator[Held]:
    """Orders of a connection whose personal data may stay until ``before`` or less, open ones
    among them.

    Only those placed long enough ago are looked at.
    """
    shortest = min(keep.after_delivery, keep.after_change)
    query = _dates().where(
        t.sales_order.c.connection_id == connection_id,
        t.sales_order.c.erased_at.is_(None),
        t.sales_order.c.placed_at <= before - shortest,
    )
    for row in conn.execute(query):
        until = _until(row, keep)
        if until <= before:
            yield Held(row.id, connection_id, row.channel_order_id, until)


def overdue(
    conn: Connection, connection_id: int, keep: Keep, now: datetime
) -> tuple[list[Held], dict[int, str]]:
    """What should be gone, and why some of it is still needed (order id -> reason)."""
    found = list(held(conn, connection_id, keep, now))
    return found, people.open_orders(conn, [one.order_id for one in found])


def loose(conn: Connection, connection_id: int, keep: Keep, now: datetime) -> list[int]:
    """Ids of payloads that no order with personal data was made of, kept for too long.

    One that is parked waits for a person, and stays. Reports of locations: ``reports.outlived``.
    """
    row, order = t.inbox.c, t.sales_order.c
    of_order = (
        select(order.id)
        .where(
            order.connection_id == row.connection_id,
            order.channel_order_id == row.external_id,
            order.erased_at.is_(None),
        )
        .exists()
    )
    query = select(row.id).where(
        row.connection_id == connection_id,
        row.topic == "orders",
        row.state != "parked",
        row.received_at <= now - keep.after_change,
        func.length(row.body) > 0,
        ~of_order,
    )
    return list(conn.scalars(query))


def count(conn: Connection) -> dict[int, tuple[int, int]]:
    """(orders with personal data, orders without any more), by connection id."""
    order = t.sales_order.c
    query = select(
        order.connection_id,
        func.count().filter(order.erased_at.is_(None)),
        func.count().filter(order.erased_at.is_not(None)),
    ).group_by(order.connection_id)
    return {row[0]: (row[1], row[2]) for row in conn.execute(query)}


def next_until(conn: Connection, connection_id: int, keep: Keep, now: datetime) -> datetime | None:
    """When the next personal data of a connection goes; null when none is held, or all is late."""
    longest = max(keep.after_delivery, keep.after_change)
    coming = (one.until for one in held(conn, connection_id, keep, now + longest))
    return min((until for until in coming if until > now), default=None)


def _dates() -> Select[Any]:
    """The moments that decide, of every order."""
    order, shipment, ffo = t.sales_order.c, t.shipment.c, t.fulfilment_order.c
    parcels = (
        select(
            ffo.order_id,
            func.max(shipment.delivered_at).label("delivered_at"),
            func.max(shipment.shipped_at).label("shipped_at"),
            func.count().filter(shipment.delivered_at.is_(None)).label("under_way"),
        )
        .join(t.shipment, shipment.ffo_id == ffo.id)
        .where(shipment.state != "voided")
        .group_by(ffo.order_id)
        .subquery()
    )
    return select(
        order.id,
        order.channel_order_id,
        order.channel_updated_at,
        order.closed_at,
        parcels.c.delivered_at,
        parcels.c.shipped_at,
        parcels.c.under_way,
    ).outerjoin(parcels, parcels.c.order_id == order.id)


def _until(row: Row[Any], keep: Keep) -> datetime:
    if row.delivered_at is not None and not row.under_way:
        return row.delivered_at + keep.after_delivery  # type: ignore[no-any-return]
    # When it came to us does not count: an order of long ago is one of long ago.
    happened = (row.channel_updated_at, row.closed_at, row.shipped_at)
    last: datetime = max(at for at in happened if at is not None)
    return last + keep.after_change
