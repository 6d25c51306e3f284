"""What is too much: pure measures, and what an approval covers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sync.guard.limits import Change, Limits, too_many_cancelled, too_much_stock


def zeroed(n: int, scope: str = "shop") -> list[Change]:
    return [Change(f"listing:{scope}:{k}", "", 5, 0, scope) for k in range(n)]


def judged(changes: list[Change], limits: Limits, whole: int) -> str:
    excess = too_much_stock(changes, limits, "listings", lambda _: whole)
    return excess.reason if excess else ""


def test_a_share_of_the_whole_is_too_much_only_from_a_number_on() -> None:
    limits = Limits(zeroed_percent=30, at_least=10)
    assert judged(zeroed(9), limits, 9) == "", "a small catalogue may sell out"
    assert judged(zeroed(30), limits, 100) == ""
    assert judged(zeroed(31), limits, 100) == "shop: 31 of 100 listings would go to zero"


def test_each_scope_is_measured_by_its_own_whole() -> None:
    limits = Limits(zeroed_percent=50)
    wholes = {"shop": 1000, "amazon": 20}
    changes = zeroed(15) + zeroed(15, "amazon")
    excess = too_much_stock(changes, limits, "listings", wholes.__getitem__)
    assert excess is not None
    assert excess.measured["scope"] == "amazon"


def test_the_whole_is_counted_only_where_enough_would_be_zeroed() -> None:
    def never(_: str) -> int:
        raise AssertionError("counted for nothing")

    assert too_much_stock(zeroed(9), Limits(), "listings", never) is None


def test_units_count_up_and_down() -> None:
    changes = [Change("a", "", 0, 60, "shop"), Change("b", "", 60, 0, "shop")]
    assert judged(changes, Limits(moved_units=120), 100) == ""
    assert judged(changes, Limits(moved_units=119), 100) == "shop: 120 units would move"


def test_cancellations_are_counted() -> None:
    changes = [Change(f"order:{n}", "", 1, 0) for n in range(4)]
    assert too_many_cancelled(changes, Limits(cancelled_orders=4)) is None
    excess = too_many_cancelled(changes, Limits(cancelled_orders=3))
    assert excess is not None
    assert excess.reason == "4 orders would be cancelled"


numbers = st.integers(-50, 50)


@given(numbers, numbers, numbers, numbers)
def test_only_the_same_direction_and_no_farther_is_within(a: int, b: int, c: int, d: int) -> None:
    approved, change = Change("x", "", a, b), Change("x", "", c, d)
    if not change.within(approved):
        return
    assert (b < a) == (d < c), "the same direction"
    assert abs(d - b) == (d - b if b < a else b - d), "not past what was approved"
