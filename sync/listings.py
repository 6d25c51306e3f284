"""What a channel lists, matched to our SKUs."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.base import PullsListings, RawRecord
from mappings import canonical as c
from state import catalogue, promises, stock
from sync.context import Hub, Run
from sync.promise import drift
from sync.reading import park_unread, read

TOPIC = "listings"


def pull_listings(hub: Hub, run: Run) -> None:
    """Job: take in every listing of a channel; a new or changed one has its promise computed."""
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, PullsListings):
        raise TypeError(f"{connector.info.name} does not pull listings")
    for page in connector.pull_listings():
        take(hub, run, page.records)
        if run.stopping:
            return


def take(hub: Hub, run: Run, records: Sequence[RawRecord]) -> None:
    """Take in what a channel says of some of its listings, and hold it against the promises."""
    link = hub.link(run)
    definition = hub.definition(link, TOPIC)
    readings = [read(definition, raw.external_id, raw.text) for raw in records]
    # Once each: pages that repeat one another, or a cache's, name a listing again. The first is
    # the one that was asked for.
    named: dict[str, c.Listing] = {}
    for reading in readings:
        if reading.record is not None:
            named.setdefault(reading.record.external_variant_id, reading.record)
    mapped = list(named.values())
    now = hub.clock.now()
    with run.commit() as conn:
        skus = catalogue.resolve(conn, link.id, [m.external_sku for m in mapped])
        touched = catalogue.upsert_listings(conn, link.id, mapped, skus, now)
        parked = park_unread(conn, link.id, TOPIC, readings, now)
        strayed = drift.heal(conn, link, mapped, now)
        healed = sum(strayed[one] for one in drift.WRITTEN_OVER)
        if healed:
            run.request(conn, f"push:{link.name}")
        if touched:
            # A write refused before may be taken now.
            promises.mark_astray(conn, link.id, touched, now)
            stock.mark_dirty(conn, touched)
            run.request(conn, "promise")
    run.count("read", len(records))
    run.count("parked", parked)
    run.count("healed", healed)
    for drift_class, n in strayed.items():
        run.count(drift_class, n)
    run.count("unmatched", sum(1 for m in mapped if m.external_sku not in skus))
