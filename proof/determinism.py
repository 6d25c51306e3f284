"""G3: the same seed is the same history, in another process and on the other database."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from unittest import mock

from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.lanes import Lost, each
from proof.world.campaign import Campaign
from proof.world.course import Course
from proof.world.database import SQLITE
from proof.world.result import Result
from proof.world.simulation import simulate

_SEEDS = {"pull-request": 20, "nightly": 500}
_AT_A_TIME = 20
"""Seeds that are lived through before they are again: a batch for each look at the time."""

Asked = tuple[Course, str]
"""A course and the database it is lived through on."""


def prove(
    size: Size,
    seed: int = 1,
    databases: Sequence[str] = (SQLITE,),
    budget_s: float | None = None,
) -> Evidence:
    """Each seed, and once more in another process with other hashes of strings; also on each of
    ``databases``. ``budget_s``: real seconds; null: all seeds."""
    budget, campaign = Budget(budget_s), Campaign()
    planted = {"jitter from elsewhere": _unseeded(seed)}
    for first in budget.over(range(seed, seed + _SEEDS[size], _AT_A_TIME)):
        numbers = range(first, min(first + _AT_A_TIME, seed + _SEEDS[size]))
        _compare(campaign, [_course(number) for number in numbers], databases)
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


def _course(number: int) -> Course:
    return Course(number, days=0.1, workers=1 + number % 3)


def _compare(campaign: Campaign, courses: Sequence[Course], databases: Sequence[str]) -> None:
    first: dict[Course, str] = {}
    for (course, _), found in _lives([(one, SQLITE) for one in courses], hash_seed=1):
        if isinstance(found, Lost):
            campaign.violations.append(f"{found.why} [{course.command()}]")
        else:
            campaign.add(found)
            first[course] = found.sha256
    again = [(course, database) for database, course in product(databases, first)]
    for (course, database), found in _lives(again, hash_seed=2):
        told = found.why if isinstance(found, Lost) else found.sha256
        if told != first[course]:
            where = database.partition(":")[0]
            campaign.violations.append(f"seed {course.seed} on {where}: {told}")


def _lives(asked: Sequence[Asked], hash_seed: int) -> Iterable[tuple[Asked, Result | Lost]]:
    """Every one of them, in processes that Python gives these hashes of strings."""
    with mock.patch.dict(os.environ, PYTHONHASHSEED=str(hash_seed)):
        yield from each(_live, asked)


def _live(asked: Asked) -> Result:
    course, database = asked
    # The rest takes longer than the day, and is what draws least.
    return simulate(course, database=database, to_rest=course.seed % 10 == 0)


def _unseeded(seed: int) -> str | None:
    """The planted bug: something draws from a stream of its own."""
    course = Course(seed, days=0.2, without=frozenset({"crash"}))

    def dice(self: Course, concern: str) -> random.Random:
        return random.Random() if concern == "jitter" else random.Random(f"{self.seed}:{concern}")

    with mock.patch.object(Course, "dice", dice):
        first, again = simulate(course, to_rest=False), simulate(replace(course), to_rest=False)
    return "the hash" if first.sha256 != again.sha256 else None
