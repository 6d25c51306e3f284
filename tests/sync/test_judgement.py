"""What is said of an order that cannot go on: what is wrong, once, and nothing that is not."""

from __future__ import annotations

from sqlalchemy import select

from connectors.errors import ConfigProblem
from state import orders, streams
from state import tables as t
from state.store import Store
from sync import intake, invariants, listings, outcomes, parked
from tests.sync.conftest import Bench, woo_order


def held(store: Store) -> list[str]:
    with store.read() as conn:
        open_ones = t.hold.c.released_at.is_(None)
        return list(conn.scalars(select(t.hold.c.kind).where(open_ones)))


def test_an_order_without_lines_is_not_also_blamed_for_its_total(bench: Bench) -> None:
    bench.shop.pages = [[woo_order(1, {}, total="49.00")]]
    bench.run(intake.pull_orders, "shop")
    assert held(bench.store) == ["no_lines"]


def test_a_line_changed_to_less_than_nothing_before_release_is_parked_alone(bench: Bench) -> None:
    first = woo_order(1, {"A": 2, "B": 1})
    later = woo_order(1, {"A": -2, "B": 1}, total=first["total"])
    later |= {"date_modified_gmt": "2026-11-02T07:30:00"}
    later["line_items"][0]["total"] = first["line_items"][0]["total"]
    bench.shop.pages = [[first], [later]]
    bench.run(intake.pull_orders, "shop")
    assert held(bench.store) == []
    with bench.store.read() as conn:
        lines = orders.lines(conn, [1])[1]
        assert invariants.check(conn) == []
    assert [(line.qty_ordered, line.park_reason) for line in lines] == [(-2, "bad_qty"), (1, None)]


def test_a_connection_that_needs_mending_is_listed_with_its_remedy(bench: Bench) -> None:
    verdict = outcomes.classify(ConfigProblem("shop: the key is refused"))
    assert verdict.kind == "park_connection"
    with bench.store.write() as conn:
        streams.park_connection(conn, bench.hub.links["shop"].id, verdict.message)
        [item] = parked.listing(conn, bench.hub)
        assert parked.listing(conn, bench.hub, "bob") == []
    assert (item.what, item.connection, item.detail) == ("connection", "shop", verdict.message)
    assert "crossdock check shop" in item.remedy


def test_a_listing_that_maps_again_is_not_listed_as_parked_any_more(bench: Bench) -> None:
    right = {"id": 11, "name": "Thing A", "type": "simple", "status": "publish", "sku": "A"}
    right |= {"manage_stock": True, "stock_quantity": 3}
    for status, waiting in (("no such status", 1), ("publish", 0)):
        bench.shop.listings = [right | {"status": status}]
        bench.run(listings.pull_listings, "shop")
        with bench.store.read() as conn:
            assert len(parked.listing(conn, bench.hub)) == waiting
