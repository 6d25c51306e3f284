"""What came of a simulation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proof.world.checks import Violation
from proof.world.course import Course
from sandbox import truth

if TYPE_CHECKING:
    from proof.world.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Result:
    """``violations``: what did not hold; the history ends there. ``last``: its last events.

    ``struck``: what really happened to the hub, by kind. ``checks``: looks taken, by kind.
    """

    course: Course
    days: float
    steps: int
    sha256: str
    orders: int
    shipped: int
    calls: int
    runs: int
    struck: Mapping[str, int]
    checks: Mapping[str, int]
    violations: Sequence[Violation]
    last: Sequence[str]

    @classmethod
    def of(cls, world: Simulation, violations: Sequence[Violation]) -> Result:
        tally, struck = world.history.tally, dict(world.weather.struck())
        for kind in ("crash", "stall", "clock", "weather", "people"):
            if tally[kind]:
                struck[kind] = tally[kind]
        hooks, habits = world.world.hooks.met, world.world.quirks.struck
        for what, met in (("webhook", hooks), ("quirk", habits)):
            struck |= {f"{what} {kind}": n for kind, n in met.items() if n}
        orders = [*truth.woo_orders(world.world), *truth.amazon_orders(world.world)]
        return cls(
            course=world.course,
            days=round((world.stage.now - world.world.opened).total_seconds() / 86_400, 2),
            steps=world.history.steps,
            sha256=world.history.sha256,
            orders=len(orders),
            shipped=sum(1 for one in orders if one["status"] in ("completed", "SHIPPED")),
            calls=tally["call"],
            runs=tally["run"],
            struck=struck,
            checks=dict(world.checks.made),
            violations=violations,
            last=list(world.history.last),
        )

    @property
    def holds(self) -> bool:
        return not self.violations

    def as_json(self) -> dict[str, Any]:
        return {
            "command": self.course.command(),
            "seed": self.course.seed,
            "simulated_days": self.days,
            "steps": self.steps,
            "sha256": self.sha256,
            "orders": self.orders,
            "shipped": self.shipped,
            "calls": self.calls,
            "runs": self.runs,
            "struck": dict(self.struck),
            "checks": dict(self.checks),
            "violations": [
                {"invariant": v.invariant, "subject": v.subject, "detail": v.detail}
                for v in self.violations
            ],
            "last_events": list(self.last) if self.violations else [],
        }
