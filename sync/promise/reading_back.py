"""Sampled read-back: soon after a write, is the quantity there that was confirmed?

A pull of listings looks at everything, but seldom. A sample of the latest writes shows within
minutes that a channel forgets what it confirms.
"""

from __future__ import annotations

from datetime import timedelta

from connectors.base import ReadsListings
from mappings import canonical as c
from state import promises
from sync import listings
from sync.context import Hub, Run

SETTLED = timedelta(minutes=2)
"""How long a channel's own listing may lag behind a write that it confirmed."""

LATEST = 200
SAMPLE = 20
"""One call at Amazon, and few at most at a shop whose variations go by parent."""


def read_back(hub: Hub, run: Run) -> None:
    """Job: look at a sample of what was written last, spread evenly over it."""
    link = hub.link(run)
    connector = link.connector
    if not isinstance(connector, ReadsListings):
        raise TypeError(f"{connector.info.name} does not read single listings")
    with hub.store.read() as conn:
        written = promises.written_lately(conn, link.id, hub.clock.now() - SETTLED, LATEST)
    step = max(1, -(-len(written) // SAMPLE))
    wanted = [
        c.Listing(
            external_product_id=row.external_product_id,
            external_variant_id=row.external_variant_id,
            external_sku=row.external_sku,
        )
        for row in written[::step]
    ]
    if wanted:
        listings.take(hub, run, connector.read_listings(wanted))
