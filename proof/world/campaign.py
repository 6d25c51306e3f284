"""Many histories, and what they add up to."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from proof.clock import cpu_s, stopwatch
from proof.lanes import Lost, each
from proof.world.course import Course
from proof.world.result import Result
from proof.world.simulation import simulate


@dataclass(frozen=True, slots=True)
class Life:
    """One history to live through. ``bug``: the mutant that is planted in it; empty: none."""

    course: Course
    bug: str = ""


@dataclass
class Campaign:
    """``days``: simulated; ``calls``: to all vendors. ``planted``: each bug, and the invariant that
    noticed it first; null: none did."""

    seeds: list[int] = field(default_factory=list)
    injections: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    planted: dict[str, str | None] = field(default_factory=dict)
    days: float = 0.0
    orders: int = 0
    calls: int = 0
    _began: float = field(default_factory=cpu_s)
    _began_at: float = field(default_factory=stopwatch)

    def run(self, courses: Iterable[Course], planted: Mapping[str, Course] | None = None) -> None:
        """Live through the planted bugs' courses, and through all others, in a process for every
        core. What keeps one from its end is a violation."""
        bugs = [Life(course, bug) for bug, course in (planted or {}).items()]
        for life, result in each(live, chain(bugs, map(Life, courses))):
            if isinstance(result, Lost):
                bug = f", planted: {life.bug}" if life.bug else ""
                self.violations.append(f"{result.why}{bug} [{life.course.command()}]")
                self.seeds += [] if life.bug else [life.course.seed]
            elif life.bug:
                self.planted[life.bug] = _first(result)
            else:
                self.add(result)

    def add(self, result: Result) -> None:
        self.seeds.append(result.course.seed)
        self.injections.update(result.struck)
        self.days += result.days
        self.orders += result.orders
        self.calls += result.calls
        self.violations += [f"{one} [{result.course.command()}]" for one in result.violations[:3]]

    @property
    def cpu_s(self) -> float:
        """Of all processes that have ended."""
        return round(cpu_s() - self._began, 1)

    @property
    def range(self) -> str:
        """The seeds that were looked at."""
        return f"{min(self.seeds)}-{max(self.seeds)}" if self.seeds else ""

    @property
    def figures(self) -> dict[str, float | int | str]:
        return {
            "simulated days": round(self.days, 1),
            "simulated days per second": round(self.days / (stopwatch() - self._began_at), 2),
            "orders": self.orders,
            "calls": self.calls,
            # Rule of three: what so many clean runs say, and no more.
            "rate bounded by, per run": round(3 / max(1, len(self.seeds)), 4),
        }


def live(life: Life) -> Result:
    """One history from its beginning to its end."""
    from proof.world.mutants import MUTANTS, planted

    # What is left of the life before refers to itself, and is a whole world.
    gc.collect()
    if not life.bug:
        return simulate(life.course)
    with planted(MUTANTS[life.bug]):
        return simulate(life.course)


def killers(name: str, course: Course) -> str | None:
    """Plant one bug; the invariant that noticed it first, or null."""
    return _first(live(Life(course, name)))


def _first(result: Result) -> str | None:
    return result.violations[0].invariant if result.violations else None
