"""Every point at which the daemon can be killed so that it matters, counted in the daemon itself.

Nothing of this is in the product: the hooks go into SQLAlchemy and the way out, and only in a
process that was forked to be killed.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import threading
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.engine.default import DefaultDialect

from connectors.egress import Egress
from jobs import running
from proof.crash.hooks import hook
from proof.crash.shared import Shared

_NO_STORE = bytes(32)


class Points:
    """Counts the points passed, names them, and dies at the one that was aimed at."""

    def __init__(self, shared: Shared, store: Path) -> None:
        self._shared = shared
        self._store = store
        self._lock = threading.Lock()
        self.names: list[str] = []

    def hook(self) -> None:
        """Count from here on, for the rest of this process."""

        def counted_commit(dialect: Any, connection: Any) -> None:
            self._passing("before commit")
            commit(dialect, connection)
            # What the committing connection sees now is acknowledged: it is what must survive.
            self._passing("after commit", connection.cursor())

        def counted_send(transport: Any, request: httpx.Request) -> httpx.Response:
            what = f"send {request.method} {request.url.path}"
            self._passing(f"before {what}")
            response: httpx.Response = send(transport, request)
            self._passing(f"after {what}")
            return response

        commit = hook(DefaultDialect, "do_commit", counted_commit)
        send = hook(Egress, "handle_request", counted_send)

    def _passing(self, what: str, view: sqlite3.Cursor | None = None) -> None:
        run = running._current.get()
        name = f"{what} of {run.key}" if run else what
        with self._lock:
            self.names.append(name)
            if self._shared.pass_one() == self._shared.target:
                self._shared.strike(digest_of(view) if view else digest(self._store), name)
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()


def digest(store: Path) -> bytes:
    """A hash over every row that is committed, read by a connection of its own."""
    if not store.exists():
        return _NO_STORE
    with closing(sqlite3.connect(store, isolation_level=None)) as db:
        db.execute("BEGIN")
        return digest_of(db.cursor())


def digest_of(view: sqlite3.Cursor, without: Collection[str] = ()) -> bytes:
    """The same over what ``view`` sees, ``without`` some tables."""
    told = hashlib.sha256()
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    for (table,) in view.execute(tables).fetchall():
        if table in without:
            continue
        told.update(table.encode())
        for row in view.execute(f'SELECT * FROM "{table}" ORDER BY rowid'):  # noqa: S608
            told.update(repr(row).encode())
    return told.digest()
