from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from jobs.clock import Clock, ManualClock, ScaledClock, SystemClock

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def test_system_time_is_aware_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_stop_wakes_every_sleeper() -> None:
    stop = threading.Event()
    clocks: list[Clock] = [SystemClock(stop), ScaledClock(NOON, 1, NOON, stop)]
    sleepers = [threading.Thread(target=clock.sleep, args=(600,)) for clock in clocks]
    for sleeper in sleepers:
        sleeper.start()
    stop.set()
    for sleeper in sleepers:
        sleeper.join(timeout=10)
    assert not any(sleeper.is_alive() for sleeper in sleepers)


def test_rehearsals_with_the_same_settings_agree_on_the_time() -> None:
    origin = SystemClock().now() - timedelta(seconds=10)
    first = ScaledClock(NOON, 1440, origin).now()
    second = ScaledClock(NOON, 1440, origin).now()
    assert NOON + timedelta(hours=4) <= first <= second
    # A real second is 24 minutes here, and the two readings are a moment apart.
    assert second - first < timedelta(minutes=24)


def test_rehearsal_sleep_is_shorter_by_the_speed() -> None:
    clock = ScaledClock(NOON, 3600, NOON)
    before = SystemClock().now()
    clock.sleep(60)
    assert SystemClock().now() - before < timedelta(seconds=5)


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_rehearsal_needs_a_speed(speed: float) -> None:
    with pytest.raises(ValueError, match="speed above 0"):
        ScaledClock(NOON, speed, NOON)


def test_naive_times_are_refused() -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(ValueError, match="aware"):
        ScaledClock(naive, 1, NOON)
    with pytest.raises(ValueError, match="aware"):
        ManualClock(naive)


def test_a_manual_clock_moves_when_told_or_slept_on() -> None:
    clock = ManualClock(NOON)
    assert clock.advance(60) == NOON + timedelta(minutes=1)
    clock.sleep(60)
    assert clock.now() == NOON + timedelta(minutes=2)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
