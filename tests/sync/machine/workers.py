"""Jobs that are interrupted: by the end of their process, or by another worker's job.

A moment is named by the number of the commit of the job: ``before`` it nothing of the transaction
exists yet, and what was read before is getting old; ``within`` it everything is written and
nothing is committed; ``after`` it the job has more to do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection

from state.store import was_given_up
from tests.sync.conftest import JobRun
from tests.sync.machine.outside import Died

Where = Literal["before", "within", "after"]

PATIENCE_S = 0.03
"""How long a transaction stays open for another worker, who may be waiting for it."""


@dataclass(frozen=True)
class Moment:
    where: Where
    commit: int


def nothing() -> None:
    return None


@dataclass
class Worker(JobRun):
    """One run of a job. ``on_commit``: told right after each commit. ``at`` that moment it does
    ``then``: another worker's job, or the end of the process."""

    on_commit: Callable[[], None] = nothing
    at: Moment | None = None
    then: Callable[[], None] = nothing
    commits: int = 0
    _other: list[threading.Thread] = field(default_factory=list)
    _errors: list[BaseException] = field(default_factory=list)

    @contextmanager
    def commit(self) -> Iterator[Connection]:
        self._reach("before")
        with self.store.write() as conn:
            yield conn
            if self._is("within"):
                self._alongside()
        self._meet()
        self.commits += 1
        self.on_commit()
        # The moment behind the commit is counted like the one before it.
        if self.at == Moment("after", self.commits - 1):
            self.then()

    def _is(self, where: Where) -> bool:
        return self.at == Moment(where, self.commits)

    def _reach(self, where: Where) -> None:
        if self._is(where):
            self.then()

    def _alongside(self) -> None:
        """Let another worker try while this transaction is open; it may have to wait for us."""
        if self.then is die:
            die()

        def work() -> None:
            try:
                self.then()
            except BaseException as error:  # noqa: BLE001  handed to the thread that waits
                self._errors.append(error)

        self._other.append(threading.Thread(target=work))
        self._other[0].start()
        self._other[0].join(PATIENCE_S)

    def _meet(self) -> None:
        while self._other:
            self._other.pop().join()
        if self._errors:
            raise self._errors.pop()

    def abandon(self) -> None:
        """The transaction has failed; the other worker is free now."""
        while self._other:
            self._other.pop().join()


def die() -> None:
    raise Died


def attempt(worker: Worker, job: Callable[..., None], hub: Any) -> bool:
    """Run a job to its end, or to that of its process; whether it came to the end.

    What the database gave up for the other worker's sake is run again by the engine, later.
    """
    try:
        job(hub, worker)
    except Died:
        return False
    except Exception as error:
        if not was_given_up(error):
            raise
        return False
    finally:
        worker.abandon()
    return True
