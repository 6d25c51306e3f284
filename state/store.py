"""The store: one engine, and the two ways into it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from state.audit_chain import sealing
from state.dirty_marks import marking
from state.vault import OPTION, Slot

BUSY_TIMEOUT_S = 20
LOG_KEPT_BYTES = 16 * 1024 * 1024
"""Of SQLite's write-ahead log. When it is so long its pages go into the file: more seldom than by
itself (4 MB), as a page that many transactions change goes there once. What a long reader let grow
beyond goes back to the disk when the log starts anew."""
LOG_KEPT_PAGES = LOG_KEPT_BYTES // 4096
ATTEMPTS = 10
STATEMENT_S = 300
"""After so many seconds PostgreSQL ends a statement: it is none of ours any more, or it is lost. On
SQLite the work of a statement is the process's own, and ends with it."""

_Answer = TypeVar("_Answer")


class Store:
    """Holds the database. ``write`` for anything that changes, ``read`` for a consistent look.

    On SQLite every writing transaction starts with BEGIN IMMEDIATE: a deferred one that reads
    first loses the race for the lock at once, whatever the busy timeout says. No transaction may
    be open during a network call.
    """

    def __init__(self, url: str, patience_s: float | None = None) -> None:
        """``patience_s``: real seconds to wait for a lock, or for the server; null: as jobs do."""
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._patience_s = BUSY_TIMEOUT_S if patience_s is None else patience_s
        self.vault = Slot()
        """Filled by who knows the settings."""
        make = _sqlite_engine if self.is_sqlite else _postgres_engine
        self.engine = make(url, self._patience_s, self.vault)

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """``durable=False``: a power cut may undo it; a crash of the process does not.

        For what is worth less than waiting for the disk.
        """
        engine = self.engine if durable or not self.is_sqlite else self._hasty_engine
        with engine.begin() as connection, sealing(connection), marking(connection):
            if not durable and not self.is_sqlite:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield connection

    def transact(self, work: Callable[[Connection], _Answer]) -> _Answer:
        """Run ``work`` in a writing transaction; again, from the start, when the database gave
        it up for somebody else's sake (a deadlock, a serialisation failure, a lock not had).

        ``work`` has no effect but what it writes. A job needs no such loop: its run fails, and
        the engine runs it again.
        """
        for attempt in Retrying(
            retry=retry_if_exception(was_given_up),
            wait=wait_random_exponential(multiplier=0.01, max=1),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        ):
            with attempt, self.write() as connection:
                return work(connection)
        raise AssertionError("tenacity either returns or raises")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot for as long as the block lasts, whatever is committed meanwhile."""
        with self._reading.connect() as connection:
            yield connection

    def at_once(self, sql: str, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Run one statement as a hasty transaction of its own; returns the first row of it.

        ``sql`` has ``:name`` parameters. For what is done before every call to a vendor: on SQLite
        all that SQLAlchemy does around a transaction takes six times as long as the statement.
        """
        if not self.is_sqlite:
            with self.write(durable=False) as connection:
                return connection.execute(text(sql), values).first()
        raw = self._hasty_engine.raw_connection()
        try:
            # Every row is fetched: the transaction lasts until the statement has ended.
            rows: list[Any] = raw.cursor().execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise DBAPIError.instance(sql, dict(values), error, sqlite3.Error) from error
        finally:
            raw.close()
        return rows[0] if rows else None

    def wipe_traces(self) -> bool:
        """Leave no copy of what was erased in the store's own files: none in freed pages, none in
        the write-ahead log. False: somebody reads an older state, so the log could not be emptied.

        SQLite writes the file anew, and nobody else can write meanwhile. On PostgreSQL the space is
        given free to be overwritten; its own log and its disk pages are the server's.
        """
        if not self.is_sqlite:
            with self.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                connection.exec_driver_sql("SET statement_timeout = 0")
                try:
                    connection.exec_driver_sql("VACUUM")
                finally:
                    connection.exec_driver_sql("RESET statement_timeout")
            return True
        raw = self.engine.raw_connection()
        try:
            cursor = raw.cursor()
            # The new file is put together where such notes are kept: not in memory.
            cursor.execute(_ON_DISK)
            raw.info[_NOTES] = _ON_DISK
            cursor.execute("VACUUM")
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            return False
        finally:
            raw.close()

    def close(self) -> None:
        self.engine.dispose()
        if "_hasty_engine" in self.__dict__:
            self._hasty_engine.dispose()

    @cached_property
    def _reading(self) -> Engine:
        """The same connections, begun as readers."""
        options: dict[str, Any] = {"crossdock_read": True}
        if not self.is_sqlite:
            options["isolation_level"] = "REPEATABLE READ"
        return self.engine.execution_options(**options)

    @cached_property
    def _hasty_engine(self) -> Engine:
        """SQLite decides by connection how long a commit takes."""
        return _sqlite_engine(self.url, self._patience_s, self.vault, synchronous="NORMAL")


_GIVEN_UP = {"40001", "40P01", "55P03"}
"""PostgreSQL's serialization_failure, deadlock_detected and lock_not_available."""


