"""The promise as a pure function: each term by example, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.promise.formula import Place, Terms, promised


def place(code: str, on_hand: int, *, keep_units: int = 0, **given: Any) -> Place:
    numbers: dict[str, Any] = {name: Decimal(value) for name, value in given.items()}
    return Place(code, Decimal(on_hand), keep_units=keep_units, **numbers)


def steps(terms: Terms) -> dict[str, int]:
    return {step.term: int(step.after) for step in promised(terms).steps}


def test_a_location_offers_what_nothing_else_has_a_claim_on() -> None:
    berlin = place("berlin", 20, reserved=3, damaged=1, quality_hold=2, safety=4)
    assert berlin.available == 10
    assert promised(Terms([berlin])).quantity == 10


def test_a_shortage_at_one_location_eats_no_other_s_goods() -> None:
    terms = Terms([place("berlin", 5), place("bob", 0, reserved=3)])
    assert promised(terms).quantity == 5


def test_demand_that_is_not_allocated_is_promised_already() -> None:
    assert promised(Terms([place("berlin", 5)], unallocated=Decimal(3))).quantity == 2
    assert promised(Terms([place("berlin", 5)], unallocated=Decimal(9))).quantity == 0


def test_fractions_of_a_piece_are_not_sold() -> None:
    assert promised(Terms([place("a", 1, safety="0.5"), place("b", 1, safety="0.7")])).quantity == 0
    assert promised(Terms([place("berlin", 5, share_percent=50)])).quantity == 2


def test_demand_is_taken_where_it_costs_the_listing_most() -> None:
    stores = place("store", 10, share_percent=50)
    terms = Terms([place("berlin", 10), stores], unallocated=Decimal(4))
    assert promised(terms).quantity == 11
    in_berlin = Terms([place("berlin", 10, reserved=4), stores])
    in_store = Terms([place("berlin", 10), replace(stores, reserved=Decimal(4))])
    assert promised(in_berlin).quantity == 11
    assert promised(in_store).quantity == 13


def test_a_group_keeps_goods_back_at_each_of_its_locations() -> None:
    assert (
        promised(Terms([place("a", 10, keep_units=3), place("b", 2, keep_units=3)])).quantity == 7
    )
    assert promised(Terms([place("a", 10, keep_percent=25)])).quantity == 7


def test_every_term_is_told_in_the_order_of_its_effect() -> None:
    terms = Terms(
        [place("berlin", 60, share_percent=50), place("bob", 40)],
        unallocated=Decimal(10),
        buffer_units=2,
        buffer_percent=Decimal(10),
        in_flight=3,
        cap=40,
        end_when=5,
    )
    assert steps(terms) == {
        "available": 100,
        "unallocated": 90,
        "share": 60,
        "buffer": 54,
        "in_flight": 51,
        "cap": 40,
    }


def test_at_or_below_its_end_a_listing_offers_nothing() -> None:
    assert promised(Terms([place("a", 3)], end_when=3)).quantity == 0
    assert promised(Terms([place("a", 4)], end_when=3)).quantity == 4
    assert steps(Terms([place("a", 3)], end_when=3))["end_when"] == 0


def test_a_listing_that_ended_starts_again_only_with_enough() -> None:
    terms = Terms([place("a", 4)], end_when=2, min_publish=5)
    assert promised(terms).quantity == 4
    assert promised(replace(terms, on_offer=False)).quantity == 0
    enough = replace(terms, places=[place("a", 5)], on_offer=False)
    assert promised(enough).quantity == 5


small = st.integers(0, 60)
percent = st.integers(0, 100).map(Decimal)
places = st.builds(
    Place,
    code=st.sampled_from(["a", "b", "c"]),
    on_hand=st.integers(-20, 80).map(Decimal),
    reserved=st.integers(0, 30).map(Decimal),
    safety=st.integers(0, 5).map(Decimal),
    share_percent=percent,
    keep_units=st.integers(0, 5),
    keep_percent=percent,
)
terms_of = st.builds(
    Terms,
    places=st.lists(places, max_size=3, unique_by=lambda one: one.code),
    unallocated=small.map(Decimal),
    buffer_units=st.integers(0, 20),
    buffer_percent=percent,
    in_flight=st.integers(0, 10),
    cap=st.none() | small,
    end_when=st.none() | st.integers(0, 20),
    min_publish=st.none() | st.integers(0, 20),
    on_offer=st.booleans(),
)


@given(terms_of)
def test_a_promise_is_never_more_than_there_is_and_its_steps_add_up(terms: Terms) -> None:
    promise = promised(terms)
    there = sum((max(Decimal(0), one.available) for one in terms.places), Decimal(0))
    assert 0 <= promise.quantity <= max(Decimal(0), there - terms.unallocated)
    assert sum(step.change for step in promise.steps) == promise.quantity
    assert promise.steps[-1].after == promise.quantity
    if terms.cap is not None:
        assert promise.quantity <= terms.cap
    if terms.end_when is not None:
        assert promise.quantity == 0 or promise.quantity > terms.end_when
    assert promised(terms) == promise


@given(terms_of, st.data())
def test_allocating_demand_never_lowers_a_promise(terms: Terms, data: st.DataObject) -> None:
    """Where it is allocated is not known before: a promise that fell then was too high."""
    could = [i for i, one in enumerate(terms.places) if one.available > 0 < terms.unallocated]
    if not could:
        return
    index = data.draw(st.sampled_from(could))
    chosen = terms.places[index]
    most = int(min(chosen.available, terms.unallocated))
    if most < 1:
        return
    units = Decimal(data.draw(st.integers(1, most)))
    allocated = list(terms.places)
    allocated[index] = replace(chosen, reserved=chosen.reserved + units)
    after = replace(terms, places=allocated, unallocated=terms.unallocated - units)
    assert promised(after).quantity >= promised(terms).quantity


@given(terms_of, st.integers(0, 20))
def test_more_goods_never_lower_a_promise(terms: Terms, more: int) -> None:
    if not terms.places:
        return
    first, *rest = terms.places
    richer = replace(terms, places=[replace(first, on_hand=first.on_hand + more), *rest])
    assert promised(richer).quantity >= promised(terms).quantity


@pytest.mark.parametrize("on_offer", [True, False])
def test_a_listing_at_rest_stays_what_it_is(on_offer: bool) -> None:
    """Computed again from its own outcome nothing changes, or it would flicker."""
    for there in range(12):
        terms = Terms([place("a", there)], end_when=2, min_publish=6, on_offer=on_offer)
        first = promised(terms).quantity
        assert promised(replace(terms, on_offer=first > 0)).quantity == first
