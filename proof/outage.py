"""G12: a vendor is down for hours: how many calls does that cost, and how soon is all caught up?"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

from sqlalchemy import select

from jobs import runner
from proof.evidence import Evidence, Size
from proof.world.clock import cpu_s
from proof.world.course import Course
from proof.world.database import SQLITE, empty_store
from proof.world.history import History
from proof.world.simulation import MORNING, Broken, Simulation, silence
from sandbox.installation import Pace
from sandbox.world import World
from state import tables as t

VENDORS = ("woocommerce", "amazon", "shipbob", "shipengine")
BEGINS = timedelta(hours=2)
MOST_AMPLIFIED = 1.10
DRAINED_WITHIN = 0.5
PACE = Pace("30m", "15m", "12h", "15m", "1h", "3h", "10m", rest="12h")
"""As the example installation looks at its vendors."""

_HOURS = {"pull-request": (1.0,), "nightly": (1.0, 6.0, 48.0)}


@dataclass(frozen=True)
class Measured:
    """``calls``: from the begin of the outage until all is caught up, over all vendors."""

    calls: int
    failed: int
    drained: timedelta
    violations: tuple[str, ...]


def prove(size: Size, seed: int = 5) -> Evidence:
    began, runs, injected = cpu_s(), 0, 0
    violations: list[str] = []
    figures: dict[str, float | int | str] = {}
    for hours in _HOURS[size]:
        usual = _trade(seed, hours, down=False)
        struck = _trade(seed, hours, down=True)
        runs, injected = runs + 1, injected + struck.failed
        violations += struck.violations
        ratio = struck.calls / usual.calls
        drained = struck.drained / timedelta(hours=hours)
        figures[f"{hours:g} h: calls against no outage"] = round(ratio, 3)
        figures[f"{hours:g} h: drained in outages"] = round(drained, 3)
        if ratio > MOST_AMPLIFIED:
            violations.append(f"{hours:g} h: {ratio:.2f} times the calls")
        if drained > DRAINED_WITHIN:
            violations.append(f"{hours:g} h: caught up after {drained:.2f} of it")
    return Evidence(
        claim="G12",
        title="An outage costs few calls, and what it held up is soon caught up with",
        command=f"python -m proof G12 --size {size} --seed {seed}",
        runs=runs,
        unit="outages of every vendor",
        seeds=str(seed),
        injections={"503": injected},
        violations=violations,
        planted={"no backoff": _hammering(seed)},
        figures=figures,
        cpu_s=round(cpu_s() - began, 1),
    )


def _hammering(seed: int) -> str | None:
    with mock.patch.object(runner, "BACKOFF_MAX_S", 1.0):
        usual, struck = _trade(seed, 1.0, down=False), _trade(seed, 1.0, down=True)
    return "calls" if struck.calls / usual.calls > MOST_AMPLIFIED else None


def _trade(seed: int, hours: float, *, down: bool) -> Measured:
    outage = timedelta(hours=hours)
    ends, until = MORNING + BEGINS + outage, MORNING + BEGINS + outage * (1 + DRAINED_WITHIN)
    days = (until - MORNING) / timedelta(days=1)
    course = Course(seed, days=days, faults="none", orders_per_day=96)
    with (
        tempfile.TemporaryDirectory(prefix="crossdock-outage-") as folder,
        silence(),
        empty_store(SQLITE, Path(folder)) as url,
    ):
        world = Simulation(course, Path(folder), url, History(), pace=PACE)
        if down:
            _cut_off(world, MORNING + BEGINS, ends)
        try:
            world.begin()
            # Looks are due until then at the latest; what is not through by then is late.
            world.until(until + timedelta(minutes=20))
            entries = world.sandbox.calls.entries
            calls = [one for one in entries if MORNING + BEGINS <= one.at < until]
            failed = sum(1 for one in calls if one.status == 503)
            drained = _drained(world, ends) - ends
        except Broken:
            return Measured(1, 0, outage, tuple(map(str, world.checks.found)))
        finally:
            world.close()
    return Measured(len(calls), failed, max(drained, timedelta(0)), ())


def _cut_off(world: Simulation, begins: datetime, ends: datetime) -> None:
    """Every vendor answers 503 meanwhile."""
    rules = [world.sandbox.faults.add(f"{name}:*", "503", probability=0.0) for name in VENDORS]

    def turn(probability: float) -> None:
        for rule in rules:
            rule.probability = probability

    def fail(_world: World, _at: datetime) -> None:
        turn(1.0)

    def mend(_world: World, _at: datetime) -> None:
        turn(0.0)

    world.world.schedule(begins, fail)
    world.world.schedule(ends, mend)


def _drained(world: Simulation, ends: datetime) -> datetime:
    """When the last order that was placed before ``ends`` was taken in."""
    order = t.sales_order.c
    with world.store.read() as conn:
        late = select(order.recorded_at).where(order.placed_at < ends)
        return max(conn.scalars(late), default=ends)
