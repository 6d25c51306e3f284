"""Orders that compete for scarce goods are taken together, by a stated order of precedence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from state import orders
from state import tables as t
from sync import allocation
from sync.routing import together, trace
from sync.routing.rules import When
from tests.sync.conftest import Bench, woo_order
from tests.sync.routing.scenes import rule
from tests.sync.routing.test_planning import decisions, said, take, use, work

# What differs between the databases is in test_planning and test_storm.
pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def placed(minute: int) -> dict[str, Any]:
    return {"date_created_gmt": f"2026-11-02T06:{minute:02}:00"}


def served(bench: Bench) -> list[int]:
    """The numbers of the orders that got anything."""
    with bench.store.read() as conn:
        found = conn.execute(t.sales_order.select().order_by(t.sales_order.c.id))
        return [int(row.channel_order_id) for row in found if work(bench, row.id)]


def queue(bench: Bench) -> list[tuple[int, bool]]:
    """(order id, does it share scarce goods) in the order of planning."""
    with bench.store.read() as conn:
        found = together.queue(conn, bench.hub, orders.awaiting_allocation(conn))
    return [(turn.order_id, turn.allotment is not None) for turn in found]


def test_who_ordered_first_is_served_first(bench: Bench) -> None:
    bench.put("A", "berlin", 2)
    take(bench, *(woo_order(n, {"A": 1}, **placed(10 - n)) for n in (1, 2, 3)))
    bench.run(allocation.allocate)
    assert served(bench) == [2, 3]


def test_priority_comes_before_the_promised_date_and_that_before_the_moment(bench: Bench) -> None:
    use(bench, rule("express", When(service=("express*",)), priority=5))
    express = {"shipping_lines": [{"id": 9, "method_title": "Express", "total": "5.00",
                                   "total_tax": "0.00"}]}  # fmt: skip
    take(
        bench,
        woo_order(1, {"A": 1}, **placed(1)),
        woo_order(2, {"A": 1}, **placed(2)),
        woo_order(3, {"A": 1}, **placed(3), **express),
        woo_order(4, {"A": 1}, **placed(4)),
    )
    with bench.store.write() as conn:
        due = bench.clock.now() + timedelta(days=1)
        conn.execute(update(t.sales_order).where(t.sales_order.c.id == 2).values(deliver_by_at=due))
    bench.put("A", "berlin", 2)
    assert queue(bench) == [(3, True), (2, True), (1, True), (4, True)]
    bench.run(allocation.allocate)
    assert served(bench) == [2, 3]


def test_orders_that_want_nothing_scarce_are_planned_alone_and_after(bench: Bench) -> None:
    bench.put("A", "berlin", 1)
    bench.put("B", "berlin", 9)
    take(bench, *(woo_order(n, {sku: 1}, **placed(n)) for n, sku in ((1, "B"), (2, "A"), (3, "A"))))
    assert queue(bench) == [(2, True), (3, True), (1, False)]
    bench.put("A", "berlin", 2)
    assert queue(bench) == [(1, False), (2, False), (3, False)]


def test_a_shared_decision_can_be_made_again(bench: Bench) -> None:
    bench.put("A", "berlin", 1)
    bench.put("B", "jersey", 9)
    take(bench, woo_order(1, {"A": 1, "B": 1}, **placed(9)), woo_order(2, {"A": 1}, **placed(1)))
    bench.run(allocation.allocate)
    assert (work(bench, 1), work(bench, 2)) == ([("jersey", "open")], [("berlin", "open")])
    with bench.store.read() as conn:
        for row in (*decisions(bench, 1), *decisions(bench, 2)):
            assert trace.recompute(conn, row).stored() == trace.stored(row).stored()
    assert "not shipped yet: 1 x A, since no location that may serve it has A" in said(bench)[0]


def test_nothing_scarce_is_left_over_while_somebody_waits(bench: Bench) -> None:
    bench.put("A", "berlin", 3)
    bench.put("A", "jersey", 2)
    take(bench, *(woo_order(n, {"A": 2}, **placed(n)) for n in (1, 2, 3)))
    bench.run(allocation.allocate)
    with bench.store.read() as conn:
        lines = orders.lines(conn, [1, 2, 3])
    assert sum(line.qty_released for one in lines.values() for line in one) == 5
    assert [int(lines[n][0].qty_released) for n in (1, 2)] == [2, 2]
