"""The one way into the ledger: rows and the levels they make, or nothing at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Table, func, select, update

from state import tables as t
from state.batches import among, insert_rows
from state.dirty_marks import mark_dirty
from state.errors import KeyReused

ledger = t.inventory_ledger

MOVED = ("receipt", "sale", "ship", "return_restock", "return_scrap", "transfer_out", "transfer_in")
"""Reasons of goods that came or left. The others set right what we believed."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One row of a movement: ``delta`` units into (or, negative, out of) a bucket of a level.

    With a lot it counts for the lot's own level too.
    """

    sku_id: int
    location_id: int
    bucket: str
    delta: Decimal
    lot_id: int | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a movement is, and when: what its rows share.

    ``key``: its rows are told apart by number behind it (``key``, ``key#1`` ...). ``ref``: type and
    id of what caused it. ``occurred_at``: outside; null where nobody has told.
    """

    reason: str
    ref: tuple[str, int | None]
    key: str
    now: datetime
    occurred_at: datetime | None = None
    actor: str = "crossdock"


def post(conn: Connection, legs: Sequence[Leg], cause: Cause) -> bool:
    """Write a movement and bring the levels along; false, and nothing changes, if its key is known.

    Raises ``KeyReused`` when the key was another movement's, and IntegrityError when a location
    of ours would have less than nothing available; the transaction, or the savepoint around the
    call, must then be given up.
    """
    if not write_rows(conn, legs, cause):
        return False
    apply(conn, legs)
    return True


def write_rows(conn: Connection, legs: Sequence[Leg], cause: Cause) -> bool:
    """The ledger's part of ``post``."""
    rows = [_row(leg, cause, f"{cause.key}#{n}" if n else cause.key) for n, leg in enumerate(legs)]
    new = insert_rows(conn, ledger, rows, unless_known=True)
    if new != len(rows):
        _require_same(conn, cause.key, rows if new == 0 else [])
        return False
    mark_dirty(conn, [leg.sku_id for leg in legs])
    return True


def write_each(conn: Connection, movements: Sequence[tuple[Leg, Cause]]) -> None:
    """The ledger's part of many movements of one leg each. Raises ``KeyReused`` if one is known."""
    rows = [_row(leg, cause, cause.key) for leg, cause in movements]
    if insert_rows(conn, ledger, rows, unless_known=True) != len(rows):
        raise KeyReused("one of these movements of stock has the key of another")
    mark_dirty(conn, [leg.sku_id for leg, _ in movements])


def _row(leg: Leg, cause: Cause, key: str) -> dict[str, Any]:
    return {
        "sku_id": leg.sku_id,
        "location_id": leg.location_id,
        "lot_id": leg.lot_id,
        "bucket": leg.bucket,
        "delta": leg.delta,
        "reason": cause.reason,
        "ref_type": cause.ref[0],
        "ref_id": cause.ref[1],
        "occurred_at": cause.occurred_at or cause.now,
        "recorded_at": cause.now,
        "actor": cause.actor,
        "idempotency_key": key,
    }


def posted(conn: Connection, key: str) -> Row[Any] | None:
    """The first row of the movement with this key."""
    return conn.execute(select(ledger).where(ledger.c.idempotency_key == key)).first()


def _require_same(conn: Connection, key: str, rows: Sequence[dict[str, Any]]) -> None:
    """Raise unless the rows that were known already are the very ones we came with.

    ``rows``: empty when only a part of them was known.
    """
    keys = [row["idempotency_key"] for row in rows]
    found = conn.execute(select(ledger).where(among(ledger.c.idempotency_key, keys)))
    known = {row.idempotency_key: row for row in found}
    same = [
        all(
            getattr(known[row["idempotency_key"]], name) == row[name]
            for name in ("sku_id", "location_id", "lot_id", "bucket", "delta")
        )
        for row in rows
    ]
    if not same or not all(same):
        then = known.get(key)
        amounts = f": {then.delta:f} then, {rows[0]['delta']:f} now" if then and rows else ""
        raise KeyReused(f"the key {key} already stands for another movement of stock{amounts}")


def apply(conn: Connection, legs: Sequence[Leg]) -> None:
    """Change each level once, so that its CHECK sees the whole movement and not a half of it."""
    changes: dict[tuple[int, int], dict[str, Decimal]] = {}
    for leg in legs:
        _add(changes.setdefault((leg.sku_id, leg.location_id), {}), leg)
    for (sku_id, location_id), deltas in sorted(changes.items()):
        where = {"sku_id": sku_id, "location_id": location_id}
        if not _change(conn, t.inventory_level, where, deltas):
            open_level(conn, sku_id, location_id)
            _change(conn, t.inventory_level, where, deltas)
    apply_to_lots(conn, legs)


