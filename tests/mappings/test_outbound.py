"""The same language the other way: a canonical record becomes the body of a request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from mappings import Definition, MappingError
from mappings import canonical as c

Define = Callable[[str], Definition]

REQUEST = c.FulfilmentRequest(
    reference="FO-1",
    order_name="1001",
    placed_at=datetime(2026, 11, 21, 10, tzinfo=UTC),
    currency="EUR",
    ship_to=c.Address(name="Ada", city="Ulm"),
    lines=(
        c.FulfilmentLine(line_reference="1", sku="A", quantity=Decimal(2), unit_price=1250),
        c.FulfilmentLine(line_reference="2", sku="B", quantity=Decimal("1.5")),
    ),
)

BODY = """
target = "request"
source = "FulfilmentRequest"
[fields]
"shipment.reference" = "reference"
shipment.placed = { from = "placed_at", as = "iso_utc" }
channel = "$.context.channel"
kind = { value = { code = "DTC", tags = ["x"] } }
note = { from = "service_name" }
[one."shipment.to"]
from = "ship_to"
[one."shipment.to".fields]
name = "name"
city = "city"
company = "company"
[each."shipment.items"]
from = "lines"
[each."shipment.items".fields]
sku = "sku"
qty = { from = "quantity", as = "decimal_text" }
price = { from = "unit_price", as = "money_number", with = { currency = "$.currency" } }
order = "^.order_name"
"""


def test_a_record_becomes_a_request(define: Define) -> None:
    assert define(BODY).render(REQUEST, {"channel": 7}) == {
        "shipment": {
            "reference": "FO-1",
            "placed": "2026-11-21T10:00:00Z",
            "to": {"name": "Ada", "city": "Ulm", "company": ""},
            "items": [
                {"sku": "A", "qty": "2", "price": 12.5, "order": "1001"},
                {"sku": "B", "qty": "1.5", "price": 0.0, "order": "1001"},
            ],
        },
        "channel": 7,
        "kind": {"code": "DTC", "tags": ["x"]},
        "note": "",
    }


def test_nulls_are_left_out_and_empties_where_the_definition_says_so(define: Define) -> None:
    omitting = define(BODY.replace("[fields]", 'empty = "omit"\n[fields]', 1))
    assert omitting.render(msgspec.structs.replace(REQUEST, lines=())) == {
        "shipment": {
            "reference": "FO-1",
            "placed": "2026-11-21T10:00:00Z",
            "to": {"name": "Ada", "city": "Ulm"},
        },
        "kind": {"code": "DTC", "tags": ["x"]},
    }


def test_what_cannot_be_sent_is_a_problem(define: Define) -> None:
    definition = define(
        """
target = "request"
source = "FulfilmentRequest"
[fields]
all = "lines[]"
"""
    )
    with pytest.raises(MappingError, match="a decimal cannot be sent without a transform"):
        definition.render(REQUEST)


def test_a_fraction_for_a_vendor_of_whole_pieces_is_a_problem(define: Define) -> None:
    definition = define(BODY.replace("decimal_text", "whole_number"))
    with pytest.raises(MappingError) as caught:
        definition.render(REQUEST, {"channel": 1})
    assert [str(problem) for problem in caught.value.problems] == [
        "shipment.items[1].qty: not a whole number, found Decimal('1.5') at 'quantity' "
        "(test.it.toml:23)"
    ]


def test_a_value_table_leads_to_the_vendors_word(define: Define) -> None:
    definition = define(
        """
target = "request"
source = "TrackingNotice"
[fields]
carrier = { from = "carrier", values = "carrier" }
done = { from = "complete", values = "done" }
[values.carrier]
otherwise = "OTHER"
[values.carrier.map]
DPD_DE = ["dpd"]
[values.done.map]
completed = ["true"]
open = ["false"]
"""
    )
    notice = c.TrackingNotice(
        channel_order_id="1",
        package_reference="1",
        carrier="dpd",
        tracking_number="2",
        shipped_at=datetime(2026, 11, 21, tzinfo=UTC),
        lines=(),
        complete=False,
    )
    assert definition.render(notice) == {"carrier": "DPD_DE", "done": "open"}
