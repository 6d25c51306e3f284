"""Counts from outside: a file of zeros, or the wrong file, must not empty a location."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from state import fulfilment, holds, stock
from state.stock import Count, Place
from sync.context import Hub, Run
from sync.guard.limits import Change, Excess, too_much_stock
from sync.guard.watch import Watch


def watched(
    conn: Connection, hub: Hub, run: Run, counted: Mapping[Place, Sequence[Count]]
) -> Watch:
    """Look at what counts of a connection's locations would change; raises ``Held``.

    A SKU counted for the first time moves nothing.
    """
    codes = {row.id: row.code for row in fulfilment.locations_worked_by(conn, hub.link(run).id)}
    before = holds.on_hand_at(conn, codes)
    deltas = {
        (place.location_id, count.sku_id): delta
        for place, counts in counted.items()
        for count, delta in stock.foreseen(conn, place, counts).items()
    }
    changes = [
        Change(
            f"level:{place}:{sku_id}",
            f"{sku} at {codes[place]}",
            int(qty),
            int(qty + deltas[place, sku_id]),
            codes[place],
        )
        for (place, sku_id, sku), qty in before.items()
        if (place, sku_id) in deltas
    ]
    in_stock = Counter(codes[place] for (place, _, _), qty in before.items() if qty > 0)

    def measure(some: Sequence[Change]) -> Excess | None:
        return too_much_stock(some, hub.policy.guard, "SKUs in stock", in_stock.__getitem__)

    watch = Watch(conn, run, measure)
    watch.look(changes)
    return watch
