"""Keeps the leases of running jobs alive while they wait for a vendor."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from jobs.clock import Clock
from jobs.running import JobRun
from state import streams
from state.store import Store
from state.streams import Claim
from sync import outcomes

log = structlog.get_logger()

BEATS_PER_LEASE = 3
SILENT_LEASES = 15
"""A run that commits nothing for so many leases hangs: it is left to lose its stream."""


class Heartbeat:
    """One thread per process. ``lease_s`` is in real seconds."""

    def __init__(self, store: Store, clock: Clock, lease_s: float) -> None:
        self._store = store
        self._clock = clock
        self._pause_s = lease_s / BEATS_PER_LEASE
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def add(self, claim: Claim, run: JobRun) -> None:
        with self._lock:
            self._held[claim.key] = _Held(claim, run)

    def discard(self, claim: Claim) -> None:
        with self._lock:
            held = self._held.get(claim.key)
            # A stream that was lost and won again has a newer entry, which stays.
            if held is not None and held.claim.fence == claim.fence:
                del self._held[claim.key]

    def beat(self) -> None:
        """Renew every lease once."""
        with self._lock:
            everyone = list(self._held.values())
        for held in everyone:
            if held.hangs():
                log.error("run hangs", stream=held.claim.key, calls=dict(held.run.calls))
                self.discard(held.claim)
            elif (verdict := outcomes.attempt(self._renewal(held.claim))) is not None:
                # A run that ended meanwhile has nothing to renew: that is no news.
                say = log.warning if self._holds(held) else log.debug
                say("lease not renewed", stream=held.claim.key, error=verdict.message)

    def _holds(self, held: _Held) -> bool:
        with self._lock:
            return self._held.get(held.claim.key) is held

    def _renewal(self, claim: Claim) -> Callable[[], None]:
        def renew() -> None:
            with self._store.write() as conn:
                streams.extend(conn, claim, self._clock.now())

        return renew

    def _loop(self) -> None:
        while not self._stop.wait(self._pause_s):
            self.beat()


class _Held:
    """A claim, and for how many beats its run has been silent."""

    def __init__(self, claim: Claim, run: JobRun) -> None:
        self.claim = claim
        self.run = run
        self._commits = -1
        self._silent = 0

    def hangs(self) -> bool:
        self._silent = self._silent + 1 if self.run.commits == self._commits else 0
        self._commits = self.run.commits
        return self._silent > SILENT_LEASES * BEATS_PER_LEASE
