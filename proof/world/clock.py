"""What time it is: outside, and by the hub's clock, which may be wrong."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from proof.world.stage import Stage

_ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)


class WorldClock:
    """The vendors' clock (``sandbox.clock.Clock``)."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def now(self) -> datetime:
        return self._stage.now

    def advance(self, seconds: float) -> datetime:
        self._stage.now += timedelta(seconds=seconds)
        return self._stage.now

    def set_speed(self, speed: float) -> None:
        raise ValueError("simulated time has no speed")

    def sleep(self, seconds: float) -> None:
        self._stage.pause(seconds)


class HubClock:
    """The hub's clock (``jobs.clock.Clock``). ``skew``: how far it is ahead, and may jump."""

    speed = 1.0

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.skew = timedelta(0)

    def now(self) -> datetime:
        return self._stage.now + self.skew

    def sleep(self, seconds: float) -> None:
        self._stage.pause(seconds)

    def stopwatch(self) -> float:
        """Seconds that never step back, whatever is done to the clock."""
        return (self._stage.now - _ORIGIN).total_seconds()


def cpu_s() -> float:
    """Seconds that this process has worked, for what a proof cost."""
    return time.process_time()
