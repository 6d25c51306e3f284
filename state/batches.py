"""Many at once: rows written together, and lists given to a statement as one value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple
from sqlalchemy import Boolean, Column, Connection, Dialect, Table, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from state.tables import metadata


def insert_of(dialect: Dialect) -> Any:
    """The INSERT of a database, which knows what to do on a conflict."""
    return sqlite_insert if dialect.name == "sqlite" else pg_insert


def insert_rows(
    conn: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, unless_known: bool = False
) -> int:
    """Insert rows that all have the columns of the first one; returns how many were new.

    ``unless_known``: a row that would break a unique constraint is left out.

    What ``conn.execute(insert(table), rows)`` does, with the values bound column by column: on a
    page of orders SQLAlchemy's own binding, value by value, costs more than the database's work.
    """
    if not rows:
        return 0
    names = tuple(rows[0])
    # Of one name alone an itemgetter gives the bare value.
    pick = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    plan = _plan(conn.dialect, table, names, unless_known)
    return _insert(conn, plan, list(chain.from_iterable(map(pick, rows))))


class Rows:
    """Rows of many tables on their way in: written together, parents first.

    Kept as one list of values a table: a page of orders held as dicts no longer fits into the
    processor's cache.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._tables: dict[Table, tuple[_Plan, list[Any]]] = {}

    def add(self, table: Table, row: msgspec.Struct, **own: Any) -> None:
        """Take a row: ``own`` and the fields of ``row``, each of them a column.

        All rows of a table are given in the same way.
        """
        known = self._tables.get(table)
        if known is None:
            plan = _plan(self._conn.dialect, table, (*own, *row.__struct_fields__), False)
            known = self._tables[table] = (plan, [])
        values = known[1]
        values.extend(own.values())
        values.extend(astuple(row))

    def write(self) -> None:
        for table in metadata.sorted_tables:
            if table in self._tables:
                _insert(self._conn, *self._tables[table])


def _insert(conn: Connection, plan: _Plan, values: list[Any]) -> int:
    """Write the rows whose values stand one after the other in ``values``."""
    for place, bind in plan.binds:
        values[place :: plan.width] = map(bind, values[place :: plan.width])
    left = len(values) // plan.width % TOGETHER * plan.width
    whole = len(values) - left
    written = 0
    if whole:
        joined = _cut(values[:whole], plan.width * TOGETHER)
        written += conn.exec_driver_sql(plan.together, joined).rowcount
    if left:
        written += conn.exec_driver_sql(plan.single, _cut(values[whole:], plan.width)).rowcount
    return written


def _cut(values: list[Any], size: int) -> list[tuple[Any, ...]]:
    return [tuple(values[start : start + size]) for start in range(0, len(values), size)]


TOGETHER = 50
"""Rows that share a statement where there are as many. For every statement, also of an
executemany, a database opens the table and each of its indexes anew: 50 rows at once take two
thirds of the time. The widest table stays far below the 32,766 parameters of SQLite."""


class _Plan(NamedTuple):
    """A compiled INSERT, and what turns its columns' values into the driver's.

    ``single`` takes one row of ``width`` values, ``together`` those of ``TOGETHER`` rows.
    """

    width: int
    single: str
    together: str
    binds: Sequence[tuple[int, Callable[[Any], Any]]]


@lru_cache(maxsize=256)
def _plan(dialect: Dialect, table: Table, names: tuple[str, ...], unless_known: bool) -> _Plan:
    quoted = dialect.identifier_preparer
    columns = ", ".join(quoted.format_column(table.c[name]) for name in names)
    head = f"INSERT INTO {quoted.format_table(table)} ({columns}) VALUES"
    row = f"({', '.join(['?' if dialect.name == 'sqlite' else '%s'] * len(names))})"
    end = " ON CONFLICT DO NOTHING" if unless_known else ""
    binds = [(place, _bind(table.c[name], dialect)) for place, name in enumerate(names)]
    return _Plan(
        len(names),
        f"{head} {row}{end}",
        f"{head} {', '.join([row] * TOGETHER)}{end}",
        [(place, bind) for place, bind in binds if bind is not None],
    )


def _bind(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    if isinstance(column.type, Boolean):
        return None  # both drivers take a bool as it is
    return column.type.dialect_impl(dialect).bind_processor(dialect)


class Many(TypeDecorator[list[Any]]):
    """Any number of values as one parameter: an array on PostgreSQL, JSON text on SQLite."""

    impl = Text
    cache_ok = True

    def __init__(self, of: TypeEngine[Any]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.of))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return _json_text if dialect.name == "sqlite" else list


def _json_text(values: Any) -> str:
    return msgspec.json.encode(list(values)).decode()


class among(FunctionElement[bool]):  # noqa: N801 - reads as the function it is
    """Whether ``column`` is one of ``values``, or of those given as the parameter of that name.

    Unlike ``IN`` the statement's text is the same for any number of values: one that was put
    together once can be used for ever, and no database's limit of parameters is in the way.
    """

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: Any, values: str | Iterable[Any]) -> None:
        many = Many(column.type)
        given = (
            bindparam(values, type_=many)
            if isinstance(values, str)
            else bindparam(None, list(values), type_=many, unique=True)
        )
        super().__init__(column, given)

    def self_group(self, against: Any = None) -> Any:
        """Itself: SQLAlchemy would write ``(...) = 1`` for SQLite, which then uses no index."""
        return self


@compiles(among, "sqlite")
def _in_json(element: among, compiler: Any, **kw: Any) -> str:
    column, values = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - our own names


@compiles(among, "postgresql")
def _in_array(element: among, compiler: Any, **kw: Any) -> str:
    column, values = (compiler.process(part, **kw) for part in element.clauses)
    return f"{column} = ANY ({values})"
