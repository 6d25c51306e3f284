"""Lots: what expires first goes first, what has expired or was recalled does not go at all.

Only at locations that we own: an outside system picks lots by itself. A level is then the sum of
its lots' levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, or_, select, type_coerce, update

from state import tables as t
from state.batches import among, insert_rows
from state.errors import Misplaced
from state.stock.days import today_at
from state.stock.ledger import Cause, Leg, apply_to_lots, is_ours, post
from state.types import Quantity

lot, lot_level, shares = t.lot, t.lot_level, t.reservation_lot

FREE = type_coerce(
    lot_level.c.on_hand - lot_level.c.reserved - lot_level.c.damaged - lot_level.c.quality_hold,
    Quantity(),
)

Parts = list[tuple[int | None, Decimal]]
"""Quantities by lot; null: goods that have none."""


def track_lots(conn: Connection, sku_id: int) -> None:
    """Have a SKU's goods told apart by lot from now on. Raises ``Misplaced`` if it has stock."""
    level = t.inventory_level.c
    query = select(level.sku_id).where(
        level.sku_id == sku_id, level.authority == "hub", level.on_hand != 0
    )
    if conn.execute(query).first() is not None:
        raise Misplaced("it has stock without lots: count that to zero first, then by lot")
    conn.execute(update(t.sku).where(t.sku.c.id == sku_id).values(lot_tracked=True))


def ensure_lot(conn: Connection, sku_id: int, code: str, expires_on: date | None) -> int:
    """The lot's id, made if need be. Raises ``Misplaced`` when it expires on another day."""
    row = {"sku_id": sku_id, "code": code, "expires_on": expires_on}
    insert_rows(conn, lot, [row], unless_known=True)
    found = conn.execute(select(lot).where(lot.c.sku_id == sku_id, lot.c.code == code)).one()
    if expires_on is not None and found.expires_on != expires_on:
        raise Misplaced(f"lot {code} expires on {found.expires_on}, not on {expires_on}")
    return int(found.id)


def tracked_among(conn: Connection, sku_ids: Iterable[int]) -> set[int]:
    """Those SKUs whose goods are told apart by lot, where the stock is ours."""
    query = select(t.sku.c.id).where(among(t.sku.c.id, sku_ids), t.sku.c.lot_tracked)
    return set(conn.scalars(query))


def is_tracked(conn: Connection, sku_id: int, location_id: int) -> bool:
    return bool(tracked_among(conn, [sku_id])) and is_ours(conn, location_id)


def require_lot(conn: Connection, sku_id: int, location_id: int, lot_id: int | None) -> int | None:
    """The lot a movement is booked on: none where lots are not told apart, else it must be told."""
    return told(lot_id) if is_tracked(conn, sku_id, location_id) else None


def told(lot_id: int | None) -> int:
    if lot_id is None:
        raise Misplaced("its goods are told apart by lot: say which lot")
    return lot_id


def can_be_sold(today: date) -> ColumnElement[bool]:
    keeps = or_(lot.c.expires_on.is_(None), lot.c.expires_on > today)
    return (lot.c.state == "active") & keeps


def first_to_expire(
    conn: Connection, sku_id: int, location_id: int, qty: Decimal, now: datetime
) -> Parts | None:
    """Lots for ``qty``, the first to expire first; null when those that can be sold do not do.

    The caller holds the level's row, so nobody else can take from these lots meanwhile.
    """
    if not is_tracked(conn, sku_id, location_id):
        return [(None, qty)]
    today = today_at(conn, [location_id], now)[location_id]
    chosen, left = _fill(_stock(conn, sku_id, location_id, can_be_sold(today)), qty)
    return chosen if left == 0 else None


def any_of(conn: Connection, sku_id: int, location_id: int, qty: Decimal) -> Parts:
    """Lots for goods that have left beyond what was reserved: whatever is there of them.

    Raises ``Misplaced`` when the lots do not hold as much.
    """
    if not is_tracked(conn, sku_id, location_id):
        return [(None, qty)]
    rows = _stock(conn, sku_id, location_id, lot_level.c.on_hand > 0)
    chosen, left = _fill(rows, qty)
    if left:
        raise Misplaced(f"SKU {sku_id} has not {qty} more in any lot at location {location_id}")
    return chosen


def _stock(
    conn: Connection, sku_id: int, location_id: int, condition: ColumnElement[bool]
) -> Sequence[Any]:
    query = (
        select(lot.c.id, FREE.label("free"))
        .join(lot_level, lot_level.c.lot_id == lot.c.id)
        .where(lot.c.sku_id == sku_id, lot_level.c.location_id == location_id, FREE > 0, condition)
        # False sorts before true on both databases: what keeps for ever goes last.
        .order_by(lot.c.expires_on.is_(None), lot.c.expires_on, lot.c.id)
    )
    return conn.execute(query).all()


