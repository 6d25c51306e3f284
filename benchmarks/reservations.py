"""How many reservations a second, when everybody wants the same goods; and that none is lost.

    python -m benchmarks.reservations
    python -m benchmarks.reservations --workers 64 --reservations 10000 --database sqlite

Workers (threads with connections of their own) race for scarce SKUs. Each order wants one or two of
them, a few units each, and takes the two in any order, as no orderly caller would: so that on
PostgreSQL transactions do deadlock, and have to be tried again. An order gets all it wants or
nothing.

Afterwards the figures are proven: no level is negative, levels, ledger and reservations agree, what
was won and what is left is what was there, and nobody was refused goods that were left in the end.
The last line is everything as JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks import databases
from benchmarks.clock import measured
from proof.oversell import race
from proof.oversell.race import SKUS, Race
from state import tables as t
from state.store import Store

SEED = 7


def prepare(store: Store, units: int, skus: int = SKUS) -> None:
    """Make tables, ``skus`` SKUs with ``units`` of each at one location, and an order line."""
    with store.write() as conn:
        t.metadata.create_all(conn)
        race.furnish(conn, units, skus)


def prove(store: Store, found: Race, units: int) -> dict[str, int]:
    """Raise AssertionError unless nothing was oversold, lost or refused for no reason."""
    wrong = race.wrong_in(store, found, units)
    assert not wrong, "; ".join(wrong)
    with store.read() as conn:
        made = conn.scalar(select(func.count()).select_from(t.reservation)) or 0
    return {
        "reservations": made,
        "units_won": found.units.total(),
        "units_left": race.units_left(store).total(),
    }


def run(database: str, workers: int, reservations: int) -> dict[str, Any]:
    """Measure on one database; returns the result, ready for JSON."""
    units = max(1, reservations // SKUS)  # Some 2 units are wanted per reservation: half go empty.
    with (
        tempfile.TemporaryDirectory(prefix="crossdock-reservations-") as folder,
        databases.opened(database, Path(folder)) as bases,
    ):
        store = Store(bases.create("race"))
        try:
            prepare(store, units)
            wanted = race.orders(reservations, SEED)
            with measured() as cost:
                found = race.run(store, workers, wanted)
            proof = prove(store, found, units)
        finally:
            store.close()
    return {
        "database": database,
        "workers": workers,
        "skus": SKUS,
        "orders": len(wanted),
        "attempts": reservations,
        "orders_won": found.won,
        "orders_refused": len(found.refused),
        **proof,
        "wall_s": round(cost.wall_s, 2),
        "cpu_s": round(cost.cpu_s, 2),
        "attempts_per_s": round(reservations / cost.wall_s),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--reservations", type=int, default=10_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], nargs="+",
                        default=["sqlite", "postgresql"])  # fmt: skip
    asked = parser.parse_args(arguments)
    results = []
    for database in asked.database:
        result = run(database, asked.workers, asked.reservations)
        results.append(result)
        print(
            f"{database}: {result['attempts']} reservations asked for by {result['workers']}"
            f" workers in {result['wall_s']} s, {result['attempts_per_s']} a second;"
            f" {result['reservations']} made, none oversold, none lost"
        )
    print(json.dumps({"benchmark": "reservations", "seed": SEED, "results": results}))


if __name__ == "__main__":
    main()
