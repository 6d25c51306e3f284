"""Counts from outside: a file of zeros, or the wrong file, must not empty a location."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from state import fulfilment, holds
from sync.context import Hub, Run
from sync.guard.limits import Change, Excess, too_much_stock
from sync.guard.watch import Watch


@contextmanager
def counting(conn: Connection, hub: Hub, run: Run) -> Iterator[None]:
    """Around the taking of a connection's counts, in their transaction; raises ``Held``.

    A SKU counted for the first time moves nothing.
    """
    places = {row.id: row.code for row in fulfilment.locations_worked_by(conn, hub.link(run).id)}
    before = holds.on_hand_at(conn, places)
    yield
    after = holds.on_hand_at(conn, places)
    changes = [
        Change(
            f"level:{place}:{sku_id}",
            f"{sku} at {places[place]}",
            int(qty),
            int(after[place, sku_id, sku]),
            places[place],
        )
        for (place, sku_id, sku), qty in before.items()
        if after[place, sku_id, sku] != qty
    ]

    in_stock = Counter(places[place] for (place, _, _), qty in before.items() if qty > 0)

    def measure(some: Sequence[Change]) -> Excess | None:
        return too_much_stock(some, hub.policy.guard, "SKUs in stock", in_stock.__getitem__)

    watch = Watch(conn, run, measure)
    watch.look(changes)
    watch.passed(conn, hub.clock.now())
