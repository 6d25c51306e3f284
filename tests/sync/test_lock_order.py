"""Whoever changes work of orders takes its locks in one order, so that nobody waits in a circle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text

from state import fulfilment, orders, promises, stock
from state.store import Store
from sync import allocation, drain, invariants, planning
from tests.sync.conftest import Bench, woo_order
from tests.sync.promise.setting import listed, promise, row_of
from tests.sync.routing.scenes import rule
from tests.sync.routing.test_planning import take, use, work
from tests.sync.routing.test_rerouting import edited, jersey_first, report

pytestmark = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


def locks_of(store: Store, act: Callable[[], Any]) -> list[str]:
    """In which order the tables' rows are locked or changed."""
    taken: list[str] = []

    def keep(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        words = statement.split()
        if words[0] == "UPDATE":
            taken.append(words[1])
        elif "FOR UPDATE" in statement:
            taken.append(words[words.index("FROM") + 1].strip(","))

    event.listen(store.engine, "before_cursor_execute", keep)
    try:
        act()
    finally:
        event.remove(store.engine, "before_cursor_execute", keep)
    return [name for name in taken if name in ("sales_order", "inventory_level")]


@pytest.mark.parametrize("what", ["stopped", "shipped", "cancelled", "refused"])
def test_the_order_is_locked_before_its_goods(bench: Bench, what: str) -> None:
    jersey_first(bench)
    if what == "refused":
        bench.warehouse.answers = [{"status": "rejected", "message": "no"}]
        taken = locks_of(bench.store, lambda: bench.run(drain.push, "bob"))
    else:
        if what != "cancelled":
            bench.run(drain.push, "bob")
        with bench.store.read() as conn:
            [work_] = fulfilment.of_order(conn, 1)
        act: dict[str, Callable[[], Any]] = {
            "stopped": lambda: report(bench, work_.reference, "c", "cancelled"),
            "shipped": lambda: report(bench, work_.reference, "s", "shipped", 2),
            "cancelled": lambda: edited(bench, {"A": 2}, status="cancelled"),
        }
        taken = locks_of(bench.store, act[what])
    assert taken[:2] == ["sales_order", "inventory_level"]
    assert work(bench) != []


def test_a_channel_to_be_told_anew_and_its_promises_never_wait_in_a_circle(bench: Bench) -> None:
    """One comes from the promise to the mark; the job must not come from the mark to it."""
    bench.put("A", "berlin", 5)
    listed(bench, A=1)
    promise(bench)
    bench.put("A", "berlin", 3)
    failures: list[BaseException] = []

    def compute() -> None:
        try:
            promise(bench)
        except BaseException as error:  # noqa: BLE001 - a thread's failure is told below
            failures.append(error)

    job = threading.Thread(target=compute)
    with bench.store.write() as conn:
        astray = promises.mark_astray(
            conn, bench.hub.links["shop"].id, [bench.skus["A"]], bench.clock.now()
        )
        stock.mark_dirty(conn, astray)
        job.start()
        while job.is_alive() and not _somebody_waits(bench.store):
            job.join(0.05)
    job.join()
    assert failures == []
    assert row_of(bench, "A").computed_qty == 3


def _somebody_waits(store: Store) -> bool:
    with store.read() as conn:
        return bool(conn.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))


def test_locations_that_give_up_and_orders_that_are_planned_never_wait_in_a_circle(
    bench: Bench,
) -> None:
    use(bench, rule("prefer", surcharge={"berlin": 20_000}))
    for sku in "ABC":
        for place in bench.places:
            bench.put(sku, place, 400)
    numbers = range(1, 25)
    take(bench, *(woo_order(number, {"A": 1, "B": 1, "C": 1}) for number in numbers))
    bench.run(allocation.allocate)
    bench.run(drain.push, "bob")
    with bench.store.read() as conn:
        given = [fulfilment.of_order(conn, number)[0].reference for number in numbers]
    take(bench, *(woo_order(100 + number, {"C": 1, "B": 1, "A": 1}) for number in numbers))
    with bench.store.read() as conn:
        fresh = [one for one in orders.awaiting_allocation(conn) if one not in numbers]
    assert len(fresh) == len(numbers)
    failures: list[BaseException] = []

    def attempt(acts: list[Callable[[], Any]]) -> None:
        for act in acts:
            try:
                act()
            except BaseException as error:  # noqa: BLE001 - a thread's failure is told below
                failures.append(error)

    def plan(order_id: int) -> None:
        with bench.store.write() as conn:
            planning.plan_order(conn, bench.hub, order_id)

    givers = [
        [lambda r=reference: report(bench, r, "c", "cancelled") for reference in given[n::2]]
        for n in (0, 1)
    ]
    planners = [[lambda i=one: plan(i) for one in fresh[n::2]] for n in (0, 1)]
    again = [[lambda i=number: plan(i) for number in reversed(numbers)]]
    threads = [
        threading.Thread(target=attempt, args=(acts,)) for acts in (*givers, *planners, *again)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with bench.store.read() as conn:
        assert invariants.check(conn) == []
