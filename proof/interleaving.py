"""G2: several workers that come between one another at every commit and every send."""

from __future__ import annotations

from itertools import count

from proof.evidence import Evidence, Size
from proof.world.campaign import Campaign, killers
from proof.world.course import Course
from proof.world.mutants import INTERLEAVED

_DAYS = {"pull-request": 0.3, "nightly": 1.0}
_SEEDS = {"pull-request": 3, "nightly": 1_000_000}


def prove(size: Size, seed: int = 1, budget_s: float = 3600.0) -> Evidence:
    """Workers die, stall past their leases and are overtaken. At night: for ``budget_s``."""
    campaign = Campaign(budget_s=budget_s)
    for number in count(seed):
        if len(campaign.seeds) == _SEEDS[size] or campaign.cpu_s > budget_s:
            break
        campaign.run([Course(number, days=_DAYS[size], workers=2 + number % 3)])
    return Evidence(
        claim="G2",
        title="Workers that come between one another do nothing twice and lose nothing",
        command=f"python -m proof G2 --size {size} --seed {seed}",
        runs=len(campaign.seeds),
        unit="worlds",
        seeds=campaign.range,
        injections=dict(campaign.injections),
        violations=campaign.violations,
        planted={name: killers(name, mutant.course) for name, mutant in INTERLEAVED.items()},
        figures=campaign.figures,
        cpu_s=campaign.cpu_s,
    )
