"""What the world holds when the day begins, and what is planned for it.

Every concern draws from its own generator (``seed:concern``), so that adding a draw in one does
not reshuffle the others.
"""

from __future__ import annotations

import random
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.catalogue import (
    AMAZON_CODES,
    BY_CODE,
    FAMILY_TITLES,
    SCARCE,
    SKUS,
    UNMAPPED_AMAZON,
    UNMAPPED_WOO,
    Sku,
)
from sandbox.trade_amazon import plan_amazon
from sandbox.trade_woo import plan_woo
from sandbox.vendors.amazon_seller import Listing
from sandbox.vendors.shipbob_account import CENTERS, HOME_CENTER
from sandbox.vendors.woo_shop import Product

if TYPE_CHECKING:
    from sandbox.world import World


@dataclass(frozen=True)
class Opening:
    """Opening stock of a SKU: own warehouse, each ShipBob center, what each channel shows."""

    own: int
    home_center: int
    other_center: int
    channel: int


# For sixty orders a channel; a busier day is stocked in proportion.
_PLENTY = Opening(own=150, home_center=400, other_center=60, channel=300)
_PLENTY_FOR = 60
# Fewer at any one place than the first orders ask for, and fewer altogether until the delivery,
# while the channels still show more.
_SCARCE = Opening(own=1, home_center=1, other_center=0, channel=12)
RESTOCK_AFTER_SHARE = 0.7
RESTOCK = 12


def opening(sku: Sku | None, orders_per_channel: int) -> Opening:
    """The opening stock of a SKU; None stands for one the hub does not know."""
    if sku is not None and sku.code in SCARCE:
        return _SCARCE
    times = max(1, -(-orders_per_channel // _PLENTY_FOR))
    return Opening(*(part * times for part in astuple(_PLENTY)))


def furnish(world: World) -> None:
    """Put products, listings and stock in place."""
    _stock_centers(world)
    _stock_shop(world)
    _stock_marketplace(world)


def plan_day(world: World, hours: float) -> datetime:
    """Schedule a day of trade on both channels; answer the moment its last order is placed."""
    ends = world.opened + timedelta(hours=hours)
    for channel, plan in (("woo", plan_woo), ("amazon", plan_amazon)):
        draw = random.Random(f"{world.seed}:{channel}")
        seconds = int(hours * 3600)
        moments = sorted(draw.randrange(seconds) for _ in range(world.orders_per_channel))
        plan(world, draw, [world.opened + timedelta(seconds=offset) for offset in moments])
    world.schedule(world.opened + timedelta(hours=hours * RESTOCK_AFTER_SHARE), _delivery)
    return ends


def stocked(world: World) -> dict[str, int]:
    """What the 3PL's home center is filled up to where trade goes on: SKU -> free units."""
    return {
        sku.code: RESTOCK
        if sku.code in SCARCE
        else opening(sku, world.orders_per_channel).home_center
        for sku in SKUS
    }


def _delivery(world: World, at: datetime) -> None:
    for code in sorted(SCARCE):
        world.shipbob.receive(code, HOME_CENTER, RESTOCK)
    world.shipbob.retry_exceptions(world, at)


def _stock_centers(world: World) -> None:
    for sku in SKUS:
        stock = opening(sku, world.orders_per_channel)
        for center in CENTERS:
            home = center == HOME_CENTER
            quantity = stock.home_center if home else stock.other_center
            world.shipbob.receive(sku.code, center, quantity)


def _stock_shop(world: World) -> None:
    parents: dict[str, Product] = {}
    for sku in SKUS:
        if sku.family is None:
            _shop_product(world, "simple", sku.title, sku.code, sku.price, sku)
            continue
        if sku.family not in parents:
            title = FAMILY_TITLES[sku.family]
            parents[sku.family] = _shop_product(world, "variable", title, sku.family, sku.price)
        parent = parents[sku.family]
        name = f"{parent.name} - {sku.option}"
        variation = _shop_product(world, "variation", name, sku.code, sku.price, sku)
        variation.parent_id, variation.option = parent.id, sku.option or ""
        parent.variations.append(variation.id)
    for code, title, price in UNMAPPED_WOO:
        _shop_product(world, "simple", title, code, price)


def _shop_product(
    world: World, kind: str, name: str, code: str, price: int, sku: Sku | None = None
) -> Product:
    product = Product(
        id=world.shop.new_id(),
        kind=kind,
        name=name,
        sku=code,
        gtin=sku.gtin if sku else "",
        price=price,
        weight_g=sku.weight_g if sku else 0,
        stock=0 if kind == "variable" else opening(sku, world.orders_per_channel).channel,
        modified=world.opened,
    )
    world.shop.products[product.id] = product
    return product


def _stock_marketplace(world: World) -> None:
    goods = [(code, BY_CODE[code].title, BY_CODE[code].price) for code in AMAZON_CODES]
    for code, title, price in (*goods, *UNMAPPED_AMAZON):
        sku = BY_CODE.get(code)
        world.seller.listings[code] = Listing(
            sku=code,
            asin=sku.asin if sku else f"B0{code.replace('-', '')[:8]}",
            title=title,
            product_type="KITCHEN",
            price=price,
            quantity=opening(sku, world.orders_per_channel).channel,
            created=world.opened,
            modified=world.opened,
        )
