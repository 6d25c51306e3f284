"""Whoever changes work of orders takes its locks in one order, so that nobody waits in a circle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from msgspec.structs import replace as replace_field
from sqlalchemy import event, select, text

from connectors.base import RawRecord
from state import catalogue, fulfilment, orders, promises, stock
from state import tables as t
from state.ids import insert_one
from state.store import Store
from sync import allocation, drain, intake, invariants, parked, planning
from sync.context import Link
from sync.reading import Reading
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


def test_lines_of_several_channels_are_freed_after_all_their_orders_are_locked(
    bench: Bench,
) -> None:
    """In one ascending order, whichever channel was asked first."""
    shop, links = bench.hub.links["shop"], []
    for number, name in enumerate(("first", "second", "third"), start=1):
        with bench.store.write() as conn:
            link_id = insert_one(conn, t.connection, name=name, connector="shop", kind="channel")
        links.append(replace(shop, id=link_id, name=name))
        _taken(bench, links[-1], woo_order(number, {"OLD": 1}))
    _known(bench, "OLD")
    asked: list[list[int]] = []

    def lock(_conn: Any, order_ids: Iterable[int]) -> None:
        asked.append(sorted(order_ids))

    with mock.patch.object(fulfilment, "lock", lock), bench.store.write() as conn:
        freed = parked.unpark_lines(conn, [*reversed(links)], bench.clock.now())
    with bench.store.read() as conn:
        every = sorted(conn.scalars(select(t.sales_order.c.id)))
    assert (freed, asked) == (3, [every])


def test_what_a_channel_says_while_a_line_is_being_freed_is_not_overwritten(bench: Bench) -> None:
    shop = bench.hub.links["shop"]
    _taken(bench, shop, woo_order(1, {"OLD": 5}))
    _known(bench, "OLD")
    freed: list[int] = []

    def free() -> None:
        with bench.store.write() as conn:
            freed.append(parked.unpark_lines(conn, [shop], bench.clock.now()))

    job = threading.Thread(target=free)
    later = woo_order(1, {"OLD": 5}, date_modified_gmt="2026-11-02T07:30:00")
    [reading] = _read(bench, shop, later)
    told = [replace_field(line, quantity_cancelled=Decimal(3)) for line in reading.record.lines]
    reading.record = replace_field(reading.record, lines=tuple(told))
    with bench.store.write() as conn:
        intake.take_in(conn, shop, [reading], bench.clock.now())
        job.start()
        while job.is_alive() and not _somebody_waits(bench.store):
            job.join(0.05)
    job.join()
    with bench.store.read() as conn:
        [line] = orders.lines(conn, [1])[1]
    assert (line.qty_ordered, line.qty_cancelled, line.park_reason) == (5, 3, None)
    assert freed == [0], "the channel's report had freed it already"


def _read(bench: Bench, link: Link, order: dict[str, Any]) -> list[Reading]:
    return intake.read_page(bench.hub, link, [RawRecord.of(str(order["id"]), order)])


def _taken(bench: Bench, link: Link, order: dict[str, Any]) -> None:
    with bench.store.write() as conn:
        intake.take_in(conn, link, _read(bench, link, order), bench.clock.now())


def _known(bench: Bench, name: str) -> None:
    with bench.store.write() as conn:
        catalogue.add_alias(
            conn, sku_id=bench.skus["A"], value=name, connection_id=None, scheme="channel_sku"
        )


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
