"""Whose the reports of locations are.

A location names its reports as it likes, and many of them never become a shipment: what is being
picked, was cancelled, cannot be booked, or is somebody else's. Which order one is of only its text
says for sure, by the reference of our work in it, also where no mapping can read it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from state import inbox
from state import tables as t
from state.batches import among
from state.personal.places import Key

_TOPIC = "shipments"

_LONGEST = 40
_END = re.compile(r"-(?=[0-9a-f]{8}-([0-9]+))")
"""How every reference of ours ends (``docs/adr/0007-references.md``)."""
_BEGIN = re.compile(r"[A-Za-z0-9-]*\Z")


def of_orders(conn: Connection, order_ids: Iterable[int]) -> dict[int, set[Key]]:
    """The reports that name work of these orders, by order. Reads every report."""
    work = t.fulfilment_order.c
    of_these = select(work.reference, work.order_id).where(among(work.order_id, order_ids))
    owner = {row.reference: row.order_id for row in conn.execute(of_these)}
    found: dict[int, set[Key]] = defaultdict(set)
    for page in inbox.held(conn, _TOPIC) if owner else ():
        for row, text in page:
            for name in owner.keys() & named(text):
                found[owner[name]].add((row.connection_id, row.topic, row.external_id))
    return found


@dataclass(slots=True)
class Outlived:
    """Reports that no order needs any more, by connection. ``records``: of orders that have been
    erased. ``strangers``: of no order of ours; by their ids in the inbox."""

    records: dict[int, list[Key]] = field(default_factory=lambda: defaultdict(list))
    strangers: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))


def outlived(conn: Connection, bounds: Mapping[int, datetime], now: datetime) -> Outlived:
    """What is left of orders that were erased by ``now``, and what is of no order and came by the
    bound of its connection. Reads every report, where there is an order erased or a bound.

    Of the latter one that is parked waits for a person, and stays.
    """
    found = Outlived()
    order = t.sales_order.c
    gone = select(order.id).where(order.erased_at.is_not(None)).limit(1)
    if not bounds and conn.execute(gone).first() is None:
        return found
    for page in inbox.held(conn, _TOPIC):
        names = {row.id: named(text) for row, text in page}
        erased = _erased(conn, set().union(*names.values()))
        for row, _ in page:
            moments = [erased[name] for name in names[row.id] if name in erased]
            bound = bounds.get(row.connection_id)
            if moments:
                if all(at is not None and at <= now for at in moments):
                    key = (row.connection_id, row.topic, row.external_id)
                    found.records[row.connection_id].append(key)
            elif row.state != "parked" and bound is not None and row.received_at <= bound:
                found.strangers[row.connection_id].append(row.id)
    return found


def _erased(conn: Connection, references: set[str]) -> dict[str, datetime | None]:
    """When the orders of those that are ours were erased; null: not yet."""
    work, order = t.fulfilment_order, t.sales_order
    query = (
        select(work.c.reference, order.c.erased_at)
        .join(order, order.c.id == work.c.order_id)
        .where(among(work.c.reference, references))
    )
    return {row.reference: row.erased_at for row in conn.execute(query)}


def named(text: str) -> set[str]:
    """Everything in a text that may be a reference of ours."""
    return {name for end in _END.finditer(text) for name in _ending(text, end.end(1))}


def _ending(text: str, end: int) -> Iterator[str]:
    begin = _BEGIN.search(text, max(0, end - _LONGEST), end)
    assert begin is not None
    yield begin[0]
    # A location may put words of its own before it.
    for place in re.finditer("-", begin[0]):
        yield begin[0][place.end() :]
