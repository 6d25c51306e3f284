"""From a history that breaks an invariant to the smallest one that still does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from proof.world.course import TROUBLES, Course
from proof.world.result import Result
from sandbox.faults import KINDS

Simulate = Callable[[Course], Result]


def shrink(
    broken: Result,
    simulate: Simulate,
    *,
    most: int = 40,
    told: Callable[[str], None] = lambda _: None,
) -> Result:
    """The smallest history found in ``most`` attempts in which the same invariant breaks.

    First the faults that strike are switched off one by one, then crashes and the like, then
    workers, then days and orders.
    """
    attempts = 0
    for smaller in _ways(broken):
        candidate = smaller(broken.course)
        if candidate == broken.course:
            continue
        if attempts == most:
            break
        attempts += 1
        again = simulate(candidate)
        if again.violations and again.violations[0].invariant == broken.violations[0].invariant:
            told(f"smaller: {candidate.command()}")
            broken = again
    return broken


def _ways(broken: Result) -> Iterator[Callable[[Course], Course]]:
    kinds = sorted(KINDS & broken.struck.keys())
    yield lambda course: replace(course, faults="none")
    for kind in (*kinds, *TROUBLES):
        yield _without(kind)
    yield lambda course: replace(course, workers=1)
    yield lambda course: replace(course, workers=min(course.workers, 2))
    # As the history ended where it broke, what lies behind is not needed.
    yield lambda course: replace(course, days=min(course.days, _rounded(broken.days)))
    for share in (0.25, 0.5, 0.5):
        yield _fewer_days(share)
    for share in (0.5, 0.5):
        yield _fewer_orders(share)


def _without(kind: str) -> Callable[[Course], Course]:
    return lambda course: replace(course, without=course.without | {kind})


def _fewer_days(share: float) -> Callable[[Course], Course]:
    return lambda course: replace(course, days=_rounded(course.days * share))


def _fewer_orders(share: float) -> Callable[[Course], Course]:
    return lambda course: replace(course, orders_per_day=max(2, int(course.orders_per_day * share)))


def _rounded(days: float) -> float:
    return max(0.1, round(days, 1))
