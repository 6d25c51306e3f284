from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import Definition, Definitions, MappingError, Problem
from mappings import canonical as c
from mappings.totals import calculated_total


@pytest.fixture(scope="session")
def amazon(definitions: Definitions) -> Definition:
    return definitions["amazon.orders"]


def official(specs: Path) -> Iterator[dict[str, Any]]:
    """Every order in Amazon's own answers of Orders API 2026-01-01.

    The answers of the older v0 hold orders of another shape, which this connector does not read.
    """
    pairs = specs / "amazon-sp-api" / "sandbox-pairs" / "orders_2026-01-01.json"
    for pair in json.loads(pairs.read_text(encoding="utf-8")):
        for reply in (pair.get("response"), pair.get("example")):
            yield from (reply or {}).get("orders", [])
            yield from [reply["order"]] if reply and "order" in reply else []


def test_every_official_order_maps_and_adds_up(specs: Path, amazon: Definition) -> None:
    seen = []
    for payload in official(specs):
        mapped = amazon.apply(payload)
        order = mapped.record
        assert isinstance(order, c.Order)
        assert mapped.item_problems == ()
        assert len(order.lines) == len(payload["orderItems"])
        assert calculated_total(order) == order.grand_total
        seen.append((order.channel_order_id, order.status, order.currency, order.grand_total))
    assert seen == [
        ("250-1234567-8901234", "ignored", "JPY", 19940),
        ("202-7654321-1098765", "fulfilled", "GBP", 3499),
        ("171-2345678-9012345", "ready", "BRL", 159990),
        ("123-4567890-1234567", "fulfilled", "USD", 15499),
        ("171-9876543-2109876", "ready", "BRL", 29990),
        ("028-1234567-8901234", "fulfilled", "TRY", 12500),
        ("114-9876543-1234567", "ready", "USD", 4999),
        ("202-1234567-8901234", "fulfilled", "GBP", 10397),
    ]


def test_an_order_of_the_old_api_is_parked(specs: Path, amazon: Definition) -> None:
    old = specs / "amazon-sp-api" / "official-sample-responses" / "orders-getOrder.json"
    with pytest.raises(MappingError) as caught:
        amazon.apply(json.loads(old.read_text(encoding="utf-8"))["payload"])
    told = {problem.field for problem in caught.value.problems}
    assert told >= {"channel_order_id", "status", "grand_total", "placed_at"}


def money(amount: str, currency: str = "EUR") -> dict[str, str]:
    return {"amount": amount, "currencyCode": currency}


def row(kind: str, amount: str, **details: str) -> dict[str, Any]:
    body: dict[str, Any] = {"type": kind, "subtotal": money(amount)}
    if details:
        body["detailedBreakdowns"] = [
            {"subtype": subtype, "value": money(value)} for subtype, value in details.items()
        ]
    return body


def item_with(*rows: dict[str, Any], total: str, **parts: Any) -> dict[str, Any]:
    return {
        "orderItemId": "77",
        "quantityOrdered": 2,
        "product": {
            "asin": "B000000001",
            "sellerSku": "MUG-B",
            "title": "Mug &amp; saucer",
            "price": {"unitPrice": money("10.00")},
        },
        "proceeds": {"proceedsTotal": money(total), "breakdowns": list(rows)},
        "fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": 2},
    } | parts


def payload_with(*items: dict[str, Any], total: str = "20.00", **parts: Any) -> dict[str, Any]:
    order: dict[str, Any] = {
        "orderId": "302-0000001-0000001",
        "createdTime": "2026-11-20T09:00:00Z",
        "lastUpdatedTime": "2026-11-20T10:00:00.123Z",
        "salesChannel": {"channelName": "AMAZON", "marketplaceId": "A1PA6795UKMFR9"},
        "buyer": {"buyerName": "Ada Lovelace", "buyerEmail": "X@marketplace.example.com"},
        "recipient": {
            "deliveryAddress": {
                "name": "Ada Lovelace",
                "addressLine1": "Hauptstr. 1",
                "city": "Ulm",
                "postalCode": "89073",
                "countryCode": "DE",
            }
        },
        "proceeds": {"grandTotal": money(total)},
        "fulfillment": {
            "fulfillmentStatus": "UNSHIPPED",
            "fulfilledBy": "MERCHANT",
            "fulfillmentServiceLevel": "STANDARD",
            "deliverByWindow": {"latestDateTime": "2026-11-26T22:59:59Z"},
        },
        "orderItems": list(items) or [item_with(row("ITEM", "20.00"), total="20.00")],
    }
    return order | parts


