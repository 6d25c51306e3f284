"""Proves the audit trail's chain, and names what does not fit.

What it cannot see: that somebody who owns the database made every seal anew from some row on, the
head's too, or put an older copy of all of it in its place. Against that helps a seal that was kept
elsewhere, a witness.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from state import tables as t
from state.audit_chain import COLUMNS, SCRUBBED, START, seal_of, words_digest

_AT_ONCE = 500
"""Rows in memory."""

_WITNESS = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
_AUDIT = t.audit_event.c


@dataclass(frozen=True, slots=True)
class Break:
    """``subject``: the row, by its number in the chain, or by its id where it has none."""

    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Witness:
    """What a chain was seen to end with: its newest row's number, and seal."""

    number: int
    seal: str

    def __str__(self) -> str:
        return f"{self.number}:{self.seal}"

    @classmethod
    def of(cls, text: str) -> Witness:
        """Read ``NUMBER:SEAL``. Raises ``ValueError``."""
        found = _WITNESS.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is not NUMBER:SEAL")
        return cls(int(found[1]), found[2])


def head(conn: Connection) -> Witness:
    """The chain's end, to be kept elsewhere; number 0 of an empty trail."""
    row = conn.execute(select(t.audit_head)).first()
    return Witness(row.number, row.seal) if row else Witness(0, START)


def breaks(conn: Connection, witness: Witness | None = None) -> Iterator[Break]:
    """Everything that does not fit, the first tampered or missing row first.

    The trail is read once, in order; memory does not grow with it, but for the rows that an
    erasure scrubbed.
    """
    scrubbed = _scrubbed(conn)
    former, number = START, 0
    seen = witness is None or witness == Witness(0, START)
    for row in _rows(conn):
        if row.number != number + 1:
            yield _gap(number, row)
        number = row.number
        if row.seal != seal_of(former, row.number, row.words_sha256, row):
            yield Break(_named(row), "it was changed, or what stood before it was")
        if not _words_hold(row, scrubbed):
            yield Break(_named(row), "what it says (before, after or reason) was changed")
        if witness is not None and row.number == witness.number:
            seen = row.seal == witness.seal
        former = row.seal
    yield from _unsealed(conn)
    end = head(conn)
    if end != Witness(number, former):
        yield Break(
            f"audit row {min(end.number, number) + 1}",
            f"the trail ends with {number}, and its head says {end.number}: "
            "its newest rows were cut off, or the head was changed",
        )
    if witness is not None and not seen:
        why = "it is not what the witness saw" if witness.number <= number else "it is missing"
        yield Break(f"audit row {witness.number}", why)


def _rows(conn: Connection) -> Iterator[Row[Any]]:
    columns: tuple[Any, ...] = (
        *COLUMNS,
        _AUDIT.number,
        _AUDIT.salt,
        _AUDIT.words_sha256,
        _AUDIT.seal,
    )
    query = select(*columns).where(_AUDIT.number.is_not(None)).order_by(_AUDIT.number)
    yield from conn.execute(query.execution_options(yield_per=_AT_ONCE))


def _scrubbed(conn: Connection) -> dict[int, str]:
    """The digest of what the last erasure left of a row, by its id."""
    query = select(_AUDIT.subject_id, _AUDIT.after).where(_AUDIT.action == SCRUBBED)
    rows = conn.execute(query.order_by(_AUDIT.number))
    return {row.subject_id: _digest_in(row.after) for row in rows}


def _digest_in(after: Any) -> str:
    return str(after.get("words_sha256", "")) if isinstance(after, dict) else ""


def _words_hold(row: Row[Any], scrubbed: dict[int, str]) -> bool:
    said: str | None = row.words_sha256 if row.salt else scrubbed.get(row.id)
    return words_digest(row.salt, row) == said


def _gap(number: int, row: Row[Any]) -> Break:
    if row.number <= number:
        return Break(_named(row), "its number is there twice")
    missing = row.number - number - 1
    return Break(
        f"audit row {number + 1}", f"it is missing ({missing} in all before row {row.number})"
    )


def _unsealed(conn: Connection) -> Iterator[Break]:
    query = select(_AUDIT.id).where(_AUDIT.number.is_(None)).order_by(_AUDIT.id)
    for row_id in conn.scalars(query):
        yield Break(f"audit row with id {row_id}", "it has no place in the chain: put in by hand")


def _named(row: Row[Any]) -> str:
    return f"audit row {row.number}"
