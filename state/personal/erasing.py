"""Erasing: an order's personal data out of every place, a payload out of the inbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Table, case, func, or_, select, update

from state import audit_chain, inbox, intents
from state import tables as t
from state.batches import among, insert_rows
from state.personal import places
from state.personal.words import Words
from state.vault import bodies, destinations, fields
from state.vault import keys as data_keys

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
    found = conn.execute(select(t.sales_order).where(among(t.sales_order.c.id, order_ids)))
    notes = [row.note for row in fields.clear(conn, t.sales_order, found)]
    return Words.of(addresses, [*notes, *more])


def _addresses(conn: Connection, order_id: int) -> list[Mapping[str, Any]]:
    """The order's addresses as they are, and as they were when work was handed over."""
    rows = conn.execute(select(t.address).where(places.addresses(order_id)))
    found = [_fields(row) for row in fields.clear(conn, t.address, rows)]
    sent = conn.execute(select(t.intent).where(places.intents(order_id))).all()
    told = [row.body.get("ship_to") for row in bodies.clear(conn, sent)]
    return [*found, *(address for address in told if isinstance(address, dict))]


def _fields(row: Any) -> dict[str, Any]:
    """Of an address what may be found in a text: not the hash of its e-mail address."""
    return {name: value for name, value in row._mapping.items() if name != "email_mark"}


def erase_order(conn: Connection, order: Row[Any], now: datetime, by: str) -> Counter[str]:
    """Erase everything personal of an order; returns how many rows changed, by table.

    ``order`` has an id, connection_id, channel_order_id and raw_id. Erasing it once more changes
    nothing. ``by``: whom the audit trail names where words are taken out of it.
    """
    changed: Counter[str] = Counter()
    words = words_of(conn, [order.id])
    keys = places.payloads(conn, order)
    changed["intent"] += _shorten_addresses(conn, order.id)
    changed["routing_decision"] += _forget_destinations(conn, order.id)
    # With the payloads go their keys, by which all the rest may be encrypted.
    changed["inbox"] = erase_payloads(conn, keys, now)
    write = partial(_write, conn, by, now)
    for place in places.PLACES:
        changed[place.table.name] += _blank(conn, place, order.id)
        changed[place.table.name] += _scrub(conn, place, order.id, words, write)
    mine = t.sales_order.c.id == order.id
    conn.execute(update(t.sales_order).where(mine).values(waits_for="", erased_at=now))
    return +changed


def erase_payloads(conn: Connection, keys: Sequence[places.Key], now: datetime) -> int:
    """Empty every payload of these records, and remember never to keep one of them again."""
    data_keys.destroy(conn, keys)
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
    row, ids = t.inbox.c, list(raw_ids)
    named = select(row.connection_id, row.topic, row.external_id).where(among(row.id, ids))
    owners = [tuple(one) for one in conn.execute(named)]
    changed = _empty(conn, among(row.id, ids))
    data_keys.destroy_unused(conn, owners)
    return changed


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
    if place.table is t.address:
        values["email_mark"] = ""
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
    """What was sent outside keeps its shape, and of its address the country; links go."""
    changed = 0
    for row in conn.execute(select(t.intent).where(places.intents(order_id))).all():
        body = bodies.without_person(row.body)
        if body == row.body:
            continue
        values: dict[str, Any] = {"body": body}
        if row.kind == "tracking" and intents.is_frozen(conn, row):
            # It may be on its way still, and tells the channel enough without the link.
            values["body_sha256"] = row.body_sha256 and intents.digest(body)
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
    found = conn.execute(select(decision).where(decision.c.order_id == order_id))
    rows = destinations.clear(conn, found)
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
