"""Marks of dirty SKUs come after all levels and in order, so that no two transactions deadlock."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy import Connection, delete, event, insert, select
from sqlalchemy.exc import OperationalError

from state import dirty_marks, grounds, stock, streams
from state import tables as t
from state.errors import OutOfStock
from state.stock import Leg
from state.store import Store
from tests.state.stock.conftest import BERLIN, KIT, NOW, A, B, Shelves

ROUNDS = 150


def dirty(store: Store) -> list[int]:
    with store.read() as conn:
        return list(conn.scalars(select(t.dirty_sku.c.sku_id).order_by(t.dirty_sku.c.sku_id)))


def wipe(shelves: Shelves) -> None:
    with shelves.write() as conn:
        conn.execute(delete(t.dirty_sku))


def test_all_marks_of_a_transaction_are_one_statement_after_its_levels(shelves: Shelves) -> None:
    told: list[str] = []
    event.listen(shelves.store.engine, "before_cursor_execute", lambda *g: told.append(g[2]))
    with shelves.write() as conn:
        for sku in (A, B):
            stock.post(conn, [Leg(sku, BERLIN, "on_hand", Decimal(5))], shelves.cause())
    writes = [sql for sql in told if not sql.startswith("SELECT")]
    assert ["dirty_sku" in sql for sql in writes].count(True) == 1
    assert "dirty_sku" in writes[-1]
    assert dirty(shelves.store) == [A, B]


def test_a_transaction_that_is_rolled_back_marks_nothing_and_leaves_no_marks_behind(
    shelves: Shelves,
) -> None:
    with shelves.write() as conn:
        stock.mark_dirty(conn, [A])
        conn.rollback()
    with pytest.raises(OutOfStock), shelves.write() as conn:
        _mark_and_fail(conn)
    with shelves.write() as conn:
        stock.mark_dirty(conn, [B])
    assert dirty(shelves.store) == [B]


def test_the_first_count_of_a_sku_is_news_even_when_it_finds_none(shelves: Shelves) -> None:
    assert shelves.count(0) == 0
    assert dirty(shelves.store) == [A]
    wipe(shelves)
    assert shelves.count(0) == 0
    assert dirty(shelves.store) == []


def test_a_connection_that_breaks_in_a_transaction_says_what_broke_it(store: Store) -> None:
    """Whoever sorts errors must see that the store was away, and not what was made of it."""
    with pytest.raises(OperationalError), store.write() as conn:
        _break(conn)
    with store.write() as conn:
        conn.execute(insert(t.sku).values(id=1, code="A", active=True))
        stock.mark_dirty(conn, [1])
    assert dirty(store) == [1]


def _break(conn: Connection) -> None:
    if conn.dialect.name == "sqlite":
        conn.invalidate()
        raise OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error"))
    conn.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")


def _mark_and_fail(conn: Connection) -> None:
    stock.mark_dirty(conn, [A])
    raise OutOfStock("no more")


def racing(shelves: Shelves, *works: Callable[[int], object]) -> list[str]:
    """Run each work ``ROUNDS`` times, all at once; returns what went wrong."""
    if shelves.store.is_sqlite:
        pytest.skip("SQLite has one writer at a time")

    def often(work: Callable[[int], object]) -> list[str]:
        wrong = []
        for n in range(ROUNDS):
            try:
                work(n)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                wrong.append(repr(error)[:300])
        return wrong

    with ThreadPoolExecutor(len(works)) as pool:
        return [problem for problems in pool.map(often, works) for problem in problems]


def test_reserving_beside_releasing_never_deadlocks(shelves: Shelves) -> None:
    """One comes from the level to the mark; the other must not come from the mark to the level."""
    shelves.count(1000)
    made = [shelves.reserve(1) for _ in range(ROUNDS)]

    def clean(_: int) -> None:
        with shelves.write() as conn:
            grounds.clean(conn, grounds.dirty(conn, 0, 100))

    wrong = racing(
        shelves,
        lambda n: shelves.release(made[n], key=f"release:{n}"),
        lambda n: shelves.reserve(1, key=f"reserve:{n}"),
        clean,
    )
    assert wrong == []
    assert shelves.figures("reserved") == (ROUNDS,)
    assert shelves.agree()


def test_two_sides_of_one_bundle_never_deadlock(shelves: Shelves) -> None:
    """Both mark the bundle; one of them still has the other component's level to come."""
    with shelves.write() as conn:
        stock.set_components(conn, KIT, {A: Decimal(1), B: Decimal(1)})

    def take(n: int, name: str, skus: list[int]) -> None:
        with shelves.write() as conn:
            for sku in skus:
                cause = stock.Cause("receipt", ("", None), f"{name}:{n}:{sku}", NOW)
                stock.post(conn, [Leg(sku, BERLIN, "on_hand", Decimal(1))], cause)

    wrong = racing(
        shelves,
        lambda n: take(n, "both", [A, B]),
        lambda n: take(n, "one", [B]),
        lambda _: wipe(shelves),
    )
    assert wrong == []
    assert shelves.figures("on_hand", sku=B) == (2 * ROUNDS,)


def test_marks_come_before_the_streams_that_are_asked_for(store: Store) -> None:
    told: list[str] = []
    with store.write() as conn:
        conn.execute(insert(t.sku).values(id=1, code="A", active=True))
        streams.ensure(conn, "promise", "promise", None, 60, NOW)
    event.listen(store.engine, "before_cursor_execute", lambda *given: told.append(given[2]))
    with store.write() as conn:
        dirty_marks.mark_dirty(conn, [1])
        streams.request(conn, "promise", NOW)
    writes = [sql for sql in told if not sql.startswith(("SELECT", "BEGIN"))]
    assert ["dirty_sku" in sql for sql in writes] == [True, False]