def test_an_order_is_mapped_field_by_field(amazon: Definition) -> None:
    item = item_with(
        row("ITEM", "20.00"),
        row("SHIPPING", "4.00"),
        row("GIFT_WRAP", "1.00"),
        row("DISCOUNT", "-3.00", ITEM="-2.00", SHIPPING="-1.00"),
        row("TAX", "4.18", ITEM="3.42", SHIPPING="0.76"),
        total="26.18",
        tax={"taxCollections": [{"model": "MARKETPLACE_FACILITATOR"}]},
    )
    order = amazon.apply(payload_with(item, total="26.18")).record
    assert order == c.Order(
        channel_order_id="302-0000001-0000001",
        channel_order_name="302-0000001-0000001",
        sub_channel="A1PA6795UKMFR9",
        status="ready",
        source_version="2026-11-20T10:00:00.123000Z",
        placed_at=datetime(2026, 11, 20, 9, tzinfo=UTC),
        channel_updated_at=datetime(2026, 11, 20, 10, 0, 0, 123000, tzinfo=UTC),
        currency="EUR",
        discount_total=300,
        shipping_total=400,
        tax_total=418,
        grand_total=2618,
        service_name="STANDARD",
        deliver_by_at=datetime(2026, 11, 26, 22, 59, 59, tzinfo=UTC),
        bill_to=c.Address(name="Ada Lovelace", email="x@marketplace.example.com"),
        ship_to=c.Address(
            name="Ada Lovelace",
            street="Hauptstr. 1",
            city="Ulm",
            postcode="89073",
            country="DE",
            email="x@marketplace.example.com",
        ),
        lines=(
            c.OrderLine(
                channel_line_id="77",
                channel_sku="MUG-B",
                channel_product_id="B000000001",
                asin="B000000001",
                title="Mug & saucer",
                quantity=Decimal(2),
                unit_price=1000,
                line_discount_total=200,
                line_total=1800,
                taxes=(
                    c.TaxLine(title="ITEM", amount=342, collected_by="marketplace"),
                    c.TaxLine(title="SHIPPING", amount=76, collected_by="marketplace"),
                ),
            ),
        ),
        adjustments=(
            c.Adjustment(kind="shipping", code="SHIPPING", amount=400),
            c.Adjustment(kind="gift_wrap", code="GIFT_WRAP", amount=100),
            c.Adjustment(kind="shipping_discount", code="SHIPPING", amount=-100),
        ),
    )
    assert calculated_total(order) == order.grand_total


def test_a_discount_without_details_is_the_lines_own(amazon: Definition) -> None:
    item = item_with(row("ITEM", "20.00"), row("DISCOUNT", "-3.00"), total="17.00")
    order = amazon.apply(payload_with(item, total="17.00")).record
    assert (order.lines[0].line_total, order.lines[0].line_discount_total) == (1700, 300)
    assert order.adjustments == ()


@pytest.mark.parametrize(("total", "included"), [("23.80", False), ("20.00", True)])
def test_tax_is_included_where_the_total_is_reached_without_it(
    amazon: Definition, total: str, included: bool
) -> None:
    item = item_with(row("ITEM", "20.00"), row("TAX", "3.80"), total=total)
    order = amazon.apply(payload_with(item, total=total)).record
    assert [tax.included for tax in order.lines[0].taxes] == [included]
    assert calculated_total(order) == order.grand_total


def test_an_unknown_kind_of_money_parks_the_order(amazon: Definition) -> None:
    item = item_with(row("ITEM", "20.00"), row("RECYCLING", "1.00"), total="21.00")
    with pytest.raises(MappingError, match=r"'adjustment' does not know.*found 'RECYCLING'"):
        amazon.apply(payload_with(item, total="21.00"))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING", "pending"),
        ("PENDING_AVAILABILITY", "pending"),
        ("UNSHIPPED", "ready"),
        ("PARTIALLY_SHIPPED", "ready"),
        ("SHIPPED", "fulfilled"),
        ("CANCELLED", "cancelled"),
    ],
)
def test_a_status_says_what_may_be_done(amazon: Definition, word: str, status: str) -> None:
    fulfillment = {"fulfillmentStatus": word, "fulfilledBy": "MERCHANT"}
    assert amazon.apply(payload_with(fulfillment=fulfillment)).record.status == status
    by_amazon = fulfillment | {"fulfilledBy": "AMAZON"}
    assert amazon.apply(payload_with(fulfillment=by_amazon)).record.status == "ignored"


