"""Counts from outside beside shipments from outside: told late, with and without a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, insert, select, update

from mappings import canonical as c
from state import tables as t
from sync import allocation, counts, drain, intake, shipping
from tests.sync.conftest import Bench, woo_order
from tests.sync.test_shipments import reported

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def outside(bench: Bench) -> Bench:
    """Five of B at jersey, which bob counts, and an order for two of them that bob has taken."""
    with bench.store.write() as conn:
        conn.execute(
            update(t.location).where(t.location.c.code == "jersey").values(authority="external")
        )
    take(bench, c.StockCount(sku="B", on_hand=Decimal(5), observed_at=bench.clock.now()))
    bench.shop.pages = [[woo_order(1, {"B": 2})]]
    bench.run(intake.pull_orders, "shop")
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    return bench


def take(bench: Bench, *found: c.StockCount, began: datetime | None = None) -> tuple[int, int]:
    """(levels changed, counts whose SKU or location we do not know)"""
    bob, now = bench.hub.links["bob"].id, bench.clock.now()
    with bench.store.write() as conn:
        counted, unmapped = counts.sorted_out(conn, bob, found, now, began)
        return sum(counts.take(conn, *one, now) for one in counted.items()), unmapped


def level(bench: Bench) -> tuple[int, int]:
    row = t.inventory_level
    query = select(row.c.on_hand, row.c.reserved).where(row.c.sku_id == bench.skus["B"])
    with bench.store.read() as conn:
        on_hand, reserved = conn.execute(query).one()
    return int(on_hand), int(reserved)


def tell_shipment(bench: Bench, shipped_at: str) -> None:
    [reference] = bench.warehouse.taken
    told = reported(str(reference), "s1", "1Z1", "B", "2")
    told["shipment"]["shipped_at"] = shipped_at
    bench.warehouse.shipments = [told]
    bench.run(shipping.pull_shipments, "bob")


def test_a_shipment_that_the_count_knew_is_not_subtracted_again(outside: Bench) -> None:
    outside.clock.advance(7200)
    take(outside, c.StockCount(sku="B", on_hand=Decimal(3), observed_at=outside.clock.now()))
    assert level(outside) == (3, 2)
    tell_shipment(outside, "2026-11-02T08:45:30Z")
    assert level(outside) == (3, 0)


def test_a_shipment_after_the_count_is_not_brought_back_by_it(outside: Bench) -> None:
    counted_at = outside.clock.advance(600)
    outside.clock.advance(6600)
    tell_shipment(outside, "2026-11-02T08:45:30Z")
    assert level(outside) == (3, 0)
    take(outside, c.StockCount(sku="B", on_hand=Decimal(5), observed_at=counted_at))
    assert level(outside) == (3, 0)


def test_a_count_without_a_time_is_taken_for_as_old_as_it_can_be(outside: Bench) -> None:
    began = outside.clock.advance(2700)
    outside.clock.advance(60)
    tell_shipment(outside, "2026-11-02T08:44:10Z")
    # Bob shipped a minute before we asked: his answer may or may not have had it.
    take(outside, c.StockCount(sku="B", on_hand=Decimal(3)), began=began)
    assert level(outside) == (1, 0)
    outside.clock.advance(900)
    take(outside, c.StockCount(sku="B", on_hand=Decimal(3)), began=outside.clock.now())
    assert level(outside) == (3, 0)


@pytest.mark.parametrize(
    ("told", "means"),
    [
        (None, None),
        (NOON, None),
        (NOON.replace(minute=30), None),
        (NOON.replace(minute=5), NOON.replace(minute=6)),
        (NOON.replace(second=5), NOON.replace(second=6)),
        (NOON.replace(microsecond=5), NOON.replace(microsecond=5)),
        (NOON + timedelta(days=2, seconds=1), None),
    ],
    ids=[
        "untold",
        "a full hour or day",
        "midnight in India",
        "to the minute",
        "to the second",
        "exact",
        "from ahead",
    ],
)
def test_a_shipping_time_is_taken_for_as_late_as_it_can_be(told: Any, means: Any) -> None:
    assert counts.left_at(told, NOON) == means


def test_a_count_from_far_ahead_does_not_keep_the_next_one_out(outside: Bench) -> None:
    ahead = outside.clock.now() + timedelta(days=400)
    take(outside, c.StockCount(sku="B", on_hand=Decimal(9), observed_at=ahead))
    outside.clock.advance(600)
    take(outside, c.StockCount(sku="B", on_hand=Decimal(4), observed_at=outside.clock.now()))
    assert level(outside) == (4, 2)


def test_a_file_s_counts_from_before_a_shipment_do_not_bring_its_goods_back(outside: Bench) -> None:
    """Counted at half past eight, shipped at nine, written to the drop folder at ten."""
    outside.clock.advance(7260)
    tell_shipment(outside, "2026-11-02T09:00:30Z")
    assert level(outside) == (3, 0)
    counted_from = outside.clock.now() - timedelta(seconds=86_400)
    take(outside, c.StockCount(sku="B", on_hand=Decimal(5), observed_at=counted_from))
    assert level(outside) == (3, 0)


def test_the_statements_for_counts_are_as_many_for_a_thousand_as_for_one(outside: Bench) -> None:
    with outside.store.write() as conn:
        conn.execute(
            insert(t.sku), [{"code": f"S{n}", "active": True} for n in range(counts.BATCH)]
        )
    told: list[str] = []
    event.listen(outside.store.engine, "before_cursor_execute", lambda *g: told.append(g[2]))

    def statements(skus: int) -> int:
        told.clear()
        now = outside.clock.advance(600)
        found = (
            c.StockCount(sku=f"S{n}", on_hand=Decimal(n + skus), observed_at=now)
            for n in range(skus)
        )
        assert take(outside, *found) == (skus, 0)
        return len(told)

    assert statements(counts.BATCH) <= statements(1) + 3


def test_piles_of_one_sku_under_two_names_are_added_and_a_repeat_is_not(outside: Bench) -> None:
    with outside.store.write() as conn:
        conn.execute(
            t.sku_alias.insert().values(
                sku_id=outside.skus["B"], scheme="three_pl", value="B-OLD", qty_per=1
            )
        )
    outside.clock.advance(600)
    now = outside.clock.now()
    found = [
        c.StockCount(sku="B", on_hand=Decimal(4), observed_at=now),
        c.StockCount(sku="B-OLD", on_hand=Decimal(3), observed_at=now),
        c.StockCount(sku="B", on_hand=Decimal(4), observed_at=now),
        c.StockCount(sku="UNKNOWN", on_hand=Decimal(1)),
    ]
    assert take(outside, *found) == (1, 1)
    assert level(outside) == (7, 2)
