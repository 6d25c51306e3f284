"""What the promise tests do over and over: list, count, set rules, promise, write and read back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Row, select

from state import streams
from state import tables as t
from sync import drain, listings
from sync.guard.limits import Limits
from sync.promise import publishing
from sync.promise.rules import Rule, RuleSet
from tests.sync.conftest import Bench, JobRun


def product(number: int, sku: str, quantity: int) -> dict[str, Any]:
    """A simple WooCommerce product that keeps stock."""
    return {
        "id": number,
        "name": f"Thing {sku}",
        "type": "simple",
        "status": "publish",
        "sku": sku,
        "manage_stock": True,
        "stock_quantity": quantity,
    }


def listed(bench: Bench, **quantities: int) -> JobRun:
    """Pull listings: the channel offers these quantities; product 11 is A, 12 is B, 13 is C."""
    numbers = {"A": 11, "B": 12, "C": 13}
    bench.shop.listings = [product(numbers[sku], sku, n) for sku, n in quantities.items()]
    return bench.run(listings.pull_listings, "shop")


def set_rules(bench: Bench, *rules: Rule) -> None:
    bench.hub = replace(bench.hub, policy=replace(bench.hub.policy, promise=RuleSet(rules)))


def set_limits(bench: Bench, **limits: Any) -> None:
    bench.hub = replace(bench.hub, policy=replace(bench.hub.policy, guard=Limits(**limits)))


def promise(bench: Bench, *, stopping: bool = False) -> JobRun:
    run = JobRun(bench.store, None, "promise", stopping=stopping)
    publishing.publish(bench.hub, run)
    return run


def push(bench: Bench) -> JobRun:
    return bench.run(drain.push, "shop")


def written(bench: Bench) -> dict[str, int]:
    """Promise and push; what the channel was told meanwhile."""
    bench.shop.stock.clear()
    promise(bench)
    push(bench)
    return dict(bench.shop.stock)


def row_of(bench: Bench, sku: str) -> Row[Any]:
    """The promise of a SKU's listing in the shop."""
    query = (
        select(t.channel_availability, t.channel_listing.c.offered_qty)
        .join(t.channel_listing, t.channel_listing.c.id == t.channel_availability.c.listing_id)
        .where(t.channel_listing.c.external_sku == sku)
    )
    with bench.store.read() as conn:
        return conn.execute(query).one()


def stock_keys(bench: Bench) -> list[tuple[str, str, int]]:
    """(key, state, quantity) of every stock write, oldest first."""
    intent = t.intent.c
    query = select(intent.idempotency_key, intent.state, intent.body).order_by(intent.id)
    with bench.store.read() as conn:
        rows = conn.execute(query.where(intent.kind == "stock"))
        return [(row.idempotency_key, row.state, row.body["quantity"]) for row in rows]


def orders_were_read(bench: Bench) -> None:
    """The channel's orders have been pulled to the end just now."""
    now = bench.clock.now()
    with bench.store.write() as conn:
        link = bench.hub.links["shop"]
        streams.ensure(conn, "pull-orders:shop", "pull-orders", link.id, 300, now)
        conn.execute(
            t.stream.update().where(t.stream.c.job == "pull-orders").values(last_success_at=now)
        )
