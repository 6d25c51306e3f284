"""Everything that made an order what it is, as one document without persons and secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from connectors.base import BuysLabels, CancelsFulfilmentOrders, PushesFulfilmentOrders
from mappings import Definition
from state import catalogue, fulfilment, history, inbox, orders
from state import tables as t
from state.vault import fields
from sync.context import Hub, Link
from sync.support.problems import problems_of
from sync.support.redaction import Redactor
from sync.support.reports import shipment_reports

FORMAT = 1
_RUNS = 20
_PLACES_TOLD = 3

_ORDER = (
    "channel_order_id",
    "channel_status",
    "intake_state",
    "placed_at",
    "channel_updated_at",
    "recorded_at",
    "currency",
    "grand_total",
    "calc_grand_total",
    "total_variance",
    "edit_version",
    "mapping_version",
    "source_version",
)
_LINE = (
    "line_no",
    "channel_line_id",
    "channel_sku",
    "unit_price",
    "line_total",
    "qty_ordered",
    "qty_cancelled",
    "qty_allocated",
    "qty_released",
    "qty_shipped",
    "park_reason",
)
_INTENT = ("kind", "idempotency_key", "state", "attempts", "code", "remote_id", "sent_at")
_RUN = ("stream_key", "state", "started_at", "finished_at", "counts", "calls")
_OURS = re.compile(
    r"(crossdock_bundle|taken_at|order|connection|problems|definitions?|connections|locations"
    r"|serving|goods|levels|row|lines|work|runs)\b.*"
    r"|(payloads|shipments)\[\d+\]\.(external_id|connection|received_at|state|mapping_version)"
    r"|(holds|events)\[\d+\]\.(kind|at)"
    rf"|intents\[\d+\]\.({'|'.join(_INTENT)}|reference)"
)
"""Places in a bundle where only words, numbers and marks of our own and of vendors stand."""
_PLACE = ("code", "kind", "authority", "priority", "active", "country", "postcode", "ships")


class Leaks(Exception):
    """Something personal would have been left in the bundle: it is not written."""


def capture(
    conn: Connection,
    hub: Hub,
    link: Link,
    external_id: str,
    definitions: Mapping[str, str],
    now: datetime,
) -> dict[str, Any]:
    """The bundle of the order that its channel calls ``external_id``.

    ``definitions``: text of ops' own definition files by name. Raises ``Leaks``.
    """
    payloads = _payloads(conn, link, external_id)
    known = orders.existing(conn, link.id, [external_id]).get(external_id)
    order = orders.get(conn, known.id) if known is not None else None
    lines = orders.lines(conn, [order.id]).get(order.id, []) if order is not None else []
    goods = _goods(conn, link, lines)
    definition = hub.definition(link, "orders")
    redactor = Redactor(_harmless(external_id, order, lines, goods, definition, hub, conn))
    bodies = [inbox.payload(conn, row) for row in payloads]
    reports = list(shipment_reports(conn, order.id)) if order is not None else []
    told = [inbox.payload(conn, row) for row in reports]
    redactor.learn(bodies)
    redactor.learn(told)
    redactor.learn(_persons(conn, order))
    redactor.learn(_operators(conn, order))
    document = {
        "crossdock_bundle": FORMAT,
        "taken_at": now,
        "order": external_id,
        "connection": link.name,
        "problems": problems_of(conn, link.id, external_id),
        "definition": f"{definition.name}/{definition.version}",
        "definitions": dict(definitions),
        "connections": [_connection(one) for one in hub.links.values()],
        **_places(conn, link),
        "goods": goods,
        "levels": _levels(conn, goods, order),
        "payloads": [
            _payload(row, redactor.document(body), redactor)
            for row, body in zip(payloads, bodies, strict=True)
        ],
        "shipments": [
            {"connection": row.connection, **_payload(row, redactor.document(body), redactor)}
            for row, body in zip(reports, told, strict=True)
        ],
        **({} if order is None else _story(conn, order, lines, redactor)),
        "runs": _runs(conn, link),
    }
    left = [place for place in redactor.leaks(document) if not _OURS.fullmatch(place)]
    if left:
        places = ", ".join(left[:_PLACES_TOLD])
        raise Leaks(f"something personal could not be taken out of the bundle (in {places})")
    return document


def _payloads(conn: Connection, link: Link, external_id: str) -> list[Row[Any]]:
    raw = t.inbox
    mine = (raw.c.connection_id == link.id, raw.c.topic == "orders")
    query = select(raw).where(*mine, raw.c.external_id == external_id).order_by(raw.c.id)
    return [row for row in conn.execute(query) if not inbox.is_erased(row)]


def _payload(row: Row[Any], body: Any, redactor: Redactor) -> dict[str, Any]:
    problems = [
        {name: redactor.sentence(str(value)) for name, value in one.items() if name != "value"}
        for one in row.problems or []
    ]
    return {
        "external_id": row.external_id,
        "received_at": row.received_at,
        "state": row.state,
        "mapping_version": row.mapping_version,
        "problems": problems,
        "body": body,
    }


def _goods(conn: Connection, link: Link, lines: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """Our SKUs that the order's lines name, each with the names it goes by there."""
    names = {line.channel_sku for line in lines if line.channel_sku}
    found = catalogue.resolve(conn, link.id, names)
    known = catalogue.by_ids(conn, found.values())
    return [
        {
            "code": known[sku_id].code,
            "weight_g": known[sku_id].weight_g,
            "channel_sku": name,
        }
        for name, sku_id in sorted(found.items())
    ]


