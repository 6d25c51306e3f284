"""Whether the vendor of a connection is asked at all: one that is down is asked little.

What counts as trouble on their side is no answer (refused, timed out, broken off before its head)
and 5xx; any other answer shows that the vendor is there, a refusal as well. Files of presigned
addresses lie elsewhere and count for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

from connectors.errors import VendorDown

Came = Literal["answered", "trouble", "nothing"]
"""What a call came to; ``nothing``: it was not made after all, or tells nothing of the vendor."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_anyway: ContextVar[bool] = ContextVar("ask_anyway", default=False)


class Entry(Protocol):
    """May a call be made? ``wait_s`` 0: yes. ``probe``: it finds out for everybody. ``troubled``:
    the last call met trouble. ``since_us``: since when, microseconds since 1970 UTC."""

    @property
    def wait_s(self) -> float: ...
    @property
    def troubled(self) -> bool: ...
    @property
    def probe(self) -> bool: ...
    @property
    def since_us(self) -> int | None: ...


class Breaker(Protocol):
    """Shared by all threads and processes, and kept across restarts (``state.breakers``)."""

    def enter(self, connection: str) -> Entry:
        """May a call be made?"""
        ...

    def leave(self, connection: str, came: Came, *, probe: bool, asked_s: float = 0.0) -> None:
        """A call that was let in is over. ``asked_s``: how long the vendor asked to be left."""
        ...

    def is_open(self, connection: str) -> bool:
        """Is the vendor known to be down?"""
        ...


@dataclass(frozen=True, slots=True)
class _Free:
    wait_s: float = 0.0
    probe: bool = False
    troubled: bool = False
    since_us: int | None = None


class NoBreaker:
    """Lets every call through: for one that nobody else depends on."""

    def enter(self, connection: str) -> Entry:
        del connection
        return _Free()

    def leave(self, connection: str, came: Came, *, probe: bool, asked_s: float = 0.0) -> None:
        """Keeps nothing."""

    def is_open(self, connection: str) -> bool:
        del connection
        return False


@dataclass(slots=True)
class Passage:
    """What a call that was let in came to, as far as is known."""

    came: Came = "nothing"
    asked_s: float = 0.0

    def met(self, status: int, asked_s: float | None = None) -> None:
        """``status``: of an answer that came whole, or 0 where not even the head of one came."""
        trouble = status == 0 or status >= 500
        self.came = "trouble" if trouble else "answered"
        self.asked_s = asked_s or 0.0


@contextmanager
def passing(breaker: Breaker, connection: str) -> Iterator[Passage]:
    """Make one call in the block; raises ``VendorDown`` where none is to be made now."""
    entry = breaker.enter(connection)
    if entry.wait_s > 0 and entry.since_us is not None and not _anyway.get():
        raise VendorDown(connection, _EPOCH + timedelta(microseconds=entry.since_us), entry.wait_s)
    passage = Passage()
    try:
        yield passage
    except Exception:
        _leave(breaker, connection, entry, passage)
        raise
    _leave(breaker, connection, entry, passage)


def _leave(breaker: Breaker, connection: str, entry: Entry, passage: Passage) -> None:
    # Nearly every call is one that went well where all was well: that is not worth a statement.
    if passage.came == "trouble" or entry.troubled:
        breaker.leave(connection, passage.came, probe=entry.probe, asked_s=passage.asked_s)


@contextmanager
def asking_anyway() -> Iterator[None]:
    """A person wants to know now: calls of this thread are made even where the vendor is known to
    be down. An answer counts for everybody."""
    token = _anyway.set(True)
    try:
        yield
    finally:
        _anyway.reset(token)
