"""Real time and CPU time, for how long a proof took and what it cost."""

from __future__ import annotations

import resource
import time


def stopwatch() -> float:
    """Seconds since some moment in the past."""
    return time.monotonic()


def cpu_s() -> float:
    """CPU seconds of this process and of those it started that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
