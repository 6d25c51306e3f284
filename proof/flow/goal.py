"""G14: the rate at which orders flow from the shop to the 3PL, and how long one takes.

How fast that is depends on the machine and on who else uses it. So what the hub needs for an order
is also told in units of this machine at this moment: a commit that waits for the disk, and a fixed
piece of work in Python, measured before, between and after. A night has a bound on that; a pull
request asks only that every order arrives, once.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
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
_PIECE = [{"sku": f"S{n}", "qty": n, "price": f"{n}.99"} for n in range(300)]


@dataclass(frozen=True, slots=True)
class Measured:
    """``worked_s``: the hub's real seconds; ``unit_s``: a commit and a piece of work, now."""

    orders: int
    worked_s: float
    unit_s: float
    waits: list[float]
    wrong: list[str]

    @property
    def units(self) -> float:
        """What an order cost, in units of the machine."""
        return self.worked_s / self.orders / self.unit_s


def prove(
    size: Size, seed: int = 1, orders: int | None = None, budget_s: float | None = None
) -> Evidence:
    """``orders``: so many, instead of what the size says. ``budget_s``: real seconds; null: all."""
    began, budget = cpu_s(), Budget(budget_s)
    planted = _noticed(size, seed)
    found = _measured(orders or _ORDERS[size], seed, budget)
    late = size == "nightly" and found.units > MOST_UNITS
    slow = [f"an order costs {found.units:.0f} units, more than {MOST_UNITS:.0f}"] if late else []
    p95 = found.waits[int(len(found.waits) * 0.95)] if found.waits else 0.0
    return Evidence(
        claim="G14",
        title="Orders flow from the shop to the 3PL, each once, at the pace they come",
        command=f"python -m proof G14 --size {size} --seed {seed}",
        runs=found.orders,
        unit="orders",
        seeds=str(seed),
        violations=[*found.wrong[:5], *slow],
        planted=planted,
        figures={
            "orders came an hour": AN_HOUR,
            "orders an hour, of the hub's own time": round(found.orders / found.worked_s * 3600),
            "p95 s to the 3PL's word, without vendors": round(p95, 1),
            "units of the machine for an order": round(found.units, 1),
            "unit, ms": round(found.unit_s * 1000, 2),
            **reached(size, found.orders, _ORDERS[size]),
        },
        cpu_s=round(cpu_s() - began, 1),
    )


def _measured(orders: int, seed: int, budget: Budget | None = None) -> Measured:
    with opened(seed) as flow, tempfile.TemporaryDirectory(prefix="crossdock-unit-") as folder:
        units = [_unit_s(Path(folder) / "before.db")]
        began = flow.clock.worked_s
        flow.trade(orders, AN_HOUR, seed, budget or Budget())
        worked = flow.clock.worked_s - began
        units.append(_unit_s(Path(folder) / "after.db"))
        waits = sorted(flow.waits().values())
        return Measured(len(flow.placed), worked, sum(units) / 2, waits, _wrong(flow))


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
            units = _measured(orders, seed).units
        late = f"{units:.0f} units for an order" if units > MOST_UNITS else None
        noticed["every commit is made two hundred times"] = late
    return noticed


@contextmanager
def drops_some() -> Iterator[None]:
    """What shall go out is claimed, and some of it quietly settled."""
    claim: Callable[..., Any] = intents.claim

    def forgetful(conn: Any, *given: Any, **more: Any) -> Any:
        rows = claim(conn, *given, **more)
        kept = [row for row in rows if row.kind != "fulfilment_order" or row.id % 10]
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
        for _ in range(199):
            with write(store) as conn:
                conn.execute(update(t.stream).values(want=t.stream.c.want))

    with mock.patch.object(Store, "write", slow):
        yield
