"""What transforms do quickly with the usual values, against what they do with any."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mappings.field_code import STRAIGHT
from mappings.numbers import exact, exponent, minor_units, rounded_minor_units
from mappings.problems import Unfit
from mappings.transforms import TRANSFORMS
from mappings.transforms.texts import first_id
from mappings.transforms.times import sortable_utc, utc

CURRENCIES = st.sampled_from(["JPY", "EUR", "KWD", "CLF"])
"""Of 0, 2, 3 and 4 digits."""

_FIGURES = st.decimals(allow_nan=False, allow_infinity=False, places=5, max_value=10**8)
_HALVES = st.builds(
    lambda number, digits: (number + 0.5) / 10**digits,
    st.integers(-(10**9), 10**9),
    st.integers(0, 5),
)
AMOUNTS = st.one_of(
    st.builds(lambda number, places: f"{number:.{places}f}", _FIGURES, st.integers(0, 6)),
    st.integers(-(10**8), 10**8).map(lambda cents: cents / 100),
    st.text("0123456789.", max_size=22),
    st.text("0123456789.-+eE_ ,\u0660\u00b2", max_size=8),
    st.floats(),
    st.floats(-1000, 1000),
    _HALVES,
    st.integers(),
    st.none() | st.booleans() | st.text(max_size=5),
)


def answer(run: Callable[[], Any]) -> Any:
    """What comes out, with its type, or in which words it does not."""
    try:
        found = run()
    except Unfit as why:
        return str(why)
    return type(found), found


def slow_minor_units(value: Any, currency: str) -> int:
    scaled = exact(value).scaleb(exponent(currency))
    if int(scaled) != scaled:
        raise Unfit(f"more digits than {currency} has")
    return storable(int(scaled))


def slow_rounded(value: Any, currency: str) -> int:
    scaled = exact(value).scaleb(exponent(currency))
    return storable(int(scaled.to_integral_value(ROUND_HALF_UP)))


def storable(amount: int) -> int:
    if abs(amount) >= 10**18:
        raise Unfit("a number out of all proportion")
    return amount


@settings(max_examples=800)
@given(value=AMOUNTS, currency=CURRENCIES)
def test_amounts_without_decimals_are_the_amounts(value: Any, currency: str) -> None:
    assert answer(lambda: minor_units(value, currency)) == answer(
        lambda: slow_minor_units(value, currency)
    )
    assert answer(lambda: rounded_minor_units(value, currency)) == answer(
        lambda: slow_rounded(value, currency)
    )


@pytest.mark.parametrize("value", [0.285, 1.005, 2.675, 1.115, 0.145, -0.285, 8.5, 9.995, 1e-7])
def test_halves_that_a_float_cannot_hold_are_rounded_as_they_are_written(value: float) -> None:
    for currency in ("JPY", "EUR", "KWD"):
        assert rounded_minor_units(value, currency) == slow_rounded(value, currency)


@pytest.mark.parametrize("name", sorted(STRAIGHT))
@given(value=AMOUNTS)
def test_what_stands_in_for_a_transform_is_what_it_does(name: str, value: Any) -> None:
    arguments = {"currency": "EUR"} if name.startswith("money") else {}
    assert answer(lambda: STRAIGHT[name](value, **arguments)) == answer(
        lambda: TRANSFORMS[name](value, **arguments)
    )


def slow_utc(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise Unfit("not an ISO 8601 time") from None
    try:
        made = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise Unfit("a time outside the calendar") from None
    if made.year in (1, 9999):
        raise Unfit("a time outside the calendar")
    return made


@settings(max_examples=400)
@given(moment=st.datetimes(), cut=st.integers(10, 26), tail=st.sampled_from(["", "Z", "+01", " "]))
def test_times_of_the_usual_length_are_the_times(moment: datetime, cut: int, tail: str) -> None:
    for text in (moment.isoformat(), moment.isoformat(" "), moment.strftime("%Y%m%dT%H%M%S.%f")):
        written = text[:cut] + tail
        assert answer(partial(utc, written)) == answer(partial(slow_utc, written))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2026-10-01T00+01:00",
            "2026-10-01T00:02+01",
            " 2026-10-01T00:02:1",
            "2026-W40-4T00:02:17",
        ),
        *(
            "2026-10-01T24:00:00",
            "2026-10-01T00:02:1Z",
            "2026-10-01X00:02:17",
            "2026-13-01T00:02:17",
        ),
    ],
)
def test_texts_as_long_as_a_time_are_read_as_any(text: str) -> None:
    assert answer(lambda: utc(text)) == answer(lambda: slow_utc(text))


@given(
    moment=st.datetimes(
        datetime.fromisoformat("0001-01-02"),
        datetime.fromisoformat("9999-12-30"),
        timezones=st.timezones() | st.just(UTC),
    )
)
def test_sortable_times_have_one_width(moment: datetime) -> None:
    naive = moment.astimezone(UTC).replace(tzinfo=None)
    assert sortable_utc(moment) == f"{naive.isoformat(timespec='microseconds')}Z"
    assert len(sortable_utc(moment)) == len(sortable_utc(moment + timedelta(microseconds=1)))


@given(st.lists(st.sampled_from([None, "", 0, "0", False, 0.0, 7, "7", "a"]), max_size=5))
def test_the_first_id_is_the_first_that_is_one(value: list[Any]) -> None:
    found = [part for part in value if part not in (None, "", 0, "0")]
    assert answer(lambda: first_id(value)) == answer(lambda: str(found[0]) if found else None)
