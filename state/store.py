"""The store: one engine, and the two ways into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url

BUSY_TIMEOUT_S = 20


class Store:
    """Holds the database. ``write`` for anything that changes, ``read`` for a consistent look.

    On SQLite every writing transaction starts with BEGIN IMMEDIATE: a deferred one that reads
    first loses the race for the lock at once, whatever the busy timeout says. No transaction may
    be open during a network call.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgres_engine(url)

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """``durable=False``: a power cut may undo it; a crash of the process does not.

        For what is worth less than waiting for the disk.
        """
        engine = self.engine if durable or not self.is_sqlite else self._hasty_engine
        with engine.begin() as connection:
            if not durable and not self.is_sqlite:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot for as long as the block lasts, whatever is committed meanwhile."""
        options: dict[str, Any] = {"crossdock_read": True}
        if not self.is_sqlite:
            options["isolation_level"] = "REPEATABLE READ"
        with self.engine.connect().execution_options(**options) as connection:
            yield connection

    def close(self) -> None:
        self.engine.dispose()
        if "_hasty_engine" in self.__dict__:
            self._hasty_engine.dispose()

    @cached_property
    def _hasty_engine(self) -> Engine:
        """SQLite decides by connection how long a commit takes."""
        return _sqlite_engine(self.url, synchronous="NORMAL")


def _sqlite_engine(url: URL | str, *, synchronous: str = "FULL") -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S}, pool_size=32)

    @event.listens_for(engine, "connect")
    def _prepare(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None  # our BEGIN below, not the driver's
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        # FULL: an acknowledged commit survives a power cut, not only a crash of the process.
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("crossdock_read")
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _postgres_engine(url: str) -> Engine:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        from state.errors import StoreProblem

        raise StoreProblem(
            "PostgreSQL needs its driver: pip install 'crossdock[postgres]'"
        ) from error
    return create_engine(url, pool_size=32, pool_pre_ping=True)
