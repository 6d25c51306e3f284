"""A day of trade in the WooCommerce shop: who buys what when, and what they do about it later."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sandbox.catalogue import SCARCE, SKUS, UNMAPPED_WOO
from sandbox.money import shelf_price, tax_on
from sandbox.people import HOME_CURRENCY, PEOPLE, Person
from sandbox.vendors.shipbob_account import HOME_CENTER
from sandbox.vendors.woo_basket import Basket, BasketLine
from sandbox.vendors.woo_shop import WooOrder

if TYPE_CHECKING:
    from sandbox.world import World

# What sets an order apart. A third of the day's orders get one of these, in turn.
SPECIALS = (
    "scarce",
    "unmapped-line",
    "cancel-late",
    "refund-part",
    "no-address",
    "scarce",
    "cancel-early",
    "edit",
    "pays-later",
    "on-hold",
    "failed",
    "unmapped-only",
    "refund-all",
    "never-pays",
    "scarce",
    "fee",
    "coupon",
    "counter-sale",
    "many-lines",
    "scarce",
)

LATER_SPECIALS = ("cancel-packed", "edit-packed", "return", "return", "pays-late")
"""What buyers also do where trade goes on for more than a day."""

# Net tax rates in permille for the countries the shop collects for; nothing is collected elsewhere.
_TAX = {"DE": 190, "ES": 210, "FR": 200, "PL": 230, "GB": 200}
_FREE_SHIPPING_FROM = 6000
_SHIPPING = 490
_GIFT_WRAP = 250
_NOTES = ("", "", "", "Bitte klingeln 🔔", "اتركه عند الباب من فضلك", "Ring twice;\nthen wait")
_PLAIN = tuple(sku.code for sku in SKUS if sku.code not in SCARCE)

# More than any one place has, and more than all places have until the delivery.
_FIRST = ("scarce-split", "scarce-wait")
_FIRST_WANTS = {"scarce-split": ("KETTLE-GOOSE", 2), "scarce-wait": ("GRINDER-HAND", 3)}

_STATUS = {
    "pays-later": "pending",
    "pays-late": "pending",
    "never-pays": "pending",
    "on-hold": "on-hold",
    "failed": "failed",
    "counter-sale": "completed",
}


def traits(draw: random.Random, count: int, specials: Sequence[str]) -> list[str]:
    """One trait per order, shuffled: every special one once, then a third of the rest.

    The goods that are scarce stay as few on a busy day: they are asked for in the first round only.
    """
    special = max(min(len(specials), count), count // 3)
    row = [specials[place % len(specials)] for place in range(special)]
    again = ["plain" if trait == "scarce" else trait for trait in row[len(specials) :]]
    row = row[: len(specials)] + again + ["plain"] * (count - special)
    draw.shuffle(row)
    return row


def plan_woo(world: World, draw: random.Random, moments: Sequence[datetime]) -> None:
    """Schedule one checkout per moment; the first ones come before anyone can adjust stock."""
    first = _FIRST if len(moments) > len(SPECIALS) + len(_FIRST) else ()
    row = [*first, *traits(draw, len(moments) - len(first), SPECIALS)]
    times = [world.opened + timedelta(seconds=20)] * len(first) + list(moments[len(first) :])
    plan_row(world, draw, times, row)


def plan_row(
    world: World, draw: random.Random, moments: Sequence[datetime], row: Sequence[str]
) -> None:
    """Schedule one checkout per moment, each with its trait."""
    for at, trait in zip(moments, row, strict=True):
        basket = compose(world, draw, trait)
        world.schedule(at, partial(checkout, basket=basket, trait=trait))


def checkout(world: World, at: datetime, basket: Basket, trait: str = "plain") -> WooOrder | None:
    """Place the order and schedule what the buyer does about it later."""
    order = world.shop.place(basket, at)
    if order is not None:
        _follow_up(world, order, trait, at)
    return order


def compose(world: World, draw: random.Random, trait: str) -> Basket:
    """A basket with the given trait."""
    person = draw.choice(PEOPLE)
    currency = HOME_CURRENCY.get(person.country, "EUR")
    permille = _TAX.get(person.country, 0)
    include = person.country == "DE"
    lines = [
        _line(world, code, quantity, currency, permille if include else 0)
        for code, quantity in _wants(draw, trait)
    ]
    worth = sum(line.product.price * line.quantity for line in lines)
    free = worth >= _FREE_SHIPPING_FROM
    return Basket(
        person=person,
        currency=currency,
        lines=lines,
        status=_STATUS.get(trait, "processing"),
        prices_include_tax=include,
        tax_permille=permille,
        shipping=0 if free else shelf_price(_SHIPPING, currency),
        coupon_percent=draw.choice((10, 15)) if trait == "coupon" or draw.random() < 0.1 else 0,
        fee=shelf_price(_GIFT_WRAP, currency) if trait == "fee" or draw.random() < 0.05 else 0,
        note=draw.choice(_NOTES),
        payment=draw.randrange(3),
        addressed=trait not in {"no-address", "counter-sale"},
        shipped=trait != "counter-sale",
    )


def basket_of(
    world: World, person: Person, wants: Sequence[tuple[str, int]], status: str = "processing"
) -> Basket:
    """A plain basket in the person's currency; raises KeyError for a SKU the shop does not list."""
    currency = HOME_CURRENCY.get(person.country, "EUR")
    lines = [_line(world, code, quantity, currency, 0) for code, quantity in wants]
    return Basket(person=person, currency=currency, lines=lines, status=status)


