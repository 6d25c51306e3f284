"""A second look, far back: what a vendor showed later than the pulls' overlap covers.

A pull reads from where the last one ended, less a few minutes. A record that becomes visible hours
after its own time of change is behind that for ever. So everything changed in the last month is
read once more each day, a few pages a run, and taken in as ever: what is known costs a comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from connectors.base import Cursor, Page, PullsOrders, PullsShipments
from sync import intake, shipping
from sync.context import Hub, Run
from sync.guard.cancellations import CancellationWatch
from sync.reading import Reading

SPAN = timedelta(days=30)
"""How far back a walk begins."""

EVERY = timedelta(days=1)
"""From the begin of one walk to that of the next."""

PAGES_A_RUN = 10
"""Then the rest waits for the next run: the ordinary pulls share the vendor's limits."""

LATE = timedelta(hours=1)
"""What changed so long ago and was not known had been missed; what is younger may be on its way."""

log = structlog.get_logger()

Take = Callable[[Page, Cursor], None]


def recheck_orders(hub: Hub, run: Run) -> None:
    """Job: read a channel's orders of the last month once more."""
    connector = hub.link(run).connector
    if not isinstance(connector, PullsOrders):
        raise TypeError(f"{connector.info.name} does not pull orders")
    with hub.store.read() as conn:
        watch = CancellationWatch(conn, hub, run)

    def take(page: Page, cursor: Cursor) -> None:
        arrivals = intake.take_page(hub, run, watch, page, cursor)
        _report(hub, run, arrivals)

    _walk(hub, run, connector.pull_orders, take)
    if watch.settles:
        with run.commit() as conn:
            watch.passed(conn, hub)


def recheck_shipments(hub: Hub, run: Run) -> None:
    """Job: read what a 3PL has shipped in the last month once more."""
    connector = hub.link(run).connector
    if not isinstance(connector, PullsShipments):
        raise TypeError(f"{connector.info.name} does not pull shipments")
    _walk(
        hub,
        run,
        connector.pull_shipments,
        lambda page, cursor: shipping.take_page(hub, run, page, cursor),
    )


def _walk(
    hub: Hub, run: Run, pull: Callable[[Cursor | None, datetime], Iterator[Page]], take: Take
) -> None:
    """Begin a walk when one is due, or go on with the last one; a few pages of it."""
    now = hub.clock.now()
    # Null in the first run: everything has just been read from the connection's begin.
    kept = run.cursor or {
        "since": hub.link(run).since.isoformat(),
        "next": (now + EVERY).isoformat(),
    }
    walk: Cursor | None = kept.get("walk")
    if walk is None and run.since is None:
        if now < datetime.fromisoformat(kept["next"]):
            _save(run, kept)
            return
        kept = {**kept, "next": (now + EVERY).isoformat()}
    since = run.since or max(now - SPAN, datetime.fromisoformat(kept["since"]))
    for number, page in enumerate(pull(walk, since), start=1):
        take(page, {**kept, "walk": page.cursor})
        # Where a page brings no cursor of its own the walk could not be taken up here.
        resumable, walk = page.cursor != walk, page.cursor
        if run.stopping or (number >= PAGES_A_RUN and resumable):
            return
    _save(run, {name: value for name, value in kept.items() if name != "walk"})


def _save(run: Run, cursor: Cursor) -> None:
    with run.commit() as conn:
        run.save_cursor(conn, cursor)


def _report(hub: Hub, run: Run, arrivals: Sequence[Reading]) -> None:
    """Say what the ordinary pulls had missed: it means that the vendor shows changes late."""
    missed: list[Any] = [
        arrival.record.channel_order_id
        for arrival in arrivals
        if arrival.record is not None
        and hub.clock.now() - arrival.record.channel_updated_at >= LATE
    ]
    if missed:
        run.count("found_late", len(missed))
        log.warning(
            "found late",
            connection=run.connection,
            orders=missed[:20],
            detail=f"{len(missed)} changes were missed when they were made",
            remedy="nothing to do; they are taken in now",
        )
