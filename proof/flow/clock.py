"""Time that passes while the hub works, and stands still while a vendor does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta


class WorkClock:
    """One clock for hub and vendors: real time without that of the vendors, and with every wait
    that ``sleep`` and ``until`` skipped. ``worked_s``: real seconds of the hub so far."""

    speed = 1.0

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._began = time.monotonic()
        self._vendors_s = self._vendors_cpu_s = self._skipped_s = 0.0
        self._held_at: float | None = None

    @property
    def worked_s(self) -> float:
        real = time.monotonic() if self._held_at is None else self._held_at
        return real - self._began - self._vendors_s

    @property
    def cpu_s(self) -> float:
        return time.process_time() - self._vendors_cpu_s

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.worked_s + self._skipped_s)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A vendor works meanwhile."""
        self._held_at, cpu = time.monotonic(), time.process_time()
        try:
            yield
        finally:
            self._vendors_cpu_s += time.process_time() - cpu
            self._vendors_s += time.monotonic() - self._held_at
            self._held_at = None

    def until(self, moment: datetime) -> None:
        """Skip an idle time."""
        self._skipped_s += max(0.0, (moment - self.now()).total_seconds())

    def advance(self, seconds: float) -> datetime:
        self._skipped_s += seconds
        return self.now()

    def sleep(self, seconds: float) -> None:
        self._skipped_s += max(0.0, seconds)

    def set_speed(self, speed: float) -> None:
        raise ValueError("this clock runs with the hub's work")
