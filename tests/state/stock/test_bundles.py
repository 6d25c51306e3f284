"""A bundle is as available as its scarcest component, and its demand is its components'."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from state import stock
from state import tables as t
from state.errors import Misplaced, OutOfStock
from state.stock import Shortage
from state.stock.demand import broken_up
from tests.state.stock.conftest import BERLIN, JERSEY, KIT, A, B, Shelves


def bundle(shelves: Shelves, **parts: int) -> None:
    numbers = {"a": A, "b": B}
    with shelves.write() as conn:
        inside = {numbers[name]: Decimal(qty) for name, qty in parts.items()}
        stock.set_components(conn, KIT, inside)


def makeable(shelves: Shelves) -> dict[int, int]:
    with shelves.store.read() as conn:
        found = stock.makeable(conn, [A, KIT])
    assert set(found) == {KIT}
    return {place: int(qty) for place, qty in found[KIT].items()}


def test_the_scarcest_component_decides_at_each_location(shelves: Shelves) -> None:
    bundle(shelves, a=2, b=1)
    shelves.receive(9, A)
    shelves.receive(5, B)
    shelves.receive(3, A, JERSEY)
    assert makeable(shelves) == {BERLIN: 4}
    shelves.receive(1, B, JERSEY)
    shelves.reserve(7, A)
    assert makeable(shelves) == {BERLIN: 1, JERSEY: 1}


def test_lessons_row_6_lines_that_share_a_component_are_summed_before_they_are_checked(
    shelves: Shelves,
) -> None:
    """medusa#16502: two lines that share an inventory item each passed, together they oversold."""
    bundle(shelves, a=2)
    shelves.receive(5, A)
    lines = [(KIT, Decimal(2)), (A, Decimal(2))]
    with shelves.store.read() as conn:
        assert stock.explode(conn, lines) == {A: 6}
        assert [stock.shortages(conn, BERLIN, [line]) for line in lines] == [[], []]
        assert stock.shortages(conn, BERLIN, lines) == [Shortage(A, Decimal(6), Decimal(5))]
        assert stock.shortages(conn, JERSEY, lines[1:]) == [Shortage(A, Decimal(2), Decimal(0))]

    def take(conn: Connection) -> None:
        for sku_id, qty in stock.explode(conn, lines).items():
            stock.reserve(
                conn, sku_id=sku_id, location_id=BERLIN, qty=qty, order_line_id=1, key="all",
                now=shelves.now,
            )  # fmt: skip

    with pytest.raises(OutOfStock), shelves.write() as conn:
        take(conn)
    assert shelves.figures("reserved") == (0,)


def test_a_bundle_holds_no_bundle(shelves: Shelves) -> None:
    bundle(shelves, a=2)
    with pytest.raises(Misplaced, match="not bundles"), shelves.write() as conn:
        stock.set_components(conn, B, {KIT: Decimal(1)})
    with pytest.raises(Misplaced, match="not bundles"), shelves.write() as conn:
        stock.set_components(conn, A, {B: Decimal(1)})
    with shelves.store.read() as conn:
        assert [(row.component, row.qty) for row in stock.components(conn, KIT)] == [("A", 2)]
    bundle(shelves)
    with shelves.store.read() as conn:
        assert stock.components(conn, KIT) == []


def want(shelves: Shelves, number: int, sku: int, qty: int) -> None:
    with shelves.write() as conn:
        conn.execute(
            t.order_line.insert().values(
                id=number, order_id=1, line_no=number, channel_line_id=str(number), sku_id=sku,
                requires_shipping=True, qty_ordered=Decimal(qty),
            )
        )  # fmt: skip


def test_orders_for_a_bundle_wait_for_its_components_and_the_other_way_round(
    shelves: Shelves,
) -> None:
    bundle(shelves, a=2, b=1)
    shelves.receive(20, A)
    shelves.receive(20, B)
    want(shelves, 2, KIT, 3)
    want(shelves, 3, A, 5)
    with shelves.store.read() as conn:
        assert stock.unallocated_demand(conn, [A, B, KIT]) == {A: 11, B: 3, KIT: 6}
        assert stock.unallocated_demand(conn, [B]) == {B: 3}
        assert stock.unallocated_demand(conn, [KIT]) == {KIT: 6}


