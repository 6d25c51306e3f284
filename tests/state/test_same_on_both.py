"""G3: nothing that decides when a look comes hangs on which database it is.

Found by ``python -m proof --postgres URL G3``: seed 1 took another way on PostgreSQL.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from state import owners
from state.store import Store
from sync.routing import waiting

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_asking_who_lives_writes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_writing(*_: Any, **__: Any) -> Any:
        raise AssertionError("a transaction that writes")

    monkeypatch.setattr(Store, "write", no_writing)
    with closing(owners.of_process(store, "run/here/1/a")) as mine:
        mine.begin()
        assert mine.lives("run/here/1/a")
        assert not mine.lives("run/here/2/b")


def test_the_minute_of_an_order_s_hourly_look_is_the_channel_s() -> None:
    moments = [NOON + timedelta(minutes=minute) for minute in range(120)]

    def looks(number: int, channel_order_id: str) -> list[int]:
        row: Any = SimpleNamespace(id=number, channel_order_id=channel_order_id)
        return [waiting.hour_of(row, moment) for moment in moments]

    assert looks(7, "1001") == looks(4_711, "1001")
    # Twice in two hours, and others in other minutes.
    assert len(set(looks(7, "1001"))) == 3
    assert len({tuple(looks(7, str(order))) for order in range(1_000)}) == 60
