"""Goods set aside: for an order line (hard), or for a while for somebody who may order (soft)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select, update

from state import tables as t
from state.errors import KeyReused, OutOfStock
from state.ids import insert_unless_known
from state.stock import lots, serials
from state.stock.ledger import Cause, Leg, post, posted, take_off, write_rows
from state.stock.levels import AVAILABLE, level

held = t.reservation


def reserve(
    conn: Connection,
    *,
    sku_id: int,
    location_id: int,
    qty: Decimal,
    order_line_id: int | None = None,
    key: str,
    now: datetime,
    expires_at: datetime | None = None,
    holder: str = "",
) -> int:
    """Reserve ``qty``; returns the reservation's id. Raises ``OutOfStock`` and changes nothing.

    For an order line, or without one (``holder`` says for whom) until ``expires_at``. A key that
    is known gives the reservation it once made.

    One conditional update decides, so two transactions cannot both take the last unit; the
    table's CHECK stands behind it. Goods with lots come from the lots that expire first.
    """
    if not _raise_reserved(conn, sku_id, location_id, qty):
        return _made_before(conn, sku_id, location_id, qty, key)
    reservation_id = insert_unless_known(
        conn,
        held,
        sku_id=sku_id,
        location_id=location_id,
        qty=qty,
        kind="soft" if order_line_id is None else "hard",
        order_line_id=order_line_id,
        holder=holder,
        created_at=now,
        expires_at=expires_at,
        idempotency_key=key,
    )
    if reservation_id is None:
        _raise_reserved(conn, sku_id, location_id, -qty)
        return _made_before(conn, sku_id, location_id, qty, key)
    chosen = lots.first_to_expire(conn, sku_id, location_id, qty, now)
    if chosen is None:
        _raise_reserved(conn, sku_id, location_id, -qty)
        conn.execute(held.delete().where(held.c.id == reservation_id))
        raise OutOfStock(f"SKU {sku_id} has not {qty} in lots that can be sold at {location_id}")
    legs = [Leg(sku_id, location_id, "reserved", n, lot_id) for lot_id, n in chosen]
    write_rows(conn, legs, Cause("reserve", ("reservation", reservation_id), key, now))
    lots.hold(conn, reservation_id, legs)
    return reservation_id


def _raise_reserved(conn: Connection, sku_id: int, location_id: int, qty: Decimal) -> bool:
    taken = conn.execute(
        update(level)
        .where(level.c.sku_id == sku_id, level.c.location_id == location_id, qty <= AVAILABLE)
        .values(reserved=level.c.reserved + qty)
    )
    return taken.rowcount > 0


def _made_before(conn: Connection, sku_id: int, location_id: int, qty: Decimal, key: str) -> int:
    """The reservation that this key has made already; ``OutOfStock`` when there is none."""
    was = conn.execute(select(held).where(held.c.idempotency_key == key)).first()
    if was is None:
        raise OutOfStock(f"SKU {sku_id} has not {qty} available at location {location_id}")
    if (was.sku_id, was.location_id, was.qty) != (sku_id, location_id, qty):
        raise KeyReused(f"the key {key} already stands for another reservation")
    return int(was.id)


def _open_quantity(row: Row[Any]) -> Decimal:
    return Decimal(row.qty - row.qty_consumed - row.qty_released)


def _lock(conn: Connection, reservation_id: int) -> Row[Any]:
    query = select(held).where(held.c.id == reservation_id)
    return conn.execute(query.with_for_update()).one()


def _lower(conn: Connection, row: Row[Any], qty: Decimal, column: str, state: str) -> None:
    """Count ``qty`` of a reservation as done; ``state`` is what it becomes when nothing is left."""
    closing = qty == _open_quantity(row)
    values = {column: getattr(row, column) + qty, "state": state if closing else "active"}
    conn.execute(update(held).where(held.c.id == row.id).values(values))


def _give_back(
    conn: Connection, row: Row[Any], qty: Decimal, key: str, now: datetime, *, expired: bool
) -> None:
    parts = lots.let_go(conn, row.id, qty)
    legs = [Leg(row.sku_id, row.location_id, "reserved", -n, lot_id) for lot_id, n in parts]
    reason = "expire" if expired else "release"
    post(conn, legs, Cause(reason, ("reservation", row.id), key, now))
    _lower(conn, row, qty, "qty_released", "expired" if expired else "released")


def release(
    conn: Connection, reservation_id: int, qty: Decimal | None, key: str, now: datetime
) -> Decimal:
    """Give reserved goods back (null: all that is left); returns how many were given back.

    Zero when nothing is left, or when this key has given back what it had to.
    """
    # Whoever repeats a key waits for the row first, so the look below cannot be too early.
    row = _lock(conn, reservation_id)
    left = _open_quantity(row)
    give = left if qty is None else min(qty, left)
    if give <= 0 or posted(conn, key) is not None:
        return Decimal(0)
    _give_back(conn, row, give, key, now, expired=False)
    return give


def ship(
    conn: Connection,
    reservation_id: int,
    qty: Decimal,
    key: str,
    now: datetime,
    occurred_at: datetime | None = None,
    pieces: Sequence[str] = (),
) -> bool:
    """Goods have left: consume the reservation and lower on-hand; false if ``key`` is known.

    More than the reservation held (the 3PL shipped too much) lowers on-hand all the same, since
    the goods are gone; a location of ours then refuses to go below zero. ``occurred_at``: when
    they left, by the location's own clock; null where it did not tell. ``pieces``: the serials of
    those that have one.
    """
    row = _lock(conn, reservation_id)
    if posted(conn, f"{key}:on_hand") is not None:
        return False
    place, ref = (row.sku_id, row.location_id), ("reservation", reservation_id)
    consumed = min(qty, _open_quantity(row))
    parts = lots.let_go(conn, reservation_id, consumed) if consumed > 0 else []
    more = lots.any_of(conn, *place, qty - consumed) if qty > consumed else []
    freed = [Leg(*place, "reserved", -n, lot_id) for lot_id, n in parts]
    gone = [Leg(*place, "on_hand", -n, lot_id) for lot_id, n in [*parts, *more]]
    post(conn, freed, Cause("ship", ref, f"{key}:reserved", now, occurred_at))
    if consumed > 0:
        _lower(conn, row, consumed, "qty_consumed", "consumed")
    serials.leave(
        conn, sku_id=place[0], location_id=place[1], serials=pieces, state="shipped", now=now
    )
    return take_off(conn, gone, Cause("ship", ref, f"{key}:on_hand", now, occurred_at))


def confirm(conn: Connection, reservation_id: int, order_line_id: int) -> bool:
    """Make a soft reservation an order line's own; false when it has run out or was given back.

    From then on it never expires. One that is past its time, but was not collected yet, is
    honoured: nobody else could have had the goods meanwhile.
    """
    values = {"kind": "hard", "order_line_id": order_line_id, "expires_at": None}
    mine = (held.c.id == reservation_id) & (held.c.state == "active") & (held.c.kind == "soft")
    return conn.execute(update(held).where(mine).values(values)).rowcount > 0


def expire(conn: Connection, now: datetime, limit: int = 500) -> int:
    """Give back soft reservations whose time is over, oldest first; returns how many."""
    over = (
        select(held.c.id)
        .where(held.c.state == "active", held.c.kind == "soft", held.c.expires_at <= now)
        .order_by(held.c.expires_at)
        .limit(limit)
    )
    found = conn.execute(
        select(held.c.id, held.c.sku_id, held.c.location_id).where(held.c.id.in_(over))
    )
    done = 0
    for due in sorted(found, key=lambda one: (one.sku_id, one.location_id, one.id)):
        row = _lock(conn, due.id)
        # Confirmed or given back since we looked.
        if row.state == "active" and row.kind == "soft":
            _give_back(
                conn, row, _open_quantity(row), f"expire:reservation:{row.id}", now, expired=True
            )
            done += 1
    return done
