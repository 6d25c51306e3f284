"""Runs one stream once: claim, job, and the end written down, whatever happens."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

import structlog
from sqlalchemy import Connection

from jobs.clock import Clock
from jobs.heartbeat import Heartbeat
from jobs.running import JobRun, Order, as_current
from state import hook_events, runs, streams
from state.errors import LostLease
from state.runs import Result, RunState
from state.streams import Claim
from sync import outcomes
from sync.context import Hub, Run
from sync.outcomes import Verdict

log = structlog.get_logger()

JobFunction = Callable[[Hub, Run], None]

BACKOFF_MAX_S = 600.0
MENDING_S = 900.0
"""How often a connection that needs mending is tried again."""
RETRY_AFTER_MAX_S = 86_400.0
"""No vendor can ask for more than a day: a mistaken header would silence a stream for ever."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. ``verdict``: null when it went well. ``again``: it is due at once."""

    run: JobRun
    verdict: Verdict | None
    again: bool


def no_hint(_: Collection[str]) -> None:
    """Where nobody listens: the daemon's next tick finds what was asked for."""


@dataclass(frozen=True, slots=True)
class Runner:
    """Knows how to run every job. ``lease_s``: real seconds. ``owner``: who we are, in the row.

    ``shows_after``: by stream, how long after a webhook a read may not show yet what it was about.
    """

    hub: Hub
    jobs: Mapping[str, JobFunction]
    clock: Clock
    heartbeat: Heartbeat
    owner: str
    lease_s: float
    stop: Event = field(default_factory=Event)
    hint: Callable[[Collection[str]], None] = no_hint
    dice: random.Random = field(default_factory=random.Random)
    shows_after: Mapping[str, timedelta] = field(default_factory=dict)

    def run_due(self, key: str) -> Ended | None:
        """Run the stream if it is due and free; null when it is not."""
        return self._run(key, None)

    def run_once(self, key: str, order: Order) -> Ended | None:
        """Run the stream now, due or not; null when somebody else runs it."""
        return self._run(key, order)

    def _run(self, key: str, asked: Order | None) -> Ended | None:
        now = self.clock.now()
        lease_s = self.lease_s * self.clock.speed
        with self.hub.store.write() as conn:
            held = streams.claim(
                conn, key, self.owner, now, lease_s, even_if_not_due=asked is not None
            )
            if held is None:
                return None
            order = asked or Order(_trigger(held), self._connection(held))
            run_id = None if order.dry_run else runs.start(conn, held, order.trigger, now)
        run = JobRun(self.hub.store, self.clock, held, order, self.stop, self.hint)
        self.heartbeat.add(held, run)
        try:
            with as_current(run):
                verdict = outcomes.attempt(lambda: self.jobs[held.job](self.hub, run))
        except KeyboardInterrupt:
            interrupted = Verdict("retry", "interrupted by the operator", retry_after=0.0)
            self._end(held, run, run_id, interrupted, now)
            raise
        finally:
            self.heartbeat.discard(held)
        try:
            again = self._end(held, run, run_id, verdict, now)
        except LostLease as lost:
            # Nothing was written after the take-over; who took over writes the end.
            again, verdict = False, outcomes.classify(lost)
        self._report(run, verdict, now)
        return Ended(run, verdict, again)

    def _connection(self, held: Claim) -> str | None:
        if held.connection_id is None:
            return None
        return self.hub.link_by_id(held.connection_id).name

    def _end(
        self,
        held: Claim,
        run: JobRun,
        run_id: int | None,
        verdict: Verdict | None,
        started: datetime,
    ) -> bool:
        now = self.clock.now()
        with self.hub.store.write() as conn:
            if run_id is not None:
                runs.finish(conn, run_id, _result(run, verdict), now)
            if verdict is not None and verdict.kind == "lost":
                return False
            if run.dry_run or (verdict is None and run.cut_short):
                streams.release(conn, held)
                return False
            if verdict is None:
                again_at = self._again_at(conn, held, started)
                return streams.finish(conn, held, now, again_at=again_at)
            retry_at = self._retry_at(held, verdict, now)
            streams.fail(conn, held, verdict.message, retry_at, counts=verdict.asked)
            if verdict.kind == "park_connection" and held.connection_id is not None:
                streams.park_connection(conn, held.connection_id, verdict.message)
            return False

    def _again_at(self, conn: Connection, held: Claim, started: datetime) -> datetime | None:
        """When what the last webhook was about shows, if this run began before; null: it did not.

        Asked of the events and not of the stream's want, which any run in between has used up.
        """
        after = self.shows_after.get(held.key)
        if after is None or held.connection_id is None:
            return None
        came = hook_events.last_nudge(conn, held.connection_id, started - after)
        return None if came is None else came + after

    def _retry_at(self, held: Claim, verdict: Verdict, now: datetime) -> datetime:
        wait = min(BACKOFF_MAX_S, 2.0 ** min(held.failures + 1, 10) * self.dice.uniform(1, 2))
        if verdict.kind == "park_connection":
            wait = MENDING_S
        elif verdict.retry_after is not None:
            wait = min(max(verdict.retry_after, 0.0), RETRY_AFTER_MAX_S)
        if not verdict.asked:
            # Or the stream that always is first would be the only one to find out, and one whose
            # own call is what breaks the vendor would keep all others out.
            wait *= self.dice.uniform(1.0, 1.1)
        return now + timedelta(seconds=wait)

    def _report(self, run: JobRun, verdict: Verdict | None, started: datetime) -> None:
        told = log.bind(
            stream=run.key, trigger=run.trigger, counts=dict(run.counts), calls=dict(run.calls)
        )
        seconds = round((self.clock.now() - started).total_seconds(), 3)
        if verdict is None:
            # What found nothing to do is not news.
            say = told.info if run.calls or any(run.counts.values()) else told.debug
            say("run ended", seconds=seconds)
        elif verdict.kind == "bug":
            told.error(
                "run failed",
                seconds=seconds,
                kind=verdict.kind,
                error=verdict.message,
                exc_info=verdict.error,
            )
        elif not verdict.asked:
            told.info("run put off", seconds=seconds, reason=verdict.message)
        else:
            told.warning("run failed", seconds=seconds, kind=verdict.kind, error=verdict.message)


def _trigger(held: Claim) -> str:
    return "request" if held.want > held.done else "schedule"


def _result(run: JobRun, verdict: Verdict | None) -> Result:
    counts, calls = dict(run.counts), dict(run.calls)
    if verdict is None:
        return Result("ok", counts, calls, run.cursor)
    state: RunState = "lost" if verdict.kind == "lost" else "failed"
    return Result(state, counts, calls, run.cursor, verdict.message)
