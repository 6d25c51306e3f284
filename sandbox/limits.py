"""Rate limits as vendors enforce them: token buckets and sliding windows, on the sandbox clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Limit:
    """``scope`` names the bucket the call draws from.

    With ``window`` (seconds) it is a sliding window of ``burst`` calls, else a token bucket that
    holds ``burst`` and refills at ``rate`` calls a second.
    """

    scope: str
    burst: int
    rate: float = 0.0
    window: float | None = None


@dataclass(frozen=True)
class Verdict:
    """``wait`` is 0 when the call may pass, else the seconds until it could."""

    wait: float
    left: int


@dataclass
class _Bucket:
    tokens: float
    at: datetime


@dataclass
class Limiter:
    """Holds every bucket. ``enforced`` switched off lets everything pass (benchmarks)."""

    enforced: bool = True
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _windows: dict[str, deque[datetime]] = field(default_factory=dict)

    def draw(self, limit: Limit, now: datetime) -> Verdict:
        """Take one call out of the limit's bucket. A refused call costs nothing."""
        if not self.enforced:
            return Verdict(0.0, limit.burst)
        if limit.window is None:
            return self._draw_token(limit, now)
        return self._draw_window(limit, now, timedelta(seconds=limit.window))

    def _draw_token(self, limit: Limit, now: datetime) -> Verdict:
        bucket = self._buckets.setdefault(limit.scope, _Bucket(float(limit.burst), now))
        gained = (now - bucket.at).total_seconds() * limit.rate
        bucket.tokens, bucket.at = min(float(limit.burst), bucket.tokens + gained), now
        # A hair of tolerance: 1 / rate seconds times rate is not exactly 1 in binary.
        if bucket.tokens < 1 - 1e-9:
            return Verdict((1 - bucket.tokens) / limit.rate, 0)
        bucket.tokens -= 1
        return Verdict(0.0, int(bucket.tokens))

    def _draw_window(self, limit: Limit, now: datetime, span: timedelta) -> Verdict:
        seen = self._windows.setdefault(limit.scope, deque())
        while seen and now - seen[0] >= span:
            seen.popleft()
        if len(seen) >= limit.burst:
            return Verdict((seen[0] + span - now).total_seconds(), 0)
        seen.append(now)
        return Verdict(0.0, limit.burst - len(seen))
