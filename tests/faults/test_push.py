"""Rows 48 to 69 of the fault matrix: writes of which nobody knows at first what became of them."""

from __future__ import annotations

import pytest

from sandbox import truth
from tests.acceptance.trading import Trade
from tests.faults import scene
from tests.faults.scene import SELLER, SHOP, buy, pass_time, work, work_through

WRITES = (
    "shipengine:createLabel",
    "shipbob:createOrder",
    "amazon:confirmShipment",
    "woocommerce:batchOrders",
)
LARGE = 200
"""More of a SKU than the own warehouse has: the 3PL sends it."""


def shop_day(trade: Trade) -> dict[str, int]:
    """Orders that need each kind of write: channel order -> units."""
    wanted = dict.fromkeys(buy(trade, 1, SHOP, qty=2), 2)
    wanted |= dict.fromkeys(buy(trade, 1, SELLER), 1)
    wanted |= dict.fromkeys(buy(trade, 1, SHOP, "MUG-RED", LARGE), LARGE)
    wanted |= dict.fromkeys(buy(trade, 1, SELLER, "MUG-BLACK", LARGE), LARGE)
    return wanted


def assert_done_once(trade: Trade, wanted: dict[str, int]) -> None:
    left = scene.left_the_buildings(trade)
    assert {order: sum(units.values()) for order, units in left.items()} == wanted
    assert scene.effects(trade) == {"labels": 1, "orders": 1, "packages": 1, "confirmed": 2}
    shop, seller = trade.world.shop.orders, trade.world.seller.orders
    assert {order.status for order in shop.values()} == {"completed"}
    assert {order.status for order in seller.values()} == {"SHIPPED"}
    assert set(scene.states(trade).values()) == {"closed"}
    scene.assert_sound(trade)


SPOILT = (
    ("late", "gzip-cut", "html", "empty-object"),
    ("errors-body", "trailing-garbage", "not-a-number", "deep"),
    ("huge-integer", "duplicate-keys", "timeout-after", "timeout-before"),
    ("500-after", "502-after", "504-after", "truncated"),
)
"""Rows 24, 26 to 28 and 48 to 51, four kinds at a time."""


@pytest.mark.parametrize("kinds", SPOILT, ids=lambda kinds: kinds[0])
@pytest.mark.parametrize(
    "shift", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))]
)
def test_fault_rows_24_to_28_and_48_to_51_every_write_has_one_effect(
    trade: Trade, shift: int, kinds: tuple[str, ...]
) -> None:
    wanted = shop_day(trade)
    for number, operation in enumerate(WRITES):
        kind = kinds[(number + shift) % 4]
        trade.sandbox.faults.add(operation, kind, times=2, params={"seconds": 100})
    work_through(trade)
    assert set(trade.sandbox.faults.struck) == set(kinds)
    assert trade.sandbox.faults.struck.total() >= 7
    assert_done_once(trade, wanted)


@pytest.mark.parametrize(
    "kind",
    [
        "redirect-host",
        pytest.param("redirect-http", marks=pytest.mark.slow),
        pytest.param("redirect-link-local", marks=pytest.mark.slow),
    ],
)
def test_fault_row_30_a_redirect_of_a_write_is_not_followed(trade: Trade, kind: str) -> None:
    wanted = shop_day(trade)
    for operation in WRITES:
        trade.sandbox.faults.add(operation, kind, times=1, params={"status": 307})
    work_through(trade)
    assert trade.sandbox.faults.struck[kind] == 4
    # Whatever followed it would have asked the sandbox for an address that it does not have.
    assert not any("unknown" in name for name in trade.sandbox.calls.counts())
    assert_done_once(trade, wanted)


@pytest.mark.parametrize("lag", [pytest.param(30.0, marks=pytest.mark.slow), 300.0])
def test_fault_row_55_an_index_that_lags_makes_no_second_effect(trade: Trade, lag: float) -> None:
    wanted = shop_day(trade)
    trade.world.quirks.change(index_lag_s=lag)
    trade.sandbox.faults.add("shipengine:createLabel", "timeout-after", times=2)
    for _ in range(5):
        # Often enough to ask before the index knows.
        work(trade)
        pass_time(trade, seconds=240)
    work_through(trade)
    assert_done_once(trade, wanted)


@pytest.mark.parametrize("kind", ["500", pytest.param("html", marks=pytest.mark.slow)])
def test_fault_row_56_a_look_up_that_fails_leaves_it_open(trade: Trade, kind: str) -> None:
    wanted = shop_day(trade)
    for operation in WRITES[:2]:
        trade.sandbox.faults.add(operation, "timeout-after", times=1)
    for operation in ("shipengine:getLabelByExternalId", "shipbob:listOrders"):
        trade.sandbox.faults.add(operation, kind, times=6)
    work_through(trade, 3)
    assert trade.sandbox.faults.struck[kind] >= 4
    assert_done_once(trade, wanted)


def test_fault_row_56_a_look_up_that_finds_two_is_for_a_person(trade: Trade) -> None:
    buy(trade)
    trade.world.quirks.change(twins_share=1.0)
    trade.sandbox.faults.add("shipengine:createLabel", "timeout-after", times=1)
    work_through(trade)
    assert trade.world.quirks.struck["twins"] == 1
    assert [state for state, _ in scene.intents(trade, "label")] == ["review"]
    # Nothing was bought on top of the two that there are.
    assert scene.effects(trade)["labels"] == 2


