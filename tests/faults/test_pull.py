"""Rows 1 to 20 of the fault matrix: what goes wrong while orders are read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sandbox import truth
from state import tables as t
from tests.acceptance.trading import Trade
from tests.faults import scene
from tests.faults.scene import CHANNELS, SELLER, SHOP, buy, known, look, pass_time


def op(channel: str) -> str:
    return {SHOP: "woocommerce:listOrders", SELLER: "amazon:searchOrders"}[channel]


@pytest.mark.parametrize("channel", CHANNELS)
def test_fault_row_01_ties_across_page_edges_lose_nothing(
    trade: Trade, small_pages: int, channel: str
) -> None:
    ids = buy(trade, 23, channel)
    pass_time(trade, minutes=5)
    look(trade, connection=channel)
    assert known(trade, channel) == set(ids)


def test_fault_row_02_many_of_one_moment_leave_a_small_cursor(trade: Trade) -> None:
    ids = buy(trade, 300)
    pass_time(trade, minutes=5)
    look(trade)
    assert known(trade) == set(ids)
    assert len(str(scene.cursor(trade))) < 200


@pytest.mark.parametrize("channel", CHANNELS)
def test_fault_row_03_what_shows_late_is_met_by_the_overlap(trade: Trade, channel: str) -> None:
    trade.world.quirks.change(late_share=0.6, late_s=240.0)
    ids: list[str] = []
    for _ in range(12):
        ids += buy(trade, 1, channel)
        pass_time(trade, seconds=75)
        look(trade, connection=channel)
    pass_time(trade, minutes=10)
    look(trade, connection=channel)
    assert known(trade, channel) == set(ids)
    assert trade.world.quirks.struck["late"] >= 2


@pytest.mark.parametrize("channel", CHANNELS)
def test_fault_row_03_coarse_times_put_changes_behind_the_cursor(
    trade: Trade, channel: str
) -> None:
    trade.world.quirks.change(coarse_s=60)
    ids: list[str] = []
    for _ in range(8):
        ids += buy(trade, 1, channel)
        pass_time(trade, seconds=35)
        look(trade, connection=channel)
    pass_time(trade, minutes=10)
    look(trade, connection=channel)
    assert known(trade, channel) == set(ids)


@pytest.mark.parametrize("channel", CHANNELS)
def test_fault_row_04_what_shows_hours_late_is_found_by_looking_back(
    trade: Trade, channel: str
) -> None:
    late = buy(trade, 2, channel)
    trade.world.quirks.change(late_share=1.0, late_s=3 * 3600.0)
    for _ in range(5):
        assert look(trade, connection=channel).verdict is None
        assert look(trade, "recheck-orders", channel).run.counts["read"] == 0
        pass_time(trade, minutes=30)
    assert known(trade, channel) == set()
    trade.world.quirks.change(late_share=0.0)
    ids = buy(trade, 1, channel)
    pass_time(trade, days=1)
    look(trade, connection=channel)
    assert known(trade, channel) == set(ids), "the ordinary pull found it: this proves nothing"
    counts = look(trade, "recheck-orders", channel).run.counts
    assert known(trade, channel) == {*ids, *late}
    assert (counts["found_late"], counts["unchanged"]) == (2, 1)
    # One walk a day.
    pass_time(trade, hours=1)
    assert look(trade, "recheck-orders", channel).run.counts["read"] == 0


def test_fault_row_04_a_long_look_back_goes_on_in_the_next_run(
    trade: Trade, small_pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.lookback.PAGES_A_RUN", 2)
    look(trade, "recheck-orders")
    late = buy(trade, 23)
    pass_time(trade, days=1)
    reads = []
    for _ in range(4):
        reads.append(look(trade, "recheck-orders").run.counts["read"])
        pass_time(trade, minutes=10)
    assert reads == [10, 10, 3, 0]
    assert known(trade) == set(late)


def test_fault_row_04_looking_back_does_not_reach_behind_the_begin(trade: Trade) -> None:
    world = trade.world
    (old,) = buy(trade)
    world.shop.orders[int(old)].modified = world.opened - timedelta(days=2)
    look(trade, "recheck-orders")
    pass_time(trade, days=2)
    look(trade, "recheck-orders")
    assert known(trade) == set()


@pytest.mark.parametrize("channel", CHANNELS)
def test_fault_row_05_orders_edited_while_paging_are_all_read(
    trade: Trade, small_pages: int, channel: str
) -> None:
    ids = buy(trade, 23, channel)
    pass_time(trade, minutes=5)
    trade.world.quirks.change(edits_while_paging=2)
    look(trade, connection=channel)
    trade.world.quirks.change(edits_while_paging=0)
    pass_time(trade, minutes=5)
    look(trade, connection=channel)
    assert known(trade, channel) == set(ids)
    assert trade.world.quirks.struck["edits_while_paging"] >= 4
    if channel == SHOP:
        with trade.store.read() as conn:
            rows = conn.execute(t.sales_order.select()).all()
        notes = {row.channel_order_id: row.note or "" for row in rows}
        for order in trade.world.shop.orders.values():
            assert notes[str(order.id)] == order.body["customer_note"]


def test_fault_row_06_orders_deleted_while_paging_hide_no_others(
    trade: Trade, small_pages: int
) -> None:
    ids = buy(trade, 23)
    shop, now = trade.world.shop, trade.clock.now()
    for number in ids[1:4]:
        shop.cancel(shop.orders[int(number)], now)
    pass_time(trade, minutes=5)
    trade.world.quirks.change(deletes_while_paging=2)
    look(trade)
    deleted = {order["id"] for order in truth.deleted_orders(trade.world)}
    assert len(deleted) >= 2
    assert known(trade) >= set(ids) - deleted


@pytest.mark.parametrize("channel", CHANNELS)
def test_fault_row_07_a_listing_without_end_is_left(
    trade: Trade, small_pages: int, channel: str
) -> None:
    ids = buy(trade, 12, channel)
    pass_time(trade, minutes=5)
    trade.world.quirks.change(endless=True)
    ended = look(trade, connection=channel)
    assert ended.verdict is not None
    assert ended.verdict.kind == "retry"
    assert trade.sandbox.calls.counts()[op(channel)] < 20
    assert known(trade, channel) == set(ids)
    trade.world.quirks.change(endless=False)
    pass_time(trade, hours=2)
    assert look(trade, connection=channel).verdict is None


def test_fault_row_07_a_page_that_points_at_itself_is_left(trade: Trade, small_pages: int) -> None:
    ids = buy(trade, 12, SELLER)
    pass_time(trade, minutes=5)
    trade.sandbox.faults.add("amazon:searchOrders", "repeated-cursor")
    ended = look(trade, connection=SELLER)
    assert ended.verdict is not None
    assert trade.sandbox.calls.counts()["amazon:searchOrders"] < 10
    trade.sandbox.faults.clear()
    pass_time(trade, hours=2)
    assert look(trade, connection=SELLER).verdict is None
    assert known(trade, SELLER) == set(ids)


def test_fault_row_08_a_page_token_that_died_is_not_the_end(trade: Trade, small_pages: int) -> None:
    ids = buy(trade, 12, SELLER)
    pass_time(trade, minutes=5)
    trade.world.quirks.change(page_token_s=0.0)
    look(trade, connection=SELLER)
    trade.world.quirks.change(page_token_s=None)
    pass_time(trade, hours=1)
    assert look(trade, connection=SELLER).verdict is None
    assert known(trade, SELLER) == set(ids)
    assert trade.world.quirks.struck["page_token_s"] >= 1


@pytest.mark.parametrize("channel", CHANNELS)
def test_fault_row_09_an_unsorted_listing_loses_nothing(
    trade: Trade, small_pages: int, channel: str
) -> None:
    trade.world.quirks.change(unsorted=True)
    ids: list[str] = []
    for _ in range(9):
        ids += buy(trade, 2, channel)
        pass_time(trade, seconds=40)
    pass_time(trade, minutes=5)
    # The walk breaks off in the middle, and goes on from what it kept.
    trade.sandbox.faults.add(op(channel), "500", probability=0.4, times=6)
    for _ in range(4):
        look(trade, connection=channel)
        pass_time(trade, hours=1)
    trade.sandbox.faults.clear()
    assert look(trade, connection=channel).verdict is None
    assert known(trade, channel) == set(ids)


def test_fault_row_10_empty_pages_with_more_to_come_are_followed(
    trade: Trade, small_pages: int
) -> None:
    ids = buy(trade, 12, SELLER)
    pass_time(trade, minutes=5)
    trade.world.quirks.change(empty_pages=3)
    assert look(trade, connection=SELLER).verdict is None
    assert known(trade, SELLER) == set(ids)
    assert trade.world.quirks.struck["empty_pages"] == 9


@pytest.mark.parametrize("channel", CHANNELS)
def test_fault_row_11_nothing_new_leaves_the_cursor_where_it_was_or_later(
    trade: Trade, channel: str
) -> None:
    buy(trade, 2, channel)
    pass_time(trade, minutes=5)
    look(trade, connection=channel)
    marks = []
    for _ in range(3):
        marks.append(scene.cursor(trade, connection=channel)["watermark"])
        pass_time(trade, hours=3)
        look(trade, connection=channel)
    assert marks == sorted(marks)
    assert len(set(marks)) == 3


def test_fault_row_12_an_order_whose_details_fail_is_never_stored_without_them(
    trade: Trade,
) -> None:
    (number,) = buy(trade, qty=3)
    shop = trade.world.shop
    shop.refund(shop.orders[int(number)], 2, "broken", trade.clock.now())
    pass_time(trade, minutes=5)
    for status in ("403", "500", "403-html", "empty-object"):
        trade.sandbox.faults.add("woocommerce:listRefunds", status)
        assert look(trade).verdict is not None
        assert known(trade) == set()
        trade.sandbox.faults.clear()
        pass_time(trade, hours=1)
    assert look(trade).verdict is None
    with trade.store.read() as conn:
        (line,) = conn.execute(t.order_line.select()).all()
    assert (line.qty_ordered, line.qty_cancelled) == (3, 2)


@pytest.mark.parametrize("channel", CHANNELS)
def test_fault_row_13_a_stale_page_brings_no_old_version_back(trade: Trade, channel: str) -> None:
    (number,) = buy(trade, 1, channel)
    pass_time(trade, minutes=4)
    look(trade, connection=channel)
    now = trade.clock.now().replace(microsecond=0)
    trade.world.advance_to(now)
    if channel == SHOP:
        trade.world.shop.cancel(trade.world.shop.orders[int(number)], now)
    else:
        trade.world.seller.cancel(trade.world.seller.orders[number], now)
    pass_time(trade, minutes=4)
    look(trade, connection=channel)
    assert scene.states(trade)[number] == "cancelled"
    trade.sandbox.faults.add(op(channel), "stale-page", times=1, params={"ago": 2})
    pass_time(trade, minutes=3)
    ended = look(trade, connection=channel)
    assert trade.sandbox.faults.struck == {"stale-page": 1}
    assert scene.states(trade)[number] == "cancelled"
    assert ended.run.counts["read"] == ended.run.counts["unchanged"]


def test_fault_row_14_an_order_that_vanishes_is_not_cancelled(trade: Trade) -> None:
    trade.world.quirks.change(vanishing_share=1.0, vanishes_after_s=900.0, vanishes_for_s=3600.0)
    ids = buy(trade, 3)
    scene.work_through(trade, 1)
    assert trade.world.quirks.struck["vanishing"] >= 3
    assert {truth_of(trade, number) for number in ids} == {"completed"}
    assert set(scene.states(trade).values()) == {"closed"}
    scene.assert_sound(trade)


def truth_of(trade: Trade, number: str) -> str:
    return trade.world.shop.orders[int(number)].status


def test_fault_row_17_ten_pages_in_a_minute_are_all_stored(trade: Trade, small_pages: int) -> None:
    ids = []
    for channel in CHANNELS:
        ids += buy(trade, 10 * small_pages, channel)
    pass_time(trade, minutes=5)
    for channel in CHANNELS:
        assert look(trade, connection=channel).verdict is None
    assert set(scene.states(trade)) == set(ids)


def test_fault_row_19_a_token_that_dies_early_is_renewed_once(trade: Trade) -> None:
    ids = buy(trade, 3, SELLER)
    trade.world.quirks.change(access_token_s=600.0)
    for _ in range(9):
        assert look(trade, connection=SELLER).verdict is None
        pass_time(trade, minutes=7)
    assert known(trade, SELLER) == set(ids)
    calls = trade.sandbox.calls
    refused = sum(call.status == 403 for call in calls.entries)
    assert 1 <= refused < calls.counts()["lwa:token"]


def test_fault_row_20_a_refresh_token_that_was_voided_asks_for_a_person_and_no_more(
    trade: Trade,
) -> None:
    trade.world.quirks.change(access_token_s=600.0, rotates_refresh_tokens=True)
    buy(trade, 1, SELLER)
    verdicts = []
    for _ in range(8):
        verdicts.append(look(trade, connection=SELLER).verdict)
        pass_time(trade, minutes=15)
    assert verdicts[0] is None
    assert {one.kind for one in verdicts[1:] if one} == {"park_connection"}
    # One question a run: no loop.
    assert trade.sandbox.calls.counts()["lwa:token"] <= 1 + 2 * 7
