"""Intents: what must happen outside, written down before the call."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    bindparam,
    func,
    not_,
    or_,
    select,
    update,
)

from state import tables as t
from state import vault
from state.batches import among, insert_rows
from state.ids import insert_one
from state.vault import bodies, keys

UNDER_WAY = ("sending", "accepted", "unknown")
OPEN = ("planned", *UNDER_WAY)

intent = t.intent


def plan(
    conn: Connection,
    *,
    connection_id: int,
    kind: str,
    subject: tuple[str, int],
    key: str,
    body: Mapping[str, Any],
    now: datetime,
    not_before: datetime | None = None,
    of: keys.Owner | None = None,
) -> int:
    """Write an intent down. Its body is frozen from here on; its key names it for ever.

    ``of``: the record of the channel that it tells of; its address and links are encrypted where
    what comes of that channel is.
    """
    if of is not None and vault.seals(conn, of[0]):
        body = bodies.seal(keys.for_writing(conn, [of])[of], body, key)
    return insert_one(
        conn,
        intent,
        connection_id=connection_id,
        kind=kind,
        subject_type=subject[0],
        subject_id=subject[1],
        idempotency_key=key,
        body=body,
        body_sha256=digest(body),
        not_before=not_before or now,
        created_at=now,
    )


def plan_many(conn: Connection, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Write many intents down: connection_id, kind, subject_type, subject_id, idempotency_key,
    body of each, with the same meaning as in ``plan``."""
    written = {"not_before": now, "created_at": now}
    insert_rows(
        conn, intent, [{**row, "body_sha256": digest(row["body"]), **written} for row in rows]
    )


def is_frozen(conn: Connection, row: Row[Any]) -> bool:
    """Is the body, as it is stored, the one that was written down, and can it be read? Rows of a
    version before 0014 cannot tell the first."""
    return row.body_sha256 in ("", digest(row.body)) and bodies.opens(conn, row)


def digest(body: Mapping[str, Any]) -> str:
    """Equal for equal bodies, whatever the order of their keys."""
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()


def supersede_all(conn: Connection, kind: str, subject_ids: Iterable[int], now: datetime) -> int:
    """Drop planned intents of subjects in favour of newer ones; never those already sent."""
    where = (intent.c.kind == kind) & among(intent.c.subject_id, subject_ids)
    where &= intent.c.state == "planned"
    values = {"state": "superseded", "settled_at": now}
    return conn.execute(update(intent).where(where).values(values)).rowcount


def withdraw(conn: Connection, kind: str, subject_id: int, now: datetime) -> bool:
    """Take back an intent that was certainly never sent; true when there was one."""
    where = (intent.c.kind == kind) & (intent.c.subject_id == subject_id)
    where &= (intent.c.state == "planned") & (intent.c.attempts == 0)
    values = {"state": "superseded", "settled_at": now, "message": "withdrawn before it was sent"}
    return conn.execute(update(intent).where(where).values(values)).rowcount > 0


def overtake(conn: Connection, kind: str, subject_id: int, why: str, now: datetime) -> int:
    """Drop unsettled intents because what happened outside has overtaken them.

    One whose call is under way is settled by its reply, but never sent again. What the other side
    has taken for later stays: its result will be told.
    """
    where = (intent.c.kind == kind) & (intent.c.subject_id == subject_id)
    where &= intent.c.state.in_(("planned", "sending", "unknown", "review"))
    values = {"state": "superseded", "settled_at": now, "message": why}
    return conn.execute(update(intent).where(where).values(values)).rowcount


def in_state(
    conn: Connection, connection_id: int, *states: str, limit: int | None = None
) -> list[Row[Any]]:
    """Intents of a connection in these states, oldest first; their bodies in clear."""
    query = _IN_STATE if limit is None else _IN_STATE.limit(limit)
    given = {"connection": connection_id, "states": states}
    return bodies.clear(conn, conn.execute(query, given).all())


def by_key(conn: Connection, key: str, *, lock: bool = False) -> Row[Any] | None:
    """The intent of this name, its body in clear."""
    query = select(intent).where(intent.c.idempotency_key == key)
    found = conn.execute(query.with_for_update() if lock else query).all()
    return next(iter(bodies.clear(conn, found)), None)


def listing(conn: Connection, states: Sequence[str], limit: int) -> list[Row[Any]]:
    """Intents in these states with their connection's name, oldest first."""
    query = (
        select(intent, t.connection.c.name.label("connection"))
        .join(t.connection, t.connection.c.id == intent.c.connection_id)
        .where(intent.c.state.in_(states))
    )
    return list(conn.execute(query.order_by(intent.c.id).limit(limit)))


def of_subject(conn: Connection, kind: str, subject_id: int) -> list[Row[Any]]:
    where = (intent.c.kind == kind) & (intent.c.subject_id == subject_id)
    return list(conn.execute(select(intent).where(where).order_by(intent.c.id)))


