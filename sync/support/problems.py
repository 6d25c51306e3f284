"""What is wrong with an order, in words that are the same wherever it happens again."""

from __future__ import annotations

from sqlalchemy import Connection, select

from state import fulfilment, orders
from state import tables as t


def problems_of(conn: Connection, connection_id: int, external_id: str) -> list[str]:
    """For example ``line/unmapped``, ``hold/total_variance``, ``intent/label/review``, ``waits``.

    Names only, no references and no times.
    """
    found = set(_records(conn, connection_id, external_id))
    known = orders.existing(conn, connection_id, [external_id]).get(external_id)
    if known is not None:
        found |= set(_of_order(conn, known.id))
        if known.intake_state == "accepted" and known.channel_status == "ready":
            found |= set(_waiting(conn, known.id))
    return sorted(found)


def _records(conn: Connection, connection_id: int, external_id: str) -> list[str]:
    raw = t.inbox.c
    query = select(raw.problems).where(
        raw.connection_id == connection_id,
        raw.external_id == external_id,
        raw.topic == "orders",
        raw.state == "parked",
    )
    return [
        f"record/{problem['field']}" for found in conn.scalars(query) for problem in found or []
    ]


def _of_order(conn: Connection, order_id: int) -> list[str]:
    hold, line, work = t.hold.c, t.order_line.c, t.fulfilment_order.c
    holds = select(hold.kind).where(hold.order_id == order_id, hold.released_at.is_(None))
    lines = select(line.park_reason).where(line.order_id == order_id, line.park_reason.is_not(None))
    pushes = (
        select(t.intent.c.kind, t.intent.c.state)
        .join(t.fulfilment_order, work.id == t.intent.c.subject_id)
        .where(
            work.order_id == order_id,
            t.intent.c.subject_type == "fulfilment_order",
            t.intent.c.state.in_(("review", "rejected")),
        )
    )
    return [
        *(f"hold/{kind}" for kind in conn.scalars(holds)),
        *(f"line/{reason}" for reason in conn.scalars(lines)),
        *(f"intent/{row.kind}/{row.state}" for row in conn.execute(pushes)),
    ]


def _waiting(conn: Connection, order_id: int) -> list[str]:
    """It may be planned, and the last look planned nothing."""
    last = fulfilment.last_decision(conn, order_id)
    return ["waits"] if last is not None and not last.chosen else []
