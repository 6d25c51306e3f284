"""A backlog costs nothing while nothing changes, and nobody waits longer for it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from state import grounds, orders
from state import tables as t
from sync import allocation, planning
from sync.routing import together
from sync.routing.rules import When
from tests.sync.conftest import Bench, JobRun, woo_order
from tests.sync.routing.scenes import rule
from tests.sync.routing.test_planning import describe, holds, take, use, work
from tests.sync.routing.test_rerouting import edited

pytestmark = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def looked_at(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which orders the next ``allocate`` decides."""
    found: list[int] = []
    plan, pay = planning.plan_order, planning.payment_came

    def plan_order(conn: Any, hub: Any, order_id: int, *given: Any) -> int:
        found.append(order_id)
        return plan(conn, hub, order_id, *given)

    def payment_came(conn: Any, hub: Any, order_id: int, *given: Any) -> bool:
        found.append(order_id)
        return pay(conn, hub, order_id, *given)

    with monkeypatch.context() as patch:
        patch.setattr(planning, "plan_order", plan_order)
        patch.setattr(planning, "payment_came", payment_came)
        bench.run(allocation.allocate)
    return found


def backlog(bench: Bench, count: int = 8) -> None:
    """Orders that ship whole, have plenty of A, and wait for B; with a first look behind them."""
    use(bench, rule("whole", ship_complete=True))
    bench.put("A", "jersey", 1000)
    take(bench, *(woo_order(number, {"A": 1, "B": 2}) for number in range(1, count + 1)))
    bench.run(allocation.allocate)


def test_a_backlog_is_left_alone_until_what_it_waits_for_comes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(bench)
    assert looked_at(bench, monkeypatch) == []
    bench.put("A", "jersey", 1)
    bench.put("C", "jersey", 5)
    assert looked_at(bench, monkeypatch) == [], "of these it waits for nothing"
    bench.put("A", "jersey", 100)
    bench.put("B", "jersey", 2)
    assert len(looked_at(bench, monkeypatch)) == 8, "they compete for it"
    assert sum(bool(work(bench, number)) for number in range(1, 9)) == 1
    # The others see once that it is gone, and then no more.
    assert len(looked_at(bench, monkeypatch)) == 7
    assert looked_at(bench, monkeypatch) == []


def test_every_order_is_looked_at_once_an_hour(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog(bench)
    found = []
    for _ in range(60):
        bench.clock.advance(60)
        found += looked_at(bench, monkeypatch)
    assert sorted(found) == list(range(1, 9))


@pytest.mark.parametrize(
    "change",
    ["edit", "rules", "settings", "locations", "unparked", "rival", "released", "hazmat", "tags"],
)
def test_whatever_may_help_an_order_brings_it_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    use(bench, rule("not here", avoid=("berlin",)))
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 1, "UNKNOWN": 1}))
    bench.run(allocation.allocate)
    assert looked_at(bench, monkeypatch) == []
    if change == "edit":
        edited(bench, {"A": 2, "UNKNOWN": 1})
    elif change == "rules":
        use(bench, rule("here"))
    elif change == "settings":
        describe(bench, "berlin", ships=False)
    elif change == "locations":
        with bench.store.write() as conn:
            conn.execute(update(t.channel_location).values(rank=7))
    elif change == "unparked":
        with bench.store.write() as conn:
            line = t.order_line.c
            known = {"sku_id": bench.skus["C"], "park_reason": None}
            conn.execute(update(t.order_line).where(line.channel_sku == "UNKNOWN").values(known))
    elif change == "rival":
        take(bench, woo_order(2, {"A": 9}))
    elif change == "hazmat":
        with bench.store.write() as conn:
            conn.execute(update(t.sku).where(t.sku.c.code == "A").values(hazmat=True))
    elif change == "tags":
        with bench.store.write() as conn:
            grounds.set_tags(conn, {bench.skus["A"]: ["summer"]})
    else:
        bench.put("A", "jersey", 1)
    assert 1 in looked_at(bench, monkeypatch)


