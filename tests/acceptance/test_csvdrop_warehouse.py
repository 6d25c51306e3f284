"""A warehouse that knows nothing but files takes part: work out, shipments and counts in."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sandbox import installation, truth
from state.store import Store
from tests.acceptance import oracle, trading
from tests.acceptance.trading import Trade

DEPOT = """[connections.depot]
connector = "csvdrop"
folder = "depot"
settle_s = 30
location_code = "depot"
timezone = "Europe/Berlin"

[locations.depot]
kind = "warehouse"
connection = "depot"
authority = "external"
city = "Bonn"
postcode = "53111"
country = "DE"
"""
ON_HAND = 40
TRACKING = "_wc_shipment_tracking_items"

Row = dict[str, str]


class Depot:
    """The people of the warehouse, and the folder they share with us."""

    def __init__(self, folder: Path, trade: Trade) -> None:
        self.folder = folder
        self.trade = trade

    def drop(
        self, stream: str, name: str, rows: list[dict[str, Any]], *, whole: bool = True
    ) -> Path:
        """Put a file into our inbox; an unfinished upload has no line end yet."""
        path = self.folder / "in" / stream / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        if not whole:
            path.write_bytes(path.read_bytes()[:-3])
        return path

    def work(self) -> list[Row]:
        """Every row of every file that was handed to the warehouse."""
        found: list[Row] = []
        for path in sorted((self.folder / "out" / "fulfilment-orders").glob("*.csv")):
            with path.open(encoding="utf-8-sig", newline="") as file:
                found += csv.DictReader(file)
        return found

    def files(self, *parts: str) -> list[str]:
        return sorted(path.name for path in self.folder.joinpath(*parts).glob("*.csv"))


@pytest.fixture
def depot(tmp_path: Path, store: Store) -> Iterator[Depot]:
    """Both channels are served from the depot alone; their day of trade is over."""
    sandbox = trading.sandbox_of(8, seed=7)
    installation.write(tmp_path, trading.BASE_URL, sandbox.world)
    channels = tmp_path / "connections.d" / "channels.toml"
    text = channels.read_text(encoding="utf-8")
    assert text.count('locations = ["berlin", "bob"]') == 2
    channels.write_text(text.replace('["berlin", "bob"]', '["depot"]'), encoding="utf-8")
    (tmp_path / "connections.d" / "depot.toml").write_text(DEPOT, encoding="utf-8")
    (tmp_path / "depot").mkdir()
    with capture_logs():
        trade = trading.put_together(tmp_path, store, sandbox)
        trade.hub.hub.links["depot"].connector.check()
        yield Depot(tmp_path / "depot", trade)
        trade.hub.close()


def count_everything(depot: Depot) -> None:
    """The warehouse's opening count, and what comes of it on both channels."""
    world = depot.trade.world
    codes = [str(sku["code"]) for sku in world.catalogue()]
    depot.drop("stock", "opening.csv", [{"sku": code, "on_hand": ON_HAND} for code in codes])
    depot.trade.once("pull-stock", "depot")
    # Seen for the first time: it is taken when it has not changed for half a minute.
    depot.trade.clock.advance(60)
    run = depot.trade.once("pull-stock", "depot")
    assert (run.counts["changed"], run.counts["unmapped"]) == (len(codes), 0)
    for channel in ("shop-eu", "amazon-eu"):
        depot.trade.once("pull-listings", channel)
    depot.trade.once("promise")
    for channel in ("shop-eu", "amazon-eu"):
        depot.trade.once("push", channel)
    offered = truth.stock(world)
    assert {offered[name]["quantity"]["MUG-RED"] for name in ("woocommerce", "amazon")} == {ON_HAND}


def hand_over(depot: Depot) -> None:
    """The day goes by; what it brought is released to the warehouse."""
    trade = depot.trade
    trade.clock.advance((trade.world.day_ends - trade.clock.now()).total_seconds() + 600)
    for channel in ("shop-eu", "amazon-eu"):
        trade.once("pull-orders", channel)
    trade.once("allocate")
    trade.clock.advance(timedelta(minutes=11).total_seconds())
    trade.once("allocate")
    trade.once("push", "depot")


