"""The audit trail's chain: each row carries the digest of itself and of the row before it.

A transaction adds its rows unsealed and seals them as its very last statements, under the lock of
the chain's head: several writers stand in line only there, and never wait for each other's other
locks while they hold it. Orders that come in add no row, and so pay nothing.

What a row says in words (before, after, reason) is in its seal by a salted digest. An erasure takes
the words out, and the salt with them, and says so in a row of its own: the chain still holds, and
nobody can guess the words from what is left.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from state import tables as t
from state.batches import among, insert_of
from state.ids import insert_one

SCRUBBED = "scrub_audit_words"
"""The action of a row that says which row's words an erasure took out; ``after`` has the digest of
what is left there."""

START = ""
"""What stands for the seal before the first."""

_PENDING = "crossdock_unsealed_audit_rows"
_HEAD = 1

_AUDIT = t.audit_event.c
COLUMNS: tuple[Any, ...] = (
    *(_AUDIT.id, _AUDIT.at, _AUDIT.actor, _AUDIT.action, _AUDIT.subject_type, _AUDIT.subject_id),
    *(_AUDIT.before, _AUDIT.after, _AUDIT.reason),
)
"""What a seal is made of, and no more: the step that brings the chain in knows no later columns."""


@contextmanager
def sealing(conn: Connection) -> Iterator[None]:
    """Around a writing transaction: seal what it added to the audit trail before it commits."""
    info = conn.info
    info[_PENDING] = set()
    try:
        yield
        # A dry run has rolled everything back by now.
        if info[_PENDING] and conn.in_transaction():
            _seal(conn, info[_PENDING])
    finally:
        info.pop(_PENDING, None)


def add(
    conn: Connection,
    *,
    actor: str,
    action: str,
    subject: tuple[str, int],
    before: Any = None,
    after: Any = None,
    reason: str = "",
    now: datetime,
) -> None:
    """Write down what somebody changed, in the transaction that changes it.

    ``actor`` and ``reason`` are never empty.
    """
    number = insert_one(
        conn,
        t.audit_event,
        at=now,
        actor=actor,
        action=action,
        subject_type=subject[0],
        subject_id=subject[1],
        before=before,
        after=after,
        reason=reason,
    )
    conn.info[_PENDING].add(number)


def scrub(conn: Connection, row_id: int, words: Mapping[str, Any], by: str, now: datetime) -> None:
    """Put ``words`` (of before, after, reason) in the place of a row's own, and say so."""
    audit = t.audit_event
    this = audit.c.id == row_id
    conn.execute(update(audit).where(this).values(**words, salt=""))
    left = conn.execute(select(*COLUMNS).where(this)).one()
    add(
        conn,
        actor=by,
        action=SCRUBBED,
        subject=("audit_event", row_id),
        after={"words_sha256": words_digest("", left)},
        reason="personal data is erased",
        now=now,
    )


def words_digest(salt: str, row: Row[Any]) -> str:
    return _digest([salt, row.before, row.after, row.reason])


def seal_of(former: str, number: int, words_sha256: str, row: Row[Any]) -> str:
    """The seal of a row that follows the one sealed with ``former``. Its form never changes: every
    seal there is would have to be made anew."""
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    subject = (row.subject_type, row.subject_id)
    return _digest([former, number, row.id, at, row.actor, row.action, *subject, words_sha256])


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _seal(conn: Connection, pending: set[int]) -> None:
    """Rows that a savepoint took back are not there any more, and take no number."""
    audit, head = t.audit_event, t.audit_head
    first = insert_of(conn.dialect)(head).values(id=_HEAD, number=0, seal=START)
    conn.execute(first.on_conflict_do_nothing())
    newest = conn.execute(select(head).where(head.c.id == _HEAD).with_for_update()).one()
    number, seal = newest.number, newest.seal
    added = select(*COLUMNS).where(among(audit.c.id, pending)).order_by(audit.c.id)
    for row in list(conn.execute(added)):
        number, salt = number + 1, secrets.token_hex(16)
        words = words_digest(salt, row)
        seal = seal_of(seal, number, words, row)
        values = {"number": number, "salt": salt, "words_sha256": words, "seal": seal}
        conn.execute(update(audit).where(audit.c.id == row.id).values(values))
    conn.execute(update(head).where(head.c.id == _HEAD).values(number=number, seal=seal))


def seal_all(conn: Connection) -> None:
    """Seal the rows of a store that had no chain yet; for the step that brings it in."""
    rows = set(conn.scalars(select(t.audit_event.c.id).where(t.audit_event.c.number.is_(None))))
    if rows:
        _seal(conn, rows)