def test_a_pre_order_is_looked_at_on_its_day(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    use(bench, rule("launch", not_before=date(2026, 11, 3)))
    bench.put("A", "berlin", 5)
    take(bench, woo_order(1, {"A": 1}))
    bench.run(allocation.allocate)
    assert looked_at(bench, monkeypatch) == []
    bench.clock.advance(16 * 3600)
    bench.run(allocation.allocate)
    assert work(bench) == [("berlin", "open")]


def test_unpaid_orders_are_left_alone_until_a_payment_comes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put("A", "berlin", 50)
    use(bench, rule("paid first", payment="captured"))
    take(bench, *(woo_order(number, {"A": 1}, date_paid_gmt=None) for number in range(1, 6)))
    with bench.store.write() as conn:
        conn.execute(update(t.payment).values(state="authorised", amount_captured=0))
    for _ in range(2):
        bench.run(allocation.allocate)
    assert list(holds(bench)) == ["payment"]
    assert looked_at(bench, monkeypatch) == []
    with bench.store.write() as conn:
        conn.execute(update(t.payment).where(t.payment.c.order_id == 3).values(state="captured"))
    assert looked_at(bench, monkeypatch) == [3, 3], "paid, and then planned"
    assert work(bench, 3) == [("berlin", "open")]


@pytest.mark.parametrize("work_left", ["orders", "payments"])
def test_a_job_that_is_to_stop_stops_after_the_order_at_hand(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, work_left: str
) -> None:
    if work_left == "payments":
        use(bench, rule("paid first", payment="captured"))
    bench.put("A", "berlin", 50)
    take(bench, *(woo_order(number, {"A": 1}) for number in range(1, 6)))
    with bench.store.write() as conn:
        conn.execute(update(t.payment).values(state="authorised", amount_captured=0))
    if work_left == "payments":
        bench.run(allocation.allocate)
        with bench.store.write() as conn:
            conn.execute(update(t.payment).values(state="captured"))
    run = JobRun(bench.store, stopping=True)
    allocation.allocate(bench.hub, run)
    assert run.counts["planned"] + run.counts["paid"] <= 1


def test_stock_that_no_waiting_order_can_have_does_not_hide_that_it_is_scarce(
    bench: Bench,
) -> None:
    with bench.store.write() as conn:
        query = insert(t.location).values(
            code="fba", kind="three_pl", authority="hub", active=True, country="DE"
        )
        bench.places["fba"] = conn.execute(query).inserted_primary_key[0]  # type: ignore[index]
    bench.put("B", "jersey", 1)
    bench.put("B", "fba", 50)
    use(bench, rule("express", When(service=("express*",)), priority=5))
    express = {"shipping_lines": [{"id": 9, "method_title": "Express", "total": "5.00",
                                   "total_tax": "0.00"}]}  # fmt: skip
    take(bench, woo_order(1, {"B": 1}), woo_order(2, {"B": 1}, **express))
    with bench.store.read() as conn:
        queue = together.queue(conn, bench.hub, orders.awaiting_allocation(conn))
    assert [turn.allotment is not None for turn in queue] == [True, True]
    bench.run(allocation.allocate)
    assert (work(bench, 1), work(bench, 2)) == ([], [("jersey", "open")])


def test_goods_that_come_and_go_do_not_fill_the_store_with_decisions(bench: Bench) -> None:
    use(bench, rule("whole", ship_complete=True))
    take(bench, woo_order(1, {"A": 50}))
    for units in range(1, 30):
        bench.clock.advance(60)
        bench.put("A", "jersey", units)
        bench.run(allocation.allocate)
    with bench.store.read() as conn:
        kept = conn.execute(select(func.count()).select_from(t.routing_decision)).scalar_one()
    assert kept <= 2