def test_an_unfulfillable_order_of_ours_is_for_a_person(amazon: Definition) -> None:
    fulfillment = {"fulfillmentStatus": "UNFULFILLABLE", "fulfilledBy": "MERCHANT"}
    with pytest.raises(MappingError, match="value table 'status' does not know this value"):
        amazon.apply(payload_with(fulfillment=fulfillment))


@pytest.mark.parametrize("status", ["PENDING", "PENDING_AVAILABILITY", "CANCELLED"])
@pytest.mark.parametrize(("marketplace", "currency"), [("A1VC38T7YXB528", "JPY"), ("X", "")])
def test_a_pending_order_has_no_money_yet(
    amazon: Definition, status: str, marketplace: str, currency: str
) -> None:
    item = {"orderItemId": "77", "quantityOrdered": 2, "product": {"sellerSku": "MUG-B"}}
    payload = payload_with(
        item,
        fulfillment={"fulfillmentStatus": status, "fulfilledBy": "MERCHANT"},
        salesChannel={"marketplaceId": marketplace},
    )
    for section in ("proceeds", "buyer", "recipient"):
        del payload[section]
    if not currency:
        with pytest.raises(MappingError, match="value table 'currency' does not know this value"):
            amazon.apply(payload)
        return
    order = amazon.apply(payload).record
    assert (order.currency, order.grand_total, calculated_total(order)) == (currency, 0, 0)
    assert (order.ship_to, order.bill_to) == (None, None)
    assert order.lines[0].channel_sku == "MUG-B"


def test_an_order_to_ship_without_its_total_is_parked(amazon: Definition) -> None:
    payload = payload_with()
    del payload["proceeds"]
    with pytest.raises(MappingError) as caught:
        amazon.apply(payload)
    assert [problem.field for problem in caught.value.problems] == ["grand_total"]


def test_an_unknown_currency_parks_the_order(amazon: Definition) -> None:
    payload = payload_with(proceeds={"grandTotal": money("20.00", "XXZ")})
    with pytest.raises(MappingError) as caught:
        amazon.apply(payload)
    told = {(problem.field, problem.message) for problem in caught.value.problems}
    assert ("currency", "the value table 'currency' does not know this value") in told


@pytest.mark.parametrize(
    ("fulfillment", "cancelled"),
    [
        ({"quantityFulfilled": 1, "quantityUnfulfilled": 1}, 0),
        ({"quantityFulfilled": 1, "quantityUnfulfilled": 0}, 1),
        ({"quantityFulfilled": 0, "quantityUnfulfilled": 0}, 2),
        ({}, 0),
        (None, 0),
    ],
)
def test_what_neither_shipped_nor_will_is_cancelled(
    amazon: Definition, fulfillment: Any, cancelled: int
) -> None:
    item = item_with(row("ITEM", "20.00"), total="20.00", fulfillment=fulfillment)
    assert amazon.apply(payload_with(item)).record.lines[0].quantity_cancelled == cancelled


def test_a_cancellation_that_nobody_answered_holds_the_order(amazon: Definition) -> None:
    asked: dict[str, Any] = {"cancellationRequest": {"requester": "BUYER"}}
    answered = asked | {"cancellationExecution": {"cancelledBy": "MERCHANT"}}
    found = []
    others: list[Any] = [answered, None, {}, {"cancellationRequest": {}}]
    for cancellation in (asked, *others):
        item = item_with(row("ITEM", "20.00"), total="20.00", cancellation=cancellation)
        order = amazon.apply(payload_with(item)).record
        found.append((order.status, order.lines[0].cancel_requested))
    assert found[0] == ("pending", True)
    assert set(found[1:]) == {("ready", False)}


def test_payment_on_delivery_is_not_captured(amazon: Definition) -> None:
    paid = {"paymentMethod": "CreditCard", "paymentAmount": money("15.00")}
    due = {"paymentMethod": "CashOnDelivery", "paymentAmount": money("5.00")}
    payload = payload_with(payment={"paymentExecutions": [paid, due]})
    payments = amazon.apply(payload).record.payments
    assert [(payment.method, payment.state, payment.amount_captured) for payment in payments] == [
        ("card", "captured", 1500),
        ("cod", "pending", 0),
    ]


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(place=st.integers(0, 10_000), value=_VALUES)
def test_one_spoiled_value_never_crashes(
    amazon: Definition, spoil: Callable[[Any, int, Any], Any], place: int, value: Any
) -> None:
    try:
        outcome: object = amazon.apply(spoil(payload_with(), place, value)).record
    except MappingError as error:
        outcome = error.problems[0]
    assert isinstance(outcome, c.Order | Problem)