def _harmless(
    external_id: str,
    order: Row[Any] | None,
    lines: Sequence[Row[Any]],
    goods: Sequence[Mapping[str, Any]],
    definition: Definition,
    hub: Hub,
    conn: Connection,
) -> set[str]:
    """Values that say nothing of a person and that the problem may hang on."""
    kept = {external_id, *hub.links}
    kept |= {str(one[name]) for one in goods for name in ("code", "channel_sku")}
    for line in lines:
        kept |= {line.channel_line_id, line.channel_sku, line.gtin, line.asin}
    kept |= set(conn.scalars(select(t.location.c.code)))
    if order is not None:
        kept |= {order.channel_order_name, order.source_version}
        kept |= {ffo.reference for ffo in fulfilment.of_order(conn, order.id)}
    read_by = [definition, *_shipment_definitions(hub)]
    for word in (word for one in read_by for word in re.findall(r"[\w.-]+", repr(one.spec))):
        # Of a path its steps, too: a note may say "billing", and what is read there must be found.
        kept |= {word, *word.split(".")}
    return kept


def _shipment_definitions(hub: Hub) -> list[Definition]:
    telling = [one for one in hub.links.values() if "shipments" in one.connector.info.definitions]
    return [hub.definition(one, "shipments") for one in telling]


def _persons(conn: Connection, order: Row[Any] | None) -> list[Any]:
    if order is None:
        return []
    [order] = fields.clear(conn, t.sales_order, [order])
    rows = [orders.address(conn, one) for one in (order.bill_to_id, order.ship_to_id)]
    named = [dict(row._mapping) for row in rows if row is not None]
    told = {"id", "country", "retention_until", "email_mark"}
    return [{k: v for k, v in one.items() if k not in told} for one in named] + [
        {"note": order.note}
    ]


def _operators(conn: Connection, order: Row[Any] | None) -> list[Any]:
    """Who gave commands about the order: its story names them."""
    if order is None:
        return []
    audit = t.audit_event.c
    work = [ffo.id for ffo in fulfilment.of_order(conn, order.id)]
    about = or_(
        (audit.subject_type == "sales_order") & (audit.subject_id == order.id),
        (audit.subject_type == "fulfilment_order") & audit.subject_id.in_(work),
    )
    return [{"user": actor} for actor in conn.scalars(select(audit.actor).where(about).distinct())]


