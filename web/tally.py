"""What knocked and left no event: counted in memory, written down now and then.

Who sends rubbish must not make us write: a row for each would be what they are after.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta

import structlog

from state import hook_events
from state.store import Store
from sync import outcomes
from web.endpoints import Endpoint

log = structlog.get_logger()

WRITE_EVERY = timedelta(minutes=1)


class Tally:
    """Counts by connection and kind. Any thread may note."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._counts: Counter[tuple[int, str, str]] = Counter()
        self._written_at = now

    def note(self, endpoint: Endpoint, kind: str, now: datetime) -> None:
        """Count one more of ``kind``; writes what has come together once in a while."""
        with self._lock:
            self._counts[endpoint.connection_id, endpoint.name, kind] += 1
            if now - self._written_at < WRITE_EVERY:
                return
            self._written_at = now
        self.write(now)

    def write(self, now: datetime) -> None:
        """Write all that was counted; what cannot be written is kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        verdict = outcomes.attempt(lambda: self._add(counts, now))
        if verdict is not None:
            with self._lock:
                self._counts.update(counts)
            log.warning("counts of webhooks not written", error=verdict.message)
            return
        for (_, name, kind), times in counts.items():
            log.info("webhooks that left no event", connection=name, kind=kind, times=times)

    def _add(self, counts: Counter[tuple[int, str, str]], now: datetime) -> None:
        with self._store.write(durable=False) as conn:
            for (connection_id, _, kind), times in sorted(counts.items()):
                hook_events.count(conn, connection_id, kind, times, now)