def _wants(draw: random.Random, trait: str) -> list[tuple[str, int]]:
    count = 6 if trait == "many-lines" else draw.choices((1, 2, 3, 4), (45, 30, 15, 10))[0]
    wants = [(code, draw.choice((1, 1, 1, 2, 3))) for code in draw.sample(_PLAIN, count)]
    if trait in {"edit", "edit-packed"}:
        wants[0] = (wants[0][0], 2)
    if trait == "scarce":
        wants.insert(0, (draw.choice(sorted(SCARCE)), draw.choice((1, 2))))
    if trait == "unmapped-line":
        wants.append((UNMAPPED_WOO[0][0], 1))
    if trait in _FIRST_WANTS:
        wants = [_FIRST_WANTS[trait]]
    if trait == "unmapped-only":
        wants = [(UNMAPPED_WOO[1][0], 2)]
    return wants


def _line(world: World, code: str, quantity: int, currency: str, permille: int) -> BasketLine:
    product = world.shop.listed(code)
    net = shelf_price(product.price, currency)
    return BasketLine(product, quantity, net + tax_on(net, permille))


def _follow_up(world: World, order: WooOrder, trait: str, at: datetime) -> None:
    shop = world.shop
    later = {
        "cancel-early": (10, lambda _, then: shop.cancel(order, then)),
        "cancel-late": (130, lambda _, then: shop.cancel(order, then)),
        "pays-later": (25, lambda _, then: shop.pay(order, then)),
        "on-hold": (60, lambda _, then: shop.pay(order, then)),
        "edit": (4, lambda _, then: shop.change_quantity(order, 1, then)),
        "refund-part": (240, lambda _, then: shop.refund(order, 1, "Beschädigt angekommen", then)),
        "refund-all": (200, lambda _, then: shop.refund(order, 0, "Widerruf", then)),
        # Behind the hand-over, when the 3PL is packing.
        "cancel-packed": (50, lambda _, then: shop.cancel(order, then)),
        "edit-packed": (50, lambda _, then: shop.change_quantity(order, 1, then)),
        "pays-late": (26 * 60, lambda _, then: shop.pay(order, then)),
        "return": (3 * 24 * 60, lambda world, then: _come_back(world, order, then)),
    }
    if trait in later:
        minutes, action = later[trait]
        world.schedule(at + timedelta(minutes=minutes), action)


def _come_back(world: World, order: WooOrder, at: datetime) -> None:
    """One unit of what was delivered is returned: refunded, and back on the 3PL's shelf."""
    if order.status != "completed":
        return
    world.shop.refund(order, 1, "Rücksendung", at)
    code = order.body["line_items"][0]["sku"]
    world.shipbob.receive(code, HOME_CENTER, 1)
    world.returned.append((at, order.id, code))
