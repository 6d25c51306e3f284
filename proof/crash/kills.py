"""G5: SIGKILL at every commit and every network send of the real daemon.

The points are counted first and then aimed at, one by one or in chains of lives that are each
killed again; a kill counts when the process ended by SIGKILL at just the point that was meant.
"""

from __future__ import annotations

import random
import resource
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from proof.budget import Budget, reached, shuffled
from proof.crash.flows import FLOWS
from proof.crash.lanes import Lanes, open_lanes
from proof.crash.mutants import MUTANTS
from proof.evidence import Evidence, Size

PULL_REQUEST_KILLS = 200
GAPS = (23, 29, 37, 43, 53)
"""Points that a life of a chain has at most: enough to get something done, not to get far."""


def prove(
    size: Size,
    seed: int = 7,
    *,
    kills: int = PULL_REQUEST_KILLS,
    flows: Sequence[str] = tuple(FLOWS),
    mutants: Sequence[str] = tuple(MUTANTS),
    processes: int = 2,
    budget_s: float | None = None,
) -> Evidence:
    """``kills``: about how many at pull-request size, spread over all points of all flows, at
    other points with every seed. A night aims at every point of every flow, and runs chains of
    every gap as well. ``budget_s``: real seconds; null: all of them.
    """
    began, budget = cpu_s(), Budget(budget_s)
    with open_lanes(seed, processes) as lanes:
        points = {flow: lanes.ask({"points": flow})["points"] for flow in flows}
        noticed = lanes.ask_all([{"mutant": name} for name in mutants])
        every = shuffled(_every_point(points) + _chains(points, seed, each=4), seed)
        if size == "nightly":
            outcomes = lanes.ask_all(budget.over(every))
        else:
            outcomes = _so_many(lanes, points, seed, kills, side_by_side=processes)
    return _evidence(
        outcomes,
        points,
        seed=seed,
        size=size,
        planted={name: told["noticed"] for name, told in zip(mutants, noticed, strict=True)},
        share=reached(size, len(outcomes), len(every)),
        used_s=cpu_s() - began,
    )


def _so_many(
    lanes: Lanes, points: Mapping[str, int], seed: int, kills: int, *, side_by_side: int
) -> list[Any]:
    """Chains first, which cost least for each kill, and single kills for the last tenth."""
    chains = _chains(points, seed, each=3)
    outcomes: list[Any] = []
    while chains and _killed(outcomes) < kills * 9 // 10:
        outcomes += lanes.ask_all(chains[:side_by_side])
        chains = chains[side_by_side:]
    singles = _every_point(points)
    random.Random(f"{seed}:single").shuffle(singles)
    return outcomes + lanes.ask_all(singles[: max(0, kills - _killed(outcomes))])


def _every_point(points: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {"flow": flow, "first": point}
        for flow, number in points.items()
        for point in range(1, number + 1)
    ]


def _chains(points: Mapping[str, int], seed: int, each: int) -> list[dict[str, Any]]:
    """Lives in a row, ``each`` per flow and gap; where the first one ends turns with the seed."""
    draw = random.Random(f"{seed}:chain")
    return [
        {"flow": flow, "first": draw.randrange(1, points[flow] // 2), "gap": gap}
        for _ in range(each)
        for gap in GAPS
        for flow in points
    ]


def _killed(outcomes: Sequence[Any]) -> int:
    return sum(len(one["deaths"]) for one in outcomes)


def _evidence(
    outcomes: Sequence[Any],
    points: Mapping[str, int],
    *,
    seed: int,
    size: Size,
    planted: Mapping[str, str | None],
    share: Mapping[str, float],
    used_s: float,
) -> Evidence:
    deaths = [(one["trial"]["flow"], death) for one in outcomes for death in one["deaths"]]
    restarts = sorted(second for one in outcomes for second in one["restarts_s"])
    where = Counter(_kind(death["name"]) for _, death in deaths)
    return Evidence(
        claim="G5",
        title="kill -9 at commits and network sends of the daemon, then a restart",
        command=f"python -m proof G5 --size {size} --seed {seed}",
        runs=len(deaths),
        unit="confirmed kills",
        seeds=str(seed),
        injections=dict(sorted(where.items())),
        violations=[found for one in outcomes for found in one["violations"]],
        planted=planted,
        figures={
            "points there are": sum(points.values()),
            "kinds of points hit": len({(flow, death["name"]) for flow, death in deaths}),
            "stories killed": len(outcomes) - sum(not one["deaths"] for one in outcomes),
            "aims that nothing met": sum(not one["deaths"] for one in outcomes),
            "packages told again": sum(one["repeated"] for one in outcomes),
            # The restart and everything that was left to do until nothing was.
            "back at rest, p99 s": round(restarts[int(len(restarts) * 0.99)], 3) if restarts else 0,
            **share,
        },
        cpu_s=round(used_s, 1),
    )


def _kind(name: str) -> str:
    """Its first two words: ``before commit of push:bob`` is a ``before commit``."""
    return " ".join(name.split()[:2])


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
