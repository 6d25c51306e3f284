"""Until when the work in hand may begin a call that changes something outside.

A worker that was stopped (a laptop asleep, SIGSTOP, a virtual machine that was moved) wakes up in
the middle of whatever it did, when somebody else may long have taken its work over. So the moment
is compared at the last place before the bytes leave: after waiting for limits, tokens and the
connection. What remains is the time between that look and the write of the socket.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from connectors.base import Clock
from connectors.errors import Retryable


class TooLate(Retryable):
    """The right to send has run out. Nothing was sent, and trying again at once is in vain."""


_deadline: ContextVar[tuple[Clock, datetime] | None] = ContextVar("send_deadline", default=None)


@contextmanager
def send_before(clock: Clock, moment: datetime) -> Iterator[None]:
    """No call of this thread that changes something begins after ``moment``."""
    token = _deadline.set((clock, moment))
    try:
        yield
    finally:
        _deadline.reset(token)


def require_time() -> None:
    """Raise ``TooLate`` when the moment has passed; without one there is always time."""
    given = _deadline.get()
    if given is None:
        return
    clock, moment = given
    late = (clock.now() - moment).total_seconds()
    if late > 0:
        raise TooLate(f"not sent: the right to send had run out {late:.0f} s before")
