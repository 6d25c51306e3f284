"""Two locations of ours, one that an outside system counts, and goods that move between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from sqlalchemy import Connection, Row, insert, select

from proof.oversell.race import want_goods
from state import stock
from state import tables as t
from state.stock import Cause
from state.store import Store

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
BERLIN, JERSEY, BOB = 1, 2, 3
A, B, KIT = 1, 2, 3


def furnish(store: Store) -> None:
    """SKUs A, B and KIT; locations berlin and jersey (ours), bob (outside); order line 1."""
    with store.write() as conn:
        conn.execute(
            insert(t.connection).values(id=1, name="shop", kind="channel", timezone="Europe/Berlin")
        )
        for number, code in ((A, "A"), (B, "B"), (KIT, "KIT")):
            conn.execute(insert(t.sku).values(id=number, code=code, active=True))
        for number, code, authority in (
            (BERLIN, "berlin", "hub"),
            (JERSEY, "jersey", "hub"),
            (BOB, "bob", "external"),
        ):
            conn.execute(
                insert(t.location).values(
                    id=number, code=code, kind="warehouse", authority=authority, active=True
                )
            )
        want_goods(conn)


@dataclass
class Shelves:
    """Short words for the functions under test; each call in a transaction of its own."""

    store: Store
    now: datetime = NOW
    numbers: Any = field(default_factory=lambda: count(1))

    def write(self) -> AbstractContextManager[Connection]:
        return self.store.write()

    def later(self, seconds: float = 60) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def key(self) -> str:
        return f"test:{next(self.numbers)}"

    def cause(self, key: str = "", reason: str = "receipt") -> Cause:
        return Cause(reason, ("test", None), key or self.key(), self.now)

    def count(self, qty: int, sku: int = A, place: int = BERLIN, **given: Any) -> Decimal:
        with self.write() as conn:
            return stock.set_count(
                conn,
                sku_id=sku,
                location_id=place,
                authority="external" if place == BOB else "hub",
                on_hand=Decimal(qty),
                reason="external_set" if place == BOB else "adjust_count",
                key=self.key(),
                now=self.now,
                **given,
            )

    def reserve(self, qty: int, sku: int = A, place: int = BERLIN, **given: Any) -> int:
        given.setdefault("order_line_id", None if "expires_at" in given else 1)
        with self.write() as conn:
            return stock.reserve(
                conn,
                sku_id=sku,
                location_id=place,
                qty=Decimal(qty),
                key=given.pop("key", None) or self.key(),
                now=self.now,
                **given,
            )

    def ship(self, reservation: int, qty: int, key: str = "", **given: Any) -> bool:
        with self.write() as conn:
            return stock.ship(conn, reservation, Decimal(qty), key or self.key(), self.now, **given)

    def release(self, reservation: int, qty: int | None = None, key: str = "") -> Decimal:
        with self.write() as conn:
            wanted = None if qty is None else Decimal(qty)
            return stock.release(conn, reservation, wanted, key or self.key(), self.now)

    def receive(self, qty: int, sku: int = A, place: int = BERLIN, **given: Any) -> bool:
        cause = self.cause(given.pop("key", ""))
        with self.write() as conn:
            return stock.receive(
                conn, sku_id=sku, location_id=place, qty=Decimal(qty), cause=cause, **given
            )

    def lot(self, code: str, expires_on: Any = None, sku: int = A) -> int:
        with self.write() as conn:
            return stock.ensure_lot(conn, sku, code, expires_on)

    def level(self, sku: int = A, place: int = BERLIN) -> Row[Any]:
        with self.store.read() as conn:
            [row] = [row for row in stock.levels(conn, [sku]) if row.location_id == place]
        return row

    def figures(self, *buckets: str, sku: int = A, place: int = BERLIN) -> tuple[int, ...]:
        row = self.level(sku, place)
        return tuple(int(getattr(row, bucket)) for bucket in buckets)

    def ledger(self) -> list[Row[Any]]:
        with self.store.read() as conn:
            return list(conn.execute(select(t.inventory_ledger).order_by(t.inventory_ledger.c.id)))

    def agree(self) -> bool:
        """Whether levels, ledger, reservations and consignments agree."""
        with self.store.read() as conn:
            return stock.differences(conn) == []


@cache
def _furnished() -> bytes:
    """A SQLite file as ``furnish`` leaves it."""
    with TemporaryDirectory(prefix="crossdock-shelves-") as folder:
        store = Store(f"sqlite:///{folder}/store.db")
        with store.write() as conn:
            t.metadata.create_all(conn)
        furnish(store)
        store.close()
        return (Path(folder) / "store.db").read_bytes()


@contextmanager
def fresh_shelves() -> Iterator[Shelves]:
    """Shelves of their own for one example of a property, on SQLite."""
    with TemporaryDirectory(prefix="crossdock-shelves-") as folder:
        (Path(folder) / "store.db").write_bytes(_furnished())
        store = Store(f"sqlite:///{folder}/store.db")
        try:
            yield Shelves(store)
        finally:
            store.close()


@pytest.fixture
def shelves(store: Store) -> Shelves:
    furnish(store)
    return Shelves(store)
