"""Whose data is whose: the orders and the records that belong to an e-mail address."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, func, literal_column, or_, select

from state import inbox
from state import tables as t
from state.batches import among
from state.fulfilment import LIVE_WORK
from state.intents import OPEN
from state.personal import places, reports
from state.personal.places import Key
from state.vault import marks


@dataclass(frozen=True, slots=True)
class Person:
    """Everything of one person: ``orders``, the records that each of them, by its id, was read from
    or was told of in (``payloads``), and ``records`` of the inbox that are of none of these.

    Each order has its connection's name as ``connection``; each record its id, connection_id,
    connection, topic, external_id and state.
    """

    orders: Sequence[Row[Any]]
    payloads: Mapping[int, Collection[Key]]
    records: Sequence[Row[Any]]


def find(conn: Connection, email: str) -> Person:
    """What is held on the person with this address, however it is capitalised.

    Reads every payload of the inbox: an address may stand where no mapping looks for it.
    """
    mentions = list(_mentioning(conn, email.lower()))
    named = {(row.connection_id, row.external_id) for row in mentions if row.topic == "orders"}
    ids = {*_by_address(conn, email), *_by_channel_id(conn, named)}
    found = _orders(conn, ids)
    told = reports.of_orders(conn, ids)
    keys = {one.id: {*places.payloads(conn, one), *told.get(one.id, ())} for one in found}
    taken = {key for of_order in keys.values() for key in of_order}
    loose = (
        row for row in mentions if (row.connection_id, row.topic, row.external_id) not in taken
    )
    return Person(found, keys, list(loose))


def of_ids(conn: Connection, order_ids: Iterable[int]) -> list[Row[Any]]:
    """Orders, each with its connection's name as ``connection``."""
    return _orders(conn, set(order_ids))


def _orders(conn: Connection, ids: set[int]) -> list[Row[Any]]:
    order = t.sales_order
    query = (
        select(order, t.connection.c.name.label("connection"))
        .join(t.connection, t.connection.c.id == order.c.connection_id)
        .where(among(order.c.id, ids))
        .order_by(order.c.id)
    )
    return list(conn.execute(query))


def _by_address(conn: Connection, email: str) -> list[int]:
    order, address = t.sales_order, t.address
    # Said as literals, for the partial index to be used.
    where = (address.c.email != literal_column("''")) & (
        func.lower(address.c.email) == email.lower()
    )
    mine = list(conn.scalars(select(address.c.id).where(where)))
    mark = marks.known_mark(conn, email)
    if mark:
        there = (address.c.email_mark != literal_column("''")) & (address.c.email_mark == mark)
        mine += conn.scalars(select(address.c.id).where(there))
    used = or_(among(order.c.bill_to_id, mine), among(order.c.ship_to_id, mine))
    return list(conn.scalars(select(order.c.id).where(used)))


def _by_channel_id(conn: Connection, named: set[tuple[int, str]]) -> Iterator[int]:
    order = t.sales_order.c
    for connection_id in {key[0] for key in named}:
        names = [name for connection, name in named if connection == connection_id]
        where = (order.connection_id == connection_id) & among(order.channel_order_id, names)
        yield from conn.scalars(select(order.id).where(where))


def _mentioning(conn: Connection, email: str) -> Iterator[Row[Any]]:
    """Records whose payload holds the address, in lower case, anywhere."""
    for page in inbox.held(conn):
        yield from (row for row, text in page if email in text.lower())


UNSETTLED = (*OPEN, "review")


def open_orders(conn: Connection, order_ids: Iterable[int]) -> dict[int, str]:
    """Orders whose address is still needed, with the reason."""
    ids = list(order_ids)
    found: dict[int, str] = {}
    order, ffo = t.sales_order.c, t.fulfilment_order.c
    states = select(order.id, order.intake_state, order.channel_status)
    for row in conn.execute(states.where(among(order.id, ids))):
        if row.intake_state in ("accepted", "parked"):
            found[row.id] = f"it is {row.intake_state} and not yet shipped or cancelled"
    live = select(ffo.order_id, ffo.reference, ffo.work_state)
    where = among(ffo.order_id, ids) & ffo.work_state.in_(LIVE_WORK)
    for row in conn.execute(live.where(where)):
        found[row.order_id] = f"{row.reference} is {row.work_state.replace('_', ' ')}"
    for row in conn.execute(_unsettled(ids)):
        found[row.order_id] = f"a {row.kind.replace('_', ' ')} is {row.state}"
    return found


def _unsettled(ids: Sequence[int]) -> Select[Any]:
    """Pushes with an address in them that nobody knows the end of."""
    ffo, intent = t.fulfilment_order.c, t.intent.c
    return (
        select(ffo.order_id, intent.kind, intent.state)
        .join(t.fulfilment_order, ffo.id == intent.subject_id)
        .where(
            intent.kind.in_(("fulfilment_order", "label", "cancel_fulfilment_order")),
            intent.state.in_(UNSETTLED),
            among(ffo.order_id, ids),
        )
    )
