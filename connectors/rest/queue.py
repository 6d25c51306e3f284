"""Pushes that a vendor of a ``rest`` connection takes for later, and their results.

A submission is read by its handle alone, long after the push and perhaps by another process, while
its results speak of the vendor's names. So a handle of ours is the push, the vendor's handle and
the item's name there: ``stock 7f3a MUG-BLUE``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from connectors.base import Clock, Outcome, Status
from connectors.errors import Rejected, Retryable
from connectors.http import ApiClient, Reply, segment
from connectors.payload_paths import id_text, reader
from connectors.rest.judge import Judge, Results, Verdicts
from connectors.rest.pushes import Push, Queued
from connectors.rest.words import filled

_READ_AGAIN = timedelta(seconds=5)
"""Items of one submission are asked about one by one; within this time one reply does for all."""


class Handle(NamedTuple):
    """``push``: its key in the settings. ``submission``: as the vendor calls it."""

    push: str
    submission: str
    item: str

    @classmethod
    def read(cls, text: str) -> Handle:
        """Raises ``Rejected`` for one that is none of ours."""
        parts = text.split(" ", 2)
        if len(parts) != 3:
            raise Rejected(f"{text!r} is no handle of this connection: was it another one?")
        return cls(parts[0], unquote(parts[1]), parts[2])

    def __str__(self) -> str:
        return f"{self.push} {quote(self.submission, safe='')} {self.item}"


class Queue:
    """What became of the submissions of one push."""

    def __init__(self, name: str, push: Push, queued: Queued, api: ApiClient, clock: Clock) -> None:
        self._name = name
        self._push = push
        self._queued = queued
        self._api = api
        self._clock = clock
        self._handle = reader(queued.handle)
        self._done = reader(queued.done)
        self._failed = reader(queued.failed) if queued.failed else None
        self._results = Results(queued)
        self._verdicts = Verdicts(queued)
        self._last: tuple[str, datetime, Reply | Rejected | Retryable] | None = None

    def accepted(
        self, reply: Reply, sent: Mapping[str, Mapping[str, Any]], judge: Judge
    ) -> list[Outcome]:
        """Every item with its handle; raises where the reply has none."""
        submission = id_text(self._handle(reply.json()))
        if not submission:
            raise reply.unclear("answered JSON without a submission where `queued.handle` points")
        named = {key: judge.name(item) for key, item in sent.items()}
        return [
            Outcome(key, "accepted", handle=str(Handle(self._name, submission, name)))
            for key, name in named.items()
        ]

    def result(self, handle: Handle, keys: Sequence[str]) -> list[Outcome] | None:
        """What became of an item; null while the vendor still works on the submission."""
        reply = self._status(handle.submission)
        body = reply.json()
        if self._failed and self._failed(body):
            again: Status = "retry" if self._push.repeatable else "unknown"
            message = f"They gave submission {handle.submission} up as a whole."
            return [Outcome(key, again, code="failed", message=message) for key in keys]
        if not self._done(body):
            return None
        # An item without a name is nobody's: a result without one must not be taken for its.
        found = self._results.by_name(reply).get(handle.item) if handle.item else None
        if found is not None:
            return [self._verdicts.of(key, found) for key in keys]
        if self._queued.only_refused and handle.item:
            return [Outcome(key, "applied") for key in keys]
        message = "the submission's results do not mention it"
        return [Outcome(key, "unknown", message=message) for key in keys]

    def _status(self, submission: str) -> Reply:
        now = self._clock.now()
        if self._last is None or self._last[0] != submission or now - self._last[1] >= _READ_AGAIN:
            self._last = (submission, now, self._asked(submission))
        answer = self._last[2]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _asked(self, submission: str) -> Reply | Rejected | Retryable:
        """The reply, or the trouble that is every item's of the submission."""
        path = filled(self._queued.path, {"handle": segment(submission)})
        try:
            return self._api.get(str(path), op=f"poll_{self._name}")
        except (Rejected, Retryable) as trouble:
            return trouble
