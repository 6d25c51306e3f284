"""One breaker per connection, shared by all threads and processes and kept across restarts.

Its row lies beside the rate limits (``state.rate_buckets``) and, like those, may be lost in a power
cut: then the vendor is found to be down once more.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from sqlalchemy import Connection, bindparam, select

from state import tables as t
from state.circuit import JITTER, LONGEST_S, OPENS_AT, Came, Circuit, Entry
from state.store import Store

Answer = TypeVar("Answer")

_PREFIX = "breaker:"
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MOST_TRIES = 20

LONGEST = timedelta(seconds=LONGEST_S * JITTER)
"""A later next try was put down before the clock was set back."""

_LOOK = "SELECT troubles, since_us, tat_us FROM rate_bucket WHERE key = :key"
_SWAP = (
    "INSERT INTO rate_bucket (key, troubles, since_us, tat_us) "
    "VALUES (:key, :troubles, :since_us, :next_us) "
    "ON CONFLICT (key) DO UPDATE SET troubles = :troubles, since_us = :since_us, tat_us = :next_us "
    "WHERE rate_bucket.troubles = :was_troubles AND rate_bucket.tat_us = :was_next_us "
    "RETURNING troubles"
)


_b = t.rate_bucket.c
_DOWN = select(_b.key, _b.since_us, _b.tat_us).where(
    _b.key.startswith(_PREFIX, autoescape=True), _b.troubles >= bindparam("opens_at")
)


class _Clock(Protocol):
    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Down:
    """A connection whose vendor is down: since when, and when it is asked again."""

    since: datetime
    next_try: datetime

    def keeps_out(self, now: datetime) -> bool:
        """Is nobody to ask yet?"""
        return timedelta(0) < self.next_try - now <= LONGEST


@dataclass(frozen=True, slots=True)
class Breakers:
    """What ``connectors.http`` asks before every call.

    Writes its own small transactions: never call it while one is open on the same thread.
    """

    store: Store
    clock: _Clock
    dice: random.Random = field(default_factory=random.Random)

    def enter(self, connection: str) -> Entry:
        """May a call be made? Of any number of callers one gets the probe."""
        return self._change(connection, lambda was: was.enter(self._now_us(), self._jitter(was)))

    def leave(self, connection: str, came: Came, *, probe: bool, asked_s: float = 0.0) -> None:
        """A call that was let in is over. ``asked_s``: how long the vendor asked to be left."""

        def after(was: Circuit) -> tuple[Circuit, None]:
            now_us, jitter = self._now_us(), self._jitter(was)
            return was.leave(now_us, came, probe=probe, jitter=jitter, asked_s=asked_s), None

        self._change(connection, after)

    def is_open(self, connection: str) -> bool:
        return self._look(connection).is_open

    def _jitter(self, was: Circuit) -> float:
        # Closed and well, which is nearly always, draws nothing.
        return self.dice.uniform(1.0, JITTER) if was.troubles else 1.0

    def _change(self, connection: str, step: Callable[[Circuit], tuple[Circuit, Answer]]) -> Answer:
        """Take one step of the state machine as if nobody else could come between."""
        for _ in range(_MOST_TRIES):
            was = self._look(connection)
            now, answer = step(was)
            if now == was or self._swap(connection, was, now):
                return answer
        # Somebody else always was faster: they know as much about the vendor as this call does.
        return answer

    def _look(self, connection: str) -> Circuit:
        row = self.store.at_once(_LOOK, {"key": _PREFIX + connection})
        return Circuit(*row) if row else Circuit()

    def _swap(self, connection: str, was: Circuit, now: Circuit) -> bool:
        values = {"key": _PREFIX + connection, "troubles": now.troubles, "since_us": now.since_us}
        values |= {"next_us": now.next_us}
        values |= {"was_troubles": was.troubles, "was_next_us": was.next_us}
        return self.store.at_once(_SWAP, values) is not None

    def _now_us(self) -> int:
        """Whole microseconds since 1970 UTC, exact (a float of seconds would not be)."""
        return (self.clock.now() - _EPOCH) // timedelta(microseconds=1)


def down(conn: Connection) -> dict[str, Down]:
    """The connections whose vendor is down, by name."""
    rows = conn.execute(_DOWN, {"opens_at": OPENS_AT})
    return {
        row.key.removeprefix(_PREFIX): Down(_moment(row.since_us), _moment(row.tat_us))
        for row in rows
    }


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
