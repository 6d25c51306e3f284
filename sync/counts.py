"""Stock counted outside: absolute figures become the deltas that lead to them.

A count knows what had left when it was taken, and nothing of what left later; we hear of both late,
in any order. So a count and a shipment are compared by the location's own clock, wherever it tells:

* goods that left after the moment of the count are taken off it, whenever we hear of them;
* goods that left before it are in it already, and are not taken off again;
* what is released to the location and has not left stands there, and is in the count; it is
  reserved with us, and so subtracted from what is available, once.

Where a moment is not told the earliest is taken for the count, and the latest for the shipment. An
error is then always on the safe side, too little on offer, and the next count ends it.
``docs/stock.md`` has the argument in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import PullsStock
from mappings import canonical as c
from state import catalogue, fulfilment, stock
from sync.context import Hub, Run
from sync.guard.counts import counting
from sync.guard.watch import holding
from sync.reading import Reading, park_unread, read, report

TOPIC = "stock"


def pull_stock(hub: Hub, run: Run) -> None:
    """Job: take in the counts of a location that keeps its own stock.

    Nothing is written before the last page is there: an absent SKU proves nothing in a snapshot
    that broke off, and even in a complete one it never becomes a zero.
    """
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, PullsStock):
        raise TypeError(f"{connector.info.name} does not pull stock")
    definition = hub.definition(link, TOPIC)
    began = hub.clock.now()
    readings: list[Reading] = []
    cursor = run.cursor
    for page in connector.pull_stock(run.cursor):
        report(run, page.findings)
        readings += [read(definition, raw.external_id, raw.text) for raw in page.records]
        cursor = page.cursor or cursor
    counts: list[c.StockCount] = [r.record for r in readings if r.record is not None]
    with holding(hub, run), run.commit() as conn, counting(conn, hub, run):
        now = hub.clock.now()
        parked = park_unread(conn, link.id, TOPIC, readings, now)
        if cursor is not None:
            run.save_cursor(conn, cursor)
        changed, unmapped = take_counts(conn, link.id, counts, now, began)
        if changed:
            run.request(conn, "allocate")
            run.request(conn, "promise")
    run.count("read", len(readings))
    run.count("changed", changed)
    run.count("unmapped", unmapped)
    run.count("parked", parked)


def take_counts(
    conn: Connection,
    connection_id: int,
    counts: Sequence[c.StockCount],
    now: datetime,
    began: datetime | None = None,
) -> tuple[int, int]:
    """Apply counts; returns (levels changed, counts whose SKU or location we do not know).

    ``began``: when we began to ask for them; null: now.
    """
    earliest = (began or now) - SKEW
    places = fulfilment.locations_worked_by(conn, connection_id)
    skus = catalogue.resolve(conn, connection_id, [count.sku for count in counts])
    piles: dict[tuple[int, int], dict[str, c.StockCount]] = {}
    for count in counts:
        place = _place(places, count.location_code)
        sku_id = skus.get(count.sku)
        if place is not None and sku_id is not None:
            # The same name again is the same pile, read twice; another name is another pile.
            piles.setdefault((sku_id, place.id), {})[count.sku] = count
    authorities = {place.id: place.authority for place in places}
    changed = 0
    for (sku_id, location_id), pile in sorted(piles.items()):
        delta = stock.set_count(
            conn,
            sku_id=sku_id,
            location_id=location_id,
            authority=authorities[location_id],
            on_hand=sum((count.on_hand for count in pile.values()), Decimal(0)),
            reason="external_set",
            key=f"count:{connection_id}:{sku_id}:{location_id}:{now.isoformat()}",
            now=now,
            observed_at=min(_counted_at(count, now) or earliest for count in pile.values()),
        )
        changed += bool(delta)
    known = sum(
        _place(places, count.location_code) is not None and count.sku in skus for count in counts
    )
    return changed, len(counts) - known


SKEW = timedelta(minutes=2)
"""How far a location's clock may be behind ours, and its answer behind its shelves."""

AHEAD = timedelta(days=1)
"""A moment further ahead than this is a mistake, not a clock that runs fast."""


def _counted_at(count: c.StockCount, now: datetime) -> datetime | None:
    told = count.observed_at
    # A count from far ahead would keep all that follow from being taken.
    return told if told is not None and told <= now + AHEAD else None


def left_at(told: datetime | None, now: datetime) -> datetime | None:
    """The latest moment that a shipping time can mean; null where it says nothing.

    Rounded down, as people and files write them, it would seem to be before a count that it is
    not in. A full hour may stand for a whole day; so may a quarter of one, in the zones whose
    midnight is not at a full hour in UTC.
    """
    if told is None or told > now + AHEAD:
        return None
    if told.minute % 15 == told.second == told.microsecond == 0:
        return None
    if told.second == told.microsecond == 0:
        return told + timedelta(minutes=1)
    return told + timedelta(seconds=1) if told.microsecond == 0 else told


def _place(places: Sequence[Row[Any]], code: str) -> Row[Any] | None:
    """The location a count is for: by its code, or the only one that the connection has."""
    if code:
        return next((place for place in places if place.code == code), None)
    return places[0] if len(places) == 1 else None
