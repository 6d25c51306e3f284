"""The whole application against the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from state.store import Store
from tests.acceptance.trading import Trade, set_up


@pytest.fixture
def open_trade(tmp_path: Path, store: Store) -> Iterator[Callable[..., Trade]]:
    """Makes a hub that trades with a sandbox of so many orders a channel, on both databases."""
    opened: list[Trade] = []

    def make(orders_per_channel: int, seed: int = 7) -> Trade:
        trade = set_up(tmp_path, store, orders_per_channel, seed)
        opened.append(trade)
        return trade

    # Formatting thousands of log lines nobody reads would be a third of the test.
    with capture_logs():
        yield make
    for trade in opened:
        trade.hub.close()
