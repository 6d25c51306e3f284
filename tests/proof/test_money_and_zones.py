"""Money to the minor unit and days in every zone, at a size that every run can wait for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof import money, zones


def test_goal_g17_documents_of_every_exponent_add_up() -> None:
    found = money.counted(2_000, 1)
    assert found.violations == []
    assert found.holds, found.planted


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_goal_g17_at_its_own_size() -> None:
    assert money.prove("pull-request").holds


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_shares_by_largest_remainder_are_the_whole(amount: int, weights: list[int]) -> None:
    given_out = money.shares(amount, weights)
    assert sum(given_out) == amount
    whole = sum(weights)
    for share, weight in zip(given_out, weights, strict=True):
        assert not whole or abs(share * whole - amount * weight) < whole


def test_goal_g18_days_and_cut_offs_hold_in_six_zones() -> None:
    found = zones.prove("pull-request")
    assert found.violations == []
    assert found.holds, found.planted
    assert found.injections["changes of clocks"] == 6 * 4
    assert found.figures["plain days of zones whose clocks never change"] == 0
