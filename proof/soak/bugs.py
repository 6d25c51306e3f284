"""Bugs planted into a daemon that runs for long: what it holds on to, and what it leaves lying."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from itertools import count
from typing import Any
from unittest import mock

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from jobs.engine import Engine
from jobs.runner import Runner
from proof.flow.goal import drops_some
from state import runs, streams

MB = 1024 * 1024


def _every_run(also: Callable[[], Any]) -> AbstractContextManager[Any]:
    """With every run of a job something is kept for good."""
    run_due, kept = Runner.run_due, list[Any]()

    def greedy(self: Runner, *given: Any, **more: Any) -> Any:
        kept.append(also())
        return run_due(self, *given, **more)

    return mock.patch.object(Runner, "run_due", greedy)


def _waiting() -> threading.Thread:
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    return thread


def _store() -> sqlite3.Connection:
    """A connection of nobody's to the store of this life."""
    path = make_url(os.environ["CROSSDOCK_STORE__URL"]).database
    return sqlite3.connect(str(path), timeout=30, isolation_level=None, check_same_thread=False)


def _more_each_time() -> Callable[[], None]:
    """Something is left in the store, each time more than the time before."""
    times = count(1)

    def leave() -> None:
        with closing(_store()) as db:
            db.execute("CREATE TABLE IF NOT EXISTS left_behind (what BLOB)")
            size = min(next(times) ** 3 // 16_384, MB)
            db.execute("INSERT INTO left_behind VALUES (zeroblob(?))", (size,))

    return leave


def _a_reader_that_stays() -> Callable[[], None]:
    """Whoever begins to read first never ends, so that nothing of the log can be used again; every
    run writes the same quarter of a megabyte anew."""
    readers = list[sqlite3.Connection]()

    def write() -> None:
        with closing(_store()) as db:
            db.execute("CREATE TABLE IF NOT EXISTS left_behind (id INTEGER PRIMARY KEY, what BLOB)")
            db.execute("INSERT OR REPLACE INTO left_behind VALUES (1, randomblob(?))", (MB // 4,))
        if not readers:
            readers.append(_store())
            readers[0].execute("BEGIN")
            readers[0].execute("SELECT count(*) FROM left_behind").fetchone()

    return write


def _says_an_error() -> None:
    structlog.get_logger().error("nothing is wrong")


def _never_lets_go() -> AbstractContextManager[Any]:
    """A run that was cut off before its end could be written holds its stream for good."""
    claim: Any = streams.claim

    def greedy(conn: Any, key: str, owner: str, now: Any, _lease_s: float, **more: Any) -> Any:
        return claim(conn, key, owner, now, 1e9, **more)

    return mock.patch.object(streams, "claim", greedy)


def _gives_up() -> AbstractContextManager[Any]:
    """The first look that the server does not answer ends the process."""
    look = Engine._look

    def impatient(self: Engine) -> None:
        try:
            look(self)
        except OperationalError:
            os._exit(3)

    return mock.patch.object(Engine, "_look", impatient)


BUGS_OF_GROWTH: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {
    "every run keeps memory": lambda: _every_run(lambda: b"x" * MB),
    "every run leaves a file open": lambda: _every_run(lambda: os.open(os.devnull, os.O_RDONLY)),
    "every run leaves a thread": lambda: _every_run(_waiting),
    "old runs are never deleted": lambda: mock.patch.object(runs, "prune", return_value=0),
    "every run leaves more in the store than the last": lambda: _every_run(_more_each_time()),
    "a reader of the store never ends": lambda: _every_run(_a_reader_that_stays()),
    "every run logs an error": lambda: _every_run(_says_an_error),
    "every tenth order is left where it is": drops_some,
}
NOTICED_BY = {
    "every run keeps memory": "memory",
    "every run leaves a file open": "files",
    "every run leaves a thread": "threads",
    "old runs are never deleted": "rows",
    "every run leaves more in the store than the last": "store",
    "a reader of the store never ends": "log of the store",
    "every run logs an error": "logged",
    "every tenth order is left where it is": "",
}
"""The check whose business it is: others may be discontented too in so short a life. Empty: what
the vendors know."""
BUGS_OF_RESTARTS: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {
    "a lost connection ends the daemon": _gives_up,
    "a run that is cut off holds its stream for good": _never_lets_go,
}
BUGS = {"": ExitStack, **BUGS_OF_GROWTH, **BUGS_OF_RESTARTS}
"""By name; the empty one is none."""
