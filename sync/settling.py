"""What became of an intent: written down, and its consequences drawn."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import Outcome, PollsSubmissions, Push
from state import intents
from sync.context import Hub, Link, Run
from sync.pushes import BY_NAME, Kind

BACKOFF_MAX_S = 3600.0
REPEATABLE = ("absolute", "natural", "reference")


def declared(link: Link, kind: Kind) -> Push:
    """What the connector says of this kind of push."""
    return link.connector.info.pushes[kind.method]


def unknown(conn: Connection, hub: Hub, link: Link, row: Row[Any], why: str) -> None:
    """File an intent whose effect nobody knows, by what the vendor makes possible."""
    kind = BY_NAME[row.kind]
    rule = declared(link, kind)
    now = hub.clock.now()
    if rule.idempotency in REPEATABLE:
        intents.move(conn, row.id, "planned", message=why, not_before=_later(now, row, None))
    elif rule.idempotency == "lookup" and kind.find is not None:
        intents.move(
            conn,
            row.id,
            "unknown",
            message=why,
            not_before=now + timedelta(seconds=rule.lookup_lag_s),
        )
    else:
        review(conn, row, why)


def review(conn: Connection, row: Row[Any], why: str) -> None:
    """Leave it to a person what became of an intent."""
    intents.move(conn, row.id, "review", message=f"{why}; look at the vendor by hand")


def settle(
    conn: Connection, hub: Hub, run: Run, link: Link, row: Row[Any], outcome: Outcome
) -> None:
    """Write down what became of one intent and let its domain draw the consequences."""
    now = hub.clock.now()
    run.count(f"{row.kind}_{outcome.status}")
    if outcome.status == "unknown":
        unknown(conn, hub, link, row, outcome.message)
        return
    if outcome.status == "retry":
        intents.move(
            conn,
            row.id,
            "planned",
            code=outcome.code,
            message=outcome.message,
            not_before=_later(now, row, outcome.retry_after),
        )
        return
    state = {"applied": "done", "accepted": "accepted", "rejected": "rejected"}[outcome.status]
    if state == "accepted" and not isinstance(link.connector, PollsSubmissions):
        # Handed over to somebody who gives no receipt: there is nothing more to wait for here.
        state = "done"
    intents.move(
        conn,
        row.id,
        state,
        remote_id=outcome.remote_id,
        handle=outcome.handle,
        code=outcome.code,
        message=outcome.message,
        settled_at=None if state == "accepted" else now,
    )
    for key in sorted(BY_NAME[row.kind].settle(conn, hub, row, outcome)):
        run.request(conn, key)


def _later(now: datetime, row: Row[Any], retry_after: float | None) -> datetime:
    # A vendor that says 0 would be asked without end within one run.
    wait = (
        max(1.0, retry_after) if retry_after is not None else min(BACKOFF_MAX_S, 2.0**row.attempts)
    )
    return now + timedelta(seconds=wait)
