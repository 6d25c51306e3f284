"""The clocks. The only module that asks the operating system for the time or waits for it.

Everything else is given a clock, so that a rehearsal can run a day in a minute and a test can
decide when it is noon.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the engine needs of time. ``now`` is aware and in UTC.

    ``speed`` is how many of its seconds pass in a real one: leases are promises about a process,
    so their real length must not shrink when a rehearsal runs fast.
    """

    @property
    def speed(self) -> float: ...

    def now(self) -> datetime: ...

    def sleep(self, seconds: float) -> None:
        """Wait; may return early only when the process is told to stop."""
        ...


class SystemClock:
    """Real time. ``stop``: set it, and every sleeper wakes."""

    speed = 1.0

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        self._stop.wait(max(0.0, seconds))


class ScaledClock:
    """Rehearsal time: ``start`` was at the real moment ``origin``, and ``speed`` seconds pass
    in every real one.

    Processes given the same three values agree on the time, also after a restart.
    """

    def __init__(
        self,
        start: datetime,
        speed: float,
        origin: datetime,
        stop: threading.Event | None = None,
    ) -> None:
        if start.tzinfo is None or origin.tzinfo is None:
            raise ValueError("a rehearsal clock needs aware datetimes")
        if not speed > 0:
            raise ValueError(f"a rehearsal clock needs a speed above 0, not {speed}")
        self.speed = speed
        self._start = start.astimezone(UTC)
        self._origin_s = origin.timestamp()
        self._stop = stop or threading.Event()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.time() - self._origin_s) * self.speed)

    def sleep(self, seconds: float) -> None:
        self._stop.wait(max(0.0, seconds) / self.speed)


class ManualClock:
    """Moves only when told to, or when somebody sleeps: the clock of tests and simulations."""

    speed = 1.0

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a manual clock needs an aware datetime")
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Jump forward; answer the new now."""
        if seconds < 0:
            raise ValueError("a manual clock never runs backwards")
        with self._lock:
            self._now += timedelta(seconds=seconds)
            return self._now

    def set_back(self, seconds: float) -> None:
        """What a machine's clock does when somebody finds that it was wrong."""
        with self._lock:
            self._now -= timedelta(seconds=seconds)

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))
