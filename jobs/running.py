"""One execution of a job: what the job function holds in its hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Protocol

from sqlalchemy import Connection

from connectors.base import Clock, Cursor
from state import streams
from state.store import Store
from state.streams import Claim


class Call(Protocol):
    """A request that left us; ``connectors.http.Call`` is one."""

    @property
    def op(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked for. ``since``: read from there, whatever the cursor says."""

    trigger: str
    connection: str | None = None
    since: datetime | None = None
    dry_run: bool = False


class JobRun:
    """The ``sync.context.Run`` of the engine; used by one thread."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        held: Claim,
        order: Order,
        stop: Event,
        hint: Callable[[Collection[str]], None],
    ) -> None:
        self.key, self.job = held.key, held.job
        self.connection, self.trigger = order.connection, order.trigger
        self.since, self.dry_run = order.since, order.dry_run
        # A connector reads from ``since`` only where there is no cursor.
        self.cursor: Cursor | None = None if order.since else held.cursor
        self.counts: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.commits = 0
        self.cut_short = False
        """The job was told that the process stops, so what it left undone is still due."""
        self._store, self._clock, self._held = store, clock, held
        self._stop, self._hint = stop, hint
        self._open: Connection | None = None
        self._saving: Cursor | None = None
        self._wanted: set[str] = set()

    @property
    def stopping(self) -> bool:
        """The process drains: stop at the next safe point."""
        self.cut_short = self.cut_short or self._stop.is_set()
        return self.cut_short

    @contextmanager
    def commit(self) -> Iterator[Connection]:
        """A writing transaction under the fence; a dry run rolls it back at the end.

        Raises ``LostLease``, and nothing is written, when another run has taken over.
        """
        if self._open is not None:
            raise RuntimeError(f"{self.key}: a commit inside a commit")
        self._saving, self._wanted = None, set()
        with self._store.write() as conn:
            streams.look(conn, self._held)
            self._open = conn
            try:
                yield conn
                now = self._clock.now()
                streams.seal(conn, self._held, now, cursor=self._saving, wanted=self._wanted)
            finally:
                self._open = None
            if self.dry_run:
                conn.rollback()
        self.commits += 1
        if not self.dry_run:
            self.cursor = self._saving or self.cursor
            self._hint(self._wanted)

    def save_cursor(self, conn: Connection, cursor: Cursor) -> None:
        """Store how far the run has read, together with what this transaction writes."""
        self._require_open(conn)
        self._saving = cursor

    def request(self, conn: Connection, key: str) -> None:
        """Want another stream's run, if this transaction commits; hinted right after."""
        self._require_open(conn)
        self._wanted.add(key)

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] += n

    def count_call(self, call: Call) -> None:
        self.calls[call.op] += 1

    def _require_open(self, conn: Connection) -> None:
        if conn is not self._open:
            raise RuntimeError(f"{self.key}: only with the connection that commit() gave")


_current: ContextVar[JobRun | None] = ContextVar("crossdock_current_run", default=None)


@contextmanager
def as_current(run: JobRun) -> Iterator[None]:
    """Credit every call that this thread makes meanwhile to ``run``."""
    token = _current.set(run)
    try:
        yield
    finally:
        _current.reset(token)


def count_call(call: Call) -> None:
    """Credit a call to the run of this thread; ``Door.on_call``. A check has no run: ignored."""
    run = _current.get()
    if run is not None:
        run.count_call(call)
