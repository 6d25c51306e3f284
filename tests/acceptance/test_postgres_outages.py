"""PostgreSQL cuts connections under load, over and over, and only reads for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from sync import outcomes
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


@contextmanager
def a_standby(url: str) -> Iterator[None]:
    """The server behind the address only reads, as after a failover, and then is replaced by one
    that writes; connections that are made meanwhile stay with the one that does not."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    may = f'ALTER DATABASE "{make_url(url).database}" SET default_transaction_read_only ='
    with engine.connect() as conn:
        conn.execute(text(f"{may} on"))
    try:
        yield
    finally:
        with engine.connect() as conn:
            conn.execute(text(f"{may} off"))
        engine.dispose()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_fault_row_88_a_failover_to_a_server_that_only_reads_is_waited_for(
    open_trade: Callable[..., Trade], store_url: str
) -> None:
    trade = open_trade(6)
    begin, end = trade.clock.now(), trade.world.day_ends
    trade.until(begin + (end - begin) / 2)
    with a_standby(store_url):
        trade.store.engine.dispose()  # the server that wrote is gone
        for _ in range(3):
            with pytest.raises(DBAPIError) as refused:
                trade.until(end)
            verdict = outcomes.classify(refused.value)
            assert verdict.kind == "retry"
            assert "read-only transaction" in verdict.message
            trade.clock.advance(LEASE_S)
    trade.day()
    assert oracle.violations(trade.store) == []
    assert oracle.differences(trade.store, trade.world) == []
