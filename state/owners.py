"""Which process an intent under way belongs to, and whether that process still lives.

A lease in time says only when somebody *may* be dead. Here the operating system says it: on SQLite
a process locks a file of its own, on PostgreSQL it takes an advisory lock in a session of its own,
and both end with the process, however it ends. PostgreSQL's end with a broken connection too, and
that is why an owner that seems dead is still given the time until its ``send_by``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from state.store import Store


class Owners(Protocol):
    """``begin`` is asked before every claim, ``lives`` about whoever left something behind."""

    def begin(self) -> str:
        """Our name, after making sure that our lock is held."""
        ...

    def lives(self, owner: str) -> bool: ...

    def close(self) -> None:
        """Let go of the lock. Closing the store does so too."""
        ...


def of_process(store: Store, name: str) -> Owners:
    """The lock of a process that calls itself ``name``, which must be new with every start."""
    return _Files(store, name) if store.is_sqlite else _Sessions(store, name)


class _Files:
    """A locked file per process, in a folder beside the database."""

    def __init__(self, store: Store, name: str) -> None:
        self._name = name
        self._folder = Path(f"{store.url.database}.owners")
        self._file: int | None = None
        event.listen(store.engine, "engine_disposed", lambda _: self.close())

    def begin(self) -> str:
        if self._file is None:
            self._folder.mkdir(exist_ok=True)
            self._file = os.open(self._path(self._name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        return self._name

    def lives(self, owner: str) -> bool:
        path = self._path(owner)
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            # Names are never used twice, so nobody will lock a new file of this one.
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(file)

    def close(self) -> None:
        if self._file is not None:
            self._path(self._name).unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _path(self, owner: str) -> Path:
        return self._folder / f"{hashlib.sha256(owner.encode()).hexdigest()[:32]}.lock"


class _Sessions:
    """An advisory lock in a session that does nothing else."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._session: Connection | None = None
        event.listen(store.engine, "engine_disposed", lambda _: self.close())

    def begin(self) -> str:
        try:
            if self._session is not None:
                self._session.execute(text("SELECT 1"))
                return self._name
        except DBAPIError:
            # A restarted server has forgotten our lock. Whoever took us for dead meanwhile has
            # let our deadline pass before sending anything again.
            self.close()
        options = {"isolation_level": "AUTOCOMMIT"}
        self._session = self._store.engine.connect().execution_options(**options)
        self._session.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _key(self._name)})
        return self._name

    def lives(self, owner: str) -> bool:
        if not owner:
            return False
        with self._store.read() as conn:
            # Ends with this transaction. Our own session is another one, so it counts as well.
            mine = text("SELECT pg_try_advisory_xact_lock(:key)")
            return not conn.scalar(mine, {"key": _key(owner)})

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(DBAPIError):
                session.invalidate()
            session.close()


def _key(owner: str) -> int:
    """A 64-bit key: two owners sharing one is nothing that happens."""
    return int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8], signed=True)
