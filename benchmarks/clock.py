"""What a piece of work cost: CPU and wall seconds, and the most memory the process ever held."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Cost:
    """Seconds of real time and of CPU (user + system, all threads of this process)."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the block; the cost is filled in when it ends."""
    cost = Cost()
    cpu, wall = cpu_s(), time.monotonic()
    yield cost
    cost.cpu_s, cost.wall_s = cpu_s() - cpu, time.monotonic() - wall


def cpu_s() -> float:
    """CPU seconds of this process since it began, start of Python and imports included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_rss_mb() -> float:
    """Linux counts in KiB, and starts at the size of whoever forked: that one must be small."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
