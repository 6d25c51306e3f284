"""What is where: the projection of the ledger that everybody reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, select, type_coerce

from state import tables as t
from state.batches import among
from state.types import Quantity

level = t.inventory_level
AVAILABLE = type_coerce(
    level.c.on_hand - level.c.reserved - level.c.damaged - level.c.quality_hold - level.c.safety,
    Quantity(),
)

BUCKETS = ("on_hand", "reserved", "damaged", "quality_hold", "safety", "incoming")


def levels(conn: Connection, sku_ids: Iterable[int]) -> list[Row[Any]]:
    """Levels of these SKUs with ``available``, in (sku, location) order."""
    query = (
        select(level, AVAILABLE.label("available"))
        .where(among(level.c.sku_id, set(sku_ids)))
        .order_by(level.c.sku_id, level.c.location_id)
    )
    return list(conn.execute(query))


def overview(
    conn: Connection, code: str | None = None, *, location: str | None = None
) -> list[Row[Any]]:
    """Levels by SKU code and location code, for people."""
    query = (
        select(
            t.sku.c.code.label("sku"),
            t.location.c.code.label("location"),
            *(level.c[bucket] for bucket in BUCKETS),
            AVAILABLE.label("available"),
            level.c.observed_at,
        )
        .join(t.sku, t.sku.c.id == level.c.sku_id)
        .join(t.location, t.location.c.id == level.c.location_id)
        .order_by(t.sku.c.code, t.location.c.code)
    )
    if code is not None:
        query = query.where(t.sku.c.code == code)
    if location is not None:
        query = query.where(t.location.c.code == location)
    return list(conn.execute(query))
