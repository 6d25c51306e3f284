"""A day of trade on Amazon, in three marketplaces, partly fulfilled by Amazon itself."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sandbox.catalogue import AMAZON_CODES, SCARCE, UNMAPPED_AMAZON
from sandbox.money import rounded, shelf_price, tax_on
from sandbox.people import PEOPLE, Person
from sandbox.trade_woo import traits
from sandbox.vendors.amazon_seller import MARKETPLACES, AmazonOrder, Item, Package
from sandbox.wire import Json

if TYPE_CHECKING:
    from sandbox.world import World

SPECIALS = (
    "scarce",
    "fba",
    "pending",
    "unmapped-line",
    "fba",
    "cancel-request",
    "pending-cancelled",
    "scarce",
    "no-address",
    "fba",
    "discount",
    "pending",
    "unmapped-only",
    "cancelled",
    "scarce",
    "many-lines",
    "fba",
    "cancel-request",
)

FBA_SHIPS_AFTER = timedelta(hours=6)
_SHIPPING = 399
_PLAIN = tuple(code for code in AMAZON_CODES if code not in SCARCE)
_BY_COUNTRY = {country: market for market, (_, country, *_rest) in MARKETPLACES.items()}


def plan_amazon(world: World, draw: random.Random, moments: Sequence[datetime]) -> None:
    """Schedule one order per moment."""
    plan_row(world, draw, moments, traits(draw, len(moments), SPECIALS))


def plan_row(
    world: World, draw: random.Random, moments: Sequence[datetime], row: Sequence[str]
) -> None:
    """Schedule one order per moment, each with its trait."""
    for at, trait in zip(moments, row, strict=True):
        order = compose(world, draw, trait, at)
        world.schedule(at, partial(place, order=order, trait=trait))


def place(world: World, at: datetime, order: AmazonOrder, trait: str = "plain") -> bool:
    """Place the order and schedule what becomes of it."""
    if not world.seller.place(order):
        return False
    seller = world.seller
    if order.fulfilled_by == "AMAZON":
        world.schedule(
            at + FBA_SHIPS_AFTER, lambda world, then: _ship_by_amazon(world, order, then)
        )
    later = {
        "pending": (35, lambda _, then: _release(order, then)),
        "pending-cancelled": (20, lambda _, then: seller.cancel(order, then)),
        "cancelled": (15, lambda _, then: seller.cancel(order, then)),
        "cancel-request": (100, lambda _, then: seller.ask_to_cancel(order, "CHANGED_MIND", then)),
    }
    if trait in later:
        minutes, action = later[trait]
        world.schedule(at + timedelta(minutes=minutes), action)
    return True


def compose(world: World, draw: random.Random, trait: str, at: datetime) -> AmazonOrder:
    """An order with the given trait, not placed yet."""
    person = draw.choice(PEOPLE)
    order_id = (
        f"{draw.choice((302, 303, 304))}-{draw.randrange(10**7):07d}-{draw.randrange(10**7):07d}"
    )
    order = order_of(world, person, _wants(draw, trait), order_id, at)
    if trait == "fba":
        order.fulfilled_by = "AMAZON"
    if trait.startswith("pending"):
        order.status = "PENDING"
    if trait == "no-address":
        order.recipient = None
    if trait == "discount" or draw.random() < 0.1:
        for item in order.items:
            item.breakdown["DISCOUNT"] = -rounded(item.breakdown["ITEM"], 10)
    return order


def order_of(
    world: World, person: Person, wants: Sequence[tuple[str, int]], order_id: str, at: datetime
) -> AmazonOrder:
    """A plain merchant-fulfilled order. Raises KeyError for a SKU that is not listed."""
    marketplace = _BY_COUNTRY.get(person.country, _BY_COUNTRY["DE"])
    items = [
        _item(world, marketplace, code, quantity, first=place == 0)
        for place, (code, quantity) in enumerate(wants)
    ]
    return AmazonOrder(
        order_id=order_id,
        marketplace=marketplace,
        created=at,
        modified=at,
        status="UNSHIPPED",
        fulfilled_by="MERCHANT",
        items=items,
        recipient=_address(person),
        buyer={"buyerName": person.full_name, "buyerEmail": f"{order_id}@marketplace.example.com"},
    )


def _wants(draw: random.Random, trait: str) -> list[tuple[str, int]]:
    count = 5 if trait == "many-lines" else draw.choices((1, 2, 3), (70, 20, 10))[0]
    wants = [(code, draw.choice((1, 1, 1, 2))) for code in draw.sample(_PLAIN, count)]
    if trait == "scarce":
        wants.insert(0, (draw.choice(sorted(SCARCE & set(AMAZON_CODES))), draw.choice((1, 2))))
    if trait == "unmapped-line":
        wants.append((UNMAPPED_AMAZON[0][0], 1))
    if trait == "unmapped-only":
        wants = [(UNMAPPED_AMAZON[1][0], 1)]
    return wants


def _item(world: World, marketplace: str, code: str, quantity: int, *, first: bool) -> Item:
    _, _, currency, permille, tax_apart = MARKETPLACES[marketplace]
    listing = world.seller.listings[code]
    net = shelf_price(listing.price, currency)
    unit = net if tax_apart else net + tax_on(net, permille)
    shipping = shelf_price(_SHIPPING, currency) if first else 0
    breakdown = {"ITEM": unit * quantity}
    if shipping:
        breakdown["SHIPPING"] = shipping
    tax_parts = {}
    if tax_apart:
        tax_parts = {kind: tax_on(amount, permille) for kind, amount in breakdown.items()}
        breakdown["TAX"] = sum(tax_parts.values())
    return Item(
        item_id=f"{80_000_000_000_000 + world.seller.serial()}",
        sku=code,
        asin=listing.asin,
        title=listing.title,
        quantity=quantity,
        unit=unit,
        breakdown=breakdown,
        tax_parts=tax_parts,
    )


def _address(person: Person) -> Json:
    address = {
        "name": person.full_name,
        "companyName": person.company,
        "addressLine1": person.street,
        "addressLine2": person.street2,
        "city": person.city,
        "stateOrRegion": person.state,
        "postalCode": person.postcode,
        "countryCode": person.country,
        "phone": person.phone,
        "addressType": "COMMERCIAL" if person.company else "RESIDENTIAL",
    }
    return {name: text for name, text in address.items() if text}


def _release(order: AmazonOrder, at: datetime) -> None:
    if order.status == "PENDING":
        order.status, order.modified = "UNSHIPPED", at


def _ship_by_amazon(world: World, order: AmazonOrder, at: datetime) -> None:
    quantities = {item.item_id: item.quantity for item in order.items}
    package = Package("1", "AMZN_DE", "Standard", f"TBA{order.order_id[-7:]}", at, at, quantities)
    world.seller.confirm(order, package, at)