def was_given_up(error: BaseException) -> bool:
    """Whether the same transaction may well succeed when it is begun again."""
    if not isinstance(error, OperationalError):
        return False
    if isinstance(error.orig, sqlite3.OperationalError):
        # The low byte: an extended code (BUSY_SNAPSHOT, say) has its kind of BUSY above it.
        return error.orig.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(error.orig, "sqlstate", None) in _GIVEN_UP


_READ_ONLY = "25006"
"""PostgreSQL's read_only_sql_transaction: the server is a standby now, or is being looked after."""


def why_no_answer(error: BaseException) -> str | None:
    """Why the store could not do what it was asked, in a line, where the same may do later: a lock
    waited for too long, a database that restarts or only reads. Null: it is another kind of error.
    """
    if isinstance(error, NoneFree):
        return "all its connections are in use"
    if isinstance(error, OperationalError) or _is_read_only(error):
        return str(getattr(error, "orig", error)).strip().splitlines()[0]
    return None


def _is_read_only(error: BaseException | None) -> bool:
    return getattr(getattr(error, "orig", None), "sqlstate", None) == _READ_ONLY


_UNIQUE = "23505"
"""PostgreSQL's unique_violation."""


def is_there_already(error: IntegrityError) -> bool:
    """Whether a row was refused because one of the same key is there."""
    cause = error.orig
    code = getattr(cause, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_CONSTRAINT_UNIQUE or getattr(cause, "sqlstate", None) == _UNIQUE


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_damaged(error: BaseException) -> bool:
    """Whether the database file itself is broken: nothing more may be written to it."""
    cause = getattr(error, "orig", None)
    return (
        isinstance(cause, sqlite3.DatabaseError)
        and getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
    )


def _sqlite_engine(
    url: URL | str, patience_s: float, vault: Slot, *, synchronous: str = "FULL"
) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": patience_s},
        pool_size=32,
        # Each connection has a cache of its own: the few that are used most are warm so, and the
        # others do not fill theirs as well.
        pool_use_lifo=True,
        pool_timeout=patience_s,
        execution_options={OPTION: vault},
    )

    @event.listens_for(engine, "do_connect")
    def _make(*_: Any) -> None:
        _keep_to_ourselves(make_url(url).database)

    @event.listens_for(engine, "connect")
    def _prepare(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None  # our BEGIN below, not the driver's
        cursor = dbapi.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        # FULL: an acknowledged commit survives a power cut, not only a crash of the process.
        cursor.execute(f"PRAGMA synchronous = {synchronous}")
        cursor.execute("PRAGMA foreign_keys = ON")
        # KiB. What 500 orders change (2.3 MB) is written once, and not whenever 2 MB are full.
        cursor.execute("PRAGMA cache_size = -4000")
        cursor.execute(f"PRAGMA journal_size_limit = {LOG_KEPT_BYTES}")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {LOG_KEPT_PAGES}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("crossdock_read")
        _keep_notes(connection, _ON_DISK if read_only else _IN_MEMORY)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _keep_notes(connection: Connection, where: str) -> None:
    """Choose where SQLite keeps what it notes down besides.

    An INSERT of many rows keeps every page it changes as it was, to be undone alone: in a file that
    is as much to write as the rows. What a look at the store has to sort may be larger than memory.
    """
    if connection.info.get(_NOTES) != where:
        connection.exec_driver_sql(where)
        connection.info[_NOTES] = where


_NOTES = "crossdock_temp_store"
_ON_DISK, _IN_MEMORY = "PRAGMA temp_store = FILE", "PRAGMA temp_store = MEMORY"


def _keep_to_ourselves(file: str | None) -> None:
    """Make the file, when it is missing, so that only its owner can read it: it holds customers'
    names. The journal beside it takes its mode from it. One that is there stays as ops have it.

    It is not even opened: closing any descriptor of a file lets go of all locks that this process
    has on it, SQLite's too, and another process may then throw the log away that we still write.
    """
    if file and not file.startswith((":memory:", "file:")):
        # A folder that is missing, or closed, is told when the database is opened.
        with suppress(OSError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _postgres_engine(url: str, patience_s: float, vault: Slot) -> Engine:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        from state.errors import StoreProblem

        raise StoreProblem(
            "PostgreSQL needs its driver: pip install 'crossdock[postgres]'"
        ) from error
    patience: dict[str, Any] = {"options": f"-c statement_timeout={STATEMENT_S * 1000}"}
    if patience_s < BUSY_TIMEOUT_S:
        # A job waits for as long as it takes; who is waited for itself says how long.
        longest = round(patience_s * 1000)
        patience = {
            "connect_timeout": max(2, round(patience_s)),
            "options": f"-c lock_timeout={longest} -c statement_timeout={longest}",
        }
    given = make_url(url).query.get("options")
    if given:
        # What ops have written comes last, and so counts.
        patience["options"] += f" {given}"
    engine = create_engine(
        url,
        pool_size=32,
        pool_timeout=patience_s,
        pool_pre_ping=True,
        connect_args=patience,
        execution_options={OPTION: vault},
    )

    @event.listens_for(engine, "handle_error")
    def _leave_a_standby(context: ExceptionContext) -> None:
        # It answers a ping as before: kept, its connections would be asked again for ever, and the
        # server that writes now would not.
        if _is_read_only(context.sqlalchemy_exception):
            context.is_disconnect = True

    return engine


def take_your_time(connection: Connection) -> None:
    """Until the end of the transaction no statement is ended for being slow."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
