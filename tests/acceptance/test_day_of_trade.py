"""A day of trade: nothing lost, nothing doubled, every channel shows what is promised."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from sandbox import truth
from state import tables as t
from state.store import Store
from state.types import Utc
from tests.acceptance import oracle, trading
from tests.acceptance.trading import Trade

ORDERS = 16
_SQLITE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")

# (pattern, kind, probability, params): about one call in seven is hit by one of them, and the
# calls that cost money or goods far more often.
STORM: tuple[tuple[str, str, float, dict[str, Any]], ...] = (
    ("*", "timeout-before", 0.02, {}),
    ("*", "timeout-after", 0.02, {}),
    ("*", "429", 0.02, {"retry_after": 7}),
    ("*", "500", 0.02, {}),
    ("*", "500-after", 0.02, {}),
    ("*", "503", 0.02, {"retry_after": "date", "seconds": 20}),
    ("*", "html", 0.02, {}),
    ("*", "truncated", 0.02, {}),
    ("shipengine:createLabel", "timeout-after", 0.25, {}),
    ("shipengine:createLabel", "500-after", 0.1, {}),
    ("shipbob:createOrder", "timeout-after", 0.25, {}),
    ("shipbob:createOrder", "truncated", 0.1, {}),
    ("amazon:confirmShipment", "timeout-after", 0.2, {}),
    ("woocommerce:batchOrders", "html", 0.2, {}),
)


def assert_the_day_went_well(trade: Trade) -> None:
    assert oracle.differences(trade.store, trade.world) == []
    assert oracle.violations(trade.store) == []
    shipped = [o for o in truth.woo_orders(trade.world) if o["status"] == "completed"]
    confirmed = [o for o in truth.amazon_orders(trade.world) if o["confirmations"]]
    assert len(shipped) >= 5
    assert len(confirmed) >= 5
    assert truth.labels(trade.world)
    assert truth.shipbob_orders(trade.world)


def test_a_day_ends_as_it_should_and_pulling_it_again_changes_nothing(
    open_trade: Callable[..., Trade],
) -> None:
    trade = open_trade(ORDERS)
    trade.day()
    assert trade.failed == Counter()
    for order in truth.amazon_orders(trade.world):
        assert order["confirmations"] == len(order["packages"])
    assert_the_day_went_well(trade)
    assert_times_are_utc(trade.store)
    # The shop leaves the time of change alone when we note tracking: a first look finds the notes.
    pull_everything_again(trade)
    inside, outside = trading.contents(trade.store), trading.outside(trade.world)
    counts = pull_everything_again(trade)
    placed = len(trade.world.shop.orders) + len(trade.world.seller.orders)
    assert counts["read"] == counts["unchanged"] == placed
    assert trading.contents(trade.store) == inside
    assert trading.outside(trade.world) == outside


def pull_everything_again(trade: Trade) -> Counter[str]:
    """Read everything from the beginning, and let every job draw its consequences."""
    counts: Counter[str] = Counter()
    for channel in ("amazon-eu", "shop-eu"):
        counts.update(trade.once("pull-orders", channel, since=trade.world.opened).counts)
        trade.once("pull-listings", channel)
    trade.once("pull-shipments", "bob", since=trade.world.opened)
    trade.once("pull-stock", "bob", since=trade.world.opened)
    trade.once("allocate")
    trade.once("promise")
    for connection in ("shop-eu", "amazon-eu", "bob", "labels"):
        trade.once("push", connection)
    return counts


def assert_times_are_utc(store: Store) -> None:
    """SQLite has no time type: every time is ISO text in UTC, so that it sorts."""
    if not store.is_sqlite:
        return
    seen = 0
    with store.read() as conn:
        for table in t.metadata.sorted_tables:
            for column in table.columns:
                if not isinstance(column.type, Utc):
                    continue
                query = text(f'SELECT "{column.name}" FROM "{table.name}"')
                written = [value for value in conn.scalars(query) if value is not None]
                seen += len(written)
                wrong = [value for value in written if not _SQLITE_TIME.fullmatch(value)]
                assert wrong == [], f"{table.name}.{column.name}"
    assert seen > 500


def raise_a_storm(trade: Trade, force: float = 1.0) -> Counter[str]:
    """Live through the day in a storm; how often each kind of fault struck."""
    rules = [
        trade.sandbox.faults.add(pattern, kind, probability=probability * force, params=params)
        for pattern, kind, probability, params in STORM
    ]
    trade.day()
    struck: Counter[str] = Counter()
    for rule in rules:
        struck[rule.kind] += rule.struck
    return struck


def test_a_day_under_a_storm_of_faults_ends_in_the_same_truth(
    open_trade: Callable[..., Trade],
) -> None:
    trade = open_trade(ORDERS)
    struck = raise_a_storm(trade)
    assert min(struck[kind] for _, kind, _, _ in STORM) >= 3, struck
    assert_the_day_went_well(trade)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 7))
def test_days_in_worse_storms_end_in_the_same_truth(
    open_trade: Callable[..., Trade], seed: int
) -> None:
    trade = open_trade(30, seed)
    struck = raise_a_storm(trade, force=1.0 if seed % 2 else 2.0)
    assert struck.total() >= 100, struck
    assert_the_day_went_well(trade)
