"""Cancellations from a channel: a broken export must not cancel everything that waits to ship."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from state import orders
from sync.context import Hub, Link, Run
from sync.guard.limits import Change, Excess, too_many_cancelled
from sync.guard.watch import Watch
from sync.reading import Reading


class CancellationWatch:
    """Counts the orders that a pull cancels, over all its pages and those that were held before.

    An order that comes in cancelled cancels nothing of ours.
    """

    def __init__(self, conn: Connection, hub: Hub, run: Run) -> None:
        limits = hub.policy.guard

        def measure(changes: Sequence[Change]) -> Excess | None:
            return too_many_cancelled(changes, limits, self._watch.committed)

        self._watch = Watch(conn, run, measure, pending=True)

    def look(self, conn: Connection, link: Link, arrivals: Sequence[Reading]) -> None:
        """Look at a page before it is taken in. Raises ``Held``."""
        reported = [arrival.record for arrival in arrivals if arrival.record is not None]
        cancelled = [order for order in reported if order.status == "cancelled"]
        alive = [f"order:{o.channel_order_id}" for o in reported if o.status != "cancelled"]
        if not cancelled:
            self._watch.look((), alive)
            return
        known = orders.existing(conn, link.id, [order.channel_order_id for order in cancelled])
        changes = [
            Change(f"order:{row.channel_order_id}", row.channel_order_name, 1, 0)
            for row in known.values()
            if row.intake_state in ("accepted", "parked")
        ]
        self._watch.look(changes, alive)

    def taken(self) -> None:
        """The page looked at last is committed."""
        self._watch.commit()

    @property
    def settles(self) -> bool:
        return self._watch.settles

    def passed(self, conn: Connection, hub: Hub) -> None:
        self._watch.passed(conn, hub.clock.now())
