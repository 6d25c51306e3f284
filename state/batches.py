"""Many at once: rows written by one executemany, long lists cut to what a statement may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Dialect, Table, insert

T = TypeVar("T")

IN_LIST_MAX = 500
"""Stays under the databases' parameter limits."""


def chunked(items: Sequence[T], size: int = IN_LIST_MAX) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_rows(conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the columns of the first one.

    What ``conn.execute(insert(table), rows)`` does, with the values bound column by column: on a
    page of orders SQLAlchemy's own binding, value by value, costs more than the database's work.
    """
    if not rows:
        return
    plan = _plan(conn.dialect, table, tuple(rows[0]))
    columns = [
        [row[name] for row in rows] if bind is None else [bind(row[name]) for row in rows]
        for name, bind in plan.columns.items()
    ]
    bound = zip(*columns, strict=True)
    if plan.positional:
        conn.exec_driver_sql(plan.sql, list(bound))
    else:
        names = list(plan.columns)
        conn.exec_driver_sql(plan.sql, [dict(zip(names, row, strict=True)) for row in bound])


class _Plan(NamedTuple):
    """A compiled INSERT, and its columns in order with what turns a value into the driver's."""

    sql: str
    positional: bool
    columns: Mapping[str, Callable[[Any], Any] | None]


@lru_cache(maxsize=256)
def _plan(dialect: Dialect, table: Table, names: tuple[str, ...]) -> _Plan:
    compiled = insert(table).compile(dialect=dialect, column_keys=list(names))
    types = {name: table.c[name].type.dialect_impl(dialect) for name in names}
    columns = {name: types[name].bind_processor(dialect) for name in compiled.positiontup or names}
    return _Plan(compiled.string, compiled.positional, columns)
