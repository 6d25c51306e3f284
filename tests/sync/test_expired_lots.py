"""Lots that expire while nobody looks: no order waits for goods that cannot be sold any more."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from state import stock
from state import tables as t
from sync import allocation, intake
from tests.sync.conftest import Bench, woo_order


@pytest.fixture
def perishable(bench: Bench) -> Bench:
    """Four of A at berlin that must not be sold from tomorrow on."""
    put_lot(bench, "berlin", "OLD", bench.clock.now().date() + timedelta(days=1))
    return bench


def put_lot(bench: Bench, place: str, code: str, expires_on: date) -> None:
    sku_id, now = bench.skus["A"], bench.clock.now()
    with bench.store.write() as conn:
        if not conn.scalar(select(t.sku.c.lot_tracked).where(t.sku.c.id == sku_id)):
            stock.track_lots(conn, sku_id)
        stock.receive(
            conn,
            sku_id=sku_id,
            location_id=bench.places[place],
            qty=Decimal(4),
            cause=stock.Cause("receipt", ("", None), f"DN:{code}", now),
            lot_id=stock.ensure_lot(conn, sku_id, code, expires_on),
        )


def works(bench: Bench) -> list[int]:
    with bench.store.read() as conn:
        return list(conn.scalars(select(t.fulfilment_order.c.location_id)))


def test_an_expired_lot_is_kept_back_and_its_promise_computed_anew(perishable: Bench) -> None:
    run = perishable.run(allocation.allocate)
    assert (run.counts["units_withheld"], run.wanted) == (0, [])
    perishable.clock.advance(86_400)
    run = perishable.run(allocation.allocate)
    assert (run.counts["units_withheld"], run.wanted) == (4, ["promise"])
    with perishable.store.read() as conn:
        [level] = stock.levels(conn, [perishable.skus["A"]])
        assert (level.available, level.quality_hold) == (0, 4)
        assert conn.scalar(select(t.lot_level.c.quality_hold)) == 4
    assert perishable.run(allocation.allocate).counts["units_withheld"] == 0


def test_an_expired_lot_does_not_keep_an_order_from_goods_elsewhere(perishable: Bench) -> None:
    """Berlin is nearer, and looks as if it had enough: every attempt to reserve there failed."""
    put_lot(perishable, "jersey", "NEW", date(2028, 1, 1))
    perishable.clock.advance(86_400)
    perishable.shop.pages = [[woo_order(1, {"A": 2})]]
    perishable.run(intake.pull_orders, "shop")
    run = perishable.run(allocation.allocate)
    assert run.counts["planned"] == 1
    assert works(perishable) == [perishable.places["jersey"]]


def test_an_order_for_what_has_expired_waits_and_is_told_of(perishable: Bench) -> None:
    perishable.clock.advance(86_400)
    perishable.shop.pages = [[woo_order(1, {"A": 2})]]
    perishable.run(intake.pull_orders, "shop")
    perishable.run(allocation.allocate)
    assert works(perishable) == []
    with perishable.store.read() as conn:
        decided = conn.execute(select(t.routing_decision)).all()
    assert len(decided) == 1
