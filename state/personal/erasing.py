"""Erasing: an order's personal data out of every place, a payload out of the inbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Table, case, func, or_, select, update

from state import audit_chain, inbox
from state import tables as t
from state.batches import among, insert_rows
from state.personal import places
from state.personal.words import Words

ERASED = "erased"
"""In the place of the way a routing decision was made: its inputs are not whole any more."""

_has_body = func.length(t.inbox.c.body) > 0


def begin(conn: Connection) -> None:
    """Have the database overwrite what it frees from here on; first in the transaction."""
    if conn.dialect.name == "sqlite":
        conn.exec_driver_sql("PRAGMA secure_delete = ON")


def words_of(conn: Connection, order_ids: Sequence[int], more: Iterable[str] = ()) -> Words:
    """By what the buyer of these orders is known. ``more``: further words of theirs."""
    addresses = [one for order_id in order_ids for one in _addresses(conn, order_id)]
    notes = select(t.sales_order.c.note).where(among(t.sales_order.c.id, order_ids))
    return Words.of(addresses, [*conn.scalars(notes), *more])


def _addresses(conn: Connection, order_id: int) -> list[Mapping[str, Any]]:
    """The order's addresses as they are, and as they were when work was handed over."""
    found = [
        dict(row._mapping)
        for row in conn.execute(select(t.address).where(places.addresses(order_id)))
    ]
    bodies = conn.scalars(select(t.intent.c.body).where(places.intents(order_id)))
    sent = [body["ship_to"] for body in bodies if isinstance(body.get("ship_to"), dict)]
    return [*found, *sent]


def erase_order(conn: Connection, order: Row[Any], now: datetime, by: str) -> Counter[str]:
    """Erase everything personal of an order; returns how many rows changed, by table.

    ``order`` has an id, connection_id, channel_order_id and raw_id. Erasing it once more changes
    nothing. ``by``: whom the audit trail names where words are taken out of it.
    """
    changed: Counter[str] = Counter()
    words = words_of(conn, [order.id])
    keys = places.payloads(conn, order)
    changed["inbox"] = erase_payloads(conn, keys, now)
    changed["intent"] += _shorten_addresses(conn, order.id)
    changed["routing_decision"] += _forget_destinations(conn, order.id)
    write = partial(_write, conn, by, now)
    for place in places.PLACES:
        changed[place.table.name] += _blank(conn, place, order.id)
        changed[place.table.name] += _scrub(conn, place, order.id, words, write)
    mine = t.sales_order.c.id == order.id
    conn.execute(update(t.sales_order).where(mine).values(waits_for="", erased_at=now))
    return +changed


def erase_payloads(conn: Connection, keys: Sequence[places.Key], now: datetime) -> int:
    """Empty every payload of these records, and remember never to keep one of them again."""
    erased = sum(_empty(conn, places.of_record(key)) for key in keys)
    insert_rows(
        conn,
        t.inbox,
        [
            {
                "connection_id": connection_id,
                "topic": topic,
                "external_id": external_id,
                "sha256": inbox.NO_CONTENT,
                "body": inbox.NO_CONTENT,
                "received_at": now,
                "state": "ignored",
            }
            for connection_id, topic, external_id in keys
        ],
        unless_known=True,
    )
    return erased


def empty(conn: Connection, raw_ids: Iterable[int]) -> int:
    """Empty payloads of the inbox, whatever record they are of."""
    return _empty(conn, among(t.inbox.c.id, raw_ids))


def _empty(conn: Connection, which: Any) -> int:
    row = t.inbox.c
    values = {
        "body": inbox.NO_CONTENT,
        "problems": None,
        "state": case((row.state == "parked", "ignored"), else_=row.state),
    }
    return conn.execute(update(t.inbox).where(which, _has_body).values(values)).rowcount


