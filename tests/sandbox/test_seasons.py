"""Trade that lasts: days of their own, planned one by one, the first of them as ever."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from sandbox import seasons, truth
from sandbox.clock import ManualClock
from sandbox.quirks import Quirks
from sandbox.world import World
from tests.sandbox.conftest import START


def lived(days: int, *, until: int, orders: int = 12, quirks: Quirks | None = None) -> World:
    """A world of ``days`` that nobody served, at the end of day ``until``."""
    clock = ManualClock(START)
    world = World(7, clock, orders_per_channel=orders, days=days, quirks=quirks)
    for _ in range(until * 24):
        clock.advance(3600)
        world.advance_to(clock.now())
    return world


def placed(world: World) -> Counter[int]:
    """Orders by day of the trade, of both channels."""
    stamps = [order.created for order in world.shop.orders.values()]
    stamps += [order.created for order in world.seller.orders.values()]
    return Counter((stamp - world.opened).days for stamp in stamps)


def test_the_first_of_many_days_is_the_only_day_of_others() -> None:
    one, many = lived(1, until=1), lived(30, until=1)
    told = truth.summary(one), truth.summary(many)
    assert told[0]["orders"] == told[1]["orders"]
    assert told[0]["orders"]["woocommerce"]
    assert one.next_event() is None
    assert many.day_ends - one.day_ends == timedelta(days=29)


def test_every_day_has_orders_of_its_own_and_only_one_day_is_planned_ahead() -> None:
    clock = ManualClock(START)
    world = World(7, clock, orders_per_channel=12, days=21)
    pending = []
    for _ in range(21):
        clock.advance(86_400)
        world.advance_to(clock.now())
        pending.append(len(world._due))
    assert set(placed(world)) == set(range(21))
    assert max(pending) < 200
    assert truth.digest(world) == truth.digest(lived(21, until=21))


def test_weekdays_and_months_differ() -> None:
    world = World(7, ManualClock(START), orders_per_channel=100)
    monday, saturday = START, START + timedelta(days=5)
    assert seasons.orders_on(world, monday) > seasons.orders_on(world, saturday)
    january = datetime(2027, 1, 4, tzinfo=UTC)
    assert seasons.orders_on(world, monday) > 1.5 * seasons.orders_on(world, january)


def test_fault_row_17_now_and_then_everybody_buys_at_once() -> None:
    world = lived(21, until=21)
    assert world.bursts
    begins = world.bursts[0]
    stamps = [order.created for order in world.shop.orders.values()]
    stamps += [order.created for order in world.seller.orders.values()]
    together = [one for one in stamps if begins <= one < begins + timedelta(minutes=1)]
    assert len(together) >= 12


def test_the_3pl_is_filled_up_and_channels_sell_past_the_hub() -> None:
    quirks = Quirks(walk_ins_per_day=5)
    world = lived(4, until=4, quirks=quirks)
    assert 0 < quirks.struck["walk_ins_per_day"] <= 15
    for code in ("TIN-250", "KETTLE-GOOSE"):
        shelf = truth.stock(world)["shelves"]["84"][code]
        assert shelf["on_hand"] >= 12


def test_delivered_goods_come_back() -> None:
    world = lived(9, until=1, orders=40)
    clock = world.clock
    for _ in range(8):
        clock.advance(86_400)
        world.advance_to(clock.now())
        for order in world.shop.orders.values():
            if order.status == "processing":
                world.shop.set_status(order, "completed", clock.now())
    assert world.returned
    at, order_id, code = world.returned[0]
    refund = world.shop.orders[order_id].refunds[-1]
    assert (refund["reason"], refund["created"]) == ("Rücksendung", at)
    told = truth.summary(world)["returned"][0]
    assert (told["order"], told["sku"]) == (str(order_id), code)
