from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.clock import ManualClock, ScaledClock

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(START)
    assert clock.now() == START
    assert clock.advance(90) == START + timedelta(seconds=90)
    clock.sleep(10)
    assert clock.now() == START + timedelta(seconds=100)


def test_no_clock_runs_backwards_or_without_a_zone() -> None:
    with pytest.raises(ValueError, match="backwards"):
        ManualClock(START).advance(-1)
    with pytest.raises(ValueError, match="backwards"):
        ScaledClock(START, speed=-1)
    with pytest.raises(ValueError, match="aware"):
        ManualClock(START.replace(tzinfo=None))
    with pytest.raises(ValueError, match="no speed"):
        ManualClock(START).set_speed(2)


def test_a_scaled_clock_runs_at_its_speed_from_its_origin() -> None:
    # The machine's monotonic clock is long past 0, so the same origin reads the same elsewhere.
    first, second = (ScaledClock(START, speed=1000, origin=0.0) for _ in range(2))
    assert START < first.now() <= second.now() <= first.now()


def test_a_scaled_clock_keeps_its_time_when_the_speed_changes() -> None:
    clock = ScaledClock(START, speed=0)
    clock.advance(60)
    clock.set_speed(0)
    assert clock.now() == START + timedelta(seconds=60)
    clock.set_speed(100_000)
    assert clock.now() > START + timedelta(seconds=60)


def test_sleeping_on_a_fast_clock_is_short_on_the_wall() -> None:
    clock = ScaledClock(START, speed=100_000)
    clock.sleep(1000)
    assert clock.now() >= START + timedelta(seconds=1000)