@pytest.mark.parametrize("stands", range(10, 18))
def test_what_is_offered_of_a_bundle_leaves_enough_for_all_who_wait(
    shelves: Shelves, stands: int
) -> None:
    bundle(shelves, a=2)
    want(shelves, 2, KIT, 3)
    want(shelves, 3, A, 5)
    shelves.receive(stands, A)
    with shelves.store.read() as conn:
        there = sum(stock.availability(conn, [KIT])[KIT].values(), Decimal(0))
        waits = stock.unallocated_demand(conn, [KIT])[KIT]
    assert 2 * max(Decimal(0), there - waits) <= max(0, stands - 11)


def test_demand_for_plentiful_components_costs_no_bundle(shelves: Shelves) -> None:
    bundle(shelves, a=2, b=1)
    shelves.receive(100, A)
    shelves.receive(3, B)
    want(shelves, 2, A, 94)
    with shelves.store.read() as conn:
        assert stock.unallocated_demand(conn, [KIT]) == {}
    want(shelves, 3, A, 1)
    with shelves.store.read() as conn:
        assert stock.unallocated_demand(conn, [KIT]) == {KIT: 1}


def test_two_orders_may_break_up_a_bundle_at_each_location(shelves: Shelves) -> None:
    """Two pieces are one bundle, and taken at two locations they are two."""
    bundle(shelves, a=2)
    shelves.receive(2, A, BERLIN)
    shelves.receive(2, A, JERSEY)
    want(shelves, 2, A, 1)
    want(shelves, 3, A, 1)
    with shelves.store.read() as conn:
        assert sum(stock.makeable(conn, [KIT])[KIT].values()) == 2
        assert stock.unallocated_demand(conn, [KIT]) == {KIT: 2}


SHELF = st.dictionaries(st.sampled_from([A, B]), st.integers(0, 5), min_size=2)
EACH = st.dictionaries(st.sampled_from([A, B]), st.integers(1, 3), min_size=1)


@given(st.lists(SHELF, min_size=1, max_size=3), EACH, st.integers(0, 4), st.integers(0, 4))
def test_no_way_to_serve_the_demand_breaks_up_more_bundles(
    there: list[dict[int, int]], parts: dict[int, int], of_a: int, of_b: int
) -> None:
    """Every way tried; at a single location it is exactly as many."""
    wanted = {sku: qty for sku, qty in ((A, of_a), (B, of_b)) if sku in parts}
    places = range(len(there))
    ways = [
        [way for way in product(range(6), repeat=len(there)) if sum(way) == qty]
        for qty in wanted.values()
    ]
    losses = []
    for chosen in product(*ways):
        left = [dict(shelf) for shelf in there]
        for sku, way in zip(wanted, chosen, strict=True):
            for place, qty in enumerate(way):
                left[place][sku] -= qty
        if all(qty >= 0 for shelf in left for qty in shelf.values()):
            losses.append(sum(made(there[p], parts) - made(left[p], parts) for p in places))
    told = broken_up(
        [{sku: Decimal(n) for sku, n in shelf.items()} for shelf in there],
        {sku: Decimal(n) for sku, n in parts.items()},
        {sku: Decimal(n) for sku, n in wanted.items()},
    )
    assert all(loss <= told for loss in losses)
    if len(there) == 1 and losses:
        assert told == max(losses)


def made(shelf: dict[int, int], parts: dict[int, int]) -> int:
    return min(shelf[sku] // each for sku, each in parts.items())


def test_demand_for_a_bundle_has_its_components_promised_anew(shelves: Shelves) -> None:
    bundle(shelves, a=2)
    with shelves.write() as conn:
        conn.execute(t.dirty_sku.delete())
        stock.mark_dirty(conn, [KIT])
    with shelves.store.read() as conn:
        assert set(conn.scalars(select(t.dirty_sku.c.sku_id))) == {A, KIT}
