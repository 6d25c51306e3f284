"""Ids of new rows: taken before a bulk insert, or read back after a single one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import count
from typing import Any

from sqlalchemy import Connection, Select, Table, func, insert, select, text

from state.batches import insert_of


def take_ids(conn: Connection, table: Table, n: int) -> list[int]:
    """``n`` unused ids of ``table``.

    Bulk inserts cannot return generated keys cheaply, and children need their parent's. On
    SQLite the writing transaction is the only writer, so counting up from the maximum is safe;
    on PostgreSQL the table's own sequence hands them out.
    """
    if n == 0:
        return []
    if conn.dialect.name == "sqlite":
        top = conn.scalar(_highest(table)) or 0
        return list(range(top + 1, top + n + 1))
    rows = conn.execute(
        text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :n)"),
        {"name": table.name, "n": n},
    )
    return [row[0] for row in rows]


@cache
def _highest(table: Table) -> Select[Any]:
    return select(func.max(table.c.id))


class FreshIds:
    """Ids of rows that are still on their way in, by table."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._next: dict[Table, Callable[[], int]] = {}

    def next(self, table: Table) -> int:
        known = self._next.get(table)
        if known is None:
            known = self._next[table] = self._numbers(table).__next__
        return known()

    def _numbers(self, table: Table) -> Iterator[int]:
        if self._conn.dialect.name == "sqlite":
            return count(*take_ids(self._conn, table, 1))
        return self._blocks(table)

    def _blocks(self, table: Table) -> Iterator[int]:
        while True:
            yield from take_ids(self._conn, table, _BLOCK)


_BLOCK = 200
"""Numbers of a sequence that are taken at a time; those left over are not used."""


def insert_one(conn: Connection, table: Table, **values: Any) -> int:
    """Insert one row; returns its id."""
    key = conn.execute(insert(table).values(values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def insert_unless_known(conn: Connection, table: Table, **values: Any) -> int | None:
    """Insert one row; returns its id, or null when a unique constraint knows it already."""
    statement = insert_of(conn.dialect)(table).values(values).on_conflict_do_nothing()
    found = conn.scalar(statement.returning(table.c.id))
    return None if found is None else int(found)
