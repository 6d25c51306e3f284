"""G6: the disk refuses, at the k-th page that is written, for every k; later it has room again.

Real refusals by the kernel and by SQLite, without being root: RLIMIT_FSIZE lets no file grow past
a length, so the write that would fails with an error of the device (``EIO``-like, whole
transaction lost); ``max_page_count`` lets the database itself not grow ("database or disk is
full"). The same process has to go on when the limit is lifted.
"""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable
from itertools import count
from typing import Any, Literal

from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from proof.crash import daemon
from proof.crash.hooks import hook
from proof.crash.shared import Shared

Refusal = Literal["write", "full", "reply"]

PAGE = 4096
FRAME = PAGE + 24
"""Bytes of one page in the WAL."""
WAL_HEADER = 32
_NO_LIMIT = 1_073_741_823
"""SQLite's own."""


def refusing(kind: Refusal, at: int, shared: Shared, pages: int) -> Callable[[], object]:
    """What to do first in a new process, so that the disk refuses from page ``at`` on.

    ``write``: no file takes more than ``at`` frames of a WAL. ``full``: the database, which has
    ``pages``, may grow by ``at``. ``reply``: no disk, but the same doubt: the commit ``at`` is done
    and its caller told that the connection broke, as by a server that restarts just then.
    """

    def prepare() -> None:
        event.listen(Engine, "handle_error", lambda _: shared.refuse_one())
        if kind == "write":
            _limit_files(WAL_HEADER + at * FRAME)
        elif kind == "full":
            _limit_pages(pages + at)
        else:
            _lose_reply(at)

    return prepare


def _limit_files(size: int) -> None:
    # Of the log, too, lines get lost then, as on a disk that is full.
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    daemon.relieve_with(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard)))


def _limit_pages(number: int) -> None:
    allowed = [number]

    @event.listens_for(Engine, "begin")
    def _limit(connection: Any) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {allowed[0]}")

    daemon.relieve_with(lambda: allowed.__setitem__(0, _NO_LIMIT))


def _lose_reply(at: int) -> None:
    done = count(1)

    def do_commit(dialect: Any, connection: Any) -> None:
        commit(dialect, connection)
        if next(done) == at:
            raise sqlite3.OperationalError("the connection broke during COMMIT")

    commit = hook(DefaultDialect, "do_commit", do_commit)
