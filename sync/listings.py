"""What a channel lists, matched to our SKUs."""

from __future__ import annotations

from connectors.base import PullsListings
from mappings import canonical as c
from state import catalogue, stock
from sync import drift
from sync.context import Hub, Run
from sync.reading import park_unread, read

TOPIC = "listings"


def pull_listings(hub: Hub, run: Run) -> None:
    """Job: take in every listing of a channel; a new or changed one has its promise computed."""
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, PullsListings):
        raise TypeError(f"{connector.info.name} does not pull listings")
    definition = hub.definition(link, TOPIC)
    for page in connector.pull_listings():
        readings = [read(definition, raw.external_id, raw.text) for raw in page.records]
        mapped: list[c.Listing] = [r.record for r in readings if r.record is not None]
        now = hub.clock.now()
        with run.commit() as conn:
            skus = catalogue.resolve(conn, link.id, [m.external_sku for m in mapped])
            touched = catalogue.upsert_listings(conn, link.id, mapped, skus, now)
            parked = park_unread(conn, link.id, TOPIC, readings, now)
            astray = drift.heal(conn, link, mapped, now)
            if astray:
                run.request(conn, f"push:{link.name}")
            if touched:
                stock.mark_dirty(conn, touched)
                run.request(conn, "promise")
        run.count("read", len(page.records))
        run.count("parked", parked)
        run.count("healed", astray)
        run.count("unmatched", sum(1 for m in mapped if m.external_sku not in skus))
        if run.stopping:
            return
