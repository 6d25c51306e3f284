"""Everything held on a person, as one document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from state import inbox
from state import tables as t
from state.batches import among
from state.personal import people, places
from state.personal.erasing import words_of
from state.personal.words import Words
from state.vault import bodies, destinations, fields


def dossier(conn: Connection, email: str) -> dict[str, Any]:
    """Every order of the person with every personal field, payload and message; times in UTC.

    ``found`` counts rows by the order's connection and the table they stand in.
    """
    person = people.find(conn, email)
    told = [_order(conn, order, sorted(person.payloads[order.id])) for order in person.orders]
    found: dict[tuple[str, str], int] = {}
    for order in told:
        for place, rows in order["data"].items():
            key = (order["connection"], place)
            found[key] = found.get(key, 0) + len(rows)
    records = [_record(conn, row) for row in person.records]
    for record in records:
        key = (record["connection"], "inbox")
        found[key] = found.get(key, 0) + 1
    return {
        "email": email,
        "orders": told,
        "records": records,
        "found": [
            {"connection": connection, "place": place, "rows": n}
            for (connection, place), n in sorted(found.items())
        ],
    }


def _order(conn: Connection, order: Row[Any], payloads: Sequence[places.Key]) -> dict[str, Any]:
    data: dict[str, list[Any]] = {}
    words = words_of(conn, [order.id])
    for place in places.PLACES:
        rows = [row for row in _rows(conn, place, order.id) if _tells(row, place, words)]
        if rows:
            data.setdefault(str(place.table.name), []).extend(rows)
    sent = _sent(conn, order.id)
    if sent:
        data["intent"] = sent
    decided = _decided(conn, order.id)
    if decided:
        data["routing_decision"] = decided
    taken = [row for key in payloads for row in _payloads(conn, key)]
    if taken:
        data["inbox"] = taken
    return {
        "connection": order.connection,
        "order": order.channel_order_name,
        "channel_order_id": order.channel_order_id,
        "placed_at": order.placed_at,
        "state": order.intake_state,
        "currency": order.currency,
        "grand_total": order.grand_total,
        "erased_at": order.erased_at,
        "data": data,
    }


def _rows(conn: Connection, place: places.Place, order_id: int) -> Iterator[dict[str, Any]]:
    names = ["id", *place.blank, *place.scrub]
    if place.table is t.address:
        names.append("country")
    found = conn.execute(select(place.table).where(place.rows(order_id)).order_by(place.table.c.id))
    for row in fields.clear(conn, place.table, found) if place.table in fields.COLUMNS else found:
        told = row._mapping
        yield {name: told[name] for name in names if told[name] not in ("", None)}


def _tells(row: Mapping[str, Any], place: places.Place, words: Words) -> bool:
    """Whether a field holds nothing but personal data, or a text the person's words."""
    if any(row.get(name) for name in place.blank):
        return True
    return any(words.scrub_all(row[name]) != row[name] for name in place.scrub if name in row)


_SENT = ("id", "kind", "state", "sent_at", "body", "message")


def _sent(conn: Connection, order_id: int) -> list[dict[str, Any]]:
    """What was told to others with an address in it."""
    intent = t.intent.c
    query = select(t.intent).where(places.intents(order_id)).order_by(intent.id)
    return [
        {name: row._mapping[name] for name in _SENT}
        for row in bodies.clear(conn, conn.execute(query).all())
        if any((row.body.get("ship_to") or {}).get(name) for name in places.ADDRESS)
    ]


def _decided(conn: Connection, order_id: int) -> list[dict[str, Any]]:
    """Where its goods were to go when a location was chosen."""
    decision = t.routing_decision
    query = select(decision).where(decision.c.order_id == order_id).order_by(decision.c.id)
    rows = destinations.clear(conn, conn.execute(query))
    told = [(row.id, destinations.postcode_of(row.inputs)) for row in rows]
    return [{"id": number, "postcode": postcode} for number, postcode in told if postcode]


def _payloads(conn: Connection, key: places.Key) -> list[dict[str, Any]]:
    query = select(t.inbox).where(places.of_record(key)).order_by(t.inbox.c.id)
    return [_payload(conn, row) for row in conn.execute(query).all() if not inbox.is_erased(row)]


def _record(conn: Connection, found: Row[Any]) -> dict[str, Any]:
    query = select(t.inbox).where(among(t.inbox.c.id, [found.id]))
    return {"connection": found.connection, **_payload(conn, conn.execute(query).one())}


def _payload(conn: Connection, row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "topic": row.topic,
        "external_id": row.external_id,
        "received_at": row.received_at,
        "state": row.state,
        "payload": msgspec.Raw(inbox.text(conn, row)),
    }
