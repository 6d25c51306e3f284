"""What happened: events of an order, its holds, and the audit trail (``audit_chain``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from state import tables as t
from state.audit_chain import add as audit
from state.batches import among

__all__ = [
    "TO_SETTLE",
    "audit",
    "event",
    "events",
    "lifted_reasons",
    "open_holds",
    "place_hold",
    "release_holds",
]

_AND = "; "
"""Between the reasons of one hold."""


def event(
    conn: Connection,
    order_id: int,
    kind: str,
    summary: str,
    now: datetime,
    *,
    raw_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add one line to an order's story; ``summary`` carries no personal data."""
    conn.execute(
        insert(t.order_event).values(
            order_id=order_id, at=now, kind=kind, summary=summary, raw_id=raw_id, details=details
        )
    )


def events(conn: Connection, order_id: int) -> list[Row[Any]]:
    query = select(t.order_event).where(t.order_event.c.order_id == order_id)
    return list(conn.execute(query.order_by(t.order_event.c.id)))


def open_holds(conn: Connection, order_ids: Iterable[int]) -> dict[int, dict[str, Row[Any]]]:
    """Holds not yet released: order id -> kind -> row."""
    found: dict[int, dict[str, Row[Any]]] = {}
    query = select(t.hold).where(
        among(t.hold.c.order_id, order_ids), t.hold.c.released_at.is_(None)
    )
    for row in conn.execute(query):
        found.setdefault(row.order_id, {})[row.kind] = row
    return found


TO_SETTLE = ("manual", "edited_after_release")
"""Holds for which a person has something to do outside: each reason for itself."""


def place_hold(
    conn: Connection,
    order_id: int,
    kind: str,
    reason: str,
    remedy: str,
    now: datetime,
    *,
    instead_of: str | None = None,
) -> bool:
    """Hold an order; false when a hold of this kind is open already.

    Its reason is renewed then; one that a person has to settle is told after those before it, and
    takes the place of those that begin with ``instead_of``: they are not so any more.
    """
    held = open_holds(conn, [order_id]).get(order_id, {}).get(kind)
    if held is None:
        conn.execute(
            insert(t.hold).values(
                order_id=order_id, kind=kind, reason=reason, remedy=remedy, placed_at=now
            )
        )
    else:
        if kind in TO_SETTLE:
            reason = _after(held.reason, reason, instead_of)
            remedy = _after(held.remedy, remedy, None)
        changed = {"reason": reason, "remedy": remedy}
        conn.execute(update(t.hold).where(t.hold.c.id == held.id).values(changed))
    if held is None or (kind in TO_SETTLE and held.reason != reason):
        event(conn, order_id, "hold_placed", f"{kind}: {reason}", now)
    return held is None


def _after(told: str, news: str, instead_of: str | None) -> str:
    """Everything there is to say, once."""
    kept = [one for one in told.split(_AND) if instead_of is None or not one.startswith(instead_of)]
    return _AND.join(dict.fromkeys((*kept, *news.split(_AND))))


def release_holds(
    conn: Connection, order_id: int, kinds: Sequence[str], by: str, now: datetime
) -> int:
    where = (t.hold.c.order_id == order_id) & t.hold.c.kind.in_(kinds)
    where &= t.hold.c.released_at.is_(None)
    released = conn.execute(update(t.hold).where(where).values(released_at=now, released_by=by))
    if released.rowcount:
        event(conn, order_id, "hold_released", f"{', '.join(kinds)} by {by}", now)
    return released.rowcount


def lifted_reasons(conn: Connection, order_id: int, kind: str) -> set[str]:
    """What the order's released holds of this kind were about, all together and one by one."""
    where = (t.hold.c.order_id == order_id) & (t.hold.c.kind == kind)
    query = select(t.hold.c.reason).where(where, t.hold.c.released_at.is_not(None))
    told = list(conn.scalars(query))
    return {*told, *(reason for one in told for reason in one.split(_AND))}