def _fill(rows: Sequence[Any], qty: Decimal) -> tuple[Parts, Decimal]:
    chosen: Parts = []
    for row in rows:
        take = min(qty, Decimal(row.free))
        if take > 0:
            chosen.append((row.id, take))
            qty -= take
    return chosen, qty


def hold(conn: Connection, reservation_id: int, legs: Sequence[Leg]) -> None:
    """Remember which lots a reservation stands on, and take them off the lots' own levels."""
    rows = [
        {"reservation_id": reservation_id, "lot_id": leg.lot_id, "qty": leg.delta}
        for leg in legs
        if leg.lot_id is not None
    ]
    insert_rows(conn, shares, rows)
    apply_to_lots(conn, legs)


def let_go(conn: Connection, reservation_id: int, qty: Decimal) -> Parts:
    """Take ``qty`` off the lots that a reservation stands on, the first to expire first."""
    query = (
        select(shares.c.lot_id.label("id"), shares.c.qty.label("free"))
        .join(lot, lot.c.id == shares.c.lot_id)
        .where(shares.c.reservation_id == reservation_id, shares.c.qty > 0)
        .order_by(lot.c.expires_on.is_(None), lot.c.expires_on, lot.c.id)
    )
    parts, left = _fill(conn.execute(query).all(), qty)
    for lot_id, n in parts:
        mine = (shares.c.reservation_id == reservation_id) & (shares.c.lot_id == lot_id)
        conn.execute(update(shares).where(mine).values(qty=shares.c.qty - n))
    return [*parts, (None, left)] if left else parts


def lots_of(conn: Connection, code: str | None = None) -> list[Any]:
    """Lots with what is where of them, the first to expire first; of one SKU, or of all."""
    query = (
        select(
            lot.c.id,
            t.sku.c.code.label("sku"),
            lot.c.code.label("lot"),
            lot.c.expires_on,
            lot.c.state,
            t.location.c.code.label("location"),
            *(lot_level.c[bucket] for bucket in ("on_hand", "reserved", "damaged", "quality_hold")),
        )
        .join(t.sku, t.sku.c.id == lot.c.sku_id)
        .join(lot_level, lot_level.c.lot_id == lot.c.id)
        .join(t.location, t.location.c.id == lot_level.c.location_id)
        .order_by(t.sku.c.code, lot.c.expires_on.is_(None), lot.c.expires_on, lot.c.id)
    )
    return list(conn.execute(query if code is None else query.where(t.sku.c.code == code)))


def recall(conn: Connection, lot_id: int, now: datetime) -> Decimal:
    """Sell no more of a lot; returns how much of it was withdrawn. What is reserved stays so."""
    conn.execute(update(lot).where(lot.c.id == lot_id).values(state="recalled"))
    return _withhold(conn, _free_stock(conn, lot.c.id == lot_id), now)


def unsellable(conn: Connection, now: datetime) -> list[Row[Any]]:
    """What is free of lots that have expired, by the date where they stand, or were recalled."""
    # East of everybody it is tomorrow already.
    found = _free_stock(conn, ~can_be_sold((now + timedelta(days=1)).date()))
    today = today_at(conn, {row.location_id for row in found}, now)
    return [
        row for row in found if row.state != "active" or row.expires_on <= today[row.location_id]
    ]


def _free_stock(conn: Connection, which: ColumnElement[bool]) -> list[Row[Any]]:
    query = (
        select(lot.c.id, lot.c.sku_id, lot.c.state, lot.c.expires_on, lot_level.c.location_id)
        .join(lot_level, lot_level.c.lot_id == lot.c.id)
        .where(which, FREE > 0)
        .order_by(lot.c.sku_id, lot_level.c.location_id, lot.c.id)
    )
    return list(conn.execute(query))


def withhold(conn: Connection, now: datetime) -> Decimal:
    """Put what is ``unsellable`` on quality hold, so that nobody promises it.

    Returns how many units. Until it ran they count as available, but cannot be reserved.
    """
    return _withhold(conn, unsellable(conn, now), now)


def _withhold(conn: Connection, which: Iterable[Row[Any]], now: datetime) -> Decimal:
    total = Decimal(0)
    for row in which:
        free = _locked_free(conn, row)
        leg = Leg(row.sku_id, row.location_id, "quality_hold", free, row.id)
        key = f"withhold:{row.id}:{row.location_id}:{now.isoformat()}"
        reason = "expire" if row.state == "active" else "reclassify"
        if free > 0 and post(conn, [leg], Cause(reason, ("lot", row.id), key, now)):
            total += free
    return total


def _locked_free(conn: Connection, row: Any) -> Decimal:
    """What is free of a lot, once nobody else can take of its level."""
    level = t.inventory_level
    mine = (level.c.sku_id == row.sku_id) & (level.c.location_id == row.location_id)
    conn.execute(select(level.c.sku_id).where(mine).with_for_update())
    here = (lot_level.c.lot_id == row.id) & (lot_level.c.location_id == row.location_id)
    return Decimal(conn.execute(select(FREE).where(here)).scalar_one())
