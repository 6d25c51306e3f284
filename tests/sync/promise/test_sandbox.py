"""Write-back against the sandbox over real sockets: a bad item, and every way a shop can lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from jobs import app
from sandbox import installation
from sandbox.app import Sandbox
from sandbox.server import serve
from sandbox.vendors.woo_shop import Product
from sandbox.world import World
from state import tables as t
from state.store import Store
from sync import imports, parked
from tests.acceptance.trading import DAY, OneClock, Trade


class Shelf(Trade):
    """A hub whose shop offers what it promised, and nobody buys by himself."""

    door: httpx.Client

    def merchant(self, product: Product, **change: Any) -> None:
        self.door.post(f"/woo/products/{product.sku}", json=change).raise_for_status()

    def product(self, number: int = 0) -> Product:
        """One of the shop's simple products that the hub knows."""
        with self.store.read() as conn:
            known = set(conn.scalars(select(t.sku.c.code)))
        simple = [p for p in self.world.shop.products.values() if p.kind == "simple"]
        return sorted((p for p in simple if p.sku in known), key=lambda p: p.id)[number]

    def row(self, product: Product) -> Any:
        query = (
            select(t.channel_availability)
            .join(t.channel_listing, t.channel_listing.c.id == t.channel_availability.c.listing_id)
            .where(t.channel_listing.c.external_variant_id == str(product.id))
        )
        with self.store.read() as conn:
            return conn.execute(query).one()

    def look(self) -> Counter[str]:
        """An hour later: orders read, listings read back, and what that brings about."""
        self.clock.advance(3600)
        self.once("pull-orders", "shop-eu")
        counts: Counter[str] = self.once("pull-listings", "shop-eu").counts
        self.once("promise")
        self.once("push", "shop-eu")
        return counts

    def calls(self) -> Counter[str]:
        return Counter(call.operation for call in self.sandbox.calls.entries)


@pytest.fixture
def shelf(tmp_path: Path, sqlite_template: Path) -> Iterator[Shelf]:
    clock = OneClock(DAY)
    sandbox = Sandbox(World(7, clock, orders_per_channel=0, day_hours=8))
    (tmp_path / "crossdock.db").write_bytes(sqlite_template.read_bytes())
    store = Store(f"sqlite:///{tmp_path / 'crossdock.db'}")
    with serve(sandbox) as url, capture_logs(), httpx.Client(base_url=f"{url}/_sandbox") as door:
        installation.write(tmp_path, url, sandbox.world)
        configuration = app.load(tmp_path / "settings.toml")
        hub = app.open_app(configuration, store, clock=clock)
        app.set_up_streams(hub)
        counts = tmp_path / "counts.csv"
        with store.write() as conn:
            imports.import_skus(conn, imports.read_skus(tmp_path / "skus.csv"))
            imports.import_counts(
                conn, counts, "berlin", imports.read_counts(counts), "ops", clock.now()
            )
        shelf = Shelf(sandbox.world, sandbox, hub, clock, hub.runner("run"))
        shelf.door = door
        shelf.once("pull-stock", "bob")
        shelf.look()
        yield shelf
        hub.close()
    store.close()


def test_the_shop_offers_what_was_promised(shelf: Shelf) -> None:
    product = shelf.product()
    row = shelf.row(product)
    assert row.computed_qty == row.confirmed_qty == product.stock > 0
    assert shelf.look()["healed"] == 0


def test_lessons_row_16_a_poison_item_is_found_by_halving(shelf: Shelf) -> None:
    """The shop refuses any batch with it as a whole: it alone stays behind, and is parked."""
    bad, before = shelf.product(2), shelf.calls()
    shelf.merchant(bad, poison=True)
    recount(shelf, 3)
    shelf.once("promise")
    counts = shelf.once("push", "shop-eu").counts
    assert counts["stock_rejected"] == 1
    written = counts["stock_applied"]
    assert written >= 20
    assert shelf.row(bad).confirmed_qty != shelf.row(bad).computed_qty
    assert shelf.product(0).stock == shelf.row(shelf.product(0)).computed_qty
    # Variations go by parent, one call each; the search among the simple products comes on top.
    calls = shelf.calls() - before
    assert calls["batchProducts"] <= 2 * written.bit_length() + 1
    with shelf.store.read() as conn:
        [item] = [one for one in parked.listing(conn, shelf.hub.hub) if one.what == "listing"]
    assert (item.order, item.reason) == (bad.sku, "refused")


def recount(shelf: Shelf, on_hand: int) -> None:
    with shelf.store.write() as conn:
        counts = imports.read_counts(Path(shelf.hub.configuration.folder) / "counts.csv")
        imports.import_counts(
            conn,
            Path("count"),
            "berlin",
            [replace(row, on_hand=max(row.on_hand + on_hand, Decimal(0))) for row in counts],
            "ops",
            shelf.clock.now(),
        )


