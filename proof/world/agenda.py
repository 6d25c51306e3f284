"""Which streams may run, and when others will: asked of the store only where it may answer anew.

With several workers the director looks at every commit and every send of each of them, and few of
those change a stream.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from state import streams
from state import tables as t
from state.store import Store

_ROWS = select(t.stream.c.due_at, t.stream.c.lease_until)


class Agenda:
    """``forget``: to be called whenever somebody has committed something."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due: list[str] = []
        self._moments: list[datetime] = []
        self._starts: list[datetime] = []
        self._asked: datetime | None = None

    def forget(self) -> None:
        self._asked = None

    def due(self, now: datetime) -> list[str]:
        """As ``streams.due`` answers at ``now``, by the hub's clock."""
        self._look(now)
        return self._due

    def later(self, now: datetime) -> list[datetime]:
        """When streams will be due, or free, that are not yet."""
        self._look(now)
        # What is due already and did not start cannot: its connection is paused, say.
        return [at for at in self._starts if at > now]

    def _look(self, now: datetime) -> None:
        asked = self._asked
        if asked is not None and not self._another(asked, now):
            return
        with self._store.read() as conn:
            self._due = streams.due(conn, now)
            rows = conn.execute(_ROWS).all()
        self._moments = [at for row in rows for at in row if at is not None]
        self._starts = [max(row.due_at, row.lease_until or row.due_at) for row in rows]
        self._asked = now

    def _another(self, asked: datetime, now: datetime) -> bool:
        """Does the same store answer differently now: did something become due, or free, or was
        the clock set back?"""
        return now < asked or any(asked < at <= now for at in self._moments)
