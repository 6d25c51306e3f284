"""What became of an intent: written down, and its consequences drawn."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from connectors.base import TAKEN, Outcome, PollsSubmissions, Push
from state import intents
from sync.context import Hub, Link, Run
from sync.pushes import BY_NAME, Kind

BACKOFF_MAX_S = 3600.0
REPEATABLE = ("absolute", "natural", "reference", "key")
"""What may be sent again while nobody knows what became of it; ``key`` not for ever."""


def declared(link: Link, kind: Kind) -> Push:
    """What the connector says of this kind of push."""
    return link.connector.info.pushes[kind.method]


def unknown(
    conn: Connection,
    hub: Hub,
    link: Link,
    row: Row[Any],
    why: str,
    last_call: datetime | None = None,
) -> None:
    """File an intent whose effect nobody knows, by what the vendor makes possible.

    ``last_call``: until when a call for it may still have begun; null: it is over.
    """
    kind = BY_NAME[row.kind]
    rule = declared(link, kind)
    now = hub.clock.now()
    since = max(now, last_call or now)
    doubtful = {"doubtful_since": row.doubtful_since or row.sent_at, "message": why}
    if rule.idempotency in REPEATABLE and not key_forgotten(rule, row, now):
        again = _later(since, row, None)
        intents.move(conn, row.id, "planned", not_before=again, **doubtful)
    elif rule.idempotency in ("lookup", "key") and kind.find is not None:
        _look_up_later(conn, rule, row, since, why)
    else:
        review(conn, row, why)


def key_forgotten(rule: Push, row: Row[Any], now: datetime) -> bool:
    """Is a doubtful intent too old to be repeated under its key?

    Half of the window is left for clocks that differ and for calls that take their time.
    """
    if rule.idempotency != "key":
        return False
    first = row.doubtful_since or row.sent_at
    return first is not None and now - first > timedelta(seconds=rule.key_window_s / 2)


def review(conn: Connection, row: Row[Any], why: str) -> None:
    """Leave it to a person what became of an intent."""
    intents.move(conn, row.id, "review", message=f"{why}; look at the vendor by hand")


def settle(
    conn: Connection, hub: Hub, run: Run, link: Link, row: Row[Any], outcome: Outcome
) -> None:
    """Write down what became of one intent and let its domain draw the consequences."""
    run.count(f"{row.kind}_{outcome.status}")
    for key in write_down(conn, hub, link, row, outcome):
        run.request(conn, key)


def write_down(
    conn: Connection, hub: Hub, link: Link, row: Row[Any], outcome: Outcome
) -> list[str]:
    """As ``settle``, whoever found it out; returns the streams that have work now."""
    now = hub.clock.now()
    if outcome.status == "unknown":
        unknown(conn, hub, link, row, outcome.message)
        return []
    if outcome.status == "retry":
        intents.move(
            conn,
            row.id,
            "planned",
            code=outcome.code,
            message=outcome.message,
            not_before=_later(now, row, outcome.retry_after),
        )
        return []
    if outcome.status == "rejected" and _proves_nothing(conn, link, row, outcome, now):
        return []
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
    return sorted(BY_NAME[row.kind].settle(conn, hub, row, outcome))


def _proves_nothing(
    conn: Connection, link: Link, row: Row[Any], outcome: Outcome, now: datetime
) -> bool:
    """File a refusal that does not mean that nothing was done; true when it was such a one.

    A vendor that has our object already refuses the second, and cannot find the first before its
    index knows it. So after a doubtful attempt the refusal waits for a look-up.
    """
    kind = BY_NAME[row.kind]
    rule = declared(link, kind)
    if outcome.code == TAKEN:
        review(conn, row, outcome.message.rstrip("."))
    elif row.doubtful_since is None or rule.idempotency not in ("reference", "key"):
        return False
    elif kind.find is None:
        review(conn, row, f"refused, and it may have been done before: {outcome.message}")
    else:
        _look_up_later(conn, rule, row, now, f"refused after a lost reply: {outcome.message}")
    return True


def _look_up_later(conn: Connection, rule: Push, row: Row[Any], since: datetime, why: str) -> None:
    intents.move(
        conn,
        row.id,
        "unknown",
        message=why,
        not_before=since + timedelta(seconds=rule.lookup_lag_s),
        doubtful_since=row.doubtful_since or row.sent_at,
    )


def _later(now: datetime, row: Row[Any], retry_after: float | None) -> datetime:
    # A vendor that says 0 would be asked without end within one run.
    wait = (
        max(1.0, retry_after) if retry_after is not None else min(BACKOFF_MAX_S, 2.0**row.attempts)
    )
    return now + timedelta(seconds=wait)