def test_fault_row_62_an_item_refused_singly_holds_up_no_other(trade: Trade) -> None:
    numbers = buy(trade, 3)
    trade.world.quirks.change(refused_items=[numbers[1]])
    work_through(trade)
    shop = trade.world.shop.orders
    assert [shop[int(number)].status for number in numbers] == [
        "completed",
        "processing",
        "completed",
    ]
    told = [state for state, _ in scene.intents(trade, "tracking")]
    assert sorted(told) == ["done", "done", "rejected"]


def test_fault_row_63_a_destination_that_is_down_stops_no_other(trade: Trade) -> None:
    wanted = shop_day(trade)
    trade.sandbox.faults.add(
        "shipbob:*", "503", until=trade.clock.now() + scene.hours(4), params={"retry_after": 60}
    )
    work_through(trade)
    left = scene.left_the_buildings(trade)
    assert sorted(sum(units.values()) for units in left.values()) == [1, 2]
    work_through(trade)
    assert_done_once(trade, wanted)


def test_a_3pl_that_ships_what_it_confirmed_as_cancelled_is_told_to_a_person(
    trade: Trade,
) -> None:
    (number,) = buy(trade, 1, SHOP, "MUG-RED", LARGE)
    trade.world.quirks.change(ships_cancelled_share=1.0)
    for _ in range(3):
        work(trade)
        pass_time(trade, minutes=8)
    shop = trade.world.shop
    trade.world.advance_to(trade.clock.now())
    assert shop.cancel(shop.orders[int(number)], trade.clock.now().replace(microsecond=0))
    work_through(trade)
    assert trade.world.quirks.struck == {"ships_cancelled": 1}
    assert scene.left_the_buildings(trade) == {number: {"MUG-RED": LARGE}}
    reasons = scene.open_holds(trade)
    assert any("shipped after it was cancelled" in reason for reason in reasons), reasons
    scene.assert_sound(trade)


def test_an_order_that_the_shop_cancelled_is_never_told_to_be_complete(trade: Trade) -> None:
    """Found by ``crossdock simulate --seed 64247 --days 0.5 --workers 3``: the 3PL was past
    stopping, and telling the shop of its parcel brought the cancelled order back to life."""
    (number,) = buy(trade, 1, SHOP, "MUG-RED", LARGE)
    shop = trade.world.shop
    for _ in range(3):
        work(trade)
        pass_time(trade, minutes=25)
    trade.world.advance_to(trade.clock.now())
    assert shop.cancel(shop.orders[int(number)], trade.clock.now().replace(microsecond=0))
    work_through(trade)
    assert scene.left_the_buildings(trade) == {number: {"MUG-RED": LARGE}}
    assert shop.orders[int(number)].history == ["processing", "cancelled"]
    assert scene.intents(trade, "tracking") == [("done", 1)]
    reasons = scene.open_holds(trade)
    assert any("the channel has cancelled the order" in reason for reason in reasons), reasons
    scene.assert_sound(trade)


def test_shipments_told_twice_late_and_out_of_order_are_booked_once(trade: Trade) -> None:
    wanted = dict.fromkeys(buy(trade, 1, SHOP, "MUG-RED", LARGE), LARGE)
    wanted |= dict.fromkeys(buy(trade, 1, SELLER, "MUG-BLACK", LARGE), LARGE)
    trade.world.quirks.change(repeats_shipments=True, shipments_late_s=240.0, unsorted=True)
    trade.sandbox.faults.add("shipbob:listOrders", "stale-page", probability=0.5, params={"ago": 2})
    for _ in range(16):
        work(trade)
        pass_time(trade, minutes=6)
    trade.sandbox.faults.clear()
    work(trade)
    assert trade.sandbox.faults.struck["stale-page"] >= 5
    assert {"repeats_shipments", "shipments_late_s"} <= set(trade.world.quirks.struck)
    left = scene.left_the_buildings(trade)
    assert {order: sum(units.values()) for order, units in left.items()} == wanted
    assert set(scene.states(trade).values()) == {"closed"}
    scene.assert_sound(trade)


def test_fault_row_04_a_shipment_told_hours_late_is_found_by_looking_back(trade: Trade) -> None:
    (number,) = buy(trade, 1, SHOP, "MUG-RED", LARGE)
    scene.look(trade, "recheck-shipments", scene.BOB)
    trade.world.quirks.change(shipments_late_s=5 * 3600.0)
    work_through(trade)
    # Another order moves the watermark past the time that the shipment will be told with.
    buy(trade, 1, SHOP, "MUG-WHITE", LARGE)
    work_through(trade, 3)
    assert trade.world.shop.orders[int(number)].status == "processing", "this proves nothing"
    pass_time(trade, days=1)
    scene.look(trade, "recheck-shipments", scene.BOB)
    work(trade)
    assert trade.world.shop.orders[int(number)].status == "completed"
    assert truth.shipbob_orders(trade.world)
