"""Putting a backup in the place of a store: beside the old one, which is kept.

Until the last step nothing of the old store is touched: a restore that is cut short leaves it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from state import migrate
from state import tables as t
from state.backup.layout import Header, Summary
from state.backup.load import Told, fill
from state.errors import StoreProblem
from state.store import Store, take_your_time

MakeSafe = Callable[[Connection, Header, int], None]
"""Called in the transaction that fills the store, with the highest fence of the old one."""

_BESIDE = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Found:
    """The store that is in the place now. ``rows``: null where it cannot be read.

    ``busy``: who works on it, in words; empty: nobody.
    """

    rows: int | None
    fence: int
    busy: str


def look(store: Store, now: datetime) -> Found:
    """What is there, without changing it. A store that cannot be opened counts as full."""
    if store.is_sqlite and not Path(str(store.url.database)).exists():
        return Found(0, 0, "")
    try:
        with store.read() as conn:
            if not inspect(conn).has_table("stream"):
                return Found(0, 0, "")
            known = set(inspect(conn).get_table_names())
            rows = sum(
                conn.scalar(select(func.count()).select_from(table)) or 0
                for table in t.metadata.sorted_tables
                if table.name in known
            )
            fence = conn.scalar(select(func.max(t.stream.c.fence))) or 0
            return Found(rows, fence, _busy(conn, now))
    except DBAPIError:
        return Found(None, 0, "")


def _busy(conn: Connection, now: datetime) -> str:
    leased = select(t.stream.c.owner).where(t.stream.c.lease_until > now, t.stream.c.owner != "")
    owners = sorted(set(conn.scalars(leased)))
    if owners:
        return f"{owners[0]} runs a job on it"
    if conn.dialect.name != "postgresql":
        return ""
    others = conn.scalar(
        text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    )
    return f"{others} other sessions are connected to the database" if others else ""


def put(
    store: Store, path: Path, summary: Summary, now: datetime, safe: MakeSafe, told: Told
) -> str | None:
    """Fill the store's place from the backup; answers where the old one is kept, null: there was
    none. The caller has made sure that nobody works on it.
    """
    old = look(store, now)
    if store.is_sqlite:
        return _put_file(store, path, summary.header, old, now, safe, told)
    return _put_schema(store, path, summary.header, old, now, safe, told)


def _fill(
    conn: Connection, path: Path, header: Header, fence: int, safe: MakeSafe, told: Told
) -> None:
    # Not at the top: Alembic takes a third of a second to import.
    from state import migration_steps

    take_your_time(conn)
    migration_steps.apply(conn, header.revision)
    fill(conn, path, told)
    if header.revision != migrate.newest():
        migration_steps.apply(conn)
    safe(conn, header, fence)


def _put_file(
    store: Store,
    path: Path,
    header: Header,
    old: Found,
    now: datetime,
    safe: MakeSafe,
    told: Told,
) -> str | None:
    place = Path(str(store.url.database))
    fresh = place.with_name(f"{place.name}.restoring")
    for end in _BESIDE:
        fresh.with_name(fresh.name + end).unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    made = Store(f"sqlite:///{fresh}")
    made.vault.vault = store.vault.vault
    try:
        with made.write() as conn:
            _fill(conn, path, header, old.fence, safe, told)
        _prove(made)
    finally:
        made.close()
    store.close()
    kept = _move_aside(place, now) if place.exists() else None
    fresh.rename(place)
    folder = os.open(place.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return str(kept) if kept else None


def _prove(store: Store) -> None:
    with store.read() as conn:
        wrong = [*conn.execute(text("PRAGMA foreign_key_check"))]
        said = conn.scalar(text("PRAGMA quick_check"))
    if wrong or said != "ok":
        raise StoreProblem("What was restored does not hold together: take another backup.")


def _move_aside(place: Path, now: datetime) -> Path:
    """With its write-ahead log, which may hold what the file does not have yet."""
    kept = place.with_name(f"{place.name}.before-{now:%Y%m%dT%H%M%SZ}")
    if kept.exists():
        raise StoreProblem(f"{kept} is there already: move it away, then restore again.")
    for end in reversed(_BESIDE):
        part = place.with_name(place.name + end)
        if part.exists():
            part.rename(kept.with_name(kept.name + end))
    return kept


def _put_schema(
    store: Store,
    path: Path,
    header: Header,
    old: Found,
    now: datetime,
    safe: MakeSafe,
    told: Told,
) -> str | None:
    """In one transaction: whoever looks sees the old tables or the new ones."""
    aside = f"before_{now:%Y%m%dt%H%M%Sz}"
    with store.write() as conn:
        migrate.one_at_a_time(conn)
        mine = {*t.metadata.tables, "alembic_version"}
        there = sorted(mine & set(inspect(conn).get_table_names()))
        if there:
            conn.exec_driver_sql(f'CREATE SCHEMA "{aside}"')
            for name in there:
                conn.exec_driver_sql(f'ALTER TABLE "{name}" SET SCHEMA "{aside}"')
        _fill(conn, path, header, old.fence, safe, told)
        if there and old.rows == 0:
            conn.exec_driver_sql(f'DROP SCHEMA "{aside}" CASCADE')
    return f"schema {aside}" if there and old.rows else None
