"""What happens outside while the daemon is killed: small stories, each with its own points.

Small, because every point of a story costs the whole story once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sandbox import trade_amazon, trade_woo
from sandbox.people import PEOPLE
from sandbox.vendors.shipbob_account import HOME_CENTER
from sandbox.vendors.woo_shop import WooOrder
from sandbox.world import World

BULK = 160
"""Pieces of one order: more than the shelf in Berlin holds, so that the 3PL has to ship it."""

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Flow:
    """``begin`` schedules what people do; ``lasts``: when all of it is over, undisturbed."""

    begin: Callable[[World, datetime], None]
    lasts: timedelta


IN_BERLIN = PEOPLE[1]
"""Lives nearer to the shelf than to the 3PL, so small orders go out from there."""


def _buy_woo(world: World, at: datetime, code: str, pieces: int) -> int:
    basket = trade_woo.basket_of(world, IN_BERLIN, [(code, pieces)])
    order = trade_woo.checkout(world, at, basket)
    if order is None:
        raise ValueError(f"the shop has not got {pieces} of {code}")
    return int(order.id)


def _buy_amazon(world: World, at: datetime, code: str, pieces: int) -> str:
    order_id = f"305-{world.seller.serial():07d}-{world.seed % 10**7:07d}"
    order = trade_amazon.order_of(world, IN_BERLIN, [(code, pieces)], order_id, at)
    if not trade_amazon.place(world, at, order):
        raise ValueError(f"the seller has not got {pieces} of {code}")
    return order_id


def _labels(world: World, at: datetime) -> None:
    """One order a channel from our own shelf: labels, packages told, quantities everywhere."""
    _buy_woo(world, at, "MUG-BLUE", 2)
    _buy_amazon(world, at, "BOTTLE-500", 1)


def _warehouse(world: World, at: datetime) -> None:
    """One order a channel that only the 3PL can fill; it ships an hour later."""
    _buy_woo(world, at, "CUP-TRAVEL", BULK)
    _buy_amazon(world, at, "HOODIE-GREY-M", BULK)


def _cancel(world: World, at: datetime) -> None:
    """Both handed over, then taken back: a label to void, an order to cancel at the 3PL."""
    labelled = _buy_woo(world, at, "MUG-WHITE", 1)
    handed_over = _buy_woo(world, at, "APRON-DENIM", BULK)
    # Early enough that even an unlucky life asks before the 3PL has picked.
    for order_id, minutes in ((labelled, 22), (handed_over, 23)):
        order = world.shop.orders[order_id]
        world.schedule(at + minutes * MINUTE, partial(_give_up, order=order))


def _give_up(world: World, at: datetime, order: WooOrder) -> None:
    world.shop.cancel(order, at)


def _stock(world: World, at: datetime) -> None:
    """The 3PL receives goods, and somebody types a number into the shop."""
    for code in ("SCALE-01", "SOCKS-39-41"):
        world.shipbob.receive(code, HOME_CENTER, 7)
    _buy_woo(world, at, "SCALE-01", 1)


FLOWS: Mapping[str, Flow] = {
    "labels": Flow(_labels, 85 * MINUTE),
    "warehouse": Flow(_warehouse, 175 * MINUTE),
    "cancel": Flow(_cancel, 175 * MINUTE),
    "stock": Flow(_stock, 85 * MINUTE),
}
