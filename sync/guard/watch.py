"""Watching one run: too much stops it, and it goes on when a person has approved the difference.

Nothing a held run would have written is committed. Its difference is kept; an approval lets just
those changes pass, and whatever comes on top of them is measured anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from connectors.errors import Retryable
from state import history, holds, streams
from sync.context import Hub, Run
from sync.guard.limits import Change, Excess, Measure


class Held(Exception):
    """The run would change too much; unwinds whatever transaction is open."""

    def __init__(self, watch: Watch, excess: Excess) -> None:
        super().__init__(excess.reason)
        self.watch = watch
        self.excess = excess


class Watch:
    """What one run has changed so far, held against what it may.

    ``pending``: changes that a held run of this stream left undone, or had ``committed`` before it
    was held, count from the start. That is for streams that come to the same changes piece by
    piece: each piece alone would be small enough.
    """

    def __init__(
        self, conn: Connection, run: Run, measure: Measure, *, pending: bool = False
    ) -> None:
        self.stream_key = streams.key_of(run.job, run.connection)
        self.measure = measure
        self._open = holds.open_of(conn, self.stream_key)
        kept = _kept(conn, self._open)
        approved = self._open is not None and self._open.state == "approved"
        self._approved = kept if approved else {}
        going_on = self._open if pending and not approved else None
        self._pending = dict(kept) if going_on is not None else {}
        self._seen: dict[str, Change] = {}
        self.committed: int = going_on.measured.get("committed", 0) if going_on is not None else 0
        """How many changes are committed that no approval covers; a measure that weighs it says so
        in what it measured."""

    @property
    def changes(self) -> Sequence[Change]:
        """What is still to come."""
        return list((self._pending | self._seen).values())

    def look(self, changes: Iterable[Change], unchanged: Iterable[str] = ()) -> None:
        """Add what the run is about to change. Raises ``Held`` when all of it is too much.

        ``unchanged``: subjects now known to stay as they are.
        """
        for subject in unchanged:
            self._pending.pop(subject, None)
        new = [c for c in changes if not _covered(c, self._seen)]
        if not new:
            return
        self._seen.update((change.subject, change) for change in new)
        fresh = [c for c in self.changes if not _covered(c, self._approved)]
        excess = self.measure(fresh)
        if excess is not None:
            raise Held(self, excess)

    def commit(self) -> None:
        """What was looked at so far is written: nobody can hold or approve it any more."""
        fresh = [c for c in self._seen.values() if not _covered(c, self._approved)]
        self.committed += len(fresh)
        for subject in self._seen:
            self._pending.pop(subject, None)
        self._seen.clear()

    def passed(self, conn: Connection, now: datetime) -> None:
        """The run came to its end: what was held or approved before is settled."""
        if self._open is not None:
            state = "done" if self._open.state == "approved" else "passed"
            holds.settle(conn, self._open.id, state, now)

    @property
    def settles(self) -> bool:
        """Is there a hold for ``passed`` to settle?"""
        return self._open is not None

    def record(self, conn: Connection, excess: Excess, now: datetime) -> int:
        """Keep the difference; returns its number.

        The same difference again keeps the number that people were shown.
        """
        known = holds.open_of(conn, self.stream_key)
        if known is not None:
            kept = _kept(conn, known)
            worse = [change for change in self.changes if not _covered(change, kept)]
            as_far = known.measured.get("committed", 0) == self.committed
            if known.state == "held" and as_far and self.measure(worse) is None:
                return int(known.id)
            holds.settle(conn, known.id, "replaced", now)
        rows = [asdict(change) for change in self.changes]
        for row in rows:
            del row["scope"]
        return holds.add(
            conn,
            stream_key=self.stream_key,
            reason=excess.reason,
            measured=excess.measured,
            changes=rows,
            now=now,
        )


def _kept(conn: Connection, hold: Row[Any] | None) -> dict[str, Change]:
    if hold is None:
        return {}
    return {
        row.subject: Change(row.subject, row.label, row.before, row.after)
        for row in holds.changes(conn, hold.id)
    }


def _covered(change: Change, by: dict[str, Change]) -> bool:
    other = by.get(change.subject)
    return other is not None and change.within(other)


@contextmanager
def holding(hub: Hub, run: Run) -> Iterator[None]:
    """Around a run's transactions: when one of them is held, keep its difference and end the run.

    The run fails, so that nobody takes it for done: it is tried again, and held again, until the
    difference is gone or approved. A dry run keeps nothing, so there is nothing to approve.
    """
    try:
        yield
    except Held as held:
        run.count("held")
        if run.dry_run:
            raise Retryable(
                f"the guard would hold it: {held.excess.reason}; without --dry-run the difference "
                f"is kept for `crossdock guard list`, and nothing of it is written either"
            ) from None
        with run.commit() as conn:
            number = held.watch.record(conn, held.excess, hub.clock.now())
        raise Retryable(
            f"held by the guard: {held.excess.reason}; `crossdock guard show {number}` shows the "
            f"difference, `crossdock guard list` how to let it pass"
        ) from None


def approve(conn: Connection, number: int, actor: str, now: datetime, reason: str = "") -> bool:
    """Let just the changes of a held run pass; false when it is not held (any more)."""
    if not holds.approve(conn, number, actor, now):
        return False
    history.audit(
        conn,
        actor=actor,
        action="approve_held_run",
        subject=("guard_hold", number),
        after={"state": "approved"},
        reason=reason,
        now=now,
    )
    return True
