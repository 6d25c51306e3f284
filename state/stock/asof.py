"""What was where at a moment, read off the ledger."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, func, select

from state import tables as t
from state.stock.levels import BUCKETS

ledger = t.inventory_ledger


def levels_as_of(
    conn: Connection,
    moment: datetime,
    *,
    code: str | None = None,
    location: str | None = None,
    by: Literal["recorded", "occurred"] = "recorded",
) -> list[dict[str, Any]]:
    """Levels at ``moment``, that moment included, by SKU and location code.

    ``recorded``: what the books said then. It never changes again, as nothing is recorded in the
    past. ``occurred``: what was there as we know by now, so what is heard late changes it.
    """
    when = ledger.c.recorded_at if by == "recorded" else ledger.c.occurred_at
    total = func.sum(ledger.c.delta, type_=ledger.c.delta.type)
    query = (
        select(t.sku.c.code, t.location.c.code.label("place"), ledger.c.bucket, total.label("qty"))
        .join(t.sku, t.sku.c.id == ledger.c.sku_id)
        .join(t.location, t.location.c.id == ledger.c.location_id)
        .where(when <= moment)
        .group_by(t.sku.c.code, t.location.c.code, ledger.c.bucket)
        .order_by(t.sku.c.code, t.location.c.code)
    )
    if code is not None:
        query = query.where(t.sku.c.code == code)
    if location is not None:
        query = query.where(t.location.c.code == location)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in conn.execute(query):
        nothing = {"sku": row.code, "location": row.place, **dict.fromkeys(BUCKETS, Decimal(0))}
        found.setdefault((row.code, row.place), nothing)[row.bucket] = Decimal(row.qty)
    for one in found.values():
        taken = sum(one[bucket] for bucket in ("reserved", "damaged", "quality_hold", "safety"))
        one["available"] = one["on_hand"] - taken
    return list(found.values())