def _connection(link: Link) -> dict[str, Any]:
    connector = link.connector
    takes = (
        "fulfilment_order"
        if isinstance(connector, PushesFulfilmentOrders)
        else "label"
        if isinstance(connector, BuysLabels)
        else ""
    )
    return {
        "name": link.name,
        "connector": connector.info.name,
        "kind": connector.info.kind,
        "timezone": str(link.timezone),
        "takes": takes,
        "cancels": isinstance(connector, CancelsFulfilmentOrders),
        "definitions": dict(connector.info.definitions),
        "pushes": {name: asdict(push) for name, push in connector.info.pushes.items()},
    }


def _places(conn: Connection, link: Link) -> dict[str, Any]:
    """Our own locations, and which of them serve the channel, first choice first."""
    taker = t.connection.c.name.label("connection")
    query = (
        select(*(t.location.c[name] for name in _PLACE), taker)
        .outerjoin(t.connection, t.connection.c.id == t.location.c.connection_id)
        .order_by(t.location.c.code)
    )
    serving = [row.code for row in fulfilment.locations_of_channel(conn, link.id)]
    return {"locations": [dict(row) for row in conn.execute(query).mappings()], "serving": serving}


def _levels(
    conn: Connection, goods: Sequence[Mapping[str, Any]], order: Row[Any] | None
) -> list[dict[str, Any]]:
    """What the order could have had of each of its SKUs at each location."""
    level, held, line = t.inventory_level.c, t.reservation.c, t.order_line.c
    query = (
        select(t.sku.c.code, t.location.c.code.label("location"), level.on_hand, level.reserved)
        .join(t.sku, t.sku.c.id == level.sku_id)
        .join(t.location, t.location.c.id == level.location_id)
        .where(t.sku.c.code.in_([one["code"] for one in goods]))
    )
    mine: dict[tuple[str, str], Any] = {}
    if order is not None:
        own = (
            select(t.sku.c.code, t.location.c.code.label("location"), held.qty, held.qty_released)
            .join(t.sku, t.sku.c.id == held.sku_id)
            .join(t.location, t.location.c.id == held.location_id)
            .join(t.order_line, line.id == held.order_line_id)
            .where(line.order_id == order.id)
        )
        for row in conn.execute(own):
            place = (row.code, row.location)
            mine[place] = mine.get(place, 0) + row.qty - row.qty_released
    return [
        {
            "sku": row.code,
            "location": row.location,
            "qty": str(row.on_hand - row.reserved + mine.get((row.code, row.location), 0)),
        }
        for row in conn.execute(query)
    ]


def _story(
    conn: Connection, order: Row[Any], lines: Sequence[Row[Any]], redactor: Redactor
) -> dict[str, Any]:
    work = fulfilment.of_order(conn, order.id)
    pushed = select(t.intent).where(
        t.intent.c.subject_type == "fulfilment_order",
        t.intent.c.subject_id.in_([ffo.id for ffo in work]),
    )
    holds = select(t.hold).where(t.hold.c.order_id == order.id).order_by(t.hold.c.id)
    return {
        "row": _some(order, _ORDER),
        "lines": [_some(line, _LINE) for line in lines],
        "holds": [
            {"kind": row.kind, "reason": redactor.sentence(row.reason), "at": row.placed_at}
            for row in conn.execute(holds)
        ],
        "events": [
            {"at": row.at, "kind": row.kind, "summary": redactor.sentence(row.summary)}
            for row in history.events(conn, order.id)
        ],
        "work": [
            {
                "reference": f.reference,
                "location": f.location,
                "state": f.work_state,
                "request": f.request_state,
                "at": f.created_at,
            }
            for f in work
        ],
        "intents": [
            _some(row, _INTENT)
            | {"reference": row.body.get("reference", "")}
            | {"message": redactor.sentence(row.message)}
            for row in conn.execute(pushed.order_by(t.intent.c.id))
        ],
    }


def _some(row: Row[Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _runs(conn: Connection, link: Link) -> list[dict[str, Any]]:
    """The latest runs of the channel's streams and of the global ones."""
    run = t.run.c
    query = select(t.run).where((run.connection_id == link.id) | run.connection_id.is_(None))
    rows = conn.execute(query.order_by(run.id.desc()).limit(_RUNS))
    return [_some(row, _RUN) for row in rows]
