"""What came in, what went out: the figures of one installation, for people."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, literal, select

from state import tables as t

_ORDER, _LINE, _FFO, _LINK = t.sales_order, t.order_line, t.fulfilment_order, t.connection


def channels(conn: Connection, since: datetime) -> list[dict[str, Any]]:
    """Per channel: orders by what became of them, packages told, stock writes taken."""
    states = _by_connection(
        conn,
        select(_ORDER.c.connection_id, _ORDER.c.intake_state, func.count())
        .where(_ORDER.c.recorded_at >= since)
        .group_by(_ORDER.c.connection_id, _ORDER.c.intake_state),
    )
    shipped_line = select(_LINE.c.id).where(
        _LINE.c.order_id == _ORDER.c.id, _LINE.c.qty_shipped > 0
    )
    shipped = _by_connection(
        conn,
        select(_ORDER.c.connection_id, literal("shipped"), func.count())
        .where(_ORDER.c.recorded_at >= since, shipped_line.exists())
        .group_by(_ORDER.c.connection_id),
    )
    unread = _by_connection(
        conn,
        select(t.inbox.c.connection_id, literal("records"), func.count())
        .where(t.inbox.c.state == "parked", t.inbox.c.received_at >= since)
        .group_by(t.inbox.c.connection_id),
    )
    lines = _by_connection(
        conn,
        select(_ORDER.c.connection_id, _LINE.c.park_reason, func.count())
        .join(_LINE, _LINE.c.order_id == _ORDER.c.id)
        .where(_LINE.c.park_reason.is_not(None), _ORDER.c.intake_state.in_(("accepted", "parked")))
        .group_by(_ORDER.c.connection_id, _LINE.c.park_reason),
    )
    holds = _by_connection(
        conn,
        select(_ORDER.c.connection_id, t.hold.c.kind, func.count())
        .join(t.hold, t.hold.c.order_id == _ORDER.c.id)
        .where(t.hold.c.released_at.is_(None))
        .group_by(_ORDER.c.connection_id, t.hold.c.kind),
    )
    done = _pushes(conn, since)
    query = select(_LINK.c.id, _LINK.c.name).where(_LINK.c.id.in_(states)).order_by(_LINK.c.name)
    return [
        {
            "channel": name,
            "orders": sum(states[id_].values()),
            "states": dict(states[id_]),
            "unreadable_records": unread.get(id_, Counter())["records"],
            "parked_lines": dict(lines.get(id_, {})),
            "holds": dict(holds.get(id_, {})),
            "orders_shipped": shipped.get(id_, Counter())["shipped"],
            "packages_told": done.get(id_, Counter())["tracking"],
            "stock_writes": done.get(id_, Counter())["stock"],
        }
        for id_, name in conn.execute(query)
    ]


def _by_connection(conn: Connection, query: Any) -> dict[int, Counter[str]]:
    found: dict[int, Counter[str]] = {}
    for connection_id, name, n in conn.execute(query):
        found.setdefault(connection_id, Counter())[name] += n
    return found


def _pushes(conn: Connection, since: datetime) -> dict[int, Counter[str]]:
    intent = t.intent.c
    return _by_connection(
        conn,
        select(intent.connection_id, intent.kind, func.count())
        .where(intent.state == "done", intent.settled_at >= since)
        .group_by(intent.connection_id, intent.kind),
    )


def locations(conn: Connection, since: datetime) -> list[dict[str, Any]]:
    """Per location: its fulfilment orders by state, and the labels bought for it."""
    work: dict[int, Counter[str]] = {}
    query = (
        select(_FFO.c.location_id, _FFO.c.work_state, func.count())
        .where(_FFO.c.created_at >= since)
        .group_by(_FFO.c.location_id, _FFO.c.work_state)
    )
    for location_id, state, n in conn.execute(query):
        work.setdefault(location_id, Counter())[state] += n
    labels: dict[int, dict[str, dict[str, int]]] = {}
    bought = (
        select(
            _FFO.c.location_id,
            t.shipment.c.label_currency,
            func.count(),
            func.sum(t.shipment.c.label_cost),
        )
        .join(t.shipment, t.shipment.c.ffo_id == _FFO.c.id)
        .where(and_(t.shipment.c.label_cost.is_not(None), t.shipment.c.state != "voided"))
        .group_by(_FFO.c.location_id, t.shipment.c.label_currency)
    )
    for location_id, currency, n, cost in conn.execute(bought):
        labels.setdefault(location_id, {})[currency] = {"labels": n, "cost": int(cost)}
    places = select(t.location.c.id, t.location.c.code).order_by(t.location.c.code)
    return [
        {
            "location": code,
            "fulfilment_orders": sum(work.get(id_, Counter()).values()),
            "states": dict(work.get(id_, {})),
            "labels": labels.get(id_, {}),
        }
        for id_, code in conn.execute(places)
    ]


def calls(conn: Connection, since: datetime) -> list[dict[str, Any]]:
    """Per connection: calls to the vendor by operation, and how many runs made any."""
    made: dict[str, Counter[str]] = {}
    runs: Counter[str] = Counter()
    query = (
        select(_LINK.c.name, t.run.c.calls)
        .join(_LINK, _LINK.c.id == t.run.c.connection_id)
        .where(t.run.c.started_at >= since)
    )
    for name, by_operation in conn.execute(query):
        made.setdefault(name, Counter()).update(by_operation)
        runs[name] += bool(by_operation)
    return [
        {
            "connection": name,
            "calls": sum(made[name].values()),
            "operations": dict(made[name]),
            "runs": runs[name],
        }
        for name in sorted(made)
    ]
