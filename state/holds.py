"""Runs that the guard held: what they would have changed, and whether a person approved it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update

from state import tables as t
from state.batches import among, insert_rows
from state.ids import insert_one

OPEN = ("held", "approved")

_hold, _change = t.guard_hold, t.guard_change


def add(
    conn: Connection,
    *,
    stream_key: str,
    reason: str,
    measured: Mapping[str, Any],
    changes: Sequence[Mapping[str, Any]],
    now: datetime,
) -> int:
    """Write a held run down; returns its number. Changes: subject, label, before, after."""
    number = insert_one(
        conn,
        _hold,
        stream_key=stream_key,
        state="held",
        held_at=now,
        reason=reason,
        measured=measured,
    )
    insert_rows(conn, _change, [{"hold_id": number, **change} for change in changes])
    return number


def open_of(conn: Connection, stream_key: str) -> Row[Any] | None:
    """The stream's hold that is not settled, if there is one."""
    return conn.execute(_OPEN_OF, {"of_stream": stream_key}).first()


_OPEN_OF = (
    select(_hold)
    .where(_hold.c.stream_key == bindparam("of_stream"), _hold.c.state.in_(OPEN))
    .order_by(_hold.c.id.desc())
)


def get(conn: Connection, number: int) -> Row[Any] | None:
    return conn.execute(select(_hold).where(_hold.c.id == number)).first()


def listing(conn: Connection, *, every: bool = False, limit: int | None = None) -> list[Row[Any]]:
    """Holds that are not settled, or every one; the newest first, with how much each changes."""
    sizes = (
        select(_change.c.hold_id, func.count().label("changes"))
        .group_by(_change.c.hold_id)
        .subquery()
    )
    query = select(_hold, func.coalesce(sizes.c.changes, 0).label("changes")).outerjoin(
        sizes, sizes.c.hold_id == _hold.c.id
    )
    if not every:
        query = query.where(_hold.c.state.in_(OPEN))
    return list(conn.execute(query.order_by(_hold.c.id.desc()).limit(limit)))


def changes(conn: Connection, number: int, limit: int | None = None) -> list[Row[Any]]:
    """What a held run would have changed, the largest first."""
    size = func.abs(_change.c.after - _change.c.before)
    query = select(_change).where(_change.c.hold_id == number)
    return list(conn.execute(query.order_by(size.desc(), _change.c.subject).limit(limit)))


def settle(conn: Connection, number: int, state: str, now: datetime) -> None:
    conn.execute(update(_hold).where(_hold.c.id == number).values(state=state, settled_at=now))


def prune(conn: Connection, before: datetime) -> int:
    """Delete what was settled before that time; answer how many."""
    old = select(_hold.c.id).where(_hold.c.settled_at < before)
    conn.execute(delete(_change).where(_change.c.hold_id.in_(old)))
    return conn.execute(delete(_hold).where(_hold.c.settled_at < before)).rowcount


def approve(conn: Connection, number: int, actor: str, now: datetime) -> bool:
    """Let a held run's changes pass; false when it is not held (any more)."""
    where = (_hold.c.id == number) & (_hold.c.state == "held")
    values = {"state": "approved", "approved_by": actor, "approved_at": now}
    return conn.execute(update(_hold).where(where).values(values)).rowcount > 0


def on_hand_of(
    conn: Connection, sku_ids: Iterable[int], location_ids: Iterable[int]
) -> list[Row[Any]]:
    """What was counted of some SKUs at some locations: location_id, sku_id, code, on_hand."""
    level = t.inventory_level
    query = (
        select(level.c.location_id, level.c.sku_id, t.sku.c.code, level.c.on_hand)
        .join(t.sku, t.sku.c.id == level.c.sku_id)
        .where(among(level.c.sku_id, sku_ids), among(level.c.location_id, location_ids))
        .order_by(level.c.location_id, level.c.sku_id)
    )
    return list(conn.execute(query))


def in_stock(conn: Connection, location_id: int) -> int:
    """How many SKUs a location has on hand."""
    level = t.inventory_level
    there = (level.c.location_id == location_id) & (level.c.on_hand > 0)
    return conn.scalar(select(func.count()).select_from(level).where(there)) or 0
