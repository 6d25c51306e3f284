"""G13: the real daemon trades for as long as there is time, and holds on to nothing.

A process of its own, vendors over sockets, a store on disk. What it holds is read from outside:
memory, open files and threads must not grow, an order takes as much of the store late as early,
old runs are deleted, no error is logged, and in the end all trade agrees with the vendors.
"""

from __future__ import annotations

from collections.abc import Callable

from proof.budget import Budget, reached
from proof.clock import cpu_s
from proof.evidence import Evidence, Size
from proof.soak.bugs import NOTICED_BY
from proof.soak.readings import (
    DAY_S,
    MOST_MB_PER_DAY,
    MOST_WAL_MB,
    SETTLING_FILES,
    SETTLING_THREADS,
    Growth,
    Reading,
)
from proof.soak.stage import SPEED, Life, lived

NIGHT_S = 7 * 3600.0
_TRADE_S = {"pull-request": 75.0, "nightly": NIGHT_S}
_LEAST_S = 60.0
_ENDS_S = 40.0
"""What it takes to come to rest, and to compare."""
_PLANTED_S = {"memory": 75.0}
"""Memory needs as long as the sound life of a pull request, which is content with it."""
_SHORT_S = 40.0
TELLS_OF_DAYS_S = 1800.0
"""Warm seconds from which on the growth is told for a day: of fewer a single megabyte that the
allocator takes would make hundreds a day."""


def prove(
    size: Size, seed: int = 7, budget_s: float | None = None, trade_s: float | None = None
) -> Evidence:
    """``budget_s``: real seconds; null: what the size says. ``trade_s``: so many of trade."""
    began, budget = cpu_s(), Budget(budget_s)
    planted = {bug: noticed(bug, seed) for bug in NOTICED_BY}
    seconds = trade_s or min(_TRADE_S[size], max(_LEAST_S, budget.left - _ENDS_S))
    with lived(seed, seconds) as life:
        violations = life.trade() or [
            *(f"{check}: {told}" for check, told in life.growth.complaints()),
            *life.end(),
            *_logged(life),
        ]
        figures = _figures(life)
    return Evidence(
        claim="G13",
        title="The daemon trades on and on, and holds on to nothing",
        command=f"python -m proof G13 --size {size} --seed {seed}",
        runs=life.readings[-1].orders,
        unit="orders",
        seeds=str(seed),
        violations=violations,
        planted=planted,
        figures={**figures, **reached(size, seconds, NIGHT_S)},
        cpu_s=round(cpu_s() - began, 1),
    )


def noticed(bug: str, seed: int) -> str | None:
    """What the check for a bug says of it after a short life; null: nothing."""
    business = NOTICED_BY[bug]
    with lived(seed, _PLANTED_S.get(business, _SHORT_S), bug) as life:
        found = life.trade()
        if business == "logged":
            found += _logged(life)
        elif business:
            complaints = life.growth.complaints()
            found += [f"{check}: {told}" for check, told in complaints if check == business]
        else:
            found += life.end()
    return found[0][:160] if found else None


def _logged(life: Life) -> list[str]:
    return [f"logged: {line}" for line in life.errors()[:3]]


def _figures(life: Life) -> dict[str, float | int | str]:
    growth, last = life.growth, life.readings[-1]
    first, second = growth.bytes_per_order()
    return {
        "real minutes of trade": round(life.trade_s / 60, 1),
        "days of the hub's clock": round(life.trade_s * SPEED / 86_400, 1),
        "memory": _memory(growth),
        "memory, MB, tenth by tenth": " ".join(f"{mb:.0f}" for mb in growth.mb_by_tenths),
        "open files": _range(growth, lambda one: one.files, SETTLING_FILES),
        "threads": _range(growth, lambda one: one.threads, SETTLING_THREADS),
        "bytes of the store for an order, early and late": f"{first:.0f}, {second:.0f} "
        f"({growth.tolerance:.1%} more were allowed)",
        "log of the store beyond its own size, MB": f"{growth.log_mb:.1f} ({MOST_WAL_MB:.0f} were "
        "allowed)",
        "bytes of log for an order": round(last.log / max(1, last.orders)),
    }


def _memory(growth: Growth) -> str:
    """What it grew by; for a real day only where that many minutes say something of a day."""
    (mb, error), seconds = growth.mb_per_day, growth.warm_s
    told = (
        f"{mb * seconds / DAY_S:+.1f} MB in {seconds / 60:.1f} minutes (standard error "
        f"{error * seconds / DAY_S:.1f}; {growth.settling_mb:.1f} were allowed for settling, and "
        f"{MOST_MB_PER_DAY:.0f} a day)"
    )
    if seconds < TELLS_OF_DAYS_S:
        return told
    return f"{told}: {mb:+.1f} MB a real day (standard error {error:.1f})"


def _range(growth: Growth, of: Callable[[Reading], int], spare: int) -> str:
    held = [of(one) for one in growth.warm]
    return f"{min(held)}-{max(held)} (the least might rise by {spare})"
