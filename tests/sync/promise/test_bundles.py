"""Listings of bundles: as many as the scarcest component makes, and written when one moves."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from state import grounds
from state import tables as t
from sync import allocation, intake, invariants, listings
from sync.promise.rules import Rule
from tests.sync.bundles.setting import define
from tests.sync.conftest import Bench, woo_order
from tests.sync.promise.setting import product, promise, set_rules, written
from tests.sync.promise.test_account import told

NUMBERS = {"A": 11, "B": 12, "C": 13, "SET": 14}


def on_sale(bench: Bench, *skus: str) -> None:
    """A set of two A and a B, and these listings."""
    define(bench)
    bench.shop.listings = [product(NUMBERS[sku], sku, 0) for sku in skus]
    bench.run(listings.pull_listings, "shop")


def sale(bench: Bench, number: int, lines: dict[str, int], **given: Any) -> None:
    bench.shop.pages.append([woo_order(number, lines, **given)])
    bench.run(intake.pull_orders, "shop")


def test_a_bundle_is_promised_by_its_scarcest_component(bench: Bench) -> None:
    for sku, place, qty in (("A", "berlin", 5), ("B", "berlin", 9), ("A", "jersey", 9)):
        bench.put(sku, place, qty)
    on_sale(bench, "A", "SET")
    # Jersey has no B: nothing can be made of its A.
    assert written(bench) == {"11": 14, "14": 2}
    place = told(bench, "SET")["terms"]["locations"][0]
    assert place["limited_by"] == {"sku": "A", "available": 5, "each": 2}
    assert told(bench, "A")["terms"]["locations"][0]["limited_by"] is None
    bench.put("B", "berlin", 1)
    assert written(bench) == {"14": 1}, "a component moved"
    assert told(bench, "SET")["terms"]["locations"][0]["limited_by"]["sku"] == "B"
    bench.put("B", "jersey", 3)
    assert written(bench) == {"14": 4}


def test_a_bundle_with_a_component_that_was_never_counted_is_left_alone(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    on_sale(bench, "SET")
    assert written(bench) == {}


def test_rules_for_the_bundle_and_for_its_group_of_locations_count(bench: Bench) -> None:
    for sku in "AB":
        bench.put(sku, "berlin", 20)
    on_sale(bench, "SET")
    assert written(bench) == {"14": 10}
    set_rules(bench, Rule("half", share_percent=Decimal(50)), Rule("few", sku="SET", cap=4))
    assert written(bench) == {"14": 4}
    set_rules(bench, Rule("near", group="near", share_percent=Decimal(30)))
    with bench.store.write() as conn:
        grounds.set_group(conn, bench.places["berlin"], "near")
    assert written(bench) == {"14": 3}
    with bench.store.write() as conn:
        conn.execute(delete(t.dirty_sku))
    set_rules(bench, Rule("near", group="near", share_percent=Decimal(20)))
    assert written(bench) == {"14": 2}, "a bundle has no level, and is in the group all the same"


def test_no_oversell_across_a_bundle_and_its_components(bench: Bench) -> None:
    bench.put("A", "berlin", 5)
    bench.put("B", "berlin", 4)
    on_sale(bench, "A", "B", "SET")
    assert written(bench) == {"11": 5, "12": 4, "14": 2}
    sale(bench, 1, {"SET": 1})
    assert written(bench) == {"11": 3, "12": 3, "14": 1}, "before it is planned"
    bench.run(allocation.allocate)
    assert written(bench) == {}, "planning it changes nothing"
    sale(bench, 2, {"A": 2})
    assert written(bench) == {"11": 1, "14": 0}
    sale(bench, 1, {"SET": 1}, status="cancelled", date_modified_gmt="2026-11-02T07:30:00")
    assert written(bench) == {"11": 3, "12": 4, "14": 1}


@pytest.mark.parametrize("seed", range(3))
def test_whoever_buys_within_the_promise_is_served(bench: Bench, seed: int) -> None:
    """Bundles and their components sold in any mix, planned at once or later: none is short."""
    rng = Random(seed)
    on_sale(bench, "A", "B", "SET")
    for sku in "AB":
        for place in ("berlin", "jersey"):
            bench.put(sku, place, rng.randint(2, 9))
    offers = {"A": 0, "B": 0, "SET": 0}
    number = 0
    while True:
        by_number = written(bench)
        offers |= {sku: by_number[str(n)] for sku, n in NUMBERS.items() if str(n) in by_number}
        on_offer = [sku for sku, qty in offers.items() if qty]
        if not on_offer:
            break
        sku = rng.choice(on_offer)
        number += 1
        sale(bench, number, {sku: rng.randint(1, min(3, offers[sku]))})
        if rng.random() < 0.4:
            bench.run(allocation.allocate)
    bench.run(allocation.allocate)
    line = t.order_line.c
    with bench.store.read() as conn:
        short = conn.scalar(
            select(func.count()).where(line.qty_allocated + line.qty_released < line.qty_ordered)
        )
        assert short == 0
        assert invariants.check(conn) == []
    assert number > 3


def test_sales_of_bundles_count_for_the_rates_of_their_components(bench: Bench) -> None:
    for sku in "AB":
        bench.put(sku, "berlin", 50)
    on_sale(bench, "A", "SET")
    now = bench.clock.now()
    sale(bench, 1, {"SET": 3, "A": 1})
    ids = [bench.skus[sku] for sku in ("A", "B", "SET")]
    with bench.store.read() as conn:
        sold = grounds.sold(conn, ids, now + timedelta(hours=1), timedelta(days=1))
    assert [sold[one] for one in ids] == [7, 3, 4], (
        "four sets have as many A as were sold, and more"
    )


def test_a_sale_has_the_rate_of_all_that_shares_its_goods_looked_at(bench: Bench) -> None:
    for sku in "AB":
        bench.put(sku, "berlin", 50)
    on_sale(bench, "A", "B", "SET")
    set_rules(bench, Rule("risk", in_flight_risk=True))
    sale(bench, 1, {"SET": 1})
    promise(bench)
    with bench.store.write() as conn:
        link = bench.hub.links["shop"].id
        grounds.mark_dirty_within(conn, [(link, {"sold_since": "2026-11-01"})])
        assert set(grounds.dirty(conn, 0, 99)) == {bench.skus[sku] for sku in ("A", "B", "SET")}
