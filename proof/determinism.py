"""G3: the same seed is the same history, in another process and on the other database."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from unittest import mock

from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.world.campaign import Campaign
from proof.world.course import Course
from proof.world.database import SQLITE
from proof.world.simulation import simulate

_SEEDS = {"pull-request": 1, "nightly": 500}
_COMMAND = (sys.executable, "-c", "from jobs.cli import main; main()")


def prove(
    size: Size,
    seed: int = 1,
    databases: Sequence[str] = (SQLITE,),
    budget_s: float | None = None,
) -> Evidence:
    """Each seed here, and once more in a process of its own with other hashes of strings; also on
    each of ``databases``. ``budget_s``: real seconds; null: all seeds."""
    budget, campaign = Budget(budget_s), Campaign()
    planted = {"jitter from elsewhere": _unseeded(seed)}
    for number in budget.over(range(seed, seed + _SEEDS[size])):
        course = Course(number, days=0.2, workers=1 + number % 3)
        first = simulate(course)
        campaign.add(first)
        for database in databases:
            again = _elsewhere(course, database, hash_seed=number)
            if again != first.sha256:
                campaign.violations.append(
                    f"seed {number} on {database.partition(':')[0]}: {again}"
                )
    return Evidence(
        claim="G3",
        title="The same seed gives the same history",
        command=f"python -m proof G3 --size {size} --seed {seed}",
        runs=len(campaign.seeds),
        unit="seeds run twice",
        seeds=campaign.range,
        injections=dict(campaign.injections),
        violations=campaign.violations,
        planted=planted,
        figures={**campaign.figures, **reached(size, len(campaign.seeds), _SEEDS[size])},
        cpu_s=campaign.cpu_s,
    )


def _elsewhere(course: Course, database: str, hash_seed: int) -> str:
    """The hash of the same course, simulated by the command in a process of its own."""
    arguments = [*course.command().split()[1:], "--database", database, "--json"]
    done = subprocess.run(
        [*_COMMAND, *arguments],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    return str(json.loads(done.stdout)["sha256"])


def _unseeded(seed: int) -> str | None:
    """The planted bug: something draws from a stream of its own."""
    course = Course(seed, days=0.2, without=frozenset({"crash"}))

    def dice(self: Course, concern: str) -> random.Random:
        return random.Random() if concern == "jitter" else random.Random(f"{self.seed}:{concern}")

    with mock.patch.object(Course, "dice", dice):
        first, again = simulate(course), simulate(replace(course))
    return "the hash" if first.sha256 != again.sha256 else None
