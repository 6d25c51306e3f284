"""Rows 15, 16, 18 and 22: whose order it is, and who else is at the vendor at that moment."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from jobs.running import Order
from sandbox.limits import Limit
from state import streams
from state import tables as t
from tests.acceptance import oracle
from tests.acceptance.trading import Trade
from tests.faults import scene
from tests.faults.accounts import OUTLET, with_outlet
from tests.faults.scene import CHANNELS, SELLER, SHOP, buy, known, look, pass_time


def test_fault_row_15_one_number_at_two_shops_is_two_orders(trade: Trade, tmp_path: Path) -> None:
    shop, outlet = with_outlet(trade, tmp_path)
    here, there = buy(shop, 3, qty=1), buy(outlet, 3, qty=2)
    assert here == there
    pass_time(shop, minutes=15)
    for name in (SHOP, OUTLET):
        assert look(shop, connection=name).verdict is None
    for _ in range(4):
        scene.work(shop)
        for name in (SHOP, OUTLET):
            look(shop, "pull-orders", name)
            look(shop, "push", name)
        pass_time(shop, hours=1)
    left = {order: sum(units.values()) for order, units in parcels_of(shop).items()}
    assert left == {(SHOP, n): 1 for n in here} | {(OUTLET, n): 2 for n in there}
    for one in (shop, outlet):
        assert {order.status for order in one.world.shop.orders.values()} == {"completed"}
    # Each shop was told of its own parcels.
    told = [numbers(one) for one in (shop, outlet)]
    assert all(len(given) == 3 for given in told)
    assert not told[0] & told[1]
    scene.assert_sound(shop)


def parcels_of(trade: Trade) -> dict[tuple[str, str], dict[str, int]]:
    left = oracle.parcels(trade.store, trade.world)
    return {order: dict(units) for order, units in left.items()}


def numbers(one: Trade) -> set[str]:
    """The parcels that a shop's buyers were told of."""
    return {
        parcel["tracking_number"]
        for order in one.world.shop.orders.values()
        for entry in order.body["meta_data"]
        if entry["key"] == "_wc_shipment_tracking_items"
        for parcel in entry["value"]
    }


def test_fault_row_16_orders_are_told_apart_by_id_whatever_number_they_show(trade: Trade) -> None:
    first, second, third = (trade.world.shop.orders[int(number)] for number in buy(trade, 3))
    for order in (first, second):
        order.body["number"] = "1001"
    third.body["number"] = str(first.id)
    scene.work_through(trade)
    left = scene.left_the_buildings(trade)
    assert left == {str(order.id): {"MUG-BLUE": 1} for order in (first, second, third)}
    names = shown(trade)
    assert names == {str(first.id): "1001", str(second.id): "1001", str(third.id): str(first.id)}
    # Renumbered afterwards: the same order, and nothing leaves again.
    now = trade.clock.now().replace(microsecond=0)
    first.body["number"], first.modified = "2002", now
    scene.work_through(trade)
    assert shown(trade) == names | {str(first.id): "2002"}
    assert scene.left_the_buildings(trade) == left
    assert scene.effects(trade)["labels"] == 1
    scene.assert_sound(trade)


def shown(trade: Trade) -> dict[str, str]:
    """The channel's id of every order -> the number that people see."""
    order = t.sales_order.c
    with trade.store.read() as conn:
        rows = conn.execute(select(order.channel_order_id, order.channel_order_name))
        return {row.channel_order_id: row.channel_order_name for row in rows}


def test_fault_row_18_a_month_read_back_keeps_no_new_order_waiting(
    trade: Trade, small_pages: int
) -> None:
    alone = lags(trade, PULLS, 8)
    past = {channel: history(trade, channel, 60 * small_pages) for channel in CHANNELS}
    for key in READ_BACK:
        since = trade.clock.now() - timedelta(days=30)
        assert trade.runner.run_once(key, Order("once", key.partition(":")[2], since)) is not None
    beside = lags(trade, (*READ_BACK, *PULLS), 8)
    for channel in CHANNELS:
        assert p95(beside[channel]) <= 2 * p95(alone[channel]), (channel, alone, beside)
        assert past[channel] & known(trade, channel), "nothing was read back meanwhile"
    for _ in range(8):
        pass_time(trade, hours=1)
        for channel in CHANNELS:
            look(trade, "recheck-orders", channel)
    assert {n: len(past[n] - known(trade, n)) for n in CHANNELS} == dict.fromkeys(CHANNELS, 0)


PULLS = [streams.key_of("pull-orders", channel) for channel in CHANNELS]
READ_BACK = [streams.key_of("recheck-orders", channel) for channel in CHANNELS]


def history(trade: Trade, channel: str, count: int) -> set[str]:
    """So many orders, spread over a month that is over."""
    plenty(trade)
    at = trade.clock.now().replace(microsecond=0) - timedelta(days=29)
    ids = buy(trade, count, channel)
    for place, number in enumerate(ids):
        moment = at + timedelta(days=28) * place / count
        if channel == SHOP:
            trade.world.shop.orders[int(number)].modified = moment
        else:
            trade.world.seller.orders[number].modified = moment
    return set(ids)


def plenty(trade: Trade) -> None:
    trade.world.shop.listed("MUG-BLUE").stock = 100_000
    for offer in trade.world.seller.listings.values():
        offer.quantity = 100_000


def lags(
    trade: Trade, keys: Sequence[str], count: int, meanwhile: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """By channel the seconds from a purchase until the hub knows of it; one each ten minutes."""
    plenty(trade)
    waiting: dict[str, dict[str, datetime]] = {channel: {} for channel in CHANNELS}
    took: dict[str, list[float]] = {channel: [] for channel in CHANNELS}
    for minute in range(10 * count + 240):
        if minute >= 10 * count and not any(waiting.values()):
            return took
        for channel, bought in waiting.items():
            if minute % 10 == 0 and minute < 10 * count:
                bought[buy(trade, 1, channel)[0]] = trade.clock.now()
        pass_time(trade, minutes=1)
        meanwhile()
        for key in keys:
            trade.runner.run_due(key)
        for channel, bought in waiting.items():
            for number in bought.keys() & known(trade, channel):
                took[channel].append((trade.clock.now() - bought.pop(number)).total_seconds())
    raise AssertionError(f"orders bought hours ago are not there: {waiting}")


def p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


def test_fault_row_22_another_app_uses_up_the_quota_and_nobody_starves(trade: Trade) -> None:
    lags(trade, PULLS, 2)
    before = len(trade.sandbox.calls.entries)
    dice = random.Random(7)

    def another_app() -> None:
        """A token comes back in three minutes; in every second minute it takes what there is."""
        if dice.random() < 0.5:
            while trade.world.limiter.draw(SEARCHES, trade.clock.now()).wait == 0:
                pass

    began = trade.clock.now()
    beside = lags(trade, PULLS, 8, another_app)
    took_s = (trade.clock.now() - began).total_seconds()
    searches = [
        call.status
        for call in trade.sandbox.calls.entries[before:]
        if call.operation == "searchOrders"
    ]
    # We come no more often than the vendor gives back, however often we are refused.
    assert searches.count(429) >= 8, searches
    assert len(searches) <= took_s * SEARCHES.rate + 3
    assert p95(beside[SELLER]) <= 3 * 3600
    # What draws from another quota notices nothing.
    assert p95(beside[SHOP]) <= 20 * 60, "the interval at which it looks"


SEARCHES = Limit("amazon:searchOrders", burst=20, rate=0.0056)
