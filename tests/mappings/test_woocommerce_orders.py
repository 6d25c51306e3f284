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

# Recorded orders whose parts do not add up to their own total, with the variance in minor units.
# Variance is found and told, never repaired: an order like these is held by the sync.
VARIANCES = {
    # The app's authors added a fee of 125.50 and shipping of 133.00 to a recorded order, and tax
    # lines of 7.71, without its totals (31.20). The copies of that order say the same.
    ("order.json", 963): 26501,
    ("orders-load-all.json", 963): 26501,
    ("order-alternative-types.json", 963): 26501,
    ("order-auto-draft-status.json", 963): 26501,
    ("order-with-special-character-currency.json", 963): 26501,
    # Only two of its five lines were left in when it was shortened.
    ("order-with-bundled-line-items.json", 357): -4500,
    # Its shipping line (7.00 and 0.62 tax) was taken out.
    ("order-with-faulty-attributes.json", 656): -762,
}


@pytest.fixture(scope="session")
def woocommerce(definitions: Definitions) -> Definition:
    return definitions["woocommerce.orders"]


def orders_in(part: Any) -> Iterator[dict[str, Any]]:
    """Orders anywhere in a document: alone, in lists, in a Jetpack envelope, in a batch reply.

    Request bodies have no id yet and are no orders.
    """
    if isinstance(part, list):
        for inner in part:
            yield from orders_in(inner)
    elif isinstance(part, dict):
        if "line_items" in part and "status" in part and isinstance(part.get("id"), int | str):
            yield part
        for inner in part.values():
            yield from orders_in(inner)


def recorded(specs: Path) -> list[tuple[str, dict[str, Any]]]:
    folder = specs / "woocommerce"
    files = [folder / "payloads" / "orders.json", *(folder / "recorded-responses").glob("*.json")]
    return [
        (file.name, order)
        for file in sorted(files)
        for order in orders_in(json.loads(file.read_text(encoding="utf-8")))
    ]


def test_every_recorded_order_maps_or_says_why_not(specs: Path, woocommerce: Definition) -> None:
    mapped: list[str] = []
    parked: list[str] = []
    variances: dict[tuple[str, int], int] = {}
    for name, payload in recorded(specs):
        try:
            result = woocommerce.apply(payload)
        except MappingError:
            parked.append(name)
            continue
        mapped.append(name)
        order = result.record
        assert isinstance(order, c.Order)
        assert result.item_problems == ()
        assert order.channel_order_id == str(payload["id"])
        distinct = {line["id"] for line in payload["line_items"]}
        assert len(order.lines) == len(distinct)
        assert order.grand_total == int(Decimal(payload["total"]) * 100)
        variance = calculated_total(order) - order.grand_total
        if variance:
            variances[name, payload["id"]] = variance
    assert (len(mapped), parked) == (37, ["broken-order.json", "broken-orders.json"])
    assert variances == VARIANCES


def test_a_draft_without_dates_is_parked_with_every_reason(
    specs: Path, woocommerce: Definition
) -> None:
    (draft,) = (order for name, order in recorded(specs) if name == "broken-order.json")
    with pytest.raises(MappingError) as caught:
        woocommerce.apply(draft)
    assert [(problem.field, problem.message) for problem in caught.value.problems] == [
        ("source_version", "missing"),
        ("placed_at", "missing"),
        ("channel_updated_at", "missing"),
    ]


def test_a_line_that_a_shop_answers_twice_counts_once(specs: Path, woocommerce: Definition) -> None:
    doubled = [order for name, order in recorded(specs) if name == "broken-orders-mark-2.json"]
    assert len(doubled) == 6
    records = [woocommerce.apply(order).record for order in doubled]
    assert [len(order["line_items"]) for order in doubled] == [2, 2, 2, 2, 2, 2]
    assert [len(record.lines) for record in records] == [1, 1, 1, 1, 1, 2]
    assert all(calculated_total(record) == record.grand_total for record in records)


def test_gift_cards_lower_the_total_and_their_codes_stay_out(
    specs: Path, woocommerce: Definition
) -> None:
    (payload,) = (order for name, order in recorded(specs) if name == "order-with-gift-cards.json")
    order = woocommerce.apply(payload).record
    cards = [part for part in order.adjustments if part.kind == "other"]
    assert [(card.title, card.amount) for card in cards] == [
        ("Gift card", -2000),
        ("Gift card", -400),
    ]
    assert not [card["code"] for card in payload["gift_cards"] if card["code"] in str(order)]


