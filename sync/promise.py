"""The promise per listing: what a channel may offer now, written back only where it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from connectors.base import Outcome, PushesStock
from mappings import canonical as c
from state import catalogue, fulfilment, intents, stock
from state import tables as t
from sync.context import Hub, Link, Run

BATCH = 500
"""SKUs per transaction: short enough to leave the database to others."""


def publish(hub: Hub, run: Run) -> None:
    """Job: compute the promise of every dirty SKU and plan the writes that differ."""
    while not run.stopping:
        with run.commit() as conn:
            sku_ids = list(conn.scalars(select(t.dirty_sku.c.sku_id).limit(BATCH)))
            if sku_ids:
                conn.execute(delete(t.dirty_sku).where(t.dirty_sku.c.sku_id.in_(sku_ids)))
                changed = publish_skus(conn, hub, sku_ids)
                run.count("skus", len(sku_ids))
                run.count("writes", sum(changed.values()))
                for name in sorted(changed):
                    run.request(conn, f"push:{name}")
        if len(sku_ids) < BATCH or run.dry_run:
            return


def publish_skus(conn: Connection, hub: Hub, sku_ids: Sequence[int]) -> dict[str, int]:
    """Plan a stock write for each listing whose promise changed; counts by connection."""
    now = hub.clock.now()
    links = {
        link.id: link for link in hub.links.values() if isinstance(link.connector, PushesStock)
    }
    levels = _available(conn, sku_ids)
    demand = stock.unallocated_demand(conn, sku_ids)
    places = {
        link_id: {row.id for row in fulfilment.locations_of_channel(conn, link_id)}
        for link_id in links
    }
    changed: dict[str, int] = {}
    for listing in catalogue.listings_of(conn, sku_ids):
        link = links.get(listing.connection_id)
        if link is None:
            continue
        mine = {
            place: qty
            for place, qty in levels.get(listing.sku_id, {}).items()
            if place in places[link.id]
        }
        quantity = promised(mine, demand.get(listing.sku_id, Decimal(0)))
        if quantity != listing.computed_qty:
            plan_write(conn, link, listing, quantity, now)
            changed[link.name] = changed.get(link.name, 0) + 1
    return changed


def _available(conn: Connection, sku_ids: Sequence[int]) -> dict[int, dict[int, Decimal]]:
    found: dict[int, dict[int, Decimal]] = {}
    for row in stock.levels(conn, sku_ids):
        found.setdefault(row.sku_id, {})[row.location_id] = Decimal(row.available)
    return found


def promised(available: Mapping[int, Decimal], unallocated: Decimal) -> int:
    """Whole units that may be offered: what is available, less what is promised already.

    One location's shortage (a negative count from outside) does not eat another's goods.
    """
    on_offer = sum((max(Decimal(0), qty) for qty in available.values()), Decimal(0)) - unallocated
    return max(0, int(on_offer.to_integral_value(ROUND_FLOOR)))


def plan_write(
    conn: Connection, link: Link, listing: Row[Any], quantity: int, now: datetime
) -> None:
    version = (listing.observation_version or 0) + 1
    insert = sqlite_insert if conn.dialect.name == "sqlite" else pg_insert
    values = {"computed_qty": quantity, "observation_version": version, "computed_at": now}
    conn.execute(
        insert(t.channel_availability)
        .values(listing_id=listing.id, block_reason="", **values)
        .on_conflict_do_update(index_elements=["listing_id"], set_=values)
    )
    intents.supersede(conn, "stock", listing.id, now)
    update_ = c.StockUpdate(
        external_product_id=listing.external_product_id,
        external_variant_id=listing.external_variant_id,
        external_sku=listing.external_sku,
        product_type=listing.product_type,
        quantity=quantity,
    )
    intents.plan(
        conn,
        connection_id=link.id,
        kind="stock",
        subject=("listing", listing.id),
        key=f"stock:{listing.id}:{version}",
        body=msgspec.to_builtins(update_),
        now=now,
    )


def send(connector: PushesStock, bodies: dict[str, Any]) -> list[Outcome]:
    return list(
        connector.push_stock({key: msgspec.convert(b, c.StockUpdate) for key, b in bodies.items()})
    )


def settle(conn: Connection, hub: Hub, intent: Row[Any], outcome: Outcome) -> set[str]:
    """The channel has taken the quantity (or a batch that holds it), or refuses it."""
    now = hub.clock.now()
    quantity = intent.body["quantity"]
    values: dict[str, Any] = {"submitted_qty": quantity, "submitted_at": intent.sent_at}
    if outcome.status == "applied":
        values.update(confirmed_qty=quantity, confirmed_at=now, block_reason="")
        values.update(read_back_qty=None, read_back_at=None)
    elif outcome.status == "rejected":
        values["block_reason"] = outcome.message or outcome.code
    where = t.channel_availability.c.listing_id == intent.subject_id
    conn.execute(update(t.channel_availability).where(where).values(values))
    return set()
