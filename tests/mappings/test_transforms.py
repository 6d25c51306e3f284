from __future__ import annotations

import doctest
import inspect
import tomllib
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mappings.address_formats
import mappings.countries
import mappings.fieldtypes
import mappings.numbers
import mappings.problems
import mappings.requests
import mappings.tracking_numbers
from mappings.library import SHIPPED
from mappings.numbers import exact, exponent, major_units, minor_units, rounded_minor_units
from mappings.problems import Unfit
from mappings.steps import signature
from mappings.transforms import MODULES, TRANSFORMS

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?(E[+-]?[0-9]{1,7})?", fullmatch=True)
    | st.sampled_from([10**400, "1e999999", "0E+999999", "NaN", "9999-12-31T23:59:59-23:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_ARGUMENTS: dict[str, Any] = {
    "currency": "EUR",
    "zone": "Europe/Berlin",
    "table": [{"id": 1, "label": "one"}],
    "key": "id",
    "give": "label",
    "country": "US",
    "otherwise": None,
    "line": 1,
    "longest": 35,
    "named": None,
    "among": ["fedex", "dhl_express"],
}
_CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "CLF", "USD"])
_MINOR = st.integers(-(10**15), 10**15)


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_the_example_of_a_transform_is_true(name: str) -> None:
    function = TRANSFORMS[name]
    examples = doctest.DocTestFinder().find(function, name, globs=function.__globals__)
    cases = [example for test in examples for example in test.examples]
    results = [
        doctest.DocTestRunner().run(_with_all_transforms(test))
        for test in examples
        if test.examples
    ]
    assert cases, f"{name} has no example"
    assert sum(result.failed for result in results) == 0


def _with_all_transforms(test: doctest.DocTest) -> doctest.DocTest:
    test.globs = {**TRANSFORMS, "Decimal": Decimal, **test.globs}
    return test


@pytest.mark.parametrize(
    "module",
    [
        mappings.numbers,
        mappings.problems,
        mappings.requests,
        mappings.fieldtypes,
        mappings.countries,
        mappings.address_formats,
        mappings.tracking_numbers,
    ],
    ids=lambda module: str(module.__name__),
)
def test_the_examples_of_the_other_modules_are_true(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_every_transform_is_used_by_a_shipped_definition_or_there_is_a_reason_for_it() -> None:
    by_default = {"text", "integer", "boolean", "decimal"}
    for_operators = {
        # No shipped definition parks a parcel for its phone, but a carrier's own rule may ask it.
        "phone_e164",
    }
    used = {name for path in SHIPPED.glob("*.toml") for name in _named(tomllib.loads(_text(path)))}
    assert set(TRANSFORMS) - used == by_default - used | for_operators


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _named(part: Any) -> list[str]:
    if isinstance(part, list):
        return [name for inner in part for name in _named(inner)]
    if not isinstance(part, dict):
        return []
    given_names = part.get("as", [])
    own = [given_names] if isinstance(given_names, str) else list(given_names)
    return own + [name for inner in part.values() for name in _named(inner)]


def test_every_public_function_of_the_modules_is_on_the_list() -> None:
    public = {
        name
        for module in MODULES
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }
    assert public - set(TRANSFORMS) == {"aware"}


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
@settings(max_examples=40)
@given(value=_JSON)
def test_a_transform_gives_its_type_or_says_unfit(name: str, value: Any) -> None:
    sign = signature(name)
    arguments = {argument: _ARGUMENTS[argument] for argument in sign.arguments}
    try:
        result = TRANSFORMS[name](value, **arguments)
    except Unfit as why:
        result = why
    if isinstance(result, Unfit):
        assert str(result)
        return
    kinds = {str: str, int: int, bool: bool, float: float, Decimal: Decimal, datetime: datetime}
    if sign.gives in kinds:
        assert type(result) is kinds[sign.gives]
    else:
        assert name in ("look_up", "first_id", "carrier_of_tracking")
    if isinstance(result, datetime):
        assert result.utcoffset() == timedelta(0)


@given(_MINOR, _CURRENCIES)
def test_money_survives_the_way_out_and_back(amount: int, currency: str) -> None:
    written = TRANSFORMS["money_text"](amount, currency=currency)
    assert TRANSFORMS["money"](written, currency=currency) == amount
    assert Decimal(written) == major_units(amount, currency)


@given(st.integers(-(10**13), 10**13), _CURRENCIES)
def test_money_survives_json_numbers(amount: int, currency: str) -> None:
    number = TRANSFORMS["money_number"](amount, currency=currency)
    assert TRANSFORMS["money"](number, currency=currency) == amount


@given(st.decimals(-(10**9), 10**9, places=6), _CURRENCIES)
def test_exact_money_is_never_rounded(amount: Decimal, currency: str) -> None:
    if amount % major_units(1, currency) == 0:
        assert major_units(minor_units(str(amount), currency), currency) == amount
    else:
        with pytest.raises(Unfit, match="more digits"):
            minor_units(str(amount), currency)


@given(st.decimals(-(10**9), 10**9, places=6), _CURRENCIES)
def test_rounded_money_is_the_nearest_and_halves_go_away_from_zero(
    amount: Decimal, currency: str
) -> None:
    step = major_units(1, currency)
    rounded = major_units(rounded_minor_units(str(amount), currency), currency)
    assert abs(rounded - amount) <= step / 2
    if abs(rounded - amount) == step / 2:
        assert abs(rounded) > abs(amount)


def test_more_digits_than_decimal_can_hold_are_refused_instead_of_rounded() -> None:
    with pytest.raises(Unfit, match="out of all proportion"):
        minor_units("1.0000000000000000000000000000000000001", "EUR")


@pytest.mark.parametrize("code", ["XXZ", "XXX", "XAU", "", "euro", "€"])
def test_what_is_not_the_code_of_a_currency_is_refused(code: str) -> None:
    with pytest.raises(Unfit, match="unknown currency"):
        TRANSFORMS["currency"](code)
    with pytest.raises(Unfit, match="unknown currency"):
        exponent(code)


_MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31))  # noqa: DTZ001 - made aware below


