"""The embedded engine: one tick that finds what is due, a pool of threads that runs it.

The engine only delivers hints. Which run may start, and which may write, is decided by the row of
the stream (``state.streams``), so a hint that comes twice, late or never does no harm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Container
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor as TickExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from jobs.runner import Runner
from state import streams
from state.store import is_damaged
from sync import outcomes
from sync.outcomes import Verdict

log = structlog.get_logger()

STEP = timedelta(minutes=1)
"""By so much a clock that is kept right is never set back at once."""


class Engine:
    """Runs due streams until it is drained.

    ``known``: the keys of this installation; another process's newer settings may have more.
    ``tick_s``: real seconds between looks at the store. What is asked for in this process starts
    at once; the tick is for intervals, retries and other processes. ``on_damage`` is called once
    when the store turns out to be broken; nothing new is started then.
    """

    def __init__(
        self,
        runner: Runner,
        known: Container[str],
        *,
        threads: int,
        tick_s: float,
        on_damage: Callable[[], None] = lambda: None,
    ) -> None:
        self.damaged = False
        self._on_damage = on_damage
        self._known = known
        self._runner = replace(runner, hint=self.dispatch)
        self._store = runner.hub.store
        self._stop = runner.stop
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="run")
        self._looked_at = runner.clock.now()
        self._waiting: set[str] = set()
        # By thread: a hint for a running stream has a second thread look at the same key.
        self._active: dict[int, str] = {}
        self._change = threading.Condition()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": TickExecutor(1)},
            # None: a tick that is late because the machine was busy is still wanted.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._scheduler.add_job(self.tick, "interval", seconds=tick_s, id="tick")

    def start(self) -> None:
        self._runner.heartbeat.start()
        self.tick()
        self._scheduler.start()

    def tick(self) -> None:
        """Hand out everything that is due."""
        verdict = outcomes.attempt(self._look)
        if verdict is not None:
            log.error("cannot read what is due", error=verdict.message)
            self._look_for_damage(verdict)

    def dispatch(self, keys: Collection[str]) -> None:
        """Hint that these streams may be due. A key that already waits is not queued twice."""
        with self._change:
            if self._stop.is_set():
                return
            new = [key for key in keys if key in self._known and key not in self._waiting]
            self._waiting.update(new)
            for key in new:
                self._pool.submit(self._work, key)

    def drain(self, grace_s: float) -> list[str]:
        """Start nothing new, let running jobs come to a safe point, for ``grace_s`` real seconds.

        Answers the streams still running then; their leases are left for the next start to end.
        """
        with self._change:
            self._stop.set()
        self._scheduler.shutdown(wait=True)
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._change:
            self._change.wait_for(lambda: not self._active, timeout=grace_s)
            left = sorted(set(self._active.values()))
        self._runner.heartbeat.stop()
        return left

    def _look(self) -> None:
        now = self._runner.clock.now()
        if now < self._looked_at - STEP:
            log.warning("the clock was set back", by_s=(self._looked_at - now).total_seconds())
            with self._store.write() as conn:
                streams.bring_forward(conn, now)
        self._looked_at = now
        with self._store.read() as conn:
            keys = streams.due(conn, now)
        self.dispatch(keys)

    def _work(self, key: str) -> None:
        with self._change:
            # Before the run, not after: a hint that comes while it runs must not be swallowed.
            self._waiting.discard(key)
            self._active[threading.get_ident()] = key
        again: list[str] = []
        verdict = outcomes.attempt(lambda: again.extend(self._run(key)))
        with self._change:
            del self._active[threading.get_ident()]
            self._change.notify_all()
        if verdict is not None:
            log.error("run not written down", stream=key, error=verdict.message)
            self._look_for_damage(verdict)
        self.dispatch(again)

    def _run(self, key: str) -> list[str]:
        if self._stop.is_set():
            return []
        ended = self._runner.run_due(key)
        if ended is not None and ended.verdict is not None:
            self._look_for_damage(ended.verdict)
        return [key] if ended is not None and ended.again else []

    def _look_for_damage(self, verdict: Verdict) -> None:
        """A broken file gets worse with every write, so the first sign of it ends the work."""
        if verdict.error is None or not is_damaged(verdict.error):
            return
        with self._change:
            known, self.damaged = self.damaged, True
            self._stop.set()
        if not known:
            self._on_damage()
