"""64 workers that want the same scarce goods: none is sold twice and none lost, on both stores."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import OperationalError

from benchmarks import reservations
from proof.oversell import race
from proof.oversell.race import Order
from state import tables as t
from state.errors import OutOfStock
from state.store import ATTEMPTS, Store, was_given_up

WORKERS = 64


def raced(store: Store, attempts: int) -> dict[str, int]:
    units = attempts // race.SKUS
    reservations.prepare(store, units)
    found = race.run(store, WORKERS, race.orders(attempts, reservations.SEED))
    assert found.won
    assert found.refused
    return reservations.prove(store, found, units)


def test_lessons_rows_4_and_5_a_thousand_reservations_at_once(store: Store) -> None:
    """vendure#3508, medusa#16569: checked and taken at different moments, and the sums drift."""
    assert raced(store, 1000)["reservations"] > 400


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_reservations_at_once(store: Store) -> None:
    assert raced(store, 10_000)["reservations"] > 4000


def test_the_proof_of_the_race_notices_what_it_must(store: Store) -> None:
    reservations.prepare(store, 5, skus=2)
    wanted = [Order(0, ((1, 5),)), Order(1, ((2, 4),)), Order(2, ((1, 1),))]
    found = race.run(store, 2, wanted)
    reservations.prove(store, found, 5)
    found.refused.append(Order(3, ((2, 1),)))
    with pytest.raises(AssertionError, match="refused what was there"):
        reservations.prove(store, found, 5)
    found.refused.pop()
    found.units[2] -= 1
    with pytest.raises(AssertionError, match="units lost"):
        reservations.prove(store, found, 5)
    with store.write() as conn:
        conn.execute(update(t.inventory_level).values(reserved=Decimal(5)))
    with pytest.raises(AssertionError, match="differ"):
        reservations.prove(store, found, 5)


def test_the_benchmark_ends_with_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--database", "sqlite", "--workers", "4", "--reservations", "200"]
    reservations.main(given)
    [result] = json.loads(capsys.readouterr().out.splitlines()[-1])["results"]
    assert (result["attempts"], result["units_won"] + result["units_left"]) == (200, 200)


def test_a_deadlock_is_tried_again_by_itself(store: Store) -> None:
    """Two transactions take two rows in opposite order; SQLite has them wait before they begin."""
    reservations.prepare(store, 5, skus=2)
    level, meet, begun = t.inventory_level, Barrier(2), [0, 0]

    def work(conn: Connection, number: int, skus: tuple[int, int]) -> None:
        begun[number] += 1
        for sku_id in skus:
            mine = level.c.sku_id == sku_id
            conn.execute(update(level).where(mine).values(on_hand=level.c.on_hand + 1))
            if begun[number] == 1 and sku_id == skus[0] and not store.is_sqlite:
                meet.wait(10)

    def both(number: int) -> None:
        skus = (1, 2) if number == 0 else (2, 1)
        store.transact(lambda conn: work(conn, number, skus))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(both, range(2)))
    with store.read() as conn:
        assert list(conn.scalars(select(level.c.on_hand))) == [7, 7]
    assert sum(begun) == (2 if store.is_sqlite else 3)


def test_what_is_wrong_by_itself_is_not_tried_again(store: Store) -> None:
    tries: list[int] = []

    def work(conn: Connection) -> None:
        tries.append(1)
        conn.execute(insert(t.rate_bucket).values(key="k", tat_us=1))
        raise OutOfStock("no more")

    with pytest.raises(OutOfStock):
        store.transact(work)
    with store.read() as conn:
        assert conn.execute(select(t.rate_bucket)).all() == []
    assert len(tries) == 1


class SqlState(Exception):
    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "again"), [("40001", True), ("40P01", True), ("55P03", True), ("08006", False)]
)
def test_only_what_was_given_up_for_others_is_tried_again(sqlstate: str, again: bool) -> None:
    error: Any = OperationalError("SELECT 1", {}, SqlState(sqlstate))
    assert was_given_up(error) is again
    assert was_given_up(ValueError()) is False


def test_a_locked_sqlite_store_is_tried_again_and_then_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not store.is_sqlite:
        pytest.skip("PostgreSQL locks rows")
    monkeypatch.setattr("state.store.BUSY_TIMEOUT_S", 0)
    hasty = Store(store.url.render_as_string())
    tries: list[int] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", tries.append)
    with store.write(), pytest.raises(OperationalError, match="locked"):
        hasty.transact(lambda conn: conn.execute(select(t.sku)))
    hasty.close()
    assert len(tries) == ATTEMPTS - 1