@given(_MOMENTS, _MOMENTS)
def test_sortable_times_sort_as_times(one: datetime, other: datetime) -> None:
    sortable = TRANSFORMS["sortable_utc"]
    earlier, later = sorted(moment.replace(tzinfo=UTC) for moment in (one, other))
    assert sortable(earlier) <= sortable(later)
    assert TRANSFORMS["utc"](sortable(later)) == later


@pytest.mark.parametrize("day", ["0001-01-01T00:00:00", "9999-12-31T23:59:59", "9999-12-31"])
def test_the_ends_of_the_calendar_that_stand_for_no_time_are_none(day: str) -> None:
    with pytest.raises(Unfit, match="outside the calendar"):
        TRANSFORMS["utc"](day)
    with pytest.raises(Unfit, match="outside the calendar"):
        TRANSFORMS["local_time"](day, zone="America/New_York")


def test_local_times_follow_their_zone_through_the_year() -> None:
    local_time = TRANSFORMS["local_time"]
    summer = local_time("2026-07-01T12:00:00", zone="America/New_York")
    winter = local_time("2026-12-01T12:00:00", zone="America/New_York")
    told = local_time("2026-12-01T12:00:00+13:00", zone="America/New_York")
    assert (summer.hour, winter.hour, told.hour) == (16, 17, 23)
    with pytest.raises(Unfit, match="unknown time zone 'Mars/Base'"):
        local_time("2026-07-01T12:00:00", zone="Mars/Base")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ("<p>Nice &amp; warm</p>", "Nice & warm"),
        ("a < b and b > c", "a < b and b > c"),
        ("<script>x</script>", "x"),
        ("5 &times; 3<br/>m", "5 × 3 m"),
        ("plain", "plain"),
    ],
)
def test_html_becomes_plain_text(found: str, text: str) -> None:
    assert TRANSFORMS["strip_html"](found) == text


@settings(max_examples=300)
@given(
    amount=st.from_regex(r"[-+ ]?[0-9]{0,20}\.?[0-9]{0,6}0{0,3}[٣ _e]?", fullmatch=True),
    currency=_CURRENCIES,
)
def test_the_short_way_for_usual_amounts_leads_where_decimals_lead(
    amount: str, currency: str
) -> None:
    try:
        scaled = exact(amount).scaleb(exponent(currency))
        if abs(scaled) >= 10**18:
            raise Unfit("more than the store holds")
    except Unfit:
        with pytest.raises(Unfit):
            minor_units(amount, currency)
        with pytest.raises(Unfit):
            rounded_minor_units(amount, currency)
        return
    assert rounded_minor_units(amount, currency) == int(scaled.to_integral_value(ROUND_HALF_UP))
    if scaled == int(scaled):
        assert minor_units(amount, currency) == int(scaled)
    else:
        with pytest.raises(Unfit):
            minor_units(amount, currency)
