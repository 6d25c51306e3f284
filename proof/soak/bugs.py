"""Bugs planted into a daemon that runs for long: what it holds on to, and what it leaves lying."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

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
    "every tenth order is left where it is": drops_some,
}
NOTICED_BY = {
    "every run keeps memory": "memory",
    "every run leaves a file open": "files",
    "every run leaves a thread": "threads",
    "old runs are never deleted": "rows",
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
