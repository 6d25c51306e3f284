"""What is where: the projection of the ledger that everybody reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Row, Select, or_, select, type_coerce

from state import tables as t
from state.batches import among, insert_of
from state.types import Quantity

level = t.inventory_level
AVAILABLE = type_coerce(
    level.c.on_hand - level.c.reserved - level.c.damaged - level.c.quality_hold - level.c.safety,
    Quantity(),
)

BUCKETS = ("on_hand", "reserved", "damaged", "quality_hold", "safety", "incoming")


def mark_dirty(conn: Connection, sku_ids: Iterable[int]) -> None:
    """Have the promise of these SKUs computed anew, of what they hold, and of what holds them.

    Demand for a bundle is demand for its components, and theirs is their other bundles'.
    """
    ids = sorted(set(sku_ids))
    if not ids:
        return
    part = t.bundle_component.c
    inside = select(part.component_sku_id).where(among(part.bundle_sku_id, ids))
    singles = select(t.sku.c.id).where(or_(among(t.sku.c.id, ids), t.sku.c.id.in_(inside)))
    around = select(part.bundle_sku_id).where(part.component_sku_id.in_(singles))
    mark_dirty_among(conn, singles.union(around))


def mark_dirty_among(conn: Connection, sku_ids: Select[Any] | CompoundSelect[Any]) -> None:
    """Have the promise of the SKUs that a query selects computed anew.

    A mark that is there already is written once more: that locks its row, so that on PostgreSQL
    the promise job cannot take the mark away before what caused this one is committed.
    """
    chosen = sku_ids.subquery()
    column = chosen.c[0]
    ordered = select(column).where(column.is_not(None)).distinct().order_by(column)
    statement = insert_of(conn.dialect)(t.dirty_sku).from_select(["sku_id"], ordered)
    kept = {"sku_id": statement.excluded.sku_id}
    conn.execute(statement.on_conflict_do_update(index_elements=["sku_id"], set_=kept))


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
