"""G2: several workers that come between one another at every commit and every send."""

from __future__ import annotations

from dataclasses import replace

from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.world.campaign import Campaign
from proof.world.course import Course
from proof.world.mutants import INTERLEAVED, RACES

_DAYS = {"pull-request": 0.3, "nightly": 1.0}
_SEEDS = {"pull-request": 150, "nightly": 5_000}


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """Workers die, stall past their leases and are overtaken. ``budget_s``: real seconds; null:
    all seeds.

    A race that is planted counts where one worker alone does not show it: else it would be no race.
    """
    budget, campaign = Budget(budget_s), Campaign()
    courses = (
        Course(number, days=_DAYS[size], workers=2 + number % 3)
        for number in budget.over(range(seed, seed + _SEEDS[size]))
    )
    campaign.run(courses, planted={name: bug.course for name, bug in INTERLEAVED.items()})
    figures = {**campaign.figures, **reached(size, len(campaign.seeds), _SEEDS[size])}
    alone = _one_worker_alone()
    races = [name for name in RACES if campaign.planted.get(name) and not alone.planted.get(name)]
    return Evidence(
        claim="G2",
        title="Workers that come between one another do nothing twice and lose nothing",
        command=f"python -m proof G2 --size {size} --seed {seed}",
        runs=len(campaign.seeds),
        unit="worlds",
        seeds=campaign.range,
        injections=dict(campaign.injections),
        violations=campaign.violations + alone.violations,
        planted=campaign.planted,
        figures={**figures, "planted bugs that only workers show": len(races)},
        cpu_s=campaign.cpu_s,
    )


def _one_worker_alone() -> Campaign:
    """The courses of the races, and the races in them where nobody comes between."""
    campaign = Campaign()
    serial = {name: replace(bug.course, workers=1) for name, bug in RACES.items()}
    campaign.run(dict.fromkeys(bug.course for bug in RACES.values()), planted=serial)
    campaign.violations += [
        f"{name} shows to one worker alone: {by}" for name, by in campaign.planted.items() if by
    ]
    return campaign
