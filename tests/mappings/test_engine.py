"""What the language does with a payload, inbound."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import Definition, Definitions, MappingError, Problem
from mappings import canonical as c

Define = Callable[[str], Definition]

COUNT = """
target = "StockCount"
[fields]
sku = { from = "sku", as = "strip" }
on_hand = "count"
location_code = { from = "place", optional = true }
"""

SHIPMENT = """
target = "Shipment"
[fields]
reference = "ref"
external_id = "id"
state = { from = "state", values = "state" }
shipped_at = { from = "at", as = "utc", optional = true }
carrier = { from = "carrier", default = "DPD" }
service_name = { value = "Classic" }
[each.packages]
from = "boxes"
at_fault = "item"
unique = "tracking_number"
[each.packages.fields]
tracking_number = { from = "no", as = "text" }
carrier = { from = "^.carrier", optional = true }
tracking_url = { from = "$.url", optional = true }
[each.packages.each.lines]
from = "items"
when = "qty"
[each.packages.each.lines.fields]
sku = "sku"
quantity = "qty"
[values.state]
[values.state.map]
shipped = ["done", 3, true]
cancelled = ["void"]
"""


_OTHERWISE = 'otherwise = "exception"\n[values.state.map]'


def problems(definition: Definition, payload: Any) -> list[str]:
    with pytest.raises(MappingError) as caught:
        definition.apply(payload)
    return [f"{problem.field}: {problem.message}" for problem in caught.value.problems]


def test_a_payload_becomes_a_record(define: Define) -> None:
    mapped = define(SHIPMENT).apply(
        {
            "ref": "S1",
            "id": 7,
            "state": "done",
            "at": "2026-11-21T10:00:00+01:00",
            "carrier": "UPS",
            "url": "https://example.org",
            "boxes": [{"no": 11, "items": [{"sku": "A", "qty": 2}, {"sku": "B"}]}],
        }
    )
    assert mapped.item_problems == ()
    assert mapped.record == c.Shipment(
        reference="S1",
        external_id="7",
        state="shipped",
        carrier="UPS",
        service_name="Classic",
        shipped_at=datetime(2026, 11, 21, 9, tzinfo=UTC),
        packages=(
            c.Package(
                tracking_number="11",
                carrier="UPS",
                tracking_url="https://example.org",
                lines=(c.ShippedLine(sku="A", quantity=Decimal(2)),),
            ),
        ),
    )


def test_what_is_absent_takes_the_default_or_is_a_problem(define: Define) -> None:
    definition = define(SHIPMENT)
    mapped = definition.apply({"ref": "S1", "id": "7", "state": "done", "at": ""})
    assert mapped.record.carrier == "DPD"
    assert mapped.record.shipped_at is None
    assert mapped.record.packages == ()
    assert problems(definition, {"ref": None, "id": "", "at": "yesterday"}) == [
        "reference: missing",
        "external_id: missing",
        "state: missing",
        "shipped_at: not an ISO 8601 time",
    ]


@pytest.mark.parametrize("spelling", ["done", 3, "3", True, "true"])
def test_a_value_table_knows_text_numbers_and_booleans(define: Define, spelling: Any) -> None:
    record = define(SHIPMENT).apply({"ref": "S1", "id": "7", "state": spelling}).record
    assert record.state == "shipped"


def test_an_unknown_value_parks_and_names_the_table_and_the_value(define: Define) -> None:
    with pytest.raises(MappingError) as caught:
        define(SHIPMENT).apply({"ref": "S1", "id": "7", "state": "on-its-way"})
    (problem,) = caught.value.problems
    assert problem.field == "state"
    assert problem.expression == "state"
    assert problem.value == "'on-its-way'"
    assert problem.message == "the value table 'state' does not know this value"
    assert problem.file == "test.it.toml"
    assert str(caught.value) == (
        "test.it: state: the value table 'state' does not know this value, "
        "found 'on-its-way' at 'state' (test.it.toml:9)"
    )


def test_otherwise_stands_in_for_every_unknown_value(define: Define) -> None:
    definition = define(SHIPMENT.replace("[values.state.map]", _OTHERWISE))
    assert definition.apply({"ref": "S", "id": "7", "state": "?"}).record.state == "exception"


def test_an_item_at_fault_is_set_aside_and_the_record_goes_on(define: Define) -> None:
    bad = {"no": None, "items": [{"sku": "A", "qty": "x"}]}
    mapped = define(SHIPMENT).apply(
        {"ref": "S1", "id": "7", "state": "done", "boxes": [{"no": "1"}, bad, {"no": "2"}]}
    )
    assert [package.tracking_number for package in mapped.record.packages] == ["1", "2"]
    (item,) = mapped.item_problems
    assert (item.field, item.index, item.raw) == ("packages", 1, bad)
    assert [str(problem) for problem in item.problems] == [
        "tracking_number: missing at 'no' (test.it.toml:18)",
        "lines[0].quantity: not a number, found 'x' at 'qty' (test.it.toml:26)",
    ]


def test_a_failing_record_tells_the_problems_of_its_items_as_well(define: Define) -> None:
    payload = {"id": "7", "state": "done", "boxes": [{"no": "1"}, {"no": ""}]}
    assert problems(define(SHIPMENT), payload) == [
        "reference: missing",
        "packages[1].tracking_number: missing",
    ]


def test_equal_repetitions_count_once_and_different_ones_are_a_problem(define: Define) -> None:
    boxes = [{"no": "1"}, {"no": "1"}, {"no": "1", "items": [{"sku": "A", "qty": 1}]}]
    mapped = define(SHIPMENT).apply({"ref": "S", "id": "7", "state": "done", "boxes": boxes})
    assert len(mapped.record.packages) == 1
    (item,) = mapped.item_problems
    assert item.index == 2
    assert item.problems[0].message == "two different items have the same value here"


def test_a_lone_object_is_a_list_of_one_and_anything_else_no_list(define: Define) -> None:
    payload = {"ref": "S", "id": "7", "state": "done", "boxes": {"no": "1"}}
    assert len(define(SHIPMENT).apply(payload).record.packages) == 1
    assert problems(define(SHIPMENT), payload | {"boxes": "1"}) == ["packages: not a list"]


def test_variants_of_a_nested_record_are_tried_in_order(define: Define) -> None:
    definition = define(
        """
