"""Stock: the ledger is the truth, levels and reservations are its projections.

Every function writes ledger row and projection in the caller's transaction. Callers touch several
SKUs in ascending (sku, location) order, so that two transactions can never wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, type_coerce, update

from state import tables as t
from state.batches import among, insert_rows
from state.errors import OutOfStock
from state.ids import insert_one
from state.types import Quantity

level = t.inventory_level
AVAILABLE = type_coerce(
    level.c.on_hand - level.c.reserved - level.c.damaged - level.c.quality_hold - level.c.safety,
    Quantity(),
)


def mark_dirty(conn: Connection, sku_ids: Iterable[int]) -> None:
    """Have the promise of these SKUs computed anew."""
    rows = [{"sku_id": sku_id} for sku_id in sorted(set(sku_ids))]
    insert_rows(conn, t.dirty_sku, rows, unless_known=True)


def _move(
    conn: Connection,
    *,
    sku_id: int,
    location_id: int,
    bucket: str,
    delta: Decimal,
    reason: str,
    ref: tuple[str, int | None],
    key: str,
    now: datetime,
    actor: str = "crossdock",
) -> None:
    conn.execute(
        insert(t.inventory_ledger).values(
            sku_id=sku_id,
            location_id=location_id,
            bucket=bucket,
            delta=delta,
            reason=reason,
            ref_type=ref[0],
            ref_id=ref[1],
            occurred_at=now,
            recorded_at=now,
            actor=actor,
            idempotency_key=key,
        )
    )


def reserve(
    conn: Connection,
    *,
    sku_id: int,
    location_id: int,
    qty: Decimal,
    order_line_id: int,
    key: str,
    now: datetime,
) -> int:
    """Reserve ``qty``; returns the reservation's id. Raises ``OutOfStock`` and changes nothing.

    One conditional update decides, so two transactions cannot both take the last unit; the
    table's CHECK stands behind it.
    """
    taken = conn.execute(
        update(level)
        .where(level.c.sku_id == sku_id, level.c.location_id == location_id, qty <= AVAILABLE)
        .values(reserved=level.c.reserved + qty)
    )
    if taken.rowcount == 0:
        raise OutOfStock(f"SKU {sku_id} has not {qty} available at location {location_id}")
    reservation_id = insert_one(
        conn,
        t.reservation,
        sku_id=sku_id,
        location_id=location_id,
        qty=qty,
        order_line_id=order_line_id,
        created_at=now,
        idempotency_key=key,
    )
    _move(
        conn,
        sku_id=sku_id,
        location_id=location_id,
        bucket="reserved",
        delta=qty,
        reason="reserve",
        ref=("reservation", reservation_id),
        key=key,
        now=now,
    )
    mark_dirty(conn, [sku_id])
    return reservation_id


def _open_quantity(row: Row[Any]) -> Decimal:
    return Decimal(row.qty - row.qty_consumed - row.qty_released)


def _take_back(
    conn: Connection, row: Row[Any], qty: Decimal, column: str, reason: str, key: str, now: datetime
) -> None:
    """Lower what a reservation holds by ``qty``, counting it in ``column``."""
    closing = qty == _open_quantity(row)
    state = {"qty_consumed": "consumed", "qty_released": "released"}[column]
    conn.execute(
        update(t.reservation)
        .where(t.reservation.c.id == row.id)
        .values({column: getattr(row, column) + qty, "state": state if closing else "active"})
    )
    conn.execute(
        update(level)
        .where(level.c.sku_id == row.sku_id, level.c.location_id == row.location_id)
        .values(reserved=level.c.reserved - qty)
    )
    _move(
        conn,
        sku_id=row.sku_id,
        location_id=row.location_id,
        bucket="reserved",
        delta=-qty,
        reason=reason,
        ref=("reservation", row.id),
        key=key,
        now=now,
    )
    mark_dirty(conn, [row.sku_id])


def _reservation(conn: Connection, reservation_id: int) -> Row[Any]:
    query = select(t.reservation).where(t.reservation.c.id == reservation_id)
    return conn.execute(query.with_for_update()).one()


def release(
    conn: Connection, reservation_id: int, qty: Decimal | None, key: str, now: datetime
) -> Decimal:
    """Give reserved goods back (null: all that is left); returns how many were given back."""
    row = _reservation(conn, reservation_id)
    left = _open_quantity(row)
    give = left if qty is None else min(qty, left)
    if give > 0:
        _take_back(conn, row, give, "qty_released", "release", key, now)
    return give


def ship(conn: Connection, reservation_id: int, qty: Decimal, key: str, now: datetime) -> None:
    """Goods have left: consume the reservation and lower on-hand by what it covered.

    More than the reservation held (the 3PL shipped too much) lowers on-hand all the same, since
    the goods are gone; a hub-owned level then refuses to go below zero.
    """
    row = _reservation(conn, reservation_id)
    held = min(qty, _open_quantity(row))
    if held > 0:
        _take_back(conn, row, held, "qty_consumed", "ship", f"{key}:reserved", now)
    _change_on_hand(
        conn,
        row.sku_id,
        row.location_id,
        -qty,
        "ship",
        ("reservation", row.id),
        f"{key}:on_hand",
        now,
    )


def _change_on_hand(
    conn: Connection,
    sku_id: int,
    location_id: int,
    delta: Decimal,
    reason: str,
    ref: tuple[str, int | None],
    key: str,
    now: datetime,
) -> None:
    conn.execute(
        update(level)
        .where(level.c.sku_id == sku_id, level.c.location_id == location_id)
        .values(on_hand=level.c.on_hand + delta)
    )
    _move(
        conn,
        sku_id=sku_id,
        location_id=location_id,
        bucket="on_hand",
        delta=delta,
        reason=reason,
        ref=ref,
        key=key,
        now=now,
    )
    mark_dirty(conn, [sku_id])


def set_count(
    conn: Connection,
    *,
    sku_id: int,
    location_id: int,
    authority: str,
    on_hand: Decimal,
    reason: str,
    key: str,
    now: datetime,
) -> Decimal:
    """Bring on-hand to an absolute count by the computed delta; returns the delta.

    The first count of a SKU at a location is its opening. A count of a location we own that
    would leave less than is already reserved is refused by the database (IntegrityError).
    """
    opening = {"sku_id": sku_id, "location_id": location_id, "authority": authority}
    insert_rows(conn, level, [opening], unless_known=True)
    where = (level.c.sku_id == sku_id) & (level.c.location_id == location_id)
    current = conn.execute(select(level.c.on_hand).where(where).with_for_update()).scalar_one()
    delta = on_hand - Decimal(current)
    if delta:
        _change_on_hand(conn, sku_id, location_id, delta, reason, ("count", None), key, now)
    conn.execute(update(level).where(where).values(observed_at=now))
    return delta


def levels(conn: Connection, sku_ids: Iterable[int]) -> list[Row[Any]]:
    """Levels of these SKUs with ``available``, in (sku, location) order."""
    query = (
        select(level, AVAILABLE.label("available"))
        .where(among(level.c.sku_id, set(sku_ids)))
        .order_by(level.c.sku_id, level.c.location_id)
    )
    return list(conn.execute(query))


def unallocated_demand(conn: Connection, sku_ids: Iterable[int]) -> dict[int, Decimal]:
    """Units that accepted orders still wait for, by SKU: promised to nobody else."""
    line, order = t.order_line, t.sales_order
    open_qty = (
        line.c.qty_ordered
        - line.c.qty_cancelled
        - line.c.qty_allocated
        - line.c.qty_released
        - line.c.qty_shipped
    )
    query = (
        select(line.c.sku_id, func.sum(open_qty, type_=line.c.qty_ordered.type))
        .join(order, order.c.id == line.c.order_id)
        .where(
            among(line.c.sku_id, set(sku_ids)),
            line.c.park_reason.is_(None),
            order.c.intake_state.in_(("accepted", "parked")),
            order.c.channel_status.in_(("ready", "pending")),
        )
        .group_by(line.c.sku_id)
    )
    return {row[0]: Decimal(row[1]) for row in conn.execute(query)}


def overview(conn: Connection, code: str | None = None) -> list[Row[Any]]:
    """Levels by SKU code and location code, for people."""
    query = (
        select(
            t.sku.c.code.label("sku"),
            t.location.c.code.label("location"),
            level.c.on_hand,
            level.c.reserved,
            AVAILABLE.label("available"),
            level.c.observed_at,
        )
        .join(t.sku, t.sku.c.id == level.c.sku_id)
        .join(t.location, t.location.c.id == level.c.location_id)
        .order_by(t.sku.c.code, t.location.c.code)
    )
    return list(conn.execute(query if code is None else query.where(t.sku.c.code == code)))
