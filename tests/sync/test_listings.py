"""What a channel lists: matched, kept up to date, and told the promise again when it strays."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from state import tables as t
from sync import drain, listings
from sync.promise import publishing
from tests.sync.conftest import Bench
from tests.sync.promise.setting import orders_were_read, product


def pull(bench: Bench, *products: dict[str, Any]) -> Any:
    bench.shop.listings = list(products)
    return bench.run(listings.pull_listings, "shop")


def promised(bench: Bench) -> None:
    """Five of A in stock, promised and written."""
    bench.put("A", "berlin", 5)
    pull(bench, product(11, "A", 0))
    bench.run(publishing.publish)
    bench.run(drain.push, "shop")
    assert bench.shop.stock == {"11": 5}


def test_a_new_listing_is_matched_and_gets_its_promise(bench: Bench) -> None:
    promised(bench)
    with bench.store.read() as conn:
        row = conn.execute(select(t.channel_listing)).one()
    assert (row.match_state, row.sku_id) == ("matched", bench.skus["A"])


def test_fault_row_7_a_listing_that_a_page_names_twice_is_one_listing(bench: Bench) -> None:
    """Found by ``crossdock simulate --seed 12 --days 0.6 --orders-per-day 30``."""
    bench.put("A", "berlin", 5)
    for _ in range(2):
        pull(bench, product(11, "A", 0), product(11, "A", 0), product(12, "A", 0))
    with bench.store.read() as conn:
        known = conn.scalars(select(t.channel_listing.c.external_variant_id)).all()
    assert sorted(known) == ["11", "12"]


def test_a_listing_of_an_unknown_sku_is_counted_and_left_alone(bench: Bench) -> None:
    run = pull(bench, product(12, "WHAT-IS-THIS", 3))
    assert run.counts["unmatched"] == 1
    assert bench.run(publishing.publish).counts["writes"] == 0


def test_a_channel_that_offers_more_than_promised_is_told_again(bench: Bench) -> None:
    promised(bench)
    run = pull(bench, product(11, "A", 7))
    assert run.counts["healed"] == 1
    bench.shop.stock.clear()
    bench.run(drain.push, "shop")
    assert bench.shop.stock == {"11": 5}


def test_a_channel_that_offers_less_may_have_sold_and_is_left_alone(bench: Bench) -> None:
    promised(bench)
    orders_were_read(bench)
    bench.clock.advance(3600)
    assert pull(bench, product(11, "A", 4)).counts["healed"] == 0
    assert pull(bench, product(11, "A", 4)).counts["healed"] == 0, "no orders were read since"


def test_less_on_offer_that_no_order_explains_is_drift(bench: Bench) -> None:
    promised(bench)
    pull(bench, product(11, "A", 4))
    bench.clock.advance(3600)
    orders_were_read(bench)
    assert pull(bench, product(11, "A", 3)).counts["healed"] == 0, "another sale, perhaps"
    bench.clock.advance(3600)
    orders_were_read(bench)
    assert pull(bench, product(11, "A", 3)).counts["healed"] == 1
    bench.run(drain.push, "shop")
    assert bench.shop.stock == {"11": 5}
    bench.clock.advance(3600)
    orders_were_read(bench)
    assert pull(bench, product(11, "A", 3)).counts["healed"] == 0, "seen for the first time again"


def test_a_write_under_way_is_not_doubled(bench: Bench) -> None:
    promised(bench)
    bench.put("A", "berlin", 3)
    bench.run(publishing.publish)
    assert pull(bench, product(11, "A", 5)).counts["healed"] == 0