target = "LabelRequest"
[fields]
reference = "ref"
weight_g = "grams"
currency = { value = "EUR" }
[one.ship_from]
[one.ship_from.fields]
city = "from_city"
[[one.ship_to]]
from = "to"
when = "city"
[one.ship_to.fields]
city = "city"
[[one.ship_to]]
from = "bill"
[one.ship_to.fields]
city = "town"
"""
    )
    payload = {"ref": "R", "grams": 5, "from_city": "Bonn"}
    shipping = payload | {"to": {"city": "Ulm"}, "bill": {"town": "Kiel"}}
    assert definition.apply(shipping).record.ship_to.city == "Ulm"
    assert definition.apply(shipping).record.ship_from.city == "Bonn"
    # PHP writes an empty object as an empty list.
    assert definition.apply(shipping | {"to": []}).record.ship_to.city == "Kiel"
    assert problems(definition, payload) == ["ship_to: missing"]
    assert problems(definition, shipping | {"to": None, "bill": {}}) == ["ship_to.city: missing"]


def test_lists_of_several_sources_are_put_one_after_the_other(define: Define) -> None:
    definition = define(
        """
target = "Package"
[fields]
tracking_number = "no"
[[each.lines]]
from = "goods"
[each.lines.fields]
quantity = "qty"
[[each.lines]]
from = "gifts"
[each.lines.fields]
sku = { value = "GIFT" }
quantity = "qty"
"""
    )
    record = definition.apply({"no": 1, "goods": [{"qty": 1}], "gifts": [{"qty": 2}]}).record
    assert [(line.sku, line.quantity) for line in record.lines] == [("", 1), ("GIFT", 2)]
    assert problems(definition, {"no": 1, "goods": [{"qty": None}]}) == [
        "lines[0].quantity: missing"
    ]


@pytest.mark.parametrize(
    ("kind", "found", "becomes"),
    [
        ("str", 12, "12"),
        ("str", "", ""),
        ("int", "12", 12),
        ("int", 12.0, 12),
        ("bool", 1, True),
        ("Decimal", 1.1, Decimal("1.1")),
    ],
)
def test_without_a_transform_the_type_chooses(
    define: Define, kind: str, found: Any, becomes: Any
) -> None:
    field = {"str": "title", "int": "quantity", "bool": "quantity_managed", "Decimal": "on_hand"}
    target = "StockCount" if kind == "Decimal" else "Listing"
    required = {
        "StockCount": ['sku = { value = "A" }'],
        "Listing": [
            'external_product_id = { value = "1" }',
            'external_variant_id = { value = "2" }',
        ],
    }
    lines = [f'target = "{target}"', "[fields]", *required[target], f'{field[kind]} = "x"']
    record = define("\n".join(lines)).apply({"x": found}).record
    assert getattr(record, field[kind]) == becomes
    assert type(getattr(record, field[kind])) is type(becomes)


def test_an_argument_that_is_missing_or_unfit_is_told_once(define: Define) -> None:
    definition = define(
        """
