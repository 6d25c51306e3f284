"""The ledger tells what was where at any moment, and a closed moment stays as it was told."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state import stock
from tests.state.stock.conftest import BOB, B, Shelves, fresh_shelves


def as_of(shelves: Shelves, moment: datetime, by: Any = "recorded", **given: Any) -> Any:
    with shelves.store.read() as conn:
        return {
            (row["sku"], row["location"]): (int(row["on_hand"]), int(row["available"]))
            for row in stock.levels_as_of(conn, moment, by=by, **given)
        }


def test_levels_at_a_moment_include_what_was_recorded_at_it(shelves: Shelves) -> None:
    before = shelves.now
    shelves.later()
    shelves.receive(10)
    first = shelves.now
    shelves.later()
    shelves.ship(shelves.reserve(4), 3)
    shelves.receive(2, B)
    assert as_of(shelves, before) == {}
    assert as_of(shelves, first) == {("A", "berlin"): (10, 10)}
    assert as_of(shelves, shelves.now) == {("A", "berlin"): (7, 6), ("B", "berlin"): (2, 2)}
    assert as_of(shelves, shelves.now, code="B") == {("B", "berlin"): (2, 2)}
    assert as_of(shelves, shelves.now, location="jersey") == {}


@pytest.mark.parametrize(("by", "told"), [("recorded", 10), ("occurred", 6)])
def test_what_is_heard_late_changes_the_past_only_by_when_it_occurred(
    shelves: Shelves, by: Literal["recorded", "occurred"], told: int
) -> None:
    shelves.count(10, place=BOB, observed_at=shelves.now)
    reservation = shelves.reserve(4, place=BOB)
    shipped_at = shelves.later()
    closed = shelves.later()
    shelves.later()
    shelves.ship(reservation, 4, occurred_at=shipped_at)
    assert as_of(shelves, closed, by)["A", "bob"][0] == told
    assert as_of(shelves, shelves.now, by)["A", "bob"] == (6, 6)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=10))
def test_the_present_is_the_ledger_as_of_now_and_the_past_never_changes(
    moves: list[tuple[bool, int]],
) -> None:
    with fresh_shelves() as shelves:
        told = {}
        for receives, qty in moves:
            if receives:
                shelves.receive(qty)
            else:
                shelves.count(qty)
            told[shelves.now] = as_of(shelves, shelves.now)
            with shelves.store.read() as conn:
                now = {
                    (row.sku, row.location): (int(row.on_hand), int(row.available))
                    for row in stock.overview(conn)
                }
            assert told[shelves.now] == now
            shelves.later()
        assert {moment: as_of(shelves, moment) for moment in told} == told
