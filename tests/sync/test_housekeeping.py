"""What comes back or is kept back by itself, when the time has come."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from jobs import housekeeping
from state import stock
from tests.sync.conftest import Bench


def hold(bench: Bench, key: str, minutes: int) -> None:
    with bench.store.write() as conn:
        stock.reserve(
            conn,
            sku_id=bench.skus["A"],
            location_id=bench.places["berlin"],
            qty=Decimal(1),
            key=key,
            now=bench.clock.now(),
            expires_at=bench.clock.now() + timedelta(minutes=minutes),
        )


def available(bench: Bench) -> int:
    with bench.store.read() as conn:
        [row] = stock.levels(conn, [bench.skus["A"]])
    return int(row.available)


def test_holds_run_out_at_their_time_and_wake_who_waits(bench: Bench) -> None:
    bench.put("A", "berlin", 3)
    hold(bench, "short", 5)
    hold(bench, "long", 50)
    assert bench.run(housekeeping.expire_holds).counts["expired"] == 0
    bench.clock.advance(301)
    run = bench.run(housekeeping.expire_holds)
    assert (run.counts["expired"], run.wanted) == (1, ["allocate", "promise"])
    assert available(bench) == 2


def test_a_dry_run_of_many_holds_comes_to_an_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.put("A", "berlin", 3)
    for number in range(3):
        hold(bench, str(number), 0)
    monkeypatch.setattr(housekeeping, "HOLDS_AT_ONCE", 1)
    assert bench.run(housekeeping.expire_holds, dry_run=True).counts["expired"] == 1
    assert bench.run(housekeeping.expire_holds).counts["expired"] == 2
    assert available(bench) == 3