def test_a_number_typed_by_hand_is_written_over(shelf: Shelf) -> None:
    product = shelf.product()
    promised = product.stock
    shelf.merchant(product, stock=promised + 50)
    assert shelf.look()["edited_by_hand"] == 1
    assert product.stock == promised
    assert shelf.look()["healed"] == 0
    assert (shelf.row(product).drift_class, shelf.row(product).drift_count) == ("", 1)


def test_a_write_that_was_lost_is_written_again(shelf: Shelf) -> None:
    product = shelf.product()
    shelf.merchant(product, deaf_to=1)
    recount(shelf, -2)
    shelf.once("promise")
    shelf.once("push", "shop-eu")
    promised = shelf.row(product).computed_qty
    assert shelf.row(product).confirmed_qty == promised < product.stock
    assert shelf.look()["our_write_lost"] == 1
    assert product.stock == promised


def test_a_sale_in_flight_is_waited_for(shelf: Shelf) -> None:
    """Sold, but not read yet: writing the promise over it would sell the goods twice."""
    product = shelf.product()
    promised = product.stock
    order = {"lines": {product.sku: 2}}
    shelf.door.post("/woo/orders", json=order).raise_for_status()
    assert shelf.once("pull-listings", "shop-eu").counts["sale_in_flight"] == 1
    assert shelf.once("push", "shop-eu").counts["stock_applied"] == 0
    assert product.stock == promised - 2
    assert shelf.look()["healed"] == 0, "the order was read: the promise itself fell"
    assert shelf.row(product).computed_qty == product.stock == promised - 2


def test_a_refused_write_is_parked_until_the_listing_is_mended(shelf: Shelf) -> None:
    product = shelf.product()
    recount(shelf, 4)
    shelf.merchant(product, managed=False)
    shelf.once("promise")
    assert shelf.once("push", "shop-eu").counts["stock_rejected"] == 1
    assert "Switch on stock management" in shelf.row(product).block_reason
    shelf.merchant(product, managed=True)
    with shelf.store.write() as conn:
        parked.retry(conn, shelf.hub.hub, shelf.hub.hub.links["shop-eu"])
    shelf.once("promise")
    shelf.once("push", "shop-eu")
    row = shelf.row(product)
    assert (row.block_reason, row.drift_class) == ("", "")
    assert row.confirmed_qty == product.stock


def test_a_number_that_the_channel_computes_itself_is_parked(shelf: Shelf) -> None:
    product = shelf.product()
    shelf.merchant(product, stock=product.stock + 9, deaf_to=-1)
    found = [shelf.look() for _ in range(5)]
    assert [counts["healed"] for counts in found] == [1, 1, 1, 0, 0]
    assert found[-1]["bundle"] == 1
    with shelf.store.read() as conn:
        [item] = [one for one in parked.listing(conn, shelf.hub.hub) if one.what == "listing"]
    assert (item.order, item.reason) == (product.sku, "bundle")


def test_a_sample_of_the_latest_writes_is_read_back_soon(shelf: Shelf) -> None:
    """A shop that forgets is found out within minutes, by a few calls and not by a whole pull."""
    product = shelf.product()
    shelf.merchant(product, deaf_to=1)
    recount(shelf, 5)
    shelf.once("promise")
    written = shelf.once("push", "shop-eu").counts["stock_applied"]
    assert shelf.once("read-back", "shop-eu").counts["read"] == 0, "the shop may still lag"
    shelf.clock.advance(180)
    before = shelf.calls()
    looked = [shelf.once("read-back", "shop-eu").counts["read"] for _ in range(5)]
    assert sum(looked) == written, looked
    assert 0 < max(looked) <= 20
    assert looked[-1] == 0, "each write is looked at once"
    assert (shelf.calls() - before).total() <= written
    assert shelf.row(product).drift_class == "sale_in_flight"
    assert shelf.look()["our_write_lost"] == 1
    assert product.stock == shelf.row(product).computed_qty


def test_a_marketplace_is_read_back_too(shelf: Shelf) -> None:
    sku = shelf.product().sku
    shelf.once("pull-listings", "amazon-eu")
    shelf.once("promise")
    shelf.once("push", "amazon-eu")
    shelf.clock.advance(600)
    shelf.once("push", "amazon-eu")
    promised = shelf.world.seller.listings[sku].quantity
    shelf.door.post(f"/amazon/listings/{sku}", json={"stock": promised + 40}).raise_for_status()
    shelf.clock.advance(180)
    found = [shelf.once("read-back", "amazon-eu").counts for _ in range(4)]
    assert sum(counts["edited_by_hand"] for counts in found) == 1
    shelf.once("push", "amazon-eu")
    assert shelf.world.seller.listings[sku].quantity == promised