def _blank(conn: Connection, place: places.Place, order_id: int) -> int:
    if not place.blank:
        return 0
    columns = [place.table.c[name] for name in place.blank]
    held = or_(*(column != "" for column in columns))
    where = place.rows(order_id) & held
    values = dict.fromkeys(place.blank, "")
    return conn.execute(update(place.table).where(where).values(values)).rowcount


_Write = Callable[[Table, int, Mapping[str, Any]], None]


def _write(
    conn: Connection, by: str, now: datetime, table: Table, row_id: int, values: Mapping[str, Any]
) -> None:
    """Put other words into a row. The audit trail is sealed: its chain is told of them."""
    if table is t.audit_event:
        audit_chain.scrub(conn, row_id, values, by, now)
    else:
        conn.execute(update(table).where(table.c.id == row_id).values(values))


def _scrub(
    conn: Connection, place: places.Place, order_id: int, words: Words, write: _Write
) -> int:
    if not place.scrub:
        return 0
    columns = [place.table.c[name] for name in place.scrub]
    rows = conn.execute(select(place.table.c.id, *columns).where(place.rows(order_id)))
    changed = 0
    for row in list(rows):
        before = {name: row._mapping[name] for name in place.scrub}
        after = {name: words.scrub_all(value) for name, value in before.items()}
        values = {name: value for name, value in after.items() if value != before[name]}
        if values:
            write(place.table, row.id, values)
            changed += 1
    return changed


def _shorten_addresses(conn: Connection, order_id: int) -> int:
    """What was sent outside keeps its shape, and of its address the country."""
    columns = (t.intent.c.id, t.intent.c.body, t.intent.c.message, t.intent.c.state)
    changed = 0
    for row in list(conn.execute(select(*columns).where(places.intents(order_id)))):
        sent = row.body.get("ship_to")
        if not isinstance(sent, dict) or not any(sent.get(name) for name in places.ADDRESS):
            continue
        kept = {"country": sent.get("country", "")}
        values: dict[str, Any] = {"body": {**row.body, "ship_to": kept}}
        if row.state == "rejected":
            # A refusal may repeat the address in the vendor's own spelling.
            values["message"] = "(erased)"
        conn.execute(update(t.intent).where(t.intent.c.id == row.id).values(values))
        changed += 1
    return changed


def _forget_destinations(conn: Connection, order_id: int) -> int:
    """A decision keeps what it chose and why. It cannot be made again without the postcode, and a
    hash of it could be guessed from, so that goes too."""
    decision = t.routing_decision
    columns = (decision.c.id, decision.c.inputs, decision.c.candidates, decision.c.trace)
    rows = list(conn.execute(select(*columns).where(decision.c.order_id == order_id)))
    changed = 0
    for row in rows:
        if not isinstance(row.inputs, dict) or not row.inputs.get("order", {}).get("postcode"):
            continue
        where_to = Words.of([{"postcode": row.inputs["order"]["postcode"]}])
        values = {
            "inputs": {**row.inputs, "order": {**row.inputs["order"], "postcode": ""}},
            "inputs_hash": "",
            "policy_version": ERASED,
            "candidates": where_to.scrub_all_places(row.candidates),
            "trace": where_to.scrub_all_places(row.trace),
        }
        conn.execute(update(decision).where(decision.c.id == row.id).values(values))
        changed += 1
    return changed


_COMPLAINTS = (
    (t.run, t.run.c.id, t.run.c.error),
    (t.stream, t.stream.c.key, t.stream.c.last_error),
    (t.connection, t.connection.c.id, t.connection.c.problem),
)
"""What went wrong in whole runs: a vendor's words may name anybody."""


def erase_mentions(conn: Connection, words: Words) -> int:
    """Take a person's words out of what is told of runs and connections, which no order owns."""
    changed = 0
    for table, key, column in _COMPLAINTS:
        for name, text in list(conn.execute(select(key, column).where(column != ""))):
            scrubbed = words.scrub_lines(text)
            if scrubbed != text:
                conn.execute(update(table).where(key == name).values({column.name: scrubbed}))
                changed += 1
    return changed
