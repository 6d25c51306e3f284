"""What ``woocommerce.orders`` does, as somebody in a hurry to be fast would write it by hand.

No scopes, no checks beyond those of the transforms, everything in local variables; the transforms
are those of the definitions, since what they do is no different by hand.
"""

from __future__ import annotations

from typing import Any

from mappings.canonical import (
    Address,
    Adjustment,
    Order,
    OrderLine,
    Payment,
    Refund,
    RefundLine,
    TaxLine,
)
from mappings.transforms.amounts import (
    currency,
    money,
    money_absolute,
    money_difference,
    money_negated,
    money_rounded,
    money_sum,
)
from mappings.transforms.numeric import decimal, quantity, quantity_absolute
from mappings.transforms.texts import (
    country_alpha2,
    email,
    first_id,
    join_words,
    squash_spaces,
    strip,
    strip_html,
)
from mappings.transforms.times import sortable_utc, utc

Json = dict[str, Any]

STATUS: Any = {
    "processing": "ready",
    "pending": "pending",
    "on-hold": "pending",
    "failed": "pending",
    "completed": "fulfilled",
    "cancelled": "cancelled",
    "refunded": "cancelled",
    "trash": "cancelled",
    "auto-draft": "ignored",
    "checkout-draft": "ignored",
    "draft": "ignored",
}
METHOD = {
    **dict.fromkeys(("stripe", "stripe_cc", "woocommerce_payments"), "card"),
    "ppcp-credit-card-gateway": "card",
    **dict.fromkeys(("paypal", "ppcp-gateway", "ppec_paypal", "stripe_googlepay"), "wallet"),
    **dict.fromkeys(("stripe_applepay", "amazon_payments_advanced"), "wallet"),
    **dict.fromkeys(("bacs", "stripe_sepa", "stripe_ideal"), "bank"),
    "cod": "cod",
    **dict.fromkeys(("klarna_payments", "stripe_klarna", "kco"), "bnpl"),
}
STATE: Any = {"refunded": "refunded", "failed": "failed"}


def mapped(order: Json) -> Order:
    """One order as ``GET /orders`` lists it -> canonical Order."""
    code = currency(order["currency"])
    created = order["date_created_gmt"]
    changed = order["date_modified_gmt"] or created
    changed_at = utc(changed)
    shipping_lines = order["shipping_lines"]
    billing, shipping = order["billing"], order["shipping"]
    rates = {str(tax["rate_id"]): tax for tax in order["tax_lines"]}
    buyer = email(billing["email"])
    if not (shipping["address_1"] or shipping["city"] or shipping["postcode"]):
        shipping = billing
    return Order(
        channel_order_id=str(order["id"]),
        channel_order_name=order["number"],
        sub_channel=order["created_via"],
        status=STATUS[order["status"]],
        source_version=sortable_utc(changed_at),
        placed_at=utc(created),
        channel_updated_at=changed_at,
        currency=code,
        prices_include_tax=order["prices_include_tax"],
        discount_total=money(order["discount_total"], currency=code),
        shipping_total=money(order["shipping_total"], currency=code),
        tax_total=money(order["total_tax"], currency=code),
        grand_total=money(order["total"], currency=code),
        service_name=strip_html(shipping_lines[0]["method_title"]) if shipping_lines else "",
        note=strip_html(order["customer_note"]),
        bill_to=_address(billing, buyer),
        ship_to=_address(shipping, buyer),
        lines=tuple(_line(line, rates, code) for line in order["line_items"]),
        adjustments=_adjustments(order, rates, code),
        taxes=tuple(
            TaxLine(
                title=tax["label"] or tax["rate_code"],
                rate=decimal(tax["rate_percent"]),
                amount=money_sum([tax["tax_total"], tax["shipping_tax_total"]], currency=code),
            )
            for tax in order["tax_lines"]
        ),
        payments=(_payment(order, code),),
        refunds=tuple(_refund(refund, code) for refund in order["refunds"]),
    )


def _address(given: Json, buyer: str) -> Address:
    return Address(
        name=join_words([given["first_name"], given["last_name"]]),
        company=squash_spaces(given["company"]),
        street=squash_spaces(given["address_1"]),
        street2=squash_spaces(given["address_2"]),
        city=squash_spaces(given["city"]),
        region=strip(given["state"]),
        postcode=strip(given["postcode"]),
        country=country_alpha2(given["country"]),
        phone=strip(given["phone"]),
        email=buyer,
    )


def _line(line: Json, rates: dict[str, Json], code: str) -> OrderLine:
    total = line["total"]
    return OrderLine(
        channel_line_id=str(line["id"]),
        channel_sku=strip(line["sku"]),
        channel_product_id=first_id([line["variation_id"], line["product_id"]]) or "",
        title=strip_html(line["name"]),
        quantity=quantity(line["quantity"]),
        unit_price=money_rounded(line["price"], currency=code),
        line_discount_total=money_difference([line["subtotal"] or total, total], currency=code),
        line_total=money(total, currency=code),
        taxes=_taxes(line, rates, code),
    )


def _taxes(part: Json, rates: dict[str, Json], code: str) -> tuple[TaxLine, ...]:
    found = []
    for tax in part["taxes"]:
        if tax["total"]:
            rate = rates[str(tax["id"])]
            found.append(
                TaxLine(
                    title=rate["label"],
                    rate=decimal(rate["rate_percent"]),
                    amount=money_rounded(tax["total"], currency=code),
                )
            )
    return tuple(found)


def _adjustments(order: Json, rates: dict[str, Json], code: str) -> tuple[Adjustment, ...]:
    shipping = [
        Adjustment(
            kind="shipping",
            code=line["method_id"],
            title=strip_html(line["method_title"]),
            external_id=str(line["id"]),
            amount=money(line["total"], currency=code),
            taxes=_taxes(line, rates, code),
        )
        for line in order["shipping_lines"]
    ]
    fees = [
        Adjustment(
            kind="fee",
            title=strip_html(line["name"]),
            external_id=str(line["id"]),
            amount=money(line["total"], currency=code),
            taxes=_taxes(line, rates, code),
        )
        for line in order["fee_lines"]
    ]
    cards = [
        Adjustment(
            kind="other",
            title="Gift card",
            external_id=str(card["id"]),
            amount=money_negated(card["amount"], currency=code),
        )
        for card in order.get("gift_cards", ())
    ]
    return (*shipping, *fees, *cards)


def _payment(order: Json, code: str) -> Payment:
    paid = order["date_paid_gmt"]
    return Payment(
        external_id=order["transaction_id"],
        gateway=order["payment_method"],
        method=METHOD.get(order["payment_method"], "other"),
        state=STATE.get(order["status"], "captured") if paid else "pending",
        amount_captured=money(order["total"], currency=code) if paid else 0,
        paid_at=utc(paid) if paid else None,
    )


def _refund(refund: Json, code: str) -> Refund:
    made = refund.get("date_created_gmt")
    return Refund(
        external_id=str(refund["id"]),
        amount=money_absolute(refund.get("amount") or refund["total"], currency=code),
        reason=squash_spaces(refund["reason"]),
        refunded_at=utc(made) if made else None,
        lines=tuple(
            RefundLine(
                channel_line_id=str(entry["value"]),
                quantity=quantity_absolute(line["quantity"]),
                amount=money_absolute(line["total"], currency=code),
                tax_amount=money_absolute(line["total_tax"], currency=code),
            )
            for line in refund.get("line_items", ())
            for entry in line["meta_data"]
            if entry["key"] == "_refunded_item_id"
        ),
    )
