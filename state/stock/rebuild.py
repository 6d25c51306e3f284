"""Proof that the projections are what the ledger says, and the way back where they are not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select, text, update

from state import history
from state import tables as t
from state.batches import insert_rows
from state.dirty_marks import mark_dirty
from state.stock.ledger import Cause, Leg, open_level, write_rows
from state.stock.levels import BUCKETS
from state.types import Quantity

ledger = t.inventory_ledger
LOT_BUCKETS = ("on_hand", "reserved", "damaged", "quality_hold")


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that two places do not agree on. ``lot``: empty where it is the whole level's.

    ``against``: what the level was compared with: the ``ledger``, the active ``reservations`` or
    the open ``consignments``. ``last_row``: id of the newest ledger row of that bucket, where the
    search for the cause begins.
    """

    sku: str
    location: str
    lot: str
    bucket: str
    against: str
    level_says: Decimal
    other_says: Decimal
    last_row: int | None
    sku_id: int
    location_id: int
    lot_id: int | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _levels_say() -> str:
    """SELECTs of what the projections say, one for each bucket and what it is compared with."""
    whole = [(bucket, "ledger") for bucket in BUCKETS]
    whole += [("reserved", "reservations"), ("incoming", "consignments")]
    lots = [(bucket, "ledger") for bucket in LOT_BUCKETS] + [("reserved", "reservations")]
    of_whole, of_lots = (
        "SELECT sku_id, location_id, CAST(NULL AS BIGINT), '{0}', '{1}', {0}, 0"
        " FROM inventory_level",
        "SELECT sku_id, location_id, lot_id, '{0}', '{1}', {0}, 0"
        " FROM lot_level JOIN lot ON lot.id = lot_id",
    )
    sides = [of_whole.format(*side) for side in whole] + [of_lots.format(*side) for side in lots]
    return "\n  UNION ALL ".join(sides)


_OTHERS_SAY = """
  SELECT sku_id, location_id, CAST(NULL AS BIGINT), bucket, 'ledger', 0, delta
    FROM inventory_ledger
  UNION ALL SELECT sku_id, location_id, lot_id, bucket, 'ledger', 0, delta
    FROM inventory_ledger
    WHERE lot_id IS NOT NULL AND bucket NOT IN ('safety', 'incoming')
  UNION ALL SELECT sku_id, location_id, CAST(NULL AS BIGINT), 'reserved', 'reservations', 0,
      qty - qty_consumed - qty_released
    FROM reservation WHERE state = 'active'
  UNION ALL SELECT sku_id, location_id, lot_id, 'reserved', 'reservations', 0, reservation_lot.qty
    FROM reservation_lot JOIN reservation ON reservation.id = reservation_id
  UNION ALL SELECT sku_id, to_location_id, CAST(NULL AS BIGINT), 'incoming', 'consignments', 0,
      qty - qty_received - qty_lost
    FROM consignment
"""

_COMPARED = text(
    f"""
WITH side (sku_id, location_id, lot_id, bucket, against, level_says, other_says) AS (
  {_levels_say()}
  UNION ALL {_OTHERS_SAY}
),
differing AS (
  SELECT sku_id, location_id, lot_id, bucket, against,
      SUM(level_says) AS level_says, SUM(other_says) AS other_says
    FROM side
    GROUP BY sku_id, location_id, lot_id, bucket, against
    HAVING SUM(level_says) <> SUM(other_says)
)
SELECT differing.*, sku.code AS sku, location.code AS location, COALESCE(lot.code, '') AS lot,
    (SELECT MAX(id) FROM inventory_ledger AS l
      WHERE l.sku_id = differing.sku_id AND l.location_id = differing.location_id
        AND l.bucket = differing.bucket
        AND (differing.lot_id IS NULL OR l.lot_id = differing.lot_id)) AS last_row
  FROM differing
  JOIN sku ON sku.id = differing.sku_id
  JOIN location ON location.id = differing.location_id
  LEFT JOIN lot ON lot.id = differing.lot_id
  ORDER BY sku.code, location.code, COALESCE(lot.code, ''), bucket, against
  LIMIT :most
"""  # noqa: S608 - our own names
).columns(level_says=Quantity(), other_says=Quantity())


