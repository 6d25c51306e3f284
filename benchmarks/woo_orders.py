"""WooCommerce orders as a busy shop has them, from a seed: about 4 KB of JSON each.

One to five lines, one or two tax rates, coupons, shipping, fees, a few refunds; four currencies of
0, 2 and 3 digits; names and notes in several scripts. Every total is the sum of its parts, so
nothing is parked: what is measured is the work of a good day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

Json = dict[str, Any]

SKU_COUNT = 2_000
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
"""When the first order was placed; the others follow a minute apart at most."""

_DIGITS = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
_CURRENCIES = ("EUR",) * 14 + ("USD",) * 4 + ("JPY", "KWD")
_STATUSES = ("processing",) * 12 + ("completed",) * 5 + ("on-hold", "pending", "cancelled")
_PAYMENTS = (
    ("stripe", "Credit card"),
    ("ppcp-gateway", "PayPal"),
    ("bacs", "Direct bank transfer"),
    ("klarna_payments", "Klarna"),
)
_RATES = ((19, "DE-19-1", "19 % MwSt."), (7, "DE-7-2", "7 % MwSt."))
_PEOPLE = (
    ("Zoë", "Müller-Lüdenscheidt", "Prenzlauer Allee 36 b", "Berlin", "BE", "10405", "DE"),
    ("José María", "Núñez", "Carrer de Mallorca 401", "Barcelona", "B", "08013", "ES"),
    ("Łukasz", "Wiśniewski", "ul. Świętojańska 12/3", "Gdynia", "", "81-368", "PL"),
    ("花子", "山田", "渋谷区神南1-19-11", "東京都", "JP13", "150-0041", "JP"),
    ("فاطمة", "الصباح", "شارع الخليج العربي 7", "الكويت", "", "13001", "KW"),
    ("Siobhán", "O’Brien", "14 Upper O'Connell Street", "Dublin", "D", "D01 F5P2", "IE"),
    ("Grace", "Hopper", "1600 Amphitheatre Pkwy, Bldg 40", "Mountain View", "CA", "94043", "US"),
)
_NOTES = ("", "", "", "Bitte klingeln 🔔", "اتركه عند الباب من فضلك", 'Ring twice;\nthen "wait"')
_THINGS = (
    "Mug &amp; Saucer",
    "Merino Socks",
    "Teekanne „Zürich“",
    "手ぬぐい",
    "Café Tray",
    "Poster",
)
_COLOURS = ("black", "crème", "藍色", "forest green")
_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/130.0.0.0 Safari/537.36"
)
_SITE = "https://shop.example/wp-json/wc/v3"


def sku(number: int) -> str:
    """Our code of a thing, which is the shop's too."""
    return f"SKU-{number:05d}"


def order(number: int, seed: int) -> Json:
    """Order ``number`` (from 1 up) as ``GET /orders`` lists it, its refunds in short form."""
    draw = Random(f"{seed}/{number}")
    placed = FIRST + timedelta(seconds=45 * number + draw.randrange(40))
    money = _Money(draw.choice(_CURRENCIES))
    status = draw.choice(_STATUSES)
    discount = 10 if draw.random() < 0.2 else 0
    lines = [
        _line(draw, number, n, money, discount) for n in range(draw.choice((1, 1, 2, 2, 3, 5)))
    ]
    shipping = _shipping(draw, number, money)
    fees = [_fee(number, money)] if draw.random() < 0.05 else []
    taxes = _tax_lines(number, lines, shipping, money)
    saved = sum(Decimal(line["subtotal"]) - Decimal(line["total"]) for line in lines)
    return {
        "id": number,
        "parent_id": 0,
        "number": str(100_000 + number),
        "status": status,
        "version": "9.3.3",
        "created_via": "checkout",
        **_times(placed),
        **_totals(money, (*lines, shipping, *fees), taxes, saved),
        **_buyer(draw, number),
        **_payment(draw, placed, paid=status not in ("on-hold", "pending")),
        "meta_data": _order_meta(draw, number),
        "line_items": lines,
        "tax_lines": taxes,
        "shipping_lines": [shipping],
        "fee_lines": fees,
        "coupon_lines": [_coupon(number, money, saved)] if discount else [],
        "refunds": _short_refunds(draw, number, lines, status, money),
        "_links": {
            "self": [{"href": f"{_SITE}/orders/{number}"}],
            "collection": [{"href": f"{_SITE}/orders"}],
        },
    }