target = "Order"
[fields]
channel_order_id = "id"
status = { value = "ready" }
source_version = "v"
placed_at = { from = "at", as = "utc" }
channel_updated_at = { from = "at", as = "utc" }
currency = { from = "cur", as = "currency" }
grand_total = { from = "total", as = "money", with = { currency = "cur" } }
[each.lines]
from = "rows"
at_fault = "item"
[each.lines.fields]
channel_line_id = "id"
quantity = "qty"
line_total = { from = "total", as = "money", with = { currency = "$.cur" } }
"""
    )
    row = {"id": 1, "qty": 1, "total": "1.00"}
    payload = {"id": 1, "v": 1, "at": "2026-01-01", "total": "2.00", "rows": [row, row]}
    assert problems(definition, payload | {"cur": "XXZ"}) == ["currency: unknown currency 'XXZ'"]
    assert problems(definition, payload | {"cur": 978}) == [
        "currency: unknown currency '978'",
        "grand_total: currency is not text at 'cur'",
        "lines[0].line_total: currency is not text at '$.cur'",
    ]
    assert problems(definition, payload) == [
        "currency: missing",
        "grand_total: currency is missing at 'cur'",
        "lines[0].line_total: currency is missing at '$.cur'",
    ]


def test_an_expression_that_fails_on_the_payload_is_a_problem(define: Define) -> None:
    body = COUNT.replace('on_hand = "count"', 'on_hand = "length(count)"')
    assert problems(define(body), {"sku": "A", "count": 3}) == [
        "on_hand: the expression fails on this payload: JMESPathTypeError"
    ]
    scoped = SHIPMENT.replace('from = "boxes"', 'from = "keys(boxes)"')
    payload = {"ref": "S", "id": "7", "state": "done", "boxes": []}
    assert problems(define(scoped), payload) == [
        "packages: the expression fails on this payload: JMESPathTypeError"
    ]


@pytest.mark.parametrize("payload", [None, [], "text", 3])
def test_a_payload_that_is_no_object_is_a_problem(define: Define, payload: Any) -> None:
    assert problems(define(COUNT), payload) == [": the payload is not an object"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "line_items", "total", "currency", "status", "shipping"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(payload=st.dictionaries(st.sampled_from(["id", "line_items", "orderItems"]), _JSON))
def test_no_payload_makes_a_mapping_crash(definitions: Definitions, payload: Any) -> None:
    for definition in definitions.values():
        if definition.source is None:
            try:
                outcome: object = definition.apply(payload).record
            except MappingError as error:
                outcome = error.problems[0]
            assert isinstance(outcome, c.Record | Problem)