def differences(conn: Connection, most: int = 1_000_000) -> list[Difference]:
    """Figures that do not agree, in order of SKU, location, lot and bucket."""
    return [Difference(**row) for row in conn.execute(_COMPARED, {"most": most}).mappings()]


def rebuild(conn: Connection, now: datetime, actor: str) -> list[Difference]:
    """Bring every projection to what it projects; returns what did not agree before.

    Who holds goods and what is on its way are facts that the ledger must tell as well: where it
    does not, a correction is added to it first. Then each differing bucket becomes the sum of its
    ledger. Each repair is an audit row. Raises IntegrityError where a location of ours would have
    less than is reserved: goods must be counted, or orders cancelled, before.
    """
    if conn.dialect.name == "postgresql":
        # What is compared must not move before it is written; SQLite has one writer.
        conn.execute(text(_HOLD_STILL))
    found = differences(conn)
    for one in found:
        if one.against != "ledger":
            _correct(conn, one, now, actor)
    # The figures that differed, and of the levels that a correction of their lots has touched.
    again: dict[tuple[int, int, int | None], set[str]] = {}
    for one in found:
        for lot_id in {one.lot_id, None}:
            again.setdefault((one.sku_id, one.location_id, lot_id), set()).add(one.bucket)
    for (sku_id, location_id, lot_id), buckets in again.items():
        _project(conn, sku_id, location_id, lot_id, buckets)
    for one in found:
        history.audit(
            conn,
            actor=actor,
            action="rebuild_stock",
            subject=("sku", one.sku_id),
            before={"location": one.location, "bucket": one.bucket, "qty": str(one.level_says)},
            after={"location": one.location, "bucket": one.bucket, "qty": str(one.other_says)},
            reason=f"level and {one.against} did not agree; last ledger row {one.last_row}",
            now=now,
        )
    mark_dirty(conn, [one.sku_id for one in found])
    return found


_HOLD_STILL = (
    "LOCK TABLE inventory_level, inventory_ledger, reservation, reservation_lot, consignment, "
    "lot_level IN SHARE ROW EXCLUSIVE MODE"
)


def _sum(
    conn: Connection, sku_id: int, location_id: int, lot_id: int | None, bucket: str
) -> Decimal:
    query = select(func.sum(ledger.c.delta, type_=ledger.c.delta.type)).where(
        ledger.c.sku_id == sku_id,
        ledger.c.location_id == location_id,
        ledger.c.bucket == bucket,
    )
    if lot_id is not None:
        query = query.where(ledger.c.lot_id == lot_id)
    return Decimal(conn.scalar(query) or 0)


def _correct(conn: Connection, one: Difference, now: datetime, actor: str) -> None:
    """Have the ledger tell what the reservations or the consignments say.

    A level's lots come after the level itself, and bring their own rows: what the level's
    correction said without a lot is then taken back.
    """
    told = _sum(conn, one.sku_id, one.location_id, one.lot_id, one.bucket)
    delta = one.other_says - told
    key = f"rebuild:{one.sku_id}:{one.location_id}:{one.lot_id or 0}:{one.bucket}:{now.isoformat()}"
    cause = Cause("correction", ("rebuild", None), key, now, None, actor)
    legs = [Leg(one.sku_id, one.location_id, one.bucket, delta, one.lot_id)]
    if delta and one.lot_id is not None:
        legs.append(Leg(one.sku_id, one.location_id, one.bucket, -delta, None))
    if delta:
        write_rows(conn, legs, cause)


def _project(
    conn: Connection, sku_id: int, location_id: int, lot_id: int | None, buckets: set[str]
) -> None:
    """Make buckets of one level the sums of their ledger, all at once for the sake of its CHECK."""
    if lot_id is None:
        open_level(conn, sku_id, location_id)
        table, where = t.inventory_level, {"sku_id": sku_id, "location_id": location_id}
    else:
        table, where = t.lot_level, {"lot_id": lot_id, "location_id": location_id}
        insert_rows(conn, table, [where], unless_known=True)
    row = [table.c[name] == value for name, value in where.items()]
    sums = {bucket: _sum(conn, sku_id, location_id, lot_id, bucket) for bucket in sorted(buckets)}
    conn.execute(update(table).where(*row).values(sums))
