"""G14: the rate at which orders flow from the shop to the 3PL, and how long one takes.

What vendors take is no time of ours, and idle time is skipped. The rate is that of the hub's CPU
time, for which it does not matter who else uses the machine; how long an order takes is told in
real seconds of the hub at work, its waits for the disk and for others among them. What the hub
needs for an order is also told in units of this machine at this moment: a commit that waits for the
disk, and a fixed piece of work in Python, measured before and after. A night holds all of it to its
bounds; a pull request asks only that every order arrives, once.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from sqlalchemy import update

from proof.budget import Budget, reached
from proof.clock import cpu_s, stopwatch
from proof.evidence import Evidence, Size
from proof.flow.trade import Flow, opened
from state import intents
from state import tables as t
from state.store import Store

AN_HOUR = 36_000
"""The pace at which orders come, and the rate the goal asks for."""
_ORDERS = {"pull-request": 40, "nightly": 2_000}
_PLANTED_ORDERS = {"pull-request": 20, "nightly": 100}
MOST_UNITS = 100.0
"""Units of the machine that an order may cost the hub."""
P95_S = 30.0
"""From the channel to the 3PL's word."""
_PIECE = [{"sku": f"S{n}", "qty": n, "price": f"{n}.99"} for n in range(300)]


@dataclass(frozen=True, slots=True)
class Measured:
    """``worked_s``: the hub's real seconds, ``cpu_s`` its CPU seconds; ``unit_s``: a commit and a
    piece of work, now."""

    orders: int
    worked_s: float
    cpu_s: float
    unit_s: float
    waits: list[float]
    wrong: list[str]

    @property
    def units(self) -> float:
        """What an order cost, in units of the machine."""
        return self.worked_s / self.orders / self.unit_s

    @property
    def an_hour(self) -> float:
        """Orders in an hour of the hub's CPU time: real time is also that of others."""
        return self.orders / self.cpu_s * 3600

    @property
    def p95_s(self) -> float:
        """Of those that arrived."""
        return self.waits[int(len(self.waits) * 0.95)] if self.waits else 0.0

    def slow(self) -> dict[str, str]:
        """Each bound of a night that does not hold, and what is said of it."""
        told = {}
        if self.units > MOST_UNITS:
            told["units"] = f"an order costs {self.units:.0f} units, more than {MOST_UNITS:.0f}"
        if self.an_hour < AN_HOUR:
            told["rate"] = f"{self.an_hour:.0f} orders an hour, fewer than {AN_HOUR}"
        if self.p95_s > P95_S:
            told["p95"] = f"{self.p95_s:.0f} s to the 3PL's word, more than {P95_S:.0f}"
        return told


def prove(
    size: Size, seed: int = 1, orders: int | None = None, budget_s: float | None = None
) -> Evidence:
    """``orders``: so many, instead of what the size says. ``budget_s``: real seconds; null: all."""
    began, budget = cpu_s(), Budget(budget_s)
    planted = _noticed(size, seed)
    found = _measured(orders or _ORDERS[size], seed, budget)
    slow = found.slow().values() if size == "nightly" else ()
    return Evidence(
        claim="G14",
        title="Orders flow from the shop to the 3PL, each once, at the pace they come, without"
        " the vendors' time",
        command=f"python -m proof G14 --size {size} --seed {seed}",
        runs=found.orders,
        unit="orders",
        seeds=str(seed),
        violations=[*found.wrong[:5], *slow],
        planted=planted,
        figures={
            "orders came an hour": AN_HOUR,
            "orders an hour of the hub's CPU time, without vendors": round(found.an_hour),
            "orders an hour of the hub's real time at work, without vendors": round(
                found.orders / found.worked_s * 3600
            ),
            "p95 s to the 3PL's word, without vendors": round(found.p95_s, 1),
            "units of the machine for an order": round(found.units, 1),
            "unit, ms": round(found.unit_s * 1000, 2),
            **reached(size, found.orders, _ORDERS[size]),
        },
        cpu_s=round(cpu_s() - began, 1),
    )


def _measured(orders: int, seed: int, budget: Budget | None = None) -> Measured:
    with opened(seed) as flow, tempfile.TemporaryDirectory(prefix="crossdock-unit-") as folder:
        units = [_unit_s(Path(folder) / "before.db")]
        began, cpu_began = flow.clock.worked_s, flow.clock.cpu_s
        flow.trade(orders, AN_HOUR, seed, budget or Budget())
        worked, cpu = flow.clock.worked_s - began, flow.clock.cpu_s - cpu_began
        units.append(_unit_s(Path(folder) / "after.db"))
        waits = sorted(flow.waits().values())
        return Measured(len(flow.placed), worked, cpu, sum(units) / 2, waits, _wrong(flow))


def _wrong(flow: Flow) -> list[str]:
    """Orders that did not get to the 3PL, or more than once: by the 3PL's own books."""
    taken = Counter(one.reference for one in flow.sandbox.world.shipbob.orders.values())
    wrong = [f"{name} was sent {n} times" for name, n in taken.items() if n > 1]
    arrived = flow.waits()
    missing = sorted(flow.placed.keys() - arrived.keys())
    wrong += [f"order {name} did not get to the 3PL" for name in missing[:3]]
    if len(taken) != len(flow.placed):
        wrong.append(f"{len(flow.placed)} orders were placed, the 3PL has {len(taken)}")
    return wrong


def _unit_s(path: Path) -> float:
    """Median seconds of a commit that waits for the disk together with a piece of work."""
    took = []
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE one (n TEXT);")
        db.execute("PRAGMA synchronous = FULL")
        for _ in range(60):
            began = stopwatch()
            db.execute("INSERT INTO one VALUES (?)", (json.dumps(json.loads(json.dumps(_PIECE))),))
            took.append(stopwatch() - began)
    return median(took)


def _noticed(size: Size, seed: int) -> dict[str, str | None]:
    orders = _PLANTED_ORDERS[size]
    with drops_some():
        lost = _measured(orders, seed).wrong
    noticed = {"every tenth order is left where it is": lost[0] if lost else None}
    if size == "nightly":
        with _commits_many_times():
            slow = _measured(orders, seed).slow()
        bug = "every commit is made a thousand times"
        noticed |= {f"{bug}: {check}": slow.get(check) for check in ("units", "rate", "p95")}
    return noticed


@contextmanager
def drops_some() -> Iterator[None]:
    """What shall go out is claimed, and some of it quietly settled: the first, too, so that a short
    life has one."""
    claim: Callable[..., Any] = intents.claim
    numbers = count()

    def forgetful(conn: Any, *given: Any, **more: Any) -> Any:
        rows = claim(conn, *given, **more)
        kept = [row for row in rows if row.kind != "fulfilment_order" or next(numbers) % 10]
        for row in rows:
            if row not in kept:
                intents.move(conn, row.id, "done")
        return kept

    with mock.patch.object(intents, "claim", forgetful):
        yield


@contextmanager
def _commits_many_times() -> Iterator[None]:
    write = Store.write

    @contextmanager
    def slow(store: Store, **given: Any) -> Iterator[Any]:
        with write(store, **given) as conn:
            yield conn
        for _ in range(999):
            with write(store) as conn:
                conn.execute(update(t.stream).values(want=t.stream.c.want))

    with mock.patch.object(Store, "write", slow):
        yield