def test_refunds_read_on_their_own_bring_their_lines(specs: Path, woocommerce: Definition) -> None:
    refunds = specs / "woocommerce" / "recorded-responses" / "order-560-all-refunds.json"
    (payload,) = (
        order
        for name, order in recorded(specs)
        if name == "orders-load-all.json" and order["id"] == 560
    )
    short = woocommerce.apply(payload).record.refunds
    full = json.loads(refunds.read_text(encoding="utf-8"))["data"]
    attached = woocommerce.apply(payload | {"refunds": full}).record
    assert [(refund.external_id, refund.amount) for refund in short] == [
        (refund.external_id, refund.amount) for refund in attached.refunds
    ]
    assert short[0].lines == ()
    assert attached.refunds[0].refunded_at == datetime(2020, 1, 23, 19, 29, 55, tzinfo=UTC)
    assert attached.refunds[0].lines == (
        c.RefundLine(channel_line_id="64", quantity=Decimal(2), amount=6300),
    )
    bought = {line.channel_line_id for line in attached.lines}
    returned = [line.channel_line_id for refund in attached.refunds for line in refund.lines]
    assert returned
    assert set(returned) <= bought
    for refund in attached.refunds:
        assert sum(line.amount + line.tax_amount for line in refund.lines) == refund.amount


def address(**parts: str) -> dict[str, str]:
    return {"first_name": "Ada", "last_name": " Lovelace", "country": "UK"} | parts


def payload_with(**parts: Any) -> dict[str, Any]:
    order: dict[str, Any] = {
        "id": 7,
        "number": "1007",
        "status": "processing",
        "currency": "EUR",
        "date_created_gmt": "2026-11-20T09:00:00",
        "date_modified_gmt": "2026-11-20T10:00:00",
        "date_paid_gmt": "2026-11-20T09:01:00",
        "prices_include_tax": True,
        "discount_total": "5.00",
        "shipping_total": "4.20",
        "total_tax": "7.40",
        "total": "46.60",
        "payment_method": "paypal",
        "transaction_id": "PP-1",
        "billing": address(address_1="1 Bill Rd", email="Ada@Example.org"),
        "shipping": address(address_1="2 Ship  Rd", city="York", postcode=" YO1 "),
        "tax_lines": [
            {
                "rate_id": 3,
                "label": "VAT",
                "rate_percent": 19,
                "tax_total": "6.60",
                "shipping_tax_total": "0.80",
            }
        ],
        "line_items": [
            {
                "id": 1,
                "name": "Mug &ndash; <b>black</b>",
                "product_id": 10,
                "variation_id": 11,
                "sku": " MUG-B ",
                "quantity": 3,
                "subtotal": "40.00",
                "total": "35.00",
                "total_tax": "6.60",
                "taxes": [{"id": 3, "total": "6.6049", "subtotal": "7"}],
                "price": 11.666666666666666,
            }
        ],
        "shipping_lines": [
            {
                "id": 2,
                "method_id": "flat_rate",
                "method_title": "DPD",
                "total": "4.20",
                "taxes": [{"id": 3, "total": "0.8", "subtotal": ""}, {"id": 4, "total": ""}],
            }
        ],
        "fee_lines": [],
        "coupon_lines": [{"code": "FIVE", "discount": "5.00"}],
        "refunds": [],
    }
    return order | parts


def test_an_order_is_mapped_field_by_field(woocommerce: Definition) -> None:
    order = woocommerce.apply(payload_with()).record
    vat = c.TaxLine(title="VAT", rate=Decimal(19), amount=740)
    assert order == c.Order(
        channel_order_id="7",
        channel_order_name="1007",
        status="ready",
        source_version="2026-11-20T10:00:00.000000Z",
        placed_at=datetime(2026, 11, 20, 9, tzinfo=UTC),
        channel_updated_at=datetime(2026, 11, 20, 10, tzinfo=UTC),
        currency="EUR",
        prices_include_tax=True,
        discount_total=500,
        shipping_total=420,
        tax_total=740,
        grand_total=4660,
        service_name="DPD",
        bill_to=c.Address(
            name="Ada Lovelace", street="1 Bill Rd", country="GB", email="ada@example.org"
        ),
        ship_to=c.Address(
            name="Ada Lovelace",
            street="2 Ship Rd",
            city="York",
            postcode="YO1",
            country="GB",
            email="ada@example.org",
        ),
        lines=(
            c.OrderLine(
                channel_line_id="1",
                channel_sku="MUG-B",
                channel_product_id="11",
                title="Mug – black",
                quantity=Decimal(3),
                unit_price=1167,
                line_discount_total=500,
                line_total=3500,
                taxes=(c.TaxLine(title="VAT", rate=Decimal(19), amount=660),),
            ),
        ),
        adjustments=(
            c.Adjustment(
                kind="shipping",
                code="flat_rate",
                title="DPD",
                amount=420,
                external_id="2",
                taxes=(c.TaxLine(title="VAT", rate=Decimal(19), amount=80),),
            ),
        ),
        taxes=(vat,),
        payments=(
            c.Payment(
                external_id="PP-1",
                gateway="paypal",
                method="wallet",
                state="captured",
                amount_captured=4660,
                paid_at=datetime(2026, 11, 20, 9, 1, tzinfo=UTC),
            ),
        ),
    )
    assert calculated_total(order) == order.grand_total


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("processing", "ready"),
        ("pending", "pending"),
        ("on-hold", "pending"),
        ("failed", "pending"),
        ("completed", "fulfilled"),
        ("cancelled", "cancelled"),
        ("refunded", "cancelled"),
        ("trash", "cancelled"),
        ("checkout-draft", "ignored"),
        ("auto-draft", "ignored"),
        ("draft", "ignored"),
    ],
)
def test_a_status_says_what_may_be_done(woocommerce: Definition, word: str, status: str) -> None:
    assert woocommerce.apply(payload_with(status=word)).record.status == status


