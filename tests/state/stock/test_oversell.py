"""Stock can neither be oversold nor lost, whatever happens at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from proof.oversell.race import want_goods
from state import stock
from state import tables as t
from state.errors import KeyReused, OutOfStock
from state.store import Store
from tests.state.stock.conftest import Shelves

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def prepare(store: Store, on_hand: int, authority: str = "hub") -> None:
    """SKU 1 at location 1, and order line 1 that wants it."""
    with store.write() as conn:
        conn.execute(insert(t.connection).values(id=1, name="shop", kind="channel"))
        conn.execute(insert(t.sku).values(id=1, code="A", active=True))
        conn.execute(
            insert(t.location).values(
                id=1, code="berlin", kind="warehouse", authority=authority, active=True
            )
        )
        want_goods(conn)
        count(conn, on_hand, "opening", authority)


def count(conn: object, on_hand: int, key: str, authority: str = "hub") -> Decimal:
    return stock.set_count(
        conn,  # type: ignore[arg-type]
        sku_id=1,
        location_id=1,
        authority=authority,
        on_hand=Decimal(on_hand),
        reason="adjust_count",
        key=key,
        now=NOW,
    )


def reserve(store: Store, qty: int, key: str) -> int | None:
    try:
        with store.write() as conn:
            return stock.reserve(
                conn, sku_id=1, location_id=1, qty=Decimal(qty), order_line_id=1, key=key, now=NOW
            )
    except OutOfStock:
        return None


def level(store: Store) -> tuple[int, int]:
    with store.read() as conn:
        row = conn.execute(select(t.inventory_level)).one()
    return int(row.on_hand), int(row.reserved)


def ledger(store: Store) -> tuple[int, int]:
    with store.read() as conn:
        sums = dict(
            conn.execute(
                select(
                    t.inventory_ledger.c.bucket,
                    func.sum(t.inventory_ledger.c.delta, type_=t.inventory_ledger.c.delta.type),
                ).group_by(t.inventory_ledger.c.bucket)
            ).all()
        )
    return int(sums.get("on_hand", 0)), int(sums.get("reserved", 0))


def test_lessons_row_1_of_100_threads_that_want_the_last_10_units_exactly_10_get_one(
    store: Store,
) -> None:
    prepare(store, on_hand=10)
    with ThreadPoolExecutor(100) as pool:
        won = list(pool.map(lambda n: reserve(store, 1, f"r{n}"), range(100)))
    assert sum(1 for reservation in won if reservation is not None) == 10
    assert level(store) == (10, 10) == ledger(store)


def test_lessons_row_3_the_database_itself_refuses_to_oversell(store: Store) -> None:
    prepare(store, on_hand=1)
    assert reserve(store, 1, "first") is not None
    with pytest.raises(IntegrityError), store.write() as conn:
        conn.execute(t.inventory_level.update().values(reserved=Decimal(2)))


def test_a_count_below_what_is_reserved_is_refused_at_our_own_location(store: Store) -> None:
    prepare(store, on_hand=5)
    reserve(store, 4, "r")
    with pytest.raises(IntegrityError), store.write() as conn:
        count(conn, 3, "recount")
    assert level(store) == (5, 4)


def test_an_outside_location_may_count_less_than_is_reserved(store: Store) -> None:
    prepare(store, on_hand=5, authority="external")
    reserve(store, 4, "r")
    with store.write() as conn:
        count(conn, 3, "recount", "external")
    assert level(store) == (3, 4)
    assert reserve(store, 1, "more") is None


def test_a_count_twice_is_one_movement(store: Store) -> None:
    prepare(store, on_hand=5)
    with store.write() as conn:
        assert count(conn, 8, "c1") == 3
        assert count(conn, 8, "c2") == 0
    assert ledger(store) == (8, 0)


def test_a_key_moves_stock_once(store: Store) -> None:
    prepare(store, on_hand=5)
    first = reserve(store, 1, "same")
    assert first is not None
    assert reserve(store, 1, "same") == first
    assert level(store) == (5, 1) == ledger(store)
    with pytest.raises(KeyReused):
        reserve(store, 2, "same")
    assert level(store) == (5, 1)


def test_a_key_is_known_also_when_nothing_is_left(store: Store) -> None:
    prepare(store, on_hand=1)
    first = reserve(store, 1, "same")
    assert reserve(store, 1, "same") == first
    assert level(store) == (1, 1) == ledger(store)


def test_lessons_row_k10_goods_elsewhere_do_not_let_a_location_promise_more_than_it_has(
    shelves: Shelves,
) -> None:
    """Medusa checks the sum over the locations, and reserves at the first of them."""
    shelves.receive(6)
    shelves.receive(6, place=2)
    for place in (1, 2):
        with pytest.raises(OutOfStock):
            shelves.reserve(10, place=place)
    shelves.reserve(6)
    shelves.reserve(4, place=2)
    assert shelves.figures("available") == (0,)
    assert shelves.figures("available", place=2) == (2,)
