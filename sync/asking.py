"""Asking what became of intents that were sent: batches taken for later, and lost replies.

A question that gets no answer concerns what it is about, and holds up nothing else: it is asked
again later, each time after twice as long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Row

from connectors.base import PollsSubmissions
from connectors.errors import Ambiguous, Rejected, Retryable, Unreadable, VendorDown
from state import intents
from sync.context import Hub, Link, Run
from sync.pushes import BY_NAME, Find
from sync.settling import BACKOFF_MAX_S, review, settle, unknown

Answer = TypeVar("Answer")

IN_VAIN = timedelta(minutes=1)
"""After so long a wait for answers that did not come the rest is asked in the next run."""

FOUND_WITHIN = timedelta(hours=6)
"""What cannot be looked up for so long is left to a person."""

RECEIPT_WITHIN = timedelta(hours=6)
"""A batch whose result cannot be read for so long has none: longer than vendors work on one."""


def poll(hub: Hub, run: Run, link: Link) -> None:
    """Read the results of batches that the vendor took for later."""
    with hub.store.read() as conn:
        waiting = intents.in_state(conn, link.id, "accepted")
    inquiry = _Inquiry(hub, run, link)
    if not isinstance(link.connector, PollsSubmissions):
        if waiting:
            inquiry.result_lost(waiting, "the connection reads no results of batches any more")
        return
    batches: dict[str, list[Row[Any]]] = {}
    for row in waiting:
        if row.not_before <= hub.clock.now():
            batches.setdefault(row.handle, []).append(row)
    for handle, batch in sorted(batches.items()):
        if inquiry.given_up:
            return
        inquiry.read_result(link.connector, handle, batch)


def resolve(hub: Hub, run: Run, link: Link) -> None:
    """Look up what happened to unknown intents, once the vendor's index must know it."""
    with hub.store.read() as conn:
        rows = intents.in_state(conn, link.id, "unknown")
    inquiry = _Inquiry(hub, run, link)
    for row in rows:
        find = BY_NAME[row.kind].find
        if find is None or row.not_before > hub.clock.now():
            continue
        if inquiry.given_up:
            return
        inquiry.look_up(find, row)


@dataclass(slots=True)
class _Inquiry:
    """The questions of one kind in one run, and the time that they took in vain."""

    hub: Hub
    run: Run
    link: Link
    in_vain: timedelta = timedelta(0)

    @property
    def given_up(self) -> bool:
        return self.in_vain >= IN_VAIN or self.run.stopping

    def read_result(
        self, connector: PollsSubmissions, handle: str, batch: Sequence[Row[Any]]
    ) -> None:
        rows = {row.idempotency_key: row for row in batch}
        try:
            outcomes = self._ask(lambda: connector.poll_submission(handle, list(rows)), batch)
        except VendorDown:
            raise
        except Retryable as trouble:
            if self.hub.clock.now() - batch[0].sent_at >= RECEIPT_WITHIN:
                self.result_lost(batch, f"no result of the batch: {trouble}")
            return
        except Rejected as refusal:
            self.result_lost(batch, f"the batch has no result: {refusal}")
            return
        if outcomes is not None:
            with self.run.commit() as conn:
                for outcome in outcomes:
                    settle(conn, self.hub, self.run, self.link, rows[outcome.key], outcome)

    def look_up(self, find: Find, row: Row[Any]) -> None:
        try:
            found = self._ask(lambda: find(self.link.connector, row.body), [row])
        except VendorDown:
            raise
        except Unreadable as trouble:
            if self.hub.clock.now() - row.sent_at >= FOUND_WITHIN:
                self._leave_to_a_person(row, f"it cannot be looked up: {trouble}")
            return
        except Retryable:
            return
        except Ambiguous as several:
            self._leave_to_a_person(row, str(several))
            return
        except Rejected as refusal:
            # That the question is refused says nothing of the answer.
            now = self.hub.clock.now()
            if now - row.sent_at >= FOUND_WITHIN:
                self._leave_to_a_person(row, f"it cannot be looked up: {refusal}")
                return
            with self.run.commit() as conn:
                intents.postpone(conn, [row], str(refusal), _later(now, row.sent_at, None))
            self.run.count("unanswered")
            return
        with self.run.commit() as conn:
            if found is not None:
                settle(conn, self.hub, self.run, self.link, row, found)
            else:
                why = "proven absent, to be sent again"
                intents.move(conn, row.id, "planned", message=why, doubtful_since=None)
        self.run.count("resolved")

    def _leave_to_a_person(self, row: Row[Any], why: str) -> None:
        with self.run.commit() as conn:
            review(conn, row, why)
        self.run.count("unresolved")

    def _ask(self, question: Callable[[], Answer], about: Sequence[Row[Any]]) -> Answer:
        """The answer. Where the vendor cannot give it now, the question is postponed; where it is
        known to be down, the run ends."""
        began = self.hub.clock.now()
        try:
            return question()
        except VendorDown:
            # Nothing was asked, so nothing is late: neither does its hour come nearer.
            raise
        except Retryable as trouble:
            now = self.hub.clock.now()
            self.in_vain += now - began
            later = _later(now, about[0].sent_at, trouble.retry_after)
            with self.run.commit() as conn:
                intents.postpone(conn, about, str(trouble), later)
            self.run.count("unanswered", len(about))
            raise

    def result_lost(self, batch: Sequence[Row[Any]], why: str) -> None:
        """Nobody will tell what became of these: that is as after any lost reply."""
        with self.run.commit() as conn:
            for row in batch:
                unknown(conn, self.hub, self.link, row, why)
        self.run.count("results_lost", len(batch))


def _later(now: datetime, sent_at: datetime, retry_after: float | None) -> datetime:
    """As the vendor says, or when it will be twice as long after the sending as now."""
    wait = (now - sent_at).total_seconds() if retry_after is None else retry_after
    return now + timedelta(seconds=min(max(wait, 1.0), BACKOFF_MAX_S))