def changed(order: Json) -> Json:
    """The order after its buyer has written another note."""
    return {
        **order,
        "date_modified": "2026-12-24T20:00:00",
        "date_modified_gmt": "2026-12-24T20:00:00",
        "customer_note": "Please leave it with the neighbours",
    }


def refunds(order: Json) -> list[Json]:
    """The refunds of an order as ``GET /orders/<id>/refunds`` gives them: one piece of a line."""
    return [_refund(short, order["line_items"][0], order) for short in order["refunds"]]


@dataclass(frozen=True, slots=True)
class _Money:
    currency: str

    def text(self, amount: Decimal | int) -> str:
        return f"{amount:.{_DIGITS[self.currency]}f}"

    def rounded(self, amount: Decimal) -> Decimal:
        return amount.quantize(Decimal(1).scaleb(-_DIGITS[self.currency]), ROUND_HALF_UP)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _times(placed: datetime) -> Json:
    """The shop's own clock is two hours ahead of UTC."""
    ahead, changed = timedelta(hours=2), timedelta(minutes=5)
    return {
        "date_created": _text(placed + ahead),
        "date_created_gmt": _text(placed),
        "date_modified": _text(placed + ahead + changed),
        "date_modified_gmt": _text(placed + changed),
        "date_completed": None,
        "date_completed_gmt": None,
    }


def _totals(
    money: _Money, parts: Sequence[Json], taxes: Sequence[Json], saved: Decimal | int
) -> Json:
    goods = sum(Decimal(part["total"]) for part in parts)
    shipping = sum(Decimal(part["total"]) for part in parts if "method_id" in part)
    cart_tax = sum(Decimal(tax["tax_total"]) for tax in taxes)
    shipping_tax = sum(Decimal(tax["shipping_tax_total"]) for tax in taxes)
    return {
        "currency": money.currency,
        "currency_symbol": "¤",
        "prices_include_tax": False,
        "discount_total": money.text(saved),
        "discount_tax": money.text(0),
        "shipping_total": money.text(shipping),
        "shipping_tax": money.text(shipping_tax),
        "cart_tax": money.text(cart_tax),
        "total": money.text(goods + cart_tax + shipping_tax),
        "total_tax": money.text(cart_tax + shipping_tax),
    }


def _buyer(draw: Random, number: int) -> Json:
    person = draw.choice(_PEOPLE)
    return {
        "customer_id": draw.randrange(100_000),
        "customer_ip_address": "203.0.113.7",
        "customer_user_agent": _AGENT,
        "customer_note": draw.choice(_NOTES),
        "billing": {**_address(person), "email": f"Buyer{number}@Example.org"},
        "shipping": _address(person),
    }


def _payment(draw: Random, placed: datetime, *, paid: bool) -> Json:
    method, title = draw.choice(_PAYMENTS)
    return {
        "payment_method": method,
        "payment_method_title": title,
        "transaction_id": f"pi_{draw.getrandbits(96):024x}" if paid else "",
        "date_paid": _text(placed + timedelta(hours=2, seconds=30)) if paid else None,
        "date_paid_gmt": _text(placed + timedelta(seconds=30)) if paid else None,
        "order_key": f"wc_order_{draw.getrandbits(52):013x}",
        "cart_hash": f"{draw.getrandbits(128):032x}",
        "payment_url": "https://shop.example/checkout/order-pay/?pay_for_order=true",
        "is_editable": False,
        "needs_payment": not paid,
        "needs_processing": True,
    }


def _address(person: Sequence[str]) -> Json:
    first, last, street, city, state, postcode, country = person
    return {
        "first_name": first,
        "last_name": last,
        "company": "",
        "address_1": street,
        "address_2": "",
        "city": city,
        "state": state,
        "postcode": postcode,
        "country": country,
        "phone": "+49 30 5550100",
    }


def _line(draw: Random, number: int, n: int, money: _Money, discount: int) -> Json:
    thing, pieces = draw.randrange(SKU_COUNT), draw.choice((1, 1, 1, 2, 3))
    each = money.rounded(Decimal(draw.randrange(300, 20_000)) / 100)
    subtotal = each * pieces
    total = money.rounded(subtotal * (100 - discount) / 100)
    rate = draw.choice((0, 0, 0, 1))
    tax, before = (amount * _RATES[rate][0] / 100 for amount in (total, subtotal))
    colour = draw.choice(_COLOURS)
    return {
        "id": number * 10 + n,
        "name": f"{_THINGS[thing % len(_THINGS)]} – {colour}",
        "product_id": 1_000 + thing // 4,
        "variation_id": 0 if thing % 3 else 50_000 + thing,
        "quantity": pieces,
        "tax_class": "",
        "subtotal": money.text(subtotal),
        "subtotal_tax": money.text(before),
        "total": money.text(total),
        "total_tax": money.text(tax),
        "taxes": [{"id": rate + 1, "total": f"{tax:f}", "subtotal": f"{before:f}"}],
        "meta_data": [
            {
                "id": number * 100 + n,
                "key": "pa_color",
                "value": colour,
                "display_key": "Color",
                "display_value": colour,
            }
        ],
        "sku": sku(thing),
        "price": float(total / pieces),
        "image": {"id": str(thing), "src": f"https://shop.example/wp-content/uploads/{thing}.jpg"},
        "parent_name": None,
    }


