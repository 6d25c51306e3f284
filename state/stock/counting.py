"""Counts: absolute figures become the movement that leads to them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, select, update

from state import tables as t
from state.batches import insert_rows
from state.stock import lots
from state.stock.ledger import Cause, Leg, moved_since, post

level = t.inventory_level


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
    observed_at: datetime | None = None,
    lot_id: int | None = None,
    actor: str = "crossdock",
) -> Decimal:
    """Bring on-hand to an absolute count by the computed delta; returns the delta.

    The first count of a SKU at a location is its opening. A count of a location we own that
    would leave less than is already reserved is refused by the database (IntegrityError).

    ``observed_at``: when it was counted, if not now. What has come or left since, as far as we
    have heard, is added to it; what we hear of later is told apart by ``ledger.take_off``. A count
    older than the one already taken changes nothing: it knows less.
    """
    opening = {"sku_id": sku_id, "location_id": location_id, "authority": authority}
    insert_rows(conn, level, [opening], unless_known=True)
    where = (level.c.sku_id == sku_id) & (level.c.location_id == location_id)
    current = conn.execute(select(level).where(where).with_for_update()).one()
    if _is_older(current, observed_at, lot_id):
        return Decimal(0)
    lot_id = lots.require_lot(conn, sku_id, location_id, lot_id)
    delta = on_hand - _standing(conn, current, lot_id)
    if observed_at is not None:
        delta += moved_since(conn, sku_id, location_id, observed_at, lot_id)
    cause = Cause(reason, ("count", None), key, now, observed_at, actor)
    legs = [Leg(sku_id, location_id, "on_hand", delta, lot_id)]
    if delta and not post(conn, legs, cause):
        return Decimal(0)
    conn.execute(update(level).where(where).values(observed_at=observed_at or now))
    return delta


def _is_older(current: Row[Any], observed_at: datetime | None, lot_id: int | None) -> bool:
    """Lots are counted one by one, so that another lot's count says nothing about this one."""
    if observed_at is None or current.observed_at is None or lot_id is not None:
        return False
    return bool(observed_at < current.observed_at)


def _standing(conn: Connection, current: Row[Any], lot_id: int | None) -> Decimal:
    if lot_id is None:
        return Decimal(current.on_hand)
    of_lot = t.lot_level
    here = (of_lot.c.lot_id == lot_id) & (of_lot.c.location_id == current.location_id)
    return Decimal(conn.scalar(select(of_lot.c.on_hand).where(here)) or 0)
