"""Payloads that are written to do harm, or that no database could keep: each parked with a reason.

One record that cannot be stored would otherwise stop the page it came on, and its channel for good.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from benchmarks.clock import measured
from mappings import Definition, MappingError
from mappings import canonical as c
from mappings.problems import Unfit
from mappings.steps import signature
from mappings.transforms import TRANSFORMS
from tests.mappings.test_hostile import HEAD, STOCK

Define = Callable[[str], Definition]


@pytest.mark.parametrize(
    "number",
    ["1e999999999", "-1E-999999999", "9" * 5_000, "1" + "0" * 30, "NaN", "-Infinity", "٣", "1_0"],
)
@pytest.mark.parametrize("transform", ["quantity", "decimal", "quantity_absolute"])
def test_a_number_bomb_in_a_payload_is_a_problem(
    define: Define, number: str, transform: str
) -> None:
    definition = define(STOCK.removeprefix(HEAD).replace("quantity", transform))
    with pytest.raises(MappingError, match=r"on_hand: (not a|a number out of all proportion)"):
        definition.apply({"sku": "A", "n": number})


@pytest.mark.parametrize("transform", ["money", "money_rounded", "money_sum", "money_negated"])
def test_a_money_bomb_in_a_payload_is_a_problem(define: Define, transform: str) -> None:
    definition = define(
        "target = 'Order'\n[fields]\nchannel_order_id = 'id'\nstatus = { value = 'ready' }\n"
        "source_version = 'id'\nplaced_at = { from = 'at', as = 'utc' }\n"
        "channel_updated_at = { from = 'at', as = 'utc' }\ncurrency = 'currency'\n"
        "grand_total = { from = 'total', as = 'money', with = { currency = 'currency' } }\n"
        + _tax_by(transform)
    )
    bombs = ["1e999999999", "9" * 5_000, 10**5_000, Decimal("1E+999999999"), 1e300]
    for bomb in bombs:
        payload = {"id": "1", "at": "2026-11-21", "currency": "EUR", "total": bomb, "tax": bomb}
        with pytest.raises(MappingError, match="grand_total: a number out of all proportion"):
            definition.apply(payload)


def _tax_by(transform: str) -> str:
    source = "[tax]" if transform == "money_sum" else "tax"
    rule = f"from = '{source}', as = '{transform}', with = {{ currency = 'currency' }}"
    return f"tax_total = {{ {rule} }}\n"


def test_a_whole_number_that_python_does_not_write_is_a_problem(define: Define) -> None:
    definition = define(STOCK.removeprefix(HEAD).replace('"sku"', '{ from = "sku", as = "text" }'))
    with pytest.raises(MappingError, match="sku: a number out of all proportion"):
        definition.apply({"sku": 10**5_000, "n": 1})


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sku": "A", "n": ' + b"1" * 5_000 + b"}",
        b'{"sku": "A", "n": 1e999999999}',
        b'{"sku": "\\ud800", "n": 1}',
        b'{"sku": "A", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"sku": "\xff", "n": 1}',
        b"\xef\xbb\xbf{}",
        b"[1]",
        b"",
    ],
)
def test_json_that_is_no_payload_is_one_problem(define: Define, payload: bytes) -> None:
    with pytest.raises(MappingError) as refused:
        define(STOCK.removeprefix(HEAD)).apply(payload)
    (problem,) = refused.value.problems
    assert str(problem).isprintable()
    assert len(str(problem)) < 200


def test_endless_text_is_not_searched_for_what_to_hide(define: Define) -> None:
    definition = define(STOCK.removeprefix(HEAD))
    payload = {"sku": "A", "n": "x" * 10**7}
    with measured() as cost, pytest.raises(MappingError, match="on_hand: a number out of all"):
        definition.apply(payload)
    assert cost.cpu_s < 1


@pytest.mark.parametrize("name", sorted(TRANSFORMS))
def test_no_transform_takes_for_ever_over_endless_text(name: str) -> None:
    given: dict[str, Any] = {
        "currency": "EUR",
        "zone": "UTC",
        "country": "US",
        "line": 1,
        "longest": 35,
    }
    given |= {"table": [{"id": "x" * 10**6}], "key": "id", "give": "id"}
    arguments = {key: given[key] for key in signature(name).arguments if key in given}
    with measured() as cost:
        for part in ("<a", "&#", "a", "9", " ", "+1", "-", "a@", "\u0301"):
            endless = part * (10**6 // len(part))
            for value in (endless, [endless, endless]):
                with contextlib.suppress(Unfit):
                    TRANSFORMS[name](value, **arguments)
    assert cost.cpu_s < 2


TWICE = " | ".join(["[@, @]"] * 40)
"""Forty small lists; written out they would have 2**40 elements."""


def test_a_value_table_does_not_write_out_what_doubles(define: Define) -> None:
    definition = define(
        f"target = 'TrackingEvent'\n[fields]\ncode = {{ from = '{TWICE}', values = 'code' }}\n"
        "occurred_at = { from = 'at', as = 'utc' }\n[values.code.map]\npending = ['x']\n"
    )
    with measured() as cost, pytest.raises(MappingError, match="the value table 'code' does not"):
        definition.apply(b'{"at": "2026-11-21"}')
    assert cost.cpu_s < 1


def test_a_look_up_does_not_write_out_what_doubles(define: Define) -> None:
    look_up = f"table = '[{{id: {TWICE}}}]', key = {{ value = 'id' }}, give = {{ value = 'id' }}"
    definition = define(
        "target = 'StockCount'\n[fields]\non_hand = { from = 'n', as = 'quantity' }\n"
        f"sku = {{ from = 'sku', as = ['look_up', 'text'], with = {{ {look_up} }} }}\n"
    )
    with measured() as cost, pytest.raises(MappingError, match="sku: missing"):
        definition.apply(b'{"sku": "A", "n": 1}')
    assert cost.cpu_s < 1


def test_a_path_of_hundreds_of_keys_is_read_like_any_other(define: Define) -> None:
    lines = ".\n".join(".".join("a" * 50) for _ in range(9))
    definition = define(STOCK.removeprefix(HEAD).replace('"sku"', f"'''{lines}'''"))
    for payload in ({"a": {"a": 1}, "n": 1}, b'{"a": {"a": 1}, "n": 1}'):
        with pytest.raises(MappingError, match="sku: missing"):
            definition.apply(payload)


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b'{"sku": "a\\u0000b", "n": 1}', "sku: holds U+0000, which no database keeps"),
        (b'{"sku": "A", "n": 1000000000000}', "on_hand: a number out of all proportion"),
        (b'{"sku": "A", "n": "1.00000000000000001"}', "on_hand: more than 6 decimals"),
    ],
)
def test_what_the_store_could_not_keep_is_a_problem(
    define: Define, payload: bytes, problem: str
) -> None:
    with pytest.raises(MappingError) as refused:
        define(STOCK.removeprefix(HEAD)).apply(payload)
    assert [str(one).startswith(problem) for one in refused.value.problems] == [True]


def test_a_nul_in_what_nobody_reads_is_none_of_our_business(define: Define) -> None:
    definition = define(STOCK.removeprefix(HEAD))
    assert definition.apply(b'{"sku": "\\\\u0000", "n": 1, "x": "\\u0000"}').record.sku == "\\u0000"


def test_what_a_payload_says_is_no_code(define: Define) -> None:
    evil: Any = "__import__('os').system('true') #{{7*7}} ${7*7} %s {0} \\"
    record = define(STOCK.removeprefix(HEAD)).apply({"sku": evil, "n": 1}).record
    assert record == c.StockCount(sku=evil, on_hand=Decimal(1))


def test_a_time_zone_is_no_path(define: Define) -> None:
    definition = define(
        "target = 'TrackingEvent'\n[fields]\ncode = { value = 'pending' }\n"
        "occurred_at = { from = 'at', as = 'local_time', with = { zone = 'zone' } }\n"
    )
    for zone in ("../../../../etc/passwd", "/etc/passwd", "x" * 5_000, "\x00"):
        with pytest.raises(MappingError, match="occurred_at: unknown time zone"):
            definition.apply({"at": "2026-11-21", "zone": zone})
    made = definition.apply({"at": "2026-11-21T12:00:00", "zone": "Europe/Berlin"}).record
    assert made.occurred_at == datetime(2026, 11, 21, 11, tzinfo=UTC)
