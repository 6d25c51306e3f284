"""Which rule speaks, and for which orders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sync.routing.policy import rate_of, settle
from sync.routing.rules import Rate, When
from tests.sync.routing.scenes import NOW, order, rule, rules


def test_of_every_key_the_first_rule_that_fits_and_sets_it_decides() -> None:
    policy = settle(
        rules(
            rule("abroad", When(country=("FR",)), priority=1),
            rule("first", priority=2),
            rule("second", priority=3, split=False),
        ),
        order([("A", 1)]),
    )
    assert (policy.settled.priority, policy.settled.split) == (2, False)
    assert policy.by == {"priority": "first", "split": "second"}


@pytest.mark.parametrize(
    ("when", "fitting", "other"),
    [
        ({"channel": ("shop-*",)}, {}, {"channel": "amazon"}),
        ({"sub_channel": ("A1*",)}, {"sub_channel": "A1PA"}, {"sub_channel": "B2"}),
        ({"country": ("AT", "de")}, {}, {"country": "FR"}),
        ({"postcode": ("10*",)}, {}, {"postcode": "80331"}),
        ({"service": ("*express*",)}, {"service": "DHL Express"}, {"service": "DHL"}),
        ({"sku": ("A*",)}, {}, {"lines": ()}),
        ({"tag": ("fragile",)}, {"tags": ("fragile",)}, {}),
        ({"currency": ("EUR",)}, {}, {"currency": "USD"}),
        ({"value_from": 5000}, {}, {"value": 4999}),
        ({"value_below": 5001}, {}, {"value": 5001}),
        # Fifty dollars are neither more nor less than fifty euros.
        ({"value_from": 0}, {}, {"currency": "USD"}),
        ({"weight_from": 1000, "weight_below": 1001}, {}, {"lines": ()}),
        ({"b2b": True}, {"b2b": True}, {}),
        ({"b2b": False}, {}, {"b2b": True}),
        ({"hazmat": True}, {"hazmat": ("A",)}, {}),
        ({"earlier_orders_below": 1}, {"earlier_orders": 0}, {"earlier_orders": 1}),
        # Of a buyer without an e-mail address nothing is known.
        ({"earlier_orders_from": 0}, {"earlier_orders": 3}, {"earlier_orders": None}),
    ],
)
def test_a_rule_is_for_the_orders_it_names(
    when: dict[str, Any], fitting: dict[str, Any], other: dict[str, Any]
) -> None:
    book = rules(rule(when=When(**when), priority=7))
    here, there = order([("A", 2)], **fitting), _changed(other)
    assert settle(book, here).settled.priority == 7
    assert settle(book, there).settled.priority is None


def _changed(given: dict[str, Any]) -> Any:
    lines = [("A", 2)] if given.pop("lines", None) is None else []
    return order(lines, **given)


def test_the_channels_promise_comes_before_the_rules() -> None:
    book = rules(rule(promise_days=3))
    assert settle(book, order([("A", 1)])).due_at == NOW + timedelta(days=3)
    told = NOW + timedelta(days=1)
    assert settle(book, order([("A", 1)], due_at=told)).due_at == told


def test_a_hold_that_a_person_lifted_is_over_and_the_next_rules_hold_counts() -> None:
    book = rules(rule("fraud", hold="look"), rule("big", hold="phone"))
    assert settle(book, order([("A", 1)])).by == {"hold": "fraud"}
    assert settle(book, order([("A", 1)], passed=("fraud",))).by == {"hold": "big"}
    assert settle(book, order([("A", 1)], passed=("fraud", "big"))).by == {}


@pytest.mark.parametrize(
    ("given", "code", "parcel"),
    [
        ({}, "berlin", 1),
        ({}, "prague", 2),
        ({"lines": 11}, "berlin", 2),
        ({"country": "AT", "postcode": "1010"}, "berlin", 2),
        ({"country": "FR", "postcode": "75001"}, "berlin", 3),
        ({"country": "FR", "postcode": "20000"}, "berlin", 4),
        ({"country": "US", "postcode": "10117"}, "berlin", None),
    ],
)
def test_the_first_rate_for_the_way_and_the_weight_counts(
    given: dict[str, Any], code: str, parcel: int | None
) -> None:
    table = (
        Rate(parcel=1, from_=("berlin",), to=("DE",), up_to_g=5000),
        Rate(parcel=2, to=("near",)),
        Rate(parcel=3, to=("FR-75*",)),
        Rate(parcel=4, to=("FR",)),
    )
    book = rules(rates=table, zones={"near": ("DE", "AT")})
    units = given.pop("lines", 1)
    found = rate_of(book, order([("A", units)], **given), code)
    assert (found.parcel if found else None) == parcel
