"""G13: the real daemon trades for as long as there is time, and holds on to nothing.

A process of its own, vendors over sockets, a store on disk. What it holds is read from outside:
memory, open files and threads must not grow, an order takes as much of the store late as early,
old runs are deleted, no error is logged, and in the end all trade agrees with the vendors.
"""

from __future__ import annotations

from proof.budget import Budget, reached
from proof.clock import cpu_s
from proof.evidence import Evidence, Size
from proof.soak.bugs import NOTICED_BY
from proof.soak.stage import SPEED, Life, lived

NIGHT_S = 7 * 3600.0
_TRADE_S = {"pull-request": 75.0, "nightly": NIGHT_S}
_LEAST_S = 60.0
_ENDS_S = 40.0
"""What it takes to come to rest, and to compare."""
_PLANTED_S = {"memory": 75.0}
"""Memory needs as long as the sound life of a pull request, which is content with it."""
_SHORT_S = 40.0


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
            *(f"logged: {line}" for line in life.errors()[:3]),
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
        if business:
            complaints = life.growth.complaints()
            found += [f"{check}: {told}" for check, told in complaints if check == business]
        else:
            found += life.end()
    return found[0][:160] if found else None


def _figures(life: Life) -> dict[str, float | int | str]:
    growth, last = life.growth, life.readings[-1]
    slope, error = growth.mb_per_day
    first, second = growth.bytes_per_order()
    return {
        "real minutes of trade": round(life.trade_s / 60, 1),
        "days of the hub's clock": round(life.trade_s * SPEED / 86_400, 1),
        "memory, MB a real day": f"{slope:+.1f} (standard error {error:.1f})",
        "memory at the end, MB": round(last.rss_mb, 1),
        "open files": f"{min(one.files for one in growth.warm)}-"
        f"{max(one.files for one in growth.warm)}",
        "threads": f"{min(one.threads for one in growth.warm)}-"
        f"{max(one.threads for one in growth.warm)}",
        "bytes of the store for an order, early and late": f"{first:.0f}, {second:.0f}",
        "bytes of log for an order": round(last.log / max(1, last.orders)),
    }
