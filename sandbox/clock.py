"""The sandbox's own clock, which may run faster than the wall or only when told to."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the sandbox needs of time. Every datetime is aware and in UTC."""

    def now(self) -> datetime: ...

    def advance(self, seconds: float) -> datetime:
        """Jump forward; answer the new now."""
        ...

    def set_speed(self, speed: float) -> None:
        """Set sandbox seconds per wall second; 0 halts the clock."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let this many sandbox seconds pass for the caller (latency faults)."""
        ...


class ManualClock:
    """Moves only when told to: the clock of tests and of the deterministic simulation."""

    def __init__(self, start: datetime) -> None:
        self._now = _utc(start)

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> datetime:
        if seconds < 0:
            raise ValueError("the sandbox clock never runs backwards")
        self._now += timedelta(seconds=seconds)
        return self._now

    def set_speed(self, speed: float) -> None:
        if speed:
            raise ValueError("a manual clock has no speed: advance it")

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)


class ScaledClock:
    """Runs ``speed`` sandbox seconds per wall second from ``start``.

    ``origin`` is the monotonic wall reading that counts as ``start`` (default: now), so that two
    processes given the same origin on one machine read the same time.
    """

    def __init__(self, start: datetime, speed: float = 1.0, origin: float | None = None) -> None:
        self._lock = threading.Lock()
        self._base = _utc(start)
        self._origin = time.monotonic() if origin is None else origin
        self._speed = _not_negative(speed)

    def now(self) -> datetime:
        with self._lock:
            return self._read()

    def advance(self, seconds: float) -> datetime:
        with self._lock:
            self._base += timedelta(seconds=_not_negative(seconds))
            return self._read()

    def set_speed(self, speed: float) -> None:
        with self._lock:
            self._base, self._origin = self._read(), time.monotonic()
            self._speed = _not_negative(speed)

    def sleep(self, seconds: float) -> None:
        """Wait on the wall; at speed 0 wall seconds are taken as they are."""
        time.sleep(_not_negative(seconds) / (self._speed or 1.0))

    def _read(self) -> datetime:
        elapsed = time.monotonic() - self._origin
        return self._base + timedelta(seconds=elapsed * self._speed)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("the sandbox clock needs an aware datetime")
    return moment.astimezone(UTC)


def _not_negative(value: float) -> float:
    if value < 0:
        raise ValueError("the sandbox clock never runs backwards")
    return value
