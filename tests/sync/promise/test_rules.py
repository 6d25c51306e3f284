"""Which rule decides: the narrowest per field, the careful one between equals, within its dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync.promise.rules import SETTERS, Effective, Rule, RuleSet

TODAY = date(2026, 11, 22)


def effective(
    rules: Sequence[Rule],
    *,
    channel: str = "shop",
    sku: str = "A",
    tags: Sequence[str] = (),
    groups: Sequence[str] = (),
    today: date = TODAY,
) -> Effective:
    return RuleSet(rules).for_listing(channel, sku, tags, groups, today)


def value(rules: Sequence[Rule], name: str, **asked: Any) -> Any:
    return effective(rules, **asked).listing[name].value


def test_without_rules_everything_is_offered() -> None:
    chosen = effective([]).listing
    assert {name: choice.value for name, choice in chosen.items()} == {
        "share_percent": 100,
        "buffer_units": 0,
        "buffer_percent": 0,
        "cap": None,
        "end_when": None,
        "min_publish": None,
        "in_flight_risk": False,
    }


def test_the_narrowest_rule_wins_field_by_field() -> None:
    rules = [
        Rule("all", cap=100, end_when=1),
        Rule("shop", channel="shop", cap=50),
        Rule("fragile", tag="fragile", cap=20, min_publish=3),
        Rule("mug", sku="A", cap=10),
    ]
    chosen = effective(rules, tags=["fragile"]).listing
    assert (chosen["cap"].value, chosen["cap"].rule) == (10, "mug")
    assert (chosen["min_publish"].value, chosen["min_publish"].rule) == (3, "fragile")
    assert (chosen["end_when"].value, chosen["end_when"].rule) == (1, "all")
    assert value(rules, "cap", sku="B", tags=["fragile"]) == 20
    assert value(rules, "cap", sku="B") == 50
    assert value(rules, "cap", sku="B", channel="amazon") == 100


def test_who_names_more_is_narrower_and_a_sku_is_narrower_than_all_else() -> None:
    rules = [
        Rule("sku here", sku="A", channel="shop", cap=1),
        Rule("sku", sku="A", cap=2),
        Rule("tag here", tag="x", channel="shop", cap=3),
    ]
    assert value(rules, "cap", tags=["x"]) == 1
    assert value(rules, "cap", tags=["x"], channel="amazon") == 2
    assert value(rules, "cap", tags=["x"], sku="B") == 3


def test_between_equals_the_dated_rule_and_then_the_careful_value_counts() -> None:
    rules = [
        Rule("x", tag="x", cap=9, share_percent=Decimal(70)),
        Rule("y", tag="y", cap=5, share_percent=Decimal(90)),
    ]
    assert value(rules, "cap", tags=["x", "y"]) == 5
    assert value(rules, "share_percent", tags=["x", "y"]) == 70
    season = Rule("season", tag="x", cap=99, valid_from=date(2026, 11, 20))
    assert value([*rules, season], "cap", tags=["x", "y"]) == 99


def test_a_buffer_is_one_field_with_two_spellings() -> None:
    rules = [Rule("all", buffer_percent=Decimal(10)), Rule("mug", sku="A", buffer_units=2)]
    chosen = effective(rules).listing
    assert (chosen["buffer_units"].value, chosen["buffer_percent"].value) == (2, 0)
    wide = effective(rules, sku="B").listing
    assert (wide["buffer_units"].value, wide["buffer_percent"].value) == (0, 10)


def test_both_ends_of_a_date_window_belong_to_it() -> None:
    rules = [Rule("peak", cap=5, valid_from=date(2026, 11, 20), valid_to=date(2026, 12, 24))]
    inside = (date(2026, 11, 20), date(2026, 12, 24))
    outside = (date(2026, 11, 19), date(2026, 12, 25))
    assert [value(rules, "cap", today=day) for day in inside] == [5, 5]
    assert [value(rules, "cap", today=day) for day in outside] == [None, None]


def test_a_group_decides_for_its_locations_only() -> None:
    rules = [
        Rule("all", share_percent=Decimal(80)),
        Rule("stores", group="stores", share_percent=Decimal(0), buffer_units=2),
    ]
    found = effective(rules, groups=["stores", "eu"])
    assert found.at("stores")["share_percent"].value == 0
    assert found.at("stores")["buffer_units"].value == 2
    assert found.at("eu")["share_percent"].value == 80
    assert found.at("")["buffer_units"].value == 0
    assert found.listing["share_percent"].value == 80


def test_a_digest_tells_content_from_name_and_dates() -> None:
    rule = Rule("a", tag="x", cap=5)
    assert rule.digest == Rule("another name", tag="x", cap=5).digest
    assert rule.digest != Rule("a", tag="x", cap=6).digest
    assert rule.digest != Rule("a", tag="x", cap=5, valid_from=TODAY).digest


names = st.none() | st.sampled_from(["a", "b"])
rules_of = st.lists(
    st.builds(
        Rule,
        name=st.uuids().map(str),
        channel=st.none() | st.sampled_from(["shop", "amazon"]),
        tag=names,
        sku=names,
        valid_from=st.none() | st.just(date(2026, 11, 1)),
        share_percent=st.none() | st.integers(0, 100).map(Decimal),
        buffer_units=st.none() | st.integers(0, 9),
        buffer_percent=st.none() | st.integers(0, 9).map(Decimal),
        cap=st.none() | st.integers(0, 9),
        end_when=st.none() | st.integers(0, 9),
    ),
    max_size=6,
)


@given(rules_of, st.randoms(use_true_random=False))
def test_the_order_of_the_rules_means_nothing(rules: list[Rule], draw: Random) -> None:
    shuffled = draw.sample(rules, len(rules))
    asked: dict[str, Any] = {"sku": "a", "tags": ["a", "b"]}
    first, second = effective(rules, **asked).listing, effective(shuffled, **asked).listing
    assert {name: first[name] for name in SETTERS} == {name: second[name] for name in SETTERS}
