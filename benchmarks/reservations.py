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
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select

from benchmarks import databases
from benchmarks.clock import measured
from state import stock
from state import tables as t
from state.errors import OutOfStock
from state.store import Store

SEED = 7
SKUS = 100
NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)

Want = tuple[tuple[int, int], ...]
"""SKU ids and units of one order."""


@dataclass
class Race:
    """What became of every order. ``won`` and ``refused``: orders; ``units``: of each SKU."""

    won: int = 0
    units: Counter[int] = field(default_factory=Counter)
    refused: list[Want] = field(default_factory=list)
    wall_s: float = 0.0
    cpu_s: float = 0.0


def prepare(store: Store, units: int, skus: int = SKUS) -> None:
    """Make tables, ``skus`` SKUs with ``units`` of each at one location, and an order line."""
    with store.write() as conn:
        t.metadata.create_all(conn)
        conn.execute(insert(t.connection).values(id=1, name="shop", kind="channel"))
        conn.execute(
            insert(t.location).values(
                id=1, code="berlin", kind="warehouse", authority="hub", active=True
            )
        )
        conn.execute(
            insert(t.sku), [{"id": n, "code": f"S{n}", "active": True} for n in range(1, skus + 1)]
        )
        want_goods(conn)
        for sku_id in range(1, skus + 1):
            stock.set_count(
                conn, sku_id=sku_id, location_id=1, authority="hub", on_hand=Decimal(units),
                reason="opening", key=f"opening:{sku_id}", now=NOW,
            )  # fmt: skip


def want_goods(conn: Connection) -> None:
    """Order line 1 of connection 1, which wants more than there ever is."""
    conn.execute(
        insert(t.inbox).values(
            id=1, connection_id=1, sha256=b"", body=b"", received_at=NOW, state="mapped"
        )
    )
    conn.execute(
        insert(t.sales_order).values(
            id=1, connection_id=1, channel_order_id="1", channel_status="ready",
            intake_state="accepted", placed_at=NOW, business_date=NOW.date(),
            channel_updated_at=NOW, recorded_at=NOW, prices_include_tax=False, raw_id=1,
        )
    )  # fmt: skip
    conn.execute(
        insert(t.order_line).values(
            id=1, order_id=1, line_no=1, channel_line_id="1", requires_shipping=True,
            qty_ordered=Decimal(1000),
        )
    )  # fmt: skip


def orders(reservations: int, skus: int = SKUS) -> list[Want]:
    """Orders that ask for so many reservations in all."""
    dice, made = random.Random(SEED), 0
    wanted: list[Want] = []
    while made < reservations:
        chosen = dice.sample(range(1, skus + 1), min(dice.choice((1, 1, 2)), reservations - made))
        wanted.append(tuple((sku_id, dice.randint(1, 3)) for sku_id in chosen))
        made += len(chosen)
    return wanted


def race(store: Store, workers: int, wanted: Sequence[Want]) -> Race:
    """Have ``workers`` threads take the orders, one after the other."""

    def attempt(number: int) -> bool:
        try:
            store.transact(lambda conn: _take(conn, number, wanted[number]))
        except OutOfStock:
            return False
        return True

    found = Race()
    with ThreadPoolExecutor(workers) as pool, measured() as cost:
        for number, won in enumerate(pool.map(attempt, range(len(wanted)))):
            if won:
                found.won += 1
                found.units.update(dict(wanted[number]))
            else:
                found.refused.append(wanted[number])
    found.wall_s, found.cpu_s = cost.wall_s, cost.cpu_s
    return found


def _take(conn: Connection, number: int, want: Want) -> None:
    for sku_id, qty in want:
        stock.reserve(
            conn, sku_id=sku_id, location_id=1, qty=Decimal(qty), order_line_id=1,
            key=f"order:{number}:{sku_id}", now=NOW,
        )  # fmt: skip


def prove(store: Store, found: Race, units: int) -> dict[str, int]:
    """Raise AssertionError unless nothing was oversold, lost or refused for no reason."""
    level, held = t.inventory_level, t.reservation
    with store.read() as conn:
        assert stock.differences(conn, 1) == [], "levels, ledger and reservations differ"
        rows = conn.execute(select(level.c.sku_id, level.c.on_hand, level.c.reserved)).all()
        made = conn.scalar(select(func.count()).select_from(held)) or 0
    left = {row.sku_id: int(row.on_hand - row.reserved) for row in rows}
    assert min(left.values()) >= 0, "oversold"
    assert all(found.units[sku_id] + left[sku_id] == units for sku_id in left), "units lost"
    for want in found.refused:
        assert any(left[sku_id] < qty for sku_id, qty in want), "refused what was there"
    return {
        "reservations": made,
        "units_won": found.units.total(),
        "units_left": sum(left.values()),
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
            wanted = orders(reservations)
            found = race(store, workers, wanted)
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
        "wall_s": round(found.wall_s, 2),
        "cpu_s": round(found.cpu_s, 2),
        "attempts_per_s": round(reservations / found.wall_s),
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
