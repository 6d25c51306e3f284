"""Which SKUs' promises must be computed anew: marks that a transaction writes as its last rows.

Levels first, then promises, all marks together and in order after them, streams at the very end:
two transactions that touch the same SKUs, or the same bundle from two sides, then never wait for
each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Dialect, Select, select

from state import tables as t
from state.batches import among, insert_of

_PENDING = "crossdock_dirty_skus"

_PART = t.bundle_component.c
_INSIDE = select(_PART.component_sku_id).where(among(_PART.bundle_sku_id, "ids"))
_AROUND = select(_PART.bundle_sku_id).where(among(_PART.component_sku_id, "ids"))
_THESE = select(t.sku.c.id).where(among(t.sku.c.id, "ids"))


@contextmanager
def marking(conn: Connection) -> Iterator[None]:
    """Around a writing transaction: gather its marks, and write them before it commits."""
    # Kept in hand: of a connection that broke it cannot be asked any more, and the question would
    # raise something else than what broke it.
    info = conn.info
    info[_PENDING] = set()
    try:
        yield
        # A dry run has rolled everything back by now.
        if conn.in_transaction():
            write_marks(conn)
    finally:
        info.pop(_PENDING, None)


def mark_dirty(conn: Connection, sku_ids: Iterable[int]) -> None:
    """Have the promise of these SKUs computed anew, of what they hold, and of what holds them.

    Within the transaction nothing is to be seen of it before ``write_marks``.
    """
    conn.info[_PENDING].update(sku_ids)


def write_marks(conn: Connection) -> None:
    """Write the marks gathered so far; whoever locks a stream's row does so before.

    Demand for a bundle is demand for its components, and theirs is their other bundles'.
    """
    ids = conn.info[_PENDING]
    if not ids:
        return
    conn.info[_PENDING] = set()
    for query in (_INSIDE, _AROUND):
        ids.update(conn.scalars(query, {"ids": ids}))
    conn.execute(_marking(conn.dialect, _THESE), {"ids": sorted(ids)})


def mark_dirty_among(conn: Connection, sku_ids: Select[Any] | CompoundSelect[Any]) -> None:
    """Have the promise of the SKUs that a query selects computed anew; written at once."""
    conn.execute(_marking(conn.dialect, sku_ids))


def _marking(dialect: Dialect, sku_ids: Select[Any] | CompoundSelect[Any]) -> Any:
    """An INSERT of the marks of the SKUs that a query selects.

    On PostgreSQL a mark that is there already is written once more: that locks its row, so that
    the promise job cannot take the mark away before what caused this one is committed. SQLite has
    one writer at a time.
    """
    chosen = sku_ids.subquery()
    column = chosen.c[0]
    ordered = select(column).where(column.is_not(None)).distinct().order_by(column)
    statement = insert_of(dialect)(t.dirty_sku).from_select(["sku_id"], ordered)
    if dialect.name == "sqlite":
        return statement.on_conflict_do_nothing()
    kept = {"sku_id": statement.excluded.sku_id}
    return statement.on_conflict_do_update(index_elements=["sku_id"], set_=kept)