def test_the_status_of_a_plugin_parks_the_order(woocommerce: Definition) -> None:
    with pytest.raises(MappingError, match="'status' does not know this value, found 'wc-packed'"):
        woocommerce.apply(payload_with(status="wc-packed"))


@pytest.mark.parametrize(
    ("currency", "total", "units"), [("JPY", "1200.00", 1200), ("KWD", "1.005", 1005)]
)
def test_amounts_follow_their_currency(
    woocommerce: Definition, currency: str, total: str, units: int
) -> None:
    plain: dict[str, Any] = {"line_items": [], "shipping_lines": [], "tax_lines": []}
    payload = payload_with(currency=currency, total=total, **plain)
    payload |= {"discount_total": "0.00", "shipping_total": "0.00", "total_tax": "0.00"}
    assert woocommerce.apply(payload).record.grand_total == units


def test_an_unknown_currency_is_told_once(woocommerce: Definition) -> None:
    with pytest.raises(MappingError) as caught:
        woocommerce.apply(payload_with(currency="XXZ"))
    (problem,) = caught.value.problems
    assert (problem.field, problem.message) == ("currency", "unknown currency 'XXZ'")


def test_a_total_with_more_digits_than_its_currency_parks_the_order(
    woocommerce: Definition,
) -> None:
    with pytest.raises(MappingError, match="grand_total: more digits than EUR has"):
        woocommerce.apply(payload_with(total="34.116425"))


def test_a_negative_quantity_is_kept_and_a_senseless_one_sets_the_line_aside(
    woocommerce: Definition,
) -> None:
    line = payload_with()["line_items"][0]
    lines = [line, line | {"id": 2, "quantity": -3}, line | {"id": 3, "quantity": "three"}]
    mapped = woocommerce.apply(payload_with(line_items=lines))
    assert [line.quantity for line in mapped.record.lines] == [3, -3]
    (item,) = mapped.item_problems
    assert (item.field, item.index, item.raw["id"]) == ("lines", 2, 3)
    assert [problem.field for problem in item.problems] == ["quantity"]


def test_two_different_lines_of_one_id_set_the_second_aside(woocommerce: Definition) -> None:
    line = payload_with()["line_items"][0]
    mapped = woocommerce.apply(payload_with(line_items=[line, line | {"quantity": 4}]))
    assert [line.quantity for line in mapped.record.lines] == [3]
    assert len(mapped.item_problems) == 1


def test_an_order_without_lines_still_maps(woocommerce: Definition) -> None:
    assert woocommerce.apply(payload_with(line_items=[])).record.lines == ()
    assert woocommerce.apply(payload_with(line_items=None)).record.lines == ()


@pytest.mark.parametrize("empty", [{}, [], None, {"first_name": "Ada", "address_1": ""}])
def test_an_empty_shipping_address_means_the_billing_address(
    woocommerce: Definition, empty: Any
) -> None:
    order = woocommerce.apply(payload_with(shipping=empty)).record
    assert order.ship_to == order.bill_to


def test_an_order_without_any_address_has_none(woocommerce: Definition) -> None:
    order = woocommerce.apply(payload_with(shipping={}, billing=[])).record
    assert (order.ship_to, order.bill_to) == (None, None)


def test_a_negative_fee_stays_negative(woocommerce: Definition) -> None:
    fee = {"id": 9, "name": "Loyalty", "total": "-2.00", "taxes": []}
    order = woocommerce.apply(payload_with(fee_lines=[fee])).record
    assert order.adjustments[-1] == c.Adjustment(
        kind="fee", title="Loyalty", amount=-200, external_id="9"
    )


@pytest.mark.parametrize(
    ("parts", "state", "captured"),
    [
        ({}, "captured", 4660),
        ({"date_paid_gmt": None}, "pending", 0),
        ({"date_paid_gmt": "", "status": "failed"}, "pending", 0),
        ({"status": "refunded"}, "refunded", 4660),
        ({"status": "failed"}, "failed", 4660),
    ],
)
def test_the_payment_follows_the_order(
    woocommerce: Definition, parts: dict[str, Any], state: str, captured: int
) -> None:
    (payment,) = woocommerce.apply(payload_with(**parts)).record.payments
    assert (payment.state, payment.amount_captured) == (state, captured)


def test_an_order_nobody_paid_or_chose_a_method_for_has_no_payment(
    woocommerce: Definition,
) -> None:
    payload = payload_with(payment_method="", date_paid_gmt=None)
    assert woocommerce.apply(payload).record.payments == ()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@given(place=st.integers(0, 10_000), value=_VALUES)
def test_one_spoiled_value_never_crashes(
    woocommerce: Definition, spoil: Callable[[Any, int, Any], Any], place: int, value: Any
) -> None:
    try:
        outcome: object = woocommerce.apply(spoil(payload_with(), place, value)).record
    except MappingError as error:
        outcome = error.problems[0]
    assert isinstance(outcome, c.Order | Problem)
