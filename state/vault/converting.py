"""Encrypting what a store held before its connections were to be encrypted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, or_, select, update

from mappings.storable import SEAL
from state import intents, orders
from state import tables as t
from state.batches import among
from state.personal import erasing, places
from state.store import Store
from state.vault import bodies, destinations, fields, keys, marks, payloads
from state.vault.keys import DataKey
from state.vault.rotation import REST_S

AT_ONCE = 50
"""Orders, or payloads, of one transaction."""


def encrypt(
    store: Store, *, rest: Callable[[float], object], told: Callable[[int], None] = lambda _: None
) -> int:
    """Encrypt whatever is plain of the store's sealed connections; returns how many orders and
    payloads were changed.

    ``rest`` waits for so many seconds. What is encrypted already is left alone, so whoever is
    interrupted just begins again. Freed pages hold the plain text until ``Store.wipe_traces``.
    """
    sealed = store.vault.vault.sealed if store.vault.vault else frozenset[int]()
    changed = 0
    for connection_id in sorted(sealed):
        for batch in (_orders, _payloads):
            last = 0
            while True:
                with store.write() as conn:
                    erasing.begin(conn)
                    last, done = batch(conn, connection_id, last)
                changed += done
                told(changed)
                rest(REST_S)
                if not last:
                    break
    return changed


def plain_left(conn: Connection, connection_ids: Iterable[int]) -> dict[int, int]:
    """How many addresses, notes and payloads of connections are plain; those without any are left
    out."""
    order, row = t.sales_order.c, t.inbox.c
    found: dict[int, int] = {}
    for connection_id in connection_ids:
        mine = order.connection_id == connection_id
        used = [select(one).where(mine) for one in (order.bill_to_id, order.ship_to_id)]
        addresses = or_(*(t.address.c.id.in_(one) for one in used))
        head = func.substr(row.body, 1, len(payloads.MAGIC))
        whichever = (
            (t.address, addresses & _is_plain(t.address)),
            (t.sales_order, mine & _is_plain(t.sales_order)),
            (
                t.inbox,
                (row.connection_id == connection_id)
                & (func.length(row.body) > 0)
                & (head != payloads.MAGIC),
            ),
        )
        count = sum(
            conn.scalar(select(func.count()).select_from(table).where(where)) or 0
            for table, where in whichever
        )
        if count:
            found[connection_id] = count
    return found


def _is_plain(table: Table) -> ColumnElement[bool]:
    columns = (table.c[name] for name in fields.COLUMNS[table])
    return or_(*((one != "") & (func.substr(one, 1, 1) != SEAL) for one in columns))


def _orders(conn: Connection, connection_id: int, after: int) -> tuple[int, int]:
    """The last id looked at (0: there is no more), and how many orders were changed."""
    order = t.sales_order.c
    query = (
        select(order.id)
        .where(order.connection_id == connection_id, order.id > after, order.erased_at.is_(None))
        .order_by(order.id)
        .limit(AT_ONCE)
    )
    ids = list(conn.scalars(query))
    if not ids:
        return 0, 0
    orders.lock(conn, ids)
    rows = conn.execute(
        select(t.sales_order).where(among(order.id, ids), order.erased_at.is_(None))
    ).all()
    owners = {row.id: keys.of_order(connection_id, row.channel_order_id) for row in rows}
    found = keys.for_writing(conn, owners.values())
    return ids[-1], sum(_order(conn, row, found[owners[row.id]]) for row in rows)


def _order(conn: Connection, order: Row[Any], key: DataKey) -> bool:
    mine: dict[Table, ColumnElement[bool]] = {
        t.sales_order: t.sales_order.c.id == order.id,
        t.address: places.addresses(order.id),
        t.refund: t.refund.c.order_id == order.id,
        t.package: t.package.c.id.in_(places.packages(order.id)),
    }
    changed = [
        _columns(conn, table, conn.execute(select(table).where(which)).all(), key)
        for table, which in mine.items()
    ]
    changed.append(_sent(conn, order.id, key))
    changed.append(_decided(conn, order.id, key))
    return any(changed)


def _columns(conn: Connection, table: Table, rows: Iterable[Row[Any]], key: DataKey) -> bool:
    changed = False
    for row in rows:
        values = fields.sealed_values(key, table, dict(row._mapping))
        if "email" in values:
            values["email_mark"] = marks.mark(marks.key(conn), row.email)
        if values:
            conn.execute(update(table).where(table.c.id == row.id).values(values))
            changed = True
    return changed


def _sent(conn: Connection, order_id: int, key: DataKey) -> bool:
    changed = False
    for row in conn.execute(select(t.intent).where(places.intents(order_id))).all():
        body = bodies.seal(key, row.body, row.idempotency_key)
        if body == row.body:
            continue
        values: dict[str, Any] = {"body": body}
        if intents.is_frozen(conn, row):
            # One that was changed by somebody stays recognisable as that.
            values["body_sha256"] = row.body_sha256 and intents.digest(body)
        conn.execute(update(t.intent).where(t.intent.c.id == row.id).values(values))
        changed = True
    return changed


def _decided(conn: Connection, order_id: int, key: DataKey) -> bool:
    decision = t.routing_decision
    changed = False
    for row in conn.execute(select(decision).where(decision.c.order_id == order_id)).all():
        postcode = destinations.postcode_of(row.inputs)
        if not postcode or fields.is_sealed(postcode):
            continue
        inputs = destinations.sealed(key, order_id, row.inputs)
        # Made again it would have another hash; without one nobody takes it for changed.
        values = {"inputs": inputs, "inputs_hash": "", "policy_version": erasing.ERASED}
        conn.execute(update(decision).where(decision.c.id == row.id).values(values))
        changed = True
    return changed


def _payloads(conn: Connection, connection_id: int, after: int) -> tuple[int, int]:
    row = t.inbox.c
    query = (
        select(t.inbox)
        .where(row.connection_id == connection_id, row.id > after)
        .order_by(row.id)
        .limit(AT_ONCE)
        .with_for_update()
    )
    page = conn.execute(query).all()
    plain = [one for one in page if one.body and not payloads.is_sealed(bytes(one.body))]
    owners = {one.id: (connection_id, one.topic, one.external_id) for one in plain}
    found = keys.for_writing(conn, owners.values()) if plain else {}
    for one in plain:
        body = payloads.seal(found[owners[one.id]], bytes(one.body), bytes(one.sha256))
        conn.execute(update(t.inbox).where(row.id == one.id).values(body=body))
    return (page[-1].id if page else 0), len(plain)
