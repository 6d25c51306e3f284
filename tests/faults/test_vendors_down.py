"""Rows 21, 23, 28, 30, 33 and 69: vendors that refuse, break down, or answer something else."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sandbox.faults import REDIRECTS, UNREADABLE
from sandbox.spoiling import RETRY_AFTER
from state import streams
from tests.acceptance.trading import Trade
from tests.faults import scene
from tests.faults.scene import BOB, LABELS, SELLER, SHOP, buy, known, look, pass_time


def test_fault_row_21_every_spelling_of_retry_after_is_honoured_within_reason(
    trade: Trade,
) -> None:
    ids = set()
    for spelling in ("7", "date", *RETRY_AFTER):
        ids |= set(buy(trade))
        pass_time(trade, minutes=5)
        trade.sandbox.faults.add(
            "woocommerce:listOrders", "429", times=1, params={"retry_after": spelling}
        )
        for _ in range(2):
            look(trade)
            # The longest that is believed is an hour.
            pass_time(trade, hours=1, minutes=1)
        assert known(trade) == ids, spelling
    assert len(trade.sandbox.faults.struck) == 2 + len(RETRY_AFTER)


def test_fault_row_23_an_outage_of_six_hours_is_met_with_few_probes(trade: Trade) -> None:
    key = streams.key_of("pull-orders", SHOP)

    def calls_in(hours: int) -> int:
        before = trade.sandbox.calls.counts().get("woocommerce:listOrders", 0)
        end = trade.clock.now() + timedelta(hours=hours)
        while trade.clock.now() < end:
            trade.runner.run_due(key)
            pass_time(trade, seconds=60)
        return trade.sandbox.calls.counts()["woocommerce:listOrders"] - before

    calls_in(1)
    ids = buy(trade, 3)
    until = trade.clock.now() + timedelta(hours=6)
    trade.sandbox.faults.add("woocommerce:*", "503", until=until)
    # Three until it is known, and then every twenty minutes one.
    assert calls_in(6) <= 3 + 3 + 6 * 3
    assert calls_in(1) <= 5
    assert known(trade) == set(ids)


def test_fault_row_23_who_is_put_off_neither_fails_nor_uses_up_an_attempt(trade: Trade) -> None:
    buy(trade, 1, SHOP, "MUG-RED", 200)
    buy(trade, 3)
    rules = [trade.sandbox.faults.add(f"{name}:*", "503") for name in ("shipbob", "shipengine")]
    for _ in range(3):
        scene.work(trade)
        pass_time(trade, hours=1)
    put_off = 0
    for connection in (BOB, LABELS):
        look(trade, "push", connection)
        calls, waiting = trade.sandbox.calls.counts(), intents_of(trade)
        for _ in range(5):
            ended = look(trade, "push", connection)
            put_off += ended.verdict is not None and not ended.verdict.asked
        assert trade.sandbox.calls.counts() == calls
        assert intents_of(trade) == waiting
    assert put_off >= 5
    for rule in rules:
        rule.probability = 0.0
    scene.work_through(trade, 2)
    assert set(scene.states(trade).values()) == {"closed"}
    scene.assert_sound(trade)


def intents_of(trade: Trade) -> list[list[tuple[str, int]]]:
    """(state, attempts) of every intent that asks for work."""
    return [scene.intents(trade, kind) for kind in ("fulfilment_order", "label")]


def test_fault_row_28_a_page_that_cannot_be_read_loses_nothing(trade: Trade) -> None:
    ids: dict[str, set[str]] = {SHOP: set(), SELLER: set()}
    for kind in sorted(UNREADABLE - {"byte-order-mark", "wrong-type"}):
        for channel in scene.CHANNELS:
            ids[channel] |= set(buy(trade, 1, channel))
        pass_time(trade, minutes=5)
        for operation in ("woocommerce:listOrders", "amazon:searchOrders"):
            trade.sandbox.faults.add(operation, kind, times=2)
        for _ in range(2):
            for channel in scene.CHANNELS:
                look(trade, connection=channel)
            pass_time(trade, minutes=30)
        assert trade.sandbox.faults.struck[kind] == 4
        trade.sandbox.faults.clear()
        for channel in scene.CHANNELS:
            assert look(trade, connection=channel).verdict is None
            assert known(trade, channel) == ids[channel], kind
    assert set(scene.states(trade).values()) == {"accepted"}


@pytest.mark.parametrize("kind", ["byte-order-mark", "wrong-type"])
def test_fault_row_28_what_can_be_read_all_the_same_is(trade: Trade, kind: str) -> None:
    ids = buy(trade, 2)
    pass_time(trade, minutes=5)
    trade.sandbox.faults.add("woocommerce:listOrders", kind)
    assert look(trade).verdict is None
    assert known(trade) == set(ids)


def test_fault_row_30_a_redirect_of_a_read_is_not_followed(trade: Trade) -> None:
    ids = set()
    for kind in sorted(REDIRECTS):
        ids |= set(buy(trade))
        pass_time(trade, minutes=5)
        rule = trade.sandbox.faults.add("woocommerce:listOrders", kind)
        assert look(trade).verdict is not None
        counts = trade.sandbox.calls.counts()
        assert {name for name in counts if "woo" in name} == {"woocommerce:listOrders"}
        rule.times = 0
        pass_time(trade, hours=1)
        assert look(trade).verdict is None
        assert known(trade) == ids


DRIFTS = {
    SHOP: (
        ("new-enum", "status"),
        ("missing-field", "currency"),
        ("missing-field", "line_items"),
        ("type-change", "line_items"),
        ("type-change", "total"),
    ),
    SELLER: (
        ("new-enum", "fulfillmentStatus"),
        ("missing-field", "orderItems"),
        ("type-change", "quantityOrdered"),
    ),
}


@pytest.mark.parametrize("channel", scene.CHANNELS)
def test_fault_row_33_an_order_of_another_shape_is_parked_and_the_others_go_on(
    trade: Trade, channel: str
) -> None:
    operation = "woocommerce:listOrders" if channel == SHOP else "amazon:searchOrders"
    for kind, field in DRIFTS[channel]:
        ids = set(buy(trade, 4, channel))
        pass_time(trade, minutes=8)
        rule = trade.sandbox.faults.add(operation, kind, times=1, params={"field": field})
        assert look(trade, connection=channel).verdict is None
        assert rule.struck == 1
        accepted = {number for number, state in scene.states(trade).items() if state == "accepted"}
        parked = ids - accepted | scene.with_parked_lines(trade) & ids
        assert len(parked) == 1, (kind, field)
        # None is lost: what was not understood is kept as it came, for a person.
        assert known(trade, channel) >= ids
        pass_time(trade, minutes=8)
    assert trade.sandbox.faults.struck.total() == len(DRIFTS[channel])


def test_fault_row_69_after_two_days_everything_is_sent_once(trade: Trade) -> None:
    large = dict.fromkeys(buy(trade, 1, SHOP, "MUG-RED", 200), 200)
    small = dict.fromkeys(buy(trade, 3), 1)
    now = trade.clock.now()
    for vendor in ("shipbob", "shipengine"):
        trade.sandbox.faults.add(f"{vendor}:*", "503", until=now + timedelta(hours=48))
    for _ in range(4):
        scene.work(trade)
        pass_time(trade, hours=12)
    assert scene.left_the_buildings(trade) == {}
    scene.work_through(trade, 2)
    left = scene.left_the_buildings(trade)
    assert {order: sum(units.values()) for order, units in left.items()} == large | small
    assert set(scene.states(trade).values()) == {"closed"}
    scene.assert_sound(trade)