def apply_to_lots(conn: Connection, legs: Sequence[Leg]) -> None:
    """The same for the levels of the lots that the legs name."""
    changes: dict[tuple[int, int], dict[str, Decimal]] = {}
    for leg in legs:
        if leg.lot_id is not None and leg.bucket in t.lot_level.c:
            _add(changes.setdefault((leg.lot_id, leg.location_id), {}), leg)
    for (lot_id, location_id), deltas in sorted(changes.items()):
        where = {"lot_id": lot_id, "location_id": location_id}
        if not _change(conn, t.lot_level, where, deltas):
            insert_rows(conn, t.lot_level, [where], unless_known=True)
            _change(conn, t.lot_level, where, deltas)


def _add(deltas: dict[str, Decimal], leg: Leg) -> None:
    deltas[leg.bucket] = deltas.get(leg.bucket, Decimal(0)) + leg.delta


def _change(
    conn: Connection, table: Table, where: dict[str, int], deltas: dict[str, Decimal]
) -> int:
    """Add ``deltas`` to the buckets of one level; returns how many rows that were (0 or 1)."""
    row = [table.c[name] == value for name, value in where.items()]
    values = {bucket: table.c[bucket] + delta for bucket, delta in deltas.items()}
    return conn.execute(update(table).where(*row).values(values)).rowcount


def open_level(conn: Connection, sku_id: int, location_id: int) -> None:
    """Make the level exist, owned by whom its location is."""
    authority = select(t.location.c.authority).where(t.location.c.id == location_id)
    row = {
        "sku_id": sku_id,
        "location_id": location_id,
        "authority": conn.execute(authority).scalar_one(),
    }
    insert_rows(conn, t.inventory_level, [row], unless_known=True)


def moved_since(
    conn: Connection, location_id: int, moments: Mapping[tuple[int, int | None], datetime]
) -> dict[tuple[int, int | None], Decimal]:
    """Goods that came (or, negative, left) at each one's moment or later, as far as we have heard.

    By SKU and lot, the lot null for all of a SKU.
    """
    if not moments:
        return {}
    row = ledger.c
    query = (
        select(row.sku_id, row.lot_id, row.occurred_at, func.sum(row.delta, type_=row.delta.type))
        .where(
            among(row.sku_id, {sku_id for sku_id, _ in moments}),
            row.location_id == location_id,
            row.bucket == "on_hand",
            row.occurred_at >= min(moments.values()),
            row.reason.in_(MOVED),
        )
        .group_by(row.sku_id, row.lot_id, row.occurred_at)
    )
    found: dict[tuple[int, int | None], Decimal] = {}
    for sku_id, lot_id, occurred_at, delta in conn.execute(query):
        for one in {(sku_id, lot_id), (sku_id, None)} & moments.keys():
            if occurred_at >= moments[one]:
                found[one] = found.get(one, Decimal(0)) + delta
    return found


def take_off(conn: Connection, legs: Sequence[Leg], cause: Cause) -> bool:
    """Post goods that have left a location; what its newest count knew already is put back.

    An outside location counts without the goods it has shipped. When we hear of the shipment only
    after such a count, taking the goods off again would subtract them twice, so a second row says
    that the count had it. At the very moment of the count, or without a moment, the goods are
    taken to have been counted still: too few on offer until the next count, never too many.
    """
    if not post(conn, legs, cause):
        return False
    left_at = cause.occurred_at
    if left_at is not None:
        known = [leg for leg in legs if leg.bucket == "on_hand" and _counted(conn, leg, left_at)]
        back = [Leg(leg.sku_id, leg.location_id, "on_hand", -leg.delta) for leg in known]
        put_back = replace(
            cause, reason="external_set", ref=("count", None), key=f"{cause.key}:counted"
        )
        post(conn, back, put_back)
    return True


def _counted(conn: Connection, leg: Leg, occurred_at: datetime) -> bool:
    level = t.inventory_level.c
    query = select(level.authority, level.observed_at).where(
        level.sku_id == leg.sku_id, level.location_id == leg.location_id
    )
    row = conn.execute(query).one()
    return bool(
        row.authority == "external"
        and row.observed_at is not None
        and occurred_at < row.observed_at
    )


def is_ours(conn: Connection, location_id: int) -> bool:
    """Whether we keep the stock of a location, rather than an outside system."""
    query = select(t.location.c.authority).where(t.location.c.id == location_id)
    return bool(conn.execute(query).scalar_one() == "hub")
