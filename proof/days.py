"""G1: days of trade, one step after the other, with everything going wrong."""

from __future__ import annotations

from itertools import count

from proof.evidence import Evidence, Size
from proof.world.campaign import Campaign, killers
from proof.world.course import Course
from proof.world.mutants import MUTANTS

_DAYS = {"pull-request": 0.5, "nightly": 30.0}
_SEEDS = {"pull-request": 3, "nightly": 1_000_000}
_PLANTED = ("what is unknown is done", "the last record of a page is skipped")


def prove(size: Size, seed: int = 1, budget_s: float = 3600.0) -> Evidence:
    """Every seed is a world of its own. At night: for ``budget_s`` CPU seconds."""
    campaign = Campaign(budget_s=budget_s)
    days = _DAYS[size]
    for number in count(seed):
        if len(campaign.seeds) == _SEEDS[size] or campaign.cpu_s > budget_s:
            break
        campaign.run([Course(number, days=days, faults="calm" if number % 3 == 0 else "storm")])
    return Evidence(
        claim="G1",
        title="Days of trade, step by step, end in the vendors' truth",
        command=f"python -m proof G1 --size {size} --seed {seed}",
        runs=len(campaign.seeds),
        unit="worlds",
        seeds=campaign.range,
        injections=dict(campaign.injections),
        violations=campaign.violations,
        planted={name: killers(name, MUTANTS[name].course) for name in _PLANTED},
        figures=campaign.figures,
        cpu_s=campaign.cpu_s,
    )
