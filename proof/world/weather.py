"""Which faults strike, how often, and when: drawn anew for every seed.

Some kinds are switched off altogether (a swarm): many small faults at once hide one another.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from proof.world.course import CRASH, OUTAGE, SKEW, STALL, Course
from sandbox import faults
from sandbox.app import VENDORS, Sandbox
from sandbox.faults import Rule
from sandbox.installation import Pace

HOT = (
    "shipengine:createLabel*",
    "shipbob:createOrder",
    "amazon:confirmShipment",
    "woocommerce:batchOrders",
)
"""Calls that cost money or goods, or that buyers hear of: they are struck more often."""

_ONLY = {"410": "*:list*"}
"""Where a kind is nobody's honest answer to anything else: only a page can have expired. A write
refused for good is for a person, and a question so refused is another kind."""

_FORCE = {"none": 0.0, "calm": 0.15, "lossy": 0.0, "drowsy": 0.0, "storm": 1.0}
_LOST = ("timeout-after", "500-after")
_LOST_RATE = 0.3
_DROWSY_RATE = 0.03
"""So that one course is enough for somebody to sleep where it counts."""

_WAITS: Sequence[int | str] = (1, 7, 60, "date", "negative", "nonsense", "absent", "past-date")
"""Spellings of ``Retry-After``. Not ``huge``: whoever obeys it never comes to rest, rightly."""

_DRIFTING = ("status", "id", "total", "date_modified_gmt", "currency", "line_items", "quantity")

_PARAMS: Mapping[str, Callable[[random.Random], dict[str, Any]]] = {
    "latency": lambda draw: {"seconds": draw.choice((0.5, 5.0, 40.0, 90.0))},
    "late": lambda draw: {"seconds": draw.choice((5.0, 29.0, 31.0, 90.0))},
    "stale-page": lambda draw: {"ago": draw.choice((1, 2, 5))},
    "429": lambda draw: {"retry_after": draw.choice(_WAITS)},
    "503": lambda draw: {"retry_after": draw.choice(_WAITS), "seconds": 20},
    **{
        kind: lambda draw: {"field": draw.choice(_DRIFTING), "value": "unheard-of"}
        for kind in faults.DRIFTS
    },
}

# Seldom: whatever has work is asked for at once, and looks in vain only make the history long.
_PACES = (
    Pace("2h", "30m", "6h", "1h", "4h", "8h", "1h", rest="12h"),
    Pace("4h", "1h", "8h", "2h", "6h", "12h", "2h", rest="12h"),
    Pace("1h", "2h", "12h", "30m", "3h", "6h", "3h", rest="12h"),
)


@dataclass(frozen=True, slots=True)
class Lots:
    """What a seed drew. Rates are per commit and send; ``step_s``: the most that one takes."""

    pace: Pace
    crash_rate: float
    stall_rate: float
    skew_s: float
    step_s: float

    @classmethod
    def draw(cls, course: Course) -> Lots:
        draw = course.dice("config")
        pace = draw.choice(_PACES)
        crash, stall = draw.choice((0.001, 0.004, 0.01)), draw.choice((0.0005, 0.002))
        skew, step = draw.choice((0.0, -25.0, 25.0)), draw.choice((0.02, 0.3, 2.0))
        force = _FORCE[course.faults]
        stall = _DROWSY_RATE if course.faults == "drowsy" else stall * force

        def unless(kind: str, value: float) -> float:
            return 0.0 if kind in course.without else value

        return cls(
            pace,
            crash_rate=unless(CRASH, crash * force),
            # One who stalls is overtaken only where there is somebody else.
            stall_rate=unless(STALL, stall) if course.workers > 1 else 0.0,
            skew_s=unless(SKEW, skew if force else 0.0),
            step_s=step if course.workers > 1 else 0.0,
        )


class Weather:
    """The faults of one world; ``changes_at`` is when the next vendor goes down or comes back."""

    def __init__(self, course: Course, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._course = course
        self._draw = course.dice("net")
        self._down: Rule | None = None
        self._rules: list[Rule] = []
        self.changes_at: datetime | None = None
        force = _FORCE[course.faults]
        if course.faults == "lossy":
            for kind in sorted(set(_LOST) - course.without):
                for pattern in HOT:
                    self._add(pattern, kind, _LOST_RATE, {})
        for kind in sorted(faults.KINDS):
            self._arrange(kind, force)
        if force and OUTAGE not in course.without:
            self.changes_at = sandbox.world.opened + self._hours(2, 30)

    def change(self) -> str:
        """The next vendor goes down, or the one that is down comes back; says what happened."""
        now = self._sandbox.world.clock.now()
        if self._down is not None:
            told = f"{self._down.pattern} is back"
            self._down.probability, self._down = 0.0, None
            self.changes_at = now + self._hours(6, 60)
            return told
        vendor = self._draw.choice([one.name for one in VENDORS])
        kind = self._draw.choice(("503", "timeout-before"))
        self._down = self._add(f"{vendor}:*", kind, 1.0, {})
        self.changes_at = now + self._hours(0.2, 3)
        return f"{vendor} is down ({kind})"

    def clear(self) -> None:
        """No fault strikes any more. They stay known, to be counted."""
        for rule in self._rules:
            rule.probability = 0.0
        self.changes_at = self._down = None

    def struck(self) -> Counter[str]:
        """How often each kind really struck."""
        return Counter({kind: n for kind, n in self._by_kind().items() if n})

    def _by_kind(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for rule in self._rules:
            found[rule.kind] += rule.struck
        return found

    def _arrange(self, kind: str, force: float) -> None:
        # Everything is drawn whether it counts or not: what one kind does moves no other.
        on = self._draw.random() < 0.6
        rate = 0.004 * 10 ** self._draw.uniform(0, 1)
        hot, hot_rate = self._draw.choice(HOT), self._draw.uniform(0.05, 0.25)
        params = _PARAMS[kind](self._draw) if kind in _PARAMS else {}
        if not on or kind in self._course.without:
            force = 0.0
        self._add(_ONLY.get(kind, "*"), kind, rate * force, params)
        self._add(_ONLY.get(kind, hot), kind, hot_rate * force, params)

    def _add(self, pattern: str, kind: str, rate: float, params: dict[str, Any]) -> Rule:
        rule = self._sandbox.faults.add(pattern, kind, probability=rate, params=params)
        self._rules.append(rule)
        return rule

    def _hours(self, least: float, most: float) -> timedelta:
        return timedelta(hours=self._draw.uniform(least, most))
