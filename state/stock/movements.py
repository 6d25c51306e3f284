"""Goods that come, change their condition, or are thrown away, at one location."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from sqlalchemy import Connection

from state.errors import Misplaced
from state.stock import lots, serials
from state.stock.ledger import Cause, Leg, is_ours, post

CONDITIONS = ("damaged", "quality_hold", "safety")
"""Buckets that keep goods on hand from being available."""


def receive(
    conn: Connection,
    *,
    sku_id: int,
    location_id: int,
    qty: Decimal,
    cause: Cause,
    lot_id: int | None = None,
    pieces: Sequence[str] = (),
    incoming: Decimal = Decimal(0),
) -> bool:
    """Goods have come, ``incoming`` of them announced before; false if the key is known.

    At a location that an outside system counts they are only no longer on their way: they may be
    in a count that we have taken already, and on top of it would be promised twice. The next count
    brings them; what was not announced there is refused (``Misplaced``).

    ``pieces``: their serials, where a SKU's are tracked.
    """
    lot_id = lots.require_lot(conn, sku_id, location_id, lot_id)
    came = [Leg(sku_id, location_id, "on_hand", qty, lot_id)] if is_ours(conn, location_id) else []
    known = [Leg(sku_id, location_id, "incoming", -incoming, lot_id)] if incoming else []
    if not came and not known:
        raise Misplaced("an outside system counts there: its next count brings them")
    if not post(conn, [*came, *known], cause):
        return False
    serials.come(
        conn, sku_id=sku_id, location_id=location_id, qty=qty, serials=pieces, now=cause.now
    )
    return True


def reclassify(
    conn: Connection,
    *,
    sku_id: int,
    location_id: int,
    qty: Decimal,
    bucket: str,
    cause: Cause,
    lot_id: int | None = None,
) -> bool:
    """Move ``qty`` between available and one of ``CONDITIONS``; negative: back to available.

    What is reserved already cannot be moved away: the database refuses (IntegrityError).
    """
    # A safety stock is a figure of the SKU's, not a condition of certain pieces.
    lot_id = None if bucket == "safety" else lots.require_lot(conn, sku_id, location_id, lot_id)
    return post(conn, [Leg(sku_id, location_id, bucket, qty, lot_id)], cause)


def scrap(
    conn: Connection,
    *,
    sku_id: int,
    location_id: int,
    qty: Decimal,
    bucket: str,
    cause: Cause,
    lot_id: int | None = None,
) -> bool:
    """Throw ``qty`` of the goods in a condition away: they leave it and on-hand together."""
    lot_id = lots.require_lot(conn, sku_id, location_id, lot_id)
    legs = [
        Leg(sku_id, location_id, bucket, -qty, lot_id),
        Leg(sku_id, location_id, "on_hand", -qty, lot_id),
    ]
    return post(conn, legs, replace(cause, reason="return_scrap"))
