"""What a process holds, read from outside of it again and again; and whether that grows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

DAY_S = 86_400.0
MOST_MB_PER_DAY = 1.0
"""Of resident memory, from one real day to the next."""
SETTLING_MB, SETTLING_S = 24.0, 600.0
"""What the allocator's arenas of a dozen threads may still take while they find their size: that
much in the first ten minutes, then so much less as there is more time. A night tells some 4 MB a
day from it, a minute nothing but a leak with every run."""
SETTLING_FILES = SETTLING_THREADS = 4
BYTES_PER_ORDER = 0.02
MOST_WAL_MB = 64.0
"""Beyond the store's own size: after an erasure SQLite writes the whole of it anew, through its
log."""
MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """``at``: real seconds; ``held``: bytes of the store's pages that are in use; ``wal``: of its
    log; ``log``: bytes that the daemon has written; ``orders``: in the store; ``oldest_run_h``:
    hours of the hub's clock since the oldest run began that is kept."""

    at: float
    rss_mb: float
    files: int
    threads: int
    held: int
    wal: int
    log: int
    orders: int
    oldest_run_h: float


def read(pid: int, at: float, store: Path, log: Path) -> Reading:
    """Raises ``OSError`` when the process is gone."""
    process = Path("/proc") / str(pid)
    pages = int((process / "statm").read_text(encoding="ascii").split()[1])
    held, orders, oldest = _in_store(store)
    wal = store.with_name(f"{store.name}-wal")
    return Reading(
        at=at,
        rss_mb=pages * os.sysconf("SC_PAGE_SIZE") / MB,
        files=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
        held=held,
        wal=wal.stat().st_size if wal.exists() else 0,
        log=log.stat().st_size,
        orders=orders,
        oldest_run_h=oldest,
    )


def _in_store(store: Path) -> tuple[int, int, float]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
        pages, free, size = (
            db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        orders, oldest = db.execute(
            "SELECT (SELECT count(*) FROM sales_order),"
            " (SELECT 24 * (max(julianday(started_at)) - min(julianday(started_at))) FROM run"
            "  WHERE id NOT IN (SELECT max(id) FROM run GROUP BY stream_key))"
        ).fetchone()
    return (pages - free) * size, orders, float(oldest or 0)


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(by how much y grows with x, its standard error), by least squares; at least three points
    that are not at the same x."""
    n = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    found = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    off = sum((y - mean_y - found * (x - mean_x)) ** 2 for x, y in points)
    return found, sqrt(off / max(1, n - 2) / spread)


@dataclass(frozen=True, slots=True)
class Growth:
    """What became of the readings once a third of them was over: everything is warm by then.

    ``kept_h``: how long the hub keeps the history of its runs, and what it needs to notice.
    """

    readings: Sequence[Reading]
    kept_h: float

    @property
    def warm(self) -> Sequence[Reading]:
        return self.readings[len(self.readings) // 3 :]

    @property
    def mb_per_day(self) -> tuple[float, float]:
        """Resident memory and the standard error of that."""
        found, error = slope([(one.at / DAY_S, one.rss_mb) for one in self.warm])
        return found, error

    @property
    def warm_s(self) -> float:
        """Real seconds from the first warm reading to the last."""
        return self.warm[-1].at - self.warm[0].at

    @property
    def mb_by_tenths(self) -> Sequence[float]:
        """Resident memory at the end of each tenth of the time: whether it comes to an end."""
        last = len(self.readings) - 1
        return [self.readings[last * tenth // 10].rss_mb for tenth in range(1, 11)]

    @property
    def settling_mb(self) -> float:
        """What memory may grow by in that time beyond what it may from day to day."""
        return SETTLING_MB * min(1.0, SETTLING_S / self.warm_s)

    @property
    def log_mb(self) -> float:
        """By how much the store's log was larger than the store, at most."""
        return max(one.wal - one.held for one in self.warm) / MB

    def bytes_per_order(self) -> tuple[float, float]:
        """What an order took of the store in the first half, and in the second."""
        warm, middle = self.warm, len(self.warm) // 2
        first, second = (
            (b.held - a.held) / max(1, b.orders - a.orders)
            for a, b in ((warm[0], warm[middle]), (warm[middle], warm[-1]))
        )
        return first, second

    def complaints(self) -> Iterator[tuple[str, str]]:
        """Each check that is not content, and what it says."""
        warm = self.warm
        mb, error = self.mb_per_day
        grown = mb * self.warm_s / DAY_S
        # What no straight line explains is noise, and no growth.
        if mb - 2 * error > MOST_MB_PER_DAY and grown > self.settling_mb:
            told = f"{self.warm_s / 60:.1f} minutes, {self.settling_mb:.1f} were allowed"
            yield "memory", f"{grown:.1f} MB more are held after {told}"
        yield from self._risen("files", lambda one: one.files, SETTLING_FILES)
        yield from self._risen("threads", lambda one: one.threads, SETTLING_THREADS)
        first, second = self.bytes_per_order()
        # It may well be less later: a month after its delivery what is personal of an order goes.
        if second - first > self.tolerance * first:
            yield "store", f"{first:.0f} bytes for an order, and later {second:.0f}"
        # Between two prunings it rises; what counts is how low it gets.
        oldest_h = min(one.oldest_run_h for one in warm[-max(1, len(warm) // 4) :])
        if oldest_h > self.kept_h:
            yield "rows", f"runs are kept for {oldest_h:.1f} h, and not {self.kept_h:.1f}"
        if self.log_mb > MOST_WAL_MB:
            yield "log of the store", f"{self.log_mb:.0f} MB more than the store itself"

    @property
    def tolerance(self) -> float:
        """2 %; more where so few orders came that their number alone is off by more."""
        orders = (self.warm[-1].orders - self.warm[0].orders) / 2
        return max(BYTES_PER_ORDER, 4 / sqrt(max(1.0, orders)))

    def _risen(
        self, what: str, of: Callable[[Reading], int], spare: int
    ) -> Iterator[tuple[str, str]]:
        """How many there are swings with the work; the least of them must not rise."""
        warm, quarter = self.warm, max(1, len(self.warm) // 4)
        first, last = (min(map(of, part)) for part in (warm[:quarter], warm[-quarter:]))
        if last > first + spare:
            yield what, f"{first} {what}, and later {last}"
