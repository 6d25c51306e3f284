"""Everything that can happen to stock, in any order: the invariants hold after every step.

The machine works on one SQLite store and keeps a model of its own beside it. For each invariant a
bug is planted that breaks it; the machine must find every one of them, or it proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from state import stock
from state import tables as t
from state.errors import KeyReused, OutOfStock
from state.stock import consignments, counting, ledger, reservations
from sync import invariants
from tests.state.stock.conftest import BERLIN, BOB, JERSEY, A, B, fresh_shelves

SKUS = st.sampled_from([A, B])
PLACES = st.sampled_from([BERLIN, JERSEY, BOB])
OURS = st.sampled_from([BERLIN, JERSEY])
QTY = st.integers(1, 6)


class Stock(RuleBasedStateMachine):
    """``on_hand``, ``held``, ``on_its_way``: what the store must say, by (SKU, location)."""

    comparisons: ClassVar[int] = 0
    """How often store and model were compared, over all stories."""

    made = Bundle("made")
    sent = Bundle("sent")

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.shelves = self._stack.enter_context(fresh_shelves())
        self.store = self.shelves.store
        self.on_hand: dict[tuple[int, int], int] = {}
        self.held: dict[int, int] = {}
        self.on_its_way: dict[str, int] = {}
        for sku in (A, B):
            for place in (BERLIN, JERSEY, BOB):
                self.shelves.count(5, sku, place)
                self.on_hand[sku, place] = 5

    def teardown(self) -> None:
        self._stack.close()

    def add(self, sku: int, place: int, qty: int) -> None:
        self.on_hand[sku, place] = self.on_hand.get((sku, place), 0) + qty

    @rule(sku=SKUS, place=OURS, qty=QTY)
    def receive(self, sku: int, place: int, qty: int) -> None:
        key = self.shelves.key()
        assert self.shelves.receive(qty, sku, place, key=key)
        assert not self.shelves.receive(qty, sku, place, key=key)
        self.add(sku, place, qty)

    @rule(sku=SKUS, place=PLACES, qty=st.integers(0, 9))
    def count(self, sku: int, place: int, qty: int) -> None:
        self.shelves.later()
        try:
            self.shelves.count(qty, sku, place)
        except IntegrityError:
            assert place != BOB
            return
        self.on_hand[sku, place] = qty

    @rule(target=made, sku=SKUS, place=PLACES, qty=QTY, minutes=st.integers(0, 3))
    def reserve(self, sku: int, place: int, qty: int, minutes: int) -> Any:
        given = {"expires_at": self.shelves.now + timedelta(minutes=minutes)} if minutes else {}
        with self.store.read() as conn:
            there = {row.location_id: row.available for row in stock.levels(conn, [sku])}
        try:
            number = self.shelves.reserve(qty, sku, place, **given)
        except OutOfStock:
            assert there.get(place, 0) < qty
            return multiple()
        assert there[place] >= qty
        self.held[number] = qty
        return number, sku, place

    @rule(one=made, qty=QTY)
    def release(self, one: tuple[int, int, int], qty: int) -> None:
        given = self.shelves.release(one[0], qty)
        assert given == min(qty, self.held[one[0]])
        self.held[one[0]] -= int(given)

    @rule(one=made, qty=QTY)
    def ship(self, one: tuple[int, int, int], qty: int) -> None:
        number, sku, place = one
        key = self.shelves.key()
        try:
            self.shelves.ship(number, qty, key)
        except IntegrityError:
            assert place != BOB
            return
        assert self.shelves.ship(number, qty, key) is False
        self.held[number] -= min(qty, self.held[number])
        self.add(sku, place, -qty)

    @rule(one=made)
    def confirm(self, one: tuple[int, int, int]) -> None:
        with self.store.write() as conn:
            stock.confirm(conn, one[0], 1)

    @rule(minutes=st.integers(0, 4))
    def time_passes(self, minutes: int) -> None:
        now = self.shelves.later(60 * minutes)
        with self.store.write() as conn:
            held = t.reservation.c
            over = list(
                conn.scalars(
                    select(held.id).where(
                        held.kind == "soft", held.state == "active", held.expires_at <= now
                    )
                )
            )
            assert stock.expire(conn, now) == len(over)
        for number in over:
            self.held[number] = 0

    @rule(
        sku=SKUS, place=OURS, qty=st.integers(-4, 4).filter(bool),
        bucket=st.sampled_from(stock.CONDITIONS),
    )  # fmt: skip
    def change_condition(self, sku: int, place: int, qty: int, bucket: str) -> None:
        try:
            with self.store.write() as conn:
                stock.reclassify(
                    conn, sku_id=sku, location_id=place, qty=Decimal(qty), bucket=bucket,
                    cause=self.shelves.cause(reason="reclassify"),
                )  # fmt: skip
        except IntegrityError:
            return

    @rule(target=sent, sku=SKUS, qty=QTY, there=st.booleans())
    def send(self, sku: int, qty: int, there: bool) -> Any:
        origin, to = (BERLIN, JERSEY) if there else (JERSEY, BERLIN)
        reference = self.shelves.key()
        try:
            with self.store.write() as conn:
                stock.send(
                    conn, reference=reference, sku_id=sku, from_location_id=origin,
                    to_location_id=to, qty=Decimal(qty), cause=self.shelves.cause(),
                )  # fmt: skip
        except IntegrityError:
            return multiple()
        self.add(sku, origin, -qty)
        self.on_its_way[reference] = qty
        return reference, sku, to

    @rule(goods=sent, qty=QTY)
    def arrive(self, goods: tuple[str, int, int], qty: int) -> None:
        reference, sku, to = goods
        with self.store.write() as conn:
            for row in stock.in_transit(conn, reference):
                stock.arrive(conn, row, Decimal(qty), self.shelves.cause())
                self.on_its_way[reference] -= min(qty, self.on_its_way[reference])
                self.add(sku, to, qty)

    @rule(goods=consumes(sent))
    def write_off(self, goods: tuple[str, int, int]) -> None:
        with self.store.write() as conn:
            for row in stock.in_transit(conn, goods[0]):
                stock.write_off(conn, row, self.shelves.cause())
        self.on_its_way[goods[0]] = 0

    @invariant()
    def nothing_is_broken(self) -> None:
        with self.store.read() as conn:
            for one in invariants.RULES:
                if one.name in ABOUT_STOCK:
                    assert one.violations(conn) == []
            assert stock.differences(conn) == []

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        Stock.comparisons += 1
        level, held = t.inventory_level.c, t.reservation.c
        with self.store.read() as conn:
            levels = conn.execute(select(level.sku_id, level.location_id, level.on_hand)).all()
            active = conn.execute(select(t.reservation).where(held.state == "active")).all()
            incoming = sum(int(row.open) for row in stock.in_transit(conn))
        assert {(sku, place): int(qty) for sku, place, qty in levels if qty} == {
            key: qty for key, qty in self.on_hand.items() if qty
        }
        assert {row.id: row.qty - row.qty_consumed - row.qty_released for row in active} == {
            number: qty for number, qty in self.held.items() if qty
        }
        assert incoming == sum(self.on_its_way.values())


ABOUT_STOCK = {
    "level_is_sum_of_ledger", "reserved_is_reservations", "nothing_oversold",
    "incoming_is_consignments", "ledger_has_its_level", "lots_make_the_level",
    "lot_reserved_is_reservations",
}  # fmt: skip


def run(examples: int, steps: int) -> int:
    """Returns how often the store was compared with the model."""
    before = Stock.comparisons
    run_state_machine_as_test(
        Stock,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Stock.comparisons - before


def test_whatever_happens_the_invariants_of_stock_hold() -> None:
    assert run(examples=8, steps=25) > 8 * 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_whatever_happens_for_long_the_invariants_of_stock_hold() -> None:
    assert run(examples=400, steps=60) > 400 * 10


def _forget_damaged(conn: Connection, legs: Any) -> None:
    apply(conn, [leg for leg in legs if leg.bucket != "damaged"])


def _without_looking(conn: Connection, sku_id: int, location_id: int, qty: Decimal) -> bool:
    level = t.inventory_level
    mine = (level.c.sku_id == sku_id) & (level.c.location_id == location_id)
    return (
        conn.execute(update(level).where(mine).values(reserved=level.c.reserved + qty)).rowcount > 0
    )


def _only_what_left(conn: Connection, legs: Any, cause: Any) -> bool:
    return take_off(conn, [leg for leg in legs if leg.bucket == "on_hand"], cause)


def _anything_at_all(conn: Connection, legs: Any, cause: Any) -> bool:
    """Books a repeated movement again, under another key."""
    if not write_rows(conn, legs, cause):
        write_rows(conn, legs, replace(cause, key=f"{cause.key}:again"))
    return True


def _nothing(*_: Any, **__: Any) -> None:
    return None


apply, take_off, write_rows = ledger.apply, ledger.take_off, ledger.write_rows

MUTANTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "level_is_sum_of_ledger": (ledger, "apply", _forget_damaged),
    "reserved_is_reservations": (reservations, "_lower", _nothing),
    "nothing_oversold": (reservations, "_raise_reserved", _without_looking),
    "incoming_is_consignments": (consignments, "_close", _nothing),
    "nothing is lost between locations": (consignments, "take_off", _only_what_left),
    "a key moves goods once": (ledger, "write_rows", _anything_at_all),
    "a count is what was counted": (counting, "_standing", lambda *_: Decimal(0)),
    "what has run out is given back": (stock, "expire", lambda *_: 0),
}


@pytest.mark.parametrize("planted", sorted(MUTANTS))
def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch, planted: str) -> None:
    monkeypatch.setattr(*MUTANTS[planted])
    with pytest.raises((AssertionError, IntegrityError, KeyReused)):
        run(examples=60, steps=25)
