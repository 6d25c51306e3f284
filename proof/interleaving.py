"""G2: several workers that come between one another at every commit and every send."""

from __future__ import annotations

from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.world.campaign import Campaign
from proof.world.course import Course
from proof.world.mutants import INTERLEAVED

_DAYS = {"pull-request": 0.3, "nightly": 1.0}
_SEEDS = {"pull-request": 150, "nightly": 5_000}


def prove(size: Size, seed: int = 1, budget_s: float | None = None) -> Evidence:
    """Workers die, stall past their leases and are overtaken. ``budget_s``: real seconds; null:
    all seeds."""
    budget, campaign = Budget(budget_s), Campaign()
    courses = (
        Course(number, days=_DAYS[size], workers=2 + number % 3)
        for number in budget.over(range(seed, seed + _SEEDS[size]))
    )
    campaign.run(courses, planted={name: bug.course for name, bug in INTERLEAVED.items()})
    return Evidence(
        claim="G2",
        title="Workers that come between one another do nothing twice and lose nothing",
        command=f"python -m proof G2 --size {size} --seed {seed}",
        runs=len(campaign.seeds),
        unit="worlds",
        seeds=campaign.range,
        injections=dict(campaign.injections),
        violations=campaign.violations,
        planted=campaign.planted,
        figures={**campaign.figures, **reached(size, len(campaign.seeds), _SEEDS[size])},
        cpu_s=campaign.cpu_s,
    )