def latest_of(conn: Connection, kind: str, subject_id: int) -> Row[Any] | None:
    where = (intent.c.kind == kind) & (intent.c.subject_id == subject_id)
    return conn.execute(select(intent).where(where).order_by(intent.c.id.desc()).limit(1)).first()


def due(
    conn: Connection,
    connection_id: int,
    kind: str,
    now: datetime,
    limit: int,
    *,
    newest: bool = False,
) -> list[Row[Any]]:
    """The next intents to send: one per subject, the oldest, and none behind an unsettled one.

    ``newest``: of such intents only a subject's last one may be sent, and none while another is
    under way. So what came back unsent never goes out before, or after, what replaces it.
    """
    values = {"connection": connection_id, "of_kind": kind, "now": now, "most": limit}
    return list(conn.execute(_DUE_NEWEST if newest else _DUE, values))


def _due(*, newest: bool) -> Select[Any]:
    other = intent.alias("other")
    same = select(other.c.id).where(
        other.c.kind == intent.c.kind, other.c.subject_id == intent.c.subject_id
    )
    if newest:
        replaced = same.where(other.c.id > intent.c.id).exists()
        blocked = or_(replaced, same.where(other.c.state.in_(UNDER_WAY)).exists())
    else:
        blocked = same.where(other.c.id < intent.c.id, other.c.state.in_(OPEN)).exists()
    return (
        select(intent)
        .where(
            intent.c.connection_id == bindparam("connection"),
            intent.c.kind == bindparam("of_kind"),
            intent.c.state == "planned",
            intent.c.not_before <= bindparam("now"),
            not_(blocked),
        )
        .order_by(intent.c.id)
        .limit(bindparam("most", type_=Integer))
    )


# Put together once: a push asks for them in vain for every kind that a connection takes.
_DUE, _DUE_NEWEST = _due(newest=False), _due(newest=True)
_MOVE = update(intent).where(intent.c.id == bindparam("of_id"))
_MOVE_ON = _MOVE.where(intent.c.state != "superseded")
_IN_STATE = (
    select(intent)
    .where(
        intent.c.connection_id == bindparam("connection"),
        intent.c.state.in_(bindparam("states", expanding=True)),
    )
    .order_by(intent.c.id)
)


def claim(
    conn: Connection,
    rows: Sequence[Row[Any]],
    now: datetime,
    *,
    owner: str = "",
    send_by: datetime | None = None,
    newest: bool = False,
) -> list[Row[Any]]:
    """Mark planned intents as about to be sent, and answer them with their bodies in clear; those
    superseded since they were read stay out.

    ``owner`` is the process that sends them, and it begins no call after ``send_by``.
    ``newest``: as in ``due``; what they replace is dropped.
    """
    ids = [row.id for row in rows]
    values = {"state": "sending", "sent_at": now, "attempts": intent.c.attempts + 1}
    values |= {"owner": owner, "send_by": send_by}
    where = intent.c.id.in_(ids) & (intent.c.state == "planned")
    conn.execute(update(intent).where(where).values(values))
    query = select(intent).where(intent.c.id.in_(ids) & (intent.c.state == "sending"))
    claimed = list(conn.execute(query.order_by(intent.c.id)))
    if newest and claimed:
        supersede_all(conn, claimed[0].kind, [row.subject_id for row in claimed], now)
    return bodies.clear(conn, claimed)


def put_back(conn: Connection, rows: Iterable[Row[Any]]) -> None:
    """Undo the claim of those that are still ``sending``: they were certainly never sent."""
    where = among(intent.c.id, [row.id for row in rows]) & (intent.c.state == "sending")
    values = {"state": "planned", "attempts": intent.c.attempts - 1}
    conn.execute(update(intent).where(where).values(values))


def postpone(
    conn: Connection, rows: Iterable[Row[Any]], message: str, not_before: datetime
) -> None:
    """Ask later about intents that wait for an answer; what they are does not change."""
    where = among(intent.c.id, [row.id for row in rows])
    conn.execute(update(intent).where(where).values(message=message, not_before=not_before))


def move(conn: Connection, intent_id: int, state: str, **values: Any) -> None:
    """One that was dropped while its call was under way may still end, but not begin again."""
    goes_on = state in (*OPEN, "review")
    change = _MOVE_ON if goes_on else _MOVE
    conn.execute(change, {"of_id": intent_id, "state": state, **values})


def open_counts(conn: Connection) -> dict[int, dict[str, int]]:
    """Unsettled intents by connection and state, ``review`` among them."""
    query = (
        select(intent.c.connection_id, intent.c.state, func.count())
        .where(intent.c.state.in_((*OPEN, "review")))
        .group_by(intent.c.connection_id, intent.c.state)
    )
    found: dict[int, dict[str, int]] = {}
    for connection_id, state, n in conn.execute(query):
        found.setdefault(connection_id, {})[state] = n
    return found
