"""Webhook events that came: each once, for as long as a vendor may send it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, select

from state import tables as t
from state.batches import insert_of
from state.ids import insert_unless_known

KEEP = timedelta(days=30)
"""Longer than any vendor repeats itself, and what a replay would have to wait for."""

_event, _tally = t.hook_event, t.hook_tally


def add(
    conn: Connection,
    *,
    connection_id: int,
    event_id: str,
    topic: str,
    external_id: str,
    version: str,
    headers: Mapping[str, str],
    sha256: bytes,
    size: int,
    nudged: bool,
    received_at: datetime,
) -> bool:
    """Keep one event; false when it was there before. ``size``: bytes of the body."""
    row = {
        "connection_id": connection_id,
        "event_id": event_id,
        "topic": topic,
        "external_id": external_id,
        "version": version,
        "headers": dict(headers),
        "sha256": sha256,
        "bytes": size,
        "state": "nudged" if nudged else "unused",
        "received_at": received_at,
    }
    return insert_unless_known(conn, _event, **row) is not None


def is_known(conn: Connection, connection_id: int, event_id: str) -> bool:
    """Whether the event is there: locks nothing."""
    known = select(_event.c.id).where(
        _event.c.connection_id == connection_id, _event.c.event_id == event_id
    )
    return conn.execute(known).first() is not None


def count(conn: Connection, connection_id: int, kind: str, times: int, last_at: datetime) -> None:
    """Add to how often something of this kind came and left no event."""
    row = {"connection_id": connection_id, "kind": kind, "times": times, "last_at": last_at}
    added = insert_of(conn.dialect)(_tally).values(row)
    changes = {"times": _tally.c.times + times, "last_at": last_at}
    key = [_tally.c.connection_id, _tally.c.kind]
    conn.execute(added.on_conflict_do_update(index_elements=key, set_=changes))


def overview(conn: Connection, since: datetime) -> dict[int, Row[Any]]:
    """By connection: ``events`` and ``unused`` since then, and when the ``last`` one came."""
    recent = func.count().filter(_event.c.received_at >= since)
    unused = func.count().filter(_event.c.received_at >= since, _event.c.state == "unused")
    query = select(
        _event.c.connection_id,
        recent.label("events"),
        unused.label("unused"),
        func.max(_event.c.received_at).label("last"),
    ).group_by(_event.c.connection_id)
    return {row.connection_id: row for row in conn.execute(query)}


def last(conn: Connection, connection_id: int) -> datetime | None:
    """When the last event of a connection came; null: none is kept."""
    query = select(func.max(_event.c.received_at)).where(_event.c.connection_id == connection_id)
    found: datetime | None = conn.scalar(query)
    return found


def last_nudge(conn: Connection, connection_id: int, since: datetime) -> datetime | None:
    """When the last event came after ``since`` that had a stream read; null: none did."""
    nudge = and_(_event.c.connection_id == connection_id, _event.c.state == "nudged")
    # Only the time in WHERE: a month of a connection's events is much more than what came since.
    query = select(func.max(_event.c.received_at).filter(nudge)).where(_event.c.received_at > since)
    found: datetime | None = conn.scalar(query)
    return found


def tallies(conn: Connection) -> dict[int, dict[str, int]]:
    """By connection: how often what came, by kind, since ever."""
    found: dict[int, dict[str, int]] = {}
    for row in conn.execute(select(_tally).order_by(_tally.c.kind)):
        found.setdefault(row.connection_id, {})[row.kind] = row.times
    return found


def prune(conn: Connection, now: datetime) -> int:
    """Delete events that nobody sends again; answers how many."""
    return conn.execute(delete(_event).where(_event.c.received_at < now - KEEP)).rowcount
