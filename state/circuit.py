"""When a vendor that is down is asked again: a circuit breaker as a pure state machine.

*Closed* lets everybody through and counts the calls in a row that met nothing but trouble on the
other side. After ``OPENS_AT`` of them it is *open*: one call, the probe, may go through per
interval, each interval longer than the last one up to ``LONGEST_S``. Any answer closes it. Moments
are microseconds since 1970 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Came = Literal["answered", "trouble", "nothing"]
"""What a call came to; ``nothing``: it was not made after all, or tells nothing of the vendor."""

OPENS_AT = 3
"""A read is tried four times, so one that meets nothing but trouble is enough."""
FIRST_S = 120.0
GROWTH = 4.0
LONGEST_S = 1200.0
"""A vendor that is back is found out after so long at the latest, and the jitter."""
JITTER = 1.1
"""Intervals are longer by a factor from 1 to this: not all installations come back at once."""

_MICRO = 1_000_000
_NEVER_LONGER_US = round(LONGEST_S * JITTER * _MICRO)


@dataclass(frozen=True, slots=True)
class Entry:
    """May a call be made? ``wait_s``: 0, or how long nobody may. ``probe``: it is the one that
    is let through to find out. ``troubled``: the last call met trouble, since ``since_us``."""

    wait_s: float = 0.0
    probe: bool = False
    troubled: bool = False
    since_us: int | None = None


@dataclass(frozen=True, slots=True)
class Circuit:
    """``troubles``: calls in a row. ``since_us``: of the first. ``next_us``: of the next probe."""

    troubles: int = 0
    since_us: int | None = None
    next_us: int = 0

    @property
    def is_open(self) -> bool:
        return self.troubles >= OPENS_AT

    def enter(self, now_us: int, jitter: float) -> tuple[Circuit, Entry]:
        """The state afterwards, and whether a call may be made.

        Who gets the probe holds it for the next interval: when it dies meanwhile, another gets it.
        """
        if not self.is_open:
            return self, Entry(troubled=self.troubles > 0, since_us=self.since_us)
        wait_us = self.next_us - now_us
        # A longer wait than there is: the clock was set back.
        if 0 < wait_us <= _NEVER_LONGER_US:
            return self, Entry(wait_us / _MICRO, troubled=True, since_us=self.since_us)
        held = replace(self, next_us=now_us + self._interval_us(jitter))
        return held, Entry(probe=True, troubled=True, since_us=self.since_us)

    def leave(
        self, now_us: int, came: Came, *, probe: bool, jitter: float, asked_s: float = 0.0
    ) -> Circuit:
        """The state after a call. ``asked_s``: how long the vendor wants to be left alone."""
        if came == "answered":
            return Circuit()
        if came == "nothing":
            return replace(self, next_us=now_us) if probe and self.is_open else self
        if self.is_open and not probe:
            # It began before the others found out, and adds nothing to what they found.
            return self
        since_us = now_us if self.since_us is None else self.since_us
        worse = Circuit(self.troubles + 1, since_us)
        asked_us = round(min(asked_s, LONGEST_S) * _MICRO)
        wait_us = max(worse._interval_us(jitter), asked_us) if worse.is_open else 0
        return replace(worse, next_us=now_us + wait_us)

    def _interval_us(self, jitter: float) -> int:
        # The exponent is bounded: after days a float would not hold the power any more.
        probes = min(self.troubles - OPENS_AT, 20)
        return round(min(FIRST_S * GROWTH**probes, LONGEST_S) * jitter * _MICRO)
