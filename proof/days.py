"""G1: days of trade, one step after the other, with everything going wrong."""

from __future__ import annotations

from itertools import cycle

from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.world.campaign import Campaign
from proof.world.course import Course
from proof.world.mutants import MUTANTS
from proof.world.once_red import ONCE_RED

_DAYS = (7.0, 0.5, 4.0, 1.0)
"""What one world after the other lasts, before its day of rest: a season takes hours to live
through."""
_NIGHT_DAYS = 10_000
_SEEDS = {"pull-request": 44, "nightly": _NIGHT_DAYS // 4}
"""So many worlds have 200 days, and those of a night."""
_PLANTED = ("what is unknown is done", "the last record of a page is skipped")


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """Every seed is a world of its own. ``budget_s``: real seconds; null: all there are."""
    budget, campaign, once_red = Budget(budget_s), Campaign(), Campaign()
    if size == "pull-request":
        # They are the same each time: a night is for worlds that nobody has seen.
        once_red.run(ONCE_RED)
    worlds = zip(range(seed, seed + _SEEDS[size]), cycle(_DAYS), strict=False)
    courses = (
        Course(number, days=days, faults="calm" if number % 3 == 0 else "storm")
        for number, days in budget.over(worlds, work=lambda world: world[1])
    )
    campaign.run(courses, planted={name: MUTANTS[name].course for name in _PLANTED})
    return Evidence(
        claim="G1",
        title="Days of trade, step by step, end in the vendors' truth",
        command=f"python -m proof G1 --size {size} --seed {seed}",
        runs=len(campaign.seeds),
        unit="worlds",
        seeds=campaign.range,
        injections=dict(campaign.injections + once_red.injections),
        violations=[*once_red.violations, *campaign.violations],
        planted=campaign.planted,
        figures={
            **campaign.figures,
            **_besides(once_red),
            **reached(size, campaign.days, _NIGHT_DAYS),
        },
        cpu_s=campaign.cpu_s,
    )


def _besides(once_red: Campaign) -> dict[str, float | int | str]:
    """What was lived through beside the worlds; in the injections, and in no other figure."""
    if not once_red.seeds:
        return {}
    return {"courses besides that were red once": len(once_red.seeds)}
