"""Many histories, and what they add up to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from proof.world.clock import cpu_s
from proof.world.course import Course
from proof.world.result import Result
from proof.world.simulation import simulate


@dataclass
class Campaign:
    """``days``: simulated; ``calls``: to all vendors."""

    seeds: list[int] = field(default_factory=list)
    injections: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    days: float = 0.0
    orders: int = 0
    calls: int = 0
    _began: float = field(default_factory=cpu_s)

    def add(self, result: Result) -> None:
        self.seeds.append(result.course.seed)
        self.injections.update(result.struck)
        self.days += result.days
        self.orders += result.orders
        self.calls += result.calls
        self.violations += [f"{one} [{result.course.command()}]" for one in result.violations[:3]]

    @property
    def cpu_s(self) -> float:
        return round(cpu_s() - self._began, 1)

    @property
    def range(self) -> str:
        """The seeds that were looked at."""
        return f"{min(self.seeds)}-{max(self.seeds)}" if self.seeds else ""

    @property
    def figures(self) -> dict[str, float | int | str]:
        return {
            "simulated days": round(self.days, 1),
            "orders": self.orders,
            "calls": self.calls,
            # Rule of three: what so many clean runs say, and no more.
            "rate bounded by, per run": round(3 / max(1, len(self.seeds)), 4),
        }


def killers(name: str, course: Course) -> str | None:
    """Plant one bug; the invariant that noticed it first, or null."""
    from proof.world.mutants import MUTANTS, planted

    with planted(MUTANTS[name]):
        result = simulate(course)
    return result.violations[0].invariant if result.violations else None
