"""G12: a vendor is down for hours: how many calls does that cost, and how soon is all caught up?"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any
from unittest import mock

from sqlalchemy import Connection, select

from proof.budget import Budget, reached
from proof.evidence import Evidence, Size
from proof.world.clock import cpu_s
from proof.world.course import Course
from proof.world.database import SQLITE, empty_store
from proof.world.history import History
from proof.world.mutants import MUTANTS, planted
from proof.world.simulation import MORNING, Broken, Simulation, silence
from sandbox.installation import Pace
from sandbox.world import World
from state import breakers, circuit, streams
from state import tables as t
from state.circuit import Circuit

VENDORS = ("woocommerce", "amazon", "shipbob", "shipengine")
BEGINS = timedelta(hours=2)
MOST_AMPLIFIED = 1.10
DRAINED_WITHIN = 0.5
PACE = Pace("30m", "15m", "12h", "15m", "1h", "3h", "10m", rest="12h")
"""As the example installation looks at its vendors."""

_OUTAGES: Mapping[Size, Sequence[tuple[float, int]]] = {
    "pull-request": ((1.0, 3),),
    "nightly": ((1.0, 3), (6.0, 3), (48.0, 1), (1.0, 5)),
}
"""Hours, and worlds that are looked at together: an hour has some fifty calls, and what is pushed
when is a matter of chance."""


@dataclass(frozen=True)
class Measured:
    """``calls``: from the begin of the outage until all is caught up, over all vendors;
    ``failed`` of them met it, ``slowed`` were answered 429."""

    calls: int
    failed: int
    slowed: int
    drained: timedelta
    violations: tuple[str, ...]

    def __add__(self, other: Measured) -> Measured:
        """Both worlds; the later of the two is when all is caught up with."""
        return Measured(
            self.calls + other.calls,
            self.failed + other.failed,
            self.slowed + other.slowed,
            max(self.drained, other.drained),
            self.violations + other.violations,
        )


def prove(size: Size, seed: int = 5, budget_s: float | None = None) -> Evidence:
    """``budget_s``: real seconds; null: every outage. One that would take longer than what is left
    of them is left out, and has no figures."""
    began, budget = cpu_s(), Budget(budget_s)
    noticed = _noticed(seed)
    runs, injected = 0, 0
    violations: list[str] = []
    figures: dict[str, float | int | str] = {}
    for hours, worlds in budget.over(_OUTAGES[size], work=_simulated_h):
        seeds = range(seed + runs, seed + runs + worlds)
        usual = reduce(add, (_trade(one, hours, down=False) for one in seeds))
        struck = reduce(add, (_trade(one, hours, down=True) for one in seeds))
        runs, injected = runs + worlds, injected + struck.failed
        what = f"{worlds} of {hours:g} h"
        violations += [f"{what}: {told}" for _, told in _wrong(hours, usual, struck)]
        figures[f"{what}: calls"] = f"{struck.calls} against {usual.calls}"
        figures[f"{what}: calls against no outage"] = round(struck.calls / usual.calls, 3)
        figures[f"{what}: drained in outages"] = round(struck.drained / timedelta(hours=hours), 3)
        figures[f"{what}: answered 429"] = f"{struck.slowed} against {usual.slowed}"
    return Evidence(
        claim="G12",
        title="An outage costs few calls, and what it held up is soon caught up with",
        command=f"python -m proof G12 --size {size} --seed {seed}",
        runs=runs,
        unit="outages of every vendor",
        seeds=f"{seed}-{seed + runs - 1}",
        injections={"503": injected},
        violations=violations,
        planted=noticed,
        figures={**figures, **reached(size, runs, sum(n for _, n in _OUTAGES[size]))},
        cpu_s=round(cpu_s() - began, 1),
    )


def _simulated_h(outage: tuple[float, int]) -> float:
    hours, worlds = outage
    return worlds * (BEGINS / timedelta(hours=1) + hours * (1 + DRAINED_WITHIN))


def _wrong(hours: float, usual: Measured, struck: Measured) -> list[tuple[str, str]]:
    """Each checker that is not content, and what it says."""
    found = [("invariants", told) for told in struck.violations]
    ratio, drained = struck.calls / usual.calls, struck.drained / timedelta(hours=hours)
    if ratio > MOST_AMPLIFIED:
        found.append(("calls", f"{ratio:.2f} times the calls"))
    if drained > DRAINED_WITHIN:
        found.append(("drained", f"caught up after {drained:.2f} of it"))
    if struck.slowed > usual.slowed:
        found.append(("429", f"{struck.slowed} answers of 429 against {usual.slowed}"))
    return found


def _noticed(seed: int) -> dict[str, str | None]:
    """Each planted bug, and all who noticed it in an outage of an hour."""
    usual = _trade(seed, 1.0, down=False)
    found: dict[str, str | None] = {}
    for name, plant in _BUGS.items():
        with ExitStack() as bugs:
            plant(bugs)
            red = [checker for checker, _ in _wrong(1.0, usual, _trade(seed, 1.0, down=True))]
        found[name] = ", ".join(red) or None
    return found


def _never_opens(bugs: ExitStack) -> None:
    for module in (circuit, breakers):
        bugs.enter_context(mock.patch.object(module, "OPENS_AT", 10**6))


def _never_closes(bugs: ExitStack) -> None:
    leave = Circuit.leave

    def deaf(self: Circuit, now_us: int, came: circuit.Came, **more: Any) -> Circuit:
        heard = "trouble" if came == "answered" and self.is_open else came
        return leave(self, now_us, heard, **more)

    bugs.enter_context(mock.patch.object(Circuit, "leave", deaf))


def _never_rarer(bugs: ExitStack) -> None:
    bugs.enter_context(mock.patch.object(circuit, "GROWTH", 1.0))


def _without_limits(bugs: ExitStack) -> None:
    """What waited is asked for all at once, and a vendor that says stop is not heard."""
    bugs.enter_context(planted(MUTANTS["no limit is kept"]))


def _reads_anew(bugs: ExitStack) -> None:
    """A stream that failed goes back to what it read the day before."""
    fail = streams.fail

    def forgetful(conn: Connection, held: streams.Claim, *given: Any, **more: Any) -> None:
        fail(conn, held, *given, **more)
        if held.cursor is not None and "watermark" in held.cursor:
            earlier = datetime.fromisoformat(held.cursor["watermark"]) - timedelta(days=1)
            cursor = {**held.cursor, "watermark": earlier.isoformat()}
            conn.execute(t.stream.update().where(t.stream.c.key == held.key).values(cursor=cursor))

    bugs.enter_context(mock.patch.object(streams, "fail", forgetful))


_BUGS: Mapping[str, Callable[[ExitStack], None]] = {
    "the breaker never opens": _never_opens,
    "the breaker never closes": _never_closes,
    "probes do not get rarer": _never_rarer,
    "no limit is kept": _without_limits,
    "what failed is read anew": _reads_anew,
}


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
            statuses = Counter(one.status for one in calls)
            drained = _drained(world, ends) - ends
        except Broken:
            # It was not lived through to its end, so the rest of it cannot be measured.
            return Measured(1, 0, 0, timedelta(0), tuple(map(str, world.checks.found)))
        finally:
            world.close()
    held_up = max(drained, timedelta(0))
    return Measured(len(calls), statuses[503], statuses[429], held_up, ())


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
    """When the last order that was placed before ``ends`` was taken in, and the last that was to
    be sent by then was settled; now, where something still waits."""
    order, intent = t.sales_order.c, t.intent.c
    with world.store.read() as conn:
        taken = conn.scalars(select(order.recorded_at).where(order.placed_at < ends)).all()
        sent = conn.execute(
            select(intent.settled_at, intent.state).where(intent.created_at < ends)
        ).all()
    if any(row.state in ("planned", "sending", "unknown") for row in sent):
        return world.clock.now()
    return max([*taken, *(row.settled_at for row in sent if row.settled_at)], default=ends)
