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

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import PullsStock
from mappings import canonical as c
from state import catalogue, fulfilment, stock
from state.stock import Count, Place
from sync.context import Hub, Run
from sync.guard.counts import watched
from sync.guard.watch import holding
from sync.reading import Reading, park_unread, read, report

TOPIC = "stock"

BATCH = 1000
"""SKUs per transaction: short enough to leave the database to others."""

Counted = Mapping[Place, Sequence[Count]]
"""Counts of one pull by location, in SKU order, each SKU once."""


def pull_stock(hub: Hub, run: Run) -> None:
    """Job: take in the counts of a location that keeps its own stock.

    Nothing is written before the last page is there: an absent SKU proves nothing in a snapshot
    that broke off, and even in a complete one it never becomes a zero. The guard looks at all of
    it before the first count is taken; the cursor is saved after the last, so that a run that
    breaks off in between is done again, and what it took already changes nothing then.
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
    found: list[c.StockCount] = [r.record for r in readings if r.record is not None]
    now = hub.clock.now()
    with holding(hub, run):
        with hub.store.read() as conn:
            counted, unmapped = sorted_out(conn, link.id, found, now, began)
            watch = watched(conn, hub, run, counted)
        if not _take(run, counted, now):
            return
    with run.commit() as conn:
        parked = park_unread(conn, link.id, TOPIC, readings, now)
        if cursor is not None:
            run.save_cursor(conn, cursor)
        watch.passed(conn, now)
    run.count("read", len(readings))
    run.count("unmapped", unmapped)
    run.count("parked", parked)


def _take(run: Run, counted: Counted, now: datetime) -> bool:
    """Set the counts, batch by batch; false when the process stops before the last one."""
    for place, batch in _batches(counted):
        if run.stopping:
            return False
        with run.commit() as conn:
            changed = take(conn, place, batch, now)
            if changed:
                run.request(conn, "allocate")
                run.request(conn, "promise")
        run.count("changed", changed)
    return True


def _batches(counted: Counted) -> Iterator[tuple[Place, Sequence[Count]]]:
    for place, counts in counted.items():
        for start in range(0, len(counts), BATCH):
            yield place, counts[start : start + BATCH]


def take(conn: Connection, place: Place, counts: Sequence[Count], now: datetime) -> int:
    """Apply counts of one location; returns how many levels changed."""
    return len(stock.set_counts(conn, place, counts, reason="external_set", now=now))


def sorted_out(
    conn: Connection,
    connection_id: int,
    counts: Sequence[c.StockCount],
    now: datetime,
    began: datetime | None = None,
) -> tuple[Counted, int]:
    """Counts by location and SKU, and how many are of a SKU or location that we do not know.

    ``began``: when we began to ask for them; null: now.
    """
    earliest = (began or now) - SKEW
    places = fulfilment.locations_worked_by(conn, connection_id)
    skus = catalogue.resolve(conn, connection_id, [count.sku for count in counts])
    piles: dict[tuple[Place, int], dict[str, c.StockCount]] = {}
    unmapped = 0
    for count in counts:
        place = _place(places, count.location_code)
        sku_id = skus.get(count.sku)
        if place is None or sku_id is None:
            unmapped += 1
        else:
            # The same name again is the same pile, read twice; another name is another pile.
            piles.setdefault((place, sku_id), {})[count.sku] = count
    found: dict[Place, list[Count]] = {}
    for (place, sku_id), pile in sorted(piles.items(), key=lambda one: one[0][1]):
        key = f"count:{connection_id}:{sku_id}:{place.location_id}:{now.isoformat()}"
        on_hand = sum((count.on_hand for count in pile.values()), Decimal(0))
        observed_at = min(_counted_at(count, now) or earliest for count in pile.values())
        found.setdefault(place, []).append(Count(sku_id, on_hand, key, observed_at))
    return found, unmapped


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


def _place(places: Sequence[Row[Any]], code: str) -> Place | None:
    """The location a count is for: by its code, or the only one that the connection has."""
    if code:
        found = next((place for place in places if place.code == code), None)
    else:
        found = places[0] if len(places) == 1 else None
    return None if found is None else Place(found.id, found.authority)
