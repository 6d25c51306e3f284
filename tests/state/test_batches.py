"""Many rows at once, and lists as one value."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Delete, Select, delete, insert, select
from sqlalchemy.dialects.sqlite import dialect

from state import tables as t
from state.batches import among, insert_rows
from state.store import Store
from state.types import Utc

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


def sku(number: int) -> dict[str, Any]:
    return {"code": f"SKU-{number}", "title": "x", "gtin": "", "weight_g": number, "active": True}


@pytest.mark.parametrize("known", [0, 1, 40_000])
def test_any_number_of_values_goes_into_one_statement(store: Store, known: int) -> None:
    with store.write() as conn:
        insert_rows(conn, t.sku, [sku(number) for number in range(20)])
        words = [f"SKU-{number}" for number in range(known)]
        found = conn.scalars(select(t.sku.c.code).where(among(t.sku.c.code, words))).all()
        assert sorted(found) == sorted(words[:20])
        ids = conn.scalars(select(t.sku.c.id)).all()
        by_id = select(t.sku.c.id).where(among(t.sku.c.id, "ids"))
        for some in (ids, ids[:3], []):
            assert sorted(conn.scalars(by_id, {"ids": some})) == sorted(some)


def test_rows_are_stored_as_sqlalchemy_stores_them(store: Store) -> None:
    opening = {
        "sku_id": 1,
        "location_id": 1,
        "bucket": "on_hand",
        "delta": Decimal("1.5"),
        "reason": "adjust_count",
        "ref_type": "count",
        "ref_id": None,
        "occurred_at": NOW,
        "recorded_at": NOW,
        "actor": "test",
    }
    with store.write() as conn:
        insert_rows(conn, t.sku, [sku(1)])
        place = {"code": "A", "kind": "warehouse", "authority": "hub", "active": True}
        conn.execute(insert(t.location).values(place))
        conn.execute(insert(t.inventory_ledger).values({**opening, "idempotency_key": "a"}))
        insert_rows(conn, t.inventory_ledger, [{**opening, "idempotency_key": "b"}])
        one, other = conn.execute(select(t.inventory_ledger))
    left_out = {"id", "idempotency_key"}
    plain = [
        {name: value for name, value in row._mapping.items() if name not in left_out}
        for row in (one, other)
    ]
    assert plain[0] == plain[1]
    assert (plain[0]["delta"], plain[0]["occurred_at"]) == (Decimal("1.5"), NOW)


def test_what_is_known_is_left_out_and_not_counted(store: Store) -> None:
    with store.write() as conn:
        assert insert_rows(conn, t.sku, [sku(1), sku(2)]) == 2
        assert insert_rows(conn, t.sku, [sku(2), sku(3)], unless_known=True) == 1
        assert insert_rows(conn, t.sku, []) == 0


@pytest.mark.parametrize("value", [Decimal("0.0000001"), Decimal("1.23456789")])
def test_a_quantity_finer_than_millionths_is_refused(store: Store, value: Decimal) -> None:
    with store.write() as conn, pytest.raises(ValueError, match="more than six decimals"):
        insert_rows(conn, t.inventory_level, [{"sku_id": 1, "location_id": 1, "on_hand": value}])


def test_a_time_without_zone_is_refused(store: Store) -> None:
    with store.write() as conn, pytest.raises(ValueError, match="naive datetime"):
        insert_rows(conn, t.stream, [{"key": "x", "due_at": NOW.replace(tzinfo=None)}])


# Hypothesis takes its bounds without a zone.
@given(
    st.datetimes(
        datetime(1000, 1, 2),  # noqa: DTZ001
        datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.timezones(),
    )
)
def test_times_are_written_so_that_text_sorts_as_time_does(moment: datetime) -> None:
    write = Utc().bind_processor(dialect())
    # Adding in a zone would forget which of a repeated hour's two moments it is.
    later = moment.astimezone(UTC) + timedelta(microseconds=1)
    assert write(moment) == f"{moment.astimezone(UTC):%FT%T.%f}Z"
    assert write(moment) < write(later)


# ---- no table is read from end to end ----------------------------------------------------------


def plan_of(conn: Connection, statement: Select[Any] | Delete) -> list[str]:
    text = str(statement.compile(conn, compile_kwargs={"literal_binds": False}))
    values = statement.compile(conn).construct_params()
    given = tuple("[1]" if isinstance(value, list) else value for value in values.values())
    return [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)]


@pytest.fixture
def sqlite(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    """PostgreSQL plans by what a table holds, and these are empty."""
    copied = shutil.copyfile(sqlite_template, tmp_path / "store.db")
    store = Store(f"sqlite:///{copied}")
    yield store
    store.close()


@pytest.mark.parametrize(
    "column", [t.order_line.c.order_id, t.inbox.c.id, t.sku.c.code, t.payment.c.order_id], ids=str
)
def test_a_list_is_looked_up_in_the_index(sqlite: Store, column: Any) -> None:
    query = select(column.table).where(among(column, [1])).order_by(column.table.c.id)
    with sqlite.read() as conn:
        steps = plan_of(conn, query)
    assert any(step.startswith(f"SEARCH {column.table.name} USING") for step in steps)
    assert not [step for step in steps if step.startswith(f"SCAN {column.table.name}")]


@pytest.mark.parametrize(
    "table", [t.order_line, t.order_adjustment, t.refund, t.payment, t.tax_line], ids=str
)
def test_deleting_an_orders_part_reads_no_other_table_through(sqlite: Store, table: Any) -> None:
    # A foreign key without an index made it cost 5 ms at 20,000 orders, and more with each.
    with sqlite.read() as conn:
        steps = plan_of(conn, delete(table).where(table.c.id == 1))
    assert steps
    assert not [step for step in steps if step.startswith("SCAN")]
