"""Trade over many days: weekdays, months and bursts, each day planned only when it begins.

The first day is that of ``sandbox.seed``; the later ones draw from generators of their own, so that
day 40 is the same whether or not anybody lived through day 39 with the same requests.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sandbox import trade_amazon, trade_woo
from sandbox.catalogue import AMAZON_CODES, SCARCE, SKUS
from sandbox.vendors.shipbob_account import HOME_CENTER

if TYPE_CHECKING:
    from sandbox.world import World

WEEKDAY_PERCENT = (115, 105, 100, 100, 95, 80, 110)
"""Monday first."""
MONTH_PERCENT = (80, 80, 90, 95, 100, 95, 85, 85, 100, 105, 140, 170)
"""January first."""

BURST_SHARE = 0.12
"""Of the days: an advertisement runs, and within a minute comes ``BURST_PERCENT`` of a day."""
BURST_PERCENT = 150

DELIVERY_AT = 0.7
"""Share of the day's hours after which the 3PL's shelves are filled up again."""

_SPECIAL_SHARE = 0.34
_WOO_SPECIALS = (*trade_woo.SPECIALS, *trade_woo.LATER_SPECIALS)

Compose = Callable[["World", random.Random, Sequence[datetime], Sequence[str]], None]


@dataclass(frozen=True)
class Season:
    """How a trade of many days is planned. ``stocked``: SKU -> what the 3PL is filled up to."""

    hours: float
    days: int
    stocked: dict[str, int]


def orders_on(world: World, day: datetime) -> int:
    """How many orders a channel has on a day without a burst."""
    percent = WEEKDAY_PERCENT[day.weekday()] * MONTH_PERCENT[day.month - 1]
    return world.orders_per_channel * percent // 10_000


def plan_next(world: World, season: Season, number: int) -> None:
    """Have day ``number`` (0 was the first) planned when it begins, if it is still to be."""
    if number < season.days:
        world.schedule(
            world.opened + timedelta(days=number),
            lambda world, at: _begin(world, season, number, at),
        )


def _begin(world: World, season: Season, number: int, opens: datetime) -> None:
    for channel, compose, specials in (
        ("woo", trade_woo.plan_row, _WOO_SPECIALS),
        ("amazon", trade_amazon.plan_row, trade_amazon.SPECIALS),
    ):
        draw = random.Random(f"{world.seed}:{channel}:{number}")
        moments = _moments(world, season, draw, opens)
        row = [
            draw.choice(specials) if draw.random() < _SPECIAL_SHARE else "plain" for _ in moments
        ]
        compose(world, draw, moments, row)
    _plan_walk_ins(world, season, number, opens)
    fill = opens + timedelta(hours=season.hours * DELIVERY_AT)
    world.schedule(fill, partial(_fill_up, season=season))
    plan_next(world, season, number + 1)


def _moments(world: World, season: Season, draw: random.Random, opens: datetime) -> list[datetime]:
    seconds = int(season.hours * 3600)
    count = orders_on(world, opens)
    offsets = [draw.randrange(seconds) for _ in range(count)]
    if draw.random() < BURST_SHARE and count:
        begins = draw.randrange(seconds - 60)
        burst = world.orders_per_channel * BURST_PERCENT // 100
        offsets += [begins + draw.randrange(60) for _ in range(burst)]
        world.bursts.append(opens + timedelta(seconds=begins))
    return [opens + timedelta(seconds=offset) for offset in sorted(offsets)]


def _plan_walk_ins(world: World, season: Season, number: int, opens: datetime) -> None:
    """Units that the channels sell past the hub, as a till in the shop's own premises does."""
    draw = random.Random(f"{world.seed}:walk-ins:{number}")
    codes = [sku.code for sku in SKUS if sku.code not in SCARCE]
    for _ in range(world.quirks.walk_ins_per_day):
        at = opens + timedelta(seconds=draw.randrange(int(season.hours * 3600)))
        world.schedule(at, partial(_walk_in, code=draw.choice(codes)))


def _walk_in(world: World, _at: datetime, code: str) -> None:
    product = world.shop.listed(code)
    product.stock = max(0, product.stock - 1)
    if code in AMAZON_CODES:
        listing = world.seller.listings[code]
        listing.quantity = max(0, listing.quantity - 1)
    world.quirks.note("walk_ins_per_day", f"{code}:{_at}")


def _fill_up(world: World, at: datetime, season: Season) -> None:
    for code, wanted in season.stocked.items():
        level = world.shipbob.levels[code, HOME_CENTER]
        if level.free < wanted:
            world.shipbob.receive(code, HOME_CENTER, wanted - level.free)
    world.shipbob.retry_exceptions(world, at)
