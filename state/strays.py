"""Objects at a vendor that do not fit to our intents, as sweeps have found them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update

from state import tables as t
from state.batches import among

_stray = t.stray_effect
KINDS = ("fulfilment_order", "label")
"""The intents that make an object at the vendor, which can be listed there."""

_IDENTITY = ("connection_id", "kind", "reference", "external_id", "problem")


def note(
    conn: Connection,
    connection_id: int,
    found: Sequence[Mapping[str, Any]],
    seen: tuple[datetime, datetime],
    now: datetime,
) -> int:
    """Write down what a sweep found among what was placed in ``seen`` (from, to); the rest of what
    was open there is gone. Returns how many are new.

    ``found`` has kind, reference, external_id, problem, cost, currency, remedy, placed_at.
    """
    begin, end = seen
    mine = (_stray.c.connection_id == connection_id) & _stray.c.gone_at.is_(None)
    there = (_stray.c.placed_at >= begin) & (_stray.c.placed_at < end)
    open_there = conn.execute(select(_stray).where(mine & there))
    known = {_name(dict(row._mapping)): row for row in open_there}
    named = {_name({**row, "connection_id": connection_id}): row for row in found}
    gone = [row.id for name, row in known.items() if name not in named]
    conn.execute(update(_stray).where(among(_stray.c.id, gone)).values(gone_at=now))
    fresh = {name: row for name, row in named.items() if name not in known}
    for name, row in fresh.items():
        values = {**row, "connection_id": connection_id, "found_at": now, "gone_at": None}
        again = [_stray.c[column] == value for column, value in zip(_IDENTITY, name, strict=True)]
        if conn.execute(update(_stray).where(*again).values(values)).rowcount == 0:
            conn.execute(insert(_stray).values(values))
    return len(fresh)


def _name(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column] for column in _IDENTITY)


def listing(conn: Connection, *, every: bool = False, limit: int | None = None) -> list[Row[Any]]:
    """What is open, or everything ever found, with the connection's name; oldest first."""
    query = _listing() if every else _listing().where(_stray.c.gone_at.is_(None))
    return list(conn.execute(query.limit(limit)))


def get(conn: Connection, number: int) -> Row[Any] | None:
    return conn.execute(_listing().where(_stray.c.id == number)).first()


def settle(conn: Connection, number: int, now: datetime) -> None:
    """It is not there any more."""
    conn.execute(update(_stray).where(_stray.c.id == number).values(gone_at=now))


def _listing() -> Select[Any]:
    joined = _stray.join(t.connection, _stray.c.connection_id == t.connection.c.id)
    columns = (*_stray.c, t.connection.c.name.label("connection"))
    return select(*columns).select_from(joined).order_by(_stray.c.id)


def pushed(conn: Connection, connection_id: int, references: Collection[str]) -> list[Row[Any]]:
    """Intents of a connection whose work carries one of the references: ``reference``, ``kind``,
    ``state``, ``remote_id``, and what the work itself is known by (``external_id``)."""
    return _pushed(conn, connection_id, among(t.fulfilment_order.c.reference, references))


def done_between(
    conn: Connection, connection_id: int, begin: datetime, end: datetime
) -> list[Row[Any]]:
    """Intents as in ``pushed`` that are done and were sent in the time; also ``sent_at``."""
    sent = (t.intent.c.sent_at >= begin) & (t.intent.c.sent_at < end)
    done = (t.intent.c.state == "done") & (t.intent.c.remote_id != "")
    return _pushed(conn, connection_id, sent & done)


def _pushed(conn: Connection, connection_id: int, where: Any) -> list[Row[Any]]:
    ffo, intent = t.fulfilment_order, t.intent
    joined = intent.join(ffo, ffo.c.id == intent.c.subject_id)
    of = (intent.c.connection_id == connection_id) & intent.c.kind.in_(KINDS)
    columns = (
        ffo.c.reference,
        ffo.c.external_id,
        intent.c.kind,
        intent.c.state,
        intent.c.remote_id,
        intent.c.sent_at,
    )
    query = select(*columns).select_from(joined).where(of & where)
    return list(conn.execute(query.order_by(intent.c.id)))
