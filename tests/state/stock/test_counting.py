"""Many counts at once are what one count after the other would be."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state import stock
from state.errors import KeyReused, Misplaced
from state.stock import Count, Place
from tests.state.stock.conftest import BERLIN, BOB, KIT, NOW, A, B, Shelves, fresh_shelves

SKUS = st.sampled_from([A, B, KIT])
MINUTES = st.integers(0, 5)
MOVED = st.lists(st.tuples(SKUS, MINUTES, st.integers(-4, 9)), max_size=8)
COUNTS = st.lists(
    st.dictionaries(SKUS, st.tuples(st.integers(0, 20), st.none() | MINUTES), min_size=1),
    min_size=1,
    max_size=3,
)


def at(minute: int | None) -> datetime | None:
    return None if minute is None else NOW + timedelta(minutes=minute)


def lived(
    moved: list[tuple[int, int, int]],
    rounds: list[dict[int, tuple[int, int | None]]],
    *,
    together: bool,
) -> list[tuple[int, Decimal, datetime | None]]:
    """Levels at the end; what came or left was heard of before the first count."""
    place = Place(BOB, "external")
    with fresh_shelves() as shelves:
        for n, (sku_id, minute, qty) in enumerate(moved):
            cause = stock.Cause("receipt", ("", None), f"m{n}", NOW, at(minute))
            with shelves.write() as conn:
                stock.post(conn, [stock.Leg(sku_id, BOB, "on_hand", Decimal(qty))], cause)
        for number, counted in enumerate(rounds):
            now = shelves.later()
            counts = [
                Count(sku_id, Decimal(qty), f"c{number}:{sku_id}", at(minute))
                for sku_id, (qty, minute) in counted.items()
            ]
            for some in [counts] if together else [[count] for count in counts]:
                with shelves.write() as conn:
                    soon = stock.foreseen(conn, place, some)
                    done = stock.set_counts(conn, place, some, reason="external_set", now=now)
                    assert list(soon.values()) == list(done.values())
        assert shelves.agree()
        with shelves.store.read() as conn:
            rows = stock.levels(conn, [A, B, KIT])
        return [(row.sku_id, Decimal(row.on_hand), row.observed_at) for row in rows]


@settings(max_examples=20, deadline=None)
@given(moved=MOVED, rounds=COUNTS)
def test_counts_together_are_what_they_are_one_by_one(
    moved: list[tuple[int, int, int]], rounds: list[dict[int, tuple[int, int | None]]]
) -> None:
    assert lived(moved, rounds, together=True) == lived(moved, rounds, together=False)


def test_what_came_after_each_count_is_added_to_that_one_alone(shelves: Shelves) -> None:
    place = Place(BOB, "external")
    for sku_id in (A, B):
        cause = stock.Cause("receipt", ("", None), f"m{sku_id}", NOW, at(3))
        with shelves.write() as conn:
            stock.post(conn, [stock.Leg(sku_id, BOB, "on_hand", Decimal(5))], cause)
    shelves.later(600)
    counts = [Count(A, Decimal(10), "a", at(2)), Count(B, Decimal(10), "b", at(4))]
    with shelves.write() as conn:
        moved = stock.set_counts(conn, place, counts, reason="external_set", now=shelves.now)
    assert sorted(moved.values()) == [5, 10]
    assert shelves.figures("on_hand", place=BOB) == (15,)
    assert shelves.figures("on_hand", sku=B, place=BOB) == (10,)


def test_a_count_with_the_key_of_another_is_refused(shelves: Shelves) -> None:
    place = Place(BERLIN, "hub")
    counts = [Count(A, Decimal(1), "k"), Count(B, Decimal(2), "k")]
    with pytest.raises(KeyReused), shelves.write() as conn:
        stock.set_counts(conn, place, counts, reason="adjust_count", now=NOW)
    assert shelves.ledger() == []


def test_among_many_counts_one_without_its_lot_is_refused(shelves: Shelves) -> None:
    with shelves.write() as conn:
        stock.track_lots(conn, A)
    counts = [Count(A, Decimal(1), "a"), Count(B, Decimal(2), "b")]
    with pytest.raises(Misplaced, match="say which lot"), shelves.write() as conn:
        stock.set_counts(conn, Place(BERLIN, "hub"), counts, reason="adjust_count", now=NOW)
    with shelves.write() as conn:
        # At an outside location lots are not kept.
        place = Place(BOB, "external")
        assert len(stock.set_counts(conn, place, counts, reason="external_set", now=NOW)) == 2
