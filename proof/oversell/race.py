"""Workers that want the same scarce goods, and what must hold afterwards.

Each order wants one or two SKUs, a few units each, and takes the two in any order, as no orderly
caller would: so that on PostgreSQL transactions do deadlock, and have to be tried again. An order
gets all it wants or nothing; some are cancelled as soon as they were won, so that what was refused
to one may be there for another.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from multiprocessing import get_context

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import SQLAlchemyError

from state import stock
from state import tables as t
from state.errors import OutOfStock
from state.store import Store

SKUS = 100
NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
CANCELLED = 0.15

Want = tuple[tuple[int, int], ...]
"""SKU ids and units of one order."""


@dataclass(frozen=True, slots=True)
class Order:
    """``number``: makes its keys its own. ``cancelled``: given back as soon as it was won."""

    number: int
    want: Want
    cancelled: bool = False


@dataclass
class Race:
    """What became of every order. ``won`` and ``refused``: orders; ``units``: of each SKU, those
    that a worker was told are its order's; ``failed``: errors that no caller should see."""

    won: int = 0
    given_back: int = 0
    units: Counter[int] = field(default_factory=Counter)
    refused: list[Order] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, other: Race) -> None:
        self.won += other.won
        self.given_back += other.given_back
        self.units.update(other.units)
        self.refused += other.refused
        self.failed += other.failed


def furnish(conn: Connection, units: int, skus: int = SKUS) -> None:
    """``skus`` SKUs with ``units`` of each at one location, and an order line, in empty tables."""
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


def orders(
    reservations: int, seed: int, *, skus: int = SKUS, cancelled: float = 0.0
) -> list[Order]:
    """Orders that ask for so many reservations in all; this share of them is cancelled."""
    dice, made = random.Random(seed), 0
    given_up = random.Random(f"{seed}:cancelled")
    wanted: list[Order] = []
    while made < reservations:
        count = min(dice.choice((1, 1, 2)), reservations - made)
        chosen = dice.sample(range(1, skus + 1), count)
        want = tuple((sku_id, dice.randint(1, 3)) for sku_id in chosen)
        wanted.append(Order(len(wanted), want, given_up.random() < cancelled))
        made += len(chosen)
    return wanted


def run(store: Store, workers: int, wanted: Sequence[Order]) -> Race:
    """Have ``workers`` threads take the orders, one after the other."""
    found = Race()
    with ThreadPoolExecutor(workers) as pool:
        for one in pool.map(lambda order: _attempt(store, order, "order"), wanted):
            found.add(one)
    return found


def run_in_processes(url: str, workers: int, wanted: Sequence[Order]) -> Race:
    """The same with ``workers`` processes, each with a store of its own and every so-manieth
    order."""
    found = Race()
    shares = [wanted[first::workers] for first in range(workers)]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for one in pool.map(_alone, [url] * workers, shares):
            found.add(one)
    return found


def _alone(url: str, wanted: Sequence[Order]) -> Race:
    with closing(Store(url)) as store:
        return run(store, 1, wanted)


def _attempt(store: Store, order: Order, key: str) -> Race:
    taken = f"{key}:{order.number}"
    try:
        ids = store.transact(lambda conn: _take(conn, order.want, taken))
        if order.cancelled:
            store.transact(lambda conn: _give_back(conn, ids, taken))
            return Race(given_back=1)
    except OutOfStock:
        return Race(refused=[order])
    except SQLAlchemyError as error:
        return Race(failed=[f"{taken}: {type(error).__name__}"])
    return Race(won=1, units=Counter(dict(order.want)))


def _take(conn: Connection, want: Want, key: str) -> list[int]:
    return [
        stock.reserve(
            conn, sku_id=sku_id, location_id=1, qty=Decimal(qty), order_line_id=1,
            key=f"{key}:{sku_id}", now=NOW,
        )
        for sku_id, qty in want
    ]  # fmt: skip


def _give_back(conn: Connection, reservations: Sequence[int], key: str) -> None:
    for reservation_id in reservations:
        stock.release(conn, reservation_id, None, f"{key}:back:{reservation_id}", NOW)


def tried_again(store: Store, found: Race) -> list[str]:
    """Every refused order once more, one at a time: says each that was still refused what was
    there, or was given what was not. What is won now is added to ``found``."""
    left, wrong = units_left(store), []
    refused, found.refused = found.refused, []
    for order in refused:
        there = all(left[sku_id] >= qty for sku_id, qty in order.want)
        one = _attempt(store, Order(order.number, order.want), "again")
        if bool(one.won) != there:
            does = "refused what was there" if there else "given what was not there"
            wrong.append(f"order {order.number}, tried once more, was {does}")
        left.subtract(one.units)
        found.add(one)
    return wrong


def units_left(store: Store) -> Counter[int]:
    """What nobody has reserved, by SKU id."""
    level = t.inventory_level
    with store.read() as conn:
        rows = conn.execute(select(level.c.sku_id, level.c.on_hand, level.c.reserved)).all()
    return Counter({row.sku_id: int(row.on_hand - row.reserved) for row in rows})


def wrong_in(store: Store, found: Race, units: int) -> list[str]:
    """What does not hold of a race for ``units`` of every SKU; empty: nothing was oversold, and no
    unit and no sale lost. What the workers were told counts, not only what our tables say."""
    left = units_left(store)
    with store.read() as conn:
        differ = stock.differences(conn, 1)
    wrong = [f"failed: {one}" for one in found.failed[:3]]
    wrong += ["levels, ledger and reservations differ"] if differ else []
    for sku_id in sorted(left):
        sold, free = found.units[sku_id], left[sku_id]
        if sold > units or free < 0:
            wrong.append(f"oversold: {sold} of {units} units of SKU {sku_id}, {free} left")
        elif sold + free != units:
            wrong.append(f"units lost: {sold} sold, {free} left of {units} of SKU {sku_id}")
    wrong += [
        f"order {order.number} was refused what was there"
        for order in found.refused
        if all(left[sku_id] >= qty for sku_id, qty in order.want)
    ]
    return wrong
