"""From a basket to an order body: WooCommerce's arithmetic, in minor units until it prints.

Woo stores lines without tax whatever ``prices_include_tax`` says: that flag only tells how the
shelf prices were entered. ``total = lines + shipping + fees + total_tax``; the coupon is already
inside the lines (``subtotal`` before, ``total`` after).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.money import EXPONENT, decimal_text, minor_units, rounded, tax_on, tax_within
from sandbox.people import Person
from sandbox.wire import Json

if TYPE_CHECKING:
    from sandbox.vendors.woo_shop import Product

_SYMBOL = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "KWD": "د.ك"}
_PAYMENT = (("stripe", "Kreditkarte (Stripe)"), ("paypal", "PayPal"), ("bacs", "Überweisung"))
_TAX_RATE_ID = 7


@dataclass(frozen=True)
class BasketLine:
    """``unit`` is the shelf price in minor units, with tax when the basket says so."""

    product: Product
    quantity: int
    unit: int


@dataclass(frozen=True)
class Basket:
    """What a buyer takes to the checkout. Amounts in minor units of ``currency``, net.

    ``addressed`` False leaves the shipping address empty, ``shipped`` False has no shipping line
    (sold over the counter).
    """

    person: Person
    currency: str
    lines: Sequence[BasketLine]
    status: str = "processing"
    prices_include_tax: bool = False
    tax_permille: int = 0
    shipping: int = 0
    coupon_percent: int = 0
    fee: int = 0
    note: str = ""
    payment: int = 0
    addressed: bool = True
    shipped: bool = True


def checkout_body(basket: Basket, new_id: Callable[[], int]) -> Json:
    """The order body without id, status, dates and refunds."""
    lines = [_line(basket, line, new_id()) for line in basket.lines]
    method, title = _PAYMENT[basket.payment % len(_PAYMENT)]
    body: Json = {
        "parent_id": 0,
        "order_key": f"wc_order_{new_id():010d}",
        "created_via": "checkout",
        "version": "10.2.1",
        "currency": basket.currency,
        "currency_symbol": _SYMBOL[basket.currency],
        "prices_include_tax": basket.prices_include_tax,
        "customer_id": 0,
        "customer_ip_address": "192.0.2.44",
        "customer_user_agent": "Mozilla/5.0",
        "customer_note": basket.note,
        "billing": _address(basket.person) | _reachable(basket.person),
        "shipping": _shipping_address(basket),
        "payment_method": method,
        "payment_method_title": title,
        "transaction_id": "",
        "cart_hash": "",
        "meta_data": [{"id": new_id(), "key": "is_vat_exempt", "value": "no"}],
        "line_items": lines,
        "shipping_lines": _shipping_lines(basket, new_id),
        "fee_lines": _fee_lines(basket, new_id),
        "coupon_lines": [],
        "tax_lines": [],
    }
    body.update(totals(body))
    if basket.coupon_percent:
        body["coupon_lines"] = [_coupon(basket, body, new_id())]
    if basket.tax_permille:
        body["tax_lines"] = [_tax_line(basket.tax_permille, body, new_id())]
    return body


def totals(body: Json) -> Json:
    """Every total of an order body, from its lines; tax and coupon lines are brought in step."""
    currency: str = body["currency"]

    def summed(part: str, amount: str) -> int:
        return sum(minor_units(row[amount], currency) for row in body[part])

    cart_tax = summed("line_items", "total_tax") + summed("fee_lines", "total_tax")
    shipping_tax = summed("shipping_lines", "total_tax")
    net = sum(summed(part, "total") for part in ("line_items", "shipping_lines", "fee_lines"))
    discount = summed("line_items", "subtotal") - summed("line_items", "total")
    discount_tax = summed("line_items", "subtotal_tax") - summed("line_items", "total_tax")
    for line in body["tax_lines"]:
        line["tax_total"] = decimal_text(cart_tax, currency)
    for coupon in body["coupon_lines"]:
        coupon["discount"] = decimal_text(discount, currency)
        coupon["discount_tax"] = decimal_text(discount_tax, currency)
    amounts = {
        "discount_total": discount,
        "discount_tax": discount_tax,
        "shipping_total": summed("shipping_lines", "total"),
        "shipping_tax": shipping_tax,
        "cart_tax": cart_tax,
        "total": net + cart_tax + shipping_tax,
        "total_tax": cart_tax + shipping_tax,
    }
    return {name: decimal_text(amount, currency) for name, amount in amounts.items()}


def _line(basket: Basket, line: BasketLine, line_id: int) -> Json:
    before = line.unit * line.quantity
    after = before - rounded(before * basket.coupon_percent, 100)
    subtotal, subtotal_tax = _net_and_tax(basket, before)
    total, total_tax = _net_and_tax(basket, after)
    product = line.product
    text = {
        "subtotal": decimal_text(subtotal, basket.currency),
        "subtotal_tax": decimal_text(subtotal_tax, basket.currency),
        "total": decimal_text(total, basket.currency),
        "total_tax": decimal_text(total_tax, basket.currency),
    }
    chosen = [{"id": line_id * 10, "key": "pa_option", "value": product.option}]
    return {
        "id": line_id,
        "name": product.name,
        "product_id": product.parent_id or product.id,
        "variation_id": product.id if product.parent_id else 0,
        "quantity": line.quantity,
        "tax_class": "",
        **text,
        "taxes": _taxes(basket, text["total_tax"], text["subtotal_tax"]),
        "meta_data": chosen if product.option else [],
        "sku": product.sku,
        # Woo divides and prints a JSON number, with whatever digits the division leaves.
        "price": total / line.quantity / 10 ** EXPONENT[basket.currency],
    }


def _net_and_tax(basket: Basket, entered: int) -> tuple[int, int]:
    if basket.prices_include_tax:
        tax = tax_within(entered, basket.tax_permille)
        return entered - tax, tax
    return entered, tax_on(entered, basket.tax_permille)


def _shipping_lines(basket: Basket, new_id: Callable[[], int]) -> list[Json]:
    if not basket.shipped:
        return []
    tax = decimal_text(tax_on(basket.shipping, basket.tax_permille), basket.currency)
    return [
        {
            "id": new_id(),
            "method_title": "DHL Paket" if basket.shipping else "Kostenloser Versand",
            "method_id": "flat_rate" if basket.shipping else "free_shipping",
            "instance_id": "3",
            "total": decimal_text(basket.shipping, basket.currency),
            "total_tax": tax,
            "taxes": _taxes(basket, tax, ""),
            "meta_data": [],
        }
    ]


def _fee_lines(basket: Basket, new_id: Callable[[], int]) -> list[Json]:
    if not basket.fee:
        return []
    tax = decimal_text(tax_on(basket.fee, basket.tax_permille), basket.currency)
    return [
        {
            "id": new_id(),
            "name": "Geschenkverpackung",
            "tax_class": "",
            "tax_status": "taxable",
            "total": decimal_text(basket.fee, basket.currency),
            "total_tax": tax,
            "taxes": _taxes(basket, tax, ""),
            "meta_data": [],
        }
    ]


def _coupon(basket: Basket, body: Json, coupon_id: int) -> Json:
    return {
        "id": coupon_id,
        "code": f"herbst{basket.coupon_percent}",
        "discount": body["discount_total"],
        "discount_tax": body["discount_tax"],
        "meta_data": [],
    }


def _tax_line(permille: int, body: Json, line_id: int) -> Json:
    return {
        "id": line_id,
        "rate_code": "DE-MWST-1",
        "rate_id": _TAX_RATE_ID,
        "label": "MwSt.",
        "compound": False,
        "tax_total": body["cart_tax"],
        "shipping_tax_total": body["shipping_tax"],
        "rate_percent": permille / 10,
        "meta_data": [],
    }


def _taxes(basket: Basket, total: str, subtotal: str) -> list[Json]:
    if not basket.tax_permille:
        return []
    return [{"id": _TAX_RATE_ID, "total": total, "subtotal": subtotal}]


def _address(person: Person) -> Json:
    return {
        "first_name": person.first,
        "last_name": person.last,
        "company": person.company,
        "address_1": person.street,
        "address_2": person.street2,
        "city": person.city,
        "state": person.state,
        "postcode": person.postcode,
        "country": person.country,
    }


def _reachable(person: Person) -> Json:
    return {"email": f"buyer{sum(map(ord, person.full_name))}@example.com", "phone": person.phone}


def _shipping_address(basket: Basket) -> Json:
    address = _address(basket.person) | {"phone": basket.person.phone}
    return address if basket.addressed else dict.fromkeys(address, "")
