"""Counts: absolute figures become the movements that lead to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Table, Update, bindparam, select, update

from state import tables as t
from state.batches import among, insert_rows
from state.dirty_marks import mark_dirty
from state.stock import lots
from state.stock.ledger import Cause, Leg, moved_since, write_each

level, lot_level = t.inventory_level, t.lot_level


@dataclass(frozen=True, slots=True)
class Place:
    """A location, and who keeps its stock: ``hub`` or ``external``."""

    location_id: int
    authority: str


@dataclass(frozen=True, slots=True)
class Count:
    """What stands of a SKU at a location, or of one of its lots.

    ``observed_at``: when it was counted, if not now. What has come or left since, as far as we
    have heard, is added to it; what we hear of later is told apart by ``ledger.take_off``. A count
    older than the one already taken changes nothing: it knows less.
    """

    sku_id: int
    on_hand: Decimal
    key: str
    observed_at: datetime | None = None
    lot_id: int | None = None


def set_counts(
    conn: Connection,
    place: Place,
    counts: Sequence[Count],
    *,
    reason: str,
    now: datetime,
    actor: str = "crossdock",
) -> dict[Count, Decimal]:
    """Bring on-hand to absolute counts, each of another SKU or lot; returns the deltas but zeros.

    The first count of a SKU at a location is its opening. A count of a location we own that
    would leave less than is already reserved is refused by the database (IntegrityError).
    The statements are as many for a thousand counts as for one.
    """
    shared = {"location_id": place.location_id, "authority": place.authority}
    sku_ids = sorted({count.sku_id for count in counts})
    opened = [{"sku_id": sku_id, **shared} for sku_id in sku_ids]
    if insert_rows(conn, level, opened, unless_known=True):
        # What nobody had counted is promised by nobody: none of it, once counted, is a promise too.
        mark_dirty(conn, sku_ids)
    weighed = _weigh(conn, place, counts, lock=True)
    moved = {count: delta for count, delta in weighed.items() if delta}
    write_each(conn, [_movement(place, *one, reason, now, actor) for one in moved.items()])
    _set_levels(conn, place, weighed, now)
    return moved


def foreseen(conn: Connection, place: Place, counts: Sequence[Count]) -> dict[Count, Decimal]:
    """What ``set_counts`` would change, if it came now."""
    return {count: delta for count, delta in _weigh(conn, place, counts).items() if delta}


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
    """``set_counts`` of a single one; returns the delta."""
    count = Count(sku_id, on_hand, key, observed_at, lot_id)
    place = Place(location_id, authority)
    moved = set_counts(conn, place, [count], reason=reason, now=now, actor=actor)
    return sum(moved.values(), Decimal(0))


def _weigh(
    conn: Connection, place: Place, counts: Sequence[Count], *, lock: bool = False
) -> dict[Count, Decimal]:
    """The delta of every count that is news, with a lot only where goods are told apart by it."""
    sku_ids = {count.sku_id for count in counts}
    tracked = lots.tracked_among(conn, sku_ids) if place.authority == "hub" else set()
    own = [
        replace(count, lot_id=lots.told(count.lot_id) if count.sku_id in tracked else None)
        for count in counts
    ]
    whole = _levels(conn, level, "sku_id", place, sku_ids, lock=lock)
    # Whoever has the level's row has its lots'.
    parts = _levels(conn, lot_level, "lot_id", place, [c.lot_id for c in own if c.lot_id])
    found: dict[Count, Decimal] = {}
    for count in own:
        was = whole.get(count.sku_id) if count.lot_id is None else parts.get(count.lot_id)
        if not _is_older(was, count.observed_at):
            found[count] = count.on_hand - _standing(was)
    moments = {(c.sku_id, c.lot_id): c.observed_at for c in found if c.observed_at is not None}
    since = moved_since(conn, place.location_id, moments)
    return {c: delta + since.get((c.sku_id, c.lot_id), 0) for c, delta in found.items()}


def _levels(
    conn: Connection,
    table: Table,
    key: str,
    place: Place,
    ids: Iterable[int],
    *,
    lock: bool = False,
) -> dict[int, Row[Any]]:
    """Levels at a location by ``key``, locked in its order if at all."""
    query = (
        select(table)
        .where(among(table.c[key], ids), table.c.location_id == place.location_id)
        .order_by(table.c[key])
    )
    rows = conn.execute(query.with_for_update() if lock else query)
    return {getattr(row, key): row for row in rows}


def _standing(was: Row[Any] | None) -> Decimal:
    return Decimal(0) if was is None else Decimal(was.on_hand)


def _is_older(was: Row[Any] | None, observed_at: datetime | None) -> bool:
    if was is None or observed_at is None or was.observed_at is None:
        return False
    return bool(observed_at < was.observed_at)


def _movement(
    place: Place, count: Count, delta: Decimal, reason: str, now: datetime, actor: str
) -> tuple[Leg, Cause]:
    leg = Leg(count.sku_id, place.location_id, "on_hand", delta, count.lot_id)
    return leg, Cause(reason, ("count", None), count.key, now, count.observed_at, actor)


def _set_levels(
    conn: Connection, place: Place, weighed: Mapping[Count, Decimal], now: datetime
) -> None:
    """Also where nothing differs: what was counted at a later moment has to be known."""
    values = [
        {
            "of_sku": count.sku_id,
            "of_lot": count.lot_id,
            "delta": delta,
            "counted_at": count.observed_at or now,
        }
        for count, delta in sorted(weighed.items(), key=lambda one: one[0].sku_id)
    ]
    if values:
        conn.execute(_change(level, "sku_id", "of_sku", place), values)
    of_lots = [row for row in values if row["of_lot"] is not None]
    if of_lots:
        opened = [{"lot_id": row["of_lot"], "location_id": place.location_id} for row in of_lots]
        insert_rows(conn, lot_level, opened, unless_known=True)
        conn.execute(_change(lot_level, "lot_id", "of_lot", place), of_lots)


def _change(table: Table, key: str, of: str, place: Place) -> Update:
    here = (table.c[key] == bindparam(of)) & (table.c.location_id == place.location_id)
    return (
        update(table)
        .where(here)
        .values(
            on_hand=table.c.on_hand + bindparam("delta", type_=table.c.on_hand.type),
            observed_at=bindparam("counted_at", type_=table.c.observed_at.type),
        )
    )
