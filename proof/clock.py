"""Real time, for how long a proof took."""

from __future__ import annotations

import time


def stopwatch() -> float:
    """Seconds since some moment in the past."""
    return time.monotonic()
