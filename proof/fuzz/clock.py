"""What a piece of work cost: CPU and wall seconds, memory; and an end to what never ends."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Cost:
    """Seconds of real time and of CPU (user + system, all threads of this process)."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure the block; the cost is filled in when it ends, however it ends."""
    cost = Cost()
    cpu, wall = cpu_s(), time.monotonic()
    try:
        yield cost
    finally:
        cost.cpu_s, cost.wall_s = cpu_s() - cpu, time.monotonic() - wall


class Stuck(Exception):
    """A piece of work takes longer than it may."""


@contextmanager
def ended_after(seconds: int) -> Iterator[None]:
    """End the block with ``Stuck`` after so many real seconds, whatever it waits for; in the main
    thread only."""

    def ring(*_: object) -> None:
        raise Stuck

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def cpu_s() -> float:
    """CPU seconds of this process since it began."""
    return time.process_time()


def peak_rss_mb() -> float:
    """Linux counts in KiB, and starts at the size of whoever forked."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_mb() -> float:
    """What the process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