def shipments(work: list[Row]) -> list[dict[str, Any]]:
    """What the warehouse writes when all of it has left: one parcel per reference."""
    numbers = {name: n for n, name in enumerate(sorted({row["reference"] for row in work}), 1)}
    return [
        {
            "reference": row["reference"],
            "shipment_id": f"S{numbers[row['reference']]}",
            "sku": row["sku"],
            "quantity": row["quantity"],
            "carrier": "DHL",
            "tracking_number": f"JD{numbers[row['reference']]:08}",
        }
        for row in work
    ]


def test_a_warehouse_without_an_api_ships_a_day_of_orders(depot: Depot) -> None:
    trade = depot.trade
    count_everything(depot)
    hand_over(depot)
    work = depot.work()
    assert all(row["ship_to_street"] and row["ship_to_country"] for row in work)
    asked = Counter(row["reference"] for row in work)
    assert len(asked) >= 6

    parcels = shipments(work)
    started = depot.drop("shipments", "monday.csv.part", parcels[:1], whole=False)
    depot.drop("shipments", "monday.csv", parcels)
    trade.once("pull-shipments", "depot")
    trade.clock.advance(60)
    run = trade.once("pull-shipments", "depot")
    assert run.counts["shipped"] == len(asked)
    assert started.exists(), "an unfinished upload is left to its writer"
    for channel in ("shop-eu", "amazon-eu"):
        trade.once("push", channel)
    assert_the_channels_know(trade, parcels)
    assert oracle.violations(trade.store) == []

    before = trading.contents(trade.store)
    # The same file once more, under another name: it is archived, and nothing else happens.
    depot.drop("shipments", "monday again.csv", parcels)
    trade.clock.advance(60)
    assert trade.once("pull-shipments", "depot").counts["shipped"] == 0
    trade.clock.advance(60)
    assert trade.once("pull-shipments", "depot").counts["shipped"] == 0
    assert trading.contents(trade.store) == before
    assert depot.files("in", "shipments") == []
    assert len(depot.files("archive", "shipments")) == 2
    trade.once("push", "depot")
    assert depot.work() == work


def assert_the_channels_know(trade: Trade, parcels: list[dict[str, Any]]) -> None:
    """Each order that was handed over is shipped at its channel, with the warehouse's numbers."""
    numbers = {row["tracking_number"] for row in parcels}
    told: set[str] = set()
    for order in truth.woo_orders(trade.world):
        told |= {item["tracking_number"] for item in order["meta"].get(TRACKING, [])}
        if oracle.ought_to_ship(order):
            assert order["status"] == "completed"
    for seller_order in trade.world.seller.orders.values():
        told |= {package.tracking for package in seller_order.packages.values()}
    for order in truth.amazon_orders(trade.world):
        if oracle.ought_to_ship(order):
            assert (order["status"], order["shipped"]) == ("SHIPPED", order["lines"])
    assert numbers <= told
    assert truth.labels(trade.world) == {}
    assert truth.shipbob_orders(trade.world) == {}


def test_a_count_of_the_warehouse_changes_what_the_channels_offer(depot: Depot) -> None:
    count_everything(depot)
    trade = depot.trade
    depot.drop("stock", "recount.csv", [{"sku": "MUG-RED", "on_hand": 3}])
    for _ in range(2):
        trade.clock.advance(60)
        trade.once("pull-stock", "depot")
    trade.once("promise")
    for channel in ("shop-eu", "amazon-eu"):
        trade.once("push", channel)
    offered = truth.stock(trade.world)
    for name in ("woocommerce", "amazon"):
        assert offered[name]["quantity"]["MUG-RED"] == 3
        # Whom the file does not name keeps its count.
        assert offered[name]["quantity"]["MUG-BLUE"] == ON_HAND
    assert oracle.violations(trade.store) == []
