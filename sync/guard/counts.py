"""Counts from outside: a file of zeros, or the wrong file, must not empty a location."""

from __future__ import annotations

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

    A SKU counted for the first time moves nothing. What is looked at is what moved: a feed of a few
    changes costs as much for a hundred thousand SKUs as for a hundred.
    """
    places = {row.id: row.code for row in fulfilment.locations_worked_by(conn, hub.link(run).id)}
    deltas = {
        (place.location_id, count.sku_id): delta
        for place, counts in counted.items()
        for count, delta in stock.foreseen(conn, place, counts).items()
        if delta
    }
    changes = [
        Change(
            f"level:{row.location_id}:{row.sku_id}",
            f"{row.code} at {places[row.location_id]}",
            int(row.on_hand),
            int(row.on_hand + deltas[row.location_id, row.sku_id]),
            places[row.location_id],
        )
        for row in holds.on_hand_of(conn, {sku_id for _, sku_id in deltas}, places)
        if (row.location_id, row.sku_id) in deltas
    ]
    ids = {code: place for place, code in places.items()}

    def in_stock(code: str) -> int:
        return holds.in_stock(conn, ids[code])

    def measure(some: Sequence[Change]) -> Excess | None:
        return too_much_stock(some, hub.policy.guard, "SKUs in stock", in_stock)

    watch = Watch(conn, run, measure)
    watch.look(changes)
    return watch
