"""A store that came out of a backup: whoever was erased since then is erased in it again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, inspect, select

from state import history, inbox, orders
from state import tables as t
from state.personal import erasing, people
from sync.privacy.erasure import Erased, Said, erase_order

STORY = "erased again: it had been before the store was restored from a backup"

Named = tuple[str, str, str]
"""(connection's name, topic, external id): ids of two stores need not be the same."""


@dataclass(frozen=True, slots=True)
class Erasures:
    """What a store remembers to have been erased, without telling whose it was."""

    orders: frozenset[tuple[str, str]] = frozenset()
    records: frozenset[Named] = frozenset()

    def __or__(self, other: Erasures) -> Erasures:
        return Erasures(self.orders | other.orders, self.records | other.records)


@dataclass(slots=True)
class Reapplied:
    """``open``: orders that were not finished yet at the moment of the backup; each is held."""

    erased: Erased = field(default_factory=Erased)
    open: list[int] = field(default_factory=list)


def remembered(conn: Connection) -> Erasures:
    """Every erasure that a store, of this or an earlier version, knows of."""
    known = inspect(conn)
    if not known.has_table("sales_order"):
        return Erasures()
    if "erased_at" not in {column["name"] for column in known.get_columns("sales_order")}:
        return Erasures()
    name, order, row = t.connection.c.name, t.sales_order.c, t.inbox.c
    of_orders = (
        select(name, order.channel_order_id)
        .join(t.connection, t.connection.c.id == order.connection_id)
        .where(order.erased_at.is_not(None))
    )
    of_records = (
        select(name, row.topic, row.external_id)
        .join(t.connection, t.connection.c.id == row.connection_id)
        .where(row.sha256 == inbox.NO_CONTENT)
    )
    return Erasures(
        frozenset((one[0], one[1]) for one in conn.execute(of_orders)),
        frozenset((one[0], one[1], one[2]) for one in conn.execute(of_records)),
    )


def reapply(
    conn: Connection, erasures: Erasures, now: datetime, actor: str, reason: str
) -> Reapplied:
    """Erase in this store what ``erasures`` name and it still holds, in the caller's transaction.

    An order that is not finished here is erased all the same, and held: nobody is sent a parcel
    without an address, and a person looks what became of it.
    """
    erasing.begin(conn)
    ids = {row.name: row.id for row in conn.execute(select(t.connection.c.id, t.connection.c.name))}
    done = Reapplied()
    wanted: dict[str, list[str]] = {}
    for connection, name in erasures.orders:
        wanted.setdefault(connection, []).append(name)
    for connection, names in sorted(wanted.items()):
        if connection in ids:
            held = orders.existing(conn, ids[connection], sorted(names)).values()
            _orders(conn, [row.id for row in held if row.erased_at is None], actor, now, done)
    records = sorted(
        (ids[connection], topic, name)
        for connection, topic, name in erasures.records
        if connection in ids
    )
    emptied = erasing.erase_payloads(conn, records, now)
    if emptied:
        done.erased.places["inbox"] += emptied
    if done.erased.anything:
        history.audit(
            conn,
            actor=actor,
            action="erase_personal_data_again",
            subject=("person", 0),
            after={
                "orders": done.erased.orders,
                "held": done.open,
                "rows": dict(done.erased.places),
            },
            reason=reason,
            now=now,
        )
    return done


def _orders(
    conn: Connection, order_ids: Iterable[int], actor: str, now: datetime, into: Reapplied
) -> None:
    found = people.of_ids(conn, order_ids)
    needed = people.open_orders(conn, [row.id for row in found])
    for row in found:
        erase_order(conn, row, now, into.erased, Said(STORY, actor))
        if row.id in needed:
            history.place_hold(
                conn,
                row.id,
                "manual",
                "its address was erased after the backup that this store came out of",
                "look up at the location and in the channel what became of it, then cancel it",
                now,
            )
            into.open.append(row.id)
