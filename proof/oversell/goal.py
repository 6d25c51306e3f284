"""G9: 16 workers race for the last units: none is sold twice, and no sale is lost.

A sale counts as lost when an order that was refused is refused once more though all it wants is
there. Round after round begins with an empty store; at night also with processes for workers.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

from proof.budget import Budget, reached
from proof.clock import cpu_s, stopwatch
from proof.evidence import Evidence, Size
from proof.oversell import race
from proof.oversell.bugs import Bug, bugs
from proof.oversell.race import SKUS, Race
from proof.world.database import SQLITE, empty_store
from state.store import Store

WORKERS = 16
_ATTEMPTS = {"pull-request": 10_000, "nightly": 1_000_000}
_ROUND = 5_000
_PLANTED = 300
_FEW = 10
"""SKUs that they race for: more of them meet."""
_TRIES = 5


@dataclass
class Told:
    """What the rounds so far came to. ``attempts``: reservations asked for."""

    attempts: int = 0
    injections: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    sold: int = 0


def prove(
    size: Size,
    seed: int = 1,
    postgres: str | None = None,
    budget_s: float | None = None,
    attempts: int | None = None,
) -> Evidence:
    """``postgres``: the URL of a PostgreSQL, where it is played too, in a schema of its own.
    ``budget_s``: real seconds; null: all rounds. ``attempts``: so many in all, instead of what the
    size says."""
    budget, began_cpu, told = Budget(budget_s), cpu_s(), Told()
    databases = [SQLITE, *filter(None, [postgres])]
    wanted = attempts or _ATTEMPTS[size]
    kinds = _kinds(databases, size)
    each = min(_ROUND, -(-wanted // len(kinds)))
    planted, began = _noticed(databases, seed), stopwatch()
    rounds = islice(cycle(kinds), -(-wanted // each))
    for database, processes in budget.over(rounds, least=len(databases)):
        _round(told, database, seed + told.attempts // each, each, processes=processes)
    took = stopwatch() - began
    return Evidence(
        claim="G9",
        title="Of what is scarce nothing is oversold, and no sale is lost beyond one retry",
        command=f"python -m proof G9 --size {size} --seed {seed}",
        runs=told.attempts,
        unit="reservations asked for",
        seeds=f"{seed}-{seed + told.attempts // each - 1}",
        injections=dict(told.injections),
        violations=told.violations,
        planted=planted,
        figures={
            "databases": "sqlite, postgresql" if postgres else "sqlite (no PostgreSQL at hand)",
            "workers": WORKERS,
            "units sold": told.sold,
            "reservations a second": round(told.attempts / took),
            **reached(size, told.attempts, wanted),
        },
        cpu_s=round(cpu_s() - began_cpu, 1),
    )


def _kinds(databases: Sequence[str], size: Size) -> list[tuple[str, bool]]:
    """Database, and whether the workers are processes."""
    workers = (False, True) if size == "nightly" else (False,)
    return [(database, processes) for processes in workers for database in databases]


def _round(told: Told, database: str, seed: int, attempts: int, *, processes: bool) -> None:
    found, wrong = _raced(database, seed, attempts, SKUS, processes=processes)
    kind = f"{_name(database)}, {'processes' if processes else 'threads'}"
    told.attempts += attempts
    told.sold += found.units.total()
    told.injections.update(
        {
            f"{kind}: refused": len(found.refused),
            f"{kind}: given back": found.given_back,
        }
    )
    told.violations += [f"{kind}, seed {seed}: {one}" for one in wrong[:3]]


def _raced(
    database: str, seed: int, attempts: int, skus: int, *, processes: bool = False
) -> tuple[Race, list[str]]:
    """One race over an empty store, and what does not hold of it."""
    # Some 2 units are wanted per reservation: half of them find nothing any more.
    units = max(1, attempts // skus)
    wanted = race.orders(attempts, seed, skus=skus, cancelled=race.CANCELLED)
    with (
        tempfile.TemporaryDirectory(prefix="crossdock-oversell-") as folder,
        empty_store(database, Path(folder)) as url,
        closing(Store(url)) as store,
    ):
        with store.write() as conn:
            race.furnish(conn, units, skus)
        if processes:
            found = race.run_in_processes(url, WORKERS, wanted)
        else:
            found = race.run(store, WORKERS, wanted)
        wrong = race.tried_again(store, found)
        return found, [*wrong, *race.wrong_in(store, found, units)]


def _noticed(databases: Sequence[str], seed: int) -> dict[str, str | None]:
    """Each bug on the database where it matters."""
    noticed: dict[str, str | None] = {}
    for bug in bugs():
        for database in databases:
            if bug.on == _name(database):
                noticed[f"{bug.on}: {bug.planted.name}"] = _first_sign(bug, database, seed)
    return noticed


def _first_sign(bug: Bug, database: str, seed: int) -> str | None:
    """Races go on until one shows it: two must meet, and with threads that is chance."""
    for number in range(_TRIES):
        with bug.in_place():
            _, wrong = _raced(database, seed + number, _PLANTED, _FEW)
        if wrong:
            return wrong[0]
    return None


def _name(database: str) -> str:
    return database.partition(":")[0].partition("+")[0]
