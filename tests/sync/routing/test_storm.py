"""Orders, deliveries, refusals, edits and delays in any order: nothing is lost, all can be told."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from sqlalchemy import select

from state import fulfilment
from state import tables as t
from state.fulfilment import LIVE_WORK
from sync import allocation, drain, intake, invariants, planning
from sync.routing import trace, words
from sync.routing.rules import Rate, When
from tests.sync.conftest import Bench, woo_order
from tests.sync.routing.scenes import rule
from tests.sync.routing.test_planning import describe, take, use
from tests.sync.routing.test_rerouting import report


class Storm:
    """A day at random; ``step`` does one thing that could happen."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.dice = random.Random(seed)
        self.lines: dict[int, dict[str, int]] = {}
        self.minute = 0

    def step(self) -> None:
        what = (self.order, self.order, self.count, self.refuse, self.edit, self.cancel, self.ship)
        self.dice.choice(what)()
        self.bench.clock.advance(self.dice.choice([60, 900, 4000]))
        for job, where in (
            (allocation.allocate, None),
            (drain.push, "labels"),
            (drain.push, "bob"),
        ):
            if self.dice.random() < 0.7:
                self.bench.run(job, where)

    def order(self) -> None:
        number = len(self.lines) + 1
        skus = self.dice.sample(["A", "B", "C"], self.dice.randint(1, 3))
        self.lines[number] = {sku: self.dice.randint(1, 4) for sku in skus}
        self.report(number)

    def report(self, number: int, **given: Any) -> None:
        self.minute += 1
        moment = f"2026-11-02T{7 + self.minute // 60:02}:{self.minute % 60:02}:00"
        payload = woo_order(number, self.lines[number], date_modified_gmt=moment, **given)
        self.bench.shop.pages = [[payload]]
        self.bench.run(intake.pull_orders, "shop")

    def count(self) -> None:
        with self.bench.store.read() as conn:
            held = {
                (row.sku_id, row.location_id): int(row.reserved)
                for row in conn.execute(select(t.inventory_level))
            }
        sku, place = self.dice.choice("ABC"), self.dice.choice(["berlin", "jersey"])
        reserved = held.get((self.bench.skus[sku], self.bench.places[place]), 0)
        self.bench.put(sku, place, reserved + self.dice.randint(0, 6))

    def refuse(self) -> None:
        self.bench.warehouse.answers = [{"status": "rejected", "message": "no"}]

    def edit(self) -> None:
        if self.lines:
            number = self.dice.choice(sorted(self.lines))
            for sku in self.lines[number]:
                self.lines[number][sku] = self.dice.randint(1, 4)
            self.report(number)

    def cancel(self) -> None:
        if self.lines:
            self.report(self.dice.choice(sorted(self.lines)), status="cancelled")

    def ship(self) -> None:
        """The 3PL ships, or gives up the rest, of something that it has."""
        work = t.fulfilment_order.c
        with self.bench.store.read() as conn:
            taken = conn.scalars(
                select(work.reference)
                .where(work.request_state != "unsubmitted", work.work_state.in_(LIVE_WORK))
                .order_by(work.id)
            ).all()
        if taken:
            reference = self.dice.choice(taken)
            key = f"s{self.minute}-{self.bench.clock.now():%H%M%S}"
            if self.dice.random() < 0.5:
                report(self.bench, reference, key, "cancelled")
            else:
                report(self.bench, reference, key, "shipped", self.dice.randint(1, 2))

    def check(self) -> int:
        """Whatever happened: the invariants hold, and every decision can be made and told again."""
        with self.bench.store.read() as conn:
            assert invariants.check(conn) == []
            found = [
                row for number in self.lines for row in fulfilment.decisions(conn, self.id(number))
            ]
            for row in found:
                decision = trace.stored(row)
                assert trace.recompute(conn, row).stored() == decision.stored()
                assert words.told(decision, trace.inputs_of(row).order) != []
        return len(found)

    def id(self, number: int) -> int:
        order = t.sales_order.c
        with self.bench.store.read() as conn:
            query = select(order.id).where(order.channel_order_id == str(number))
            return int(conn.execute(query).scalar_one())


def weather(bench: Bench) -> None:
    describe(bench, "jersey", ack_within_s=1800, ship_within_s=7200, daily_orders=6)
    describe(bench, "berlin", daily_units=40)
    use(
        bench,
        rule("large", When(value_from=9000), ship_complete=True, priority=2),
        rule("small", max_parcels=1, promise_days=1),
        rates=(Rate(parcel=450, per_kg=35, days=1),),
    )


def run(bench: Bench, seed: int, steps: int) -> int:
    weather(bench)
    storm = Storm(bench, seed)
    for n in range(steps):
        storm.step()
        if n % 5 == 4:
            storm.check()
    return storm.check()


@pytest.mark.parametrize("seed", [1])
def test_whatever_happens_nothing_is_lost_and_every_decision_can_be_made_again(
    bench: Bench, seed: int
) -> None:
    assert run(bench, seed, 25) > 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
def test_nor_in_a_long_one(bench: Bench, seed: int) -> None:
    assert run(bench, seed, 80) > 20


def test_orders_planned_at_the_same_time_never_share_a_unit(bench: Bench) -> None:
    bench.put("A", "berlin", 3)
    bench.put("A", "jersey", 4)
    take(bench, *(woo_order(number, {"A": 1}) for number in range(1, 13)))
    failures: list[BaseException] = []

    def plan(order_ids: range) -> None:
        for order_id in order_ids:
            try:
                with bench.store.write() as conn:
                    planning.plan_order(conn, bench.hub, order_id)
            except BaseException as error:  # noqa: BLE001 - a thread's failure is told below
                failures.append(error)

    threads = [threading.Thread(target=plan, args=(range(n, 13, 4),)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with bench.store.read() as conn:
        assert invariants.check(conn) == []
        assert sum(conn.scalars(select(t.inventory_level.c.reserved))) == 7
