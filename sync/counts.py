"""Stock counted outside: absolute figures become the deltas that lead to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
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
        changed, unmapped = take_counts(conn, link.id, counts, now)
        if changed:
            run.request(conn, "allocate")
            run.request(conn, "promise")
    run.count("read", len(readings))
    run.count("changed", changed)
    run.count("unmapped", unmapped)
    run.count("parked", parked)


def take_counts(
    conn: Connection, connection_id: int, counts: Sequence[c.StockCount], now: datetime
) -> tuple[int, int]:
    """Apply counts; returns (levels changed, counts whose SKU or location we do not know)."""
    places = fulfilment.locations_worked_by(conn, connection_id)
    skus = catalogue.resolve(conn, connection_id, [count.sku for count in counts])
    known: list[tuple[int, int, Row[Any], c.StockCount]] = []
    for count in counts:
        place = _place(places, count.location_code)
        sku_id = skus.get(count.sku)
        if place is not None and sku_id is not None:
            known.append((sku_id, place.id, place, count))
    changed = 0
    for sku_id, location_id, place, count in sorted(known, key=lambda k: (k[0], k[1])):
        delta = stock.set_count(
            conn,
            sku_id=sku_id,
            location_id=location_id,
            authority=place.authority,
            on_hand=count.on_hand,
            reason="external_set",
            key=f"count:{connection_id}:{sku_id}:{location_id}:{now.isoformat()}",
            now=now,
        )
        changed += bool(delta)
    return changed, len(counts) - len(known)


def _place(places: Sequence[Row[Any]], code: str) -> Row[Any] | None:
    """The location a count is for: by its code, or the only one that the connection has."""
    if code:
        return next((place for place in places if place.code == code), None)
    return places[0] if len(places) == 1 else None