def _shipping(draw: Random, number: int, money: _Money) -> Json:
    cost = money.rounded(draw.choice((Decimal(0), Decimal("4.90"), Decimal("9.90"))))
    tax = f"{cost * _RATES[0][0] / 100:f}" if cost else ""
    return {
        "id": number * 10 + 7,
        "method_title": "DHL Paket &amp; Go",
        "method_id": "flat_rate",
        "instance_id": "3",
        "total": money.text(cost),
        "total_tax": money.text(cost * _RATES[0][0] / 100),
        "taxes": [{"id": 1, "total": tax, "subtotal": ""}],
        "meta_data": [{"id": number * 100 + 70, "key": "Items", "value": "Mug &times; 1"}],
    }


def _fee(number: int, money: _Money) -> Json:
    return {
        "id": number * 10 + 8,
        "name": "Gift wrap 🎁",
        "tax_class": "",
        "tax_status": "none",
        "amount": "",
        "total": money.text(2),
        "total_tax": money.text(0),
        "taxes": [],
        "meta_data": [],
    }


def _tax_lines(number: int, lines: Sequence[Json], shipping: Json, money: _Money) -> list[Json]:
    """One entry per rate in use. Woo rounds the sum, not the parts."""
    found = []
    for n, (rate, code, label) in enumerate(_RATES):
        parts = [tax for line in lines for tax in line["taxes"] if tax["id"] == n + 1]
        freight = Decimal(shipping["taxes"][0]["total"] or 0) if n == 0 else Decimal(0)
        if parts or freight:
            found.append(
                {
                    "id": number * 100 + 90 + n,
                    "rate_code": code,
                    "rate_id": n + 1,
                    "label": label,
                    "compound": False,
                    "tax_total": money.text(
                        money.rounded(sum((Decimal(p["total"]) for p in parts), Decimal(0)))
                    ),
                    "shipping_tax_total": money.text(money.rounded(freight)),
                    "rate_percent": rate,
                    "meta_data": [],
                }
            )
    return found


def _coupon(number: int, money: _Money, saved: Decimal | int) -> Json:
    return {
        "id": number * 10 + 9,
        "code": "herbst10",
        "discount": money.text(saved),
        "discount_tax": money.text(0),
        "meta_data": [],
    }


def _order_meta(draw: Random, number: int) -> list[Json]:
    entries = {
        "_wc_order_attribution_source_type": "organic",
        "_wc_order_attribution_referrer": "https://www.google.com/",
        "_wc_order_attribution_session_pages": str(draw.randrange(1, 30)),
        "_wc_order_attribution_device_type": draw.choice(("Desktop", "Mobile")),
        "_stripe_customer_id": f"cus_{draw.getrandbits(64):016x}",
        "is_vat_exempt": "no",
    }
    return [
        {"id": number * 100 + n, "key": key, "value": value}
        for n, (key, value) in enumerate(entries.items())
    ]


def _short_refunds(
    draw: Random, number: int, lines: Sequence[Json], status: str, money: _Money
) -> list[Json]:
    if status not in ("processing", "completed") or draw.random() >= 0.02:
        return []
    amount = money.rounded(Decimal(lines[0]["total"]) / lines[0]["quantity"])
    return [{"id": 5_000_000 + number, "reason": "Zu klein", "total": f"-{money.text(amount)}"}]


def _refund(short: Json, line: Json, order: Json) -> Json:
    return {
        "id": short["id"],
        "date_created_gmt": order["date_modified_gmt"],
        "amount": short["total"].removeprefix("-"),
        "reason": short["reason"],
        "line_items": [
            {
                "id": short["id"] * 10,
                "quantity": -1,
                "total": short["total"],
                "total_tax": "0",
                "meta_data": [{"id": 1, "key": "_refunded_item_id", "value": str(line["id"])}],
            }
        ],
    }
