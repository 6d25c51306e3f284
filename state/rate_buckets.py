"""Rate limits that all threads and processes share and that outlive a restart.

One row per limit holds the *theoretical arrival time* of the next call (GCRA, the generic cell
rate algorithm): a call moves it one interval ahead, and how far it lies ahead of now says how long
to wait. One statement takes a token, so no two workers can take the same one.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Protocol

from state.store import Store

_MICRO = 1_000_000

_FARTHEST_US = 2 * 3600 * _MICRO
"""Behind its burst. No stop counts for longer than an hour (``connectors.replies``): a bucket that
is further ahead was written by a clock that has been set back since, and is as good as none."""

# The later of row and now: an idle bucket does not save up more than its burst.
_TAKE = (
    "INSERT INTO rate_bucket (key, tat_us) VALUES (:key, :now + :step) "
    "ON CONFLICT (key) DO UPDATE SET tat_us = :step + "
    "CASE WHEN rate_bucket.tat_us > :now AND rate_bucket.tat_us <= :farthest "
    "THEN rate_bucket.tat_us ELSE :now END "
    "WHERE rate_bucket.tat_us <= :latest OR rate_bucket.tat_us > :farthest "
    "RETURNING tat_us"
)
_LOOK = "SELECT tat_us FROM rate_bucket WHERE key = :key"
_BLOCK = (
    "INSERT INTO rate_bucket (key, tat_us) VALUES (:key, :until) "
    "ON CONFLICT (key) DO UPDATE SET tat_us = "
    "CASE WHEN rate_bucket.tat_us > :until THEN rate_bucket.tat_us ELSE :until END "
    "RETURNING tat_us"
)


class _Rate(Protocol):
    """A token bucket: ``per_second`` refill, ``burst`` capacity."""

    @property
    def per_second(self) -> float: ...
    @property
    def burst(self) -> int: ...


class _Clock(Protocol):
    def now(self) -> datetime: ...


class RateBuckets:
    """The limiter that the door to the network asks before every call (``connectors.http``).

    Writes its own small transactions: never call it while one is open on the same thread. A power
    cut may give the tokens of the last moments back: it lasts longer than a bucket takes to fill.
    """

    def __init__(self, store: Store, clock: _Clock) -> None:
        self._store = store
        self._clock = clock
        self._slack_us: dict[str, int] = {}
        self._lock = threading.Lock()

    def wait_s(self, key: str, rate: _Rate, patience_s: float) -> float:
        """Take one token and return the seconds to wait before the call may be made.

        When that is more than ``patience_s`` nothing is taken, as a token that is never used
        would push every later call further away; the number says when to ask again.
        """
        step = round(_MICRO / rate.per_second)
        slack = step * (rate.burst - 1)
        with self._lock:
            self._slack_us[key] = slack
        now = _micros(self._clock.now())
        latest = now + slack + round(patience_s * _MICRO)
        farthest = max(latest + step, now + slack + _FARTHEST_US)
        asked = {"key": key, "now": now, "step": step, "latest": latest, "farthest": farthest}
        taken = self._store.at_once(_TAKE, asked)
        arrival = self._arrival(key, now) if taken is None else taken[0] - step
        return max(0, arrival - slack - now) / _MICRO

    def block(self, key: str, seconds: float) -> None:
        """The vendor said stop: nobody calls before ``seconds`` have passed, burst or not."""
        with self._lock:
            # Known since this process asked for the token of the very call that was refused.
            slack = self._slack_us.get(key, 0)
        until = _micros(self._clock.now()) + round(seconds * _MICRO) + slack
        self._store.at_once(_BLOCK, {"key": key, "until": until})

    def _arrival(self, key: str, now: int) -> int:
        found = self._store.at_once(_LOOK, {"key": key})
        return max(now, found[0] if found else 0)


def _micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exact (a float of seconds would not be)."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
