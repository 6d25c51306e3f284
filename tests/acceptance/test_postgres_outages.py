"""PostgreSQL cuts connections under load, over and over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from tests.acceptance import oracle
from tests.acceptance.trading import Trade

LEASE_S = 61.0
CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""


@dataclass
class Cutter:
    """Cuts every connection that is in the middle of something, again and again."""

    url: str
    pause_s: float
    cut: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Cutter:
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _loop(self) -> None:
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        while not self._stop.wait(self.pause_s):
            with engine.connect() as conn:
                self.cut += conn.scalar(text(CUT)) or 0
        engine.dispose()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_fault_row_87_cut_connections_in_the_middle_of_transactions_change_nothing(
    open_trade: Callable[..., Trade], store_url: str
) -> None:
    trade = open_trade(6)
    with Cutter(store_url, 0.4) as cutter:
        end = trade.world.day_ends
        while trade.clock.now() < end:
            try:
                trade.until(end)
            except OperationalError:
                # Not even its end could be written down: the stream is free when its lease is over.
                trade.clock.advance(LEASE_S)
    trade.day()
    assert cutter.cut >= 1
    assert oracle.violations(trade.store) == []
    assert oracle.differences(trade.store, trade.world) == []
